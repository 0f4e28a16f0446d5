"""What the numbers rest on: when they last changed, when they were last checked, and what is still to be understood."""

import asyncio
import datetime
from collections.abc import Sequence

import strawberry

from resolvers.filters import DateRange, Filters
from resolvers.metrics import percentage
from resolvers.reader import Reader
from resolvers.scalars import BigInt
from resolvers.selection import Wanted
from resolvers.statements import Row, Statement

ROLLUP = Statement("freshness_rollup", days="stat_date")
WAITING = Statement("freshness_waiting", days="started_at")


@strawberry.type(
    description="What the numbers of a range rest on. The two clocks differ: without calls nothing changes, and is "
    "still checked."
)
class Freshness:
    """The answer."""

    period: DateRange = strawberry.field(description="The days covered.")
    last_changed_at: datetime.datetime | None = strawberry.field(
        description="When a count of the range last changed; null when it has none."
    )
    last_checked_at: datetime.datetime | None = strawberry.field(
        description="When the counts were last compared with the calls themselves, as is done every 6 hours for the "
        "last 7 days; null before the first time."
    )
    waiting_calls: BigInt = strawberry.field(
        description="Calls that have ended and wait for their analysis. Unit: calls."
    )
    connected_calls: BigInt = strawberry.field(description="Calls that a person answered. Unit: calls.")
    analyzed_connected_calls: BigInt = strawberry.field(description="Those of them that are analysed. Unit: calls.")
    analyzed_pct: float | None = strawberry.field(
        description="Analysed, of the connected calls; null when there are none. Unit: percent."
    )


async def freshness(reader: Reader, filters: Filters, wanted: Wanted) -> Freshness:
    """The clocks and the counts, each read only if it is wanted."""
    (counts,), (waiting,) = await asyncio.gather(
        _row(reader, ROLLUP, filters, read=bool(wanted.keys() - {"period", "waiting_calls"})),
        _row(reader, WAITING, filters, read="waiting_calls" in wanted),
    )
    connected, analyzed = counts.get("connected_calls", 0), counts.get("analyzed_connected_calls", 0)
    return Freshness(
        period=DateRange.of(filters),
        last_changed_at=counts.get("last_changed_at"),
        last_checked_at=counts.get("last_checked_at"),
        waiting_calls=waiting.get("waiting_calls", 0),
        connected_calls=connected,
        analyzed_connected_calls=analyzed,
        analyzed_pct=percentage(analyzed, connected),
    )


async def _row(reader: Reader, statement: Statement, filters: Filters, *, read: bool) -> Sequence[Row]:
    return await reader.read(statement, filters) if read else ({},)
