"""Recounts the daily rollups from the calls, a chunk at a time, while others go on writing."""

from collections.abc import Callable
from contextlib import suppress
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
NO_TIME_LIMIT = "set local statement_timeout = 0"
"""For what takes its time: a role's limit is meant for those who wait for an answer."""
HELD_ROW_SECONDS = 60
"""How long a chunk waits for a row that somebody holds; meanwhile nobody else can fold."""
_TURN = """
lock table calls in access share mode;
select pg_advisory_xact_lock(hashtextextended('fold_call_changes', 0))
"""
_ENDS_WITH_ITS_CLIENT = "set local client_connection_check_interval = '2s'"
MOST_REASONS = 5


class RebuildError(Exception):
    """What was asked for cannot be rebuilt, or not all of it; the message says why."""


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
    agency, is a transaction, so what was done stays done when a later one fails, and one that fails stops no other.
    `progress` hears chunks done and all.

    Raises:
        RebuildError: no such agency, the days are the wrong way round, a transaction is open on this connection, or
            some chunks could not be rebuilt (after all the others were).
    """
    if connection.is_in_transaction():
        raise RebuildError("a transaction is open on this connection, and each chunk is to be one of its own")
    if from_day and to_day and from_day > to_day:
        raise RebuildError(f"the first day, {from_day}, is after the last, {to_day}")
    async with connection.transaction():
        await connection.execute(NO_TIME_LIMIT)
        if agency and not await connection.fetchval(_KNOWN, agency):
            raise RebuildError(f"there is no agency {agency}")
        chunks = await connection.fetch(_CHUNKS, agency, from_day, to_day)
    repaired = 0
    failures = []
    progress(0, len(chunks))
    for done, chunk in enumerate(chunks, start=1):
        try:
            repaired += await _repair(connection, *chunk)
        except asyncpg.PostgresError as error:
            # Cancelled, out of disk, in a deadlock or in vain for a row is this chunk's; without a connection there is
            # no other.
            if connection.is_closed():
                raise
            failures.append(f"agency {chunk['agency_id']}, {chunk['from_day']} to {chunk['to_day']}: {error}")
        progress(done, len(chunks))
    if failures:
        more = f" And {len(failures) - MOST_REASONS} more." if len(failures) > MOST_REASONS else ""
        raise RebuildError(
            f"{len(failures)} of {len(chunks)} months could not be rebuilt, {repaired} rows of others were repaired. "
            + "; ".join(failures[:MOST_REASONS])
            + f".{more}"
        )
    return repaired


async def _repair(connection: asyncpg.Connection, agency: UUID, from_day: date, to_day: date) -> int:
    # What others commit while the repair waits for its turn has to be seen, whatever the database's default is.
    async with connection.transaction(isolation="read_committed"):
        # Without its client, after a kill -9 or on a lost line, the server does not go on; not every platform can tell.
        with suppress(asyncpg.PostgresError):
            async with connection.transaction():
                await connection.execute(_ENDS_WITH_ITS_CLIENT)
        await connection.execute(NO_TIME_LIMIT)
        # Without a limit: what others do with this lock ends by itself.
        await connection.execute(_TURN)
        await connection.execute(f"set local lock_timeout = '{HELD_ROW_SECONDS}s'")
        repaired: int = await connection.fetchval(_REPAIR, agency, from_day, to_day)
        return repaired
