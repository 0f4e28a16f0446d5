"""The seven sections as a good engineer would write them by hand: a statement for each, its row turned into a dict."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

SQL = {path.stem: path.read_text("utf-8") for path in (Path(__file__).parent / "sql").glob("*.sql")}
PAGE, TEXTS, BEST = 10, 10, 5
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

Row = Mapping[str, Any]
Answer = dict[str, Any]

# In the order of the statements' columns.
_SUMMARY = (
    "totalCalls", "completedCalls", "failedCalls", "connectedCalls", "contactRate", "conversationsHad",
    "meetingsBooked", "qualifiedLeads", "avgDurationSeconds", "totalDurationSeconds", "positiveSentimentPct",
    "neutralSentimentPct", "negativeSentimentPct", "overallConversionRate",
)  # fmt: skip
_DISPOSITIONS = (
    "voicemail", "callbackRequested", "notInterested", "wrongNumber", "dncRequested", "gatekeeperBlocked", "noAnswer",
    "conversation", "appointmentBooked",
)  # fmt: skip
_DAY = (
    "date", "totalCalls", "completedCalls", "connectedCalls", "conversationsHad", "meetingsBooked", "qualifiedLeads",
    "avgDurationSeconds", "avgTalkRatio",
)  # fmt: skip
_STAGES = ("totalCalls", "connected", "conversation", "qualified", "appointmentBooked")
_RATES = (
    "contactRate", "connectedToConversation", "conversationToQualified", "qualifiedToBooked", "overallConversion",
)  # fmt: skip
_BATCH = (
    "id", "campaignId", "status", "totalCalls", "completedCount", "failedCount", "progressPct", "createdAt",
)  # fmt: skip
_CAMPAIGN = (
    "campaignId", "campaignName", "totalCalls", "connectedCalls", "meetingsBooked", "contactRate", "conversionRate",
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """Whose calls, of which days. `label` is the period as the overview repeats it."""

    agency: UUID
    first_day: date
    last_day: date
    label: str


def _named(keys: Sequence[str], values: Iterable[Any]) -> Answer:
    return dict(zip(keys, values, strict=True))


async def overview(pool: asyncpg.Pool, asked: Asked) -> Answer:
    """The cards."""
    values = tuple(await pool.fetchrow(SQL["overview"], asked.agency, asked.first_day, asked.last_day))
    return {
        "period": {"startDate": asked.first_day, "endDate": asked.last_day, "label": asked.label},
        "summary": _named(_SUMMARY, values[:14]),
        "dispositionBreakdown": _named(_DISPOSITIONS, values[14:23]),
        "toolUsage": {"emailsSent": values[23], "smsSent": values[24]},
    }


async def timeseries(pool: asyncpg.Pool, asked: Asked) -> Answer:
    """A point a day."""
    rows = await pool.fetch(SQL["timeseries"], asked.agency, asked.first_day, asked.last_day)
    return {"data": [_named(_DAY, row) for row in map(tuple, rows)]}


async def funnel(pool: asyncpg.Pool, asked: Asked) -> Answer:
    """Stages and rates."""
    values = tuple(await pool.fetchrow(SQL["funnel"], asked.agency, asked.first_day, asked.last_day))
    return {"funnel": _named(_STAGES, values[:5]), "rates": _named(_RATES, values[5:])}


async def campaigns(pool: asyncpg.Pool, asked: Asked) -> Answer:
    """A page of batches and the campaigns: the one section that takes two statements."""
    batches, stats = await asyncio.gather(
        pool.fetch(SQL["batches"], asked.agency, PAGE),
        pool.fetch(SQL["campaigns"], asked.agency, asked.first_day, asked.last_day),
    )
    total = batches[0]["total"] if batches else 0
    page = [_named(_BATCH, row[:8]) for row in map(tuple, batches)]
    return {
        "activeBatches": page,
        "campaignStats": [_named(_CAMPAIGN, row) for row in map(tuple, stats)],
        "pagination": {"total": total, "hasMore": total > len(page)},
    }


async def quality(pool: asyncpg.Pool, asked: Asked) -> Answer:
    """The range and its days from one statement."""
    whole, *days = await pool.fetch(SQL["quality"], asked.agency, asked.first_day, asked.last_day)
    return {
        "quality": {
            "avgDurationSeconds": whole["avg_duration_seconds"],
            "avgTalkRatio": whole["avg_talk_ratio"],
            "avgScriptAdherence": whole["avg_script_adherence"],
            "objectionHandlingRate": whole["objection_handling_rate"],
            "sentimentDistribution": {key: whole[key] for key in ("positive", "neutral", "negative")},
        },
        "trend": [
            {
                "date": day["date"],
                "avgScriptAdherence": day["avg_script_adherence"],
                "sentimentPositivePct": day["sentiment_positive_pct"],
                "interruptions": day["interruptions"],
            }
            for day in days
        ],
    }


async def heatmap(pool: asyncpg.Pool, asked: Asked) -> Answer:
    """The hours of the week, from the calls themselves."""
    return shape_heatmap(await pool.fetch(SQL["heatmap"], asked.agency, asked.first_day, asked.last_day))


async def objections(pool: asyncpg.Pool, asked: Asked) -> Answer:
    """The commonest texts, from the calls themselves."""
    return shape_objections(await pool.fetch(SQL["objections"], asked.agency, asked.first_day, asked.last_day, TEXTS))


def shape_heatmap(rows: Sequence[Row]) -> Answer:
    """The heatmap's answer."""
    return {
        "heatmap": [
            {
                "day": row["day"],
                "hour": row["hour"],
                "totalCalls": row["total_calls"],
                "connectedCalls": row["connected_calls"],
                "meetingsBooked": row["meetings_booked"],
            }
            for row in rows
            if row["total_calls"]
        ],
        "bestTimes": [
            {
                "day": row["day"],
                "hour": row["hour"],
                "metricValue": row["total_calls"],
                "label": f"{WEEKDAYS[row['day']]} {row['hour']:02}:00",
            }
            for row in sorted(rows, key=lambda row: -row["total_calls"])[:BEST]
        ],
    }


def shape_objections(rows: Sequence[Row]) -> Answer:
    """The answer about objections and buying signals."""
    whole = rows[0]
    objections, handled = whole["objections_encountered"], whole["total_objections_handled"]
    signals = whole["total_buying_signals"]
    return {
        "summary": {
            "callsAnalyzed": whole["calls_analyzed"],
            "totalObjections": objections,
            "objectionHandlingRate": _pct(handled, objections),
            "totalBuyingSignals": signals,
        },
        "objections": [
            {
                "objection": row["text"],
                "count": row["count"],
                "handled": row["handled"],
                "handlingRate": _pct(row["handled"], row["count"]),
                "percentage": _pct(row["count"], objections),
            }
            for row in rows
            if row["kind"] == "objection"
        ],
        "buyingSignals": [
            {"signal": row["text"], "count": row["count"], "percentage": _pct(row["count"], signals)}
            for row in rows
            if row["kind"] == "signal"
        ],
    }


def _pct(part: int, whole: int) -> float | None:
    """A percentage with one decimal, half away from zero, in whole numbers."""
    return (2000 * part + whole) // (2 * whole) / 10 if whole else None


SECTIONS = {
    "overview": overview,
    "timeseries": timeseries,
    "funnel": funnel,
    "campaigns": campaigns,
    "quality": quality,
    "heatmap": heatmap,
    "objections": objections,
}
