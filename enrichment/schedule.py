"""The scheduled job: once in six hours, whoever asks first, the last days are recounted and repaired."""

import asyncio

import asyncpg
import structlog

from database.lost import LOST
from database.rebuild import NO_TIME_LIMIT
from enrichment.connections import Connections
from enrichment.statements import SQL

log = structlog.get_logger()

_RECOUNT = "select status, rows, rows_repaired, error, slot from recount_call_stats()"
TICK_SECONDS = 60.0
"""How often a worker asks whether a recount is due. That it is done once a slot is the database's business."""
LONGEST_SECONDS = 3600.0


class Schedule:
    """Asks for the recount whenever it may be due."""

    def __init__(self, connections: Connections, tick_seconds: float = TICK_SECONDS) -> None:
        self._connections = connections
        self._tick_seconds = tick_seconds

    async def run(self) -> None:
        """Goes on until it is cancelled."""
        told: set[str] = set()
        while True:
            try:
                runs = await self._recount()
            except (asyncpg.PostgresError, *LOST) as error:
                # The database's words say it all. Whatever it was, the next tick tries again.
                log.error("the recount failed", error=str(error) or type(error).__name__)  # noqa: TRY400
            else:
                for run in runs:
                    level = log.error if run["status"] == "failed" else log.info
                    level("recounted", **{**run, "slot": run["slot"].isoformat()})
            failing = await self._failing_folds()
            for reason in failing - told:
                log.error("changes of calls cannot be added up and wait", error=reason)
            told = failing
            await asyncio.sleep(self._tick_seconds)

    async def _recount(self) -> list[asyncpg.Record]:
        async with self._connections.transaction() as connection:
            await connection.execute(NO_TIME_LIMIT)
            return list(await connection.fetch(_RECOUNT, timeout=LONGEST_SECONDS))

    async def _failing_folds(self) -> set[str]:
        try:
            return {row["error"] for row in await self._connections.fetch(SQL["failing_folds"])}
        except asyncpg.PostgresError:
            return set()  # the database is said to be of no use elsewhere
