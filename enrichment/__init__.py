"""The writing side: from a raw call to the facts that the reports count."""
