"""`gateway rebuild`: whatever happened to the rollup, afterwards it is what the calls add up to."""

import asyncio
from datetime import UTC, date, datetime
from uuid import uuid4

import asyncpg
import pytest

from database.rebuild import RebuildError, rebuild
from tests.given import damage, fold

DRIFT = "select count(*) from call_stats_drift(null, '2000-01-01', '2100-01-01')"


async def agency_with_calls(connection, *days):
    """An agency with one completed call a minute long on each of these days."""
    agency = await connection.fetchval(
        "insert into agencies (name, slug) values ('An agency', $1) returning id", str(uuid4())
    )
    await call_on(connection, agency, *days)
    return agency


async def call_on(connection, agency, *days):
    await connection.executemany(
        "insert into calls (agency_id, started_at, status, duration_seconds) values ($1, $2, 'completed', 60)",
        [(agency, datetime.fromisoformat(day).replace(tzinfo=UTC)) for day in days],
    )


async def totals(connection):
    rows = await connection.fetch("select stat_date, total_calls from call_stats_daily order by stat_date")
    return {str(row["stat_date"]): row["total_calls"] for row in rows}


async def rebuilt(connection, *, agency=None, from_day=None, to_day=None):
    """The number of rows repaired, and how progress was told."""
    told = []
    repaired = await rebuild(
        connection,
        agency=agency,
        from_day=date.fromisoformat(from_day) if from_day else None,
        to_day=date.fromisoformat(to_day) if to_day else None,
        progress=lambda done, total: told.append((done, total)),
    )
    return repaired, told


async def test_an_empty_database_has_nothing_to_rebuild(connection):
    assert await rebuilt(connection) == (0, [(0, 0)])


async def test_a_rollup_that_is_right_is_left_alone(connection):
    await agency_with_calls(connection, "2026-02-10", "2026-02-11")
    await fold(connection)
    touched = await connection.fetch("select ctid, xmin from call_stats_folded")
    assert await rebuilt(connection) == (0, [(0, 1), (1, 1)])
    assert await connection.fetch("select ctid, xmin from call_stats_folded") == touched


async def test_lost_wrong_and_invented_rows_are_repaired_from_the_first_day_to_the_last(connection):
    agency = await agency_with_calls(connection, "2026-02-10", "2026-02-11", "2026-02-11")
    await fold(connection)
    await connection.execute("delete from call_stats_folded where stat_date = '2026-02-10'")
    await connection.execute("update call_stats_folded set total_calls = 7, total_duration_seconds = 1")
    for day in (date(2025, 12, 31), date(2026, 3, 1)):
        await damage(
            connection,
            "insert into call_stats_folded (agency_id, stat_date, total_calls) values ($1, $2, 3)",
            agency,
            day,
        )
    repaired, told = await rebuilt(connection)
    assert repaired == 4
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]  # December, February and March
    assert await totals(connection) == {"2026-02-10": 1, "2026-02-11": 2}
    assert await connection.fetchval(DRIFT) == 0


async def test_what_was_found_is_repaired_as_well(connection):
    agency = await agency_with_calls(connection, "2026-02-10")
    await connection.execute("""update calls set objections = '[{"text": "No time"}]'""")
    await fold(connection)
    await connection.execute("delete from call_findings_folded")
    await connection.execute("update agency_findings_folded set count = 9")
    assert (await rebuilt(connection))[0] == 2
    assert await connection.fetchval("select count(*) from call_findings_drift(null, '2000-01-01', '2100-01-01')") == 0
    await connection.execute("delete from agencies where id = $1", agency)
    await damage(
        connection,
        "insert into agency_findings_folded (agency_id, stat_date, kind, text, text_key, count, handled)"
        " values ($1, '2025-02-10', 'signal', 'Of a time that is gone', text_key('gone'), 1, 0)",
        agency,
    )
    assert (await rebuilt(connection, agency=agency))[0] == 1
    assert await connection.fetchval("select count(*) from agency_findings_folded") == 0


async def test_an_agencys_hours_are_repaired_as_well(connection):
    agency = await agency_with_calls(connection, "2026-02-10", "2026-02-11")
    await fold(connection)
    await connection.execute("delete from agency_hours_folded where stat_date = '2026-02-10'")
    await connection.execute("update agency_hours_folded set total_calls_by_hour[3] = 9")
    assert (await rebuilt(connection))[0] == 2
    assert await connection.fetchval("select count(*) from agency_hours_drift(null, '2000-01-01', '2100-01-01')") == 0
    await connection.execute("delete from agencies where id = $1", agency)
    await fold(connection)
    await damage(
        connection,
        "insert into agency_hours_folded values ($1, '2025-02-10', array_fill(2, '{24}'), array_fill(0, '{24}'),"
        " array_fill(0, '{24}'))",
        agency,
    )
    assert (await rebuilt(connection, agency=agency))[0] == 1
    assert await connection.fetchval("select count(*) from agency_hours_folded") == 0


async def test_counts_of_an_agency_that_is_gone_are_cleared(connection):
    gone = uuid4()
    await damage(
        connection,
        "insert into call_stats_folded (agency_id, stat_date, total_calls) values ($1, '2026-02-10', 3)",
        gone,
    )
    assert (await rebuilt(connection, agency=gone))[0] == 1
    assert await totals(connection) == {}


async def test_only_the_days_that_were_asked_for_are_rebuilt(connection):
    await agency_with_calls(connection, "2026-01-31", "2026-02-01", "2026-02-28", "2026-03-01")
    await fold(connection)
    await connection.execute("update call_stats_folded set total_calls = 9")
    assert await rebuilt(connection, from_day="2026-02-01", to_day="2026-02-28") == (2, [(0, 1), (1, 1)])
    assert await totals(connection) == {"2026-01-31": 9, "2026-02-01": 1, "2026-02-28": 1, "2026-03-01": 9}
    assert (await rebuilt(connection, from_day="2026-03-01"))[0] == 1
    assert (await rebuilt(connection, to_day="2026-01-31"))[0] == 1
    assert await connection.fetchval(DRIFT) == 0


async def test_days_without_anything_are_no_error(connection):
    await agency_with_calls(connection, "2026-02-01")
    assert await rebuilt(connection, from_day="2030-01-01", to_day="2030-12-31") == (0, [(0, 0)])


async def test_only_the_agency_that_was_asked_for_is_rebuilt(connection):
    ours, theirs = [await agency_with_calls(connection, "2026-02-10") for _ in range(2)]
    await fold(connection)
    await connection.execute("update call_stats_folded set total_calls = 9")
    assert (await rebuilt(connection, agency=ours))[0] == 1
    left = await connection.fetch("select agency_id from call_stats_folded where total_calls = 9")
    assert [row["agency_id"] for row in left] == [theirs]


async def test_an_agency_that_nobody_knows_is_an_error(connection):
    stranger = uuid4()
    with pytest.raises(RebuildError, match=f"there is no agency {stranger}"):
        await rebuilt(connection, agency=stranger)


async def test_days_the_wrong_way_round_are_an_error(connection):
    with pytest.raises(RebuildError, match="is after the last"):
        await rebuilt(connection, from_day="2026-02-02", to_day="2026-02-01")


async def test_an_open_transaction_is_refused_because_each_chunk_is_one(connection):
    async with connection.transaction():
        with pytest.raises(RebuildError, match="a transaction is open"):
            await rebuilt(connection)


async def test_what_was_done_stays_done_when_it_is_interrupted(connection):
    await agency_with_calls(connection, "2026-01-10", "2026-02-10")
    await fold(connection)
    await connection.execute("update call_stats_folded set total_calls = 9")

    def interrupt(done, _total):
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await rebuild(connection, agency=None, from_day=None, to_day=None, progress=interrupt)
    assert await totals(connection) == {"2026-01-10": 1, "2026-02-10": 9}


async def test_calls_that_arrive_meanwhile_are_counted_once(connection, database):
    agency = await agency_with_calls(connection, *(f"2026-{month:02}-10" for month in range(1, 13)))
    await fold(connection)
    await connection.execute("update call_stats_folded set total_calls = total_calls + 5")

    async def keep_calling():
        other = await asyncpg.connect(database.dsn)
        try:
            for _ in range(10):
                for month in range(1, 13):
                    await call_on(other, agency, f"2026-{month:02}-10")
        finally:
            await other.close()

    _, (repaired, _) = await asyncio.gather(keep_calling(), rebuilt(connection))
    assert repaired == 12
    assert set((await totals(connection)).values()) == {11}
    assert await connection.fetchval(DRIFT) == 0
