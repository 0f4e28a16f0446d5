"""The quality report: how calls were led, for the range and day by day."""

import asyncio
import datetime
from collections.abc import Sequence

import strawberry

from resolvers.filters import DateRange, Filters
from resolvers.loaders import Grain
from resolvers.measures import Measured, measured, metric, plain
from resolvers.reader import Reader
from resolvers.scalars import BigInt
from resolvers.selection import Wanted
from resolvers.statements import Row


@measured("Calls by the sentiment that their analysis found.")
class SentimentDistribution(Measured):
    """Percentages are of the calls that have a sentiment."""

    positive: BigInt = metric("positive_sentiment_calls")
    neutral: BigInt = metric("neutral_sentiment_calls")
    negative: BigInt = metric("negative_sentiment_calls")
    positive_pct: float | None = metric("positive_sentiment_pct")
    neutral_pct: float | None = metric("neutral_sentiment_pct")
    negative_pct: float | None = metric("negative_sentiment_pct")


@measured("How the calls of the range were led.")
class QualitySummary(Measured):
    """The figures for the whole range."""

    avg_duration_seconds: int | None
    avg_talk_ratio: float | None
    avg_listen_ratio: float | None
    avg_script_adherence: float | None
    total_interruptions: BigInt
    avg_interruptions_per_call: float | None
    objection_handling_rate: float | None
    total_buying_signals: BigInt
    sentiment_distribution: SentimentDistribution = plain("Calls by sentiment.")


@measured("How the calls of one day were led.")
class QualityDay(Measured):
    """A point of the trend."""

    date: datetime.date = plain("The UTC day.")
    avg_duration_seconds: int | None
    avg_talk_ratio: float | None
    avg_script_adherence: float | None
    sentiment_positive_pct: float | None = metric("positive_sentiment_pct")
    interruptions: BigInt = metric("total_interruptions")
    completed_calls: BigInt


@strawberry.type(description="How calls were led.")
class Quality:
    """The answer."""

    period: DateRange = strawberry.field(description="The days covered.")
    quality: QualitySummary = strawberry.field(description="The whole range.")
    trend: list[QualityDay] = strawberry.field(description="The days that have calls, oldest first.")


async def quality(reader: Reader, filters: Filters, wanted: Wanted) -> Quality:
    """The range's row and the days' rows, each read only if it is wanted."""
    (sums,), days = await asyncio.gather(
        reader.daily(filters, Grain.RANGE, wanted.get("quality", frozenset()), shared=True),
        reader.daily(filters, Grain.DAY, wanted["trend"], shared=True) if "trend" in wanted else _no_days(),
    )
    return Quality(
        period=DateRange.of(filters),
        quality=QualitySummary.of(sums, sentiment_distribution=SentimentDistribution.of(sums)),
        trend=[QualityDay.of(row, date=row["stat_date"]) for row in days],
    )


async def _no_days() -> Sequence[Row]:
    return ()
