"""A primary dies with commits that its standby never had: nothing of them is shown once the standby is in its place.

It happens to one gateway again and again: 8 times, and 20 where CI is true, unless HISTORY_ROUNDS tells otherwise.
"""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from database.binaries import Account, run
from database.embedded import Server
from database.migrate import migrate
from tests.attack.watching import ROUNDS, Books, as_shipped, crowded
from tests.replication import Node
from tests.running import running
from tests.waiting import until

REWINDABLE = {"wal_log_hints": "on", "full_page_writes": "on"}
"""So that one that was killed need not be copied anew to follow the other."""


class Pair:
    """A primary and its standby; the gateway's address leads to whoever is the primary."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.primary, self.standby = Node(folder, "one", REWINDABLE), Node(folder, "other", REWINDABLE)
        self.dsn = f"postgresql://postgres@/gateway?host={folder / 'at'}&port=5432"

    def start(self) -> None:
        """Makes both; the primary's database has the gateway's tables."""
        server = self.primary.start()
        self._bin_dir = server.bin_dir
        asyncio.run(_create(self.primary.dsn))
        migrate(self.primary.dsn)
        # Kept where pg_rewind finds it, which starts the server by itself to end what was killed.
        asyncio.run(self.primary.ask("alter system set wal_keep_size = '1GB'"))
        self._lead_to(server)
        self._run(
            "pg_basebackup", "-D", str(self.standby.data_dir), "-R", "-c", "fast", "--no-sync", "-d", self._source
        )
        self._next = self.standby.start()

    def stop(self) -> None:
        """Ends both."""
        self.standby.stop()
        self.primary.stop()

    async def part(self) -> None:
        """The standby has everything so far, and will have nothing more."""
        position = await self.primary.ask("select pg_switch_wal()")
        await _until(self.standby, "select pg_last_wal_replay_lsn() >= $1", position)
        await self.standby.ask("alter system set primary_conninfo = ''")
        await self.standby.ask("select pg_reload_conf()")
        await _until(self.standby, "select count(*) = 0 from pg_stat_wal_receiver")

    async def fail_over(self) -> None:
        """The primary is gone at once, with all of its processes, and the standby takes its place."""
        for each in self.primary.processes():
            with suppress(psutil.NoSuchProcess):
                each.kill()
        assert await self.standby.ask("select pg_promote()")
        self._lead_to(self._next)
        self.primary, self.standby = self.standby, self.primary

    def rejoin(self) -> None:
        """The one that was killed follows the other."""
        self.standby.stop()
        asyncio.run(self.primary.ask("checkpoint"))
        self._run("pg_rewind", "-D", str(self.standby.data_dir), "-R", "--no-sync", "--source-server", self._source)
        self._next = self.standby.start()

    @property
    def _source(self) -> str:
        return self.primary.dsn.replace("/gateway?", "/postgres?")

    def _run(self, program: str, *arguments: str) -> None:
        owner = self.primary.data_dir.stat()
        account = Account(owner.st_uid, owner.st_gid) if os.geteuid() == 0 else Account()
        for node in (self.primary, self.standby):
            for path in node.data_dir.glob("*"):
                account.give(path)
        assert run(account, str(self._bin_dir / program), *arguments, output=subprocess.DEVNULL) == 0

    def _lead_to(self, server: Server) -> None:
        new = self._folder / "new"
        new.symlink_to(server.socket_dir)
        new.rename(self._folder / "at")


async def _create(dsn: str) -> None:
    connection = await asyncpg.connect(dsn.replace("/gateway?", "/postgres?"))
    await connection.execute("create database gateway")
    await connection.close()


async def _until(node: Node, condition: str, *values: Any) -> None:
    await until(lambda: node.ask(condition, *values))


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    with tempfile.TemporaryDirectory(prefix="gateway-failover-") as folder:
        # Where PostgreSQL runs as another user, that one makes the copies in it.
        Path(folder).chmod(0o777)
        made = Pair(Path(folder))
        try:
            await asyncio.to_thread(made.start)
            yield made
        finally:
            await asyncio.to_thread(made.stop)


async def test_nothing_of_commits_that_were_lost_by_a_failover_is_shown(pair: Pair) -> None:
    connection = await asyncpg.connect(pair.primary.dsn)
    books = await Books.open(connection)

    async def lose() -> asyncpg.Connection:
        connection.terminate()
        await pair.fail_over()
        return await asyncpg.connect(pair.primary.dsn)

    async with running(as_shipped(pair.dsn)) as gateway, crowded(gateway, books.user) as crowd:
        for number in range(ROUNDS):
            await crowd.see(books, connection, 10)
            await pair.part()
            connection = await crowd.see_another_history(books, connection, lose, at_once=number % 2 == 1)
            await asyncio.to_thread(pair.rejoin)
        assert crowd.reused > 0
        assert crowd.statuses[304] > 0
    await connection.close()
