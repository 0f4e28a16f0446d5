"""The funnel's stages and the rates between them."""

from typing import Any
from uuid import UUID

import pytest

from tests.given import Given
from tests.running import Running

EVERYTHING = """{ funnel {
    period { startDate endDate }
    funnel { totalCalls connected conversation qualified appointmentBooked }
    rates { contactRate connectedToConversation conversationToQualified qualifiedToBooked overallConversion }
} }"""


@pytest.fixture
async def agency(given: Given) -> UUID:
    return await given.agency()


@pytest.fixture
async def owner(given: Given, agency: UUID) -> UUID:
    return await given.user(agency)


async def test_ten_calls_lose_two_at_each_stage(gateway: Running, given: Given, agency: UUID, owner: UUID) -> None:
    await given.calls(agency, 2, answered=False)
    await given.calls(agency, 2, disposition="wrong_number")
    await given.calls(agency, 2)
    await given.calls(agency, 2, is_qualified_lead=True)
    await given.calls(agency, 2, disposition="appointment_booked")
    stages = {"total_calls": 10, "connected": 8, "conversation": 6, "qualified": 4, "appointment_booked": 2}
    rates = {
        "contact_rate": 80.0,
        "connected_to_conversation": 75.0,
        "conversation_to_qualified": 66.7,
        "qualified_to_booked": 50.0,
        "overall_conversion": 20.0,
    }
    answer = await gateway.rest("funnel", owner)
    assert answer == {
        "period": {"start_date": "2026-02-10", "end_date": "2026-02-16"},
        "funnel": stages,
        "rates": rates,
    }
    assert (list(answer["funnel"]), list(answer["rates"])) == (list(stages), list(rates))
    graphql = (await gateway.graphql(EVERYTHING, owner))["funnel"]
    assert graphql["period"] == {"startDate": "2026-02-10", "endDate": "2026-02-16"}
    assert list(graphql["funnel"].values()) == list(stages.values())
    assert list(graphql["rates"].values()) == list(rates.values())


@pytest.mark.parametrize(
    ("call", "stages"),
    [
        ({}, [1, 1, 1, 0, 0]),
        ({"answered": False}, [1, 0, 0, 0, 0]),
        ({"disposition": None}, [1, 1, 0, 0, 0]),
        ({"disposition": None, "is_qualified_lead": True}, [1, 1, 0, 0, 0]),
        ({"disposition": "voicemail"}, [1, 0, 0, 0, 0]),
        ({"disposition": "no_answer"}, [1, 0, 0, 0, 0]),
        ({"disposition": "gatekeeper_blocked"}, [1, 1, 0, 0, 0]),
        ({"disposition": "dnc_requested", "is_qualified_lead": True}, [1, 1, 0, 0, 0]),
        ({"disposition": "not_interested"}, [1, 1, 1, 0, 0]),
        ({"disposition": "callback_requested", "is_qualified_lead": True}, [1, 1, 1, 1, 0]),
        ({"disposition": "appointment_booked"}, [1, 1, 1, 1, 1]),
        ({"disposition": "appointment_booked", "is_qualified_lead": True}, [1, 1, 1, 1, 1]),
        ({"disposition": "appointment_booked", "joined_at": None}, [1, 0, 0, 0, 0]),
        ({"disposition": "appointment_booked", "status": "failed"}, [1, 1, 1, 1, 1]),
    ],
)
async def test_how_far_one_call_gets(
    gateway: Running, given: Given, agency: UUID, owner: UUID, call: dict[str, Any], stages: list[int]
) -> None:
    await given.call(agency, **call)
    assert list((await gateway.rest("funnel", owner))["funnel"].values()) == stages


async def test_a_stage_that_nobody_reached_divides_nothing_in_graphql_and_gives_zero_in_rest(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.call(agency, disposition="wrong_number")
    graphql = (await gateway.graphql(EVERYTHING, owner))["funnel"]["rates"]
    assert list(graphql.values()) == [100.0, 0.0, None, None, 0.0]
    rest = (await gateway.rest("funnel", owner))["rates"]
    assert list(rest.values()) == [100.0, 0.0, 0.0, 0.0, 0.0]


async def test_without_calls_everything_is_zero_or_null(gateway: Running, owner: UUID) -> None:
    graphql = (await gateway.graphql(EVERYTHING, owner))["funnel"]
    assert set(graphql["funnel"].values()) == {0}
    assert set(graphql["rates"].values()) == {None}
    rest = await gateway.rest("funnel", owner)
    assert {*rest["funnel"].values(), *rest["rates"].values()} == {0}
