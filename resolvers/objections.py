"""The objections report: what people object to, how often that is handled, and what signals an interest."""

from collections.abc import Sequence

import strawberry

from resolvers.errors import BadFilter
from resolvers.filters import DateRange, Filters
from resolvers.measures import Measured, measured, metric, plain
from resolvers.metrics import percentage
from resolvers.reader import Reader
from resolvers.scalars import BigInt
from resolvers.selection import Wanted
from resolvers.statements import Row, Statement, summed

OBJECTIONS = Statement(
    "objections", days="stat_date", sources={"findings": ("agency_findings_folded", "call_findings_folded")}
)
# The lists: each with the kind of finding it is of, and the metric its percentages are of.
LISTS = {
    "objections": ("objection", "objections_encountered"),
    "buying_signals": ("signal", "total_buying_signals"),
}
LIMIT, MOST = 10, 100


@measured("The findings of the range together.")
class ObjectionsSummary(Measured):
    """Counted over all calls of the range, not only over the listed texts."""

    calls_analyzed: BigInt = plain("Calls whose analysis is complete. Unit: calls.")
    total_objections: BigInt = metric("objections_encountered")
    total_objections_handled: BigInt
    objection_handling_rate: float | None
    total_buying_signals: BigInt


@strawberry.type(description="An objection, in its commonest spelling.")
class Objection:
    """The same words in another case or spacing are the same objection."""

    objection: str = strawberry.field(description="What was objected.")
    count: BigInt = strawberry.field(description="How often.")
    handled: BigInt = strawberry.field(description="How often it was handled.")
    handling_rate: float | None = strawberry.field(description="Handled, of its count. Unit: percent.")
    percentage: float | None = strawberry.field(description="Its share of all objections. Unit: percent.")


@strawberry.type(description="A buying signal, in its commonest spelling.")
class BuyingSignal:
    """The same words in another case or spacing are the same signal."""

    signal: str = strawberry.field(description="What was said.")
    count: BigInt = strawberry.field(description="How often.")
    percentage: float | None = strawberry.field(description="Its share of all buying signals. Unit: percent.")


@strawberry.type(description="What people object to, and what signals an interest.")
class Objections:
    """The answer."""

    period: DateRange = strawberry.field(description="The days covered.")
    summary: ObjectionsSummary = strawberry.field(description="The findings together.")
    objections: list[Objection] = strawberry.field(description="The commonest objections; ties by text.")
    buying_signals: list[BuyingSignal] = strawberry.field(description="The commonest buying signals; ties by text.")


async def objections(reader: Reader, filters: Filters, wanted: Wanted, limit: int = LIMIT) -> Objections:
    """The commonest texts, at most `limit` of each kind, and the totals that are wanted or that they are shares of.

    Raises:
        BadFilter: a limit outside 1 to 100.
    """
    if not 1 <= limit <= MOST:
        raise BadFilter(f"limit must be 1 to {MOST}, not {limit}", "limit")
    lists = [LISTS[name] for name in LISTS if name in wanted]
    totals = wanted.get("summary", frozenset()) | {total for _, total in lists}
    listed = f"f.kind = '{lists[0][0]}'" if len(lists) == 1 else "true" if lists else "false"
    rows: Sequence[Row] = ({},)
    if wanted.keys() - {"period"}:
        sql = {"measures": summed(totals, "f"), "listed": listed}
        rows = await reader.read(OBJECTIONS, filters, sql=sql, limit=limit)
    sums = rows[0]
    return Objections(
        period=DateRange.of(filters),
        summary=ObjectionsSummary.of(sums, calls_analyzed=sums.get("calls_analyzed")),
        objections=[
            Objection(
                objection=row["text"],
                count=row["count"],
                handled=row["handled"],
                handling_rate=percentage(row["handled"], row["count"]),
                percentage=percentage(row["count"], row["objections_encountered"]),
            )
            for row in rows
            if row.get("kind") == "objection"
        ],
        buying_signals=[
            BuyingSignal(
                signal=row["text"],
                count=row["count"],
                percentage=percentage(row["count"], row["total_buying_signals"]),
            )
            for row in rows
            if row.get("kind") == "signal"
        ],
    )
