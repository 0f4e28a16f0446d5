"""`python -m gateway`, for where the command's own script is not at hand."""

from gateway.cli import app

app()
