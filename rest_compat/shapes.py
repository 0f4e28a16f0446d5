"""The old JSON: each answer's keys in the documented order, as types that also describe it in OpenAPI."""

from collections.abc import Collection
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Annotated, Any, Required, get_args, get_origin, get_type_hints
from uuid import UUID

from pydantic import Field, WithJsonSchema
from typing_extensions import TypedDict, is_typeddict

from resolvers.campaigns import BatchStatus
from resolvers.filters import Period
from resolvers.heatmap import HeatmapMetric
from resolvers.scalars import show_time

Int64 = Annotated[int, WithJsonSchema({"type": "integer", "format": "int64"})]
"""What adds up outgrows the 32 bits that generated clients give an integer without a format."""


class DateRange(TypedDict):
    """The days covered, both included, as YYYY-MM-DD."""

    start_date: date
    end_date: date


class OverviewPeriod(TypedDict):
    """The days covered, and the period asked for."""

    start_date: date
    end_date: date
    label: Period


class Summary(TypedDict):
    """Percentages 0 to 100 with one decimal; seconds whole."""

    total_calls: Int64
    completed_calls: Int64
    failed_calls: Int64
    connected_calls: Int64
    contact_rate: float
    conversations_had: Int64
    meetings_booked: Int64
    qualified_leads: Int64
    avg_duration_seconds: int
    total_duration_seconds: Int64
    positive_sentiment_pct: float
    neutral_sentiment_pct: float
    negative_sentiment_pct: float
    overall_conversion_rate: float


class DispositionBreakdown(TypedDict):
    """Calls by how they ended."""

    voicemail: Int64
    callback_requested: Int64
    not_interested: Int64
    wrong_number: Int64
    dnc_requested: Int64
    gatekeeper_blocked: Int64
    no_answer: Int64
    conversation: Int64
    appointment_booked: Int64


class OverviewQuality(TypedDict):
    """Ratios 0 to 1 with four decimals."""

    avg_talk_ratio: float
    avg_listen_ratio: float
    avg_script_adherence: float
    total_interruptions: Int64
    avg_interruptions_per_call: float
    total_objections_encountered: Int64
    total_objections_handled: Int64
    objection_handling_rate: float
    total_buying_signals: Int64


class ToolUsage(TypedDict):
    """Messages sent during calls."""

    emails_sent: Int64
    sms_sent: Int64


class Overview(TypedDict):
    """dashboard-overview."""

    period: OverviewPeriod
    summary: Summary
    disposition_breakdown: DispositionBreakdown
    quality: OverviewQuality
    tool_usage: ToolUsage


class TimeseriesDay(TypedDict, total=False):
    """One day that has calls; with `metrics`, only those asked for."""

    date: Required[date]
    total_calls: Int64
    completed_calls: Int64
    failed_calls: Int64
    connected_calls: Int64
    conversations_had: Int64
    meetings_booked: Int64
    qualified_leads: Int64
    total_duration_seconds: Int64
    avg_duration_seconds: int
    inbound_calls: Int64
    outbound_calls: Int64
    positive_sentiment_calls: Int64
    neutral_sentiment_calls: Int64
    negative_sentiment_calls: Int64
    objections_encountered: Int64
    issues_resolved: Int64
    escalations: Int64
    voicemail_calls: Int64
    callback_requested_calls: Int64
    not_interested_calls: Int64
    wrong_number_calls: Int64
    dnc_requested_calls: Int64
    gatekeeper_blocked_calls: Int64
    no_answer_calls: Int64
    conversation_calls: Int64
    avg_talk_ratio: float
    avg_listen_ratio: float
    total_interruptions: Int64
    avg_script_adherence: float
    total_objections_handled: Int64
    total_buying_signals: Int64
    emails_sent: Int64
    sms_sent: Int64


class Timeseries(TypedDict):
    """dashboard-timeseries."""

    period: DateRange
    data: list[TimeseriesDay]


class FunnelStages(TypedDict):
    """Calls that reached each stage."""

    total_calls: Int64
    connected: Int64
    conversation: Int64
    qualified: Int64
    appointment_booked: Int64


class FunnelRates(TypedDict):
    """From each stage to the next, in percent."""

    contact_rate: float
    connected_to_conversation: float
    conversation_to_qualified: float
    qualified_to_booked: float
    overall_conversion: float


class Funnel(TypedDict):
    """dashboard-funnel."""

    period: DateRange
    funnel: FunnelStages
    rates: FunnelRates


class Batch(TypedDict):
    """A batch, counted live."""

    id: UUID
    agency_id: UUID
    campaign_id: UUID | None
    status: BatchStatus
    total_calls: Int64
    completed_count: Int64
    failed_count: Int64
    pending_count: Int64
    in_progress_count: Int64
    progress_pct: Annotated[
        int, Field(description="Completed and failed, of all contacts; 0 while it has none. Unit: percent, whole.")
    ]
    created_at: datetime
    completed_at: datetime | None


class CampaignStats(TypedDict):
    """What a campaign's calls came to."""

    campaign_id: UUID
    campaign_name: str
    total_calls: Int64
    completed_calls: Int64
    connected_calls: Int64
    meetings_booked: Int64
    qualified_leads: Int64
    conversations_had: Int64
    avg_duration_seconds: int
    contact_rate: float
    conversion_rate: float


class Pagination(TypedDict):
    """Which batches are shown; `limit` is the one used."""

    total: Int64
    limit: int
    offset: Int64
    has_more: bool


class Campaigns(TypedDict):
    """dashboard-campaigns."""

    active_batches: list[Batch]
    campaign_stats: list[CampaignStats]
    pagination: Pagination


class SentimentDistribution(TypedDict):
    """Calls by sentiment; percentages are of the calls that have one."""

    positive: Int64
    neutral: Int64
    negative: Int64
    positive_pct: float
    neutral_pct: float
    negative_pct: float


class QualitySummary(TypedDict):
    """The whole range."""

    avg_duration_seconds: int
    avg_talk_ratio: float
    avg_listen_ratio: float
    avg_script_adherence: float
    total_interruptions: Int64
    avg_interruptions_per_call: float
    objection_handling_rate: float
    total_buying_signals: Int64
    sentiment_distribution: SentimentDistribution


class QualityDay(TypedDict):
    """One day that has calls."""

    date: date
    avg_duration_seconds: int
    avg_talk_ratio: float
    avg_script_adherence: float
    sentiment_positive_pct: float
    interruptions: Int64
    completed_calls: Int64


class Quality(TypedDict):
    """dashboard-quality."""

    period: DateRange
    quality: QualitySummary
    trend: list[QualityDay]


class HeatmapSlot(TypedDict):
    """One hour of the week, UTC; day 0 is Sunday."""

    day: int
    hour: int
    total_calls: Int64
    connected_calls: Int64
    meetings_booked: Int64


class BestTime(TypedDict):
    """One of the five best slots."""

    day: int
    hour: int
    metric_value: Int64
    label: str


class Heatmap(TypedDict):
    """dashboard-heatmap."""

    period: DateRange
    metric: HeatmapMetric
    heatmap: list[HeatmapSlot]
    best_times: list[BestTime]


class ObjectionsSummary(TypedDict):
    """The findings together."""

    calls_analyzed: Int64
    total_objections: Int64
    total_objections_handled: Int64
    objection_handling_rate: float
    total_buying_signals: Int64


class Objection(TypedDict):
    """One text, in its commonest spelling."""

    objection: str
    count: Int64
    handled: Int64
    handling_rate: float
    percentage: float


class BuyingSignal(TypedDict):
    """One text, in its commonest spelling."""

    signal: str
    count: Int64
    percentage: float


class Objections(TypedDict):
    """dashboard-objections."""

    period: DateRange
    summary: ObjectionsSummary
    objections: list[Objection]
    buying_signals: list[BuyingSignal]


class Error(TypedDict):
    """What is wrong, for people."""

    error: str


class ServerError(TypedDict):
    """What nobody expected: `details` names the part that failed and the request's id."""

    error: str
    details: str


def shaped(shape: Any, value: Any, only: Collection[str] | None = None) -> Any:
    """A report's value in its old shape.

    Args:
        shape: one of the types above, or a field's.
        value: the report, or a part of it; its attributes are named like the shape's keys.
        only: where the shape has a `date`, the keys to keep beside it; None for all.
    """
    if is_typeddict(shape):
        keys = _keys(shape)
        kept = keys if only is None or "date" not in keys else {"date": keys["date"], **{k: keys[k] for k in only}}
        return {key: shaped(kind, getattr(value, key), only) for key, kind in kept.items()}
    if get_origin(shape) is list:
        (inner,) = get_args(shape)
        return [shaped(inner, item, only) for item in value]
    if value is None and shape in (int, float):
        return 0  # over REST dividing by nothing is zero
    if isinstance(value, datetime):
        return show_time(value)
    if isinstance(value, UUID):
        return str(value)
    return value.value if isinstance(value, Enum) else value


@cache
def _keys(shape: type) -> dict[str, Any]:
    return get_type_hints(shape)
