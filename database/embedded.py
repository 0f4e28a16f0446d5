"""The embedded PostgreSQL of the demo and the tests: nothing to install, no port, gone when its owner is gone."""

import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from database.binaries import (
    SYSTEM_DIR,
    Account,
    EmbeddedError,
    environment,
    find_binaries,
    open_to_all,
    reachable,
    run,
    version,
)

START_SECONDS = 60.0
STOP_SECONDS = 20.0
FULL_BYTES = 16 * 2**20
"""With less room a disk is full: PostgreSQL asks for so much at once when it goes on with its log."""

_SOCKET_NAME = ".s.PGSQL.5432"
_SOCKET_PATH_BYTES = 103  # of macOS; Linux allows 107
_SMALL_SHM_BYTES = 128 * 2**20  # containers get 64 MB unless told otherwise
_MARK = "made_by_voice_analytics_gateway"

# The shell becomes PostgreSQL, after leaving behind a watcher that reads from us. A line means that we stop the server
# ourselves; the end of the pipe means that we died in whatever way, and the watcher stops it. Being one process start,
# there is no moment at which a killed owner leaves a server without a watcher. `$$` is PostgreSQL's process id, also in
# the watcher, and cannot be another's: it stays ours until we have waited for it, which we do after sending the line.
_WATCHED = """
exec 3<&0 </dev/null
( {
    read -r line || {
        kill -INT $$
        tries=0; until rmdir "$0" || [ $((tries += 1)) -gt 30 ]; do sleep 1; done
    }
} <&3 3<&- >/dev/null 2>&1 & )
exec "$@" 3<&-
"""


@dataclass(frozen=True)
class Server:
    """A running server. Only the owner's process stops it."""

    data_dir: Path
    socket_dir: Path
    bin_dir: Path
    owner: bool

    @property
    def log(self) -> Path:
        """What it has said since it was started."""
        return _beside(self.data_dir, ".log")

    def dsn(self, database: str = "postgres") -> str:
        """The address of a database of this server, for asyncpg, libpq and dbmate; PGPORT does not change it."""
        return f"postgresql://postgres@/{quote(database, safe='')}?host={quote(str(self.socket_dir))}&port=5432"


@contextmanager
def embedded(
    data_dir: Path, *, bin_dir: Path | None = None, durable: bool = True, settings: Mapping[str, str] = {}
) -> Iterator[Server]:
    """A server on `data_dir`, which is made when it is empty or absent; stopped at the end by the one who started it.

    When another process has the folder's server running, that one is given and left running (`owner` is false).
    As root, PostgreSQL runs as the folder's owner, the user of sudo or nobody; where that user cannot reach the folder,
    one below `SYSTEM_DIR` takes its place. `durable=False` gives up safety against power cuts for speed. `settings` are
    PostgreSQL's own and only matter to the owner.

    Raises:
        EmbeddedError: no binaries, no right to the folder, or PostgreSQL does not start (with the end of its log).
    """
    with ExitStack() as stack:
        try:
            server = _enter(stack, data_dir, find_binaries(bin_dir), durable, settings)
        except PermissionError as error:
            raise EmbeddedError(f"{error}. Start this as the user who made that, or name another folder.") from error
        except OSError as error:
            raise EmbeddedError(f"The embedded PostgreSQL in {data_dir} cannot be started: {error}") from error
        yield server


def attach(data_dir: Path, *, bin_dir: Path | None = None) -> Server | None:
    """The server that another process has running on `data_dir`; None when there is none. Starts nothing.

    Raises:
        EmbeddedError: the folder may not be read.
    """
    try:
        return _running(_place(data_dir)[0], find_binaries(bin_dir))
    except OSError as error:
        raise EmbeddedError(f"{data_dir} cannot be read: {error}") from error


def free_bytes(data_dir: Path) -> int | None:
    """How much room there is for data that are not there yet; None when they are. Makes the folder they are to lie in.

    Raises:
        EmbeddedError: that cannot be done.
    """
    try:
        data_dir.absolute().parent.mkdir(parents=True, exist_ok=True)
        place, _ = _place(data_dir)
        if (place / "PG_VERSION").exists():
            return None
        return shutil.disk_usage(next(folder for folder in place.parents if folder.exists())).free
    except OSError as error:
        raise EmbeddedError(f"{data_dir} cannot be read: {error}") from error


def remove(data_dir: Path) -> None:
    """Delete a data folder that `embedded` made; nothing happens when there is none.

    Raises:
        EmbeddedError: it is in use, or was not made by `embedded`.
    """
    try:
        data_dir, _ = _place(data_dir)
        if not data_dir.exists() or not any(data_dir.iterdir()):
            return
        if not (data_dir / _MARK).exists():
            raise EmbeddedError(f"{data_dir} was not made by this program, so it is left alone. Name another folder.")
        with _beside(data_dir, ".lock").open("ab") as lock, _beside(data_dir, ".log").open("ab") as log:
            if not (_locked(lock) and _locked(log)):
                raise EmbeddedError(f"{data_dir} is in use by another process. Stop that first.")
            # Renamed first, so that no half-deleted folder is ever taken for a database.
            shutil.rmtree(_beside(data_dir, ".unfinished"), ignore_errors=True)
            shutil.rmtree(data_dir.rename(_beside(data_dir, ".unfinished")))
    except OSError as error:
        raise EmbeddedError(f"{data_dir} cannot be deleted: {error}") from error


def _enter(stack: ExitStack, data_dir: Path, bin_dir: Path, durable: bool, settings: Mapping[str, str]) -> Server:
    data_dir.absolute().parent.mkdir(parents=True, exist_ok=True)
    data_dir, account = _place(data_dir)
    if data_dir.is_relative_to(SYSTEM_DIR):
        open_to_all(data_dir.parent)
    # The first lock is its process's alone: while another has it, an owner lives whose server may be shared. The second
    # is on the log, which is PostgreSQL's output: it lasts until the last of its processes has ended, so that nobody
    # starts a server beside one that is still stopping after its owner was killed.
    lock = stack.enter_context(_beside(data_dir, ".lock").open("ab"))
    log = stack.enter_context(_beside(data_dir, ".log").open("ab"))
    deadline = time.monotonic() + START_SECONDS
    while not ((ours := _locked(lock)) and _locked(log)):
        if not ours and (running := _running(data_dir, bin_dir)):
            return running
        if time.monotonic() > deadline:
            raise EmbeddedError(f"{data_dir} is held by another process, whose server does not answer. Stop that one.")
        time.sleep(0.02)
    log.truncate(0)
    bin_dir = reachable(bin_dir, account)
    if not (data_dir / "PG_VERSION").exists():
        _initdb(bin_dir, data_dir, account, durable, log)
    elif (made_by := int((data_dir / "PG_VERSION").read_text())) != version(bin_dir):
        raise EmbeddedError(
            f"{data_dir} was made by PostgreSQL {made_by}, and {bin_dir} is version {version(bin_dir)}. "
            "Delete the folder to begin anew, or name binaries of its version."
        )
    socket_dir = stack.enter_context(_socket_dir(account))
    options = {
        "listen_addresses": "",
        "port": "5432",
        "unix_socket_directories": str(socket_dir),
        "unix_socket_permissions": "0700",
        "timezone": "UTC",
        **({} if durable else dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), "off")),
        **({"dynamic_shared_memory_type": "mmap"} if _shm_is_small() else {}),
        **settings,
    }
    postgres = [str(bin_dir / "postgres"), "-D", str(data_dir), *(f"--{name}={to}" for name, to in options.items())]
    process = subprocess.Popen(
        ["/bin/sh", "-c", _WATCHED, str(socket_dir), *postgres], bufsize=0, stdin=subprocess.PIPE, stdout=log,
        stderr=log, cwd="/", env=environment(), start_new_session=True, user=account.uid, group=account.gid,
        extra_groups=None if account.uid is None else [],
    )  # fmt: skip
    stack.callback(_stop, process)
    deadline = time.monotonic() + START_SECONDS
    while _ready(data_dir) != (process.pid, socket_dir):
        if process.poll() is not None or time.monotonic() > deadline:
            raise EmbeddedError(f"PostgreSQL did not start in {data_dir}. The end of {_end_of(log)}")
        time.sleep(0.005)
    return Server(data_dir, socket_dir, bin_dir, owner=True)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)  # "fast shutdown"; not sent to one that has ended
    if process.stdin:
        with suppress(OSError), process.stdin:
            process.stdin.write(b"\n")
    for seconds, harder in ((STOP_SECONDS, signal.SIGQUIT), (5, signal.SIGKILL)):
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return
        process.send_signal(harder)
    process.wait()


def _initdb(bin_dir: Path, data_dir: Path, account: Account, durable: bool, log: BinaryIO) -> None:
    if data_dir.exists() and any(data_dir.iterdir()):
        raise EmbeddedError(f"{data_dir} is neither empty nor a PostgreSQL data directory. Name another folder.")
    # Made beside its place and renamed when done: an initdb that was killed half way never looks like a database.
    new = _beside(data_dir, ".unfinished")
    if new.exists():
        shutil.rmtree(new)
    new.mkdir(mode=0o700)
    account.give(new)
    # Sorting that depends on no library of the machine; before 17 there was no builtin provider.
    builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    locale = builtin if version(bin_dir) >= 17 else ["--locale=C.UTF-8"]
    manner = ["--username=postgres", "--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--no-instructions"]
    command = [str(bin_dir / "initdb"), "-D", str(new), *manner, *locale, *([] if durable else ["--no-sync"])]
    if run(account, *command, output=log) != 0:
        raise EmbeddedError(f"initdb failed for {data_dir}. The end of {_end_of(log)}")
    (new / _MARK).touch()
    new.rename(data_dir)


def _account(data_dir: Path) -> Account:
    """PostgreSQL refuses to run as root: the folder's owner, else sudo's user, else nobody."""
    if os.geteuid() != 0:
        try:
            pwd.getpwuid(os.geteuid())
        except KeyError:
            raise EmbeddedError(
                f"The user who runs this (id {os.geteuid()}) has no name on this machine, and PostgreSQL does not run "
                "without: run it as another user, or give this one a name (useradd)."
            ) from None
        return Account()
    if data_dir.exists() and data_dir.stat().st_uid != 0:
        return Account(data_dir.stat().st_uid, data_dir.stat().st_gid)
    if uid := int(os.environ.get("SUDO_UID", "0")):
        return Account(uid, int(os.environ.get("SUDO_GID", uid)))
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def _place(data_dir: Path) -> tuple[Path, Account]:
    """Where the data truly lies, and as whom the server runs."""
    data_dir = data_dir.resolve()
    account = _account(data_dir)
    if account.uid is not None and not account.can_enter(data_dir.parent):
        data_dir = SYSTEM_DIR / hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12] / data_dir.name
        account = _account(data_dir)
    return data_dir, account


@contextmanager
def _socket_dir(account: Account) -> Iterator[Path]:
    """A private folder whose path leaves room for the socket's name; the system's limit is low."""
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108
        if len(os.fsencode(f"{parent}/pg-12345678/{_SOCKET_NAME}")) <= _SOCKET_PATH_BYTES and account.can_enter(
            Path(parent)
        ):
            break
    with tempfile.TemporaryDirectory(prefix="pg-", dir=parent, ignore_cleanup_errors=True) as folder:
        account.give(Path(folder))
        yield Path(folder)


def _ready(data_dir: Path) -> tuple[int, Path] | None:
    """Process id and socket folder of the server that says in postmaster.pid that it is ready."""
    try:
        lines = (data_dir / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    return (int(lines[0]), Path(lines[4])) if len(lines) > 7 and lines[7].strip() == "ready" else None


def _running(data_dir: Path, bin_dir: Path) -> Server | None:
    if (ready := _ready(data_dir)) is None:
        return None
    # A server that was killed leaves its postmaster.pid; only its socket does not answer.
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(ready[1] / _SOCKET_NAME))
        except (FileNotFoundError, ConnectionError):
            return None
    return Server(data_dir, ready[1], bin_dir, owner=False)


def _locked(log: BinaryIO) -> bool:
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _shm_is_small() -> bool:
    shm = Path("/dev/shm")  # noqa: S108
    return shm.exists() and shutil.disk_usage(shm).free < _SMALL_SHM_BYTES


def _beside(data_dir: Path, ending: str) -> Path:
    return data_dir.with_name(data_dir.name + ending)


def _end_of(log: BinaryIO) -> str:
    end = "\n".join(Path(log.name).read_text(errors="replace").splitlines()[-12:])
    free = shutil.disk_usage(Path(log.name).parent).free
    # A full disk takes no more of the log either.
    return f"{log.name}:\n{end}" + (f"\nThe disk is full there: {free} bytes are free." if free < FULL_BYTES else "")
