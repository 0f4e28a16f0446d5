"""A fold changes where the numbers stand and never what they are: whoever writes, reads or folds meanwhile."""

import asyncio
import random
from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from resolvers.campaigns import Campaigns, campaigns
from resolvers.filters import Filters, Period
from resolvers.freshness import Freshness, freshness
from resolvers.funnel import Funnel, funnel
from resolvers.heatmap import Heatmap, HeatmapMetric, heatmap
from resolvers.objections import Objections, objections
from resolvers.overview import Overview, overview
from resolvers.quality import Quality, quality
from resolvers.reader import Reader
from resolvers.selection import everything
from resolvers.timeseries import Timeseries, timeseries
from resolvers.viewer import Role, Viewer
from tests.agreement import findings
from tests.agreement.test_plans import Recording
from tests.agreement.test_rollup import WRITERS, Writer, assert_it_is_a_recount, connections, places
from tests.conftest import Database
from tests.given import NOW, Given, fold

__all__ = ["places"]

Places = dict[UUID, tuple[list[UUID], list[UUID]]]
FOLD = "select try_fold_call_changes()"
REPORTS: tuple[tuple[Any, type, tuple[object, ...]], ...] = (
    (overview, Overview, ()),
    (timeseries, Timeseries, ()),
    (funnel, Funnel, ()),
    (campaigns, Campaigns, ()),
    (quality, Quality, ()),
    (heatmap, Heatmap, (HeatmapMetric.CONNECTED,)),
    (objections, Objections, ()),
    (freshness, Freshness, ()),
)


async def _read(connection: asyncpg.Connection, agency: UUID, campaign: UUID | None) -> dict[str, list[Any]]:
    """The rows of every report."""
    filters = Filters.of(Period.LAST_30_DAYS, today=NOW.date(), campaign_id=campaign)
    rows = {}
    for report, answer, rest in REPORTS:
        recording = Recording(connection)
        await report(Reader(Viewer(uuid4(), agency, Role.AGENCY_OWNER), recording), filters, everything(answer), *rest)
        for place, (sql, values) in enumerate(recording.statements):
            found = [tuple(row) for row in await connection.fetch(sql, *values)]
            if answer is Heatmap:
                # An hour without calls is not shown, whether it has a row or not.
                found = [row for row in found if any(row[2:])]
            rows[f"{answer.__name__} {place}"] = sorted(found, key=repr)
    return rows


async def test_every_report_reads_the_same_before_a_fold_and_after_it(
    connection: asyncpg.Connection, places: Places
) -> None:
    writer = Writer(connection, 1, places)
    for _ in range(12):
        await writer.write(3)
        for agency, (_, campaigns_of_it) in places.items():
            for campaign in (None, campaigns_of_it[0]):
                before = await _read(connection, agency, campaign)
                async with connection.transaction():
                    await fold(connection)
                    after = await _read(connection, agency, campaign)
                for name in before.keys() - {"Freshness 0"}:
                    assert after[name] == before[name], name
    assert await connection.fetchval("select count(*) from calls") > 20
    await assert_it_is_a_recount(connection)


async def test_eight_writers_are_folded_while_they_write(
    database: Database, connection: asyncpg.Connection, places: Places
) -> None:
    async with connections(database, WRITERS + 2) as opened:
        done = asyncio.Event()

        async def keep_folding(folder: asyncpg.Connection) -> int:
            folds = 0
            while not done.is_set():
                undone = folder.transaction()
                await undone.start()
                folds += await folder.fetchval(FOLD)
                await (undone.rollback() if folds % 3 == 0 else undone.commit())
            return folds

        folding = [asyncio.create_task(keep_folding(folder)) for folder in opened[WRITERS:]]
        writers = [Writer(each, 100 + number, places) for number, each in enumerate(opened[:WRITERS])]
        await asyncio.gather(*(writer.write(15) for writer in writers))
        done.set()
        assert sum(await asyncio.gather(*folding)) > 10
    await assert_it_is_a_recount(connection)
    await findings.assert_it_is_a_recount(connection)


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_a_transaction_with_an_older_snapshot_writes_and_leaves_the_fold_to_others(
    database: Database, connection: asyncpg.Connection, given: Given, isolation: Any
) -> None:
    agency = await given.agency()
    async with connections(database, 1) as (other,):
        async with other.transaction(isolation=isolation):
            await other.fetchval("select count(*) from calls")
            await given.calls(agency, 3)
            await fold(connection)
            assert not await other.fetchval(FOLD)
            await other.execute("insert into calls (agency_id) select $1::uuid from generate_series(1, 2000)", agency)
            assert await other.fetchval("select sum(total_calls)::integer from call_stats_daily") == 2000
    assert await connection.fetchval("select count(*) from call_changes") == 2000
    await assert_it_is_a_recount(connection)


async def test_a_fold_leaves_what_it_cannot_see_to_the_next_one(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    total = "select coalesce(sum(total_calls), 0)::integer from call_stats_daily"
    async with connections(database, 3) as opened:
        open_ones = []
        for number, each in enumerate(opened):
            transaction = each.transaction()
            await transaction.start()
            await Given(each).calls(agency, number + 1)
            open_ones.append(transaction)
        for _ in range(3):
            await given.call(agency)
            await fold(connection)
        assert await connection.fetchval(total) == 3
        assert [await each.fetchval(total) for each in opened] == [4, 5, 6]
        for transaction in reversed(open_ones):
            await transaction.commit()
            await given.call(agency)
            await connection.fetchval(FOLD)
    assert await connection.fetchval(total) == 3 + 6 + 3
    await assert_it_is_a_recount(connection)


async def test_who_does_not_get_the_fold_leaves_it_and_waits_for_nobody(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    async with connections(database, 1) as (other,), other.transaction():
        assert await other.fetchval(FOLD)
        await connection.execute("set lock_timeout = '60s'")
        assert not await connection.fetchval(FOLD)
        await connection.execute("insert into calls (agency_id) select $1::uuid from generate_series(1, 2000)", agency)
        assert await connection.fetchval("select count(*) from call_changes") == 2000
    await connection.execute("reset lock_timeout")
    await assert_it_is_a_recount(connection)


async def test_the_log_stays_short_by_itself(connection: asyncpg.Connection, given: Given) -> None:
    agency = await given.agency()
    for turn in range(30):
        await connection.execute(
            "insert into calls (agency_id, started_at) select $1::uuid, $2::timestamptz from generate_series(1, 100)",
            agency,
            NOW - timedelta(days=turn % 3),
        )
        assert await connection.fetchval("select count(*) from call_changes") <= 611
    await assert_it_is_a_recount(connection)


async def test_the_scheduled_job_folds_whenever_it_is_asked(connection: asyncpg.Connection, given: Given) -> None:
    agency = await given.agency()
    await connection.execute("select recount_call_stats()")
    await given.call(agency)
    assert await connection.fetch("select * from recount_call_stats()") == []
    assert await connection.fetchval("select count(*) from call_changes") == 0
    row = await connection.fetchrow("select ctid, xmin, * from call_fold")
    assert await connection.fetch("select * from recount_call_stats()") == []
    assert await connection.fetchrow("select ctid, xmin, * from call_fold") == row


async def test_in_a_database_whose_transactions_are_numbered_anew_nothing_is_missed(
    connection: asyncpg.Connection, given: Given
) -> None:
    """As after a restore: the fold's row and the changes name transactions of another server, far ahead."""
    agency = await given.agency()
    await given.call(agency)
    await fold(connection)
    await given.call(agency)
    await connection.execute("update call_fold set first = '{9000000}', folded_at = '2020-02-02'")
    await connection.execute("update call_changes set transaction_id = '8999998'")
    await given.call(agency)
    total = "select sum(total_calls)::integer from call_stats_daily"
    assert await connection.fetchval(total) == 3
    await fold(connection)
    await given.call(agency)
    assert await connection.fetchval(total) == 4
    await assert_it_is_a_recount(connection)


async def test_reading_and_folding_pass_over_no_change_that_was_folded(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    """Nor while a transaction is open that has changes of its own, and keeps those that were folded from a vacuum."""
    agency = await given.agency()
    chance = random.Random(5)  # noqa: S311
    async with connections(database, 1) as (other,), other.transaction():
        await Given(other).call(agency)
        for _ in range(20):
            await connection.execute(
                "insert into calls (agency_id, started_at) select $1::uuid, $2 from generate_series(1, 500)",
                agency,
                NOW - timedelta(days=chance.randint(0, 5)),
            )
        await fold(connection)
        await given.call(agency)
        plan = await connection.fetch("explain (analyze, buffers, timing off) select count(*) from pending_call_counts")
        scan = next(place for place, row in enumerate(plan) if "call_changes_pkey" in row[0])
        shared = next(row[0] for row in plan[scan:] if "Buffers" in row[0])
        assert int(shared.split("hit=")[1].split()[0]) < 20, shared
    await assert_it_is_a_recount(connection)


async def test_a_call_that_is_written_is_one_row_of_the_log_and_a_call_that_moves_is_two(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency, other = await given.agency(), await given.agency()
    campaign, client = await given.campaign(agency), await given.client(agency)
    await given.calls(agency, 3)
    for statement, rows in (
        ('update calls set emails_sent = emails_sent + 1, objections = \'[{"text": "No time"}]\'', 3),
        ("update calls set objections = '[]', summary = 'Well'", 3),
        ("update calls set summary = 'Very well'", 0),
        ("update calls set started_at = started_at - interval '1 day', sms_sent = 2", 6),
        (f"update calls set campaign_id = '{campaign}'", 6),
        (f"update calls set client_id = '{client}'", 6),
        ("update calls set id = gen_random_uuid()", 6),
        (f"update calls set campaign_id = null, client_id = null, agency_id = '{other}'", 6),
        ("delete from calls", 3),
    ):
        await fold(connection)
        await connection.execute(statement)
        assert await connection.fetchval("select count(*) from call_changes") == rows, statement
        await assert_it_is_a_recount(connection)
        await findings.assert_it_is_a_recount(connection)


async def test_a_call_that_several_foreign_keys_update_at_once_is_counted_where_it_ends(
    connection: asyncpg.Connection, given: Given
) -> None:
    """One statement deletes what a call belongs to, and the log's trigger sees each of its updates, all at once."""
    agency = await given.agency()
    places = {
        "clients": await given.client(agency),
        "campaigns": await given.campaign(agency),
        "call_batches": await given.batch(agency),
    }
    column = {"clients": "client_id", "campaigns": "campaign_id", "call_batches": "batch_id"}
    setting = await connection.fetch(
        "select unnest(confdelsetcols) as number from pg_constraint"
        " where conrelid = 'calls'::regclass and contype = 'f' and confdeltype <> 'c'"
    )
    # The trigger compares these. A new one belongs there too.
    assert len(setting) == len(column)
    for order in permutations(places):
        for number in (2, 3):
            undone = connection.transaction()
            await undone.start()
            await given.calls(
                agency, 2, objections=[{"text": "No time"}], **{column[name]: places[name] for name in places}
            )
            *others, last = order[:number]
            deleted = ", ".join(f"{name}_ as (delete from {name})" for name in others)
            await connection.execute(f"with {deleted} delete from {last}")
            left = await connection.fetchval("select count(*) from calls where num_nulls(client_id, campaign_id) > 0")
            assert left == 2
            await assert_it_is_a_recount(connection)
            await findings.assert_it_is_a_recount(connection)
            await undone.rollback()
