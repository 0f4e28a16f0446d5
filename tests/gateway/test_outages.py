"""PostgreSQL goes away under traffic: every answer is right or a 503, none is late, and all is well when it returns."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
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
from tests.waiting import LONG, PATIENCE, until

LIMIT = 3.0
"""What a request may take while the database is away."""
POOL = 3
CROWD = 3 * POOL

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
        connection = await asyncpg.connect(self.dsn, timeout=PATIENCE, server_settings={"application_name": "test"})
        try:
            return await connection.fetchval(sql, *values)
        finally:
            await connection.close(timeout=PATIENCE)

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
    """A gateway on it that gives no request longer than LIMIT, or what it is given."""
    settings = {"request_timeout_seconds": LIMIT, "database_pool_size": POOL, "log_level": "error", **given}
    async with running(settings_for(server.dsn, **settings)) as gateway:
        yield gateway


@dataclass
class Traffic:
    """A crowd that asks without pause through both doors and checks each answer."""

    gateway: Running
    user: UUID
    right: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)
    answered: Counter[int] = field(default_factory=Counter)
    """How often each visitor was, in whatever way."""
    in_a_row: int = 0
    """Right answers since the last refusal."""

    async def once(self, number: int) -> None:
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
        self.answered[number] += 1

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
            self._count(parts and codes <= {"UNAVAILABLE", "TIMEOUT"}, answer, is_right=False)
        else:
            self._right_if(body["data"] == known, answer)

    def _right_if(self, good: bool, answer: httpx2.Response) -> None:
        self._count(good, answer, is_right=True)

    def _refused_if(self, good: bool, answer: httpx2.Response) -> None:
        told = answer.status_code == 503 and answer.headers.get("retry-after")
        self._count(good and bool(told), answer, is_right=False)

    def _count(self, good: bool, answer: httpx2.Response, *, is_right: bool) -> None:
        if not good:
            self.faults.append(f"{answer.status_code} {dict(answer.headers)} {answer.text}")
        self.right += good and is_right
        self.refused += good and not is_right
        self.in_a_row = self.in_a_row + 1 if good and is_right else 0

    async def everybody_is_answered(self, times: int = 1) -> None:
        """Waits until each visitor has been answered so many times more, whoever of them asks in vain."""
        before = self.answered.copy()
        await until(lambda: all(self.answered[each] - before[each] >= times for each in range(CROWD)))
        self.check()

    async def all_are_served(self) -> None:
        """Waits until nobody asks in vain any more."""
        self.in_a_row = 0
        await until(lambda: self.in_a_row >= 10 * CROWD)
        self.check()

    def check(self) -> None:
        """Nothing but right answers and refusals so far."""
        assert self.faults == []


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


async def _are_right_again(gateway: Running, user: UUID) -> None:
    """Waits until of more requests at once than there are connections each is answered; until then they are refused."""

    async def are_right() -> bool:
        crowd = Traffic(gateway, user)
        await asyncio.gather(*(crowd.once(number) for number in range(CROWD)))
        crowd.check()
        return crowd.right == CROWD

    await until(are_right)


async def _alive_but_not_ready(gateway: Running) -> None:
    assert (await gateway.http.get("/livez")).status_code == 200
    ready = await gateway.http.get("/readyz")
    assert ready.status_code == 503
    assert ready.headers["retry-after"]


async def _well_again(gateway: Running, server: Stoppable, crowd: Traffic) -> None:
    """Ready by itself, each of many more requests at once than connections is answered, and nothing is left behind."""

    async def ready() -> bool:
        return (await gateway.http.get("/readyz")).status_code == 200

    await until(ready)
    # Connections that the outage left half dead may take until their clean-up ends.
    await crowd.all_are_served()
    assert await server.gateways_connections() <= POOL


@pytest.mark.parametrize("manner", [signal.SIGINT, signal.SIGQUIT], ids=["clean", "immediate"])
async def test_a_stop_and_a_start(postgres: Stoppable, manner: signal.Signals) -> None:
    async with impatient(postgres) as gateway, traffic(gateway, postgres.owner) as crowd:
        await crowd.all_are_served()
        postgres.signal(manner)
        await asyncio.to_thread(postgres.stop)
        answered = crowd.right
        await _alive_but_not_ready(gateway)
        await crowd.everybody_is_answered(3)
        await _alive_but_not_ready(gateway)
        assert crowd.refused
        assert crowd.right <= answered + CROWD
        await asyncio.to_thread(postgres.start)
        await _well_again(gateway, postgres, crowd)


@pytest.mark.parametrize("pooler", ["none", "transaction"])
async def test_a_frozen_server(postgres: Stoppable, pooler: str) -> None:
    """It takes connections and answers nothing; no statement ends and none can be cancelled."""
    async with impatient(postgres, database_pooler=pooler) as gateway, traffic(gateway, postgres.owner) as crowd:
        await crowd.all_are_served()
        postgres.freeze()
        try:
            refused = crowd.refused
            await crowd.everybody_is_answered(2)
            await _alive_but_not_ready(gateway)
            assert crowd.refused - refused >= CROWD
        finally:
            postgres.thaw()
        await _well_again(gateway, postgres, crowd)


@pytest.mark.parametrize("pooler", ["none", "transaction"])
async def test_statements_that_never_end_on_a_server_that_is_well_give_their_connections_back(
    postgres: Stoppable, pooler: str
) -> None:
    """As after a network that swallows packets: these connections never answer again, new ones do."""
    # All are to have begun before the first is given up.
    limit = 5 * LIMIT
    async with impatient(postgres, database_pooler=pooler, reuse=False, request_timeout_seconds=limit) as gateway:
        crowd = Traffic(gateway, postgres.owner)
        async with postgres.locked("call_stats_daily"):
            asked = [asyncio.create_task(crowd.once(number)) for number in (1, 2) * POOL]
            await until(postgres.all_wait)
            frozen = await postgres.backends()
            for each in frozen:
                each.suspend()
        try:
            await asyncio.gather(*asked)
            crowd.check()
            assert crowd.refused >= POOL
            await _are_right_again(gateway, postgres.owner)
            assert all(each.status() == psutil.STATUS_STOPPED for each in frozen)
        finally:
            postgres.thaw()


async def test_a_killed_backend_and_the_recovery_after_it(postgres: Stoppable) -> None:
    async with impatient(postgres) as gateway, traffic(gateway, postgres.owner) as crowd:
        await crowd.all_are_served()
        # As the kernel does when memory runs out; PostgreSQL then restarts all of its processes.
        ends, *others = await postgres.backends()
        ends.kill()
        await until(lambda: not any(each.is_running() for each in (ends, *others)))
        await _well_again(gateway, postgres, crowd)


KILL = f"""select count(pg_terminate_backend(pid, {LONG * 1000})) from pg_stat_activity
    where datname = 'gateway' and backend_type = 'client backend' and application_name <> 'test'"""


@pytest.mark.parametrize("pooler", ["none", "transaction"])
async def test_connections_that_are_terminated_in_traffic_are_hidden_by_one_retry(
    postgres: Stoppable, pooler: str
) -> None:
    given = {"database_pooler": pooler, "request_timeout_seconds": PATIENCE}
    async with impatient(postgres, **given) as gateway, traffic(gateway, postgres.owner) as crowd:
        for _ in range(4):
            # Whoever met the last one has been answered: nobody meets two.
            await crowd.everybody_is_answered(2)
            assert await postgres.ask(KILL) > 0
        await crowd.everybody_is_answered(2)
        await _well_again(gateway, postgres, crowd)
        assert crowd.refused == 0


async def test_the_next_request_after_idle_connections_were_terminated_is_answered(postgres: Stoppable) -> None:
    async with impatient(postgres, request_timeout_seconds=PATIENCE) as gateway:
        for _ in range(5):
            crowd = Traffic(gateway, postgres.owner)
            await asyncio.gather(*(crowd.once(number) for number in range(CROWD)))
            assert await postgres.ask(KILL) > 0
            await crowd.once(0)
            crowd.check()
            assert crowd.refused == 0


async def _kill_without_end(connection: asyncpg.Connection) -> None:
    while True:
        await connection.execute(KILL)
        await asyncio.sleep(0.005)


async def test_connections_terminated_without_end_are_refusals_and_nothing_else(postgres: Stoppable) -> None:
    async with impatient(postgres) as gateway, traffic(gateway, postgres.owner) as crowd:
        connection = await asyncpg.connect(postgres.dsn, server_settings={"application_name": "test"})
        killing = asyncio.create_task(_kill_without_end(connection))
        await crowd.everybody_is_answered(5)
        killing.cancel()
        await asyncio.wait({killing})
        await connection.close()
        await _well_again(gateway, postgres, crowd)


async def test_a_database_that_is_away_at_the_start_comes_in_later(postgres: Stoppable) -> None:
    await asyncio.to_thread(postgres.stop)
    async with impatient(postgres) as gateway, traffic(gateway, postgres.owner) as crowd:
        await _alive_but_not_ready(gateway)
        await crowd.everybody_is_answered()
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
            assert crowd.refused == 2 * CROWD
            await until(postgres.none_waits)
        await _are_right_again(gateway, postgres.owner)


@pytest.mark.parametrize("pooler", ["none", "transaction"])
async def test_a_gateway_on_a_frozen_server_stops(postgres: Stoppable, pooler: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE), impatient(postgres, database_pooler=pooler) as gateway:
            crowd = Traffic(gateway, postgres.owner)
            await asyncio.gather(*(crowd.once(number) for number in range(CROWD)))
            postgres.freeze()
            await asyncio.gather(*(crowd.once(number) for number in range(CROWD)))
            crowd.check()
    finally:
        postgres.thaw()


@dataclass
class Process:
    """A gateway in a process of its own."""

    address: str
    pid: int
    process: asyncio.subprocess.Process

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.address, timeout=PATIENCE)

    async def ended(self) -> None:
        """Waits for its end."""
        await asyncio.wait_for(self.process.wait(), PATIENCE)


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

                await until(listens)
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
    async with separate(postgres, SHUTDOWN_SECONDS=str(LONG), REQUEST_TIMEOUT_SECONDS=str(LONG)) as gateway:
        async with gateway.client() as http, gateway.client() as late:
            async with postgres.locked("call_stats_daily"):
                asked = asyncio.create_task(http.get(**_days(postgres.owner)))
                await until(postgres.one_waits)
                os.kill(gateway.pid, signal.SIGTERM)

                async def refused() -> bool:
                    try:
                        await late.get("/livez", headers={"Connection": "close"})
                    except httpx2.ConnectError:
                        return True
                    except httpx2.HTTPError:  # it was in the listener's queue as that was closed
                        return False
                    return False

                await until(refused)
                assert not asked.done()
            answer = await asked
        assert answer.status_code == 200
        assert answer.json()["rates"] == RATES
        await gateway.ended()
        assert gateway.process.returncode == 0
        assert not psutil.pid_exists(gateway.pid)
        assert await postgres.gateways_connections() == 0


async def test_sigterm_waits_no_longer_than_shutdown_seconds_for_a_request(postgres: Stoppable) -> None:
    async with separate(postgres, SHUTDOWN_SECONDS="1", REQUEST_TIMEOUT_SECONDS=str(LONG)) as gateway:
        async with gateway.client() as http, postgres.locked("call_stats_daily"):
            asked = asyncio.create_task(http.get(**_days(postgres.owner)))
            await until(postgres.one_waits)
            os.kill(gateway.pid, signal.SIGTERM)
            await gateway.ended()
            await asyncio.wait({asked})
            assert asked.exception() or asked.result().status_code >= 500


async def test_the_server_ends_the_statement_of_a_gateway_that_is_gone(postgres: Stoppable) -> None:
    """It knows the limit too."""
    async with separate(postgres, REQUEST_TIMEOUT_SECONDS=str(5 * LIMIT)) as gateway:
        async with gateway.client() as http, postgres.locked("call_stats_daily"):
            asked = asyncio.create_task(http.get(**_days(postgres.owner)))
            await until(postgres.one_waits)
            gateway.process.kill()
            await asyncio.wait({asked})
            await until(postgres.none_waits)


@pytest.mark.parametrize("pooler", ["none", "transaction"])
async def test_sigterm_ends_a_gateway_whose_server_is_frozen(postgres: Stoppable, pooler: str) -> None:
    limits = {
        "SHUTDOWN_SECONDS": str(LONG),
        "REQUEST_TIMEOUT_SECONDS": str(5 * LIMIT),  # all are to have begun before the first is given up
        "DATABASE_POOLER": pooler,
        "REUSE": "off",
    }
    async with separate(postgres, **limits) as gateway, gateway.client() as http:
        async with postgres.locked("call_stats_daily"):
            asked = [asyncio.create_task(http.get(**_days(postgres.owner))) for _ in range(POOL)]
            await until(postgres.all_wait)
            try:
                postgres.freeze()
                os.kill(gateway.pid, signal.SIGTERM)
                await gateway.ended()
                for answer in await asyncio.gather(*asked):
                    assert answer.status_code == 503
            finally:
                postgres.thaw()
