"""Where what is counted, or what a version says, could be led astray: each corner by the shortest way into it."""

import asyncio
from uuid import UUID

import asyncpg
import pytest

from tests.agreement.test_rollup import assert_it_is_a_recount, connections
from tests.attack.damages import EVER, REPAIR
from tests.attack.sessions import DRIFT, VERSION
from tests.conftest import Database
from tests.given import Given, fold
from tests.waiting import until

UNGRANTED = (
    "select count(*) from pg_locks as l where not granted and pid in"
    " (select pid from pg_stat_activity where datname = current_database())"
)


async def _lost(connection: asyncpg.Connection, agency: UUID, *statements: str) -> str:
    """The version after these, which are lost."""
    lost = connection.transaction()
    await lost.start()
    for statement in statements:
        await connection.execute(statement)
    version: str = await connection.fetchval(VERSION, agency)
    await lost.rollback()
    return version


async def test_whoever_seeds_random_numbers_brings_back_no_version(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    seed = "select setseed(0.5)"
    for statement in (
        f"insert into clients (agency_id, name) values ('{agency}', '%s')",
        f"insert into calls (agency_id, summary) values ('{agency}', '%s')",
    ):
        one, other = [await _lost(connection, agency, seed, statement.replace("%s", name)) for name in ("X", "Y")]
        assert one != other


@pytest.mark.parametrize(
    "statement",
    [
        "update agency_hours_folded set total_calls_by_hour[12] = null",
        "update agency_hours_folded set total_calls_by_hour = '{}'",
        "update call_stats_folded set connected_calls_by_hour[1] = null",
        "update call_stats_folded set connected_calls_by_hour = '{1}'",
        "update agency_findings_folded set text_key = gen_random_uuid() where text = 'No time'",
        "update call_findings_folded set text_key = gen_random_uuid() where text = 'No time'",
    ],
)
async def test_damage_of_what_a_row_is_made_of_is_refused_or_found_and_mended(
    connection: asyncpg.Connection, given: Given, statement: str
) -> None:
    agency = await given.agency()
    await given.call(agency, objections=[{"text": "No time"}])
    await given.call(agency, objections=[{"text": "no TIME"}])
    await fold(connection)
    try:
        await connection.execute(statement)
    except asyncpg.IntegrityConstraintViolationError:
        return
    assert await connection.fetch(DRIFT, *EVER)
    await connection.execute(REPAIR.replace("$1", "'1970-01-01'").replace("$2", "'2199-12-31'"))
    assert await connection.fetch(DRIFT, *EVER) == []
    await assert_it_is_a_recount(connection)
    for table in ("agency_findings_folded", "call_findings_folded"):
        assert await connection.fetchval(f"select bool_and(text_key = text_key(text)) from {table}")


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
async def test_a_contact_that_changes_while_its_batch_moves_is_told_to_whom_it_comes(
    database: Database, connection: asyncpg.Connection, given: Given, isolation: str
) -> None:
    """One is refused, or waits for the other, or the version tells of both."""
    ours, theirs = await given.agency(), await given.agency()
    batch = await given.batch(ours, None, {"pending": 1})
    state = f"select ({VERSION.replace('$1', '$1::uuid')}) as version, (select status from campaign_contacts) as status"
    change = f"update campaign_contacts set status = 'completed' where batch_id = '{batch}'"
    async with connections(database, 2) as (dialler, mover):
        await dialler.execute(f"begin isolation level {isolation}")
        await dialler.fetchval("select count(*) from call_batches")
        if isolation == "read committed":
            await dialler.execute(change)
        moving = asyncio.create_task(
            mover.execute("update call_batches set agency_id = $2 where id = $1", batch, theirs)
        )
        moved = f"select count(*) from call_batches where id = '{batch}' and agency_id = '{theirs}'"

        async def waits_or_is_done() -> bool:
            return await connection.fetchval(UNGRANTED) or await connection.fetchval(moved)

        await until(waits_or_is_done)
        before = await connection.fetchrow(state, theirs)
        try:
            if isolation != "read committed":
                await dialler.execute(change)
            await dialler.execute("commit")
        except asyncpg.SerializationError:
            await dialler.execute("rollback")
        await moving
    after = await connection.fetchrow(state, theirs)
    assert after["version"] != before["version"] or after["status"] == before["status"]


@pytest.mark.parametrize(
    "statement", ["select repair_call_stats(null, '1970-01-01', '2199-12-31')", "select recount_call_stats()"]
)
async def test_a_truncate_and_a_repair_wait_for_each_other_in_one_order(
    database: Database, connection: asyncpg.Connection, given: Given, statement: str
) -> None:
    agency = await given.agency()
    await given.call(agency)
    async with connections(database, 2) as (truncating, repairing):
        await truncating.execute("begin; lock table calls in access exclusive mode")
        repair = asyncio.create_task(repairing.execute(statement))
        waiting = "select count(*) from pg_locks where not granted and relation = 'calls'::regclass"
        await until(lambda: connection.fetchval(waiting))
        await truncating.execute("truncate calls cascade; commit")
        await repair
    assert await connection.fetchval("select count(*) from cron_job_logs where status = 'failed'") == 0
    await assert_it_is_a_recount(connection)


async def test_all_tables_are_emptied_by_one_statement(connection: asyncpg.Connection, given: Given) -> None:
    agency = await given.agency()
    await given.call(agency, objections=[{"text": "No time"}])
    await fold(connection)
    await given.call(agency)
    tables = "select string_agg(tablename, ', ') from pg_tables where schemaname = 'public'"
    await connection.execute(f"truncate {await connection.fetchval(tables)}")
    assert await connection.fetchval("select count(*) from call_stats_daily") == 0
    await given.call(await given.agency())
    await assert_it_is_a_recount(connection)
