"""Times that PostgreSQL knows and nobody else does: refused with words, or all of it works."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from database.rebuild import rebuild
from enrichment.statements import SQL
from tests.attack.sessions import assert_all_is_right
from tests.doors import REPORTS
from tests.given import Given, fold
from tests.running import Running

IMPOSSIBLE = (
    "infinity",
    "-infinity",
    "0001-01-01 00:00:00+01",
    "0044-03-15 12:00:00+00 BC",
    "1969-12-31 23:59:59.999999+00",
    "2200-01-01 00:00:00+00",
    "10000-01-01 00:00:00+00",
    "294276-12-31 00:00:00+00",
)
EXTREME = ("1970-01-01 00:00:00+00", "2199-12-31 23:59:59.999999+00")
TIMES = """
select c.table_name::text, c.column_name::text
from information_schema.columns as c
inner join information_schema.tables as t using (table_schema, table_name)
where c.table_schema = 'public' and t.table_type = 'BASE TABLE'
    and c.data_type in ('timestamp with time zone', 'timestamp without time zone', 'date')
order by 1, 2
"""
# An update sets these anew, so that nothing else can be written into them.
SET_BY_TRIGGERS = {("agencies", "updated_at"), ("calls", "updated_at"), ("agency_keys", "updated_at")}
# Nobody writes these but triggers and folds: of times that are checked in the calls, or of the server's own.
MADE_BY_FOLDS = {
    *(("call_changes", name) for name in ("changed_at", "started_at")),
    *(("call_fold", name) for name in ("done_at", "folded_at", "written_at")),
}
# Whatever is written there by hand is damage, found and mended as such.
ROLLUPS = ("call_stats_folded", "agency_hours_folded", "call_findings_folded", "agency_findings_folded")


async def _columns(connection: asyncpg.Connection) -> Sequence[tuple[str, str]]:
    """Those that somebody else than the counting itself fills."""
    every = [tuple(row) for row in await connection.fetch(TIMES)]
    assert set(every) >= SET_BY_TRIGGERS | MADE_BY_FOLDS
    return [each for each in every if each not in MADE_BY_FOLDS]


async def _fill(connection: asyncpg.Connection, given: Given) -> UUID:
    """A row in every table that has a time; gives the agency's id."""
    agency = await given.agency()
    campaign = await given.campaign(agency)
    batch = await given.batch(agency, campaign, {"pending": 1})
    await given.call(agency, campaign_id=campaign, batch_id=batch, objections=[{"text": "No time"}])
    await fold(connection)
    await given.call(agency, analysis_status="pending", campaign_id=campaign)
    await connection.execute("select recount_call_stats()")
    await connection.execute("insert into agency_keys (agency_id, ultravox_api_key) values ($1, 'key')", agency)
    await connection.execute(
        "insert into analysis_usage (agency_id, call_id, model, input_tokens, output_tokens)"
        " values ($1, gen_random_uuid(), 'model', 1, 1)",
        agency,
    )
    return agency


@pytest.mark.parametrize("moment", IMPOSSIBLE)
async def test_a_time_that_nobody_can_use_is_refused_with_the_name_of_its_column(
    connection: asyncpg.Connection, given: Given, moment: str
) -> None:
    agency = await _fill(connection, given)
    columns = await _columns(connection)
    assert {"calls", "call_batches", "cron_job_logs", "enrichment_queue", *ROLLUPS} <= {table for table, _ in columns}
    for table, column in columns:
        if (table, column) in SET_BY_TRIGGERS:
            await connection.execute(f"update {table} set {column} = '{moment}'")
            assert await connection.fetchval(
                f"select bool_and({column} between now() - interval '1 hour' and now()) from {table}"
            )
            continue
        name = f"{table}_{column}_" + ("check" if column == "stat_date" else "is_1970_to_2199")
        with pytest.raises(asyncpg.CheckViolationError, match=name):
            await connection.execute(f"update {table} set {column} = '{moment}'")
    await connection.execute("delete from agency_keys")
    for table, column, more in (
        ("calls", "agency_id", f"'{agency}'"),
        ("agencies", "name, slug", "'Other', 'other'"),
        ("agency_keys", "agency_id, ultravox_api_key", f"'{agency}', 'key'"),
    ):
        with pytest.raises(asyncpg.CheckViolationError, match=f"{table}_updated_at_is_1970_to_2199"):
            await connection.execute(f"insert into {table} ({column}, updated_at) values ({more}, '{moment}')")


@pytest.mark.parametrize("moment", EXTREME)
async def test_the_first_and_the_last_time_are_counted_recounted_and_shown(
    connection: asyncpg.Connection, gateway: Running, given: Given, moment: str
) -> None:
    agency = await _fill(connection, given)
    user = await given.user(agency)
    for table, column in await _columns(connection):
        if (table, column) not in SET_BY_TRIGGERS and table not in ROLLUPS:
            await connection.execute(f"update {table} set {column} = '{moment}'")
    await assert_all_is_right(connection)
    told: list[tuple[int, int]] = []
    await connection.execute("delete from call_stats_folded")
    repaired = await rebuild(
        connection, agency=None, from_day=None, to_day=None, progress=lambda *done: told.append(done)
    )
    assert (repaired, told[-1]) == (1, (1, 1))
    (state,) = await connection.fetch(SQL["queue_state"])
    assert state["due"] + state["later"] == 1
    await assert_all_is_right(connection)
    assert await connection.fetchval("select count(*) from recount_call_stats()") == 1
    for report in REPORTS:
        await gateway.rest(report, user)
    day = moment[:10]
    custom = {"period": "custom", "start_date": day, "end_date": day}
    assert (await gateway.rest("overview", user, **custom))["summary"]["total_calls"] == 2
    assert (await gateway.rest("objections", user, **custom))["summary"]["total_objections"] == 1
    batches = (await gateway.rest("campaigns", user))["active_batches"]
    assert [each["created_at"][:10] for each in batches] == [day]
    fresh = await gateway.graphql("{ freshness { lastChangedAt lastCheckedAt } }", user)
    # The recount has been now, and takes one of later for one by a clock that was ahead.
    assert fresh["freshness"]["lastCheckedAt"][:10] <= f"{datetime.now(UTC):%Y-%m-%d}"


async def test_calls_of_the_first_and_the_last_year_are_two_chunks_of_a_rebuild(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    for moment in EXTREME:
        await connection.execute(f"insert into calls (agency_id, started_at) values ('{agency}', '{moment}')")
    told: list[tuple[int, int]] = []
    await rebuild(connection, agency=None, from_day=None, to_day=None, progress=lambda *done: told.append(done))
    assert told[-1] == (2, 2)
