"""Several server processes on one port: all answer, one that dies is replaced, and none outlives the first."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from uuid import UUID

import asyncpg
import httpx2
import psutil
import pytest

from tests.conftest import Database
from tests.gateway.test_cli import run as run_bare
from tests.given import SECRET, Given, token
from tests.waiting import LONG, PATIENCE, until

WORKERS = 3
DAYS = {"period": "custom", "start_date": "2026-02-10", "end_date": "2026-02-16"}


@pytest.fixture
async def owner(given: Given) -> UUID:
    """An owner whose agency made two calls."""
    agency = await given.agency()
    await given.calls(agency, 2)
    return await given.user(agency)


@dataclass
class Served:
    """A supervisor in a process of its own, and how to ask its workers."""

    port: int
    parent: psutil.Process
    process: asyncio.subprocess.Process

    def workers(self) -> set[psutil.Process]:
        """Those that run; none when the parent has ended."""
        with suppress(psutil.NoSuchProcess):
            return {child for child in self.parent.children() if child.status() != psutil.STATUS_ZOMBIE}
        return set()

    async def ask(self, user: UUID) -> httpx2.Response:
        """A report over a connection of its own."""
        async with httpx2.AsyncClient(timeout=PATIENCE) as http:
            return await http.get(
                f"http://127.0.0.1:{self.port}/functions/v1/dashboard-overview",
                params=DAYS,
                headers={"Authorization": f"Bearer {token(user)}"},
            )

    async def alive(self) -> bool:
        """Whether somebody listens and answers."""
        async with httpx2.AsyncClient(timeout=PATIENCE) as http:
            with suppress(httpx2.HTTPError):
                return (await http.get(f"http://127.0.0.1:{self.port}/livez")).status_code == 200
        return False

    async def full(self) -> bool:
        """Whether all workers serve: each has the listening socket open and an event loop that waits on it."""
        serving = [each for each in self.workers() if _listens(each)]
        return len(serving) == WORKERS

    async def refuses(self) -> bool:
        """Whether nobody listens any more."""
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except ConnectionRefusedError:
            return True
        writer.close()
        return False

    async def ended(self) -> None:
        """Waits for the supervisor's end."""
        await asyncio.wait_for(self.process.wait(), PATIENCE)


def _listens(process: psutil.Process) -> bool:
    # A worker makes its event loop only when all it needs has been loaded.
    with suppress(psutil.NoSuchProcess, FileNotFoundError):
        return any("[eventpoll]" in str(each.readlink()) for each in Path(f"/proc/{process.pid}/fd").iterdir())
    return False


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_bare(*arguments, SUPABASE_JWT_SECRET=SECRET, **environment)


@asynccontextmanager
async def served(dsn: str, **given: str) -> AsyncIterator[Served]:
    """Starts the command and waits until all of its workers serve."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from gateway.cli import app; app()",
        "serve",
        "--workers",
        str(WORKERS),
        env={
            **kept,
            "DATABASE_URL": dsn,
            "SUPABASE_JWT_SECRET": SECRET,
            "PORT": str(port),
            "LOG_LEVEL": "error",
            "REUSE": "off",  # each request is one that reads
            "REQUEST_TIMEOUT_SECONDS": str(LONG),
            "SHUTDOWN_SECONDS": str(LONG),
            **given,
        },
        start_new_session=True,
        stdout=asyncio.subprocess.DEVNULL,
    )
    gateway = Served(port, psutil.Process(process.pid), process)
    family: set[psutil.Process] = set()
    try:
        await until(gateway.alive)
        await until(gateway.full)
        family = gateway.workers()
        yield gateway
    finally:
        for each in family | gateway.workers() | {gateway.parent}:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        await process.wait()


async def _all_end(processes: set[psutil.Process], seconds: float = PATIENCE) -> None:
    _, running = await asyncio.to_thread(psutil.wait_procs, processes, seconds)
    assert not running


@asynccontextmanager
async def _locked(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """No overview is read before the block ends."""
    async with connection.transaction():
        await connection.execute("lock table call_stats_daily in access exclusive mode")
        yield


async def _waiting(database: Database, number: int) -> None:
    """Waits until so many reads wait for the lock; asks anew each time, as a transaction sees one moment of this."""

    async def waiting() -> bool:
        connection = await asyncpg.connect(database.dsn)
        try:
            return number == await connection.fetchval(
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            )
        finally:
            await connection.close()

    await until(waiting)


async def test_all_of_them_answer(database: Database, owner: UUID) -> None:
    async with served(database.dsn) as gateway, AsyncExitStack() as held:
        address = {"url": f"http://127.0.0.1:{gateway.port}/functions/v1/dashboard-overview", "params": DAYS}
        headers = {"Authorization": f"Bearer {token(owner)}"}
        answered: set[psutil.Process] = set()
        for _ in range(200):
            http = await held.enter_async_context(httpx2.AsyncClient(timeout=PATIENCE))
            assert (await http.get(**address, headers=headers)).json()["summary"]["total_calls"] == 2
            # The connection is kept for a while, by the one that answered.
            answered |= {worker for worker in gateway.workers() if _has_a_client(worker, gateway.port)}
            if answered == gateway.workers():
                break
        assert answered == gateway.workers()


def _has_a_client(worker: psutil.Process, port: int) -> bool:
    connections = worker.net_connections("tcp")
    return any(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port for each in connections)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_one_that_ends_is_replaced_while_the_others_answer(
    database: Database, owner: UUID, number: signal.Signals
) -> None:
    async with served(database.dsn) as gateway:
        before = gateway.workers()
        one = next(iter(before))
        one.send_signal(number)
        await _all_end({one})
        for _ in range(20):
            assert (await gateway.ask(owner)).status_code == 200
        await until(gateway.full)
        assert len(gateway.workers() & before) == WORKERS - 1


async def test_workers_that_end_at_once_are_started_again_with_pauses(database: Database, owner: UUID) -> None:
    async with served(database.dsn) as gateway:
        killed: set[int] = set()
        began = monotonic()

        def are_killed() -> bool:
            for each in gateway.workers():
                with suppress(psutil.NoSuchProcess):
                    each.kill()
                    killed.add(each.pid)
            return len(killed) >= 4 * WORKERS

        await until(are_killed)
        # One of them four times at least: at once, if it had lived for long, then after 1 second and after 2.
        assert monotonic() - began >= 3
        await until(gateway.full)
        assert (await gateway.ask(owner)).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_all_of_them_and_requests_under_way_are_answered(
    database: Database, connection: asyncpg.Connection, owner: UUID, number: signal.Signals
) -> None:
    async with served(database.dsn) as gateway:
        everybody = gateway.workers()
        async with _locked(connection):
            asked = [asyncio.create_task(gateway.ask(owner)) for _ in range(6)]
            await _waiting(database, 6)
            gateway.parent.send_signal(number)
            await until(gateway.refuses)
            assert not any(each.done() for each in asked)
        answers = await asyncio.gather(*asked)
        assert [answer.json()["summary"]["total_calls"] for answer in answers] == [2] * 6
        await gateway.ended()
        assert gateway.process.returncode == 0  # it was asked to stop, and did
        await _all_end(everybody, 0)


async def test_a_signal_waits_no_longer_than_shutdown_seconds(
    database: Database, connection: asyncpg.Connection, owner: UUID
) -> None:
    async with served(database.dsn, SHUTDOWN_SECONDS="1") as gateway:
        everybody = gateway.workers()
        async with _locked(connection):
            asked = asyncio.create_task(gateway.ask(owner))
            await _waiting(database, 1)
            # Not even for one that has stopped altogether.
            frozen = next(iter(everybody))
            frozen.suspend()
            gateway.parent.send_signal(signal.SIGTERM)
            await gateway.ended()
            await _all_end(everybody, 0)
            await asyncio.wait({asked})
            assert asked.exception() or asked.result().status_code >= 500


async def test_workers_end_by_themselves_when_the_parent_is_killed(
    database: Database, connection: asyncpg.Connection, owner: UUID
) -> None:
    async with served(database.dsn) as gateway:
        everybody = gateway.workers()
        async with _locked(connection):
            asked = asyncio.create_task(gateway.ask(owner))
            await _waiting(database, 1)
            gateway.parent.kill()
            await until(gateway.refuses)
        assert (await asked).status_code == 200
        await _all_end(everybody)


async def test_a_port_that_is_taken_is_explained(database: Database) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        refused = await asyncio.to_thread(run, "serve", "--workers", "2", DATABASE_URL=database.dsn, PORT=str(port))
    assert refused.returncode == 2
    assert f"Port {port} on 127.0.0.1 cannot be had" in refused.stderr
    assert "Traceback" not in refused.stderr
