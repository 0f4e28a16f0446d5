"""A database with calls, rollups and open jobs as release 0008 left it, migrated: nothing is lost or counted twice."""

import asyncio
import shutil

import asyncpg
import pytest

from database import migrate as module
from database.migrate import migrate
from tests.agreement import findings
from tests.agreement.test_rollup import assert_it_is_a_recount

FILL = """
insert into agencies (name, slug) select 'Agency ' || n, 'agency-' || n from generate_series(1, 2) as n;
insert into clients (agency_id, name) select id, 'Client' from agencies;
insert into campaigns (agency_id, client_id, name) select agency_id, id, 'Campaign' from clients;
insert into calls (
    agency_id, client_id, campaign_id, ultravox_call_id, status, started_at, joined_at, duration_seconds, transcript,
    disposition, analysis_status, talk_ratio, objections, buying_signals
)
select
    c.agency_id, case when n % 3 > 0 then c.client_id end, case when n % 2 > 0 then c.id end, 'call ' || n, 'completed',
    '2026-02-10 00:00Z'::timestamptz + n * interval '97 min', case when n % 5 > 0 then now() end, n,
    '[{"role": "user", "text": "Yes", "start_ms": 0, "end_ms": 1}]', (enum_range(null::call_disposition))[1 + n % 9],
    case when n % 4 > 0 then 'completed' else 'pending' end::enrichment_status, 0.25,
    case when n % 4 > 1 then format('[{"text": "No  %s", "handled": true}]', n % 3) else '[]' end::jsonb,
    case when n % 4 > 2 then '[{"text": "When?"}]' else '[]' end::jsonb
from campaigns as c, generate_series(1, 200) as n;
"""
DAILY = """
select stat_date, agency_id, campaign_id, client_id, total_calls, connected_calls, talk_ratio_sum, avg_duration_seconds
from call_stats_daily order by 1, 2, 3, 4
"""
JOBS = "select call_id, job_type, status, attempts, created_at from enrichment_queue order by call_id"


@pytest.fixture
async def connection(empty_database):
    connection = await asyncpg.connect(empty_database.dsn, statement_cache_size=0)
    yield connection
    await connection.close()


async def test_what_stands_at_0008_is_there_afterwards_and_all_agrees(
    empty_database, connection, monkeypatch, tmp_path
):
    for path in sorted(module.MIGRATIONS.glob("*.sql"))[:8]:
        shutil.copy(path, tmp_path)
    with monkeypatch.context() as before:
        before.setattr(module, "MIGRATIONS", tmp_path)
        assert len(await asyncio.to_thread(migrate, empty_database.dsn)) == 8
    await connection.execute(FILL)
    daily, jobs = await connection.fetch(DAILY), await connection.fetch(JOBS)
    assert len(daily) > 30
    assert len(jobs) > 60
    assert (await asyncio.to_thread(migrate, empty_database.dsn))[0].startswith("0009")
    assert await connection.fetch(DAILY) == daily
    assert await connection.fetch(JOBS) == jobs
    await assert_it_is_a_recount(connection)
    await findings.assert_it_is_a_recount(connection)
    await connection.execute(
        "update calls set disposition = 'appointment_booked', started_at = started_at - interval '1 d'"
    )
    await connection.execute("delete from calls where duration_seconds < 20")
    await assert_it_is_a_recount(connection)
    await findings.assert_it_is_a_recount(connection)


async def test_writers_between_the_files_are_counted_too(empty_database, connection, monkeypatch, tmp_path):
    """Whoever writes goes on, also when the last files are applied only later."""
    files = sorted(module.MIGRATIONS.glob("*.sql"))
    for path in files[:12]:
        shutil.copy(path, tmp_path)
    with monkeypatch.context() as before:
        before.setattr(module, "MIGRATIONS", tmp_path)
        await asyncio.to_thread(migrate, empty_database.dsn)
        await connection.execute(FILL)
        await connection.execute("update calls set emails_sent = 2 where duration_seconds > 50")
        assert await connection.fetchval("select sum(total_calls) from call_stats_daily") == 400
    await asyncio.to_thread(migrate, empty_database.dsn)
    assert await connection.fetchval("select sum(total_calls) from call_stats_daily") == 400
    await assert_it_is_a_recount(connection)
    await findings.assert_it_is_a_recount(connection)
