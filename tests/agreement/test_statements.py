"""What an answer costs, counted in statements at the server's door, and that nothing is read that was not asked for."""

import re
from collections.abc import AsyncIterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID

import asyncpg
import pytest

from resolvers.metrics import METRICS, TIMESERIES_METRICS
from tests.conftest import Database
from tests.given import NOW, Given
from tests.running import Running, running, settings_for

DASHBOARD = """query Dashboard($daily: ReportFilters!) {
    overview(filters: $daily) { summary { totalCalls contactRate } dispositionBreakdown { voicemail } }
    timeseries(filters: $daily) { data { date totalCalls } columns { date meetingsBooked } }
    funnel(filters: $daily) { funnel { totalCalls qualified } rates { contactRate } }
    quality(filters: $daily) { quality { avgTalkRatio } trend { date interruptions } }
    campaigns(filters: {period: LAST_7_DAYS}) {
        campaignStats { campaignName totalCalls } activeBatches { id } pagination { total }
    }
    heatmap { heatmap { day hour totalCalls } bestTimes { label } }
    objections(filters: $daily) { summary { totalObjections } objections { objection } buyingSignals { signal } }
}"""
SUMS = frozenset(name for metric in METRICS.values() for name in metric.sums)


class Counted:
    """The statements that the gateway sends, as asyncpg is handed them."""

    def __init__(self) -> None:
        self.all: list[str] = []

    @property
    def reports(self) -> list[str]:
        """Without the look-up of the user."""
        return [sql for sql in self.all if "from users" not in sql]

    @property
    def tables(self) -> list[str]:
        """The table that each report's statement begins with, in alphabetical order."""
        names = ("call_stats_parts", "agency_hours_folded", "call_batches", "calls")
        return sorted(next(name for name in names if re.search(rf"\b{name}\b", sql)) for sql in self.reports)

    def sums(self) -> set[str]:
        """The counters that are added up."""
        return {name for sql in self.reports for name in re.findall(r"\bas (\w+)", sql) if name in SUMS}


@contextmanager
def _counting() -> Any:
    counted = Counted()
    run = asyncpg.Connection.fetch

    async def fetch(self: asyncpg.Connection, query: str, *values: Any, **rest: Any) -> Any:
        if query != "select pg_is_in_recovery()":  # asked once of each connection
            counted.all.append(query)
        return await run(self, query, *values, **rest)

    # Nothing else of asyncpg may be used to read, or it would not be counted.
    async def other(*_: Any, **__: Any) -> None:
        raise AssertionError("reads go through Connection.fetch")

    with (
        patch.object(asyncpg.Connection, "fetch", fetch),
        patch.object(asyncpg.Connection, "fetchrow", other),
        patch.object(asyncpg.Connection, "fetchval", other),
        patch.object(asyncpg.Connection, "execute", other),
    ):
        yield counted


@pytest.fixture
async def known(database: Database) -> AsyncIterator[Running]:
    """A gateway that remembers users, as it does unless it is told not to, and computes every answer."""
    async with running(settings_for(database.dsn, user_cache_seconds=30, reuse=False)) as gateway:
        yield gateway


@pytest.fixture
async def owner(given: Given, known: Running) -> UUID:
    """An owner with a call, a day-old call and a batch, whom the gateway has met."""
    agency = await given.agency()
    campaign = await given.campaign(agency)
    await given.call(agency, campaign_id=campaign, objections=[{"text": "Too expensive", "handled": True}])
    await given.call(agency, campaign_id=campaign, started_at=NOW - timedelta(days=1))
    await given.batch(agency, campaign, {"completed": 1})
    owner = await given.user(agency)
    await known.graphql("{ overview { period { label } } }", owner)
    return owner


async def _asked(gateway: Running, owner: UUID, document: str, **variables: Any) -> Counted:
    with _counting() as counted:
        await gateway.graphql(document, owner, **variables)
    return counted


async def test_a_full_dashboard_of_seven_sections_costs_four_statements(known: Running, owner: UUID) -> None:
    """One for the five daily sections together, one each for the batches, the heatmap and the objections."""
    with _counting() as counted:
        answer = await known.graphql(DASHBOARD, owner, daily={"period": "LAST_7_DAYS"})
    assert counted.tables == ["agency_hours_folded", "call_batches", "call_stats_parts", "call_stats_parts"]
    assert counted.all == counted.reports
    # Shared as it is, each section has its own numbers.
    assert answer["overview"]["summary"]["totalCalls"] == 2
    assert [day["totalCalls"] for day in answer["timeseries"]["data"]] == [1, 1]
    assert answer["campaigns"]["campaignStats"] == [{"campaignName": "Campaign", "totalCalls": 2}]


async def test_five_daily_sections_with_other_filters_cost_one_statement_for_each_filter(
    known: Running, owner: UUID
) -> None:
    document = """{
        overview(filters: {period: TODAY}) { summary { totalCalls } }
        timeseries(filters: {period: LAST_7_DAYS}) { data { totalCalls } }
        funnel(filters: {period: LAST_90_DAYS}) { funnel { totalCalls } }
        quality(filters: {clientId: "00000000-0000-0000-0000-000000000001"}) { trend { completedCalls } }
        campaigns(filters: {campaignId: "00000000-0000-0000-0000-000000000001"}) { campaignStats { totalCalls } }
    }"""
    assert (await _asked(known, owner, document)).tables == ["call_stats_parts"] * 5


async def test_equal_filters_share_a_statement_however_they_are_written(known: Running, owner: UUID) -> None:
    document = """query($days: ReportFilters!) {
        overview { summary { totalCalls } }
        funnel(filters: {period: LAST_7_DAYS, campaignId: null}) { funnel { totalCalls } }
        quality(filters: $days) { quality { totalInterruptions } }
        again: overview(filters: $days) { toolUsage { smsSent } }
    }"""
    assert (await _asked(known, owner, document, days={"period": "LAST_7_DAYS"})).tables == ["call_stats_parts"]


async def test_the_same_days_asked_for_in_another_way_are_another_question(known: Running, owner: UUID) -> None:
    """Their answers differ: the overview repeats the period's name."""
    document = """{
        overview(filters: {period: LAST_7_DAYS}) { period { label } summary { totalCalls } }
        custom: overview(filters: {period: CUSTOM, startDate: "2026-02-10", endDate: "2026-02-16"}) {
            period { label } summary { totalCalls }
        }
    }"""
    with _counting() as counted:
        answer = await known.graphql(document, owner)
    assert [each["period"]["label"] for each in answer.values()] == ["7d", "custom"]
    assert len(counted.reports) <= 2


@pytest.mark.parametrize(
    ("selection", "sums"),
    [
        ("overview { summary { totalCalls } }", {"total_calls"}),
        ("overview { summary { contactRate } }", {"connected_calls", "total_calls"}),
        (
            "overview { dispositionBreakdown { conversation appointmentBooked } }",
            {"conversation_calls", "meetings_booked"},
        ),
        ("overview { toolUsage { smsSent } }", {"sms_sent"}),
        ("timeseries { data { date avgTalkRatio } }", {"talk_ratio_calls", "talk_ratio_sum"}),
        ("timeseries { columns { avgDurationSeconds } }", {"completed_calls", "total_duration_seconds"}),
        ("funnel { rates { qualifiedToBooked } }", {"meetings_booked", "qualified_leads"}),
        (
            "quality { quality { sentimentDistribution { positivePct } } }",
            {"negative_sentiment_calls", "neutral_sentiment_calls", "positive_sentiment_calls"},
        ),
        ("quality { trend { interruptions } }", {"total_interruptions"}),
        ("campaigns { campaignStats { campaignName qualifiedLeads } }", {"qualified_leads", "total_calls"}),
        ("heatmap { heatmap { day totalCalls } }", {"total_calls"}),
        ("heatmap(metric: MEETINGS_BOOKED) { bestTimes { label } }", {"meetings_booked"}),
        (
            "overview { summary { ...two } } } fragment two on OverviewSummary { totalCalls ... { smsOf: failedCalls }",
            None,
        ),
        ("overview { summary { totalCalls failedCalls @skip(if: true) } }", {"total_calls"}),
        ("overview { summary { totalCalls failedCalls @include(if: false) } }", {"total_calls"}),
    ],
)
async def test_only_what_the_selected_metrics_follow_from_is_added_up(
    known: Running, owner: UUID, selection: str, sums: set[str] | None
) -> None:
    counted = await _asked(known, owner, f"{{ {selection} }}")
    assert len(counted.reports) == 1
    assert counted.sums() == (sums or {"failed_calls", "total_calls"})


async def test_the_timeseries_reads_only_the_metrics_in_the_query_string(known: Running, owner: UUID) -> None:
    for name in TIMESERIES_METRICS:
        with _counting() as counted:
            (first, *_) = (await known.rest("timeseries", owner, metrics=name))["data"]
        assert first.keys() == {"date", name}
        assert counted.sums() == set(METRICS[name].sums)


@pytest.mark.parametrize(
    "report",
    [
        "overview",
        "timeseries",
        "funnel",
        "quality",
        "heatmap",
        "objections",
        "freshness",
    ],
)
@pytest.mark.parametrize("selection", ["period { startDate endDate }", "__typename", "period { startDate } __typename"])
async def test_a_report_of_which_only_its_period_is_selected_reads_nothing(
    known: Running, owner: UUID, report: str, selection: str
) -> None:
    assert (await _asked(known, owner, f"{{ {report} {{ {selection} }} }}")).all == []


async def test_campaigns_read_only_the_half_that_is_selected(known: Running, owner: UUID) -> None:
    assert (await _asked(known, owner, "{ campaigns { __typename } }")).all == []
    assert (await _asked(known, owner, "{ campaigns { pagination { total } } }")).tables == ["call_batches"]
    stats = await _asked(known, owner, "{ campaigns { campaignStats { campaignName } } }")
    assert stats.tables == ["call_stats_parts"]


@pytest.mark.parametrize(
    ("report", "tables"),
    [
        ("overview", ["call_stats_parts"]),
        ("timeseries", ["call_stats_parts"]),
        ("funnel", ["call_stats_parts"]),
        ("campaigns", ["call_batches", "call_stats_parts"]),
        ("quality", ["call_stats_parts"]),
        ("heatmap", ["agency_hours_folded"]),
        ("objections", ["call_stats_parts"]),
    ],
)
async def test_a_legacy_endpoint_costs_one_statement_and_campaigns_two(
    known: Running, owner: UUID, report: str, tables: list[str]
) -> None:
    with _counting() as counted:
        await known.rest(report, owner)
    assert counted.tables == tables
    assert counted.all == counted.reports


async def test_a_user_is_looked_up_once_in_a_while_and_each_user_for_themselves(
    known: Running, given: Given, owner: UUID
) -> None:
    other = await given.user(await given.agency())
    with _counting() as counted:
        for user in (other, owner, other, other):
            await known.rest("overview", user)
            await known.graphql("{ overview { summary { totalCalls } } }", user)
    assert len(counted.all) - len(counted.reports) == 1


async def test_a_gateway_that_shall_remember_nobody_looks_a_user_up_each_time(database: Database, owner: UUID) -> None:
    async with running(settings_for(database.dsn, user_cache_seconds=0, reuse=False)) as gateway:
        with _counting() as counted:
            await gateway.rest("overview", owner)
            await gateway.rest("overview", owner)
    assert len(counted.all) - len(counted.reports) == 2


async def test_what_is_refused_reads_nothing(known: Running, owner: UUID) -> None:
    with _counting() as counted:
        assert (await known.get("overview", owner, period="yesterday")).status_code == 400
        assert (await known.get("campaigns", owner, limit="0")).status_code == 400
        await known.post("{ overview(filters: {period: CUSTOM}) { summary { totalCalls } } }", owner)
        await known.post("{ nothing }", owner)
        assert (await known.http.get("/functions/v1/dashboard-overview")).status_code == 401
    assert counted.all == []
