"""Other ways of answering the same dashboard from the same database: floors and peers."""
