"""The heatmap: weekdays and hours in UTC, and the times that do best."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.given import NOW, Given
from tests.running import Running

EVERYTHING = """query($metric: HeatmapMetric! = CALLS) { heatmap(metric: $metric) {
    period { startDate endDate }
    metric
    heatmap { day hour totalCalls connectedCalls meetingsBooked }
    bestTimes { day hour metricValue label }
} }"""


def at(text: str) -> datetime:
    """A moment in UTC, or where it says that it is."""
    return datetime.fromisoformat(text if len(text) > 16 else f"{text}:00+00:00")


@pytest.fixture
async def agency(given: Given) -> UUID:
    return await given.agency()


@pytest.fixture
async def owner(given: Given, agency: UUID) -> UUID:
    return await given.user(agency)


async def test_every_field_of_three_slots(gateway: Running, given: Given, agency: UUID, owner: UUID) -> None:
    """A Monday and the Monday before are one weekday; the 15th of February 2026 is a Sunday."""
    await given.call(agency, started_at=at("2026-02-16 10:05"), disposition="appointment_booked")
    await given.call(agency, started_at=at("2026-02-09 10:59"))
    await given.call(agency, started_at=at("2026-02-16 11:00"), answered=False)
    await given.call(agency, started_at=at("2026-02-15 23:30"))
    slots = [
        {"day": 0, "hour": 23, "total_calls": 1, "connected_calls": 1, "meetings_booked": 0},
        {"day": 1, "hour": 10, "total_calls": 2, "connected_calls": 2, "meetings_booked": 1},
        {"day": 1, "hour": 11, "total_calls": 1, "connected_calls": 0, "meetings_booked": 0},
    ]
    best = [
        {"day": 1, "hour": 10, "metric_value": 2, "label": "Monday 10:00"},
        {"day": 0, "hour": 23, "metric_value": 1, "label": "Sunday 23:00"},
        {"day": 1, "hour": 11, "metric_value": 1, "label": "Monday 11:00"},
    ]
    answer = await gateway.rest("heatmap", owner)
    assert answer == {
        "period": {"start_date": "2026-01-18", "end_date": "2026-02-16"},
        "metric": "calls",
        "heatmap": slots,
        "best_times": best,
    }
    assert [list(answer), list(answer["heatmap"][0]), list(answer["best_times"][0])] == [
        ["period", "metric", "heatmap", "best_times"],
        list(slots[0]),
        list(best[0]),
    ]
    graphql = (await gateway.graphql(EVERYTHING, owner))["heatmap"]
    assert (graphql["period"], graphql["metric"]) == ({"startDate": "2026-01-18", "endDate": "2026-02-16"}, "CALLS")
    assert [list(slot.values()) for slot in graphql["heatmap"]] == [list(slot.values()) for slot in slots]
    assert [list(time.values()) for time in graphql["bestTimes"]] == [list(time.values()) for time in best]


async def test_a_week_is_numbered_from_sunday_to_saturday(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    names = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    for day in range(7):
        # The 8th was a Sunday. The later in the week, the fewer calls, so that the best times come in its order.
        await given.calls(agency, 7 - day, started_at=at("2026-02-08 07:00") + timedelta(days=day))
    answer = await gateway.rest("heatmap", owner)
    assert [(slot["day"], slot["hour"], slot["total_calls"]) for slot in answer["heatmap"]] == [
        (day, 7, 7 - day) for day in range(7)
    ]
    assert [time["label"] for time in answer["best_times"]] == [f"{name} 07:00" for name in names[:5]]
    saturday = await gateway.rest("heatmap", owner, period="7d")
    assert [(slot["day"], slot["total_calls"]) for slot in saturday["heatmap"]] == [
        (2, 5),
        (3, 4),
        (4, 3),
        (5, 2),
        (6, 1),
    ]
    assert saturday["best_times"][-1]["label"] == "Saturday 07:00"


@pytest.mark.parametrize(
    ("moment", "slot"),
    [
        ("2026-02-14T23:30:00-02:00", (0, 1)),  # Saturday night there, Sunday in UTC
        ("2026-02-15T00:30:00+05:30", (6, 19)),  # Sunday there, Saturday in UTC
        ("2026-02-15T00:00:00+00:00", (0, 0)),
        ("2026-02-14T23:59:59.999999+00:00", (6, 23)),
    ],
)
async def test_hours_are_utc_hours(
    gateway: Running, given: Given, agency: UUID, owner: UUID, moment: str, slot: tuple[int, int]
) -> None:
    await given.call(agency, started_at=at(moment))
    (only,) = (await gateway.rest("heatmap", owner))["heatmap"]
    assert (only["day"], only["hour"]) == slot


async def test_the_best_times_are_five_with_ties_by_day_then_hour(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    for moment, calls in (
        ("2026-02-11 09:00", 2),  # Wednesday
        ("2026-02-10 15:00", 2),  # Tuesday
        ("2026-02-10 08:00", 2),
        ("2026-02-15 20:00", 1),  # Sunday
        ("2026-02-12 06:00", 3),  # Thursday
        ("2026-02-14 05:00", 1),  # Saturday
        ("2026-02-13 05:00", 1),  # Friday
    ):
        await given.calls(agency, calls, started_at=at(moment))
    expected = ["Thursday 06:00", "Tuesday 08:00", "Tuesday 15:00", "Wednesday 09:00", "Sunday 20:00"]
    assert [time["label"] for time in (await gateway.rest("heatmap", owner))["best_times"]] == expected
    graphql = (await gateway.graphql(EVERYTHING, owner))["heatmap"]
    assert [(time["label"], time["metricValue"]) for time in graphql["bestTimes"]] == list(
        zip(expected, (3, 2, 2, 2, 1), strict=True)
    )


async def test_a_time_without_any_is_no_best_time(gateway: Running, given: Given, agency: UUID, owner: UUID) -> None:
    await given.calls(agency, 9, started_at=at("2026-02-10 08:00"), answered=False)
    await given.calls(agency, 2, started_at=at("2026-02-10 09:00"))
    await given.call(agency, started_at=at("2026-02-10 10:00"), disposition="appointment_booked")

    async def best(metric: str) -> list[tuple[Any, ...]]:
        answer = await gateway.rest("heatmap", owner, metric=metric)
        assert answer["metric"] == metric
        # Whatever the metric, a slot always has all three counts.
        assert [tuple(slot.values()) for slot in answer["heatmap"]] == [
            (2, 8, 9, 0, 0),
            (2, 9, 2, 2, 0),
            (2, 10, 1, 1, 1),
        ]
        graphql = (await gateway.graphql(EVERYTHING, owner, metric=metric.upper()))["heatmap"]
        assert graphql["metric"] == metric.upper()
        assert [list(time.values()) for time in graphql["bestTimes"]] == [
            list(time.values()) for time in answer["best_times"]
        ]
        return [(time["hour"], time["metric_value"]) for time in answer["best_times"]]

    assert await best("calls") == [(8, 9), (9, 2), (10, 1)]
    assert await best("connected") == [(9, 2), (10, 1)]
    assert await best("meetings_booked") == [(10, 1)]


async def test_without_calls_there_are_no_slots_and_no_best_times(gateway: Running, owner: UUID) -> None:
    answer = await gateway.rest("heatmap", owner)
    assert (answer["heatmap"], answer["best_times"]) == ([], [])


async def test_the_first_and_the_last_moment_of_the_range_are_in_it(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    for moment in (
        "2026-02-09T23:59:59.999999+00:00",
        "2026-02-10T00:00:00+00:00",
        "2026-02-16T23:59:59.999999+00:00",
        "2026-02-17T00:00:00+00:00",
    ):
        await given.call(agency, started_at=at(moment))
    slots = (await gateway.rest("heatmap", owner, period="7d"))["heatmap"]
    assert [(slot["day"], slot["hour"], slot["total_calls"]) for slot in slots] == [(1, 23, 1), (2, 0, 1)]


async def test_a_campaign_a_client_and_both(gateway: Running, given: Given, agency: UUID, owner: UUID) -> None:
    client, other = await given.client(agency), await given.client(agency)
    campaign = await given.campaign(agency, client)
    await given.call(agency, campaign_id=campaign, client_id=client)
    await given.calls(agency, 2, campaign_id=campaign, client_id=other)
    await given.calls(agency, 4, client_id=client)
    await given.calls(agency, 8, started_at=NOW - timedelta(days=80))

    async def calls(**params: Any) -> int:
        return sum(slot["total_calls"] for slot in (await gateway.rest("heatmap", owner, **params))["heatmap"])

    assert await calls() == 7
    assert await calls(period="90d") == 15
    assert await calls(campaign_id=campaign) == 3
    assert await calls(client_id=client) == 5
    assert await calls(campaign_id=campaign, client_id=client) == 1
    assert await calls(client_id=uuid4()) == 0


async def test_it_is_as_fresh_as_the_calls(gateway: Running, given: Given, agency: UUID, owner: UUID) -> None:
    call = await given.call(agency, disposition=None, started_at=at("2026-02-16 10:00"))
    await given.connection.execute(
        "update calls set disposition = 'appointment_booked', started_at = started_at + interval '1 day 2 hours'"
        " where id = $1",
        call,
    )
    assert (await gateway.rest("heatmap", owner))["heatmap"] == []  # tomorrow is not in the range
    await given.connection.execute("update calls set started_at = started_at - interval '1 day'")
    (slot,) = (await gateway.rest("heatmap", owner))["heatmap"]
    assert (slot["day"], slot["hour"], slot["meetings_booked"]) == (1, 12, 1)
