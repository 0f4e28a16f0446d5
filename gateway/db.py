"""The pool of connections: lazy, read-only, bounded in time, and back by itself when the database is."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from random import random
from time import perf_counter
from typing import Any, cast

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from database.address import read_address
from database.lost import LOST
from database.reach import Servers
from gateway.deadlines import Deadlines
from gateway.settings import Settings
from resolvers.errors import TimedOut, Unavailable

Row = Mapping[str, Any]

log = structlog.get_logger()

_PAUSE_SECONDS = 0.05
"""Between a lost connection and the second try, at least; at most twice as long."""
_IN_HAND_SECONDS = 1.0
"""So long at most a connection is kept from asyncpg's pool, which sees to its age and to its end."""
_CLEAN_UP_SECONDS = 2.0
"""How long a connection may take to end what was cancelled on it, before it is thrown away."""
_NO_PRIMARY = "DATABASE_URL leads to a standby, whose numbers may be old without bound; name the primary"


class Pool:
    """Runs single statements, each on a connection of its own, so that parallel sections never share one.

    The primary's, unless made for a `replica`: then a standby is read as well, and a lost read is not tried again.
    """

    def __init__(
        self, settings: Settings, on_read: Callable[[float], None] | None = None, *, replica: bool = False
    ) -> None:
        self._is_replica = replica
        self._address = read_address(settings.database_url.get_secret_value(), standby=replica)
        self._servers = Servers(self._address, self._tell)
        self._settings = settings
        self._on_read = on_read or _unheard
        self._pool: asyncpg.Pool | None = None
        # Connections that were used a moment ago. To hand one back to asyncpg's pool and to ask for it again costs more
        # than all else that is done here for a statement.
        self._in_hand: list[PoolConnectionProxy] = []
        self._in_hand_until: asyncio.TimerHandle | None = None
        self._turns = asyncio.Semaphore(settings.database_pool_size)
        self._cleaning: set[asyncio.Task[None]] = set()
        self._losses = 0
        # Below the request's own limit, so that the reason is known when it is reached.
        self._patience = settings.request_timeout_seconds * 0.8
        self._deadlines = Deadlines(self._patience)
        self._limit_ms = max(1, int(self._patience * 1000))  # 0 would mean none
        self._pooled = settings.database_pooler == "transaction"
        # A standby refuses to begin what might write: so the primary is told from it by the way.
        begin = "begin read only" if replica else "begin read write; set transaction read only"
        self._begin = f"{begin}; set local statement_timeout = {self._limit_ms}; set local timezone = 'UTC'"

    async def open(self) -> None:
        """Prepares the pool. Connects to nothing yet, so that a database that is away at start comes in later."""
        session = {
            "application_name": self._address.application_name or "voice-analytics-gateway",
            "default_transaction_read_only": "on",
            "statement_timeout": str(self._limit_ms),
            "timezone": "UTC",
            "jit": "off",
        }
        self._pool = await asyncpg.create_pool(
            connect=self._connect,
            min_size=0,
            max_size=self._settings.database_pool_size,
            timeout=self._patience,
            # For what has no limit of its own: cancelling, ending a transaction, closing.
            command_timeout=_CLEAN_UP_SECONDS,
            max_inactive_connection_lifetime=60,
            # Behind a transaction pooler a session is not ours: nothing may be prepared in it or set for it.
            statement_cache_size=0 if self._pooled else 200,
            server_settings={} if self._pooled else session,
            init=None if self._pooled else self._refuse_what_may_not_be_read,
            reset=_keep_session,
        )

    async def close(self) -> None:
        """Lets statements under way end, for a moment, and closes every connection."""
        if self._pool is None:
            return
        self._let_go(self._pool)
        try:
            async with asyncio.timeout(3):
                await self._pool.close()
        except (TimeoutError, *LOST):
            self._pool.terminate()

    async def fetch(self, sql: str, *values: object) -> Sequence[Row]:
        """The rows of one statement; a read that meets a lost connection is tried once more, unless told otherwise.

        Raises:
            TimedOut: the statement or a free connection took too long.
            Unavailable: the database is away, twice if it was tried again, or a standby where the primary is wanted.
        """
        started, losses = perf_counter(), self._losses
        try:
            # Here and not only around the request: a shared read is nobody's request's own, and nothing else ends it.
            with self._deadlines.deadline():
                try:
                    return await self._fetch(sql, values)
                except LOST as error:
                    if not _worth_another_try(error):
                        raise
                    if self._is_replica:
                        await self._distrust()
                        raise
                    log.warning("read.retried", reason=repr(error))
                await asyncio.sleep(_PAUSE_SECONDS * (1 + random()))  # noqa: S311
                if losses == self._losses:
                    await self._distrust()
                return await self._fetch(sql, values)
        except (TimeoutError, asyncpg.QueryCanceledError):
            raise TimedOut("the database took too long to answer") from None
        except LOST as error:
            raise Unavailable("the database cannot be reached at the moment") from error
        finally:
            self._on_read(perf_counter() - started)

    async def _distrust(self) -> None:
        """Has every connection replaced before it is used again: where one was lost, the others may be as dead."""
        self._losses += 1
        if self._pool is not None:
            await self._pool.expire_connections()
            self._let_go(self._pool)

    async def _fetch(self, sql: str, values: tuple[object, ...]) -> Sequence[Row]:
        pool, losses = self._pool, self._losses
        if pool is None:
            raise Unavailable("the gateway is still starting")
        async with self._turns:
            connection = self._from_hand(pool) or await pool.acquire()
            try:
                if self._pooled:
                    await self._begin_on(connection)
                rows = await connection.fetch(sql, *values, timeout=self._patience)
            except BaseException:
                self._give_back(pool, connection)
                raise
            if self._pooled or losses != self._losses:
                self._give_back(pool, connection)
            else:
                self._in_hand.append(connection)
                if self._in_hand_until is None:
                    loop = asyncio.get_running_loop()
                    self._in_hand_until = loop.call_later(_IN_HAND_SECONDS, self._let_go, pool)
        return cast("Sequence[Row]", rows)

    async def _connect(self, dsn: str | None = None, **options: Any) -> asyncpg.Connection:
        try:
            return await self._servers(dsn, **options)
        except asyncpg.TargetServerAttributeNotMatched:
            if self._is_replica:
                raise
            raise Unavailable(_NO_PRIMARY) from None

    def _tell(self, reason: str) -> None:
        log.error("database.unreachable", replica=self._is_replica, reason=reason)

    async def _begin_on(self, connection: PoolConnectionProxy) -> None:
        try:
            await connection.execute(self._begin, timeout=self._patience)
        except asyncpg.FeatureNotSupportedError:
            raise Unavailable(_NO_PRIMARY) from None

    async def _refuse_what_may_not_be_read(self, connection: asyncpg.Connection) -> None:
        # Behind a pooler that drops our settings, a statement prepared by another process may be run in place of ours.
        if connection.get_settings().default_transaction_read_only != "on":
            raise asyncpg.InterfaceError("a pooler has dropped the session's settings: set DATABASE_POOLER=transaction")
        # Asked for, as a pooler may report what another server said long ago. Asked once: no server becomes a standby
        # without a restart, which ends its connections.
        if not self._is_replica and (await connection.fetch("select pg_is_in_recovery()"))[0][0]:
            raise Unavailable(_NO_PRIMARY)

    def _from_hand(self, pool: asyncpg.Pool) -> PoolConnectionProxy | None:
        while self._in_hand:
            connection = self._in_hand.pop()
            try:
                if not connection.is_closed():
                    return connection
            except asyncpg.InterfaceError:
                continue  # it has ended meanwhile, and the pool has taken it back by itself
            self._give_back(pool, connection)
        return None

    def _let_go(self, pool: asyncpg.Pool) -> None:
        """Gives back what is in hand. Who goes on asking has it in hand again at once."""
        if self._in_hand_until is not None:
            self._in_hand_until.cancel()
            self._in_hand_until = None
        while self._in_hand:
            self._give_back(pool, self._in_hand.pop())

    def _give_back(self, pool: asyncpg.Pool, connection: PoolConnectionProxy) -> None:
        """Ends what a read left on its connection, which nobody waits for: on a frozen server it may take its time."""
        task = asyncio.create_task(self._clean_up(pool, connection))
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)

    async def _clean_up(self, pool: asyncpg.Pool, connection: PoolConnectionProxy) -> None:
        with suppress(*LOST, asyncpg.PostgresError):
            try:
                if self._pooled and not connection.is_closed():
                    await connection.execute("commit")
            finally:
                await pool.release(connection, timeout=_CLEAN_UP_SECONDS)


async def _keep_session(_: asyncpg.Connection) -> None:
    """Instead of asyncpg's reset: single reads leave nothing behind in a session, so a round trip is saved."""


def _worth_another_try(lost: Exception) -> bool:
    # TimeoutError is an OSError and a cancelled statement an intervention, but what took too long once is not.
    return not isinstance(lost, TimeoutError | asyncpg.QueryCanceledError)


def _unheard(_seconds: float) -> None:
    """Nobody measures."""
