"""Several server processes on one port: all answer, one that dies is replaced, and none outlives the first."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from uuid import UUID

import asyncpg
import httpx2
import psutil
import pytest

from gateway.workers import CLOSING_SECONDS
from tests.conftest import Database
from tests.gateway.test_cli import run as run_bare
from tests.given import SECRET, Given, token

WORKERS = 3
SOON = 30.0
"""By when what is waited for has happened, on a machine that is shared."""
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
        async with httpx2.AsyncClient(timeout=90) as http:
            return await http.get(
                f"http://127.0.0.1:{self.port}/functions/v1/dashboard-overview",
                params=DAYS,
                headers={"Authorization": f"Bearer {token(user)}"},
            )

    async def alive(self) -> bool:
        """Whether somebody listens and answers."""
        async with httpx2.AsyncClient(timeout=SOON) as http:
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

    async def ended(self) -> float:
        """Waits for the supervisor's end and gives the seconds that took."""
        began = monotonic()
        await asyncio.wait_for(self.process.wait(), SOON)
        return monotonic() - began


def _listens(process: psutil.Process) -> bool:
    # A worker makes its event loop only when all it needs has been loaded.
    with suppress(psutil.NoSuchProcess, FileNotFoundError):
        return any("[eventpoll]" in str(each.readlink()) for each in Path(f"/proc/{process.pid}/fd").iterdir())
    return False


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_bare(*arguments, SUPABASE_JWT_SECRET=SECRET, **environment)


async def _until(condition: Callable[[], Awaitable[bool]], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


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
            **given,
        },
        start_new_session=True,
        stdout=asyncio.subprocess.DEVNULL,
    )
    gateway = Served(port, psutil.Process(process.pid), process)
    family: set[psutil.Process] = set()
    try:
        await _until(gateway.alive, 2 * SOON)
        await _until(gateway.full, SOON)
        family = gateway.workers()
        yield gateway
    finally:
        for each in family | gateway.workers() | {gateway.parent}:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        await process.wait()


async def _all_end(processes: set[psutil.Process], seconds: float) -> None:
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

    await _until(waiting, SOON)


async def test_all_of_them_answer(database: Database, owner: UUID) -> None:
    async with served(database.dsn) as gateway, AsyncExitStack() as held:
        address = {"url": f"http://127.0.0.1:{gateway.port}/functions/v1/dashboard-overview", "params": DAYS}
        headers = {"Authorization": f"Bearer {token(owner)}"}
        answered: set[psutil.Process] = set()
        for _ in range(200):
            http = await held.enter_async_context(httpx2.AsyncClient(timeout=SOON))
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
        await _all_end({one}, SOON)
        for _ in range(20):
            assert (await gateway.ask(owner)).status_code == 200
        await _until(gateway.full, SOON)
        assert len(gateway.workers() & before) == WORKERS - 1


async def test_workers_that_end_at_once_are_started_again_with_pauses(database: Database, owner: UUID) -> None:
    async with served(database.dsn) as gateway:
        killed: set[int] = set()
        until = monotonic() + 5
        while monotonic() < until:
            for each in gateway.workers():
                with suppress(psutil.NoSuchProcess):
                    each.kill()
                    killed.add(each.pid)
            await asyncio.sleep(0.02)
        # The first, then after 1 second, after 2 and after 4.
        assert 2 * WORKERS <= len(killed) <= 3 * WORKERS
        await _until(gateway.full, SOON)
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
            await _until(gateway.refuses, SOON)
            assert not any(each.done() for each in asked)
        answers = await asyncio.gather(*asked)
        assert [answer.json()["summary"]["total_calls"] for answer in answers] == [2] * 6
        assert await gateway.ended() < SOON
        assert gateway.process.returncode == {signal.SIGTERM: 143, signal.SIGINT: 130}[number]
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
            assert await gateway.ended() < 1 + CLOSING_SECONDS + 3
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
            await _until(gateway.refuses, SOON)
        assert (await asked).status_code == 200
        await _all_end(everybody, SOON)


async def test_a_port_that_is_taken_is_explained(database: Database) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        refused = await asyncio.to_thread(run, "serve", "--workers", "2", DATABASE_URL=database.dsn, PORT=str(port))
    assert refused.returncode == 2
    assert f"Port {port} on 127.0.0.1 cannot be had" in refused.stderr
    assert "Traceback" not in refused.stderr
