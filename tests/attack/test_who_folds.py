"""A fold is part of a transaction that ends by it, and of none that may go on and keep what it has locked."""

import asyncpg
import pytest

from tests.agreement.test_rollup import assert_it_is_a_recount
from tests.attack.sessions import INSERT, WAITING, assert_all_is_right, session
from tests.attack.subscriptions import subscribed
from tests.conftest import Database
from tests.given import Given
from tests.waiting import until

ENDING: tuple[tuple[str, ...], ...] = (
    ("{insert}",),
    ("begin", "{insert}", "commit"),
    ("begin", "{insert}", "/* the end */ end"),
    ("begin", "{insert}", "-- the end\ncommit"),
    ("begin; {insert}; commit",),
    ("call written()",),
    ("do $$ begin {insert}; commit; end $$",),
    ("select wrote()",),
    ("/* by a program */ with i as ({insert} returning 1) select count(*) from i",),
)


@pytest.mark.parametrize("writing", ENDING)
async def test_whoever_ends_a_transaction_folds(connection: asyncpg.Connection, writing: tuple[str, ...]) -> None:
    await _assert_it_folds(connection, writing)


@pytest.mark.parametrize("writing", [each for each in ENDING if "begin " not in each[0] and "begin;" not in each[0]])
async def test_whoever_ends_a_transaction_folds_where_transactions_can_be_prepared(
    unusual_database: Database, writing: tuple[str, ...]
) -> None:
    async with session(unusual_database) as connection:
        await _assert_it_folds(connection, writing)


async def _assert_it_folds(connection: asyncpg.Connection, writing: tuple[str, ...]) -> None:
    agency = await Given(connection).agency()
    insert = f"insert into calls (agency_id) select '{agency}' from generate_series(1, 600)"
    await connection.execute(
        f"create procedure written() language plpgsql as $$ begin {insert}; commit; end $$;"
        f"create function wrote() returns void language sql as $$ {insert} $$"
    )
    for statement in writing:
        await connection.execute(statement.format(insert=insert))
    assert await connection.fetchval(WAITING) == 0
    await assert_all_is_right(connection)


async def test_who_counts_before_the_end_keeps_nobody_from_folding(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    """A transaction that has set its constraints immediate may go on for hours."""
    agency = await given.agency()
    async with session(database) as other:
        for statement in (
            f"insert into calls (agency_id) select '{agency}' from generate_series(1, 1200)",
            f"do $$ begin insert into calls (agency_id) select '{agency}' from generate_series(1, 1200); end $$",
        ):
            await other.execute("begin; set constraints all immediate")
            await other.execute(statement)
            await given.call(agency)
            assert await connection.fetchval("select try_fold_call_changes()")
            await other.execute("/* and on with it */ commit")
    await assert_all_is_right(connection)


PREPARED: tuple[tuple[str, ...], ...] = (
    ("begin", "{insert}", "prepare transaction 'one'"),
    ("begin; {insert}; prepare transaction 'one'",),
    ("begin", "set constraints all immediate", "{insert}", "prepare transaction 'one'"),
    ("begin; set constraints all immediate; {insert}", "prepare transaction 'one'"),
    ("begin; {insert}; set constraints all immediate", "prepare transaction 'one'"),
    ("begin; set constraints all immediate; {insert}; savepoint commit", "/* commit */ prepare transaction 'one'"),
    ("commit; begin; {insert}; prepare transaction 'one'",),
    ("/* so */ end; start transaction; {insert}; prepare transaction 'one'",),
    ("commit; begin; {insert}; set constraints all immediate", "prepare transaction 'one'"),
    ("begin", "commit and chain; {insert}; prepare transaction 'one'"),
    ("begin", "commit and chain; {insert}; set constraints all immediate", "prepare transaction 'one'"),
    ("begin", "set constraints all immediate", "call written()", "prepare transaction 'one'"),
    ("begin", "set constraints all immediate", "select 'commit' from wrote()", "prepare transaction 'one'"),
)


async def test_a_transaction_that_is_prepared_holds_no_fold_up(unusual_database: Database) -> None:
    async with session(unusual_database) as connection, session(unusual_database) as other:
        assert await _held_up(connection, other) == []


async def _held_up(connection: asyncpg.Connection, other: asyncpg.Connection) -> list[tuple[str, ...]]:
    agency = await Given(other).agency()
    insert = f"insert into calls (agency_id) select '{agency}' from generate_series(1, 600)"
    await connection.execute(
        f"create procedure written() language sql as $$ {insert} $$;"
        f"create function wrote() returns void language sql as $$ {insert} $$"
    )
    held = []
    for statements in PREPARED:
        for statement in statements:
            await connection.execute(statement.format(insert=insert))
        await Given(other).call(agency)
        if not await other.fetchval("select try_fold_call_changes()"):
            held.append(statements)
        await other.execute("commit prepared 'one'")
        await assert_it_is_a_recount(other)
    return held


@pytest.mark.parametrize("two_phase", [False, True])
async def test_what_a_subscription_prepares_holds_no_fold_up(
    unusual_database: Database, second_database: Database, two_phase: bool
) -> None:
    """Its worker has no words of which to tell that it prepares; one that never does folds as ever."""
    async with session(unusual_database) as source, session(second_database) as target:
        agency = await Given(source).agency()
        await target.execute("insert into agencies (id, name, slug) values ($1, 'A', 'a')", agency)
        options = f"copy_data = false, two_phase = {two_phase}"
        async with subscribed(source, target, unusual_database, options=options) as subscription:
            await source.execute("begin")
            await source.execute(INSERT, agency, 1200)
            await source.execute("prepare transaction 'there'")
            if two_phase:
                prepared = "select count(*) from pg_prepared_xacts where database = current_database()"
                await until(lambda: target.fetchval(prepared))
                await target.execute(INSERT, agency, 3)
                assert await target.fetchval("select try_fold_call_changes()")
            await source.execute("commit prepared 'there'")
            await subscription.arrived()
            if not two_phase:
                assert await target.fetchval(WAITING) < 600
        assert await target.fetchval("select count(*) from calls") == (1203 if two_phase else 1200)
        await assert_all_is_right(target)
