"""The rollup of what was found in calls: kept with the call, by writers who never deadlock, and mended when damaged."""

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import uuid4

import asyncpg
import pytest

from tests.agreement.findings import DRIFT, EVER, REPAIR, ROLLUPS, assert_it_is_a_recount
from tests.conftest import Database
from tests.given import NOW, Given, damage, fold

DAYS = [NOW.replace(hour=0) - timedelta(days=days) for days in range(3)]


def found(*texts: str) -> str:
    return json.dumps([{"text": text, "handled": True} for text in texts])


async def test_writers_that_mix_calls_with_findings_and_without_never_deadlock(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    """They share few days and texts, begin with one kind of call or the other, and change calls in any order."""
    agency = await given.agency()

    async def write(number: int) -> None:
        chance = random.Random(f"writer {number}")  # noqa: S311
        own = await asyncpg.connect(database.dsn, server_settings={"lock_timeout": "60s"})
        try:
            for _ in range(60):
                async with own.transaction():
                    for _ in range(chance.randint(1, 6)):
                        texts = chance.sample(("a", "b", "c", "d"), chance.choice((0, 0, 1, 3)))
                        await own.execute(
                            "insert into calls (agency_id, started_at, ultravox_call_id, objections)"
                            " values ($1, $2, $3, $4::text::jsonb)",
                            agency,
                            chance.choice(DAYS),
                            f"{number} {uuid4()}",
                            found(*texts),
                        )
                        if chance.random() < 0.3:
                            await own.execute(
                                "update calls set started_at = $2, objections = $3::text::jsonb where id in"
                                " (select id from calls where ultravox_call_id like $1 order by id limit 3)",
                                f"{number} %",
                                chance.choice(DAYS),
                                found(*texts[:1]),
                            )
        finally:
            await own.close()

    await asyncio.gather(*(write(number) for number in range(8)))
    await assert_it_is_a_recount(connection)
    assert await connection.fetchval("select count(*) from call_stats_drift(null, '2000-01-01', '2100-01-01')") == 0


async def test_calls_without_findings_write_nothing_about_findings(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await given.calls(agency, 5)
    await connection.execute("update calls set disposition = 'voicemail', started_at = started_at - interval '1 day'")
    await connection.execute("delete from calls")
    await fold(connection)
    for table in ROLLUPS:
        assert await connection.fetchval(f"select pg_relation_size('{table}')") == 0


async def test_a_change_of_nothing_that_was_found_leaves_the_rows_untouched(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await given.calls(agency, 3, started_at=DAYS[1], objections=[{"text": "No time"}])
    await fold(connection)
    rows = [await connection.fetch(f"select ctid, xmin, * from {table}") for table in ROLLUPS]
    await connection.execute("update calls set summary = 'Well', started_at = started_at + interval '1 hour'")
    async with connection.transaction():
        await connection.execute("update calls set objections = '[]'")
        await connection.execute('update calls set objections = \'[{"text": " No  time "}]\'')
    await fold(connection)
    assert [await connection.fetch(f"select ctid, xmin, * from {table}") for table in ROLLUPS] == rows
    await assert_it_is_a_recount(connection)


async def test_numbers_that_are_equal_and_written_otherwise_are_two_texts(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await given.call(agency, objections=[{"text": 1}])
    await connection.execute("update calls set objections = '[{\"text\": 1.0}]'")
    await fold(connection)
    assert await connection.fetchval("select text from agency_findings_folded") == "1.0"
    await assert_it_is_a_recount(connection)


async def test_texts_may_be_longer_than_an_index_entry(connection: asyncpg.Connection, given: Given) -> None:
    agency = await given.agency()
    chance = random.Random(1)  # noqa: S311
    long = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyzäöü漢字", k=50_000)) for _ in range(2)]
    await given.calls(agency, 2, objections=[{"text": text, "handled": True} for text in (*long, long[0] + " ")])
    await fold(connection)
    rows = await connection.fetch("select text, count, handled from agency_findings_folded order by count")
    assert [tuple(row) for row in rows] == [(long[1], 2, 2), (long[0], 4, 4)]
    await assert_it_is_a_recount(connection)


async def test_a_truncate_empties_the_tables_and_forgets_what_its_transaction_noted(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await given.call(agency, objections=[{"text": "No time"}])
    async with connection.transaction():
        await given.call(agency, objections=[{"text": "Before"}])
        await connection.execute("truncate calls cascade")
        await given.call(agency, objections=[{"text": "After"}])
    await fold(connection)
    assert await connection.fetchval("select string_agg(text, ' ') from call_findings_folded") == "After"
    await assert_it_is_a_recount(connection)


DAMAGE = (
    "delete from call_findings_folded",
    "delete from agency_findings_folded",
    "update call_findings_folded set count = count + 3, handled = 0",
    "update agency_findings_folded set count = -1",
    "update call_findings_folded set text = 'Other words'",
    f"insert into call_findings_folded (agency_id, stat_date, kind, text, text_key, count, handled)"
    f" values ('{uuid4()}', '2026-02-01', 'signal', 'Invented', text_key('Invented'), 2, 0)",
    f"insert into agency_findings_folded (agency_id, stat_date, kind, text, text_key, count, handled)"
    f" values ('{uuid4()}', '2026-02-01', 'signal', 'Invented', text_key('Invented'), 0, 2)",
)


@pytest.mark.parametrize("statement", DAMAGE)
async def test_damage_is_found_and_one_repair_mends_it(
    connection: asyncpg.Connection, given: Given, statement: str
) -> None:
    agency = await given.agency()
    await given.calls(agency, 3, objections=[{"text": "No time"}], buying_signals=[{"text": "When?"}])
    await fold(connection)
    await damage(connection, statement)
    drifted = await connection.fetchval(DRIFT)
    assert drifted > 0
    async with connection.transaction():
        # What its own transaction has noted and not yet counted is no damage.
        await given.call(agency, objections=[{"text": "No time"}])
        assert await connection.fetchval(REPAIR) == drifted
        assert await connection.fetchval(REPAIR) == 0
    await assert_it_is_a_recount(connection)


async def test_repairs_mend_while_writers_write(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await given.calls(agency, 50, objections=[{"text": "No time"}], started_at=DAYS[1])
    await fold(connection)
    await connection.execute("update call_findings_folded set count = 7")
    await connection.execute("delete from agency_findings_folded")

    async def write() -> None:
        own = await asyncpg.connect(database.dsn)
        for _ in range(30):
            await Given(own).calls(agency, 2, objections=[{"text": "No time"}, {"text": "Why?"}], started_at=DAYS[1])
        await own.close()

    async def repair() -> int:
        own = await asyncpg.connect(database.dsn)
        repaired = [await own.fetchval(REPAIR) for _ in range(5)]
        await own.close()
        return sum(repaired)

    repaired = await asyncio.gather(repair(), repair(), write(), write())
    assert repaired[0] + repaired[1] == 2
    await assert_it_is_a_recount(connection)


async def test_a_repair_is_limited_to_the_agency_and_days_it_is_told(
    connection: asyncpg.Connection, given: Given
) -> None:
    ours, theirs = await given.agency(), await given.agency()
    for agency, day in product((ours, theirs), DAYS[:2]):
        await given.call(agency, started_at=day, objections=[{"text": "No time"}])
    await fold(connection)
    await connection.execute("update agency_findings_folded set count = 9")
    repair = "select repair_call_stats($1, $2, $2)"
    assert await connection.fetchval(repair, ours, DAYS[1].date()) == 1
    right = await connection.fetch("select agency_id, stat_date from agency_findings_folded where count = 1")
    assert [tuple(row) for row in right] == [(ours, DAYS[1].date())]


async def test_the_scheduled_recount_repairs_the_findings_in_its_own_transaction(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await given.call(agency, objections=[{"text": "No time"}])
    await fold(connection)
    await connection.execute("update agency_findings_folded set count = 4")
    await connection.execute("update call_stats_folded set total_calls = 4")
    (run,) = await connection.fetch("select * from recount_call_stats(7, $1)", datetime(2026, 2, 16, 12, tzinfo=UTC))
    assert (run["status"], run["rows"], run["rows_repaired"]) == ("completed", 1, 2)
    await assert_it_is_a_recount(connection)


async def test_postgresql_writes_the_definition_into_the_query_that_uses_it(connection: asyncpg.Connection) -> None:
    for table in ("calls", "call_changes"):
        query = f"select f.* from {table} as c cross join lateral call_findings(c) as f"
        plan = "\n".join(row[0] for row in await connection.fetch(f"explain (verbose) {query}"))
        assert "call_findings" not in plan
        assert "jsonb_array_elements" in plan


async def test_nobody_else_may_repair(connection: asyncpg.Connection) -> None:
    role = f"somebody_{uuid4().hex[:8]}"
    async with connection.transaction():
        await connection.execute(f"create role {role}; set local role {role}")
        for call in (
            f"repair_call_stats(null, {EVER})",
            f"fold_call_changes(null, {EVER})",
            "try_fold_call_changes()",
            "add_to_data_version(null, 1)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with connection.transaction():
                    await connection.execute(f"select {call}")
        await connection.execute("reset role")
        await connection.execute(f"drop role {role}")
