"""A primary is replaced: no standby is read in its place, and no a replica that stayed with the old one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import httpx2
import pytest

from gateway.doctor import Finding, examine
from gateway.replicas import Nodes
from tests.doors import check_error, check_graphql_error
from tests.gateway.test_pooler import PGBOUNCER, pgbouncer
from tests.given import Given
from tests.replication import Cluster, Node, holds, replicated
from tests.running import Running, running, settings_for
from tests.waiting import until

BOUND = 1.0
TOTAL = "{ overview { summary { totalCalls } } }"
NO_PRIMARY = "DATABASE_URL leads to a standby, whose numbers may be old without bound; name the primary"


@dataclass
class House:
    """A cluster of a test's own, and an agency with one call that is on all nodes."""

    cluster: Cluster
    agency: UUID
    user: UUID

    async def call(self, node: Node) -> None:
        connection = await asyncpg.connect(node.dsn)
        await Given(connection).call(self.agency)
        await connection.close()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = replicated()
    cluster = await asyncio.to_thread(made.__enter__)
    try:
        connection = await asyncpg.connect(cluster.primary.dsn)
        given = Given(connection)
        agency = await given.agency()
        house = House(cluster, agency, await given.user(agency))
        await connection.close()
        await house.call(cluster.primary)
        await cluster.caught_up()
        yield house
    finally:
        await asyncio.to_thread(made.__exit__, None, None, None)


@asynccontextmanager
async def nodes_on(primary: str, replica: str) -> AsyncIterator[Nodes]:
    settings = settings_for(primary, database_replica_urls=replica, database_replica_lag_seconds=BOUND)
    nodes = Nodes(settings)
    await nodes.open()
    try:
        yield nodes
    finally:
        await nodes.close()


def _read_from(nodes: Nodes, node: Node) -> Callable[[], Awaitable[bool]]:
    """Whether the next request reads from this node."""

    async def condition() -> bool:
        (row,) = await nodes.choose().fetch("select current_setting('data_directory') as node")
        return row["node"] == str(node.data_dir.resolve())

    return condition


async def _never_read_but(nodes: Nodes, node: Node) -> None:
    """For longer than it takes to find out about a replica."""
    await holds(nodes, _read_from(nodes, node))


async def _found(check: str, primary: Node | str, *replicas: Node | str) -> list[Finding]:
    urls = ",".join(_dsn(each) for each in replicas)
    settings = settings_for(_dsn(primary), database_replica_urls=urls, database_replica_lag_seconds=5 * BOUND)
    return [each for each in await examine(settings) if each.check == check]


def _dsn(node: Node | str) -> str:
    return node.dsn if isinstance(node, Node) else node


async def _is_refused(gateway: Running, user: UUID) -> None:
    """Through both doors and to those who watch, in words that name what is wrong."""
    ready = await gateway.http.get("/readyz")
    assert (ready.status_code, ready.json()) == (503, {"status": "not ready", "error": NO_PRIMARY})
    answers: tuple[httpx2.Response, ...] = (await gateway.get("overview", user), await gateway.post(TOTAL, user))
    assert check_error(answers[0], 503) == NO_PRIMARY
    assert check_graphql_error(answers[1], 503, "UNAVAILABLE") == NO_PRIMARY
    assert all(answer.headers["retry-after"] for answer in (ready, *answers))


async def _is_answered(gateway: Running, user: UUID, calls: int) -> bool:
    answer = await gateway.get("overview", user)
    return answer.status_code == 200 and answer.json()["summary"]["total_calls"] == calls


@pytest.mark.parametrize("pooler", ["none", "transaction"])
async def test_nothing_is_answered_from_a_standby_that_is_named_as_the_primary_until_it_is_promoted(
    house: House, pooler: str
) -> None:
    standby = house.cluster.replicas[0]
    async with running(settings_for(standby.dsn, database_pooler=pooler)) as gateway:
        for _ in range(3):
            await _is_refused(gateway, house.user)
        (database, *_) = await _found("database", standby)
        assert database.ok is False
        assert "It is a standby, whose numbers may be old without bound" in database.words
        await standby.promote()
        await until(lambda: _is_answered(gateway, house.user, 1))
        assert (await gateway.http.get("/readyz")).status_code == 200
        (database, *_) = await _found("database", standby)
        assert database.ok


@pytest.mark.skipif(PGBOUNCER is None, reason="no pgbouncer on this machine")
async def test_behind_a_pooler_a_standby_is_told_from_the_primary_too(house: House) -> None:
    standby = house.cluster.replicas[0]
    async with (
        pgbouncer(standby.dsn) as address,
        running(settings_for(address, database_pooler="transaction")) as gateway,
    ):
        for _ in range(3):
            await _is_refused(gateway, house.user)
        await standby.promote()
        await until(lambda: _is_answered(gateway, house.user, 1))
        await asyncio.gather(*(gateway.rest("overview", house.user) for _ in range(20)))


@pytest.mark.parametrize("pooler", ["none", "transaction"])
async def test_an_old_primary_that_comes_back_as_a_standby_is_not_read_under_its_old_address(
    house: House, pooler: str
) -> None:
    old, (new, _) = house.cluster.primary, house.cluster.replicas
    given = {"database_pooler": pooler, "reuse": True}
    async with running(settings_for(old.dsn, **given)) as gateway:
        for _ in range(2):
            assert await _is_answered(gateway, house.user, 1)
        await asyncio.to_thread(old.stop)
        await new.promote()
        await asyncio.to_thread(old.start_as_standby_of, new)
        await house.call(new)
        for _ in range(3):
            await _is_refused(gateway, house.user)
        await house.cluster.caught_up_with(new, old)
        await _is_refused(gateway, house.user)


async def test_of_several_hosts_the_primary_is_found_after_a_failover(house: House) -> None:
    old, (new, _) = house.cluster.primary, house.cluster.replicas
    hosts = f"{old.socket_dir},{new.socket_dir}"
    dsn = f"postgresql://postgres@/gateway?host={hosts}&port=5432,5432&target_session_attrs=primary"
    async with running(settings_for(dsn)) as gateway:
        assert await _is_answered(gateway, house.user, 1)
        await asyncio.to_thread(old.stop)
        await new.promote()
        await asyncio.to_thread(old.start_as_standby_of, new)
        await house.call(new)
        await until(lambda: _is_answered(gateway, house.user, 2))


async def test_a_replica_that_stayed_with_the_old_primary_is_not_read_however_far_its_log_reaches(house: House) -> None:
    old, (new, stayed) = house.cluster.primary, house.cluster.replicas
    await new.follow(None)
    await house.call(old)
    await house.cluster.caught_up(stayed)
    await asyncio.to_thread(old.stop)
    await new.promote()
    position = "select pg_wal_lsn_diff($1, pg_current_wal_insert_lsn()) > 0"
    assert await new.ask(position, await stayed.ask("select pg_last_wal_replay_lsn()"))
    async with nodes_on(new.dsn, stayed.dsn) as nodes:
        await _never_read_but(nodes, new)
        (finding,) = await _found("replica", new, stayed)
        assert finding.ok is False
        assert finding.words.startswith("1: Its log is of timeline 1 and DATABASE_URL's of 2, so it is not read:")
        assert "The last commit that it has replayed is " in finding.words
        # Told to follow the new one it cannot, as it has what that one never had.
        await stayed.follow(new)
        await house.call(new)
        await _never_read_but(nodes, new)
    (finding,) = await _found("replica", old, stayed)
    assert finding.ok is None
    assert finding.words.startswith("1: Could not be compared: the primary cannot be reached. The last commit ")


async def test_a_replica_that_follows_the_new_primary_is_read_again(house: House) -> None:
    old, (new, other) = house.cluster.primary, house.cluster.replicas
    await asyncio.to_thread(old.stop)
    await new.promote()
    async with nodes_on(new.dsn, other.dsn) as nodes:
        await _never_read_but(nodes, new)
        await other.follow(new)
        await until(_read_from(nodes, other))
    (finding,) = await _found("replica", new, other)
    assert finding.ok
    assert finding.words.startswith("1: A standby, ")
    # The old one is up again, and thinks that it is the primary still.
    await asyncio.to_thread(old.start)
    (finding,) = await _found("replica", old, other)
    assert finding.ok is False
    assert "another server has been promoted since. Name that one in DATABASE_URL." in finding.words


async def test_a_role_that_cannot_see_whom_a_replica_follows_reads_it_after_a_restartpoint(house: House) -> None:
    old, (new, other) = house.cluster.primary, house.cluster.replicas
    await old.ask("create role reader login in role pg_read_all_settings, pg_read_all_data bypassrls")
    await house.cluster.caught_up()
    await asyncio.to_thread(old.stop)
    await new.promote()
    await other.follow(new)
    primary, replica = (each.dsn.replace("postgres@", "reader@") for each in (new, other))
    async with nodes_on(primary, replica) as nodes:
        await _never_read_but(nodes, new)
        (finding,) = await _found("replica", primary, replica)
        assert finding.ok is None
        assert "`grant pg_read_all_stats to reader`" in finding.words

        async def after_a_restartpoint() -> bool:
            await new.ask("checkpoint")
            await other.ask("checkpoint")
            return await _read_from(nodes, other)()

        await until(after_a_restartpoint)


async def test_the_doctor_does_not_call_a_replica_well_that_receives_nothing(house: House) -> None:
    first, _ = house.cluster.replicas
    await first.follow(None)
    (finding,) = await _found("replica", house.cluster.primary, first)
    assert finding.ok is None
    assert "receives nothing at the moment" in finding.words
    (finding,) = await _found("replica", first, house.cluster.replicas[1])
    assert finding.ok is None
    assert finding.words.startswith("1: Could not be compared: DATABASE_URL leads to a standby.")
