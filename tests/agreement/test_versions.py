"""A version tells whether anything of an agency has changed: another after every kind of change, in nobody's way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.conftest import Database
from tests.given import Given, fold

NIL = UUID(int=0)
VERSION = Path("gateway/sql/version.sql").read_text("utf-8")
EXACT = """
select agency_id, (sum(version) % 4611686018427387904)::bigint as version
from (select agency_id, version from data_versions union all select agency_id, step from call_changes) as parts
group by agency_id
"""

# Each is one transaction about the first agency, whose rows are named as in `World`.
CHANGES = {
    "agencies": ("update agencies set name = 'Other' where id = :agency",),
    "users": (
        "insert into users (id, agency_id, role) values (gen_random_uuid(), :agency, 'agency_member')",
        "update users set role = 'agency_admin' where id = :user",
        "update users set client_id = :client where id = :user",
        "delete from users where id = :user",
    ),
    "clients": (
        "insert into clients (agency_id, name) values (:agency, 'New')",
        "update clients set name = 'Other' where id = :client",
        "delete from clients where id = :client",
    ),
    "campaigns": (
        "insert into campaigns (agency_id, name) values (:agency, 'New')",
        "update campaigns set name = 'Other' where id = :campaign",
        "delete from campaigns where id = :campaign",
    ),
    "call_batches": (
        "insert into call_batches (agency_id) values (:agency)",
        "update call_batches set status = 'paused' where id = :batch",
        "delete from call_batches where id = :batch",
    ),
    "campaign_contacts": (
        "insert into campaign_contacts (batch_id, phone_number) values (:batch, '+1')",
        "update campaign_contacts set status = 'completed' where batch_id = :batch",
        "delete from campaign_contacts where batch_id = :batch",
    ),
    "calls": (
        "insert into calls (agency_id) values (:agency)",
        "insert into calls (agency_id) select :agency from generate_series(1, 50)",
        "update calls set emails_sent = 7 where id = :call",
        "update calls set analysis_status = 'processing' where id = :call",
        "delete from calls where id = :call",
    ),
}


class World:
    """One of everything, of an agency."""

    names: dict[str, UUID]

    @classmethod
    async def of(cls, given: Given) -> "World":
        world = cls()
        agency = await given.agency()
        campaign = await given.campaign(agency)
        world.names = {
            "agency": agency,
            "client": await given.client(agency),
            "user": await given.user(agency),
            "campaign": campaign,
            "batch": await given.batch(agency, campaign, {"pending": 3}),
            "call": await given.call(agency),
        }
        return world

    def sql(self, statement: str) -> str:
        for name, id_ in self.names.items():
            statement = statement.replace(f":{name}", f"'{id_}'")
        return statement


async def versions(connection: asyncpg.Connection) -> dict[UUID, int]:
    return {row["agency_id"]: row["version"] for row in await connection.fetch(EXACT)}


async def raised_by(connection: asyncpg.Connection, change: Callable[[], Awaitable[object]]) -> set[UUID]:
    """Whose versions a change raises: they are others than before."""
    before = await versions(connection)
    await change()
    after = await versions(connection)
    assert before.keys() <= after.keys()
    return {agency for agency, version in after.items() if version != before.get(agency, 0)}


@asynccontextmanager
async def connected(database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn, server_settings={"lock_timeout": "60s"})
    yield connection
    await connection.close()


@pytest.mark.parametrize("table", CHANGES)
async def test_every_change_raises_exactly_its_agencys_version(
    connection: asyncpg.Connection, given: Given, table: str
) -> None:
    await World.of(given)
    for statement in CHANGES[table]:
        world = await World.of(given)
        raised = await raised_by(connection, lambda s=statement, w=world: connection.execute(w.sql(s)))
        assert raised == {world.names["agency"]}, statement


@pytest.mark.parametrize("table", CHANGES)
async def test_what_changes_no_row_and_what_is_rolled_back_raise_nothing(
    connection: asyncpg.Connection, given: Given, table: str
) -> None:
    world = await World.of(given)

    async def undone() -> None:
        for statement in CHANGES[table]:
            undoing = connection.transaction()
            await undoing.start()
            await connection.execute(world.sql(statement))
            await connection.execute("set constraints all immediate")
            await undoing.rollback()

    async def nothing() -> None:
        await connection.execute(f"update {table} set id = id where false")
        await connection.execute(f"delete from {table} where false")

    assert await raised_by(connection, undone) == set()
    assert await raised_by(connection, nothing) == set()


async def test_after_a_savepoint_is_rolled_back_a_later_change_of_the_transaction_still_counts(
    connection: asyncpg.Connection, given: Given
) -> None:
    world = await World.of(given)

    async def changes() -> None:
        async with connection.transaction():
            savepoint = connection.transaction()
            await savepoint.start()
            await connection.execute(world.sql("update clients set name = 'A' where id = :client"))
            await savepoint.rollback()
            await connection.execute(world.sql("update clients set name = 'B' where id = :client"))

    assert await raised_by(connection, changes) == {world.names["agency"]}


@pytest.mark.parametrize("table", ["users", "campaigns", "call_batches", "calls"])
async def test_a_row_that_moves_raises_the_agency_it_leaves_and_the_one_it_joins(
    connection: asyncpg.Connection, given: Given, table: str
) -> None:
    ours, theirs = await given.agency(), await given.agency()
    make = {"users": given.user, "campaigns": given.campaign, "call_batches": given.batch, "calls": given.call}
    row = await make[table](ours)
    move = f"update {table} set agency_id = $2 where id = $1"
    assert await raised_by(connection, lambda: connection.execute(move, row, theirs)) == {ours, theirs}


async def test_a_user_who_leaves_every_agency_raises_the_one_that_is_left(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    user, nobody = await given.user(agency), await given.user(None)
    leave = "update users set agency_id = null where id = $1"
    assert await raised_by(connection, lambda: connection.execute(leave, user)) == {agency}
    assert await raised_by(connection, lambda: connection.execute(leave, nobody)) == set()


async def test_a_contact_that_moves_to_anothers_batch_raises_both(connection: asyncpg.Connection, given: Given) -> None:
    ours, theirs = await given.agency(), await given.agency()
    here, there = await given.batch(ours, None, {"pending": 2}), await given.batch(theirs)
    move = "update campaign_contacts set batch_id = $2 where batch_id = $1"
    assert await raised_by(connection, lambda: connection.execute(move, here, there)) == {ours, theirs}


async def test_a_statement_about_several_agencies_raises_each(connection: asyncpg.Connection, given: Given) -> None:
    worlds = [await World.of(given) for _ in range(3)]
    agencies = {world.names["agency"] for world in worlds}
    for statement in (
        "update calls set emails_sent = 5",
        "update campaigns set name = 'Same'",
        "update campaign_contacts set status = 'skipped'",
        "delete from calls",
        "delete from campaign_contacts",
    ):
        assert await raised_by(connection, lambda s=statement: connection.execute(s)) == agencies, statement


async def test_the_log_of_scheduled_jobs_and_a_truncate_raise_everybodys(
    connection: asyncpg.Connection, given: Given
) -> None:
    world = await World.of(given)
    before = await connection.fetchval(VERSION, world.names["agency"])
    assert await raised_by(connection, lambda: connection.execute("select recount_call_stats()")) == {NIL}
    assert await connection.fetchval(VERSION, world.names["agency"]) != before
    for table in CHANGES:
        raised = await raised_by(connection, lambda t=table: connection.execute(f"truncate {t} cascade"))
        assert NIL in raised, table


async def test_a_repair_of_the_rollup_raises_the_agency_that_was_wrong(
    connection: asyncpg.Connection, given: Given
) -> None:
    ours, theirs = await given.agency(), await given.agency()
    await given.call(ours)
    await given.call(theirs)
    await fold(connection)
    await connection.execute("update call_stats_folded set sms_sent = 4 where agency_id = $1", ours)
    repair = "select repair_call_stats(null, '2000-01-01', '2100-01-01')"
    assert await raised_by(connection, lambda: connection.execute(repair)) == {ours}


async def test_a_repair_of_an_agencys_hours_raises_its_version(connection: asyncpg.Connection, given: Given) -> None:
    ours, theirs = await given.agency(), await given.agency()
    await given.call(ours)
    await given.call(theirs)
    await fold(connection)
    await connection.execute("delete from agency_hours_folded where agency_id = $1", ours)
    repair = "select repair_call_stats(null, '2000-01-01', '2100-01-01')"
    assert await raised_by(connection, lambda: connection.execute(repair)) == {ours}


async def test_a_repair_of_the_findings_raises_the_agency_that_was_wrong(
    connection: asyncpg.Connection, given: Given
) -> None:
    ours, theirs = await given.agency(), await given.agency()
    for agency in (ours, theirs):
        await given.call(agency, objections=[{"text": "No time"}])
    await fold(connection)
    await connection.execute("update call_findings_folded set count = 4 where agency_id = $1", ours)
    repair = "select repair_call_stats(null, '2000-01-01', '2100-01-01')"
    assert await raised_by(connection, lambda: connection.execute(repair)) == {ours}


async def test_an_agency_can_be_deleted_and_its_version_never_begins_anew(
    connection: asyncpg.Connection, given: Given
) -> None:
    world, other = await World.of(given), await World.of(given)
    delete = "delete from agencies where id = $1"
    agency = world.names["agency"]
    raised = await raised_by(connection, lambda: connection.execute(delete, agency))
    assert (agency in raised, other.names["agency"] in raised) == (True, False)
    await connection.execute("delete from agencies")


async def test_nobody_waits_for_a_transaction_that_is_left_open(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    world = await World.of(given)
    agency = world.names["agency"]
    async with connected(database) as other, connected(database) as third:
        before = await connection.fetchval(VERSION, agency)
        held = other.transaction()
        await held.start()
        for table in ("users", "clients", "campaigns", "call_batches", "campaign_contacts"):
            await other.execute(world.sql(CHANGES[table][0]))
        also_held = third.transaction()
        await also_held.start()
        # Not the row that the first holds, nor does it wait; and its rollup is another day's.
        await third.execute(world.sql("update users set role = 'agency_admin' where id = :user"))
        await third.execute("insert into calls (agency_id, started_at) values ($1, '2026-01-01')", agency)
        await third.execute("set constraints all immediate")
        await connection.execute("set lock_timeout = '60s'")
        await connection.execute(world.sql(CHANGES["clients"][0]))
        await connection.execute(world.sql(CHANGES["calls"][0]))
        seen = [before, await connection.fetchval(VERSION, agency)]
        await also_held.commit()
        seen.append(await connection.fetchval(VERSION, agency))
        await held.commit()
        seen.append(await connection.fetchval(VERSION, agency))
        assert len({*seen}) == 4


async def test_every_commit_of_eight_writers_is_seen_in_the_version(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    """A reader that sees more of the data than before sees another version, whoever commits when."""
    agency = await given.agency()

    async def write(number: int) -> None:
        async with connected(database) as writer:
            for turn in range(20):
                async with writer.transaction():
                    await writer.execute("insert into clients (agency_id, name) values ($1, $2)", agency, str(turn))
                    await writer.execute("insert into campaigns (agency_id, name) values ($1, 'C')", agency)
                    await writer.execute(
                        "insert into calls (agency_id, started_at) values ($1, '2026-01-01'::date + $2::integer)",
                        agency,
                        number,
                    )

    seen: set[tuple[int, int]] = set()
    done = asyncio.Event()

    async def watch() -> None:
        async with connected(database) as reader:
            while not done.is_set():
                seen.add(
                    tuple(
                        await reader.fetchrow(
                            f"select ({VERSION}), (select count(*) from calls where agency_id = $1)", agency
                        )
                    )
                )

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(write(number) for number in range(8)))
    done.set()
    await watching
    # One commit, one call: a version stands for one state of the data.
    assert len({version for version, _ in seen}) == len({calls for _, calls in seen}) == len(seen) > 2
    # And there are no more rows to add up than writers.
    assert await connection.fetchval("select count(*) from data_versions where agency_id = $1", agency) <= 8


async def test_a_fold_and_a_truncate_never_bring_back_a_version(connection: asyncpg.Connection, given: Given) -> None:
    agency = await given.agency()
    versions = []
    for statement in (
        "insert into calls (agency_id) select $1::uuid from generate_series(1, 5)",
        "update calls set emails_sent = 2 where agency_id = $1",
        "update calls set summary = 'Counts for nothing' where agency_id = $1",
        "delete from calls where agency_id = $1 and id = (select min(id::text)::uuid from calls)",
    ):
        await connection.execute(statement, agency)
        versions.append(await connection.fetchval(VERSION, agency))
        await fold(connection)
        assert await connection.fetchval(VERSION, agency) == versions[-1]
    assert versions[1] == versions[2]
    assert len({*versions}) == 3
    await connection.execute("insert into calls (agency_id) select $1::uuid from generate_series(1, 5)", agency)
    before = await connection.fetchval(VERSION, agency)
    await connection.execute("truncate calls cascade")
    assert await connection.fetchval(VERSION, agency) not in {*versions, before}


async def test_an_agency_nobody_has_heard_of_has_a_version_too(connection: asyncpg.Connection) -> None:
    assert await connection.fetchval(VERSION, uuid4()) == "0"
