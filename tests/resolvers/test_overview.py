"""The overview's figures, from calls that can be counted on fingers."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.given import NOW, Given
from tests.running import Running

EVERYTHING = """{ overview {
    period { startDate endDate label }
    summary {
        totalCalls completedCalls failedCalls connectedCalls contactRate conversationsHad meetingsBooked qualifiedLeads
        avgDurationSeconds totalDurationSeconds positiveSentimentPct neutralSentimentPct negativeSentimentPct
        overallConversionRate
    }
    dispositionBreakdown {
        voicemail callbackRequested notInterested wrongNumber dncRequested gatekeeperBlocked noAnswer conversation
        appointmentBooked
    }
    quality {
        avgTalkRatio avgListenRatio avgScriptAdherence totalInterruptions avgInterruptionsPerCall
        totalObjectionsEncountered totalObjectionsHandled objectionHandlingRate totalBuyingSignals
    }
    toolUsage { emailsSent smsSent }
} }"""


@pytest.fixture
async def agency(given: Given) -> UUID:
    return await given.agency()


@pytest.fixture
async def owner(given: Given, agency: UUID) -> UUID:
    return await given.user(agency)


async def test_three_calls_one_answered_so_the_rate_is_a_third(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.call(agency)
    await given.calls(agency, 2, answered=False)
    summary = (await gateway.rest("overview", owner))["summary"]
    assert (summary["total_calls"], summary["connected_calls"], summary["contact_rate"]) == (3, 1, 33.3)


async def test_every_figure_of_fifty_calls(gateway: Running, given: Given, agency: UUID, owner: UUID) -> None:
    """45 completed, a minute each, one more of each disposition than of the one before; 5 failed."""
    await given.call(agency, answered=False, disposition="voicemail")
    await given.calls(agency, 2, disposition="callback_requested", is_qualified_lead=True, emails_sent=2)
    await given.calls(agency, 3, disposition="not_interested", sms_sent=1)
    await given.calls(agency, 4, disposition="wrong_number", is_qualified_lead=True)
    await given.calls(agency, 5, disposition="dnc_requested", sentiment="negative")
    await given.calls(agency, 6, disposition="gatekeeper_blocked", sentiment="neutral", interruptions=3)
    await given.calls(agency, 7, answered=False)
    objections = [{"text": "Too expensive", "handled": handled} for handled in (True, False, False, False)]
    signals = [{"text": "Asks for a date"}, {"text": "Asks for a price"}]
    await given.calls(agency, 7, talk_ratio=0.5, listen_ratio=0.25, script_adherence=0.75)
    await given.call(agency, objections=objections, buying_signals=signals)
    await given.calls(agency, 9, disposition="appointment_booked", sentiment="positive")
    await given.calls(agency, 5, status="failed", answered=False, disposition=None)
    expected = {
        "period": {"start_date": "2026-02-10", "end_date": "2026-02-16", "label": "7d"},
        "summary": {
            "total_calls": 50,
            "completed_calls": 45,
            "failed_calls": 5,
            "connected_calls": 37,  # all but 1 voicemail, 7 unanswered and 5 failed
            "contact_rate": 74.0,
            "conversations_had": 22,  # 2 callbacks, 3 declined, 8 conversations, 9 appointments
            "meetings_booked": 9,
            "qualified_leads": 11,  # 9 appointments and 2 callbacks; a wrong number is no conversation
            "avg_duration_seconds": 60,
            "total_duration_seconds": 2_700,
            "positive_sentiment_pct": 45.0,  # 9 of 20
            "neutral_sentiment_pct": 30.0,
            "negative_sentiment_pct": 25.0,
            "overall_conversion_rate": 18.0,  # 9 of 50
        },
        "disposition_breakdown": {
            "voicemail": 1,
            "callback_requested": 2,
            "not_interested": 3,
            "wrong_number": 4,
            "dnc_requested": 5,
            "gatekeeper_blocked": 6,
            "no_answer": 7,
            "conversation": 8,
            "appointment_booked": 9,
        },
        "quality": {
            "avg_talk_ratio": 0.5,
            "avg_listen_ratio": 0.25,
            "avg_script_adherence": 0.75,
            "total_interruptions": 18,
            "avg_interruptions_per_call": 0.4,  # over 45
            "total_objections_encountered": 4,
            "total_objections_handled": 1,
            "objection_handling_rate": 25.0,
            "total_buying_signals": 2,
        },
        "tool_usage": {"emails_sent": 4, "sms_sent": 3},
    }
    answer = await gateway.rest("overview", owner)
    assert answer == expected
    assert [list(part) for part in answer.values()] == [list(part) for part in expected.values()]
    graphql = (await gateway.graphql(EVERYTHING, owner))["overview"]
    assert [list(part.values()) for part in graphql.values()] == [list(part.values()) for part in expected.values()]


async def test_without_calls_counters_are_zero_and_there_is_nothing_to_divide(gateway: Running, owner: UUID) -> None:
    graphql = (await gateway.graphql(EVERYTHING, owner))["overview"]
    rates = (
        "contactRate",
        "avgDurationSeconds",
        "positiveSentimentPct",
        "neutralSentimentPct",
        "negativeSentimentPct",
        "overallConversionRate",
        "avgTalkRatio",
        "avgListenRatio",
        "avgScriptAdherence",
        "avgInterruptionsPerCall",
        "objectionHandlingRate",
    )
    figures = {**graphql["summary"], **graphql["dispositionBreakdown"], **graphql["quality"], **graphql["toolUsage"]}
    assert {name: figure for name, figure in figures.items() if figure != 0} == dict.fromkeys(rates)
    rest = await gateway.rest("overview", owner)
    assert {figure for part in rest if part != "period" for figure in rest[part].values()} == {0}


async def test_a_rate_of_nothing_at_all_is_zero_when_there_is_something_to_divide(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.call(agency, answered=False, objections=[{"text": "No time", "handled": False}])
    answer = await gateway.graphql(
        "{ overview { summary { contactRate overallConversionRate } quality { objectionHandlingRate } } }", owner
    )
    assert answer["overview"] == {
        "summary": {"contactRate": 0.0, "overallConversionRate": 0.0},
        "quality": {"objectionHandlingRate": 0.0},
    }


async def test_means_are_weighted_by_calls_and_never_means_of_means(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    """One long call, and three short ones on another day and of another campaign: 160 s over 4 calls is 40, not 60."""
    one, three = await given.campaign(agency), await given.campaign(agency)
    ratios: dict[str, Any] = {"talk_ratio": 0.9, "listen_ratio": 0.1, "script_adherence": 1}
    await given.call(agency, campaign_id=one, duration_seconds=100, started_at=NOW - timedelta(days=2), **ratios)
    ratios = {"talk_ratio": 0.1, "listen_ratio": 0.5, "script_adherence": 0}
    await given.calls(agency, 3, campaign_id=three, duration_seconds=20, **ratios)
    answer = await gateway.rest("overview", owner)
    assert answer["summary"]["avg_duration_seconds"] == 40
    quality = answer["quality"]
    assert (quality["avg_talk_ratio"], quality["avg_listen_ratio"], quality["avg_script_adherence"]) == (0.3, 0.4, 0.25)


async def test_a_mean_is_over_the_completed_calls_that_have_the_value(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.call(agency, talk_ratio=0.5)
    await given.call(agency, talk_ratio=None)
    await given.call(agency, talk_ratio=1, status="failed", duration_seconds=600)
    answer = await gateway.rest("overview", owner)
    assert answer["quality"]["avg_talk_ratio"] == 0.5
    assert answer["summary"]["total_duration_seconds"] == 120


async def test_a_completed_call_without_a_length_counts_as_one_of_no_seconds(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.call(agency, duration_seconds=30)
    await given.call(agency, duration_seconds=None)
    assert (await gateway.rest("overview", owner))["summary"]["avg_duration_seconds"] == 15


async def test_a_call_in_progress_is_a_call_and_neither_completed_nor_failed(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.call(agency, status="in_progress", disposition=None, duration_seconds=None, analysis_status="pending")
    summary = (await gateway.rest("overview", owner))["summary"]
    assert (summary["total_calls"], summary["completed_calls"], summary["failed_calls"]) == (1, 0, 0)
    assert (summary["connected_calls"], summary["conversations_had"]) == (1, 0)


async def test_analysis_that_completes_later_changes_the_figures_at_once(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    call = await given.call(agency, disposition=None, analysis_status="pending")
    assert (await gateway.rest("overview", owner))["summary"]["meetings_booked"] == 0
    await given.connection.execute(
        "update calls set disposition = 'appointment_booked', sentiment = 'positive', analysis_status = 'completed'"
        " where id = $1",
        call,
    )
    summary = (await gateway.rest("overview", owner))["summary"]
    assert (summary["meetings_booked"], summary["positive_sentiment_pct"]) == (1, 100.0)


async def test_an_appointment_that_nobody_was_there_for_is_shown_by_disposition_only_if_connected(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    """`appointment_booked` is the number of booked meetings, and without a person there is no meeting."""
    await given.call(agency, disposition="appointment_booked")
    await given.call(agency, disposition="appointment_booked", joined_at=None)
    answer = await gateway.rest("overview", owner)
    assert answer["summary"]["meetings_booked"] == 1
    assert answer["disposition_breakdown"]["appointment_booked"] == 1


@pytest.mark.parametrize(
    ("period", "days", "calls"),
    [("today", ("2026-02-16", "2026-02-16"), 1), ("7d", ("2026-02-10", "2026-02-16"), 2),
     ("30d", ("2026-01-18", "2026-02-16"), 3), ("90d", ("2025-11-19", "2026-02-16"), 4)],
)  # fmt: skip
async def test_a_period_counts_its_first_day_and_not_the_one_before(
    gateway: Running, given: Given, agency: UUID, owner: UUID, period: str, days: tuple[str, str], calls: int
) -> None:
    """A call at the first moment of each period's first day: a period has its own and those of the shorter ones."""
    for day in (datetime(2026, 2, 16), datetime(2026, 2, 10), datetime(2026, 1, 18), datetime(2025, 11, 19)):  # noqa: DTZ001
        await given.call(agency, started_at=day.replace(tzinfo=UTC))
    answer = await gateway.rest("overview", owner, period=period)
    assert answer["period"] == {"start_date": days[0], "end_date": days[1], "label": period}
    assert answer["summary"]["total_calls"] == calls


async def test_days_are_utc_days_wherever_a_call_was_recorded(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.call(agency, started_at=datetime.fromisoformat("2026-02-16T00:30:00+09:00"))  # the 15th in UTC
    await given.call(agency, started_at=datetime.fromisoformat("2026-02-15T23:59:59.999999+00:00"))
    await given.call(agency, started_at=datetime.fromisoformat("2026-02-16T00:00:00+00:00"))
    custom = {"period": "custom", "start_date": "2026-02-15", "end_date": "2026-02-15"}
    assert (await gateway.rest("overview", owner, **custom))["summary"]["total_calls"] == 2
    assert (await gateway.rest("overview", owner, period="today"))["summary"]["total_calls"] == 1


async def test_a_campaign_a_client_and_both(gateway: Running, given: Given, agency: UUID, owner: UUID) -> None:
    client, other = await given.client(agency), await given.client(agency)
    campaign = await given.campaign(agency, client)
    await given.call(agency, campaign_id=campaign, client_id=client)
    await given.calls(agency, 2, campaign_id=campaign, client_id=other)
    await given.calls(agency, 4, client_id=client)
    await given.calls(agency, 8)

    async def total(**params: Any) -> int:
        return (await gateway.rest("overview", owner, **params))["summary"]["total_calls"]

    assert await total() == 15
    assert await total(campaign_id=campaign) == 3
    assert await total(client_id=client) == 5
    assert await total(campaign_id=campaign, client_id=client) == 1
    assert await total(campaign_id=uuid4()) == 0
