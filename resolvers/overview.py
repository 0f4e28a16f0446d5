"""The overview: what the calls of a range came to, in one set of figures."""

import strawberry

from resolvers.filters import DateRange, Filters
from resolvers.loaders import Grain
from resolvers.measures import Measured, measured, metric
from resolvers.reader import Reader
from resolvers.scalars import BigInt
from resolvers.selection import Wanted


@strawberry.type(description="The days that the overview covers, and the period that was asked for.")
class OverviewPeriod(DateRange):
    """Of the seven answers only this one repeats the period's name."""

    label: str = strawberry.field(description="The period asked for, as the legacy endpoints spell it: `7d`.")


@measured("Volumes, rates and outcomes.")
class OverviewSummary(Measured):
    """The figures of the dashboard's cards."""

    total_calls: BigInt
    completed_calls: BigInt
    failed_calls: BigInt
    connected_calls: BigInt
    contact_rate: float | None
    conversations_had: BigInt
    meetings_booked: BigInt
    qualified_leads: BigInt
    avg_duration_seconds: int | None
    total_duration_seconds: BigInt
    positive_sentiment_pct: float | None
    neutral_sentiment_pct: float | None
    negative_sentiment_pct: float | None
    overall_conversion_rate: float | None


@measured("How the calls ended.")
class DispositionBreakdown(Measured):
    """One count a disposition."""

    voicemail: BigInt = metric("voicemail_calls")
    callback_requested: BigInt = metric("callback_requested_calls")
    not_interested: BigInt = metric("not_interested_calls")
    wrong_number: BigInt = metric("wrong_number_calls")
    dnc_requested: BigInt = metric("dnc_requested_calls")
    gatekeeper_blocked: BigInt = metric("gatekeeper_blocked_calls")
    no_answer: BigInt = metric("no_answer_calls")
    conversation: BigInt = metric("conversation_calls")
    appointment_booked: BigInt = metric("meetings_booked")


@measured("How the calls were led.")
class OverviewQuality(Measured):
    """The quality figures of the overview."""

    avg_talk_ratio: float | None
    avg_listen_ratio: float | None
    avg_script_adherence: float | None
    total_interruptions: BigInt
    avg_interruptions_per_call: float | None
    total_objections_encountered: BigInt = metric("objections_encountered")
    total_objections_handled: BigInt
    objection_handling_rate: float | None
    total_buying_signals: BigInt


@measured("What the agent used during calls.")
class ToolUsage(Measured):
    """Messages sent."""

    emails_sent: BigInt
    sms_sent: BigInt


@strawberry.type(description="What the calls of a range came to.")
class Overview:
    """The answer."""

    period: OverviewPeriod = strawberry.field(description="The days covered.")
    summary: OverviewSummary = strawberry.field(description="Volumes, rates and outcomes.")
    disposition_breakdown: DispositionBreakdown = strawberry.field(description="How the calls ended.")
    quality: OverviewQuality = strawberry.field(description="How the calls were led.")
    tool_usage: ToolUsage = strawberry.field(description="What the agent used during calls.")


async def overview(reader: Reader, filters: Filters, wanted: Wanted) -> Overview:
    """The figures of the range, all from one row."""
    (sums,) = await reader.daily(filters, Grain.RANGE, frozenset().union(*wanted.values()))
    return Overview(
        period=OverviewPeriod(start_date=filters.first_day, end_date=filters.last_day, label=str(filters.period.value)),
        summary=OverviewSummary.of(sums),
        disposition_breakdown=DispositionBreakdown.of(sums),
        quality=OverviewQuality.of(sums),
        tool_usage=ToolUsage.of(sums),
    )
