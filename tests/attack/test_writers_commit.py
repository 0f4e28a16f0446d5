"""Adding up never fails a writer, whatever the reason, and stops nobody else."""

import asyncio
from uuid import UUID

import asyncpg
import pytest

from tests.attack.sessions import FAILING, INSERT, LOGGED, POISON, SLOW, WAITING, assert_all_is_right, session
from tests.conftest import Database
from tests.given import Given, fold
from tests.waiting import LONG, PATIENCE, until

ROLLUPS = ("call_stats_folded", "agency_hours_folded", "call_findings_folded", "agency_findings_folded")


async def _folded(connection: asyncpg.Connection, agency: UUID) -> int:
    return await connection.fetchval(
        "select coalesce(sum(total_calls), 0)::integer from call_stats_folded where agency_id = $1", agency
    )


@pytest.mark.parametrize("errcode", ["22003", "40001", "53200", "23502", "P0004", "57014", "XX000"])
async def test_a_fold_that_fails_for_one_agency_refuses_nobodys_commit_and_leaves_only_its_changes(
    connection: asyncpg.Connection, given: Given, errcode: str
) -> None:
    sick, well = await given.agency(), await given.agency()
    await connection.execute(POISON.format(agency=sick, errcode=errcode))
    await connection.execute(INSERT, sick, 10)
    for _ in range(4):
        await connection.execute(INSERT, well, 300)
    assert await connection.fetchval("select count(*) from calls") == 1210
    assert await connection.fetchval("select sum(total_calls)::integer from call_stats_daily") == 1210
    if errcode != "57014":  # what was cancelled is not tried again at once
        assert await _folded(connection, well) > 0
        assert await connection.fetchval("select count(*) from call_changes where agency_id = $1", sick) == 10
        assert any(str(sick) in reason["error"] for reason in await connection.fetch(FAILING))
    assert [row["error"] for row in await connection.fetch(LOGGED)] != []
    await connection.execute("drop trigger poison on call_stats_folded")
    await assert_all_is_right(connection)


async def test_a_publication_of_all_tables_refuses_no_fold(connection: asyncpg.Connection, given: Given) -> None:
    agency = await given.agency()
    campaign = await given.campaign(agency)
    await connection.execute("create publication everything for all tables")
    found = {"objections": [{"text": "No time"}], "buying_signals": [{"text": "When?"}]}
    await given.calls(agency, 600, **found)
    await given.calls(agency, 600, campaign_id=campaign, **found)
    assert await connection.fetchval(WAITING) < 600
    await connection.execute("update calls set disposition = 'voicemail', objections = '[]'")
    await connection.execute("delete from calls where campaign_id is not null")
    await fold(connection)
    await assert_all_is_right(connection)
    without = await connection.fetch(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
        " and relreplident = 'd' and not exists ("
        "select from pg_index where indrelid = pg_class.oid and indisprimary)"
    )
    assert without == []


@pytest.mark.parametrize("rollup", ROLLUPS)
async def test_somebody_who_works_on_a_rollups_table_holds_no_writer_up(
    database: Database, connection: asyncpg.Connection, given: Given, rollup: str
) -> None:
    agency = await given.agency()
    async with session(database) as other:
        working = other.transaction()
        await working.start()
        await other.execute(f"lock table {rollup} in access exclusive mode")
        await asyncio.wait_for(connection.execute(INSERT, agency, 1200), timeout=PATIENCE)
        await working.rollback()
    # Nobody's fault, and over: not worth a word.
    assert await connection.fetch(LOGGED) == []
    await assert_all_is_right(connection)


async def test_a_cancel_that_meets_a_fold_ends_no_commit(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await connection.execute(SLOW.format(seconds=LONG, rollup="agency_hours_folded"))
    writer = connection.get_server_pid()
    async with session(database) as other:
        writing = asyncio.create_task(connection.execute(INSERT, agency, 600))
        sleeps = "select wait_event = 'PgSleep' from pg_stat_activity where pid = $1"
        await until(lambda: other.fetchval(sleeps, writer))
        await other.execute("select pg_cancel_backend($1)", writer)
        await writing
    assert await connection.fetchval(WAITING) == 600
    assert [row["error"] for row in await connection.fetch(LOGGED)] == ["canceling statement due to user request"]
    await connection.execute("drop trigger slow on agency_hours_folded")
    await assert_all_is_right(connection)


async def test_a_failure_that_cannot_even_be_noted_refuses_no_commit(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await connection.execute(POISON.format(agency=agency, errcode="22003"))
    async with session(database) as other:
        working = other.transaction()
        await working.start()
        await other.execute("lock table cron_job_logs in access exclusive mode")
        await asyncio.wait_for(connection.execute(INSERT, agency, 600), timeout=PATIENCE)
        await working.rollback()
    assert await connection.fetchval("select sum(total_calls)::integer from call_stats_daily") == 600
    await connection.execute("drop trigger poison on call_stats_folded")
    await assert_all_is_right(connection)


async def test_a_deferred_check_of_the_users_own_still_refuses_their_commit(
    connection: asyncpg.Connection, given: Given
) -> None:
    """What is swallowed is a fold's error and nobody else's."""
    agency = await given.agency()
    await connection.execute(
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not today'; end $$;"
        "create constraint trigger zz_refuse after insert on calls deferrable initially deferred"
        " for each row execute function refuse()"
    )
    with pytest.raises(asyncpg.RaiseError, match="not today"):
        await connection.execute(INSERT, agency, 600)
    assert await connection.fetchval("select count(*) from calls") == 0
    assert await connection.fetchval(WAITING) == 0
