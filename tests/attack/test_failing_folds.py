"""Changes that wait longer than they should are told of, whatever the reason, and no longer than they wait."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from structlog.testing import capture_logs

from enrichment import desk
from enrichment.connections import Connections
from enrichment.schedule import Schedule
from gateway.doctor import examine
from tests.attack.sessions import FAILING, INSERT, LOGGED, POISON, SLOW, WAITING, assert_all_is_right, session
from tests.conftest import Database
from tests.given import Given, fold
from tests.running import running, settings_for
from tests.waiting import LONG, PATIENCE, until

RECOUNT = "select * from recount_call_stats()"
HEAL = "drop trigger poison on call_stats_folded; drop function poison()"
# Time goes by, for what waits and for the last fold.
LATER = """
update call_changes set changed_at = changed_at - interval '6 minutes';
update call_fold set done_at = done_at - interval '6 minutes'
"""
AT_WORK = """
select pid from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and wait_event = 'PgSleep'
"""


@asynccontextmanager
async def _by_hand(database: Database) -> AsyncIterator[Connections]:
    connections = Connections(database.dsn, patient=False)
    await connections.open()
    try:
        yield connections
    finally:
        await connections.close()


def _recounts(logs: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    return [each for each in logs if each["event"] == "recounted"]


def _warnings(logs: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    return [each for each in logs if each["event"].startswith("changes of calls cannot")]


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
            await until(lambda: _warnings(logs))
            ticks = len(_recounts(logs))
            await until(lambda: len(_recounts(logs)) >= ticks + 5)
            schedule.cancel()
        told = _warnings(logs)
        assert len(told) == 1
        assert "poisoned" in told[0]["error"]
    # The schedule's own, which was cancelled, may still be at it.
    run = await until(lambda: connection.fetchrow(RECOUNT))
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
    assert (await connection.fetchrow(RECOUNT))["status"] == "completed"


async def test_a_schedule_that_fails_again_and_again_is_one_row_and_no_new_version(
    connection: asyncpg.Connection, given: Given
) -> None:
    sick, well = await given.agency(), await given.agency()
    await given.call(well, started_at=datetime.now(UTC))
    await fold(connection)
    await connection.execute("update call_stats_folded set emails_sent = 5 where agency_id = $1", well)
    await connection.execute(POISON.format(agency=sick, errcode="22003"))
    await connection.execute(INSERT, sick, 1)
    first = await connection.fetchrow(RECOUNT)
    assert (first["status"], first["rows_repaired"]) == ("failed", 1)
    versions = await connection.fetch("select * from data_versions order by place")
    for _ in range(3):
        again = await connection.fetchrow(RECOUNT)
        assert again["id"] == first["id"]
    assert await connection.fetchval("select count(*) from cron_job_logs where job = 'recount_call_stats'") == 1
    assert await connection.fetchval("select count(*) from cron_job_logs where job = 'fold_call_changes'") == 1
    assert await connection.fetch("select * from data_versions order by place") == versions


async def _told(database: Database) -> tuple[bool, bool]:
    """Whether doctor and readiness tell that changes are not added up."""
    (folds,) = [each for each in await examine(settings_for(database.dsn)) if each.check == "folds"]
    async with running(settings_for(database.dsn)) as gateway:
        ready = (await gateway.http.get("/readyz")).json()
    return folds.ok is False, "warnings" in ready


async def test_somebody_who_holds_a_row_of_a_rollup_for_long_is_told_of_and_stops_no_other_agency(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    """Nothing failed, so nothing is noted: only what waits can tell."""
    held, well = await given.agency(), await given.agency()
    await connection.execute(INSERT, held, 1)
    await fold(connection)
    async with session(database) as holder:
        await holder.execute("begin; select * from call_stats_folded for update")
        await connection.execute(INSERT, held, 1200)
        for _ in range(3):
            await connection.execute(INSERT, well, 600)
        waiting = await connection.fetch("select agency_id, count(*) from call_changes group by 1 order by 2")
        assert [tuple(row) for row in waiting] == [(held, 1200)]
        assert await connection.fetch(LOGGED) == []
        assert await _told(database) == (False, False)
        await connection.execute(LATER)
        assert await _told(database) == (True, True)
        async with _by_hand(database) as connections:
            (reason,) = await desk.failing_folds(connections)
        assert "still wait" in reason
        await holder.execute("rollback")
    await fold(connection)
    assert await _told(database) == (False, False)
    await assert_all_is_right(connection)


async def test_a_recount_waits_for_two_agencies_whose_rows_are_held_and_for_no_more(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    """While it waits nobody else folds."""
    held = [await given.agency() for _ in range(3)]
    for agency in held:
        await connection.execute(INSERT, agency, 1)
    await fold(connection)
    async with session(database) as holder:
        await holder.execute("begin; select * from call_stats_folded for update")
        for agency in held:
            await connection.execute(INSERT, agency, 1)
        run = await connection.fetchrow(RECOUNT)
        assert run["status"] == "failed"
        assert sum(str(agency) in run["error"] for agency in held) == 2
        await holder.execute("rollback")
    assert (await connection.fetchrow(RECOUNT))["status"] == "completed"
    await assert_all_is_right(connection)


async def test_a_recount_whose_turn_does_not_come_has_not_failed(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    """As while a rebuild is at a month of very many calls."""
    for _ in range(2):
        await connection.execute(INSERT, await given.agency(), 1)
    async with session(database) as rebuilding:
        await rebuilding.execute("begin; select pg_advisory_xact_lock(hashtextextended('fold_call_changes', 0))")
        assert await connection.fetch(RECOUNT) == []
        await rebuilding.execute("rollback")
    assert [run["status"] for run in await connection.fetch(RECOUNT)] == ["completed"]


async def test_what_waits_is_told_of_where_no_worker_folds(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await connection.execute(INSERT, agency, 5)
    await connection.execute("update call_fold set done_at = done_at - interval '1 day'")
    # It waits for seconds only, though the last fold was yesterday.
    assert await connection.fetch(FAILING) == []
    await connection.execute(LATER)
    assert await _told(database) == (True, True)
    # The oldest is an hour old and was just committed: the last fold may have missed it.
    await connection.execute("update call_fold set done_at = now()")
    assert await connection.fetch(FAILING) == []


@pytest.mark.parametrize("emptied", ["delete from call_fold", "truncate call_fold"])
async def test_a_failure_is_told_of_where_no_fold_is_known(
    connection: asyncpg.Connection, given: Given, emptied: str
) -> None:
    """As after a dump without the rows that are only worked out."""
    agency = await given.agency()
    await connection.execute(POISON.format(agency=agency, errcode="22003"))
    await connection.execute(INSERT, agency, 600)
    await connection.execute(emptied)
    assert "poisoned" in await connection.fetchval(FAILING)
    await connection.execute(LATER)
    assert ["poisoned" in row["error"] for row in await connection.fetch(FAILING)] == [True]
    await connection.execute(HEAL)
    await fold(connection)
    assert await connection.fetch(FAILING) == []


async def test_a_fold_of_a_transaction_older_than_the_failure_ends_the_alarm(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    async with session(database) as older:
        await older.execute("begin; select now()")
        await connection.execute(POISON.format(agency=agency, errcode="22003"))
        await connection.execute(INSERT, agency, 600)
        assert await connection.fetch(FAILING) != []
        await connection.execute(HEAL)
        assert await older.fetchval("select try_fold_call_changes()")
        await older.execute("commit")
    assert await connection.fetch(FAILING) == []
    await connection.execute(INSERT, agency, 1)
    assert await connection.fetch(FAILING) == []


async def test_a_repair_that_takes_what_waits_ends_the_alarm(connection: asyncpg.Connection, given: Given) -> None:
    agency = await given.agency()
    await connection.execute(POISON.format(agency=agency, errcode="22003"))
    await connection.execute(INSERT, agency, 600)
    assert await connection.fetch(FAILING) != []
    await connection.execute(HEAL)
    await connection.execute("select repair_call_stats(null, '1970-01-01', '2199-12-31')")
    assert await connection.fetchval(WAITING) == 0
    assert await connection.fetch(FAILING) == []


async def _backend_at_work(connection: asyncpg.Connection) -> int:
    return await until(lambda: connection.fetchval(AT_WORK))


@pytest.mark.parametrize(
    "statement",
    [
        "select try_fold_call_changes()",
        "select recount_call_stats()",
        "select repair_call_stats(null, '1970-01-01', '2199-12-31')",
    ],
)
async def test_who_asks_for_a_fold_may_cancel_it(
    database: Database, connection: asyncpg.Connection, given: Given, statement: str
) -> None:
    """Only where a fold is somebody's commit, what was cancelled is done."""
    agency = await given.agency()
    await connection.execute(SLOW.format(seconds=LONG, rollup="call_stats_folded"))
    await connection.execute(INSERT, agency, 10)
    async with session(database) as asking:
        asked = asyncio.create_task(asking.execute(statement))
        pid = await _backend_at_work(connection)
        assert await connection.fetchval("select pg_cancel_backend($1)", pid)
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(asyncpg.QueryCanceledError):
                await asked
        # A client that waits no longer has the server stop, too.
        with pytest.raises(TimeoutError):
            await asking.execute(statement, timeout=1)

        async def has_stopped() -> bool:
            return await connection.fetchval(AT_WORK) is None

        await until(has_stopped)
    await connection.execute("drop trigger slow on call_stats_folded")
    await assert_all_is_right(connection)


async def test_a_recount_that_is_cancelled_is_logged_and_left_to_the_next_tick(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    agency: UUID = await given.agency()
    await connection.execute(SLOW.format(seconds=LONG, rollup="call_stats_folded"))
    await connection.execute(INSERT, agency, 10)
    async with _by_hand(database) as connections:
        with capture_logs() as logs:
            schedule = asyncio.create_task(Schedule(connections, tick_seconds=3600).run())
            pid = await _backend_at_work(connection)
            assert await connection.fetchval("select pg_cancel_backend($1)", pid)
            await until(lambda: any(each["event"] == "the recount failed" for each in logs))
            assert await connection.fetchval(AT_WORK) is None
            schedule.cancel()


async def test_a_recount_takes_the_time_it_needs_whatever_a_roles_limit_is(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await connection.execute(SLOW.format(seconds=6, rollup="call_stats_folded"))
    await connection.execute(INSERT, agency, 10)
    name = await connection.fetchval("select current_database()")
    # It falls on every other statement too.
    await connection.execute(f"alter database {name} set statement_timeout = '3s'")
    async with _by_hand(database) as connections:
        with capture_logs() as logs:
            schedule = asyncio.create_task(Schedule(connections, tick_seconds=3600).run())
            await until(lambda: logs)
            schedule.cancel()
    assert [(each["event"], each["status"]) for each in logs] == [("recounted", "completed")]
