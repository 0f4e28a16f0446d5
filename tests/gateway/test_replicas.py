"""Reads go to replicas that keep up and never to one that does not: with real streaming replication."""

import asyncio
import tempfile
from bisect import bisect_right
from collections import Counter
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

from gateway import auth, replicas
from gateway.doctor import examine
from gateway.replicas import CHECK_SECONDS, Nodes
from gateway.settings import Settings
from tests.conftest import Database
from tests.gateway.test_pooler import PGBOUNCER, pgbouncer
from tests.given import Given
from tests.replication import Cluster, Node, holds, replicated
from tests.running import Running, running, settings_for
from tests.waiting import LONG, PATIENCE, until

BOUND = 1.0
ENOUGH = 5
"""So many answers to each who asks say something."""


@pytest.fixture(autouse=True)
def checks_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica is left for what it does, and not because the machine is busy."""
    monkeypatch.setattr(replicas, "CHECK_SECONDS", PATIENCE)


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


async def _is_used(nodes: Nodes, node: Node) -> bool:
    return str(node.data_dir.resolve()) in {await _who(nodes) for _ in range(6)}


async def _statements(node: Node) -> int:
    """How many connections of the gateway have read an agency's rows here."""
    return await node.ask(
        "select count(*) from pg_stat_activity"
        " where application_name = 'voice-analytics-gateway' and query like '%agency_id = %'"
    )


async def test_reports_are_read_from_the_replicas_in_turn(house: House) -> None:
    async with gateway_on(house.cluster, database_replica_lag_seconds=300) as gateway:

        async def on_both() -> bool:
            assert (await gateway.rest("overview", house.user))["summary"]["total_calls"] == 1
            return all([await _statements(each) for each in house.cluster.replicas])

        await until(on_both)
        # The first ones were read from the primary; their connections are ended to see that no more are.
        await house.connection.execute(
            "select pg_terminate_backend(pid, 60000) from pg_stat_activity where query like '%agency_id = %'"
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
        await until(_in_use(nodes, first, second))
        async with first.paused():
            await house.call()
            await asyncio.sleep(BOUND)
            assert not await _is_used(nodes, first)
            await until(_in_use(nodes, second))
            async with second.paused():
                await house.call()
                await asyncio.sleep(BOUND)
                assert await _in_use(nodes, house.cluster.primary)()
            await until(_in_use(nodes, second))
        await until(_in_use(nodes, first, second))


async def test_an_idle_primary_makes_no_replica_old(house: House) -> None:
    first, second = house.cluster.replicas
    async with nodes_on(house.cluster) as nodes:
        await until(_in_use(nodes, first, second))
        async with asyncio.timeout(PATIENCE):
            while True:
                # Its log then ends behind the header of an empty page, which no replica ever reaches.
                await house.cluster.primary.ask("select pg_switch_wal()")
                await house.cluster.caught_up()
                reached, moment = await house.cluster.primary.ask(REACHED), monotonic()
                while min(each.fresh_at for each in nodes._replicas) <= moment:
                    await _who(nodes)
                    await asyncio.sleep(0.02)
                if await house.cluster.primary.ask(REACHED) == reached:
                    break  # it was idle all the time


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
            await holds(nodes, _in_use(nodes, foreign))
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
    answers: Counter[int] = field(default_factory=Counter)
    """So many to each who asks."""

    async def write(self) -> None:
        while True:
            await self.house.call()
            self.committed.append(monotonic())
            await asyncio.sleep(0.02)

    async def read(self, reader: int, report: str) -> None:
        while True:
            began = monotonic()
            answer = await self.gateway.get(report, self.house.user)
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
            self.answers[reader] += 1

    async def check(self) -> None:
        """Waits until everybody has been answered often enough from now on; all the answers so far are right."""
        self.answers.clear()
        await until(lambda: self.faults or min(self.answers[reader] for reader in range(len(READ))) >= ENOUGH)
        assert self.faults == []


REACHED = "select pg_current_wal_insert_lsn()"
READ = ("overview", "heatmap") * 2


@asynccontextmanager
async def kept(gateway: Running, house: House) -> AsyncIterator[Ledger]:
    """Writes and reads without pause until the block ends."""
    ledger = Ledger(gateway, house)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ledger.write())]
        tasks += [group.create_task(ledger.read(reader, report)) for reader, report in enumerate(READ)]
        await asyncio.sleep(3 * BOUND)
        await ledger.check()
        yield ledger
        await asyncio.sleep(3 * BOUND)
        await ledger.check()
        for each in tasks:
            each.cancel()
    assert ledger.faults == []


async def test_nothing_is_older_than_the_bound_when_replay_stands_still(house: House) -> None:
    first, second = house.cluster.replicas
    async with gateway_on(house.cluster) as gateway, kept(gateway, house):
        for paused in ([first], [first, second], [second]):
            for each in paused:
                await each.pause()
            await asyncio.sleep(2.5 * BOUND)
            for each in paused:
                await each.resume()
            await asyncio.sleep(0.5 * BOUND)


@pytest.mark.usefixtures("versions_in_time")
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
        await until(read_from_replicas)
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

        await until(known)
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
        await ledger.check()
        await asyncio.to_thread(first.start)
        await asyncio.to_thread(second.start)

        async def read_again() -> bool:
            return bool(await _statements(first) and await _statements(second))

        await until(read_again)


@pytest.mark.parametrize("reuse", [False, True], ids=["computed", "kept"])
async def test_a_frozen_replica_costs_no_request(house: House, monkeypatch: pytest.MonkeyPatch, reuse: bool) -> None:
    """Where answers are kept, it is first asked for the version of its data."""
    monkeypatch.setattr(replicas, "CHECK_SECONDS", CHECK_SECONDS)
    first, _ = house.cluster.replicas
    async with gateway_on(house.cluster, reuse=reuse) as gateway, kept(gateway, house) as ledger:
        with first.frozen():
            await ledger.check()


async def test_a_read_in_the_way_of_replay_is_read_from_the_primary(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = house.cluster.replicas
    monkeypatch.setattr(replicas, "LEFT_SECONDS", 5.0)
    read = "count(*) as calls, pg_is_in_recovery() as on_replica from calls where agency_id = $1"
    slow = f"select case when pg_is_in_recovery() then pg_sleep({LONG}) end, {read}"
    async with nodes_on(house.cluster, database_replica_urls=first.dsn, database_replica_lag_seconds=300) as nodes:
        await until(_in_use(nodes, first))
        asked = asyncio.create_task(nodes.choose().fetch(slow, house.agency))
        await until(lambda: first.ask("select count(*) from pg_stat_activity where wait_event = 'PgSleep'"))
        # Replaying this lock cannot wait for the read.
        async with house.connection.transaction():
            await house.connection.execute("lock table calls in access exclusive mode")
        (row,) = await asked
        assert (row["calls"], row["on_replica"]) == (1, False)
        assert nodes.choose() is nodes.primary
        await until(_in_use(nodes, first))
        (row,) = await nodes.choose().fetch(f"select {read}", house.agency)
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

        await until(on_both)
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
            await until(both_were_seen)
            for _ in range(20):
                await both_were_seen()


async def test_without_the_primary_reads_go_on_within_the_bound_and_then_are_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound, later = 300.0, [0.0]
    first, second = house.cluster.replicas
    monkeypatch.setattr(replicas, "monotonic", lambda: monotonic() + later[0])
    monkeypatch.setattr(auth, "monotonic", lambda: 0.0)  # whoever was known before stays known
    async with gateway_on(house.cluster, database_replica_lag_seconds=bound, user_cache_seconds=30) as gateway:

        async def on_both() -> bool:
            await gateway.rest("overview", house.user)
            return all([await _statements(each) for each in (first, second)])

        await until(on_both)
        await house.connection.close()
        await asyncio.to_thread(house.cluster.primary.stop)
        try:
            assert (await gateway.rest("overview", house.user))["summary"]["total_calls"] == 1
            assert (await gateway.http.get("/readyz")).status_code == 503
            later[0] = bound
            refused = await gateway.get("overview", house.user)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        finally:
            await asyncio.to_thread(house.cluster.primary.start)

        async def answered() -> bool:
            return (await gateway.get("overview", house.user)).status_code == 200

        await until(answered)


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
        await until(_in_use(nodes, *house.cluster.replicas))
        async with house.cluster.replicas[0].paused():
            await house.call()
            await asyncio.sleep(BOUND)
            assert not await _is_used(nodes, house.cluster.replicas[0])
            await until(_in_use(nodes, house.cluster.replicas[1]))


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
