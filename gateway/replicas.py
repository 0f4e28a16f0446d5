"""Which of the database's nodes a request reads from: a replica that keeps up, the primary otherwise."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from time import monotonic

import asyncpg
import structlog

from database.address import read_address
from gateway.db import Pool, Row
from gateway.settings import Settings
from resolvers.errors import TimedOut, Unavailable
from resolvers.reader import Database

log = structlog.get_logger()

CHECKS_WITHIN_BOUND = 5
"""So often a replica is asked within the bound, at least; what is written now shows at the next check or the second."""
LONGEST_PAUSE_SECONDS = 1.0
"""Between two checks, however long the bound: a replica that answers nobody is to be noticed."""
CHECK_SECONDS = 2.0
"""What a check may take, its first connection included."""
LEFT_SECONDS = 2.0
"""How long a replica is left alone after it has failed."""
IDLE_SECONDS = 10.0
"""Without a request for so long, nobody is asked any more."""

_WRITTEN = (Path(__file__).parent / "sql" / "written.sql").read_text("utf-8")
_REPLAYED = (Path(__file__).parent / "sql" / "replayed.sql").read_text("utf-8")


@dataclass(eq=False)
class _Replica:
    number: int
    pool: Pool
    probe: Pool
    """A connection of its own: a replica whose pool is busy is not for that behind."""
    fresh_at: float = -inf
    """Everything that was committed by then can be read here."""
    left_until: float = -inf
    chosen: int = 0
    reading: set[asyncio.Timeout] = field(default_factory=set)

    def leave(self, reason: Exception) -> None:
        """Has it left alone for a while, and then asked again before it is trusted: it may have restarted behind."""
        if self.left_until < monotonic():
            log.warning("replica.left", number=self.number, reason=repr(reason.__cause__ or reason))
        self.fresh_at, self.left_until = -inf, monotonic() + LEFT_SECONDS

    def break_off(self) -> None:
        """Has the reads under way begun anew on the primary."""
        while self.reading:
            self.reading.pop().reschedule(asyncio.get_running_loop().time())


class Nodes:
    """The primary and its replicas.

    How old a replica's data are is found out without its clock and without the primary's: we note what position the
    primary's log has reached and when, and a replica is as fresh as the newest note whose position it has replayed. It
    must be a position on the same timeline: a replica that stayed with a primary that was replaced may be far ahead.
    """

    def __init__(self, settings: Settings, on_read: Callable[[float], None] | None = None) -> None:
        self.primary = Pool(settings, on_read)
        self._bound = settings.database_replica_lag_seconds
        self._pause = min(self._bound / CHECKS_WITHIN_BOUND, LONGEST_PAUSE_SECONDS)
        self._probe = Pool(_probing(settings))
        self._replicas = []
        for number, url in enumerate(settings.database_replica_urls, start=1):
            pooler = "transaction" if read_address(url.get_secret_value(), standby=True).pools_transactions else None
            there = settings.model_copy(
                update={"database_url": url, "database_pooler": pooler or settings.database_pooler}
            )
            self._replicas.append(
                _Replica(number, Pool(there, on_read, replica=True), Pool(_probing(there), replica=True))
            )
        self._notes: deque[tuple[float, Row]] = deque()
        self._asked = -inf
        self._chosen = 0
        self._watch: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Prepares the pools; connects to nothing yet."""
        for pool in self._pools():
            await pool.open()

    async def close(self) -> None:
        """Ends the checks and closes every connection."""
        if self._watch:
            self._watch.cancel()
            await asyncio.wait({self._watch})
        await asyncio.gather(*(pool.close() for pool in self._pools()))

    def choose(self) -> Database:
        """Where one request reads: the least busy replica that has everything that is older than the bound, or the
        primary, which also takes over when that replica fails."""
        if not self._replicas:
            return self.primary
        now = self._asked = monotonic()
        if self._watch is None or self._watch.done():
            # In a context of its own: it is not part of the request that happens to start it.
            self._watch = asyncio.create_task(self._watched(), context=Context())
        fresh = [each for each in self._replicas if now - each.fresh_at <= self._bound]
        if not fresh:
            return self.primary
        replica = min(fresh, key=lambda each: (len(each.reading), each.chosen))
        self._chosen += 1
        replica.chosen = self._chosen
        return _OneNode(replica, self.primary)

    def _pools(self) -> list[Pool]:
        return [self.primary, self._probe, *(pool for each in self._replicas for pool in (each.pool, each.probe))]

    async def _watched(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._note())
            for replica in self._replicas:
                group.create_task(self._follow(replica))

    async def _note(self) -> None:
        """Writes down how far the primary is; with the moment before it was asked, which is on the safe side."""
        while monotonic() - self._asked < IDLE_SECONDS:
            moment = monotonic()
            while self._notes and self._notes[0][0] < moment - self._bound:
                self._notes.popleft()
            try:
                (written,) = await self._probe.fetch(_WRITTEN)
                self._notes.append((moment, written))
                pause = self._pause
            except (Unavailable, asyncpg.PostgresError):
                pause = LEFT_SECONDS
            await asyncio.sleep(max(0.0, moment + pause - monotonic()))

    async def _follow(self, replica: _Replica) -> None:
        """Finds out which of the notes a replica has replayed."""
        was_fresh = False
        while monotonic() - self._asked < IDLE_SECONDS:
            began = monotonic()
            try:
                (replayed,) = await replica.probe.fetch(_REPLAYED)
                if replayed["position"] is None:
                    replica.fresh_at = -inf
                elif replica.left_until <= began:
                    reached = (moment for moment, written in self._notes if has_replayed(replayed, written))
                    replica.fresh_at = max(replica.fresh_at, *reached, -inf)
            except (Unavailable, asyncpg.PostgresError) as error:
                replica.leave(error)
                if isinstance(error, TimedOut):
                    replica.break_off()
            if was_fresh != (fresh := monotonic() - replica.fresh_at <= self._bound):
                log.info("replica.used" if fresh else "replica.behind", number=replica.number)
                was_fresh = fresh
            wait = max(began + self._pause, replica.left_until) - monotonic()
            await asyncio.sleep(max(0.0, wait))


class _OneNode:
    """The replica of one request; when that fails, the primary for the rest of the request."""

    def __init__(self, replica: _Replica, primary: Pool) -> None:
        self._replica: _Replica | None = replica
        self._primary = primary

    async def fetch(self, sql: str, *values: object) -> Sequence[Row]:
        """The rows of one statement.

        Raises:
            TimedOut: it took too long.
            Unavailable: the primary is away, and a replica does not help.
        """
        replica = self._replica
        if replica is None:
            return await self._primary.fetch(sql, *values)
        try:
            async with asyncio.timeout(None) as limit:
                replica.reading.add(limit)
                try:
                    return await replica.pool.fetch(sql, *values)
                finally:
                    replica.reading.discard(limit)
        except TimedOut:
            raise
        except Unavailable as error:
            replica.leave(error)
        except TimeoutError:
            pass  # the one who watches it has said that it does not answer
        self._replica = None
        return await self._primary.fetch(sql, *values)


def has_replayed(replayed: Row, written: Row) -> bool:
    """Whether a standby has what its primary had; positions on another log, or another timeline of it, say nothing."""
    if (replayed["cluster"], replayed["timeline"]) != (written["cluster"], written["timeline"]):
        return False
    return bool(replayed["position"] >= written["position"])


def _probing(settings: Settings) -> Settings:
    limit = min(CHECK_SECONDS, settings.request_timeout_seconds / 2)
    return settings.model_copy(update={"database_pool_size": 1, "request_timeout_seconds": limit})
