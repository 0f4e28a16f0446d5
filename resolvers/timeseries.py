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
    total_calls: BigInt
    completed_calls: BigInt
    failed_calls: BigInt
    connected_calls: BigInt
    conversations_had: BigInt
    meetings_booked: BigInt
    qualified_leads: BigInt
    total_duration_seconds: BigInt
    avg_duration_seconds: int | None
    inbound_calls: BigInt
    outbound_calls: BigInt
    positive_sentiment_calls: BigInt
    neutral_sentiment_calls: BigInt
    negative_sentiment_calls: BigInt
    objections_encountered: BigInt
    issues_resolved: BigInt
    escalations: BigInt
    voicemail_calls: BigInt
    callback_requested_calls: BigInt
    not_interested_calls: BigInt
    wrong_number_calls: BigInt
    dnc_requested_calls: BigInt
    gatekeeper_blocked_calls: BigInt
    no_answer_calls: BigInt
    conversation_calls: BigInt
    avg_talk_ratio: float | None
    avg_listen_ratio: float | None
    total_interruptions: BigInt
    avg_script_adherence: float | None
    total_objections_handled: BigInt
    total_buying_signals: BigInt
    emails_sent: BigInt
    sms_sent: BigInt


@measured("The same measures for charts: each field is a list with one value a day, in the order of `date`.")
class TimeseriesColumns(MeasuredColumns):
    """All lists are as long as `date`."""

    date: list[datetime.date] = plain("The UTC days that have calls, oldest first.")
    total_calls: list[BigInt]
    completed_calls: list[BigInt]
    failed_calls: list[BigInt]
    connected_calls: list[BigInt]
    conversations_had: list[BigInt]
    meetings_booked: list[BigInt]
    qualified_leads: list[BigInt]
    total_duration_seconds: list[BigInt]
    avg_duration_seconds: list[int | None]
    inbound_calls: list[BigInt]
    outbound_calls: list[BigInt]
    positive_sentiment_calls: list[BigInt]
    neutral_sentiment_calls: list[BigInt]
    negative_sentiment_calls: list[BigInt]
    objections_encountered: list[BigInt]
    issues_resolved: list[BigInt]
    escalations: list[BigInt]
    voicemail_calls: list[BigInt]
    callback_requested_calls: list[BigInt]
    not_interested_calls: list[BigInt]
    wrong_number_calls: list[BigInt]
    dnc_requested_calls: list[BigInt]
    gatekeeper_blocked_calls: list[BigInt]
    no_answer_calls: list[BigInt]
    conversation_calls: list[BigInt]
    avg_talk_ratio: list[float | None]
    avg_listen_ratio: list[float | None]
    total_interruptions: list[BigInt]
    avg_script_adherence: list[float | None]
    total_objections_handled: list[BigInt]
    total_buying_signals: list[BigInt]
    emails_sent: list[BigInt]
    sms_sent: list[BigInt]


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
