"""What the rollup of findings must hold, counted anew from the calls by SQL and spelling of its own."""

from collections import Counter
from typing import Any

import asyncpg

from tests.given import fold
from tests.texts import spelling

EVER = "'2000-01-01', '2100-01-01'"
DRIFT = f"select count(*) from call_findings_drift(null, {EVER})"
REPAIR = f"select repair_call_stats(null, {EVER})"
ROLLUPS = {
    "call_findings_folded": "agency_id, campaign_id, client_id, stat_date",
    "agency_findings_folded": "agency_id, stat_date",
}
RAW = """
select
    agency_id, campaign_id, client_id, (started_at at time zone 'UTC')::date as stat_date, kind,
    element ->> 'text' as written, kind = 'objection' and element -> 'handled' = 'true' as handled
from (
    select *, 'objection' as kind, jsonb_array_elements(objections) as element from calls
    union all
    select *, 'signal', jsonb_array_elements(buying_signals) from calls
) as elements
where element ->> 'text' is not null
"""


async def assert_it_is_a_recount(connection: asyncpg.Connection) -> None:
    """Both tables are what the calls say, by their own account and by another: with what waits, and without it."""
    await _assert_it_is_a_recount(connection)
    await fold(connection)
    await _assert_it_is_a_recount(connection)
    for table in ROLLUPS:
        assert not await connection.fetchval(f"select count(*) from {table} where count <= 0")


async def _assert_it_is_a_recount(connection: asyncpg.Connection) -> None:
    written = await connection.fetch(RAW)
    for table, keys in ROLLUPS.items():
        columns = f"{keys}, kind, text"
        rows = await connection.fetch(
            f"select {keys}, kind::text, text, sum(count)::bigint, sum(handled)::bigint from ("
            f"select {columns}, count, handled from {table} union all"
            f" select {columns}, count, handled from pending_call_findings"
            f") as parts group by {columns} having sum(count) <> 0"
        )
        assert not await connection.fetchval(f"select count(*) from {table} as f where f.text_key <> text_key(f.text)")
        counted: Counter[tuple[Any, ...]] = Counter()
        handled: Counter[tuple[Any, ...]] = Counter()
        for each in written:
            if text := spelling(each["written"]):
                key = (*(each[name] for name in keys.split(", ")), each["kind"], text)
                counted[key] += 1
                handled[key] += bool(each["handled"])
        assert {tuple(row)[:-2]: tuple(row)[-2:] for row in rows} == {
            key: (number, handled[key]) for key, number in counted.items()
        }
    assert await connection.fetchval(DRIFT) == 0
