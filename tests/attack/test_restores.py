"""Whatever is restored, and however: the numbers are those of the calls that are there afterwards."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from tests.attack import dumps
from tests.attack.sessions import DRIFT, FOUND, PENDING, VERSION, WAITING, assert_all_is_right, session
from tests.conftest import _TEMPLATE, Database, Postgres, _fresh
from tests.given import NOW, Given, damage, fold

KINDS = ("plain", "replica", "disable-triggers")
OF_DATA = ("--data-only", "--schema=public")
TOTALS = "select count(*)::integer, (select sum(total_calls)::integer from call_stats_daily) from calls"
JOBS = "select call_id, job_type::text, status::text, last_error from enrichment_queue order by 1, 2"
SET_ASIDE = "update enrichment_queue set status = 'failed', last_error = 'no' where call_id = $1"
EMPTY_CALLS = "truncate agencies cascade"
EMPTY_ALL = """
do $$
begin
    execute (select 'truncate ' || string_agg(quote_ident(tablename), ', ') from pg_tables where schemaname = 'public');
end
$$
"""


@pytest.fixture
async def other_database(server: Postgres) -> AsyncIterator[Database]:
    """A second migrated database on the same server."""
    async for fresh in _fresh(server, os.environ[_TEMPLATE]):
        yield fresh


async def _fill(given: Given) -> None:
    """Calls that are folded, and changes that wait; jobs that wait, one that was set aside, and a slot that is done."""
    for _ in range(2):
        agency = await given.agency()
        campaign = await given.campaign(agency, await given.client(agency))
        await given.user(agency)
        batch = await given.batch(agency, campaign, {"pending": 2})
        await given.calls(agency, 20, campaign_id=campaign, batch_id=batch, **FOUND)
        await fold(given.connection)
        await given.calls(agency, 5, **FOUND)
        await given.connection.execute("update calls set disposition = 'voicemail' where campaign_id is null")
    # The first of all jobs, as the first job of another database may be numbered alike.
    aside = await given.call(agency, **PENDING)
    await given.calls(agency, 3, **PENDING)
    await given.connection.execute(SET_ASIDE, aside)
    await given.connection.execute("update calls set analysis_status = 'failed' where id = $1", aside)
    assert await given.connection.fetchval("select status from recount_call_stats()") == "completed"
    await given.calls(agency, 2, **FOUND)
    assert await given.connection.fetchval(WAITING) > 0


async def _dumped(database: Database, folder: Path, *options: str) -> Path:
    file = folder / f"{uuid4().hex}.dump"
    await dumps.run(await dumps.tools(database.dsn) / "pg_dump", "-Fc", *options, "-f", file, database.dsn)
    return file


async def _restored(kind: str, file: Path, database: Database, *options: str) -> None:
    """The data of a dump of data, into tables that are there: no row of it is refused."""
    programs = await dumps.tools(database.dsn)
    restore = [programs / "pg_restore", "--data-only", "-d", database.dsn, *options, file]
    if kind == "disable-triggers":
        restore.insert(2, "--disable-triggers")
    env = {"PGOPTIONS": "-c session_replication_role=replica"} if kind == "replica" else {}
    await dumps.run(*restore, env=env)


async def _assert_restored(connection: asyncpg.Connection, calls: int) -> None:
    assert tuple(await connection.fetchrow(TOTALS)) == (calls, calls)
    assert await connection.fetch(DRIFT, NOW.date().replace(year=2020), NOW.date().replace(year=2030)) == []
    agency = await connection.fetchval("select id from agencies limit 1")
    await Given(connection).calls(agency, 2, **FOUND)
    assert tuple(await connection.fetchrow(TOTALS)) == (calls + 2, calls + 2)
    # Whatever numbers jobs have, new ones are no obstacle to calls.
    await Given(connection).calls(agency, 98, **PENDING)
    assert await connection.fetchval("select count(*) from enrichment_queue where status = 'queued'") >= 98
    await assert_all_is_right(connection)
    assert tuple(await connection.fetchrow(TOTALS)) == (calls + 100, calls + 100)


@pytest.mark.parametrize("kind", KINDS)
async def test_data_alone_are_restored_while_changes_waited(
    database: Database,
    other_database: Database,
    connection: asyncpg.Connection,
    given: Given,
    tmp_path: Path,
    kind: str,
) -> None:
    await _fill(given)
    jobs = await connection.fetch(JOBS)
    file = await _dumped(database, tmp_path, *OF_DATA)
    async with session(other_database) as there:
        # Folds of its own have been made before, so that numbers of transactions mean something there.
        agency = await Given(there).agency()
        await Given(there).calls(agency, 3, **FOUND)
        await fold(there)
        await _restored(kind, file, other_database, "--single-transaction")
        assert await there.fetch(JOBS) == jobs
        await _assert_restored(there, 59)
        # And in full, into a database that was empty.
        full = await _dumped(other_database, tmp_path)
        name = f"gateway_test_{uuid4().hex[:12]}"
        await connection.execute(f"create database {name} template template0")
        third = Database(other_database.dsn.replace(await there.fetchval("select current_database()"), name))
        try:
            await dumps.run(await dumps.tools(third.dsn) / "pg_restore", "-d", third.dsn, full)
            async with session(third) as restored:
                await _assert_restored(restored, 159)
        finally:
            await connection.execute(f"drop database {name} with (force)")


@pytest.mark.parametrize("kind", KINDS)
async def test_data_alone_are_restored_on_another_server(
    database: Database, unusual_database: Database, given: Given, tmp_path: Path, kind: str
) -> None:
    """Whose transactions have other numbers."""
    await _fill(given)
    file = await _dumped(database, tmp_path, *OF_DATA)
    async with session(unusual_database) as there:
        await _restored(kind, file, unusual_database)
        await _assert_restored(there, 56)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_data_of_calls_alone_are_restored_after_they_were_lost(
    database: Database, connection: asyncpg.Connection, given: Given, tmp_path: Path, kind: str
) -> None:
    await _fill(given)
    file = await _dumped(database, tmp_path, *OF_DATA)
    await connection.execute("truncate calls cascade")
    assert tuple(await connection.fetchrow(TOTALS)) == (0, None)
    await _restored(kind, file, database, "-t", "calls")
    if kind == "disable-triggers":
        # Nobody could count these. It is seen, and a rebuild is all it takes.
        assert await connection.fetch(DRIFT, NOW.date().replace(year=2020), NOW.date().replace(year=2030)) != []
        await connection.execute("select repair_call_stats(null, '1970-01-01', '2199-12-31')")
    await _assert_restored(connection, 56)


@pytest.mark.parametrize("kind", ["plain", "replica"])
async def test_data_alone_are_restored_where_nothing_has_happened_but_a_recount(
    database: Database, other_database: Database, given: Given, tmp_path: Path, kind: str
) -> None:
    """The slot is done there too, and the ranges of the log are still those of the migrations, as they were here."""
    await given.connection.execute("select recount_call_stats()")
    await given.calls(await given.agency(), 5, **FOUND)
    file = await _dumped(database, tmp_path, *OF_DATA)
    async with session(other_database) as there:
        assert await there.fetchval("select status from recount_call_stats()") == "completed"
        await _restored(kind, file, other_database, "--single-transaction")
        assert await there.fetchval("select count(*) from cron_job_logs") == 1
        await _assert_restored(there, 5)


IN_PLACE = [("plain", EMPTY_CALLS), ("replica", EMPTY_CALLS), *((kind, EMPTY_ALL) for kind in KINDS)]


@pytest.mark.parametrize(("kind", "emptying"), IN_PLACE)
async def test_everything_is_emptied_and_restored_in_place(
    database: Database, connection: asyncpg.Connection, given: Given, tmp_path: Path, kind: str, emptying: str
) -> None:
    """And the version of the data is another one than the calls had that are lost."""
    await _fill(given)
    jobs = await connection.fetch(JOBS)
    file = await _dumped(database, tmp_path, *OF_DATA)
    agency = await connection.fetchval("select id from agencies order by id limit 1")
    at_dump = await connection.fetchval(VERSION, agency)
    await given.calls(agency, 7, **FOUND)
    # Their jobs have the numbers that the dump sets back.
    await given.calls(agency, 50, **PENDING)
    lost = await connection.fetchval(VERSION, agency)
    await connection.execute(emptying)
    await _restored(kind, file, database, "--single-transaction")
    assert await connection.fetch(JOBS) == jobs
    restored = await connection.fetchval(VERSION, agency)
    assert restored != lost
    await given.calls(agency, 7, emails_sent=1)
    assert await connection.fetchval(VERSION, agency) not in (at_dump, lost, restored)
    await _assert_restored(connection, 63)


@pytest.mark.parametrize("column", ["objections", "buying_signals"])
async def test_what_is_taken_of_another_table_is_what_a_dump_can_bring(
    database: Database, connection: asyncpg.Connection, given: Given, tmp_path: Path, column: str
) -> None:
    """A value may be compressed there, and is not where it is restored."""
    agency = await given.agency()
    await given.calls(agency, 3, **FOUND)
    await connection.execute(
        "create temp table staging as"
        " select jsonb_agg(jsonb_build_object('text', repeat('No time ', 2000) || n)) as found"
        " from generate_series(1, 100) as n"
    )
    assert await connection.fetchval("select pg_column_size(found) < 100000 from staging")
    insert = f"insert into calls (agency_id, {column}) select $1::uuid, found from staging"
    with pytest.raises(asyncpg.CheckViolationError, match=f"calls_{column}_take_at_most_1_mb"):
        await connection.execute(insert, agency)
    # A little less is taken, by either road.
    await connection.execute("update staging set found = jsonb_path_query_array(found, '$[0 to 64]')")
    await connection.execute(insert, agency)
    name = f"gateway_test_{uuid4().hex[:12]}"
    await connection.execute(f"create database {name} template template0")
    other = Database(database.dsn.replace(await connection.fetchval("select current_database()"), name))
    try:
        await dumps.run(await dumps.tools(other.dsn) / "pg_restore", "-d", other.dsn, await _dumped(database, tmp_path))
        async with session(other) as restored:
            assert tuple(await restored.fetchrow(TOTALS)) == (4, 4)
    finally:
        await connection.execute(f"drop database {name} with (force)")


async def test_a_log_of_another_history_is_put_in_order_by_a_repair(
    connection: asyncpg.Connection, given: Given
) -> None:
    """Whatever stands in it, and in the row that says where to look."""
    await _fill(given)
    await connection.execute("update call_changes set transaction_id = '5' where id % 2 = 0")
    await connection.execute("update call_changes set transaction_id = '900000000' where id % 2 = 1")
    await damage(connection, "insert into call_fold (first, last) values ('{7}', '{8}')")
    await _assert_restored(connection, 56)
    assert await connection.fetchval(WAITING) == 0
    assert await connection.fetchval("select count(*) from call_fold where folded_at = written_at") == 1


async def test_what_nobody_counts_of_a_log_is_taken_out_of_it_by_a_repair(
    connection: asyncpg.Connection, given: Given
) -> None:
    """Rows of another history behind a row of this one, as when the log alone was restored."""
    await _fill(given)
    await fold(connection)
    agency = await connection.fetchval("select id from agencies limit 1")
    await connection.execute("alter table call_changes disable trigger user")
    await connection.execute(
        "insert into call_changes (transaction_id, agency_id, started_at, status)"
        " select '5', $1::uuid, now(), 'completed' from generate_series(1, 9)",
        agency,
    )
    await connection.execute("alter table call_changes enable trigger user")
    for table, trigger in (("call_changes", "call_changes_fold"), ("call_changes", "call_changes_come_of_calls")):
        await connection.execute(f"alter table {table} enable always trigger {trigger}")
    await connection.execute("alter table call_changes enable always trigger call_changes_are_no_replica")
    await connection.execute("select repair_call_stats(null, '1970-01-01', '2199-12-31')")
    assert await connection.fetchval(WAITING) == 0
    await _assert_restored(connection, 56)
