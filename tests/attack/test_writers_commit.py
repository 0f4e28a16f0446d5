"""Adding up never fails a writer, whatever the reason; what failed is loud, and stops nobody else."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from structlog.testing import capture_logs

from enrichment import desk
from enrichment.connections import Connections
from enrichment.schedule import Schedule
from tests.attack.sessions import FAILING, WAITING, assert_all_is_right, session
from tests.conftest import Database
from tests.given import Given, fold
from tests.running import running, settings_for
from tests.waiting import PATIENCE, until

INSERT = "insert into calls (agency_id, started_at) select $1::uuid, now() from generate_series(1, $2::integer)"
ROLLUPS = ("call_stats_folded", "agency_hours_folded", "call_findings_folded", "agency_findings_folded")
LOGGED = "select error from cron_job_logs where job = 'fold_call_changes' and status = 'failed'"
# An error of any kind, in the middle of a fold, about the calls of one agency.
POISON = """
create function poison() returns trigger language plpgsql as $$
begin
    if new.agency_id = '{agency}' then
        raise exception 'poisoned' using errcode = '{errcode}';
    end if;
    return new;
end
$$;
create trigger poison before insert on call_stats_folded for each row execute function poison();
"""


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


async def test_a_cancel_or_a_time_limit_that_meets_a_fold_ends_no_commit(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await connection.execute(
        "create function slow() returns trigger language plpgsql as"
        " $$ begin perform pg_sleep(600); return new; end $$;"
        "create trigger slow before insert on agency_hours_folded for each row execute function slow()"
    )
    writer = await connection.fetchval("select pg_backend_pid()")
    async with session(database) as other:
        writing = asyncio.create_task(connection.execute(INSERT, agency, 600))
        sleeps = "select wait_event = 'PgSleep' from pg_stat_activity where pid = $1"
        await until(lambda: other.fetchval(sleeps, writer))
        await other.execute("select pg_cancel_backend($1)", writer)
        await writing
    assert await connection.fetchval(WAITING) == 600
    async with connection.transaction():
        await connection.execute(INSERT, agency, 600)
        await connection.execute("set local statement_timeout = '3s'")
        await connection.execute("set constraints all immediate")
    assert await connection.fetchval(WAITING) == 1200
    errors = {row["error"] for row in await connection.fetch(LOGGED)}
    assert errors == {
        "canceling statement due to user request",
        "canceling statement due to statement timeout",
    }
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


@asynccontextmanager
async def _by_hand(database: Database):
    connections = Connections(database.dsn, patient=False)
    await connections.open()
    try:
        yield connections
    finally:
        await connections.close()


async def test_folds_that_fail_are_told_wherever_somebody_looks(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    sick = await given.agency()
    await connection.execute(POISON.format(agency=sick, errcode="22003"))
    await connection.execute(INSERT, sick, 600)
    async with _by_hand(database) as connections:
        assert "poisoned" in (await desk.failing_folds(connections))[0]
        with capture_logs() as logs:
            schedule = asyncio.create_task(Schedule(connections, tick_seconds=0.01).run())
            async with asyncio.timeout(PATIENCE):
                while not (told := [each for each in logs if each["event"].startswith("changes of calls cannot")]):
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            schedule.cancel()
        assert len(told) == 1
        assert "poisoned" in told[0]["error"]
    async with asyncio.timeout(PATIENCE):
        while (run := await connection.fetchrow("select * from recount_call_stats()")) is None:
            await asyncio.sleep(0.01)  # the schedule's own, which was cancelled, may still be at it
    assert run["status"] == "failed"
    assert "poisoned" in run["error"]
    assert str(sick) in run["error"]
    async with running(settings_for(database.dsn)) as gateway:
        ready = (await gateway.http.get("/readyz")).json()
        assert ready["status"] == "ready"
        assert "added up" in ready["warnings"][0]
        assert "poisoned" not in str(ready)
    await connection.execute("drop trigger poison on call_stats_folded")
    await fold(connection)
    assert await connection.fetch(FAILING) == []
    assert (await connection.fetchrow("select * from recount_call_stats()"))["status"] == "completed"


async def test_a_schedule_that_fails_again_and_again_is_one_row_and_no_new_version(
    connection: asyncpg.Connection, given: Given
) -> None:
    sick, well = await given.agency(), await given.agency()
    await given.call(well, started_at=datetime.now(UTC))
    await fold(connection)
    await connection.execute("update call_stats_folded set emails_sent = 5 where agency_id = $1", well)
    await connection.execute(POISON.format(agency=sick, errcode="22003"))
    await connection.execute(INSERT, sick, 1)
    first = await connection.fetchrow("select * from recount_call_stats()")
    assert (first["status"], first["rows_repaired"]) == ("failed", 1)
    versions = await connection.fetch("select * from data_versions order by place")
    for _ in range(3):
        again = await connection.fetchrow("select * from recount_call_stats()")
        assert again["id"] == first["id"]
    assert await connection.fetchval("select count(*) from cron_job_logs where job = 'recount_call_stats'") == 1
    assert await connection.fetchval("select count(*) from cron_job_logs where job = 'fold_call_changes'") == 1
    assert await connection.fetch("select * from data_versions order by place") == versions


async def test_a_prepared_transaction_keeps_nobody_from_folding(
    unusual_database: Database,
) -> None:
    async with session(unusual_database) as one, session(unusual_database) as other:
        agency = await Given(one).agency()
        for place, preparing in enumerate(("", "set constraints all immediate")):
            await one.execute("begin")
            await one.execute(INSERT, agency, 1200)
            if preparing:
                await one.execute(preparing)
            await one.execute(f"prepare transaction 'left {place}'")
        await other.execute(INSERT, agency, 1200)
        assert await other.fetchval("select count(*) from pg_locks where locktype = 'advisory'") == 0
        await fold(other)
        assert await other.fetchval("select sum(total_calls)::integer from call_stats_folded") == 1200
        await other.execute("commit prepared 'left 0'")
        assert await other.fetchval("select sum(total_calls)::integer from call_stats_daily") == 2400
        await other.execute("rollback prepared 'left 1'")
        await assert_all_is_right(other)
        # And whoever commits in the ordinary ways folds here too.
        await other.execute(INSERT, agency, 1200)
        assert await other.fetchval(WAITING) < 600
        async with other.transaction():
            await other.execute(INSERT, agency, 1200)
        assert await other.fetchval(WAITING) < 600
        await assert_all_is_right(other)
