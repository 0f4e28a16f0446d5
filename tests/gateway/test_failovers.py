"""A primary is replaced: no standby is read in its place, and no a replica that stayed with the old one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import httpx2
import pytest

from gateway.doctor import Finding, examine
from tests.doors import check_error, check_graphql_error
from tests.given import Given
from tests.replication import Cluster, Node, replicated
from tests.running import Running, running, settings_for

SOON = 30.0
"""By when what is waited for has happened, on a machine that is shared."""
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


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SOON):
        while not await condition():
            await asyncio.sleep(0.03)


async def _found(check: str, primary: Node | str, *replicas: Node | str) -> list[Finding]:
    urls = ",".join(_dsn(each) for each in replicas)
    settings = settings_for(_dsn(primary), database_replica_urls=urls)
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
        await _until(lambda: _is_answered(gateway, house.user, 1))
        assert (await gateway.http.get("/readyz")).status_code == 200
        (database, *_) = await _found("database", standby)
        assert database.ok


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
        await _until(lambda: _is_answered(gateway, house.user, 2))
