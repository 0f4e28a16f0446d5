"""The timeseries: every metric day by day, as a list of days or as one list of values a metric."""

import datetime
from collections.abc import Sequence

import strawberry

from resolvers.filters import DateRange, Filters
from resolvers.loaders import Grain
from resolvers.measures import Measured, MeasuredColumns, measured, plain
from resolvers.reader import Reader
from resolvers.scalars import BigInt
from resolvers.selection import Wanted
from resolvers.statements import Row


@measured("The measures of one day.")
class TimeseriesDay(Measured):
    """A day that has calls."""

    date: datetime.date = plain("The UTC day.")
    total_calls: int
    completed_calls: int
    failed_calls: int
    connected_calls: int
    conversations_had: int
    meetings_booked: int
    qualified_leads: int
    total_duration_seconds: BigInt
    avg_duration_seconds: int | None
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
    avg_talk_ratio: float | None
    avg_listen_ratio: float | None
    total_interruptions: int
    avg_script_adherence: float | None
    total_objections_handled: int
    total_buying_signals: int
    emails_sent: int
    sms_sent: int


@measured("The same measures for charts: each field is a list with one value a day, in the order of `date`.")
class TimeseriesColumns(MeasuredColumns):
    """All lists are as long as `date`."""

    date: list[datetime.date] = plain("The UTC days that have calls, oldest first.")
    total_calls: list[int]
    completed_calls: list[int]
    failed_calls: list[int]
    connected_calls: list[int]
    conversations_had: list[int]
    meetings_booked: list[int]
    qualified_leads: list[int]
    total_duration_seconds: list[BigInt]
    avg_duration_seconds: list[int | None]
    inbound_calls: list[int]
    outbound_calls: list[int]
    positive_sentiment_calls: list[int]
    neutral_sentiment_calls: list[int]
    negative_sentiment_calls: list[int]
    objections_encountered: list[int]
    issues_resolved: list[int]
    escalations: list[int]
    voicemail_calls: list[int]
    callback_requested_calls: list[int]
    not_interested_calls: list[int]
    wrong_number_calls: list[int]
    dnc_requested_calls: list[int]
    gatekeeper_blocked_calls: list[int]
    no_answer_calls: list[int]
    conversation_calls: list[int]
    avg_talk_ratio: list[float | None]
    avg_listen_ratio: list[float | None]
    total_interruptions: list[int]
    avg_script_adherence: list[float | None]
    total_objections_handled: list[int]
    total_buying_signals: list[int]
    emails_sent: list[int]
    sms_sent: list[int]


@strawberry.type(description="Every metric day by day. Days without calls are absent.")
class Timeseries:
    """The answer, in two shapes of the same measures."""

    period: DateRange = strawberry.field(description="The days covered.")
    data: list[TimeseriesDay] = strawberry.field(description="One entry a day that has calls, oldest first.")
    columns: TimeseriesColumns = strawberry.field(description="One list of values a metric.")


async def timeseries(reader: Reader, filters: Filters, wanted: Wanted) -> Timeseries:
    """The days' rows, read if either shape is wanted."""
    rows: Sequence[Row] = ()
    if wanted.keys() & {"data", "columns"}:
        rows = await reader.daily(filters, Grain.DAY, frozenset().union(*wanted.values()))
    return Timeseries(
        period=DateRange.of(filters),
        data=[TimeseriesDay.of(row, date=row["stat_date"]) for row in rows],
        columns=TimeseriesColumns.over(rows, date=[row["stat_date"] for row in rows]),
    )
