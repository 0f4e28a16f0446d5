"""Damage of the rollups by hand: found by what `gateway reconcile` asks, and mended by one repair."""

import random
from datetime import date

import asyncpg

from tests.attack.sessions import DRIFT
from tests.given import damage

EVER = (date(1970, 1, 1), date(2199, 12, 31))
REPAIR = "select repair_call_stats(null, $1, $2)"
COUNTERS = (
    *("total_calls", "completed_calls", "meetings_booked", "total_duration_seconds", "total_objections_handled"),
    *("emails_sent", "talk_ratio_sum", "script_adherence_calls", "analyzed_connected_calls"),
)
HOURS = ("total_calls_by_hour", "connected_calls_by_hour", "meetings_booked_by_hour")


def _updates(chance: random.Random) -> dict[str, list[str]]:
    """What may be done to one row of each table."""
    by, hour = chance.choice((-7, -1, 1, 1000)), chance.randint(1, 24)
    nobody = "gen_random_uuid()"
    elsewhere = [f"agency_id = {nobody}", "stat_date = '2100-01-01'"]
    narrower = [f"campaign_id = {nobody}", f"client_id = {nobody}"]
    hours = [f"{name}[{hour}] = {name}[{hour}] + {by}" for name in HOURS]
    found = [f"count = count + {by}", f"handled = handled + {by}", "text = text || ' indeed'"]
    return {
        "call_stats_folded": [*elsewhere, *narrower, *hours, *(f"{name} = {name} + {by}" for name in COUNTERS)],
        "agency_hours_folded": [*elsewhere, *hours],
        "call_findings_folded": [*elsewhere, *narrower, *found],
        "agency_findings_folded": [*elsewhere, *found],
    }


INSERTS = (
    "insert into call_stats_folded (agency_id, stat_date, sms_sent) values (gen_random_uuid(), '2026-02-16', 2)",
    "insert into call_stats_folded (agency_id, stat_date, total_calls) values (gen_random_uuid(), '2026-02-16', -1)",
    "insert into agency_hours_folded values (gen_random_uuid(), '2026-02-16', array_fill(1, '{24}'),"
    " array_fill(0, '{24}'), array_fill(0, '{24}'))",
    "insert into agency_findings_folded"
    " values (gen_random_uuid(), gen_random_uuid(), 1, 0, '2026-02-16', 'signal', 'So')",
)


async def damage_and_mend(connection: asyncpg.Connection, chance: random.Random, times: int = 4) -> None:
    """Several rows, one after the other; each time the damage is all that is found, and one repair mends it."""
    for _ in range(times):
        table, sets = chance.choice(list(_updates(chance).items()))
        row = f"(select ctid from {table} order by ctid offset {chance.randint(0, 3)} limit 1)"
        statement = chance.choice(
            (
                f"delete from {table} where ctid = {row}",
                f"update {table} set {chance.choice(sets)} where ctid = {row}",
                chance.choice(INSERTS),
            )
        )
        if statement.startswith("insert"):
            await damage(connection, statement)
        elif await connection.execute(statement) in ("DELETE 0", "UPDATE 0"):
            continue
        assert await connection.fetch(DRIFT, *EVER), statement
        assert await connection.fetchval(REPAIR, *EVER) > 0, statement
        assert await connection.fetch(DRIFT, *EVER) == [], statement
