"""Calls that come by logical replication are counted once, whatever is published."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import asyncpg
import pytest

from tests.attack.sessions import assert_all_is_right, session
from tests.conftest import Database
from tests.given import Given, fold
from tests.waiting import until

PUBLISHED = {
    "the platform's tables": "table agencies, users, clients, campaigns, call_batches, campaign_contacts, calls",
    "all tables": "tables in schema public",
}
FOUND = {"objections": [{"text": "No time"}], "buying_signals": [{"text": "When?"}]}
VERSION = Path("gateway/sql/version.sql").read_text("utf-8")
DIGEST = """
select md5(coalesce(string_agg(c::text, ',' order by c.id), ''))
from (
    select id, agency_id, client_id, campaign_id, status, started_at, disposition, emails_sent, objections from calls
) as c
"""


@asynccontextmanager
async def _subscribed(
    publisher: asyncpg.Connection, subscriber: asyncpg.Connection, dsn: str, published: str
) -> AsyncIterator[None]:
    name = f"of_{uuid4().hex[:8]}"
    address = urlsplit(dsn)
    query = parse_qs(address.query)
    source = f"host={query['host'][0]} port={query['port'][0]} user={address.username} dbname={address.path[1:]}"
    await publisher.execute(f"create publication {name} for {published}")
    # Made beforehand: a subscription of a database on the same server would wait for itself.
    await publisher.execute("select pg_create_logical_replication_slot($1, 'pgoutput')", name)
    await subscriber.execute(
        f"create subscription {name} connection '{source}' publication {name} with (create_slot = false)"
    )
    try:
        yield
    finally:
        await subscriber.execute(f"alter subscription {name} disable")
        await subscriber.execute(f"alter subscription {name} set (slot_name = none)")
        await subscriber.execute(f"drop subscription {name}")
        inactive = "select not active from pg_replication_slots where slot_name = $1"
        await until(lambda: publisher.fetchval(inactive, name))
        await publisher.execute("select pg_drop_replication_slot($1)", name)


async def _followed(publisher: asyncpg.Connection, subscriber: asyncpg.Connection) -> None:
    """Waits until the subscriber has what the publisher has, and nothing is still to come."""

    async def has_all() -> bool:
        tables = await subscriber.fetchval("select bool_and(srsubstate = 'r') from pg_subscription_rel")
        return tables and await publisher.fetchval(DIGEST) == await subscriber.fetchval(DIGEST)

    await until(has_all)
    position = await publisher.fetchval("select pg_current_wal_lsn()")

    async def is_flushed() -> bool:
        return await publisher.fetchval(
            "select bool_and(confirmed_flush_lsn >= $1) from pg_replication_slots where slot_type = 'logical'"
            " and database = current_database() and active",
            position,
        )

    await until(is_flushed)


@pytest.mark.parametrize("published", PUBLISHED)
async def test_replicated_calls_are_counted_once(
    unusual_database: Database, second_database: Database, published: str
) -> None:
    async with session(unusual_database) as there, session(second_database) as here:
        given = Given(there)
        agency = await given.agency()
        client = await given.client(agency)
        campaign = await given.campaign(agency, client)
        await given.calls(agency, 600, campaign_id=campaign, client_id=client, **FOUND)
        await given.calls(agency, 3, **FOUND)
        async with _subscribed(there, here, unusual_database.dsn, PUBLISHED[published]):
            await _followed(there, here)
            assert await here.fetchval("select sum(total_calls)::integer from call_stats_daily") == 603
            for statement in (
                "insert into calls (agency_id) select agency_id from agencies a join campaigns c on c.agency_id = a.id",
                "update calls set disposition = 'voicemail', emails_sent = 3, objections = '[]'"
                " where campaign_id is null",
                "update calls set started_at = started_at - interval '3 days' where campaign_id is not null",
                "update campaigns set name = 'Other'",
                "with u as (update calls set sms_sent = 2 where campaign_id is not null) delete from campaigns",
                "delete from calls where emails_sent = 3",
                "delete from clients",
            ):
                version = await here.fetchval(VERSION, agency)
                await there.execute(statement)
                await _followed(there, here)
                await until(lambda v=version: _is_another(here, v, agency))
                assert await here.fetchval("select count(*) from calls") == await here.fetchval(
                    "select sum(total_calls)::integer from call_stats_daily"
                )
            await fold(there)
            await there.execute("select repair_call_stats(null, '2000-01-01', '2100-01-01')")
            await _followed(there, here)
            await assert_all_is_right(here)
            await there.execute("truncate calls cascade")
            await _followed(there, here)
            assert await here.fetchval("select count(*) from call_stats_daily") == 0
            await given.calls(agency, 5, **FOUND)
            await _followed(there, here)
            assert await here.fetchval("select sum(total_calls)::integer from call_stats_daily") == 5
        await assert_all_is_right(here)
        # Whoever writes there in the ordinary way is counted as ever.
        await Given(here).calls(agency, 5, **FOUND)
        await assert_all_is_right(here)
        assert await here.fetchval("select sum(total_calls)::integer from call_stats_daily") == 10


async def _is_another(connection: asyncpg.Connection, version: int, agency: object) -> bool:
    return await connection.fetchval(VERSION, agency) != version


async def test_a_load_with_triggers_of_replicas_only_is_counted_once(
    unusual_database: Database,
) -> None:
    async with session(unusual_database) as connection:
        given = Given(connection)
        agency = await given.agency()
        campaign = await given.campaign(agency)
        version = await connection.fetchval(VERSION, agency)
        await connection.execute("set session_replication_role = replica")
        await given.calls(agency, 600, **FOUND, campaign_id=campaign)
        assert await connection.fetchval(VERSION, agency) != version
        await connection.execute("update calls set emails_sent = 1")
        await connection.execute("update calls set id = gen_random_uuid(), campaign_id = null")
        version = await connection.fetchval(VERSION, agency)
        await connection.execute("update campaigns set name = 'Other'")
        assert await connection.fetchval(VERSION, agency) != version
        await connection.execute("delete from calls where started_at is null")
        await connection.execute("reset session_replication_role")
        await given.calls(agency, 2, **FOUND)
        assert await connection.fetchval("select sum(total_calls)::integer from call_stats_daily") == 602
        await assert_all_is_right(connection)
        # As pg_restore --disable-triggers leaves them.
        for table in ("calls", "campaigns", "call_changes", "call_stats_folded"):
            await connection.execute(f"alter table {table} enable trigger all")
        await given.calls(agency, 600, **FOUND)
        await connection.execute("update calls set emails_sent = 3")
        await connection.execute("update campaigns set name = 'Another'")
        assert await connection.fetchval("select sum(total_calls)::integer from call_stats_daily") == 1202
        await assert_all_is_right(connection)
