"""The old JSON: each answer's keys in the documented order, as types that also describe it in OpenAPI."""

from collections.abc import Collection
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Any, Required, get_args, get_origin, get_type_hints
from uuid import UUID

from typing_extensions import TypedDict, is_typeddict

from resolvers.scalars import show_time


class Period(TypedDict):
    """The days covered, both included, as YYYY-MM-DD."""

    start_date: date
    end_date: date


class LabelledPeriod(TypedDict):
    """The days covered, and the period asked for."""

    start_date: date
    end_date: date
    label: str


class Summary(TypedDict):
    """Percentages 0 to 100 with one decimal; seconds whole."""

    total_calls: int
    completed_calls: int
    failed_calls: int
    connected_calls: int
    contact_rate: float
    conversations_had: int
    meetings_booked: int
    qualified_leads: int
    avg_duration_seconds: int
    total_duration_seconds: int
    positive_sentiment_pct: float
    neutral_sentiment_pct: float
    negative_sentiment_pct: float
    overall_conversion_rate: float


class DispositionBreakdown(TypedDict):
    """Calls by how they ended."""

    voicemail: int
    callback_requested: int
    not_interested: int
    wrong_number: int
    dnc_requested: int
    gatekeeper_blocked: int
    no_answer: int
    conversation: int
    appointment_booked: int


class OverviewQuality(TypedDict):
    """Ratios 0 to 1 with four decimals."""

    avg_talk_ratio: float
    avg_listen_ratio: float
    avg_script_adherence: float
    total_interruptions: int
    avg_interruptions_per_call: float
    total_objections_encountered: int
    total_objections_handled: int
    objection_handling_rate: float
    total_buying_signals: int


class ToolUsage(TypedDict):
    """Messages sent during calls."""

    emails_sent: int
    sms_sent: int


class Overview(TypedDict):
    """dashboard-overview."""

    period: LabelledPeriod
    summary: Summary
    disposition_breakdown: DispositionBreakdown
    quality: OverviewQuality
    tool_usage: ToolUsage


class TimeseriesDay(TypedDict, total=False):
    """One day that has calls; with `metrics`, only those asked for."""

    date: Required[date]
    total_calls: int
    completed_calls: int
    failed_calls: int
    connected_calls: int
    conversations_had: int
    meetings_booked: int
    qualified_leads: int
    total_duration_seconds: int
    avg_duration_seconds: int
    inbound_calls: int
    outbound_calls: int
    positive_sentiment_calls: int
    neutral_sentiment_calls: int
    negative_sentiment_calls: int
    objections_encountered: int
    issues_resolved: int
    escalations: int
    voicemail_calls: int
    callback_requested_calls: int
    not_interested_calls: int
    wrong_number_calls: int
    dnc_requested_calls: int
    gatekeeper_blocked_calls: int
    no_answer_calls: int
    conversation_calls: int
    avg_talk_ratio: float
    avg_listen_ratio: float
    total_interruptions: int
    avg_script_adherence: float
    total_objections_handled: int
    total_buying_signals: int
    emails_sent: int
    sms_sent: int


class Timeseries(TypedDict):
    """dashboard-timeseries."""

    period: Period
    data: list[TimeseriesDay]


class FunnelStages(TypedDict):
    """Calls that reached each stage."""

    total_calls: int
    connected: int
    conversation: int
    qualified: int
    appointment_booked: int


class FunnelRates(TypedDict):
    """From each stage to the next, in percent."""

    contact_rate: float
    connected_to_conversation: float
    conversation_to_qualified: float
    qualified_to_booked: float
    overall_conversion: float


class Funnel(TypedDict):
    """dashboard-funnel."""

    period: Period
    funnel: FunnelStages
    rates: FunnelRates


class Batch(TypedDict):
    """A batch, counted live."""

    id: UUID
    agency_id: UUID
    campaign_id: UUID | None
    status: str
    total_calls: int
    completed_count: int
    failed_count: int
    pending_count: int
    in_progress_count: int
    progress_pct: int
    created_at: datetime
    completed_at: datetime | None


class CampaignStats(TypedDict):
    """What a campaign's calls came to."""

    campaign_id: UUID
    campaign_name: str
    total_calls: int
    completed_calls: int
    connected_calls: int
    meetings_booked: int
    qualified_leads: int
    conversations_had: int
    avg_duration_seconds: int
    contact_rate: float
    conversion_rate: float


class Pagination(TypedDict):
    """Which batches are shown; `limit` is the one used."""

    total: int
    limit: int
    offset: int
    has_more: bool


class Campaigns(TypedDict):
    """dashboard-campaigns."""

    active_batches: list[Batch]
    campaign_stats: list[CampaignStats]
    pagination: Pagination


class SentimentDistribution(TypedDict):
    """Calls by sentiment; percentages are of the calls that have one."""

    positive: int
    neutral: int
    negative: int
    positive_pct: float
    neutral_pct: float
    negative_pct: float


class QualitySummary(TypedDict):
    """The whole range."""

    avg_duration_seconds: int
    avg_talk_ratio: float
    avg_listen_ratio: float
    avg_script_adherence: float
    total_interruptions: int
    avg_interruptions_per_call: float
    objection_handling_rate: float
    total_buying_signals: int
    sentiment_distribution: SentimentDistribution


class QualityDay(TypedDict):
    """One day that has calls."""

    date: date
    avg_duration_seconds: int
    avg_talk_ratio: float
    avg_script_adherence: float
    sentiment_positive_pct: float
    interruptions: int
    completed_calls: int


class Quality(TypedDict):
    """dashboard-quality."""

    period: Period
    quality: QualitySummary
    trend: list[QualityDay]


class HeatmapSlot(TypedDict):
    """One hour of the week, UTC; day 0 is Sunday."""

    day: int
    hour: int
    total_calls: int
    connected_calls: int
    meetings_booked: int


class BestTime(TypedDict):
    """One of the five best slots."""

    day: int
    hour: int
    metric_value: int
    label: str


class Heatmap(TypedDict):
    """dashboard-heatmap."""

    period: Period
    metric: str
    heatmap: list[HeatmapSlot]
    best_times: list[BestTime]


class ObjectionsSummary(TypedDict):
    """The findings together."""

    calls_analyzed: int
    total_objections: int
    total_objections_handled: int
    objection_handling_rate: float
    total_buying_signals: int


class Objection(TypedDict):
    """One text, in its commonest spelling."""

    objection: str
    count: int
    handled: int
    handling_rate: float
    percentage: float


class BuyingSignal(TypedDict):
    """One text, in its commonest spelling."""

    signal: str
    count: int
    percentage: float


class Objections(TypedDict):
    """dashboard-objections."""

    period: Period
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
        return 0  # dividing by nothing is zero here (contract, 3.3)
    if isinstance(value, datetime):
        return show_time(value)
    if isinstance(value, UUID):
        return str(value)
    return value.value if isinstance(value, Enum) else value


@cache
def _keys(shape: type) -> dict[str, Any]:
    return get_type_hints(shape)
