"""Worked examples: the facts go in as raw calls, figures worked out by hand come out of both doors."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from rest_compat.openapi import document
from tests.doors import REPORTS
from tests.given import NOW, Given
from tests.running import Running


@pytest.fixture
async def owner(given: Given) -> UUID:
    """An owner whose agency made the 150 calls of the documentation's example.

    120 completed with 180 s each; 110 connected, 85 of them conversations, 25 qualified, 12 booked; 45 interruptions;
    30 objections of which 18 were handled.
    """
    agency = await given.agency()
    campaign = await given.campaign(agency)
    objection = {"text": "Too expensive", "quote": "…"}
    common: dict[str, Any] = {"campaign_id": campaign, "duration_seconds": 180}
    booked = {**common, "disposition": "appointment_booked"}
    await given.calls(agency, 12, **booked, objections=[{**objection, "handled": True}])
    await given.calls(agency, 6, **common, is_qualified_lead=True, objections=[{**objection, "handled": True}])
    await given.calls(agency, 7, **common, is_qualified_lead=True, objections=[{**objection, "handled": False}])
    await given.calls(agency, 5, **common, objections=[{**objection, "handled": False}], interruptions=9)
    await given.calls(agency, 55, **common, started_at=NOW - timedelta(days=3))
    await given.calls(agency, 25, **common, disposition="gatekeeper_blocked")
    await given.calls(agency, 10, **common, answered=False)
    await given.calls(agency, 30, status="failed", answered=False, disposition=None, campaign_id=campaign)
    return await given.user(agency)


async def test_the_overview_of_150_calls_shows_the_documented_figures(gateway: Running, owner: UUID) -> None:
    rest = await gateway.rest("overview", owner)
    assert rest["period"] == {"start_date": "2026-02-10", "end_date": "2026-02-16", "label": "7d"}
    summary, quality = rest["summary"], rest["quality"]
    assert (summary["total_calls"], summary["completed_calls"], summary["connected_calls"]) == (150, 120, 110)
    assert (summary["meetings_booked"], summary["total_duration_seconds"]) == (12, 21_600)
    assert summary["contact_rate"] == 73.3
    assert summary["avg_duration_seconds"] == 180
    assert summary["overall_conversion_rate"] == 8.0
    assert quality["avg_interruptions_per_call"] == 0.38
    assert (quality["total_objections_encountered"], quality["total_objections_handled"]) == (30, 18)
    assert quality["objection_handling_rate"] == 60.0

    graphql = await gateway.graphql(
        """{ overview { period { startDate endDate label }
             summary { contactRate avgDurationSeconds overallConversionRate totalDurationSeconds }
             quality { avgInterruptionsPerCall objectionHandlingRate } } }""",
        owner,
    )
    assert graphql["overview"] == {
        "period": {"startDate": "2026-02-10", "endDate": "2026-02-16", "label": "7d"},
        "summary": {
            "contactRate": 73.3,
            "avgDurationSeconds": 180,
            "overallConversionRate": 8.0,
            "totalDurationSeconds": 21_600,
        },
        "quality": {"avgInterruptionsPerCall": 0.38, "objectionHandlingRate": 60.0},
    }


async def test_the_funnel_of_150_calls_shows_the_documented_figures(gateway: Running, owner: UUID) -> None:
    stages = {"total_calls": 150, "connected": 110, "conversation": 85, "qualified": 25, "appointment_booked": 12}
    rates = {
        "contact_rate": 73.3,
        "connected_to_conversation": 77.3,
        "conversation_to_qualified": 29.4,
        "qualified_to_booked": 48.0,
        "overall_conversion": 8.0,
    }
    assert await gateway.rest("funnel", owner, period="30d") == {
        "period": {"start_date": "2026-01-18", "end_date": "2026-02-16"},
        "funnel": stages,
        "rates": rates,
    }
    answer = await gateway.graphql(
        """{ funnel(filters: {period: LAST_30_DAYS}) {
             funnel { totalCalls connected conversation qualified appointmentBooked }
             rates { contactRate connectedToConversation conversationToQualified qualifiedToBooked overallConversion }
        } }""",
        owner,
    )
    assert list(answer["funnel"]["funnel"].values()) == list(stages.values())
    assert list(answer["funnel"]["rates"].values()) == list(rates.values())


async def test_the_examples_of_the_openapi_document_are_answers_about_these_calls(
    gateway: Running, given: Given, owner: UUID
) -> None:
    agency, campaign = await given.connection.fetchrow("select agency_id, campaign_id from calls limit 1")
    await given.connection.execute("update campaigns set name = 'Spring offer' where id = $1", campaign)
    await given.connection.execute(
        """
        update calls set
            talk_ratio = 0.42, listen_ratio = 0.58, script_adherence = 0.91,
            sentiment = (case disposition when 'appointment_booked' then 'positive'
                                          when 'conversation' then 'neutral' else 'negative' end)::call_sentiment,
            emails_sent = case disposition when 'appointment_booked' then 1 else 0 end,
            buying_signals = case disposition
                when 'appointment_booked' then '[{"text": "When can you start?", "quote": "…"}]'::jsonb else '[]' end
        where disposition is not null
        """
    )
    batch = await given.batch(
        agency, campaign, {"completed": 110, "failed": 10, "pending": 40}, status="processing", created_at=NOW
    )
    shown = {str(agency): UUID(int=1), str(campaign): UUID(int=2), str(batch): UUID(int=3)}
    paths = document()["paths"]
    for report in REPORTS:
        answer = (await gateway.get(report, owner)).text
        for made, id_ in shown.items():
            answer = answer.replace(made, str(id_))
        documented = paths[f"/functions/v1/dashboard-{report}"]["get"]["responses"]["200"]["content"]
        assert json.loads(answer) == documented["application/json"]["example"]
