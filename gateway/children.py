"""How a process of our own is started: it runs this program, whatever lies in the current folder."""

import sys


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of ours by the same Python.

    Without -P `-m` has Python look into the current folder first, for every module: a file there by the name of one of
    ours, of a package's or of the standard library's would be run in its place, by whomever it was put there.
    """
    return [sys.executable, "-P", "-m", module, *arguments]
