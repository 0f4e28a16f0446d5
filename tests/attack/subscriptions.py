"""Logical replication between two databases of one server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import asyncpg

from tests.conftest import Database
from tests.waiting import until

_IS_THERE = """
select bool_and(confirmed_flush_lsn >= $2) from pg_replication_slots where slot_name = $1
"""
_IS_COPIED = """
select coalesce(bool_and(r.srsubstate = 'r'), true)
from pg_subscription as s
left join pg_subscription_rel as r on r.srsubid = s.oid
where s.subname = $1
"""


@dataclass(frozen=True)
class Subscription:
    """One database receives whatever is changed in another."""

    publisher: asyncpg.Connection
    subscriber: asyncpg.Connection
    name: str

    async def arrived(self) -> None:
        """Waits until whatever has been changed is there as well; nothing was refused."""
        refused = "select apply_error_count + sync_error_count from pg_stat_subscription_stats where subname = $1"
        position = await self.publisher.fetchval("select pg_current_wal_insert_lsn()")

        async def is_there() -> bool:
            is_copied = await self.subscriber.fetchval(_IS_COPIED, self.name)
            if is_copied and await self.publisher.fetchval(_IS_THERE, self.name, position):
                return True
            assert not await self.subscriber.fetchval(refused, self.name)
            return False

        await until(is_there)

    async def stop(self) -> None:
        """Nothing arrives any more."""
        await self.subscriber.execute(f"alter subscription {self.name} disable")
        ended = "select count(*) = 0 from pg_stat_subscription where subname = $1 and pid is not null"
        await until(lambda: self.subscriber.fetchval(ended, self.name))


@asynccontextmanager
async def subscribed(
    publisher: asyncpg.Connection,
    subscriber: asyncpg.Connection,
    source: Database,
    published: str = "all tables",
    options: str = "copy_data = false",
) -> AsyncIterator[Subscription]:
    """Publishes this of the source and subscribes to it while the block lasts."""
    name = f"of_{uuid4().hex[:8]}"
    address = urlsplit(source.dsn)
    query = parse_qs(address.query)
    place = f"host={query['host'][0]} port={query['port'][0]} user={address.username} dbname={address.path[1:]}"
    await publisher.execute(f"create publication {name} for {published}")
    # Made beforehand: a subscription of a database on the same server would wait for itself.
    await publisher.execute("select pg_create_logical_replication_slot($1, 'pgoutput')", name)
    await subscriber.execute(
        f"create subscription {name} connection '{place}' publication {name} with (create_slot = false, {options})"
    )
    subscription = Subscription(publisher, subscriber, name)
    try:
        yield subscription
    finally:
        await subscription.stop()
        await subscriber.execute(f"alter subscription {name} set (slot_name = none)")
        await subscriber.execute(f"drop subscription {name}")
        free = "select not active from pg_replication_slots where slot_name = $1"
        await until(lambda: publisher.fetchval(free, name))
        await publisher.execute("select pg_drop_replication_slot($1)", name)
