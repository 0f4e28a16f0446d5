"""The recount: once a slot whoever asks, finding and repairing what differs, and saying so."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from structlog.testing import capture_logs

import database as database_room
from enrichment.connections import Connections
from enrichment.schedule import Schedule
from tests.conftest import Database
from tests.given import Given, fold
from tests.waiting import until

RECOUNT = "select * from recount_call_stats($1, $2)"
OF_A_CLOCK = "update cron_job_logs set started_at = started_at + $1::interval, finished_at = finished_at + $1::interval"
LAST_CHECKED = "select max(greatest(started_at, finished_at)) from cron_job_logs"
NOON = datetime(2026, 2, 16, 12, 30, tzinfo=UTC)


async def damaged(given: Given, connection: asyncpg.Connection, now: datetime, *days_ago: int) -> None:
    """Calls of these days, each of whose counts somebody has changed by hand."""
    agency = await given.agency()
    for days in days_ago:
        await given.call(agency, started_at=now - timedelta(days=days))
    await fold(connection)
    await connection.execute("update call_stats_folded set total_calls = total_calls + 5")


async def totals(connection: asyncpg.Connection) -> list[int]:
    return [row[0] for row in await connection.fetch("select total_calls from call_stats_daily order by stat_date")]


async def test_damage_of_the_last_seven_days_is_repaired_and_logged(
    given: Given, connection: asyncpg.Connection
) -> None:
    await damaged(given, connection, NOON, 7, 6, 0)
    (run,) = await connection.fetch(RECOUNT, 7, NOON)
    assert (run["job"], run["status"], run["rows"], run["rows_repaired"]) == ("recount_call_stats", "completed", 2, 2)
    assert run["slot"] == datetime(2026, 2, 16, 12, tzinfo=UTC)
    assert run["started_at"] <= run["finished_at"]
    # The one of seven days ago is not among the seven.
    assert await totals(connection) == [6, 1, 1]


async def test_a_slot_is_done_once(given: Given, connection: asyncpg.Connection) -> None:
    await damaged(given, connection, NOON, 0)
    assert len(await connection.fetch(RECOUNT, 7, NOON)) == 1
    assert await connection.fetch(RECOUNT, 7, NOON + timedelta(hours=5, minutes=29)) == []
    (run,) = await connection.fetch(RECOUNT, 7, NOON + timedelta(hours=5, minutes=30))
    assert (run["rows"], run["rows_repaired"]) == (1, 0)
    assert await connection.fetchval("select count(*) from cron_job_logs") == 2


async def test_many_who_ask_at_once_do_it_once(
    given: Given, database: Database, connection: asyncpg.Connection
) -> None:
    await damaged(given, connection, NOON, *range(7))
    askers = [await asyncpg.connect(database.dsn) for _ in range(12)]
    try:
        answers = await asyncio.gather(*(asker.fetch(RECOUNT, 7, NOON) for asker in askers))
    finally:
        for asker in askers:
            await asker.close()
    assert sum(map(len, answers)) == 1
    assert await totals(connection) == [1] * 7


async def test_one_that_died_in_the_middle_leaves_its_slot_to_another(
    given: Given, database: Database, connection: asyncpg.Connection
) -> None:
    await damaged(given, connection, NOON, 0)
    doomed = await asyncpg.connect(database.dsn)
    await doomed.execute("begin")
    assert len(await doomed.fetch(RECOUNT, 7, NOON)) == 1
    assert await connection.fetch(RECOUNT, 7, NOON) == []
    doomed.terminate()
    runs: list[asyncpg.Record] = []

    async def is_done() -> bool:
        runs[:] = await connection.fetch(RECOUNT, 7, NOON)
        return bool(runs)

    await until(is_done)
    assert runs[0]["rows_repaired"] == 1
    assert await connection.fetchval("select count(*) from cron_job_logs") == 1


async def test_one_that_fails_says_why_and_is_tried_again(given: Given, connection: asyncpg.Connection) -> None:
    await damaged(given, connection, NOON, 0)
    await connection.execute("alter table call_stats_folded add constraint broken check (total_calls > 100) not valid")
    (run,) = await connection.fetch(RECOUNT, 7, NOON)
    assert (run["status"], run["rows_repaired"]) == ("failed", 0)
    assert "broken" in run["error"]
    assert await totals(connection) == [6]
    await connection.execute("alter table call_stats_folded drop constraint broken")
    (run,) = await connection.fetch(RECOUNT, 7, NOON)
    assert (run["status"], run["rows_repaired"]) == ("completed", 1)
    assert await totals(connection) == [1]


async def test_counts_that_change_meanwhile_are_not_taken_for_drift(
    given: Given, database: Database, connection: asyncpg.Connection
) -> None:
    agency = await given.agency()
    await given.calls(agency, 50, started_at=NOON)
    stop = asyncio.Event()

    async def write() -> None:
        writer = await asyncpg.connect(database.dsn)
        theirs = Given(writer)
        while not stop.is_set():
            await theirs.calls(agency, 3, started_at=NOON)
            await writer.execute("update calls set disposition = 'voicemail' where random() < 0.2")
        await writer.close()

    writing = asyncio.create_task(write())
    for slot in range(12):
        (run,) = await connection.fetch("select * from recount_call_stats(30000, $1)", NOON + timedelta(hours=6 * slot))
        assert run["rows_repaired"] == 0
    stop.set()
    await writing


async def test_slots_that_a_clock_did_which_was_ahead_are_done_when_they_come(
    given: Given, connection: asyncpg.Connection
) -> None:
    now = datetime.now(UTC)
    ahead = now + timedelta(days=2)
    assert len(await connection.fetch(RECOUNT, 7, ahead)) == 1
    assert await connection.fetch(RECOUNT, 7, ahead) == []
    await connection.execute(OF_A_CLOCK, timedelta(days=2))
    # The clock is right again, and then two days have passed.
    assert len(await connection.fetch(RECOUNT, 7, now)) == 1
    assert await connection.fetchval(LAST_CHECKED) <= datetime.now(UTC)
    await damaged(given, connection, ahead, 0)
    (run,) = await connection.fetch(RECOUNT, 7, ahead)
    assert (run["status"], run["rows_repaired"]) == ("completed", 1)


async def test_a_slot_that_a_clock_did_which_was_ahead_within_it_is_done_again(
    connection: asyncpg.Connection,
) -> None:
    assert len(await connection.fetch(RECOUNT, 7, NOON)) == 1
    await connection.execute(OF_A_CLOCK, timedelta(hours=2))
    assert len(await connection.fetch(RECOUNT, 7, NOON)) == 1
    assert await connection.fetch(RECOUNT, 7, NOON) == []
    assert await connection.fetchval(LAST_CHECKED) <= datetime.now(UTC)


FAILED = (
    "insert into cron_job_logs (job, finished_at, status, error) values ('fold_call_changes', now() + $1, 'failed', $2)"
)


async def test_whether_folds_fail_is_told_by_a_clock_that_was_ahead_neither_way(
    given: Given, connection: asyncpg.Connection
) -> None:
    await connection.execute(FAILED, timedelta(hours=3), "what failed while the clock was ahead, and does no more")
    await given.call(await given.agency())
    await fold(connection)
    failing = "select error from failing_folds"
    assert await connection.fetchval(failing) is None
    await connection.execute(
        "update call_fold set folded_at = now() + interval '3 hours', done_at = now() + interval '3 hours'"
    )
    await given.call(await given.agency())
    await connection.execute(FAILED, timedelta(0), "what fails now")
    assert await connection.fetchval(failing) == "what fails now"


async def test_a_range_of_no_days_is_refused(connection: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.RaiseError, match="days must be 1 or more, not 0"):
        await connection.fetch(RECOUNT, 0, NOON)


async def test_the_schedule_asks_until_it_is_stopped_whatever_it_hears(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    await damaged(given, connection, datetime.now(UTC), 0)
    await connection.execute("alter function recount_call_stats rename to gone")
    with capture_logs() as logs:
        schedule = asyncio.create_task(Schedule(connections, tick_seconds=0.02).run())
        await until(lambda: sum(each["event"] == "the recount failed" for each in logs) >= 3)
    await connection.execute("alter function gone rename to recount_call_stats")

    async def is_repaired() -> bool:
        return await totals(connection) == [1]

    await until(is_repaired)
    assert not schedule.done()
    schedule.cancel()


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
async def test_behind_a_pooler_of_transactions_it_says_its_isolation_itself(
    given: Given, database: Database, connection: asyncpg.Connection, isolation: str
) -> None:
    await damaged(given, connection, datetime.now(UTC), 0)
    await given.calls(await given.agency(), 5)
    name = await connection.fetchval("select current_database()")
    await connection.execute(f"alter database {name} set default_transaction_isolation = '{isolation}'")
    pooled = Connections(database.dsn, pooled=True)
    await pooled.open()
    schedule = asyncio.create_task(Schedule(pooled, tick_seconds=3600).run())
    await until(lambda: connection.fetch("select from cron_job_logs"))
    schedule.cancel()
    await pooled.close()
    assert await connection.fetchval("select string_agg(status, ' ') from cron_job_logs") == "completed"
    assert await connection.fetchval("select count(*) from call_changes") == 0


async def test_the_roles_of_supabases_api_may_neither_recount_nor_read_keys(connection: asyncpg.Connection) -> None:
    async with connection.transaction():
        await connection.execute("create role somebody")
        for function in ("recount_call_stats(integer, timestamptz)", "ultravox_api_key(uuid)"):
            assert not await connection.fetchval("select has_function_privilege('somebody', $1, 'execute')", function)
        await connection.execute("drop role somebody")


async def test_pg_cron_can_ask_instead_of_a_worker(given: Given, connection: asyncpg.Connection) -> None:
    """The extension is in none of the test's servers; what is used of it, as it is documented, stands for it."""
    await connection.execute(
        "create schema cron;"
        "create table cron.job (jobid bigserial, jobname text, schedule text, command text);"
        "create table cron.job_run_details (jobid bigint, start_time timestamptz);"
        "create function cron.schedule(job_name text, schedule text, command text) returns bigint language sql as"
        " $$ insert into cron.job (jobname, schedule, command) values (job_name, schedule, command) returning jobid $$"
    )
    await damaged(given, connection, datetime.now(UTC), 0)
    await connection.execute((Path(database_room.__file__).parent / "sql" / "pg_cron.sql").read_text("utf-8"))
    recount, forget = await connection.fetch("select * from cron.job order by jobid")
    assert (recount["jobname"], recount["schedule"]) == ("recount_call_stats", "* * * * *")
    await connection.execute(recount["command"])
    assert await totals(connection) == [1]
    await connection.execute(
        "insert into cron.job_run_details select j, now() - n * interval '1 day'"
        " from generate_series(1, 3) as j, generate_series(0, 30) as n"
    )
    await connection.execute(forget["command"])
    left = await connection.fetch("select jobid, count(*) from cron.job_run_details group by 1 order by 1")
    assert [tuple(row) for row in left] == [(1, 7), (2, 7), (3, 31)]
