"""The timeseries day by day, in both of its shapes."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from strawberry.utils.str_converters import to_camel_case

from resolvers.metrics import TIMESERIES_METRICS
from tests.given import NOW, Given
from tests.running import Running


@pytest.fixture
async def agency(given: Given) -> UUID:
    return await given.agency()


@pytest.fixture
async def owner(given: Given, agency: UUID) -> UUID:
    return await given.user(agency)


async def test_all_33_metrics_of_one_day(gateway: Running, given: Given, agency: UUID, owner: UUID) -> None:
    findings: dict[str, Any] = {
        "objections": [{"text": "Too expensive", "handled": True}, {"text": "No time", "handled": False}],
        "buying_signals": [{"text": "Asks for a date"}],
    }
    measured: dict[str, Any] = {"talk_ratio": 0.4, "listen_ratio": 0.6, "script_adherence": 0.8, "interruptions": 5}
    await given.call(agency, disposition="appointment_booked", sentiment="positive", **findings)
    await given.call(agency, direction="inbound", sentiment="neutral", issue_resolved=True, **measured)
    await given.calls(agency, 2, disposition="not_interested", sentiment="negative", escalated=True, emails_sent=1)
    await given.calls(agency, 3, disposition="callback_requested", is_qualified_lead=True, sms_sent=2)
    for disposition in ("wrong_number", "dnc_requested", "gatekeeper_blocked"):
        await given.call(agency, disposition=disposition, duration_seconds=0)
    await given.call(agency, answered=False, disposition="voicemail", duration_seconds=0)
    await given.calls(agency, 2, answered=False, status="failed")
    expected = {
        "total_calls": 13,
        "completed_calls": 11,
        "failed_calls": 2,
        "connected_calls": 10,
        "conversations_had": 7,
        "meetings_booked": 1,
        "qualified_leads": 4,
        "total_duration_seconds": 420,
        "avg_duration_seconds": 38,  # 420 / 11
        "inbound_calls": 1,
        "outbound_calls": 12,
        "positive_sentiment_calls": 1,
        "neutral_sentiment_calls": 1,
        "negative_sentiment_calls": 2,
        "objections_encountered": 2,
        "issues_resolved": 1,
        "escalations": 2,
        "voicemail_calls": 1,
        "callback_requested_calls": 3,
        "not_interested_calls": 2,
        "wrong_number_calls": 1,
        "dnc_requested_calls": 1,
        "gatekeeper_blocked_calls": 1,
        "no_answer_calls": 2,
        "conversation_calls": 1,
        "avg_talk_ratio": 0.4,
        "avg_listen_ratio": 0.6,
        "total_interruptions": 5,
        "avg_script_adherence": 0.8,
        "total_objections_handled": 1,
        "total_buying_signals": 1,
        "emails_sent": 2,
        "sms_sent": 6,
    }
    assert tuple(expected) == TIMESERIES_METRICS
    answer = await gateway.rest("timeseries", owner)
    assert answer == {
        "period": {"start_date": "2026-02-10", "end_date": "2026-02-16"},
        "data": [{"date": "2026-02-16", **expected}],
    }
    assert list(answer["data"][0]) == ["date", *expected]
    names = {to_camel_case(name): figure for name, figure in expected.items()}
    fields = " ".join(names)
    graphql = await gateway.graphql(
        f"{{ timeseries {{ period {{ startDate endDate }} data {{ date {fields} }} columns {{ date {fields} }} }} }}",
        owner,
    )
    assert graphql["timeseries"] == {
        "period": {"startDate": "2026-02-10", "endDate": "2026-02-16"},
        "data": [{"date": "2026-02-16", **names}],
        "columns": {"date": ["2026-02-16"], **{name: [figure] for name, figure in names.items()}},
    }


async def test_days_come_oldest_first_and_those_without_calls_are_absent(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    for days_ago, calls in ((0, 1), (6, 2), (3, 3), (7, 9)):
        await given.calls(agency, calls, started_at=NOW - timedelta(days=days_ago))
    answer = await gateway.rest("timeseries", owner, metrics="total_calls")
    assert answer["data"] == [
        {"date": "2026-02-10", "total_calls": 2},
        {"date": "2026-02-13", "total_calls": 3},
        {"date": "2026-02-16", "total_calls": 1},
    ]
    graphql = await gateway.graphql(
        "{ timeseries { data { date totalCalls } columns { date totalCalls meetingsBooked } } }", owner
    )
    assert graphql["timeseries"] == {
        "data": [
            {"date": "2026-02-10", "totalCalls": 2},
            {"date": "2026-02-13", "totalCalls": 3},
            {"date": "2026-02-16", "totalCalls": 1},
        ],
        "columns": {
            "date": ["2026-02-10", "2026-02-13", "2026-02-16"],
            "totalCalls": [2, 3, 1],
            "meetingsBooked": [0, 0, 0],
        },
    }


async def test_a_day_is_one_entry_whatever_campaigns_and_clients_its_calls_have(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    """Its means are over all its calls: 10 s, 20 s and 60 s are 30 s, whoever they were made for."""
    client = await given.client(agency)
    campaign = await given.campaign(agency, client)
    await given.call(agency, duration_seconds=10)
    await given.call(agency, duration_seconds=20, client_id=client)
    await given.call(agency, duration_seconds=60, client_id=client, campaign_id=campaign)
    answer = await gateway.rest("timeseries", owner, metrics="avg_duration_seconds,total_calls")
    assert answer["data"] == [{"date": "2026-02-16", "total_calls": 3, "avg_duration_seconds": 30}]
    answer = await gateway.rest("timeseries", owner, metrics="avg_duration_seconds", client_id=client)
    assert answer["data"] == [{"date": "2026-02-16", "avg_duration_seconds": 40}]


async def test_where_a_day_has_nothing_to_divide_graphql_has_null_in_both_shapes_and_rest_zero(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.call(agency, status="failed", answered=False)
    await given.call(agency, started_at=NOW - timedelta(days=1), talk_ratio=0)
    answer = await gateway.graphql(
        "{ timeseries { data { avgDurationSeconds avgTalkRatio } columns { avgDurationSeconds avgTalkRatio } } }", owner
    )
    assert answer["timeseries"] == {
        "data": [
            {"avgDurationSeconds": 60, "avgTalkRatio": 0.0},
            {"avgDurationSeconds": None, "avgTalkRatio": None},
        ],
        "columns": {"avgDurationSeconds": [60, None], "avgTalkRatio": [0.0, None]},
    }
    rest = await gateway.rest("timeseries", owner, metrics="avg_duration_seconds,avg_talk_ratio")
    assert [list(day.values()) for day in rest["data"]] == [["2026-02-15", 60, 0.0], ["2026-02-16", 0, 0.0]]


async def test_without_calls_there_is_no_day(gateway: Running, owner: UUID) -> None:
    assert (await gateway.rest("timeseries", owner))["data"] == []
    answer = await gateway.graphql("{ timeseries { data { date } columns { date totalCalls avgTalkRatio } } }", owner)
    assert answer["timeseries"] == {"data": [], "columns": {"date": [], "totalCalls": [], "avgTalkRatio": []}}


async def test_a_day_whose_last_call_is_deleted_is_absent_again(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    call = await given.call(agency)
    assert len((await gateway.rest("timeseries", owner))["data"]) == 1
    await given.connection.execute("delete from calls where id = $1", call)
    assert (await gateway.rest("timeseries", owner))["data"] == []


async def test_metrics_come_in_the_documented_order_and_once_however_they_are_asked_for(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.call(agency)
    answer = await gateway.rest("timeseries", owner, metrics="sms_sent, total_calls,sms_sent")
    assert list(answer["data"][0]) == ["date", "total_calls", "sms_sent"]
