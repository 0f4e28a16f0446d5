"""Reads go to replicas that keep up and never to one that does not: with real streaming replication."""

import asyncio
import tempfile
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from pydantic import SecretStr

from gateway.doctor import examine
from gateway.replicas import Nodes
from gateway.settings import Settings
from tests.conftest import Database
from tests.gateway.test_pooler import PGBOUNCER, pgbouncer
from tests.given import Given
from tests.replication import Cluster, Node, replicated
from tests.running import Running, running, settings_for

BOUND = 1.0
SOON = 20.0
"""By when what is waited for has happened, on a machine that is shared."""
ENOUGH = 20
"""So many answers say something."""
LATE = 5.0
"""What a request that meets a replica's end may take at most; less than it may take otherwise."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with replicated() as made:
        yield made


@dataclass
class House:
    """An agency in the cluster, and who may see it."""

    cluster: Cluster
    connection: asyncpg.Connection
    agency: UUID
    user: UUID

    async def call(self) -> None:
        await Given(self.connection).call(self.agency)


@pytest.fixture
async def house(cluster: Cluster) -> AsyncIterator[House]:
    """A new agency with one call, on all nodes."""
    connection = await asyncpg.connect(cluster.primary.dsn)
    given = Given(connection)
    agency = await given.agency()
    made = House(cluster, connection, agency, await given.user(agency))
    await made.call()
    await cluster.caught_up()
    yield made
    await connection.close()


def _settings(cluster: Cluster, **given: Any) -> Settings:
    # Every answer is computed, so that each shows where it was read.
    replicas = {"database_replica_urls": cluster.urls, "database_replica_lag_seconds": BOUND, "reuse": False}
    return settings_for(cluster.primary.dsn, **{**replicas, **given})


@asynccontextmanager
async def gateway_on(cluster: Cluster, **given: Any) -> AsyncIterator[Running]:
    """A gateway that knows the replicas."""
    async with running(_settings(cluster, **given)) as started:
        yield started


@asynccontextmanager
async def nodes_on(cluster: Cluster, **given: Any) -> AsyncIterator[Nodes]:
    """The same without a gateway before it."""
    nodes = Nodes(_settings(cluster, **given))
    await nodes.open()
    try:
        yield nodes
    finally:
        await nodes.close()


async def _until(condition: Callable[[], Awaitable[bool]], seconds: float = SOON) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.03)


async def _who(nodes: Nodes) -> str:
    """The data directory of the node that the next request reads from."""
    (row,) = await nodes.choose().fetch("select current_setting('data_directory') as node")
    return row["node"]


def _in_use(nodes: Nodes, *expected: Node) -> Callable[[], Awaitable[bool]]:
    """Whether these and no others are read from."""
    names = {str(each.data_dir.resolve()) for each in expected}

    async def condition() -> bool:
        return {await _who(nodes) for _ in range(6)} == names

    return condition


async def _statements(node: Node) -> int:
    """How many connections of the gateway have read an agency's rows here."""
    return await node.ask(
        "select count(*) from pg_stat_activity"
        " where application_name = 'voice-analytics-gateway' and query like '%agency_id = %'"
    )


async def test_reports_are_read_from_the_replicas_in_turn(house: House) -> None:
    async with gateway_on(house.cluster) as gateway:

        async def on_both() -> bool:
            assert (await gateway.rest("overview", house.user))["summary"]["total_calls"] == 1
            return all([await _statements(each) for each in house.cluster.replicas])

        await _until(on_both)
        # The first ones were read from the primary; their connections are ended to see that no more are.
        await house.connection.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where query like '%agency_id = %'"
            " and pid <> pg_backend_pid()"
        )
        for _ in range(20):
            assert (await gateway.rest("overview", house.user))["summary"]["total_calls"] == 1
            await gateway.rest("heatmap", house.user)
        assert await _statements(house.cluster.primary) == 0
        assert (await gateway.http.get("/readyz")).status_code == 200


async def test_without_replicas_the_primary_is_read(house: House) -> None:
    async with nodes_on(house.cluster, database_replica_urls=()) as nodes:
        assert nodes.choose() is nodes.primary


async def test_a_replica_that_does_not_replay_falls_out_within_the_bound_and_comes_back(house: House) -> None:
    first, second = house.cluster.replicas
    async with nodes_on(house.cluster) as nodes:
        await _until(_in_use(nodes, first, second))
        async with first.paused():
            await house.call()
            written = monotonic()
            await asyncio.sleep(BOUND - (monotonic() - written))
            assert await _in_use(nodes, second)()
            async with second.paused():
                await house.call()
                await asyncio.sleep(BOUND)
                assert await _in_use(nodes, house.cluster.primary)()
            await _until(_in_use(nodes, second))
        await _until(_in_use(nodes, first, second))


async def test_an_idle_primary_makes_no_replica_old(house: House) -> None:
    first, second = house.cluster.replicas
    async with nodes_on(house.cluster) as nodes:
        await _until(_in_use(nodes, first, second))
        # Its log then ends behind the header of an empty page, which no replica ever reaches.
        await house.cluster.primary.ask("select pg_switch_wal()")
        await house.cluster.caught_up()
        until = monotonic() + 3 * BOUND
        while monotonic() < until:
            assert await _who(nodes) != str(house.cluster.primary.data_dir.resolve())
            await asyncio.sleep(0.02)


async def test_another_servers_standby_is_never_read(house: House) -> None:
    with tempfile.TemporaryDirectory(prefix="gateway-foreign-") as folder:
        Path(folder).chmod(0o711)
        foreign = Node(Path(folder), "foreign")
        await asyncio.to_thread(foreign.start)
        try:
            # Of the two, the standby's log reaches farther.
            dsn = foreign.dsn.replace("/gateway?", "/postgres?")
            settings = _settings(house.cluster).model_copy(update={"database_url": SecretStr(dsn)})
            nodes = Nodes(settings)
            await nodes.open()
            until = monotonic() + 2 * BOUND
            while monotonic() < until:
                assert await _who(nodes) == str(foreign.data_dir.resolve())
                await asyncio.sleep(0.02)
            await nodes.close()
        finally:
            await asyncio.to_thread(foreign.stop)


@dataclass
class Ledger:
    """What was written when, and what was read: the number of calls must be what it was a bound ago, or more."""

    gateway: Running
    house: House
    committed: list[float] = field(default_factory=list)
    """The moment by which the n-th call was there for all to see."""
    faults: list[str] = field(default_factory=list)
    answers: int = 0
    slowest: float = 0.0

    async def write(self) -> None:
        while True:
            await self.house.call()
            self.committed.append(monotonic())
            await asyncio.sleep(0.02)

    async def read(self, report: str) -> None:
        while True:
            began = monotonic()
            answer = await self.gateway.get(report, self.house.user)
            self.slowest = max(self.slowest, monotonic() - began)
            if answer.status_code != 200:
                self.faults.append(answer.text)
                continue
            body = answer.json()
            counted = (
                body["summary"]["total_calls"]
                if report == "overview"
                else sum(slot["total_calls"] for slot in body["heatmap"])
            )
            # One was there before.
            due = 1 + bisect_right(self.committed, began - BOUND)
            if counted < due:
                self.faults.append(f"{report}: {counted} calls, {due} were due")
            self.answers += 1

    def check(self) -> None:
        assert self.faults == []
        assert self.answers > ENOUGH
        self.answers = 0


@asynccontextmanager
async def kept(gateway: Running, house: House) -> AsyncIterator[Ledger]:
    """Writes and reads without pause until the block ends."""
    ledger = Ledger(gateway, house)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ledger.write())]
        tasks += [group.create_task(ledger.read(report)) for report in ("overview", "heatmap") * 2]
        await asyncio.sleep(3 * BOUND)
        async with asyncio.timeout(3 * SOON):
            while ledger.answers <= ENOUGH:
                await asyncio.sleep(0.02)
        ledger.check()
        yield ledger
        await asyncio.sleep(3 * BOUND)
        for each in tasks:
            each.cancel()
    ledger.check()


async def test_nothing_is_older_than_the_bound_when_replay_stands_still(house: House) -> None:
    first, second = house.cluster.replicas
    async with gateway_on(house.cluster) as gateway, kept(gateway, house):
        for paused in ([first], [first, second], [second]):
            for each in paused:
                await each.pause()
            await asyncio.sleep(2.5 * BOUND)
            for each in paused:
                await each.resume()
            await asyncio.sleep(0.5)


async def test_what_a_replica_answered_is_given_again_only_while_the_primary_knows_nothing_newer(house: House) -> None:
    """Within a bound that allows it a replica may be behind; what it said then is not kept as the newest."""
    async with gateway_on(house.cluster, reuse=True, database_replica_lag_seconds=60) as gateway:

        async def asked() -> tuple[int, bool]:
            response = await gateway.get("overview", house.user)
            total = response.json()["summary"]["total_calls"]
            return total, "reuse;" in response.headers["server-timing"]

        async def read_from_replicas() -> bool:
            await house.connection.execute("update clients set name = name where agency_id = $1", house.agency)
            await asked()
            return any([await _statements(each) for each in house.cluster.replicas])

        await Given(house.connection).client(house.agency)
        await _until(read_from_replicas)
        await house.cluster.caught_up()
        await asked()
        assert await asked() == (1, True)
        for each in house.cluster.replicas:
            await each.ask("select pg_wal_replay_pause()")
        await house.call()
        for _ in range(3):
            assert await asked() == (1, False)
        for each in house.cluster.replicas:
            await each.ask("select pg_wal_replay_resume()")

        async def known() -> bool:
            total, again = await asked()
            assert (total, again) != (1, True)
            return total == 2

        await _until(known)
        await house.cluster.caught_up()
        await asked()
        assert await asked() == (2, True)


async def test_replicas_that_stop_and_start_cost_no_request(house: House) -> None:
    first, second = house.cluster.replicas
    async with gateway_on(house.cluster) as gateway, kept(gateway, house) as ledger:
        await asyncio.to_thread(first.stop)
        await asyncio.sleep(BOUND)
        await asyncio.to_thread(second.stop)
        await asyncio.sleep(BOUND)
        ledger.check()
        await asyncio.to_thread(first.start)
        await asyncio.to_thread(second.start)

        async def read_again() -> bool:
            return bool(await _statements(first) and await _statements(second))

        await _until(read_again)


@pytest.mark.parametrize("reuse", [False, True], ids=["computed", "kept"])
async def test_a_frozen_replica_costs_no_request(house: House, reuse: bool) -> None:
    """Where answers are kept, it is first asked for the version of its data."""
    first, _ = house.cluster.replicas
    async with gateway_on(house.cluster, reuse=reuse) as gateway, kept(gateway, house) as ledger:
        with first.frozen():
            await asyncio.sleep(LATE + 2)
    assert ledger.slowest < LATE


async def test_a_read_in_the_way_of_replay_is_read_from_the_primary(house: House) -> None:
    first, _ = house.cluster.replicas
    slow = "select pg_sleep(1), count(*) as calls, pg_is_in_recovery() as on_replica from calls where agency_id = $1"
    async with nodes_on(house.cluster, database_replica_urls=first.dsn) as nodes:
        await _until(_in_use(nodes, first))
        asked = asyncio.create_task(nodes.choose().fetch(slow, house.agency))
        await asyncio.sleep(0.3)
        # Replaying this lock cannot wait for the read.
        async with house.connection.transaction():
            await house.connection.execute("lock table calls in access exclusive mode")
        (row,) = await asked
        assert (row["calls"], row["on_replica"]) == (1, False)
        assert await _in_use(nodes, house.cluster.primary)()
        await _until(_in_use(nodes, first))
        asked = asyncio.create_task(nodes.choose().fetch(slow, house.agency))
        (row,) = await asked
        assert (row["calls"], row["on_replica"]) == (1, True)


SECTIONS = """{
    overview { summary { totalCalls } }
    timeseries(filters: {period: LAST_30_DAYS}) { data { totalCalls } }
    quality(filters: {period: LAST_90_DAYS}) { trend { completedCalls } }
    heatmap { heatmap { totalCalls } }
    objections { summary { callsAnalyzed } }
}"""


async def test_one_request_is_read_from_one_node(house: House) -> None:
    first, second = house.cluster.replicas
    async with gateway_on(house.cluster, database_replica_lag_seconds=300) as gateway:

        async def on_both() -> bool:
            await gateway.graphql(SECTIONS, house.user)
            return all([await _statements(each) for each in house.cluster.replicas])

        await _until(on_both)
        async with first.paused():
            await house.call()
            await house.cluster.caught_up(second)  # or it may do so between two statements of a request
            seen = set()

            async def both_were_seen() -> bool:
                data = await gateway.graphql(SECTIONS, house.user)
                numbers = {
                    data["overview"]["summary"]["totalCalls"],
                    data["timeseries"]["data"][0]["totalCalls"],
                    data["quality"]["trend"][0]["completedCalls"],
                    data["heatmap"]["heatmap"][0]["totalCalls"],
                    data["objections"]["summary"]["callsAnalyzed"],
                }
                assert len(numbers) == 1
                seen.update(numbers)
                return seen == {1, 2}

            # The bound allows both moments; an answer holds one of them.
            async with asyncio.timeout(SOON):
                while not await both_were_seen():
                    await asyncio.sleep(0.05)
            for _ in range(20):
                await both_were_seen()


async def test_without_the_primary_reads_go_on_within_the_bound_and_then_are_refused(house: House) -> None:
    bound = 4.0
    first, second = house.cluster.replicas
    async with gateway_on(
        house.cluster, database_replica_lag_seconds=bound, user_cache_seconds=30, request_timeout_seconds=3
    ) as gateway:

        async def on_both() -> bool:
            await gateway.rest("overview", house.user)
            return all([await _statements(each) for each in (first, second)])

        await _until(on_both)
        await house.connection.close()
        stopped = monotonic()
        await asyncio.to_thread(house.cluster.primary.stop)
        try:
            assert monotonic() - stopped < bound / 2
            assert (await gateway.rest("overview", house.user))["summary"]["total_calls"] == 1
            assert (await gateway.http.get("/readyz")).status_code == 503
            await asyncio.sleep(bound)
            refused = await gateway.get("overview", house.user)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        finally:
            await asyncio.to_thread(house.cluster.primary.start)

        async def answered() -> bool:
            return (await gateway.get("overview", house.user)).status_code == 200

        await _until(answered)


@pytest.mark.skipif(PGBOUNCER is None, reason="no pgbouncer on this machine")
async def test_replicas_are_read_behind_a_transaction_pooler(house: House) -> None:
    async with AsyncExitStack() as stack:
        primary, *others = [
            await stack.enter_async_context(pgbouncer(each.dsn))
            for each in (house.cluster.primary, *house.cluster.replicas)
        ]
        settings = _settings(house.cluster, database_replica_urls=",".join(others), database_pooler="transaction")
        settings = settings.model_copy(update={"database_url": SecretStr(primary)})
        nodes = Nodes(settings)
        await nodes.open()
        stack.push_async_callback(nodes.close)
        await _until(_in_use(nodes, *house.cluster.replicas))
        async with house.cluster.replicas[0].paused():
            await house.call()
            await asyncio.sleep(BOUND)
            assert await _in_use(nodes, house.cluster.replicas[1])()


async def test_the_doctor_tells_what_is_wrong_with_a_replica(house: House, database: Database) -> None:
    first, second = house.cluster.replicas
    elsewhere = [first.dsn.replace(str(first.data_dir), "/nowhere"), house.cluster.primary.dsn, second.dsn]
    settings = _settings(house.cluster, database_replica_urls=",".join(elsewhere))
    async with second.paused():
        await house.call()
        away, primary, behind = [each for each in await examine(settings) if each.check == "replica"]
    assert away.ok is False
    assert away.words.startswith("1: Nothing listens at /nowhere.at:5432.")
    assert primary.ok is False
    assert primary.words.startswith("2: This is no standby")
    assert behind.ok is None
    assert behind.words.startswith("3: It is more than 1 s behind")
    (foreign,) = [
        each
        for each in await examine(settings.model_copy(update={"database_url": SecretStr(database.dsn)}))
        if each.words.startswith("3:")
    ]
    assert (foreign.ok, foreign.words.split(".")[0]) == (
        False,
        "3: This is a standby of another server than DATABASE_URL's",
    )


async def test_the_doctor_finds_nothing_wrong_with_replicas_that_keep_up(house: House) -> None:
    found = [each for each in await examine(_settings(house.cluster)) if each.check == "replica"]
    assert [each.ok for each in found] == [True, True]
    assert [each.words.split(",")[0] for each in found] == ["1: A standby", "2: A standby"]
