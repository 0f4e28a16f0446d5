"""What people object to and what signals an interest: the same words are the same text, and counts are exact."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.given import NOW, Given
from tests.running import Running

EVERYTHING = """query($limit: Int! = 10) { objections(limit: $limit) {
    period { startDate endDate }
    summary { callsAnalyzed totalObjections totalObjectionsHandled objectionHandlingRate totalBuyingSignals }
    objections { objection count handled handlingRate percentage }
    buyingSignals { signal count percentage }
} }"""


@pytest.fixture
async def agency(given: Given) -> UUID:
    return await given.agency()


@pytest.fixture
async def owner(given: Given, agency: UUID) -> UUID:
    return await given.user(agency)


def _objections(*texts: str | None, handled: bool = False) -> list[dict[str, Any]]:
    return [{"text": text, "handled": handled, "quote": "…"} for text in texts]


def _signals(*texts: str) -> list[dict[str, Any]]:
    return [{"text": text, "quote": "…"} for text in texts]


async def test_every_field_of_three_calls(gateway: Running, given: Given, agency: UUID, owner: UUID) -> None:
    await given.call(
        agency,
        objections=_objections("Too expensive", handled=True) + _objections("No time"),
        buying_signals=_signals("Asks for a date", "Asks for a price"),
    )
    await given.call(agency, objections=_objections("Too expensive"), buying_signals=_signals("Asks for a date"))
    await given.call(agency)
    expected = {
        "period": {"start_date": "2026-02-10", "end_date": "2026-02-16"},
        "summary": {
            "calls_analyzed": 3,
            "total_objections": 3,
            "total_objections_handled": 1,
            "objection_handling_rate": 33.3,
            "total_buying_signals": 3,
        },
        "objections": [
            {"objection": "Too expensive", "count": 2, "handled": 1, "handling_rate": 50.0, "percentage": 66.7},
            {"objection": "No time", "count": 1, "handled": 0, "handling_rate": 0.0, "percentage": 33.3},
        ],
        "buying_signals": [
            {"signal": "Asks for a date", "count": 2, "percentage": 66.7},
            {"signal": "Asks for a price", "count": 1, "percentage": 33.3},
        ],
    }
    answer = await gateway.rest("objections", owner)
    assert answer == expected
    assert list(answer) == list(expected)
    for part in ("objections", "buying_signals"):
        assert list(answer[part][0]) == list(expected[part][0])
    graphql = (await gateway.graphql(EVERYTHING, owner))["objections"]
    assert list(graphql["period"].values()) == ["2026-02-10", "2026-02-16"]
    assert list(graphql["summary"].values()) == [3, 3, 1, 33.3, 3]
    assert [list(each.values()) for each in graphql["objections"]] == [
        ["Too expensive", 2, 1, 50.0, 66.7],
        ["No time", 1, 0, 0.0, 33.3],
    ]
    assert [list(each.values()) for each in graphql["buyingSignals"]] == [
        ["Asks for a date", 2, 66.7],
        ["Asks for a price", 1, 33.3],
    ]


async def test_case_and_spacing_make_no_difference_and_the_commonest_spelling_is_shown(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.call(
        agency,
        objections=_objections(
            "too expensive", "Too expensive", "  Too   expensive ", "TOO EXPENSIVE", "Too\texpensive\n", handled=True
        )
        + _objections("Tooexpensive"),
        buying_signals=_signals("asks  for a DATE", "Asks for a date", "Asks for a date"),
    )
    answer = await gateway.rest("objections", owner)
    assert [(each["objection"], each["count"], each["handled"]) for each in answer["objections"]] == [
        ("Too expensive", 5, 5),
        ("Tooexpensive", 1, 0),
    ]
    assert answer["buying_signals"] == [{"signal": "Asks for a date", "count": 3, "percentage": 100.0}]


async def test_letters_beyond_ascii_have_cases_too(gateway: Running, given: Given, agency: UUID, owner: UUID) -> None:
    await given.call(agency, objections=_objections("Zu TEUER für uns", "zu teuer FÜR uns", "Zu teuer für uns"))
    (only,) = (await gateway.rest("objections", owner))["objections"]
    assert only["count"] == 3


async def test_the_most_frequent_come_first_and_ties_by_text_whatever_its_case(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.call(agency, objections=_objections("b", "C", "a", "d", "d", "E", "E"))
    await given.call(agency, buying_signals=_signals("z", "Y", "x", "Y"))
    answer = await gateway.rest("objections", owner)
    assert [each["objection"] for each in answer["objections"]] == ["d", "E", "a", "b", "C"]
    assert [each["signal"] for each in answer["buying_signals"]] == ["Y", "x", "z"]


async def test_a_text_said_twice_in_one_call_counts_twice(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.calls(agency, 3, objections=_objections("No time", "no time", handled=True))
    (only,) = (await gateway.rest("objections", owner))["objections"]
    assert (only["count"], only["handled"], only["handling_rate"], only["percentage"]) == (6, 6, 100.0, 100.0)


async def test_the_limit_is_for_each_list_and_percentages_stay_those_of_all(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    """Of ten objections, four, three, two and one alike; of four signals, three and one."""
    await given.call(
        agency,
        objections=_objections(*"aaaabbbccd"),
        buying_signals=_signals(*"xxxy"),
    )
    answer = await gateway.rest("objections", owner, limit=2)
    assert [(each["objection"], each["percentage"]) for each in answer["objections"]] == [("a", 40.0), ("b", 30.0)]
    assert [(each["signal"], each["percentage"]) for each in answer["buying_signals"]] == [("x", 75.0), ("y", 25.0)]
    assert answer["summary"]["total_objections"] == 10
    (first,) = (await gateway.graphql(EVERYTHING, owner, limit=1))["objections"]["buyingSignals"]
    assert first == {"signal": "x", "count": 3, "percentage": 75.0}


async def test_ten_of_each_are_shown_unless_told_otherwise_and_never_more_than_a_hundred(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    texts = [f"Objection {number:03}" for number in range(120)]
    await given.call(agency, objections=_objections(*texts), buying_signals=_signals(*texts))
    for params, shown in (({}, 10), ({"limit": 100}, 100), ({"limit": 1_000}, 100)):
        answer = await gateway.rest("objections", owner, **params)
        assert [each["objection"] for each in answer["objections"]] == texts[:shown]
        assert [each["signal"] for each in answer["buying_signals"]] == texts[:shown]


async def test_a_blank_text_is_counted_and_not_listed(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.call(agency, objections=[*_objections("", "  \t", None, "No time"), {"handled": True}])
    answer = await gateway.rest("objections", owner)
    assert (answer["summary"]["total_objections"], answer["summary"]["total_objections_handled"]) == (5, 1)
    assert [(each["objection"], each["percentage"]) for each in answer["objections"]] == [("No time", 20.0)]


@pytest.mark.parametrize(("handled", "counted"), [(True, 1), (False, 0), (None, 0), ("true", 0), (1, 0)])
async def test_only_true_is_handled_in_the_list_as_in_the_summary(
    gateway: Running, given: Given, agency: UUID, owner: UUID, handled: object, counted: int
) -> None:
    await given.call(agency, objections=[{"text": "No time", "handled": handled}])
    answer = await gateway.rest("objections", owner)
    assert answer["summary"]["total_objections_handled"] == counted
    assert answer["objections"][0]["handled"] == counted


async def test_calls_analysed_are_those_whose_analysis_is_complete_with_findings_or_without(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.call(agency)
    await given.call(agency, objections=_objections("No time"))
    for status in ("pending", "processing", "failed", "skipped"):
        await given.call(agency, analysis_status=status, objections=_objections("No time"))
    summary = (await gateway.rest("objections", owner))["summary"]
    assert (summary["calls_analyzed"], summary["total_objections"]) == (2, 5)


async def test_without_calls_counts_are_zero_and_rates_null_in_graphql_and_zero_in_rest(
    gateway: Running, owner: UUID
) -> None:
    graphql = (await gateway.graphql(EVERYTHING, owner))["objections"]
    assert list(graphql["summary"].values()) == [0, 0, 0, None, 0]
    assert (graphql["objections"], graphql["buyingSignals"]) == ([], [])
    rest = await gateway.rest("objections", owner)
    assert set(rest["summary"].values()) == {0}
    assert (rest["objections"], rest["buying_signals"]) == ([], [])


async def test_signals_without_objections_and_objections_without_signals(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.call(agency, buying_signals=_signals("Asks for a date"))
    answer = await gateway.rest("objections", owner)
    assert answer["objections"] == []
    assert answer["buying_signals"] == [{"signal": "Asks for a date", "count": 1, "percentage": 100.0}]
    assert answer["summary"]["objection_handling_rate"] == 0


async def test_days_campaign_and_client_narrow_the_texts_and_the_summary_alike(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    client, other = await given.client(agency), await given.client(agency)
    campaign = await given.campaign(agency, client)
    texts = {"objections": _objections("No time"), "buying_signals": _signals("Asks for a date")}
    await given.call(agency, campaign_id=campaign, client_id=client, **texts)
    await given.calls(agency, 2, campaign_id=campaign, client_id=other, **texts)
    await given.calls(agency, 4, client_id=client, **texts)
    await given.calls(agency, 8, started_at=NOW - timedelta(days=7), **texts)

    async def counts(**params: Any) -> tuple[int, ...]:
        answer = await gateway.rest("objections", owner, **params)
        summary = answer["summary"]
        assert summary["total_objections"] == summary["total_buying_signals"] == summary["calls_analyzed"]
        return tuple(each["count"] for each in (*answer["objections"], *answer["buying_signals"]))

    assert await counts() == (7, 7)
    assert await counts(period="30d") == (15, 15)
    assert await counts(campaign_id=campaign) == (3, 3)
    assert await counts(client_id=client) == (5, 5)
    assert await counts(campaign_id=campaign, client_id=client) == (1, 1)
    assert await counts(campaign_id=uuid4()) == ()
