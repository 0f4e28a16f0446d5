"""Recounts the daily rollups from the calls, a chunk at a time, while others go on writing."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from uuid import UUID

import asyncpg

_CHUNKS = (Path(__file__).parent / "sql" / "rebuild_chunks.sql").read_text("utf-8")
_KNOWN = """
select exists (select from agencies where id = $1)
    or exists (select from call_stats_folded where agency_id = $1)
    or exists (select from agency_hours_folded where agency_id = $1)
    or exists (select from call_findings_folded where agency_id = $1)
    or exists (select from agency_findings_folded where agency_id = $1)
"""
_REPAIR = "select repair_call_stats($1, $2, $3)"


class RebuildError(Exception):
    """What was asked for cannot be rebuilt; the message says why."""


async def rebuild(
    connection: asyncpg.Connection,
    *,
    agency: UUID | None,
    from_day: date | None,
    to_day: date | None,
    progress: Callable[[int, int], None],
) -> int:
    """Makes the rollups what the calls of these days add up to and gives the number of rows repaired.

    None means all: every agency, from the first or to the last day with calls or counts. Each chunk, a month of an
    agency, is a transaction, so what was done stays done when a later one fails. `progress` hears chunks done and all.

    Raises:
        RebuildError: no such agency, the days are the wrong way round, or a transaction is open on this connection.
    """
    if connection.is_in_transaction():
        raise RebuildError("a transaction is open on this connection, and each chunk is to be one of its own")
    if from_day and to_day and from_day > to_day:
        raise RebuildError(f"the first day, {from_day}, is after the last, {to_day}")
    if agency and not await connection.fetchval(_KNOWN, agency):
        raise RebuildError(f"there is no agency {agency}")
    chunks = await connection.fetch(_CHUNKS, agency, from_day, to_day)
    repaired = 0
    progress(0, len(chunks))
    for done, chunk in enumerate(chunks, start=1):
        repaired += await connection.fetchval(_REPAIR, *chunk)
        progress(done, len(chunks))
    return repaired
