"""What is fast, against what: run by `make bench`."""
