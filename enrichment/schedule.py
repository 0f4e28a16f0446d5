"""The scheduled job: once in six hours, whoever asks first, the last days are recounted and repaired."""

import asyncio

import asyncpg
import structlog

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
                for run in await self._connections.fetch(_RECOUNT, seconds=LONGEST_SECONDS):
                    level = log.error if run["status"] == "failed" else log.info
                    level("recounted", **{**run, "slot": run["slot"].isoformat()})
            except asyncpg.PostgresError as error:
                log.error("the recount failed", error=str(error))  # noqa: TRY400 - the database's words say it all
            failing = await self._failing_folds()
            for reason in failing - told:
                log.error("changes of calls cannot be added up and wait", error=reason)
            told = failing
            await asyncio.sleep(self._tick_seconds)

    async def _failing_folds(self) -> set[str]:
        try:
            return {row["error"] for row in await self._connections.fetch(SQL["failing_folds"])}
        except asyncpg.PostgresError:
            return set()  # the database is said to be of no use elsewhere
