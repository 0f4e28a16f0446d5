"""Names mean what they meant to the migrations, whatever the search path of whoever reads and writes."""

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from tests.attack.sessions import FOUND, assert_all_is_right
from tests.given import Given, fold

TABLES = ("users", "clients", "campaigns", "call_batches", "campaign_contacts", "calls")
PATHS = ("other, public", "other", "public, other", "''")
READ = (
    "call_stats_daily",
    "call_stats_parts",
    "pending_call_counts",
    "pending_call_findings",
    "v_call_batch_summary",
    "failing_folds",
    "call_stats_drift(null, '1970-01-01', '2199-12-31')",
    "call_findings_drift(null, '1970-01-01', '2199-12-31')",
)
# Whatever might be looked up by its name is here by another meaning.
ELSEWHERE = """
create schema other;
create function other.call_counts(c public.calls) returns integer language sql return 7;
create function other.call_day(moment timestamptz) returns date language sql return '2000-01-01'::date;
create function other.text_spelling(written text) returns text language sql return 'other';
create function other.add_hours(hours integer[], more integer[]) returns integer[] language sql return hours;
create table other.call_changes (transaction_id integer);
create table other.enrichment_queue (id integer);
create type other.call_status as enum ('completed');
"""


@pytest.mark.parametrize("table", TABLES)
async def test_a_child_of_the_same_name_takes_no_row(connection: asyncpg.Connection, given: Given, table: str) -> None:
    agency = await given.agency()
    await given.user(agency)
    batch = await given.batch(agency, await given.campaign(agency, await given.client(agency)), {"pending": 1})
    await given.call(agency, batch_id=batch)
    await connection.execute(f"create schema other; create table other.{table} () inherits (public.{table})")
    for path in PATHS:
        await connection.execute(f"set search_path = {path}")
        with pytest.raises(asyncpg.CheckViolationError, match=f"{table}_has_no_children"):
            await connection.execute(f"insert into other.{table} select * from public.{table} limit 1")
        # The parent is what it was.
        assert await connection.execute(f"update public.{table} set id = id") == "UPDATE 1"


@pytest.mark.parametrize("path", PATHS)
async def test_calls_are_written_and_counted_by_any_search_path(
    connection: asyncpg.Connection, given: Given, path: str
) -> None:
    agency = await given.agency()
    await given.calls(agency, 3, **FOUND)
    await fold(connection)
    await connection.execute(ELSEWHERE)
    await connection.execute(f"set search_path = {path}")
    insert = (
        "insert into public.calls (agency_id, status, joined_at, end_reason, objections)"
        " values ($1, 'completed', now(), 'hangup', '[{\"text\": \"No time\"}]')"
    )
    for _ in range(4):
        await connection.execute(insert, agency)
    await connection.execute("update public.calls set emails_sent = 1, end_reason = 'voicemail'")
    await connection.execute("delete from public.calls where id = (select id from public.calls limit 1)")
    await connection.execute("update public.agencies set name = 'Other'")
    assert await connection.fetchval("select sum(total_calls)::integer from public.call_stats_daily") == 6
    told = {name: sorted(map(repr, await connection.fetch(f"select * from public.{name}"))) for name in READ}
    await connection.execute("reset search_path")
    assert told == {name: sorted(map(repr, await connection.fetch(f"select * from {name}"))) for name in READ}
    await assert_all_is_right(connection)


@pytest.fixture
async def visitor(connection: asyncpg.Connection) -> AsyncIterator[str]:
    """A role that knows views of another schema, and nothing of ours."""
    role = f"visitor_{uuid4().hex[:8]}"
    await connection.execute(
        f"""
        create role {role};
        revoke usage on schema public from public;
        revoke execute on all functions in schema public from public;
        create schema api;
        create view api.calls as select * from public.calls;
        grant usage on schema api to {role};
        grant all on all tables in schema api to {role};
        """
    )
    yield role
    await connection.execute(f"reset role; drop owned by {role}; drop role {role}")


async def test_who_may_only_use_views_of_another_schema_writes_calls(
    connection: asyncpg.Connection, given: Given, visitor: str
) -> None:
    await given.call(await given.agency(), **FOUND)
    attributes = (await connection.prepare("select * from calls")).get_attributes()
    copied = ", ".join(each.name for each in attributes if each.name != "id")
    await connection.execute(f"set role {visitor}")
    await connection.execute(f"insert into api.calls (id, {copied}) select gen_random_uuid(), {copied} from api.calls")
    await connection.execute("update api.calls set emails_sent = 3")
    await connection.execute("update api.calls set analysis_status = 'pending', joined_at = null, end_reason = 'busy'")
    await connection.execute("delete from api.calls where id = (select id from api.calls limit 1)")
    await connection.execute("reset role")
    row = await connection.fetchrow("select total_calls, emails_sent, no_answer_calls from call_stats_daily")
    assert tuple(row) == (1, 3, 0)
    assert await connection.fetchval("select disposition::text from calls") == "conversation"
    await assert_all_is_right(connection)
