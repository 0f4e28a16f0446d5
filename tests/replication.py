"""A primary with streaming replicas, made from the embedded binaries: each may be stopped, held up or promoted."""

import asyncio
import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from database.binaries import Account, run
from database.embedded import Server, embedded
from database.migrate import migrate
from gateway.db import Pool, Row
from gateway.replicas import Nodes
from tests.waiting import PATIENCE, until

REPLICAS = 2


class Node:
    """One server, always at the same address, with these settings beside those that all have."""

    def __init__(self, folder: Path, name: str, settings: Mapping[str, str] = {}) -> None:
        self._folder, self._name, self._settings = folder, name, settings
        self._running = ExitStack()
        self.data_dir = folder / name
        self.socket_dir = folder / f"{name}.at"
        self.dsn = f"postgresql://postgres@/gateway?host={self.socket_dir}&port=5432"

    def start(self) -> Server:
        options = {
            "max_connections": "80",
            "max_standby_streaming_delay": "100ms",
            "wal_retrieve_retry_interval": "100ms",
            "track_activity_query_size": "16kB",
            **self._settings,
        }
        server = self._running.enter_context(embedded(self.data_dir, durable=False, settings=options))
        # Each start has a socket folder of its own; the address leads to the newest.
        new = self._folder / f"{self._name}.new"
        new.symlink_to(server.socket_dir)
        new.rename(self.socket_dir)
        return server

    def stop(self) -> None:
        with self._running:
            for process in self.processes():
                # A backend may end at any moment.
                with suppress(psutil.NoSuchProcess):
                    process.resume()
        self._running = ExitStack()

    def processes(self) -> list[psutil.Process]:
        """The postmaster and its backends."""
        with suppress(FileNotFoundError, psutil.NoSuchProcess):
            postmaster = psutil.Process(int((self.data_dir / "postmaster.pid").read_text().split()[0]))
            return [postmaster, *postmaster.children(recursive=True)]
        return []

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections and answers nothing while the block lasts."""
        processes = self.processes()
        for each in processes:
            with suppress(psutil.NoSuchProcess):
                each.suspend()
        try:
            yield
        finally:
            for each in processes:
                with suppress(psutil.NoSuchProcess):
                    each.resume()

    async def pause(self) -> None:
        """Has it replay nothing until told otherwise."""
        await self.ask("select pg_wal_replay_pause()")
        await until(lambda: self.ask("select pg_get_wal_replay_pause_state() = 'paused'"))

    async def resume(self) -> None:
        """Has it replay again."""
        # What it replays first may be in conflict with this very statement, which then is ended.
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError):
            await self.ask("select pg_wal_replay_resume()")

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """It replays nothing while the block lasts."""
        await self.pause()
        try:
            yield
        finally:
            await self.resume()

    async def promote(self) -> None:
        """Makes it a primary: the one it follows has stopped, or goes on as another."""
        assert await self.ask(f"select pg_promote(true, {PATIENCE:.0f})")

    async def follow(self, primary: "Node | None") -> None:
        """Has it receive from another primary, or from nobody."""
        await self.ask(f"alter system set primary_conninfo = {_quoted(primary)}")
        await self.ask("select pg_reload_conf()")
        if primary is None:
            await until(lambda: self.ask("select count(*) = 0 from pg_stat_wal_receiver"))

    def start_as_standby_of(self, primary: "Node") -> None:
        """It has been stopped, and comes back to follow the one that was promoted in its place."""
        with (self.data_dir / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"primary_conninfo = {_quoted(primary)}\n")
        signal = self.data_dir / "standby.signal"
        signal.touch()
        owner = self.data_dir.stat()
        os.chown(signal, owner.st_uid, owner.st_gid)
        self.start()

    async def ask(self, sql: str, *values: object) -> Any:
        """A value, through a connection of the test's own."""
        connection = await asyncpg.connect(self.dsn, timeout=PATIENCE, server_settings={"application_name": "test"})
        try:
            return await connection.fetchval(sql, *values)
        finally:
            await connection.close()


async def holds(nodes: Nodes, condition: Callable[[], Awaitable[bool]], checks: int = 3) -> None:
    """That it holds until the primary and each replica have been asked so often how far they are."""
    asked: Counter[Pool] = Counter()
    probes = [nodes._probe, *(each.probe for each in nodes._replicas)]

    def counted(probe: Pool) -> Callable[..., Awaitable[Sequence[Row]]]:
        fetch = probe.fetch

        async def counting(sql: str, *values: object) -> Sequence[Row]:
            try:
                return await fetch(sql, *values)
            finally:
                asked[probe] += 1

        return counting

    for probe in probes:
        probe.fetch = counted(probe)  # type: ignore[method-assign]
    async with asyncio.timeout(PATIENCE):
        while min(asked[probe] for probe in probes) < checks:
            assert await condition()
            await asyncio.sleep(0.02)
    for probe in probes:
        del probe.fetch  # its class has it


def _quoted(primary: Node | None) -> str:
    return f"'host={primary.socket_dir} port=5432 user=postgres'" if primary else "''"


class Cluster:
    """The primary and its replicas."""

    def __init__(self, folder: Path) -> None:
        self.primary = Node(folder, "primary")
        self.replicas = [Node(folder, f"replica{number}") for number in range(1, REPLICAS + 1)]

    @property
    def urls(self) -> str:
        """As DATABASE_REPLICA_URLS has them."""
        return ",".join(each.dsn for each in self.replicas)

    def start(self) -> None:
        """Makes all of them; the primary's database has the gateway's tables."""
        server = self.primary.start()
        asyncio.run(_create(server.dsn()))
        migrate(self.primary.dsn)
        owner = self.primary.data_dir.stat()
        account = Account(owner.st_uid, owner.st_gid) if os.geteuid() == 0 else Account()
        source = self.primary.dsn.replace("/gateway?", "/?")
        for replica in self.replicas:
            copy = [str(server.bin_dir / "pg_basebackup"), "-D", str(replica.data_dir), "-R", "-c", "fast", "--no-sync"]
            assert run(account, *copy, "-d", source, output=subprocess.DEVNULL) == 0
            replica.start()

    def stop(self) -> None:
        """Ends all of them."""
        for each in (*self.replicas, self.primary):
            each.stop()

    async def caught_up(self, *replicas: Node) -> None:
        """Waits until these replicas, or all of them, have replayed what the primary has written."""
        await self.caught_up_with(self.primary, *(replicas or self.replicas))

    async def caught_up_with(self, primary: Node, *replicas: Node) -> None:
        """The same of whoever is the primary now."""
        # Commits do not wait for their log here; this writes all of it out.
        position = await primary.ask("select pg_switch_wal()")
        for each in replicas:
            await until(lambda replica=each: replica.ask("select pg_last_wal_replay_lsn() >= $1", position))


@contextmanager
def replicated() -> Iterator[Cluster]:
    """A cluster that is gone after the block."""
    with tempfile.TemporaryDirectory(prefix="gateway-replicas-") as folder:
        # Where PostgreSQL runs as another user, that one makes the copies in it.
        Path(folder).chmod(0o777)
        cluster = Cluster(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


async def _create(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("create database gateway")
    await connection.close()
