"""What people ask of the writing side by hand: the queue, one analysis, a range once more, the drift."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from uuid import UUID

import asyncpg

from enrichment.analysis import Analyser, CallAnalysis, Conversation
from enrichment.errors import Unusable
from enrichment.queue import Connections
from enrichment.statements import SQL
from enrichment.transcripts import read_transcript

_CHUNK = 1000
_BEFORE_ALL = UUID(int=0)


async def queue_state(connections: Connections) -> Sequence[asyncpg.Record]:
    """One row an agency and job type: jobs due, later, running, set aside, the oldest, the commonest reason."""
    return await connections.fetch(SQL["queue_state"])


async def analyse_call(connections: Connections, analyser: Analyser, call_id: UUID) -> CallAnalysis:
    """What the analyser finds in a call; nothing is written.

    Raises:
        Unusable: there is no such call, or it has no transcript.
    """
    rows = await connections.fetch(SQL["call"], call_id)
    if not rows:
        raise Unusable(f"There is no call {call_id}.")
    transcript = read_transcript(rows[0]["transcript"] or "[]").transcript
    if not transcript:
        raise Unusable(f"Call {call_id} has no transcript.")
    return await analyser.analyse(Conversation(transcript, rows[0]["inbound"], rows[0]["end_reason"]))


async def reanalyse(
    connections: Connections,
    *,
    agency: UUID | None,
    from_day: date | None,
    to_day: date | None,
    only_set_aside: bool,
    progress: Callable[[int], None],
) -> int:
    """Queues calls that were understood, or set aside, once more, and those nobody has queued; gives their number.

    None means all. Their facts stay until new ones replace them. `progress` hears of each chunk, a transaction.
    """
    queued, last = 0, _BEFORE_ALL
    while rows := await connections.fetch(SQL["reanalyse"], agency, from_day, to_day, only_set_aside, last, _CHUNK):
        queued += sum(row["is_queued"] for row in rows)
        last = max(row["id"] for row in rows)
        progress(queued)
    return queued


async def drift(connections: Connections, today: date, days: int) -> Sequence[asyncpg.Record]:
    """Where the rollup of the last days (UTC, today among them) differs from a recount: a row a counter that is off."""
    return await connections.fetch(SQL["drift"], today - timedelta(days=days - 1), today)


async def failing_folds(connections: Connections) -> Sequence[str]:
    """Why changes of calls cannot be added to the rollups at present; empty while they can. Answers count them."""
    return [row["error"] for row in await connections.fetch(SQL["failing_folds"])]
