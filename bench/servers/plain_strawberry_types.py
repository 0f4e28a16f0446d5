"""The types of the plain Strawberry server, written out as its guide shows them."""

from datetime import date, datetime
from enum import Enum
from uuid import UUID

import strawberry


@strawberry.enum
class Period(Enum):
    LAST_7_DAYS = "7d"
    LAST_30_DAYS = "30d"
    LAST_90_DAYS = "90d"


@strawberry.input
class ReportFilters:
    period: Period = Period.LAST_7_DAYS


@strawberry.input
class CampaignsFilters:
    period: Period = Period.LAST_30_DAYS


@strawberry.input
class HeatmapFilters:
    period: Period = Period.LAST_30_DAYS


@strawberry.type
class OverviewPeriod:
    start_date: date
    end_date: date
    label: str


@strawberry.type
class OverviewSummary:
    total_calls: int
    completed_calls: int
    failed_calls: int
    connected_calls: int
    contact_rate: float | None
    conversations_had: int
    meetings_booked: int
    qualified_leads: int
    avg_duration_seconds: int | None
    total_duration_seconds: int
    positive_sentiment_pct: float | None
    neutral_sentiment_pct: float | None
    negative_sentiment_pct: float | None
    overall_conversion_rate: float | None


@strawberry.type
class DispositionBreakdown:
    voicemail: int
    callback_requested: int
    not_interested: int
    wrong_number: int
    dnc_requested: int
    gatekeeper_blocked: int
    no_answer: int
    conversation: int
    appointment_booked: int


@strawberry.type
class ToolUsage:
    emails_sent: int
    sms_sent: int


@strawberry.type
class Overview:
    period: OverviewPeriod
    summary: OverviewSummary
    disposition_breakdown: DispositionBreakdown
    tool_usage: ToolUsage


@strawberry.type
class TimeseriesDay:
    date: date
    total_calls: int
    completed_calls: int
    connected_calls: int
    conversations_had: int
    meetings_booked: int
    qualified_leads: int
    avg_duration_seconds: int | None
    avg_talk_ratio: float | None


@strawberry.type
class Timeseries:
    data: list[TimeseriesDay]


@strawberry.type
class FunnelStages:
    total_calls: int
    connected: int
    conversation: int
    qualified: int
    appointment_booked: int


@strawberry.type
class FunnelRates:
    contact_rate: float | None
    connected_to_conversation: float | None
    conversation_to_qualified: float | None
    qualified_to_booked: float | None
    overall_conversion: float | None


@strawberry.type
class Funnel:
    funnel: FunnelStages
    rates: FunnelRates


@strawberry.type
class Batch:
    id: UUID
    campaign_id: UUID | None
    status: str
    total_calls: int
    completed_count: int
    failed_count: int
    progress_pct: int | None
    created_at: datetime


@strawberry.type
class CampaignStats:
    campaign_id: UUID
    campaign_name: str
    total_calls: int
    connected_calls: int
    meetings_booked: int
    contact_rate: float | None
    conversion_rate: float | None


@strawberry.type
class Pagination:
    total: int
    has_more: bool


@strawberry.type
class Campaigns:
    active_batches: list[Batch]
    campaign_stats: list[CampaignStats]
    pagination: Pagination


@strawberry.type
class SentimentDistribution:
    positive: int
    neutral: int
    negative: int


@strawberry.type
class QualitySummary:
    avg_duration_seconds: int | None
    avg_talk_ratio: float | None
    avg_script_adherence: float | None
    objection_handling_rate: float | None
    sentiment_distribution: SentimentDistribution


@strawberry.type
class QualityDay:
    date: date
    avg_script_adherence: float | None
    sentiment_positive_pct: float | None
    interruptions: int


@strawberry.type
class Quality:
    quality: QualitySummary
    trend: list[QualityDay]


@strawberry.type
class HeatmapSlot:
    day: int
    hour: int
    total_calls: int
    connected_calls: int
    meetings_booked: int


@strawberry.type
class BestTime:
    day: int
    hour: int
    metric_value: int
    label: str


@strawberry.type
class Heatmap:
    heatmap: list[HeatmapSlot]
    best_times: list[BestTime]


@strawberry.type
class ObjectionsSummary:
    calls_analyzed: int
    total_objections: int
    objection_handling_rate: float | None
    total_buying_signals: int


@strawberry.type
class Objection:
    objection: str
    count: int
    handled: int
    handling_rate: float | None
    percentage: float | None


@strawberry.type
class BuyingSignal:
    signal: str
    count: int
    percentage: float | None


@strawberry.type
class Objections:
    summary: ObjectionsSummary
    objections: list[Objection]
    buying_signals: list[BuyingSignal]
