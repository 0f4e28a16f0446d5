"""Calls that come by logical replication are counted once, whatever is published."""

from collections.abc import Sequence

import asyncpg
import pytest

from tests.attack.sessions import FOUND, PENDING, VERSION, assert_all_is_right, session
from tests.attack.statements import Author
from tests.attack.subscriptions import subscribed
from tests.attack.test_any_statement import DRAWN, SHARED, Storm, write
from tests.conftest import Database
from tests.given import Given, fold

PUBLISHED = {
    "the platform's tables": "table agencies, users, clients, campaigns, call_batches, campaign_contacts, calls",
    "all tables": "tables in schema public",
}
DIGEST = """
select md5(coalesce(string_agg(c::text, ',' order by c.id), ''))
from (
    select id, agency_id, client_id, campaign_id, status, started_at, disposition, emails_sent, objections from calls
) as c
"""
TRANSACTIONS = 40


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
        async with subscribed(there, here, unusual_database, PUBLISHED[published], "copy_data = true") as subscription:
            await subscription.arrived()
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
                await subscription.arrived()
                assert await here.fetchval(VERSION, agency) != version
                assert await there.fetchval(DIGEST) == await here.fetchval(DIGEST)
                assert await here.fetchval("select count(*) from calls") == await here.fetchval(
                    "select sum(total_calls)::integer from call_stats_daily"
                )
            await fold(there)
            await there.execute("select repair_call_stats(null, '2000-01-01', '2100-01-01')")
            await subscription.arrived()
            await assert_all_is_right(here)
            await there.execute("truncate calls cascade")
            await subscription.arrived()
            assert await here.fetchval("select count(*) from call_stats_daily") == 0
            await given.calls(agency, 5, **FOUND)
            await subscription.arrived()
            assert await here.fetchval("select sum(total_calls)::integer from call_stats_daily") == 5
        await assert_all_is_right(here)
        # Whoever writes there in the ordinary way is counted as ever.
        await Given(here).calls(agency, 5, **FOUND)
        await assert_all_is_right(here)
        assert await here.fetchval("select sum(total_calls)::integer from call_stats_daily") == 10


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


async def test_what_another_servers_worker_writes_stops_no_subscription_and_is_not_taken_for_our_own(
    unusual_database: Database, second_database: Database
) -> None:
    """Both have done the slot at hand, and have a job for the same call."""
    async with session(unusual_database) as there, session(second_database) as here:
        agency = await Given(there).agency()
        await Given(there).calls(agency, 3, **PENDING)
        recount = "select status from recount_call_stats()"
        assert await here.fetchval(recount) == await there.fetchval(recount) == "completed"
        runs = await here.fetch("select * from cron_job_logs")
        async with subscribed(
            there, here, unusual_database, PUBLISHED["all tables"], "copy_data = true"
        ) as subscription:
            await subscription.arrived()
            assert await here.fetchval("select count(*) from enrichment_queue") == 0
            await here.execute("update calls set summary = 'Understood here'")
            assert await here.fetchval("select count(*) from enrichment_queue") == 3
            await Given(there).calls(agency, 2, **PENDING)
            await there.execute("update enrichment_queue set status = 'running', locked_by = 'a worker'")
            await there.execute("delete from enrichment_queue where call_id = (select id from calls limit 1)")
            await there.execute("select recount_call_stats(7, now() + interval '6 hours')")
            await there.execute("delete from cron_job_logs")
            await subscription.arrived()
            assert await here.fetch("select * from cron_job_logs") == runs
            assert await here.fetchval("select count(*) from enrichment_queue where status = 'queued'") == 3
        assert await here.fetchval("select count(*) from calls") == 5
        await assert_all_is_right(here)


async def _alike(databases: Sequence[asyncpg.Connection], *statements: str) -> None:
    for each in databases:
        for statement in statements:
            await each.execute(statement)


async def test_a_subscriber_counts_what_arrives(unusual_database: Database, second_database: Database) -> None:
    """Its rollups are its own, and so are its versions, each of one state."""
    async with session(unusual_database) as source, session(second_database) as target:
        await _alike((source, target), DRAWN, SHARED)
        async with subscribed(source, target, unusual_database) as subscription:
            author, storm = Author("01", "subscriber"), Storm("subscriber")
            for number in range(TRANSACTIONS):
                isolation, statements = author.truncate() if number % 15 == 14 else author.transaction()
                await write(source, [f"begin isolation level {isolation}", *statements])
                await subscription.arrived()
                await storm.check(target)
        digests = "select id, drawn.digest(id) from agencies order by id"
        assert await source.fetch(digests) == await target.fetch(digests)
        assert await target.fetchval("select count(*) from calls") > 0
        await assert_all_is_right(target)


async def test_a_version_names_one_state_on_two_servers_that_follow_each_other(
    unusual_database: Database, second_database: Database
) -> None:
    """One of them may take the place of the other before it has everything."""
    agency = "00000000-0000-0000-0000-00000000000a"
    async with session(unusual_database) as one, session(second_database) as other:
        if one.get_server_version() < (16,):
            pytest.skip("PostgreSQL 15 has no `origin = none`: what arrives would be sent back")
        await _alike(
            (one, other),
            DRAWN,
            f"insert into agencies (id, name, slug) values ('{agency}', 'A', 'a')",
            f"insert into clients (id, agency_id, name) values ('{agency}', '{agency}', 'C')",
        )
        options = "copy_data = false, origin = none"
        async with (
            subscribed(one, other, unusual_database, options=options) as to_other,
            subscribed(other, one, second_database, options=options) as to_one,
        ):
            await to_other.stop()
            for number, each in enumerate((one, other)):
                await each.execute(f"insert into clients (agency_id, name) values ('{agency}', 'only {number}')")
            await to_one.arrived()
            storm = Storm("two servers")
            for each in (one, other):
                await storm.check(each)
            assert [await each.fetchval("select count(*) from clients") for each in (one, other)] == [3, 2]
