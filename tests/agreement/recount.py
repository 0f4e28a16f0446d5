"""The second account: the seven legacy answers counted anew from raw calls and contacts, without the SQL that counts.

It stands beside what it judges and never on it: no call_counts, no rollup, no batch view, no report, no old shape.
"""

import datetime
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from math import floor
from typing import Any
from uuid import UUID

import asyncpg

from tests import texts

Answer = Any


class Nothing(Enum):
    """A quotient that has nothing to divide: 0 for the old clients, null in GraphQL."""

    TO_DIVIDE = 0


_CONNECTED = (
    "joined_at is not null and disposition is distinct from 'voicemail' and disposition is distinct from 'no_answer'"
)
_TALKED = "disposition in ('conversation', 'appointment_booked', 'callback_requested', 'not_interested')"

COUNTED = {
    "total_calls": "count(*)",
    "completed_calls": "count(*) filter (where status = 'completed')",
    "failed_calls": "count(*) filter (where status = 'failed')",
    "connected_calls": f"count(*) filter (where {_CONNECTED})",
    "conversations_had": f"count(*) filter (where {_CONNECTED} and {_TALKED})",
    "meetings_booked": f"count(*) filter (where {_CONNECTED} and disposition = 'appointment_booked')",
    "qualified_leads": f"count(*) filter (where {_CONNECTED} and {_TALKED}"
    " and (is_qualified_lead or disposition = 'appointment_booked'))",
    "total_duration_seconds": "coalesce(sum(duration_seconds) filter (where status = 'completed'), 0)",
    "inbound_calls": "count(*) filter (where direction = 'inbound')",
    "outbound_calls": "count(*) filter (where direction = 'outbound')",
    "positive_sentiment_calls": "count(*) filter (where sentiment = 'positive')",
    "neutral_sentiment_calls": "count(*) filter (where sentiment = 'neutral')",
    "negative_sentiment_calls": "count(*) filter (where sentiment = 'negative')",
    "objections_encountered": "sum(jsonb_array_length(objections))",
    "issues_resolved": "count(*) filter (where issue_resolved)",
    "escalations": "count(*) filter (where escalated)",
    "voicemail_calls": "count(*) filter (where disposition = 'voicemail')",
    "callback_requested_calls": "count(*) filter (where disposition = 'callback_requested')",
    "not_interested_calls": "count(*) filter (where disposition = 'not_interested')",
    "wrong_number_calls": "count(*) filter (where disposition = 'wrong_number')",
    "dnc_requested_calls": "count(*) filter (where disposition = 'dnc_requested')",
    "gatekeeper_blocked_calls": "count(*) filter (where disposition = 'gatekeeper_blocked')",
    "no_answer_calls": "count(*) filter (where disposition = 'no_answer')",
    "conversation_calls": "count(*) filter (where disposition = 'conversation')",
    "total_interruptions": "coalesce(sum(interruptions), 0)",
    "total_objections_handled": "sum((select count(*) from jsonb_array_elements(objections) as raised"
    " where raised -> 'handled' = 'true'))",
    "total_buying_signals": "sum(jsonb_array_length(buying_signals))",
    "emails_sent": "sum(emails_sent)",
    "sms_sent": "sum(sms_sent)",
    "talk_ratio_sum": "coalesce(sum(talk_ratio) filter (where status = 'completed'), 0)",
    "talk_ratio_calls": "count(talk_ratio) filter (where status = 'completed')",
    "listen_ratio_sum": "coalesce(sum(listen_ratio) filter (where status = 'completed'), 0)",
    "listen_ratio_calls": "count(listen_ratio) filter (where status = 'completed')",
    "script_adherence_sum": "coalesce(sum(script_adherence) filter (where status = 'completed'), 0)",
    "script_adherence_calls": "count(script_adherence) filter (where status = 'completed')",
    "analyzed_calls": "count(*) filter (where analysis_status = 'completed')",
    "analyzed_connected_calls": f"count(*) filter (where {_CONNECTED} and analysis_status = 'completed')",
}
"""What a set of calls counts for, in plain SQL over `calls`."""

BY_HOUR = {
    f"{name}_by_hour": "array["
    + ", ".join(
        f"count(*) filter (where extract(hour from started_at at time zone 'UTC') = {hour} and {condition})"
        for hour in range(24)
    )
    + "]"
    for name, condition in {
        "total_calls": "true",
        "connected_calls": _CONNECTED,
        "meetings_booked": f"{_CONNECTED} and disposition = 'appointment_booked'",
    }.items()
}
"""The counts of the heatmap, of each UTC hour of a day."""

METRICS = (
    "total_calls",
    "completed_calls",
    "failed_calls",
    "connected_calls",
    "conversations_had",
    "meetings_booked",
    "qualified_leads",
    "total_duration_seconds",
    "avg_duration_seconds",
    "inbound_calls",
    "outbound_calls",
    "positive_sentiment_calls",
    "neutral_sentiment_calls",
    "negative_sentiment_calls",
    "objections_encountered",
    "issues_resolved",
    "escalations",
    "voicemail_calls",
    "callback_requested_calls",
    "not_interested_calls",
    "wrong_number_calls",
    "dnc_requested_calls",
    "gatekeeper_blocked_calls",
    "no_answer_calls",
    "conversation_calls",
    "avg_talk_ratio",
    "avg_listen_ratio",
    "total_interruptions",
    "avg_script_adherence",
    "total_objections_handled",
    "total_buying_signals",
    "emails_sent",
    "sms_sent",
)
"""The 33 of the timeseries, in the documented order."""

KEYS = {
    "overview": """
        period { start_date end_date label }
        summary { total_calls completed_calls failed_calls connected_calls contact_rate conversations_had
            meetings_booked qualified_leads avg_duration_seconds total_duration_seconds positive_sentiment_pct
            neutral_sentiment_pct negative_sentiment_pct overall_conversion_rate }
        disposition_breakdown { voicemail callback_requested not_interested wrong_number dnc_requested
            gatekeeper_blocked no_answer conversation appointment_booked }
        quality { avg_talk_ratio avg_listen_ratio avg_script_adherence total_interruptions
            avg_interruptions_per_call total_objections_encountered total_objections_handled
            objection_handling_rate total_buying_signals }
        tool_usage { emails_sent sms_sent }""",
    "timeseries": f"period {{ start_date end_date }} data {{ date {' '.join(METRICS)} }}",
    "funnel": """
        period { start_date end_date }
        funnel { total_calls connected conversation qualified appointment_booked }
        rates { contact_rate connected_to_conversation conversation_to_qualified qualified_to_booked
            overall_conversion }""",
    "campaigns": """
        active_batches { id agency_id campaign_id status total_calls completed_count failed_count pending_count
            in_progress_count progress_pct created_at completed_at }
        campaign_stats { campaign_id campaign_name total_calls completed_calls connected_calls meetings_booked
            qualified_leads conversations_had avg_duration_seconds contact_rate conversion_rate }
        pagination { total limit offset has_more }""",
    "quality": """
        period { start_date end_date }
        quality { avg_duration_seconds avg_talk_ratio avg_listen_ratio avg_script_adherence total_interruptions
            avg_interruptions_per_call objection_handling_rate total_buying_signals
            sentiment_distribution { positive neutral negative positive_pct neutral_pct negative_pct } }
        trend { date avg_duration_seconds avg_talk_ratio avg_script_adherence sentiment_positive_pct
            interruptions completed_calls }""",
    "heatmap": """
        period { start_date end_date }
        metric
        heatmap { day hour total_calls connected_calls meetings_booked }
        best_times { day hour metric_value label }""",
    "objections": """
        period { start_date end_date }
        summary { calls_analyzed total_objections total_objections_handled objection_handling_rate
            total_buying_signals }
        objections { objection count handled handling_rate percentage }
        buying_signals { signal count percentage }""",
}
"""The documented keys of the seven answers, in their order."""

REPORTS = tuple(KEYS)
DAYS = {"today": 1, "7d": 7, "30d": 30, "90d": 90}


@dataclass(frozen=True)
class Question:
    """Which calls: of whom, of which UTC days, narrowed to what."""

    agency: UUID
    first_day: datetime.date
    last_day: datetime.date
    label: str
    campaign: UUID | None = None
    client: UUID | None = None
    own_client: UUID | None = None
    """The client of a user who sees only one."""


def days_of(
    period: str, today: datetime.date, start: datetime.date | None = None, end: datetime.date | None = None
) -> tuple[datetime.date, datetime.date]:
    """The first and last day of a period that is asked for on `today`."""
    if period == "custom":
        assert start
        assert end
        return start, end
    return today - datetime.timedelta(days=DAYS[period] - 1), today


class Recount:
    """Answers questions from the raw rows."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def overview(self, question: Question) -> Answer:
        """dashboard-overview."""
        (n,) = await self._counted(question)
        sentiment = _sentiment(n)
        return {
            "period": {**_period(question), "label": question.label},
            "summary": {
                "total_calls": n["total_calls"],
                "completed_calls": n["completed_calls"],
                "failed_calls": n["failed_calls"],
                "connected_calls": n["connected_calls"],
                "contact_rate": _percent(n["connected_calls"], n["total_calls"]),
                "conversations_had": n["conversations_had"],
                "meetings_booked": n["meetings_booked"],
                "qualified_leads": n["qualified_leads"],
                "avg_duration_seconds": _divided(n["total_duration_seconds"], n["completed_calls"], 0),
                "total_duration_seconds": n["total_duration_seconds"],
                "positive_sentiment_pct": sentiment["positive"],
                "neutral_sentiment_pct": sentiment["neutral"],
                "negative_sentiment_pct": sentiment["negative"],
                "overall_conversion_rate": _percent(n["meetings_booked"], n["total_calls"]),
            },
            "disposition_breakdown": {
                "voicemail": n["voicemail_calls"],
                "callback_requested": n["callback_requested_calls"],
                "not_interested": n["not_interested_calls"],
                "wrong_number": n["wrong_number_calls"],
                "dnc_requested": n["dnc_requested_calls"],
                "gatekeeper_blocked": n["gatekeeper_blocked_calls"],
                "no_answer": n["no_answer_calls"],
                "conversation": n["conversation_calls"],
                "appointment_booked": n["meetings_booked"],
            },
            "quality": {
                "avg_talk_ratio": _mean(n, "talk_ratio"),
                "avg_listen_ratio": _mean(n, "listen_ratio"),
                "avg_script_adherence": _mean(n, "script_adherence"),
                "total_interruptions": n["total_interruptions"],
                "avg_interruptions_per_call": _divided(n["total_interruptions"], n["completed_calls"], 2),
                "total_objections_encountered": n["objections_encountered"],
                "total_objections_handled": n["total_objections_handled"],
                "objection_handling_rate": _percent(n["total_objections_handled"], n["objections_encountered"]),
                "total_buying_signals": n["total_buying_signals"],
            },
            "tool_usage": {"emails_sent": n["emails_sent"], "sms_sent": n["sms_sent"]},
        }

    async def timeseries(self, question: Question, metrics: Sequence[str] = METRICS) -> Answer:
        """dashboard-timeseries."""
        return {
            "period": _period(question),
            "data": [
                {"date": n["day"].isoformat(), **{name: _metric(n, name) for name in METRICS if name in metrics}}
                for n in await self._counted(question, by="day")
            ],
        }

    async def funnel(self, question: Question) -> Answer:
        """dashboard-funnel."""
        (n,) = await self._counted(question)
        stages = {
            "total_calls": n["total_calls"],
            "connected": n["connected_calls"],
            "conversation": n["conversations_had"],
            "qualified": n["qualified_leads"],
            "appointment_booked": n["meetings_booked"],
        }
        return {
            "period": _period(question),
            "funnel": stages,
            "rates": {
                "contact_rate": _percent(stages["connected"], stages["total_calls"]),
                "connected_to_conversation": _percent(stages["conversation"], stages["connected"]),
                "conversation_to_qualified": _percent(stages["qualified"], stages["conversation"]),
                "qualified_to_booked": _percent(stages["appointment_booked"], stages["qualified"]),
                "overall_conversion": _percent(stages["appointment_booked"], stages["total_calls"]),
            },
        }

    async def campaigns(
        self, question: Question, status: str | None = None, limit: int = 25, offset: int = 0
    ) -> Answer:
        """dashboard-campaigns; `limit` is the one used."""
        batches = [_batch(row) for row in await self._batches(question, status)]
        page = batches[offset : offset + limit]
        names = dict(
            await self._connection.fetch("select id, name from campaigns where agency_id = $1", question.agency)
        )
        stats = [n for n in await self._counted(question, by="campaign_id") if n["campaign_id"] is not None]
        stats.sort(key=lambda n: (-n["total_calls"], names[n["campaign_id"]], n["campaign_id"].bytes))
        return {
            "active_batches": page,
            "campaign_stats": [
                {
                    "campaign_id": str(n["campaign_id"]),
                    "campaign_name": names[n["campaign_id"]],
                    "total_calls": n["total_calls"],
                    "completed_calls": n["completed_calls"],
                    "connected_calls": n["connected_calls"],
                    "meetings_booked": n["meetings_booked"],
                    "qualified_leads": n["qualified_leads"],
                    "conversations_had": n["conversations_had"],
                    "avg_duration_seconds": _divided(n["total_duration_seconds"], n["completed_calls"], 0),
                    "contact_rate": _percent(n["connected_calls"], n["total_calls"]),
                    "conversion_rate": _percent(n["meetings_booked"], n["total_calls"]),
                }
                for n in stats
            ],
            "pagination": {
                "total": len(batches),
                "limit": limit,
                "offset": offset,
                "has_more": len(batches) > offset + limit,
            },
        }

    async def quality(self, question: Question) -> Answer:
        """dashboard-quality."""
        (n,) = await self._counted(question)
        sentiment = _sentiment(n)
        return {
            "period": _period(question),
            "quality": {
                "avg_duration_seconds": _divided(n["total_duration_seconds"], n["completed_calls"], 0),
                "avg_talk_ratio": _mean(n, "talk_ratio"),
                "avg_listen_ratio": _mean(n, "listen_ratio"),
                "avg_script_adherence": _mean(n, "script_adherence"),
                "total_interruptions": n["total_interruptions"],
                "avg_interruptions_per_call": _divided(n["total_interruptions"], n["completed_calls"], 2),
                "objection_handling_rate": _percent(n["total_objections_handled"], n["objections_encountered"]),
                "total_buying_signals": n["total_buying_signals"],
                "sentiment_distribution": {
                    "positive": n["positive_sentiment_calls"],
                    "neutral": n["neutral_sentiment_calls"],
                    "negative": n["negative_sentiment_calls"],
                    "positive_pct": sentiment["positive"],
                    "neutral_pct": sentiment["neutral"],
                    "negative_pct": sentiment["negative"],
                },
            },
            "trend": [
                {
                    "date": n["day"].isoformat(),
                    "avg_duration_seconds": _divided(n["total_duration_seconds"], n["completed_calls"], 0),
                    "avg_talk_ratio": _mean(n, "talk_ratio"),
                    "avg_script_adherence": _mean(n, "script_adherence"),
                    "sentiment_positive_pct": _sentiment(n)["positive"],
                    "interruptions": n["total_interruptions"],
                    "completed_calls": n["completed_calls"],
                }
                for n in await self._counted(question, by="day")
            ],
        }

    async def heatmap(self, question: Question, metric: str = "calls") -> Answer:
        """dashboard-heatmap."""
        slots: dict[tuple[int, int], Counter[str]] = defaultdict(Counter)
        for n in await self._counted(question, by="moment"):
            # Monday is 0 in Python; in the answer Sunday is.
            slot = ((n["moment"].weekday() + 1) % 7, n["moment"].hour)
            slots[slot].update({key: n[key] for key in ("total_calls", "connected_calls", "meetings_booked")})
        counter = {"calls": "total_calls", "connected": "connected_calls"}.get(metric, metric)
        best = sorted((slot for slot in slots if slots[slot][counter]), key=lambda slot: (-slots[slot][counter], slot))
        weekdays = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
        return {
            "period": _period(question),
            "metric": metric,
            "heatmap": [
                {
                    "day": day,
                    "hour": hour,
                    "total_calls": slots[day, hour]["total_calls"],
                    "connected_calls": slots[day, hour]["connected_calls"],
                    "meetings_booked": slots[day, hour]["meetings_booked"],
                }
                for day, hour in sorted(slots)
            ],
            "best_times": [
                {
                    "day": day,
                    "hour": hour,
                    "metric_value": slots[day, hour][counter],
                    "label": f"{weekdays[day]} {hour:02d}:00",
                }
                for day, hour in best[:5]
            ],
        }

    async def objections(self, question: Question, limit: int = 10) -> Answer:
        """dashboard-objections; `limit` is the one used."""
        (n,) = await self._counted(question)
        analyzed = await self._connection.fetchval(
            f"select count(*) from calls where {_WHERE} and analysis_status = 'completed'", *_values(question)
        )
        raised = await self._texts("objections", question)
        signals = await self._texts("buying_signals", question)
        return {
            "period": _period(question),
            "summary": {
                "calls_analyzed": analyzed,
                "total_objections": n["objections_encountered"],
                "total_objections_handled": n["total_objections_handled"],
                "objection_handling_rate": _percent(n["total_objections_handled"], n["objections_encountered"]),
                "total_buying_signals": n["total_buying_signals"],
            },
            "objections": [
                {
                    "objection": text,
                    "count": count,
                    "handled": handled,
                    "handling_rate": _percent(handled, count),
                    "percentage": _percent(count, n["objections_encountered"]),
                }
                for text, count, handled in raised[:limit]
            ],
            "buying_signals": [
                {"signal": text, "count": count, "percentage": _percent(count, n["total_buying_signals"])}
                for text, count, _ in signals[:limit]
            ],
        }

    async def _counted(self, question: Question, by: str | None = None) -> Sequence[asyncpg.Record]:
        key = f"{_KEYS_OF_CALLS.get(by, by)} as {by}, " if by else ""
        grouped = "group by 1 order by 1" if by else ""
        sums = ", ".join(f"coalesce({sql}, 0) as {name}" for name, sql in COUNTED.items())
        return await self._connection.fetch(
            f"select {key}{sums} from calls where {_WHERE} {grouped}", *_values(question)
        )

    async def _batches(self, question: Question, status: str | None) -> Sequence[asyncpg.Record]:
        return await self._connection.fetch(
            """
            select call_batches.*, contacts.*
            from call_batches
            left join (
                select
                    batch_id,
                    count(*) as contacts,
                    count(*) filter (where status = 'completed') as completed,
                    count(*) filter (where status = 'failed' or status = 'skipped') as failed,
                    count(*) filter (where status = 'pending' or status = 'queued') as pending,
                    count(*) filter (where status = 'in_progress') as in_progress
                from campaign_contacts
                group by batch_id
            ) as contacts on contacts.batch_id = call_batches.id
            left join campaigns on campaigns.id = call_batches.campaign_id
            where call_batches.agency_id = $1
                and ($2::uuid is null or call_batches.campaign_id = $2)
                and ($3::uuid is null or campaigns.client_id = $3)
                and ($4::uuid is null or campaigns.client_id = $4)
                and ($5::text is null or call_batches.status::text = $5)
            order by call_batches.created_at desc, call_batches.id
            """,
            question.agency,
            question.campaign,
            question.client,
            question.own_client,
            status,
        )

    async def _texts(self, column: str, question: Question) -> list[tuple[str, int, int]]:
        rows = await self._connection.fetch(
            f"select found ->> 'text' as text, found -> 'handled' = 'true' as handled"
            f" from calls, jsonb_array_elements({column}) as found where {_WHERE}",
            *_values(question),
        )
        spellings: dict[str, Counter[str]] = defaultdict(Counter)
        handled: Counter[str] = Counter()
        for row in rows:
            if spelling := texts.spelling(row["text"] or ""):
                text = texts.folded(spelling)
                spellings[text][spelling] += 1
                handled[text] += bool(row["handled"])
        found = [
            (min(each, key=lambda shown: (-each[shown], shown)), each.total(), handled[text])
            for text, each in spellings.items()
        ]
        return sorted(found, key=lambda row: (-row[1], _without_ascii_case(row[0]), row[0]))


def _without_ascii_case(text: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


_DAY = "(started_at at time zone 'UTC')::date"
_KEYS_OF_CALLS = {"day": _DAY, "moment": "date_trunc('hour', started_at at time zone 'UTC')"}
_WHERE = f"""agency_id = $1 and {_DAY} between $2 and $3
    and ($4::uuid is null or campaign_id = $4)
    and ($5::uuid is null or client_id = $5)
    and ($6::uuid is null or client_id = $6)"""


def _values(question: Question) -> tuple[object, ...]:
    asked = (question.first_day, question.last_day, question.campaign, question.client, question.own_client)
    return (question.agency, *asked)


def _period(question: Question) -> Answer:
    return {"start_date": question.first_day.isoformat(), "end_date": question.last_day.isoformat()}


def _metric(n: Mapping[str, Any], name: str) -> Any:
    if name == "avg_duration_seconds":
        return _divided(n["total_duration_seconds"], n["completed_calls"], 0)
    return _mean(n, name.removeprefix("avg_")) if name.startswith("avg_") else n[name]


def _mean(n: Mapping[str, Any], column: str) -> Any:
    return _divided(n[f"{column}_sum"], n[f"{column}_calls"], 4)


def _sentiment(n: Mapping[str, Any]) -> dict[str, Any]:
    each = {name: n[f"{name}_sentiment_calls"] for name in ("positive", "neutral", "negative")}
    return {name: _percent(count, sum(each.values())) for name, count in each.items()}


def _percent(part: Any, whole: Any) -> Any:
    return _divided(part * 100, whole, 1)


def _divided(part: Any, whole: Any, digits: int) -> Any:
    """Rounded once, from the exact quotient, ties away from zero."""
    if whole == 0:
        return Nothing.TO_DIVIDE
    rounded = floor(Fraction(part) / Fraction(whole) * 10**digits + Fraction(1, 2))  # there are no sums below 0
    return rounded / 10**digits if digits else rounded


def _batch(row: asyncpg.Record) -> Answer:
    completed, failed, contacts = row["completed"] or 0, row["failed"] or 0, row["contacts"] or 0
    return {
        "id": str(row["id"]),
        "agency_id": str(row["agency_id"]),
        "campaign_id": row["campaign_id"] and str(row["campaign_id"]),
        "status": row["status"],
        "total_calls": contacts,
        "completed_count": completed,
        "failed_count": failed,
        "pending_count": row["pending"] or 0,
        "in_progress_count": row["in_progress"] or 0,
        "progress_pct": _divided(100 * (completed + failed), contacts, 0),
        "created_at": _moment(row["created_at"]),
        "completed_at": _moment(row["completed_at"]),
    }


def _moment(moment: datetime.datetime | None) -> str | None:
    return moment and moment.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")


def old(answer: Answer) -> Answer:
    """As REST answers: dividing by zero gives 0."""
    return _each(answer, lambda value: 0 if value is Nothing.TO_DIVIDE else value)


def new(answer: Answer) -> Answer:
    """As GraphQL answers: where there is nothing to divide, null."""
    return _each(answer, lambda value: None if value is Nothing.TO_DIVIDE else value)


def _each(answer: Answer, change: Any) -> Answer:
    if isinstance(answer, Mapping):
        return {key: _each(value, change) for key, value in answer.items()}
    if isinstance(answer, list):
        return [_each(value, change) for value in answer]
    return change(answer)


def in_order(answer: Answer) -> Answer:
    """An answer in which the order of keys and the kind of a truth value count: equal only if these are."""
    if isinstance(answer, Mapping):
        return [(key, in_order(value)) for key, value in answer.items()]
    if isinstance(answer, list):
        return [in_order(value) for value in answer]
    return ("truth", answer) if isinstance(answer, bool) else answer


def camel(name: str) -> str:
    """A name in GraphQL's spelling."""
    return re.sub("_([a-z])", lambda found: found[1].upper(), name)


def selection(report: str) -> str:
    """The documented keys of a report as a GraphQL selection."""
    return camel(KEYS[report])


def top_keys(report: str) -> list[str]:
    """The documented keys of an answer's outermost object."""
    flat, keys = "", KEYS[report]
    while flat != keys:
        flat, keys = keys, re.sub(r"\{[^{}]*\}", "", keys)
    return keys.split()


def snaked(answer: Answer, key: str = "") -> Answer:
    """A GraphQL answer in the old spelling: `totalCalls` is `total_calls`, an enum's `PENDING` is `pending`."""
    if isinstance(answer, Mapping):
        names = {key: re.sub("([A-Z])", lambda found: f"_{found[1].lower()}", key) for key in answer}
        return {names[key]: snaked(value, key) for key, value in answer.items()}
    if isinstance(answer, list):
        return [snaked(value, key) for value in answer]
    return answer.lower() if key in ("status", "metric") else answer


async def rollup(connection: asyncpg.Connection) -> dict[tuple[Any, ...], dict[str, Any]]:
    """What the daily rollup must hold: the counts of each agency, UTC day, campaign or none and client or none."""
    sums = ", ".join(f"{sql} as {name}" for name, sql in (COUNTED | BY_HOUR).items())
    rows = await connection.fetch(
        f"select agency_id, {_DAY} as day, campaign_id, client_id, {sums} from calls group by 1, 2, 3, 4"
    )
    return {
        (n["agency_id"], n["day"], n["campaign_id"], n["client_id"]): {
            **{name: n[name] for name in COUNTED | BY_HOUR},
            "avg_duration_seconds": _average(n["total_duration_seconds"], n["completed_calls"]),
            "avg_talk_ratio": _average(n["talk_ratio_sum"], n["talk_ratio_calls"]),
            "avg_listen_ratio": _average(n["listen_ratio_sum"], n["listen_ratio_calls"]),
            "avg_script_adherence": _average(n["script_adherence_sum"], n["script_adherence_calls"]),
        }
        for n in rows
    }


def _average(total: Any, number: int) -> Decimal | None:
    value = _divided(total, number, 4)
    return None if value is Nothing.TO_DIVIDE else Decimal(str(value))
