"""Calls are counted the same, whether they arrive alone, together or among other changes of one transaction."""

import asyncpg

from tests.agreement.test_rollup import assert_it_is_a_recount
from tests.given import NOW, Given

ARRIVALS = """
insert into calls (
    agency_id, status, direction, started_at, joined_at, duration_seconds, end_reason, disposition, transcript_status
)
select $1, s, d, $2::timestamptz + n * interval '25 minutes', case when j then $2 end, 60, r, p, 'pending'
from unnest('{initiated,completed,failed}'::call_status[]) as s, unnest('{inbound,outbound}'::call_direction[]) as d,
    unnest('{t,f}'::boolean[]) as j, unnest('{hangup,voicemail}'::text[]) as r,
    unnest('{voicemail,no_answer,null}'::call_disposition[]) as p, generate_series(1, 2) as n
"""


async def test_arrivals_are_counted_alone_together_and_among_other_changes(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await connection.execute(ARRIVALS, agency, NOW)
    await assert_it_is_a_recount(connection)
    together = await connection.fetchval("select sum(total_calls)::integer from call_stats_daily")
    for _ in range(2):  # the second finds its row
        for place in range(together):
            await connection.execute(f"{ARRIVALS} offset {place} limit 1", agency, NOW)
        await assert_it_is_a_recount(connection)
    assert await connection.fetchval("select sum(total_calls)::integer from call_stats_daily") == 3 * together
    async with connection.transaction():
        await connection.execute(f"{ARRIVALS} limit 1", agency, NOW)
        await connection.execute("savepoint before")
        await connection.execute(ARRIVALS, agency, NOW)
        await connection.execute("rollback to before")
        await connection.execute("update calls set sentiment = 'positive' where direction = 'inbound'")
        await connection.execute("update calls set started_at = started_at + interval '1 day' where status = 'failed'")
        await given.call(agency)
    await assert_it_is_a_recount(connection)
    await connection.execute("delete from calls")
    await assert_it_is_a_recount(connection)
