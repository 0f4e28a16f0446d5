"""Structure over time: migrations, the rollup, the embedded server, demo data."""
