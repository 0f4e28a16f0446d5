"""The worker's connections: a database that is away is waited for, as long as it takes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import stamina
import structlog
from asyncpg.pool import PoolConnectionProxy

from database.address import read_address
from database.lost import LOST
from database.reach import Servers

log = structlog.get_logger()

STATEMENT_SECONDS = 60.0


class Connections:
    """Runs statements: each as a transaction of its own, or several in one."""

    def __init__(self, dsn: str, *, size: int = 4, pooled: bool = False, patient: bool = True) -> None:
        """How to connect.

        Args:
            dsn: where to.
            size: connections at most.
            pooled: the address leads to a transaction pooler, where nothing may be prepared in a session.
            patient: wait for a database that is away; otherwise its absence is raised.
        """
        self._dsn = dsn
        self._size = size
        self._pooled = pooled
        self._attempts = None if patient else 1
        self._pool: asyncpg.Pool | None = None

    async def open(self) -> None:
        """Prepares the pool; connects to nothing yet."""
        address = read_address(self._dsn)
        # Folds, repairs and claims have to see what others commit meanwhile, whatever the database's default is.
        session = {
            "application_name": address.application_name or "voice-analytics-worker",
            "jit": "off",
            "default_transaction_isolation": "read committed",
        }
        self._pool = await asyncpg.create_pool(
            connect=Servers(address, self._tell),
            min_size=0,
            max_size=self._size,
            timeout=10,
            command_timeout=STATEMENT_SECONDS,
            max_inactive_connection_lifetime=60,
            statement_cache_size=0 if self._pooled else 100,
            # A pooler of transactions knows no session to say it to, so there each transaction says it.
            server_settings={} if self._pooled else session,
        )

    def _tell(self, reason: str) -> None:
        if self._attempts is None:  # otherwise it is raised, and told by whoever hears of it
            log.error("database.unreachable", reason=reason)

    async def close(self) -> None:
        """Closes every connection."""
        if self._pool:
            self._pool.terminate()

    async def fetch(self, sql: str, *values: object, seconds: float = STATEMENT_SECONDS) -> list[asyncpg.Record]:
        """The rows of one statement, tried until the database answers, each try for so many seconds at most.

        So every statement that is given here may be run twice.

        Raises:
            PostgresError: the database refuses the statement itself.
        """
        async for attempt in stamina.retry_context(
            on=_lost, attempts=self._attempts, timeout=None, wait_initial=0.2, wait_max=10, wait_jitter=0.2
        ):
            with attempt:
                if self._pooled:
                    async with self.transaction() as connection:
                        return list(await connection.fetch(sql, *values, timeout=seconds))
                return list(await self._opened().fetch(sql, *values, timeout=seconds))
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PoolConnectionProxy]:
        """Several statements, each of which sees what others commit meanwhile. They are tried once."""
        async with self._opened().acquire() as connection, connection.transaction(isolation="read_committed"):
            yield connection

    def _opened(self) -> asyncpg.Pool:
        if self._pool is None:
            raise RuntimeError("the connections are not open")
        return self._pool


def _lost(error: Exception) -> bool:
    return isinstance(error, LOST)
