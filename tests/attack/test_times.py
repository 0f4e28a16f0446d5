"""Times that PostgreSQL knows and nobody else does: refused with words, or all of it works."""

from collections.abc import Sequence

import asyncpg
import pytest

from database.rebuild import rebuild
from tests.attack.sessions import assert_all_is_right
from tests.doors import REPORTS
from tests.given import Given
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
where c.table_schema = 'public' and c.data_type in ('timestamp with time zone', 'date')
    and c.table_name in ('agencies', 'users', 'clients', 'campaigns', 'call_batches', 'campaign_contacts', 'calls')
order by 1, 2
"""
# An update sets these anew, so that nothing else can be written into them.
SET_BY_TRIGGERS = {("agencies", "updated_at"), ("calls", "updated_at")}


async def _columns(connection: asyncpg.Connection) -> Sequence[tuple[str, str]]:
    return [tuple(row) for row in await connection.fetch(TIMES)]


@pytest.mark.parametrize("moment", IMPOSSIBLE)
async def test_a_time_that_nobody_can_use_is_refused_with_the_name_of_its_column(
    connection: asyncpg.Connection, given: Given, moment: str
) -> None:
    agency = await given.agency()
    campaign = await given.campaign(agency)
    await given.batch(agency, campaign, {"pending": 1})
    await given.call(agency, campaign_id=campaign)
    columns = await _columns(connection)
    assert ("calls", "started_at") in columns
    assert ("call_batches", "created_at") in columns
    for table, column in columns:
        if (table, column) in SET_BY_TRIGGERS:
            await connection.execute(f"update {table} set {column} = '{moment}'")
            assert await connection.fetchval(
                f"select bool_and({column} between now() - interval '1 hour' and now()) from {table}"
            )
            continue
        with pytest.raises(asyncpg.CheckViolationError, match=f"{table}_{column}_is_1970_to_2199"):
            await connection.execute(f"update {table} set {column} = '{moment}'")
    with pytest.raises(asyncpg.CheckViolationError, match="calls_updated_at_is_1970_to_2199"):
        await connection.execute(f"insert into calls (agency_id, updated_at) values ('{agency}', '{moment}')")


@pytest.mark.parametrize("moment", EXTREME)
async def test_the_first_and_the_last_time_are_counted_recounted_and_shown(
    connection: asyncpg.Connection, gateway: Running, given: Given, moment: str
) -> None:
    agency = await given.agency()
    user = await given.user(agency)
    campaign = await given.campaign(agency)
    batch = await given.batch(agency, campaign, {"pending": 1})
    call = await given.call(agency, campaign_id=campaign, batch_id=batch, objections=[{"text": "No time"}])
    for table, column in await _columns(connection):
        if (table, column) not in SET_BY_TRIGGERS:
            await connection.execute(f"update {table} set {column} = '{moment}'")
    await assert_all_is_right(connection)
    told: list[tuple[int, int]] = []
    await connection.execute("delete from call_stats_folded")
    repaired = await rebuild(
        connection, agency=None, from_day=None, to_day=None, progress=lambda *done: told.append(done)
    )
    assert (repaired, told[-1]) == (1, (1, 1))
    await assert_all_is_right(connection)
    assert await connection.fetchval("select count(*) from recount_call_stats()") == 1
    for report in REPORTS:
        await gateway.rest(report, user)
    day = moment[:10]
    custom = {"period": "custom", "start_date": day, "end_date": day}
    assert (await gateway.rest("overview", user, **custom))["summary"]["total_calls"] == 1
    assert (await gateway.rest("objections", user, **custom))["summary"]["total_objections"] == 1
    batches = (await gateway.rest("campaigns", user))["active_batches"]
    assert [each["created_at"][:10] for each in batches] == [day]
    assert await connection.fetchval("select count(*) from calls where id = $1", call) == 1


async def test_calls_of_the_first_and_the_last_year_are_two_chunks_of_a_rebuild(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    for moment in EXTREME:
        await connection.execute(f"insert into calls (agency_id, started_at) values ('{agency}', '{moment}')")
    told: list[tuple[int, int]] = []
    await rebuild(connection, agency=None, from_day=None, to_day=None, progress=lambda *done: told.append(done))
    assert told[-1] == (2, 2)
