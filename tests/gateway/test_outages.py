"""PostgreSQL goes away under traffic: every answer is right or a 503, none is late, and all is well when it returns."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import psutil
import pytest

from database.embedded import embedded
from database.migrate import migrate
from tests.given import SECRET, Given, token
from tests.running import Running, running, settings_for

PATIENCE = 2.0
"""What a request may take. Beside it a margin, for a machine that is shared."""
MARGIN = 4.0
POOL = 3
CROWD = 3 * POOL
SOON = 6.0
"""By when everything works again once the database is back."""

DOCUMENT = """{
    overview { summary { totalCalls contactRate } }
    quality { trend { date completedCalls } }
    heatmap { heatmap { day hour totalCalls } }
    objections { summary { totalObjections } objections { objection count } }
    campaigns { activeBatches { totalCalls progressPct } pagination { total } }
}"""
KNOWN = {
    "overview": {"summary": {"totalCalls": 3, "contactRate": 33.3}},
    "quality": {"trend": [{"date": "2026-02-16", "completedCalls": 3}]},
    "heatmap": {"heatmap": [{"day": 1, "hour": 11, "totalCalls": 3}]},
    "objections": {"summary": {"totalObjections": 1}, "objections": [{"objection": "Too expensive", "count": 1}]},
    "campaigns": {"activeBatches": [{"totalCalls": 4, "progressPct": 75}], "pagination": {"total": 1}},
}
RATES = {
    "contact_rate": 33.3,
    "connected_to_conversation": 100.0,
    "conversation_to_qualified": 0.0,
    "qualified_to_booked": 0.0,
    "overall_conversion": 0.0,
}


class Stoppable:
    """A PostgreSQL of this module's own, always at the same address, which may be stopped in every way."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running = ExitStack()
        self.owner = UUID(int=0)
        self.dsn = f"postgresql://postgres@/gateway?host={folder / 'at'}&port=5432"

    def start(self) -> None:
        server = self._running.enter_context(embedded(self._folder / "data", durable=False))
        # Each start has a socket folder of its own; the address leads to the newest.
        new = self._folder / "new"
        new.symlink_to(server.socket_dir)
        new.rename(self._folder / "at")

    def stop(self) -> None:
        with self._running:
            self.thaw()
        self._running = ExitStack()

    def processes(self) -> list[psutil.Process]:
        """The postmaster and its backends; none while it is stopped."""
        with suppress(FileNotFoundError, psutil.NoSuchProcess):
            postmaster = psutil.Process(int((self._folder / "data" / "postmaster.pid").read_text().split()[0]))
            return [postmaster, *postmaster.children(recursive=True)]
        return []

    def signal(self, number: int) -> None:
        self.processes()[0].send_signal(number)

    def freeze(self) -> None:
        for process in self.processes():
            # A backend may end at any moment.
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self) -> None:
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.resume()

    async def ask(self, sql: str, *values: object) -> Any:
        """A value, through a connection of the test's own."""
        connection = await asyncpg.connect(self.dsn, timeout=5, server_settings={"application_name": "test"})
        try:
            return await connection.fetchval(sql, *values)
        finally:
            await connection.close(timeout=5)

    async def gateways_connections(self, condition: str = "true") -> int:
        return await self.ask(
            "select count(*) from pg_stat_activity where datname = 'gateway' and backend_type = 'client backend'"
            f" and application_name <> 'test' and ({condition})"
        )

    async def backends(self) -> list[psutil.Process]:
        """The processes that serve the gateway."""
        pids = await self.ask(
            "select array_agg(pid) from pg_stat_activity where datname = 'gateway'"
            " and backend_type = 'client backend' and application_name <> 'test'"
        )
        return [psutil.Process(pid) for pid in pids]

    async def one_waits(self) -> bool:
        return await self.gateways_connections("wait_event_type = 'Lock'") > 0

    async def all_wait(self) -> bool:
        return await self.gateways_connections("wait_event_type = 'Lock'") == POOL

    async def none_waits(self) -> bool:
        return not await self.one_waits()

    @asynccontextmanager
    async def locked(self, table: str) -> AsyncIterator[None]:
        """No statement that reads this table ends before the block does."""
        connection = await asyncpg.connect(self.dsn, server_settings={"application_name": "test"})
        try:
            async with connection.transaction():
                await connection.execute(f"lock table {table} in access exclusive mode")
                yield
        finally:
            await connection.close()


@pytest.fixture(scope="module")
async def own_server() -> AsyncIterator[Stoppable]:
    """A server with three calls in it: one answered, one with an objection; and a batch, three quarters done."""
    with tempfile.TemporaryDirectory(prefix="gateway-outage-") as folder:
        Path(folder).chmod(0o711)
        server = Stoppable(Path(folder))
        await asyncio.to_thread(server.start)
        try:
            await asyncio.to_thread(_prepare, server)
            connection = await asyncpg.connect(server.dsn)
            given = Given(connection)
            agency = await given.agency()
            campaign = await given.campaign(agency)
            await given.call(agency, campaign_id=campaign, objections=[{"text": "Too expensive", "handled": True}])
            await given.calls(agency, 2, campaign_id=campaign, answered=False)
            await given.batch(agency, campaign, {"completed": 2, "failed": 1, "pending": 1})
            server.owner = await given.user(agency)
            await connection.close()
            yield server
        finally:
            await asyncio.to_thread(server.stop)


def _prepare(server: Stoppable) -> None:
    asyncio.run(_create(server.dsn.replace("/gateway?", "/postgres?")))
    migrate(server.dsn)


async def _create(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("create database gateway")
    await connection.close()


@pytest.fixture
async def postgres(own_server: Stoppable) -> AsyncIterator[Stoppable]:
    """The server, running at the beginning of each test, whatever the one before did to it."""
    if not own_server.processes():
        await asyncio.to_thread(own_server.start)
    yield own_server
    await asyncio.to_thread(own_server.thaw)


@asynccontextmanager
async def impatient(server: Stoppable, **given: Any) -> AsyncIterator[Running]:
    """A gateway on it that gives no request longer than PATIENCE."""
    settings = {"request_timeout_seconds": PATIENCE, "database_pool_size": POOL, "log_level": "error", **given}
    async with running(settings_for(server.dsn, **settings)) as gateway:
        yield gateway


@dataclass
class Traffic:
    """A crowd that asks without pause through both doors and checks each answer."""

    gateway: Running
    user: UUID
    right: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0

    async def once(self, number: int) -> None:
        asked = monotonic()
        try:
            if number % 3 == 0:
                self._graphql(await self.gateway.post(DOCUMENT, self.user), KNOWN)
            elif number % 3 == 1:
                document = "{ overview { summary { totalCalls contactRate } } }"
                self._graphql(await self.gateway.post(document, self.user), {"overview": KNOWN["overview"]})
            else:
                self._rest(await self.gateway.get("funnel", self.user))
        except httpx2.HTTPError as error:
            self.faults.append(f"no answer: {error!r}")
        self.slowest = max(self.slowest, monotonic() - asked)

    def _rest(self, answer: httpx2.Response) -> None:
        body = answer.json()
        if answer.status_code == 200:
            self._right_if(body["rates"] == RATES and body["funnel"]["total_calls"] == 3, answer)
        else:
            self._refused_if(body.keys() == {"error"}, answer)

    def _graphql(self, answer: httpx2.Response, known: dict[str, Any]) -> None:
        body = answer.json()
        codes = {error["extensions"]["code"] for error in body.get("errors", ())}
        if answer.status_code != 200:
            self._refused_if(codes <= {"UNAVAILABLE", "TIMEOUT"} and not any((body.get("data") or {}).values()), answer)
        elif codes:
            # Of a dashboard's sections some may have been answered: each is right, or null with its error.
            paths = {error["path"][0] for error in body["errors"]}
            parts = all(body["data"][name] == (None if name in paths else known[name]) for name in known)
            self._right_if(parts and codes <= {"UNAVAILABLE", "TIMEOUT"}, answer, self.refused)
        else:
            self._right_if(body["data"] == known, answer)

    def _right_if(self, good: bool, answer: httpx2.Response, where: list[float] | None = None) -> None:
        if good:
            (self.right if where is None else where).append(monotonic())
        else:
            self.faults.append(f"{answer.status_code} {answer.text}")

    def _refused_if(self, good: bool, answer: httpx2.Response) -> None:
        if good and answer.status_code == 503 and answer.headers.get("retry-after"):
            self.refused.append(monotonic())
        else:
            self.faults.append(f"{answer.status_code} {dict(answer.headers)} {answer.text}")

    async def served(self) -> bool:
        """Whether every visitor may have been answered once."""
        return len(self.right) >= CROWD

    def check(self) -> None:
        """Nothing but right answers and refusals so far, and none of them late."""
        assert self.faults == []
        assert self.slowest < PATIENCE + MARGIN


@asynccontextmanager
async def traffic(gateway: Running, user: UUID) -> AsyncIterator[Traffic]:
    """Lets the crowd ask until the block ends."""
    crowd, going = Traffic(gateway, user), True

    async def visitor(number: int) -> None:
        while going:
            await crowd.once(number)
            await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as group:
        for number in range(CROWD):
            group.create_task(visitor(number))
        try:
            yield crowd
        finally:
            going = False


async def _until(condition: Callable[[], Any], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not (await condition()):
            await asyncio.sleep(0.05)


async def _alive_but_not_ready(gateway: Running) -> None:
    assert (await gateway.http.get("/livez")).status_code == 200
    ready = await gateway.http.get("/readyz")
    assert ready.status_code == 503
    assert ready.headers["retry-after"]


async def _well_again(gateway: Running, server: Stoppable, crowd: Traffic) -> None:
    """Ready by itself, every one of many more requests than connections is answered, and nothing is left behind."""

    async def ready() -> bool:
        return (await gateway.http.get("/readyz")).status_code == 200

    await _until(ready, SOON)
    # Connections that the outage left half dead may take until their clean-up ends.
    await asyncio.sleep(PATIENCE)
    crowd.check()
    refused, enough = len(crowd.refused), len(crowd.right) + 3 * CROWD

    async def answered() -> bool:
        return len(crowd.right) >= enough

    await _until(answered, SOON)
    crowd.check()
    assert len(crowd.refused) == refused
    assert await server.gateways_connections() <= POOL


@pytest.mark.parametrize("manner", [signal.SIGINT, signal.SIGQUIT], ids=["clean", "immediate"])
async def test_a_stop_and_a_start(postgres: Stoppable, manner: signal.Signals) -> None:
    async with impatient(postgres) as gateway, traffic(gateway, postgres.owner) as crowd:
        await _until(crowd.served, SOON)
        crowd.check()
        assert not crowd.refused
        postgres.signal(manner)
        await asyncio.to_thread(postgres.stop)
        answered = len(crowd.right)
        await _alive_but_not_ready(gateway)
        await asyncio.sleep(PATIENCE)
        await _alive_but_not_ready(gateway)
        crowd.check()
        assert crowd.refused
        assert len(crowd.right) <= answered + CROWD
        await asyncio.to_thread(postgres.start)
        await _well_again(gateway, postgres, crowd)


@pytest.mark.parametrize("pooler", ["none", "transaction"])
async def test_a_frozen_server(postgres: Stoppable, pooler: str) -> None:
    """It takes connections and answers nothing; no statement ends and none can be cancelled."""
    async with impatient(postgres, database_pooler=pooler) as gateway, traffic(gateway, postgres.owner) as crowd:
        await _until(crowd.served, SOON)
        postgres.freeze()
        try:
            await asyncio.sleep(2.5 * PATIENCE)
            await _alive_but_not_ready(gateway)
            crowd.check()
            assert crowd.refused
        finally:
            postgres.thaw()
        await _well_again(gateway, postgres, crowd)


@pytest.mark.parametrize("pooler", ["none", "transaction"])
async def test_statements_that_never_end_on_a_server_that_is_well_give_their_connections_back(
    postgres: Stoppable, pooler: str
) -> None:
    """As after a network that swallows packets: these connections never answer again, new ones do."""
    async with impatient(postgres, database_pooler=pooler, reuse=False) as gateway:
        crowd = Traffic(gateway, postgres.owner)
        async with postgres.locked("call_stats_daily"):
            asked = [asyncio.create_task(crowd.once(number)) for number in (1, 2) * POOL]
            await _until(postgres.all_wait, PATIENCE)
            frozen = await postgres.backends()
            for each in frozen:
                each.suspend()
        try:
            await asyncio.gather(*asked)
            crowd.check()
            assert len(crowd.refused) >= POOL
            await asyncio.sleep(2 * PATIENCE)
            assert all(each.status() == psutil.STATUS_STOPPED for each in frozen)
            crowd = Traffic(gateway, postgres.owner)
            await asyncio.gather(*(crowd.once(number) for number in range(CROWD)))
            crowd.check()
            assert len(crowd.right) == CROWD
        finally:
            postgres.thaw()


async def test_a_killed_backend_and_the_recovery_after_it(postgres: Stoppable) -> None:
    async with impatient(postgres) as gateway, traffic(gateway, postgres.owner) as crowd:
        await _until(crowd.served, SOON)
        # As the kernel does when memory runs out; PostgreSQL then restarts all of its processes.
        (await postgres.backends())[0].kill()
        await asyncio.sleep(0.5)
        await _well_again(gateway, postgres, crowd)


KILL = """select count(pg_terminate_backend(pid)) from pg_stat_activity
    where datname = 'gateway' and backend_type = 'client backend' and application_name <> 'test'"""


@pytest.mark.parametrize("pooler", ["none", "transaction"])
async def test_connections_that_are_terminated_in_traffic_are_hidden_by_one_retry(
    postgres: Stoppable, pooler: str
) -> None:
    async with impatient(postgres, database_pooler=pooler) as gateway, traffic(gateway, postgres.owner) as crowd:
        for _ in range(4):
            await asyncio.sleep(0.4)
            assert await postgres.ask(KILL) > 0
        await asyncio.sleep(0.4)
        crowd.check()
        assert crowd.refused == []
        await _well_again(gateway, postgres, crowd)


async def test_the_next_request_after_idle_connections_were_terminated_is_answered(postgres: Stoppable) -> None:
    async with impatient(postgres) as gateway:
        for _ in range(5):
            crowd = Traffic(gateway, postgres.owner)
            await asyncio.gather(*(crowd.once(number) for number in range(CROWD)))
            assert await postgres.ask(KILL) > 0
            await crowd.once(0)
            crowd.check()
            assert crowd.refused == []


async def test_connections_terminated_without_end_are_refusals_and_nothing_else(postgres: Stoppable) -> None:
    async with impatient(postgres) as gateway, traffic(gateway, postgres.owner) as crowd:
        connection = await asyncpg.connect(postgres.dsn, server_settings={"application_name": "test"})
        until = monotonic() + 2
        while monotonic() < until:
            await connection.execute(KILL)
            await asyncio.sleep(0.005)
        await connection.close()
        crowd.check()
        await _well_again(gateway, postgres, crowd)


async def test_a_database_that_is_away_at_the_start_comes_in_later(postgres: Stoppable) -> None:
    await asyncio.to_thread(postgres.stop)
    async with impatient(postgres) as gateway, traffic(gateway, postgres.owner) as crowd:
        await _alive_but_not_ready(gateway)
        await asyncio.sleep(0.5)
        crowd.check()
        assert crowd.refused
        assert not crowd.right
        await asyncio.to_thread(postgres.start)
        await _well_again(gateway, postgres, crowd)


@pytest.mark.parametrize("pooler", ["none", "transaction"])
async def test_statements_that_are_too_slow_are_ended_on_the_server_too(postgres: Stoppable, pooler: str) -> None:
    async with impatient(postgres, database_pooler=pooler) as gateway:
        crowd = Traffic(gateway, postgres.owner)
        async with postgres.locked("call_stats_daily"):
            await asyncio.gather(*(crowd.once(number) for number in (1, 2) * CROWD))
            crowd.check()
            assert len(crowd.refused) == 2 * CROWD
            # Not one of them was tried again: what took too long once is not worth it.
            await _until(postgres.none_waits, PATIENCE)
        crowd = Traffic(gateway, postgres.owner)
        await asyncio.gather(*(crowd.once(number) for number in range(CROWD)))
        crowd.check()
        assert len(crowd.right) == CROWD


@pytest.mark.parametrize("pooler", ["none", "transaction"])
async def test_a_gateway_on_a_frozen_server_stops_within_seconds(postgres: Stoppable, pooler: str) -> None:
    try:
        async with impatient(postgres, database_pooler=pooler) as gateway:
            crowd = Traffic(gateway, postgres.owner)
            await asyncio.gather(*(crowd.once(number) for number in range(CROWD)))
            postgres.freeze()
            await asyncio.gather(*(crowd.once(number) for number in range(CROWD)))
            crowd.check()
            stopping = monotonic()
        assert monotonic() - stopping < 3 + MARGIN
    finally:
        postgres.thaw()


@dataclass
class Process:
    """A gateway in a process of its own."""

    address: str
    pid: int
    process: asyncio.subprocess.Process

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.address, timeout=30)

    async def ended(self) -> float:
        """Waits for its end and gives the seconds that took."""
        began = monotonic()
        await asyncio.wait_for(self.process.wait(), 30)
        return monotonic() - began


@contextmanager
def _free_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield port


@asynccontextmanager
async def separate(server: Stoppable, **given: str) -> AsyncIterator[Process]:
    """Starts one and waits until it listens."""
    with _free_port() as port:
        environment = {
            name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "HOME", "VIRTUAL_ENV")
        } | {
            "DATABASE_URL": server.dsn,
            "SUPABASE_JWT_SECRET": SECRET,
            "PORT": str(port),
            "DATABASE_POOL_SIZE": str(POOL),
            **given,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from gateway.cli import app; app()",
            "serve",
            env=environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        gateway = Process(f"http://127.0.0.1:{port}", process.pid, process)
        try:
            async with gateway.client() as http:

                async def listens() -> bool:
                    assert process.returncode is None
                    with suppress(httpx2.HTTPError):
                        return (await http.get("/livez")).status_code == 200
                    return False

                await _until(listens, 20)
            yield gateway
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def _days(user: UUID) -> dict[str, Any]:
    return {
        "url": "/functions/v1/dashboard-funnel",
        "params": {"period": "custom", "start_date": "2026-02-10", "end_date": "2026-02-16"},
        "headers": {"Authorization": f"Bearer {token(user)}"},
    }


async def test_sigterm_lets_the_request_under_way_be_answered_and_takes_no_new_one(postgres: Stoppable) -> None:
    async with separate(postgres, SHUTDOWN_SECONDS="10", REQUEST_TIMEOUT_SECONDS="8") as gateway:
        async with gateway.client() as http, gateway.client() as late:
            async with postgres.locked("call_stats_daily"):
                asked = asyncio.create_task(http.get(**_days(postgres.owner)))
                await _until(postgres.one_waits, 5)
                os.kill(gateway.pid, signal.SIGTERM)

                async def refused() -> bool:
                    try:
                        await late.get("/livez", headers={"Connection": "close"})
                    except httpx2.ConnectError:
                        return True
                    except httpx2.HTTPError:  # it was in the listener's queue as that was closed
                        return False
                    return False

                await _until(refused, 5)
                assert not asked.done()
            answer = await asked
        assert answer.status_code == 200
        assert answer.json()["rates"] == RATES
        assert await gateway.ended() < 3
        assert gateway.process.returncode in (0, 128 + signal.SIGTERM, -signal.SIGTERM)
        assert not psutil.pid_exists(gateway.pid)
        assert await postgres.gateways_connections() == 0


async def test_sigterm_waits_no_longer_than_shutdown_seconds_for_a_request(postgres: Stoppable) -> None:
    async with separate(postgres, SHUTDOWN_SECONDS="1", REQUEST_TIMEOUT_SECONDS="4") as gateway:
        async with gateway.client() as http, postgres.locked("call_stats_daily"):
            asked = asyncio.create_task(http.get(**_days(postgres.owner)))
            await _until(postgres.one_waits, 5)
            os.kill(gateway.pid, signal.SIGTERM)
            assert await gateway.ended() < 1 + 3 + MARGIN
            await asyncio.wait({asked})
            assert asked.exception() or asked.result().status_code >= 500
            # The server knows the limit too, and ends the statement of a gateway that is gone.
            await _until(postgres.none_waits, 4)


@pytest.mark.parametrize("pooler", ["none", "transaction"])
async def test_sigterm_ends_a_gateway_whose_server_is_frozen(postgres: Stoppable, pooler: str) -> None:
    limits = {
        "SHUTDOWN_SECONDS": "5",
        "REQUEST_TIMEOUT_SECONDS": str(PATIENCE),
        "DATABASE_POOLER": pooler,
        "REUSE": "off",
    }
    async with separate(postgres, **limits) as gateway, gateway.client() as http:
        assert (await http.get(**_days(postgres.owner))).status_code == 200
        try:
            postgres.freeze()
            asked = [asyncio.create_task(http.get(**_days(postgres.owner))) for _ in range(CROWD)]
            await asyncio.sleep(0.5)
            os.kill(gateway.pid, signal.SIGTERM)
            assert await gateway.ended() < 5
            for answer in await asyncio.gather(*asked):
                assert answer.status_code == 503
        finally:
            postgres.thaw()
