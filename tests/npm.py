"""npm's programs in tests: the packages of a folder, as its lock file has them, and the Node that runs them.

Where there is no Node, or no way to npm's registry, tests are skipped and say so, but never in CI (the variable CI).
"""

import fcntl
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.missing import cannot
from web.build import INSTALL_SECONDS, OLDEST_NODE, find_node, npm_of


@dataclass(frozen=True)
class Packages:
    """Installed packages."""

    node: Path
    folder: Path

    def run(self, program: str, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a package's program, by its place below `node_modules`, or a script of one's own, by its path."""
        script = self.folder / "node_modules" / program
        return subprocess.run(
            [self.node, script, *arguments], cwd=cwd or self.folder, env=environment(self.node),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip


def installed(folder: Path) -> Packages:
    """The packages of a folder, brought from npm unless they are there."""
    if (node := find_node()) is None:
        cannot(f"Node {OLDEST_NODE[0]}.{OLDEST_NODE[1]} or newer with npm is needed; `make test` brings one")
    lock = (folder / "package-lock.json").read_text("utf-8")
    mark = folder / "node_modules" / ".installed-from"
    # xdist's workers come here one after the other, the second finding nothing to do.
    with (folder / "package.json").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not mark.exists() or mark.read_text("utf-8") != lock:
            command = [*npm_of(node), "ci", "--loglevel=error"]
            done = subprocess.run(
                command, cwd=folder, env=environment(node), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                timeout=INSTALL_SECONDS,
            )  # fmt: skip
            if done.returncode:
                cannot(f"npm ci failed in {folder}: {done.stdout.strip()}")
            mark.write_text(lock, "utf-8")
    return Packages(node, folder)


def environment(node: Path) -> dict[str, str]:
    """This process's, with Node on the path, and without colours, telemetry and questions after newer versions."""
    path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    quiet = {"NO_COLOR": "1", "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    return {**os.environ, "PATH": path, **quiet}


def assert_pinned(folder: Path) -> None:
    """A folder's lock file has a checksum for each package, and no address to bring it from."""
    text = (folder / "package-lock.json").read_text("utf-8")
    assert '"resolved"' not in text
    packages = {name: each for name, each in json.loads(text)["packages"].items() if name}
    assert packages
    # A package inside of another's archive has that one's.
    assert [name for name, each in packages.items() if "integrity" not in each and not each.get("inBundle")] == []
