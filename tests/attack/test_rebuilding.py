"""A rebuild reads what it needs and no more, goes on past what fails, and ends with whoever asked for it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from database import rebuild as rebuilding
from database.rebuild import RebuildError, rebuild
from tests.attack.sessions import POISON, SLOW, assert_all_is_right, session
from tests.conftest import Database
from tests.given import NOW, Given, damage, fold
from tests.waiting import PATIENCE, until

AGENCIES, EACH = 40, 2_500
# Loaded as somebody else's million would be: without a word about them in the log.
FILL = f"""
alter table calls disable trigger user;
insert into agencies (name, slug) select 'Agency', 'filled-' || n from generate_series(1, {AGENCIES}) as n;
insert into calls (agency_id, started_at, status, objections)
select a.id, '2025-11-01 00:00Z'::timestamptz + n * interval '1 hour', 'completed', '[{{"text": "No time"}}]'
from agencies as a, generate_series(1, {EACH}) as n
order by n, a.id;
alter table calls enable trigger user;
alter table calls enable replica trigger calls_log_row;
"""
DRIFTS = ("call_stats_drift", "agency_hours_drift", "call_findings_drift")
WAITS = "select wait_event_type = 'Lock' from pg_stat_activity where pid = $1"
HOLD = "select pg_advisory_lock(hashtextextended('fold_call_changes', 0))"


def _buffers(plan: Any) -> int:
    return plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]


async def test_the_month_of_one_agency_is_read_by_its_index(connection: asyncpg.Connection) -> None:
    await connection.execute(FILL)
    await connection.execute("vacuum analyze calls")
    agency = await connection.fetchval("select id from agencies order by id limit 1")
    whole = await connection.fetchval("select pg_relation_size('calls') / 8192")
    for function in DRIFTS:
        await connection.fetch(f"select * from {function}($1, $2, $3)", agency, date(2026, 1, 1), date(2026, 1, 31))
        # Six times, because a plan that is made for all may be taken from the sixth on.
        for _ in range(6):
            asked = f"explain (analyze, buffers, format json) select count(*) from {function}($1, $2, $3)"
            (plan,) = json.loads(await connection.fetchval(asked, agency, date(2026, 1, 1), date(2026, 1, 31)))
            # 744 calls of 100,000, each on a page of its own, and what leads to them.
            assert _buffers(plan) < 2_000 < whole, function
    # A repair writes what is missing, and reads no more for it than the three together.
    asked = "explain (analyze, buffers, format json) select repair_call_stats($1, '2026-01-01', '2026-01-31')"
    (plan,) = json.loads(await connection.fetchval(asked, agency))
    assert _buffers(plan) < 12_000


# Among them what a lost connection may look like elsewhere: cancelled, a deadlock, a full disk, too little memory.
@pytest.mark.parametrize("errcode", ["P0001", "57014", "40001", "40P01", "53100", "53200", "55P03", "P0004"])
async def test_months_that_cannot_be_rebuilt_are_named_after_all_others_were(
    connection: asyncpg.Connection, given: Given, errcode: str
) -> None:
    sick, well = sorted((await given.agency(), await given.agency()))
    for agency in (sick, well):
        await given.call(agency)
    await fold(connection)
    await connection.execute("update call_stats_folded set emails_sent = 3")
    await connection.execute(POISON.format(agency=sick, errcode=errcode))
    told: list[tuple[int, int]] = []
    with pytest.raises(RebuildError, match=f"1 of 2 months could not be rebuilt.*agency {sick}, .*poisoned"):
        await rebuild(connection, agency=None, from_day=None, to_day=None, progress=lambda *done: told.append(done))
    assert told[-1] == (2, 2)
    left = await connection.fetch("select agency_id from call_stats_folded where emails_sent > 0")
    assert [row["agency_id"] for row in left] == [sick]
    await connection.execute("drop trigger poison on call_stats_folded")
    await rebuild(connection, agency=None, from_day=None, to_day=None, progress=lambda *_: None)
    await assert_all_is_right(connection)


async def test_a_row_that_somebody_holds_is_waited_for_a_while_and_stops_no_other_month(
    database: Database, connection: asyncpg.Connection, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "HELD_ROW_SECONDS", 1)
    held, well = sorted((await given.agency(), await given.agency()))
    for agency in (held, well):
        await given.call(agency)
    await fold(connection)
    await connection.execute("update call_stats_folded set emails_sent = 3")
    async with session(database) as holder:
        await holder.execute(f"begin; select * from call_stats_folded where agency_id = '{held}' for update")
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(
                RebuildError, match=f"1 of 2 months could not be rebuilt.*agency {held}, .*lock timeout"
            ):
                await rebuild(connection, agency=None, from_day=None, to_day=None, progress=lambda *_: None)
        await holder.execute("rollback")
    assert await rebuild(connection, agency=None, from_day=None, to_day=None, progress=lambda *_: None) == 1
    await assert_all_is_right(connection)


async def test_a_turn_is_waited_for_longer_than_a_row(
    database: Database, connection: asyncpg.Connection, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recount, or another rebuild, may be at a month of very many calls, which is no failure of this one."""
    monkeypatch.setattr(rebuilding, "HELD_ROW_SECONDS", 1)
    await given.call(await given.agency())
    async with session(database) as other:
        await other.execute(HOLD)
        going = asyncio.create_task(
            rebuild(connection, agency=None, from_day=None, to_day=None, progress=lambda *_: None)
        )
        await until(lambda: other.fetchval(WAITS, connection.get_server_pid()))
        await asyncio.sleep(2)
        assert not going.done()
    await going


@pytest.mark.parametrize(
    "slow",
    [
        SLOW.format(seconds=6, rollup="call_stats_folded"),
        "alter table agencies rename to agencies_at_once;"
        "create view agencies as select a.* from agencies_at_once as a cross join pg_sleep(6)",
    ],
    ids=["a month", "finding the months"],
)
async def test_a_roles_time_limit_is_none_for_a_rebuild(
    connection: asyncpg.Connection, given: Given, slow: str
) -> None:
    agency = await given.agency()
    await given.call(agency)
    await fold(connection)
    await connection.execute("update call_stats_folded set emails_sent = 3")
    await connection.execute(slow)
    # It falls on what is not slowed down too.
    await connection.execute("set statement_timeout = '3s'")
    assert await rebuild(connection, agency=agency, from_day=None, to_day=None, progress=lambda *_: None) == 1
    assert await connection.fetchval("show statement_timeout") == "3s"
    assert await connection.fetchval("select sum(emails_sent) from call_stats_folded") == 0


async def test_a_rebuild_without_its_connection_ends(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    """None of the chunks that are left is said to have failed."""
    for _ in range(3):
        await given.call(await given.agency())
    async with session(database) as losing:
        pid = losing.get_server_pid()
        told: list[int] = []

        def end(done: int, _: int) -> None:
            told.append(done)

        await connection.execute(HOLD)
        going = asyncio.create_task(rebuild(losing, agency=None, from_day=None, to_day=None, progress=end))
        await until(lambda: connection.fetchval(WAITS, pid))
        await connection.execute("select pg_terminate_backend($1)", pid)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)) as caught:
            await going
    assert not isinstance(caught.value, RebuildError)
    assert max(told) <= 1


async def test_the_chunks_of_one_agency_are_found_without_reading_the_others(connection: asyncpg.Connection) -> None:
    await connection.execute(FILL)
    await connection.execute("select repair_call_stats(null, '1970-01-01', '2199-12-31')")
    await connection.execute("vacuum analyze")
    agency = await connection.fetchval("select id from agencies order by id limit 1")
    chunks = (Path(rebuilding.__file__).parent / "sql" / "rebuild_chunks.sql").read_text("utf-8")
    months = await connection.fetch(chunks, agency, None, None)
    assert {row["agency_id"] for row in months} == {agency}
    every = await connection.fetch(chunks, None, None, None)
    assert len(every) == AGENCIES * len(months)
    (plan,) = json.loads(
        await connection.fetchval(f"explain (analyze, buffers, format json) {chunks}", agency, None, None)
    )
    read: Counter[str] = Counter()
    for name, rows in _rows_read(plan["Plan"]):
        read[name] += int(rows)
    for table in ("call_stats_folded", "agency_hours_folded", "call_findings_folded", "agency_findings_folded"):
        whole = await connection.fetchval(f"select count(*) from {table}")
        assert read[table] <= 2 * whole / AGENCIES, (table, read[table], whole)
    some = await connection.fetch(chunks, agency, date(2026, 1, 15), date(2026, 2, 3))
    assert [(row["from_day"], row["to_day"]) for row in some] == [
        (date(2026, 1, 15), date(2026, 1, 31)),
        (date(2026, 2, 1), date(2026, 2, 3)),
    ]


def _rows_read(plan: Any) -> Iterator[tuple[str, float]]:
    """How many rows of each table a plan has met, those that it left out among them."""
    if "Relation Name" in plan:
        met = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
        yield plan["Relation Name"], met * plan["Actual Loops"]
    for each in plan.get("Plans", ()):
        yield from _rows_read(each)


async def test_invented_rows_of_any_day_stop_no_rebuild(connection: asyncpg.Connection, given: Given) -> None:
    agency = await given.agency()
    await given.call(agency)
    await fold(connection)
    for day in ("1970-01-01", "2199-12-31"):
        await damage(
            connection,
            "insert into call_stats_folded (agency_id, stat_date, total_calls) values ($1, $2::text::date, 3)",
            agency,
            day,
        )
    for day in ("infinity", "-infinity", "0001-01-01 BC", "2200-01-01"):
        with pytest.raises(asyncpg.CheckViolationError):
            await damage(
                connection,
                "insert into call_stats_folded (agency_id, stat_date, total_calls) values ($1, $2::text::date, 3)",
                agency,
                day,
            )
    repaired = await rebuild(connection, agency=None, from_day=None, to_day=None, progress=lambda *_: None)
    assert repaired == 2
    await assert_all_is_right(connection)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
async def test_a_rebuild_ends_with_its_client(
    database: Database, connection: asyncpg.Connection, given: Given, how: signal.Signals
) -> None:
    await given.call(await given.agency(), started_at=NOW)
    async with session(database) as holder:
        # It has to wait for its turn, so it is at work as long as we like.
        await holder.execute(HOLD)
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "rebuild"],
            env={**os.environ, "DATABASE_URL": database.dsn},
            cwd=Path.cwd(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            waiting = (
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            )

            async def is_at_work() -> bool:
                assert process.poll() is None
                return await connection.fetchval(waiting) > 0

            async def has_ended() -> bool:
                return await connection.fetchval(waiting) == 0

            await until(is_at_work)
            process.send_signal(how)
            await until(has_ended)
            assert await asyncio.to_thread(process.wait, PATIENCE) != 0
        finally:
            process.kill()
            process.wait()
    assert isinstance(await connection.fetchval("select id from agencies"), UUID)
