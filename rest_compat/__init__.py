"""The old shapes: seven paths, their query strings, their JSON."""
