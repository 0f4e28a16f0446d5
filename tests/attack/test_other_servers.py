"""What only a server with other settings does: it publishes and subscribes, and it prepares transactions."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from database.migrate import migrate
from tests.agreement import findings
from tests.agreement.test_rollup import assert_it_is_a_recount
from tests.attack.statements import Author
from tests.attack.test_any_statement import DRAWN, SHARED, Storm, write
from tests.given import Given
from tests.replication import Node
from tests.waiting import PATIENCE, until

TRANSACTIONS = 40
SETTINGS = {"wal_level": "logical", "max_prepared_transactions": "5"}


class Pair:
    """Two databases, the second made as a copy of the first."""

    def __init__(self, dsn: str, stack: AsyncExitStack) -> None:
        self._dsn, self._stack = dsn, stack
        self.databases: list[asyncpg.Connection] = []
        self._subscribed: list[tuple[int, str]] = []

    async def connect(self, database: str) -> asyncpg.Connection:
        connection = await asyncpg.connect(self._dsn.replace("/gateway?", f"/{database}?"))
        self._stack.push_async_callback(connection.close)
        self.databases.append(connection)
        return connection

    async def subscribe(self, to: int, more: str = "") -> None:
        """The other one receives whatever is changed in this one from now on."""
        source, target = self.databases[to], self.databases[1 - to]
        name, database = f"of_{to}", await source.fetchval("select current_database()")
        await source.execute(f"create publication {name} for all tables")
        await source.execute(f"select pg_create_logical_replication_slot('{name}', 'pgoutput')")
        host = self._dsn.split("host=")[1].split("&")[0]
        await target.execute(
            f"create subscription {name} connection 'host={host} port=5432 user=postgres dbname={database}'"
            f" publication {name} with (create_slot = false, copy_data = false{more})"
        )
        self._subscribed.append((to, name))

    async def arrived(self) -> None:
        """Whatever has been changed is there as well, and nothing was refused."""
        for of, name in self._subscribed:
            position = await self.databases[of].fetchval("select pg_current_wal_insert_lsn()")
            there = "select confirmed_flush_lsn >= $2 from pg_replication_slots where slot_name = $1"
            refused = "select apply_error_count from pg_stat_subscription_stats where subname = $1"
            async with asyncio.timeout(PATIENCE):
                while not await self.databases[of].fetchval(there, name, position):
                    assert await self.databases[1 - of].fetchval(refused, name) == 0
                    await asyncio.sleep(0.05)

    async def stop(self, of: int) -> None:
        """Nothing of this one arrives any more."""
        self._subscribed.remove((of, f"of_{of}"))
        await self.databases[1 - of].execute(f"alter subscription of_{of} disable")
        stopped = f"select count(*) = 0 from pg_stat_subscription where subname = 'of_{of}' and pid is not null"
        await until(lambda: self.databases[1 - of].fetchval(stopped))


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    with tempfile.TemporaryDirectory(prefix="gateway-logical-") as folder:
        Path(folder).chmod(0o711)
        node = Node(Path(folder), "node", SETTINGS)
        await asyncio.to_thread(node.start)
        try:
            admin = await asyncpg.connect(node.dsn.replace("/gateway?", "/postgres?"))
            await admin.execute("create database gateway")
            await admin.close()
            await asyncio.to_thread(migrate, node.dsn)
            async with AsyncExitStack() as stack:
                yield Pair(node.dsn, stack)
        finally:
            await asyncio.to_thread(node.stop)


async def _copied(pair: Pair, *statements: str) -> list[asyncpg.Connection]:
    """Both databases, with what these statements bring in both."""
    first = await pair.connect("gateway")
    for statement in statements:
        await first.execute(statement)
    await first.close()
    pair.databases.clear()
    admin = await pair.connect("postgres")
    pair.databases.clear()
    await admin.execute("create database other template gateway")
    return [await pair.connect("gateway"), await pair.connect("other")]


async def test_a_subscriber_counts_what_arrives(pair: Pair) -> None:
    """Its rollups are its own, and so are its versions, each of one state."""
    source, target = await _copied(pair, DRAWN, SHARED)
    await pair.subscribe(0)
    author, storm = Author("01", "subscriber"), Storm("subscriber")
    for number in range(TRANSACTIONS):
        isolation, statements = author.truncate() if number % 15 == 14 else author.transaction()
        await write(source, [f"begin isolation level {isolation}", *statements])
        await pair.arrived()
        await storm.check(target)
    digests = "select id, drawn.digest(id) from agencies order by id"
    assert await source.fetch(digests) == await target.fetch(digests)
    assert await target.fetchval("select count(*) from calls") > 0
    await assert_it_is_a_recount(target)
    await findings.assert_it_is_a_recount(target)


async def test_a_version_names_one_state_on_two_servers_that_follow_each_other(pair: Pair) -> None:
    """One of them may take the place of the other before it has everything."""
    agency = "00000000-0000-0000-0000-00000000000a"
    both = await _copied(
        pair,
        DRAWN,
        f"insert into agencies (id, name, slug) values ('{agency}', 'A', 'a')",
        f"insert into clients (agency_id, name) values ('{agency}', 'C')",
    )
    if both[0].get_server_version() < (16,):
        pytest.skip("what arrives would be sent back")
    for number in range(2):
        await pair.subscribe(number, ", origin = none")
    storm = Storm("two servers")
    await pair.stop(0)
    for number, each in enumerate(both):
        await each.execute(f"insert into clients (agency_id, name) values ('{agency}', 'only {number}')")
    await pair.arrived()
    for each in both:
        await storm.check(each)
    assert [await each.fetchval("select count(*) from clients") for each in both] == [3, 2]


PREPARED: tuple[tuple[Any, ...], ...] = (
    ("begin", "{insert}", "prepare transaction 'one'"),
    ("begin; {insert}; prepare transaction 'one'",),
    ("begin", "set constraints all immediate", "{insert}", "prepare transaction 'one'"),
    ("begin; set constraints all immediate; {insert}", "prepare transaction 'one'"),
    ("begin; {insert}; set constraints all immediate", "prepare transaction 'one'"),
    ("begin; set constraints all immediate; {insert}; savepoint commit", "/* commit */ prepare transaction 'one'"),
)


async def test_a_transaction_that_is_prepared_holds_no_fold_up(pair: Pair) -> None:
    connection, other = await pair.connect("gateway"), await pair.connect("gateway")
    agency = await Given(other).agency()
    insert = f"insert into calls (agency_id) select '{agency}' from generate_series(1, 600)"
    held = []
    for statements in PREPARED:
        for statement in statements:
            await connection.execute(statement.format(insert=insert))
        await Given(other).call(agency)
        if not await other.fetchval("select try_fold_call_changes()"):
            held.append(statements)
        await other.execute("commit prepared 'one'")
        await assert_it_is_a_recount(other)
    assert held == []
