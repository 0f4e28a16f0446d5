"""`python -P -m gateway`, for where the command's own script is not at hand."""

import sys

# Without -P the current folder comes first, whose files are not to be taken for modules (gateway.children says more).
if not sys.flags.safe_path and not __file__.startswith(sys.path[0] + "/gateway/"):
    del sys.path[0]

from gateway.cli import app

app()
