"""Unusual, legal SQL: whatever a statement does to calls and their parents, the numbers are those of the calls."""

import asyncio
from itertools import permutations

import asyncpg
import pytest

from tests.attack.sessions import FOUND, WAITING, assert_all_is_right, session
from tests.conftest import Database
from tests.given import Given, fold

PARENTS = {"clients": "client_id", "campaigns": "campaign_id", "call_batches": "batch_id"}
FACTS = (
    "disposition = 'voicemail'",
    "status = 'failed', duration_seconds = 5",
    "started_at = started_at - interval '1 day'",
)


async def _world(given: Given, number: int = 3) -> dict[str, object]:
    agency = await given.agency()
    places = {
        "clients": await given.client(agency),
        "campaigns": await given.campaign(agency),
        "call_batches": await given.batch(agency),
    }
    await given.calls(agency, number, **FOUND, **{PARENTS[table]: place for table, place in places.items()})
    return {"agency": agency, **places}


@pytest.mark.parametrize("facts", FACTS)
@pytest.mark.parametrize(
    "parents", [order for number in (1, 2, 3) for order in permutations(PARENTS, number)], ids="-".join
)
async def test_facts_are_updated_by_the_statement_that_deletes_what_the_calls_belong_to(
    connection: asyncpg.Connection, given: Given, facts: str, parents: tuple[str, ...]
) -> None:
    world = await _world(given)
    await fold(connection)
    *others, last = parents
    deleted = "".join(f", {name}_ as (delete from {name} where id = '{world[name]}')" for name in others)
    await connection.execute(
        f"with u as (update calls set {facts} where {PARENTS[last]} = '{world[last]}'){deleted}"
        f" delete from {last} where id = '{world[last]}'"
    )
    assert await connection.fetchval("select sum(total_calls)::integer from call_stats_daily") == 3
    await assert_all_is_right(connection)


@pytest.mark.parametrize(
    "statement",
    [
        # Each moves the parent itself, and calls beside it.
        "with u as (update calls set emails_sent = 9) update clients set name = 'Other'",
        "with d as (delete from calls where emails_sent = 0) delete from agencies",
        "with d as (delete from clients) update calls set sentiment = 'positive'",
        "with i as (insert into calls (agency_id) select agency_id from calls) delete from campaigns",
        "with u as (update calls set id = gen_random_uuid()), d as (delete from call_batches) delete from clients",
        "merge into calls using (select id from calls) as given on calls.id = given.id when matched then delete",
        "delete from agencies",
    ],
)
async def test_several_tables_change_in_one_statement(
    connection: asyncpg.Connection, given: Given, statement: str
) -> None:
    for _ in range(2):
        await _world(given)
    await fold(connection)
    await connection.execute(statement)
    await assert_all_is_right(connection)


async def test_a_truncate_in_a_transaction_with_an_old_snapshot_leaves_no_phantom(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await given.calls(agency, 3, **FOUND)
    await fold(connection)
    async with session(database) as other:
        emptying = other.transaction(isolation="repeatable_read")
        await emptying.start()
        assert await other.fetchval("select count(*) from calls") == 3
        await given.calls(agency, 600, **FOUND)
        await given.calls(agency, 2, **FOUND)
        await other.execute("truncate calls cascade")
        await emptying.commit()
    assert await connection.fetchval("select count(*) from calls") == 0
    for rollup in ("call_stats_folded", "agency_hours_folded", "call_findings_folded", "agency_findings_folded"):
        assert await connection.fetchval(f"select count(*) from {rollup}") == 0
    assert await connection.fetchval(WAITING) == 0
    await given.calls(agency, 2, **FOUND)
    await assert_all_is_right(connection)


async def test_a_truncate_takes_what_its_own_transaction_has_written(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    async with connection.transaction():
        await given.calls(agency, 1200, **FOUND)
        await connection.execute("truncate calls cascade")
        await given.calls(agency, 600, **FOUND)
    assert await connection.fetchval("select sum(total_calls)::integer from call_stats_daily") == 600
    await assert_all_is_right(connection)
    async with connection.transaction():
        await connection.execute("truncate calls cascade")
        await given.calls(agency, 1)
    assert await connection.fetchval("select sum(total_calls)::integer from call_stats_daily") == 1
    await assert_all_is_right(connection)


async def test_truncates_repairs_folds_and_writers_never_wait_for_each_other_in_a_circle(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    every = "select repair_call_stats(null, '2000-01-01', '2100-01-01')"

    async def turn(statement: str) -> None:
        async with session(database) as own:
            for _ in range(15):
                await own.execute(statement)

    await asyncio.gather(
        *(
            turn(statement)
            for statement in (
                f"insert into calls (agency_id) select '{agency}' from generate_series(1, 600)",
                f"insert into calls (agency_id) select '{agency}' from generate_series(1, 50)",
                "truncate calls cascade",
                every,
                "select count(*) from recount_call_stats(7, now() + random() * interval '900 days')",
                "select try_fold_call_changes()",
            )
        )
    )
    await assert_all_is_right(connection)


@pytest.mark.parametrize("table", ["users", "clients", "campaigns", "call_batches", "campaign_contacts", "calls"])
async def test_rows_cannot_be_written_past_the_triggers_through_other_tables(
    connection: asyncpg.Connection, given: Given, table: str
) -> None:
    world = await _world(given)
    await given.user(world["agency"])
    await connection.execute(
        f"insert into campaign_contacts (batch_id, phone_number) values ('{world['call_batches']}', '+1')"
    )
    await connection.execute(f"create table heir () inherits ({table})")
    with pytest.raises(asyncpg.CheckViolationError, match=f"{table}_has_no_children"):
        await connection.execute(f"insert into heir select * from {table} limit 1")
    await connection.execute("drop table heir")
    await connection.execute(f"create table parent (like {table})")
    with pytest.raises(asyncpg.PostgresError, match=f"{table}_has_no_parent"):
        await connection.execute(f"alter table {table} inherit parent")
    await connection.execute(f"create table whole (like {table}) partition by list (id)")
    with pytest.raises(asyncpg.PostgresError, match=f"{table}_has_no_parent"):
        await connection.execute(f"alter table whole attach partition {table} default")


@pytest.mark.parametrize("words", ["null", "'[]'"])
async def test_analysed_stays_analysed_when_the_words_are_taken_away(
    connection: asyncpg.Connection, given: Given, words: str
) -> None:
    agency = await given.agency()
    said = [{"role": "user", "text": "No time", "start_ms": 0, "end_ms": 1}]
    await given.calls(agency, 2, transcript=said, transcript_status="completed", analysis_status="completed", **FOUND)
    await given.call(agency, transcript=said, transcript_status="completed", analysis_status="failed", disposition=None)
    analysed = "select bigint_sum(analyzed_calls) from call_stats_daily"
    assert await connection.fetchval(analysed) == 2
    await connection.execute(f"update calls set transcript = {words}, summary = null")
    assert await connection.fetchval(analysed) == 2
    states = await connection.fetch("select analysis_status::text, disposition::text from calls order by 1")
    assert [tuple(row) for row in states] == [
        ("completed", "conversation"),
        ("completed", "conversation"),
        ("skipped", None),
    ]
    assert await connection.fetchval("select count(*) from enrichment_queue where job_type = 'analysis'") <= 1
    # Other words are understood anew.
    await connection.execute("update calls set transcript = $1::text::jsonb", '[{"role": "user", "text": "Yes"}]')
    assert await connection.fetchval(analysed) == 0
    await assert_all_is_right(connection)


ISOLATIONS = ("repeatable read", "serializable")
PARENT_WRITES = {
    "users": ("insert into users (id, agency_id, role) values (gen_random_uuid(), :agency, 'agency_member')",),
    "clients": ("insert into clients (agency_id, name) values (:agency, 'New')",),
    "campaigns": ("insert into campaigns (agency_id, name) values (:agency, 'New')",),
    "call_batches": ("insert into call_batches (agency_id) values (:agency)",),
    "campaign_contacts": ("insert into campaign_contacts (batch_id, phone_number) values (:batch, '+1')",),
    "calls": ("insert into calls (agency_id) values (:agency)",),
}


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("table", PARENT_WRITES)
async def test_writers_side_by_side_fail_for_the_sake_of_nothing_of_ours(
    database: Database, connection: asyncpg.Connection, given: Given, table: str, isolation: str
) -> None:
    """Each in a snapshot that is older than what the others commit, and none touches a row of another's."""
    world = await _world(given)
    await connection.execute("update clients set name = 'Known'")
    (statement,) = PARENT_WRITES[table]
    statement = statement.replace(":agency", f"'{world['agency']}'").replace(":batch", f"'{world['call_batches']}'")
    version = "select count(*) from data_versions"
    async with session(database) as one, session(database) as two, session(database) as three:
        held = []
        for each in (one, two, three):
            await each.execute(f"begin isolation level {isolation}")
            await each.fetchval("select 1 from agencies limit 1")
            held.append(each)
        for _ in range(3):
            for each in held:
                await each.execute(statement)
        for each in held:
            await each.execute("commit")
    if table != "calls":
        before = await connection.fetchval(version)
        assert before > 1
    # What was added row by row is put together again, and means the same.
    sums = "select agency_id, sum(version) % 4611686018427387904 from data_versions group by 1 order by 1"
    for _ in range(20):
        await connection.execute("insert into data_versions (agency_id, version) values ($1, 7)", world["agency"])
    told = await connection.fetch(sums)
    await connection.execute("select merge_data_versions()")
    assert await connection.fetch(sums) == told
    assert (
        await connection.fetchval("select max(n) from (select count(*) as n from data_versions group by agency_id) c")
        == 1
    )
    await assert_all_is_right(connection)


@pytest.mark.parametrize("isolation", ISOLATIONS)
async def test_a_job_that_was_touched_meanwhile_refuses_no_call(
    database: Database, connection: asyncpg.Connection, given: Given, isolation: str
) -> None:
    agency = await given.agency()
    call = await given.call(agency, analysis_status="pending", transcript_status="pending", disposition=None)
    assert await connection.fetchval("select count(*) from enrichment_queue") == 1
    async with session(database) as other:
        await other.execute(f"begin isolation level {isolation}")
        await other.fetchval("select count(*) from agencies")
        await connection.execute("update enrichment_queue set status = 'running', locked_by = 'a worker'")
        await other.execute("update calls set summary = 'Still ringing' where id = $1", call)
        await other.execute("commit")
    assert await connection.fetchval("select summary from calls") == "Still ringing"
    assert await connection.fetchval("select status::text from enrichment_queue") == "running"


async def test_a_database_whose_default_isolation_is_another_one_is_served_as_well(
    database: Database, connection: asyncpg.Connection
) -> None:
    name = await connection.fetchval("select current_database()")
    await connection.execute(f"alter database {name} set default_transaction_isolation = 'serializable'")
    async with session(database) as writer:
        assert await writer.fetchval("show transaction_isolation") == "serializable"
        theirs = Given(writer)
        agency = await theirs.agency()
        await asyncio.gather(theirs.calls(agency, 600, **FOUND))
        with pytest.raises(asyncpg.RaiseError, match="read committed only"):
            await writer.execute("select repair_call_stats(null, '2000-01-01', '2100-01-01')")
    await assert_all_is_right(connection)
