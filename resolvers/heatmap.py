"""The heatmap: at which hours of the week calls are made, answered and turned into meetings."""

from collections.abc import Mapping, Sequence
from enum import Enum
from functools import lru_cache

import strawberry

from resolvers.filters import DateRange, Filters
from resolvers.measures import Measured, measured, plain
from resolvers.reader import Reader
from resolvers.scalars import BigInt
from resolvers.selection import Wanted
from resolvers.statements import Row, Statement

HEATMAP = Statement("heatmap", days="stat_date", sources={"folded": ("agency_hours_folded", "call_stats_folded")})
HOURS = range(24)
BEST = 5
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


@strawberry.enum(description="What makes a time a good one.")
class HeatmapMetric(Enum):
    """Valued as the legacy endpoint spells it."""

    CALLS = strawberry.enum_value("calls", description="Calls placed or received.")
    CONNECTED = strawberry.enum_value("connected", description="Connected calls.")
    MEETINGS_BOOKED = strawberry.enum_value("meetings_booked", description="Booked meetings.")


COUNTERS = {
    HeatmapMetric.CALLS: "total_calls",
    HeatmapMetric.CONNECTED: "connected_calls",
    HeatmapMetric.MEETINGS_BOOKED: "meetings_booked",
}


@measured("One hour of the week that has calls.")
class HeatmapSlot(Measured):
    """Always all three counts."""

    day: int = plain("Weekday: 0 is Sunday, 6 is Saturday.")
    hour: int = plain("Hour of the day, 0 to 23, UTC.")
    total_calls: BigInt
    connected_calls: BigInt
    meetings_booked: BigInt


@strawberry.type(description="A time that did well.")
class BestTime:
    """One of the best slots."""

    day: int = strawberry.field(description="Weekday: 0 is Sunday, 6 is Saturday.")
    hour: int = strawberry.field(description="Hour of the day, 0 to 23, UTC.")
    metric_value: BigInt = strawberry.field(description="The slot's value of the metric asked for.")
    label: str = strawberry.field(description="The slot in words: `Tuesday 10:00`.")


@strawberry.type(description="The best times to call.")
class Heatmap:
    """The answer."""

    period: DateRange = strawberry.field(description="The days covered.")
    metric: HeatmapMetric = strawberry.field(description="What `bestTimes` is about.")
    heatmap: list[HeatmapSlot] = strawberry.field(description="The slots that have calls, by day, then hour.")
    best_times: list[BestTime] = strawberry.field(
        description=f"The {BEST} slots with the highest value of the metric, none without any; ties by day, then hour."
    )


async def heatmap(reader: Reader, filters: Filters, wanted: Wanted, metric: HeatmapMetric) -> Heatmap:
    """The slots, added up from the rollup's hours, which are as fresh as the calls."""
    counter = COUNTERS[metric]
    rows: Sequence[Row] = ()
    if wanted.keys() & {"heatmap", "best_times"}:
        # Only a slot with calls is shown.
        needed = wanted["heatmap"] | {"total_calls"} if "heatmap" in wanted else frozenset[str]()
        read = needed | ({counter} if "best_times" in wanted else set())
        rows = await reader.read(HEATMAP, filters, sql=_sums_by_hour(tuple(sorted(read))))
    best = (
        sorted((row for row in rows if row[counter] > 0), key=lambda row: -row[counter])[:BEST]
        if "best_times" in wanted
        else []
    )
    return Heatmap(
        period=DateRange.of(filters),
        metric=metric,
        heatmap=[HeatmapSlot.of(row, day=row["day"], hour=row["hour"]) for row in rows if row.get("total_calls")],
        best_times=[
            BestTime(
                day=row["day"],
                hour=row["hour"],
                metric_value=row[counter],
                label=f"{WEEKDAYS[row['day']]} {row['hour']:02}:00",
            )
            for row in best
        ],
    )


@lru_cache(maxsize=10)
def _sums_by_hour(counters: Sequence[str]) -> Mapping[str, str]:
    """Adds up each hour of the day by its place, tells the hours apart, and adds the changes in theirs."""
    days = ", ".join(
        f"array[{', '.join(f'sum(f.{name}_by_hour[{hour + 1}])' for hour in HOURS)}] as {name}" for name in counters
    )
    return {
        "days": days,
        "hours": ", ".join(f"n.{name}[h.hour + 1] as {name}" for name in counters),
        "changes": ", ".join(f"f.{name}::bigint" for name in counters),
        "slots": ", ".join(f"bigint_sum(u.{name}) as {name}" for name in counters),
    }
