"""The old query strings: every parameter's default, what it accepts, what it refuses and what it leaves unread."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest

from resolvers.metrics import TIMESERIES_METRICS
from tests.conftest import Postgres
from tests.doors import REPORTS, House, check_error, check_manners, furnished
from tests.given import NOW, token
from tests.running import running

TODAY = NOW.date()
DOCUMENTED_METRICS = [
    "total_calls", "completed_calls", "failed_calls", "connected_calls", "conversations_had", "meetings_booked",
    "qualified_leads", "total_duration_seconds", "avg_duration_seconds", "inbound_calls", "outbound_calls",
    "positive_sentiment_calls", "neutral_sentiment_calls", "negative_sentiment_calls", "objections_encountered",
    "issues_resolved", "escalations", "voicemail_calls", "callback_requested_calls", "not_interested_calls",
    "wrong_number_calls", "dnc_requested_calls", "gatekeeper_blocked_calls", "no_answer_calls", "conversation_calls",
    "avg_talk_ratio", "avg_listen_ratio", "total_interruptions", "avg_script_adherence", "total_objections_handled",
    "total_buying_signals", "emails_sent", "sms_sent",
]  # fmt: skip

COUNTED: Mapping[str, Callable[[Any], int]] = {
    "overview": lambda answer: answer["summary"]["total_calls"],
    "timeseries": lambda answer: sum(day["total_calls"] for day in answer["data"]),
    "funnel": lambda answer: answer["funnel"]["total_calls"],
    "campaigns": lambda answer: sum(campaign["total_calls"] for campaign in answer["campaign_stats"]),
    "quality": lambda answer: sum(day["completed_calls"] for day in answer["trend"]),
    "heatmap": lambda answer: sum(slot["total_calls"] for slot in answer["heatmap"]),
    "objections": lambda answer: answer["summary"]["calls_analyzed"],
}
"""How many calls an answer is about."""

OWN: Mapping[str, set[str]] = {
    "timeseries": {"metrics"},
    "campaigns": {"status", "limit", "offset"},
    "heatmap": {"metric"},
    "objections": {"limit"},
}
"""What an endpoint takes beside the shared parameters."""

TEXTS = [f"Objection {number:02}" for number in range(12)]


@pytest.fixture(scope="module")
async def house(server: Postgres) -> AsyncIterator[House]:
    """Two calls on each day at an end of a period and on the day before it: the first and the last of that day.

    The newest call has twelve objections and signals; there are 30 batches.
    """
    async with furnished(server) as house:
        given = house.given
        campaign = await given.campaign(house.agency)
        for days in (-90, -89, -30, -29, -7, -6, 0, 1):
            for moment in (time.min, time.max):
                started = datetime.combine(TODAY + timedelta(days=days), moment, UTC)
                await given.call(house.agency, campaign_id=campaign, started_at=started)
        said = [{"text": text, "handled": False, "quote": "…"} for text in TEXTS]
        signals = [{"text": text, "quote": "…"} for text in TEXTS]
        await given.call(house.agency, objections=said, buying_signals=signals, started_at=NOW - timedelta(days=100))
        for number in range(30):
            await given.batch(house.agency, campaign, created_at=NOW - timedelta(minutes=number))
        yield house


async def counted(house: House, **params: Any) -> dict[str, int]:
    """How many calls each of the seven answers is about."""
    answers = await asyncio.gather(*(house.rest(report, **params) for report in REPORTS if _takes(report, params)))
    return {
        report: COUNTED[report](answer)
        for report, answer in zip((r for r in REPORTS if _takes(r, params)), answers, strict=True)
    }


def _takes(report: str, params: Mapping[str, Any]) -> bool:
    return report != "heatmap" or params.get("period") not in ("today", "custom")


async def refused(house: House, report: str, **params: Any) -> str:
    """The words of a 400."""
    return check_error(await house.get(report, **params), 400)


@pytest.mark.parametrize(
    ("period", "first_day", "calls"), [("today", 0, 2), ("7d", -6, 4), ("30d", -29, 8), ("90d", -89, 12)]
)
async def test_a_period_is_that_many_utc_days_counting_today(
    house: House, period: str, first_day: int, calls: int
) -> None:
    found = await counted(house, period=period)
    assert found == dict.fromkeys(found, calls)
    assert len(found) == (6 if period == "today" else 7)
    answer = await house.rest("funnel", period=period)
    assert answer["period"] == {"start_date": str(TODAY + timedelta(days=first_day)), "end_date": "2026-02-16"}


async def test_the_documented_examples_begin_on_their_documented_days(house: House) -> None:
    for period, start in (("7d", "2026-02-10"), ("30d", "2026-01-18")):
        answer = await house.rest("quality", period=period)
        assert answer["period"] == {"start_date": start, "end_date": "2026-02-16"}


async def test_the_default_is_seven_days_and_thirty_for_heatmap_and_campaigns(house: House) -> None:
    thirty = {"heatmap": 8, "campaigns": 8}
    assert await counted(house) == dict.fromkeys(REPORTS, 4) | thirty
    for report in REPORTS:
        asked = await house.rest(report, period="30d" if report in thirty else "7d")
        assert await house.rest(report) == asked


async def test_a_custom_period_includes_both_its_days(house: House) -> None:
    one_day = await counted(house, period="custom", start_date="2026-02-10", end_date="2026-02-10")
    assert one_day == dict.fromkeys(one_day, 2)
    both_ends = await counted(house, period="custom", start_date="2026-01-18", end_date="2026-02-10")
    assert both_ends == dict.fromkeys(both_ends, 6)
    future = await counted(house, period="custom", start_date="2026-02-17", end_date="2026-02-28")
    assert future == dict.fromkeys(future, 2)
    answer = await house.rest("timeseries", period="custom", start_date="2026-01-18", end_date="2026-02-10")
    assert answer["period"] == {"start_date": "2026-01-18", "end_date": "2026-02-10"}
    assert [day["date"] for day in answer["data"]] == ["2026-01-18", "2026-02-09", "2026-02-10"]


async def test_today_ends_at_midnight_utc(house: House) -> None:
    midnight = datetime(2026, 2, 17, tzinfo=UTC)
    for now, day in ((midnight - timedelta(microseconds=1), "2026-02-16"), (midnight, "2026-02-17")):
        async with running(house.gateway.settings, lambda now=now: now) as gateway:
            answer = await gateway.rest("overview", house.owner, period="today")
        assert answer["period"] == {"start_date": day, "end_date": day, "label": "today"}
        assert answer["summary"]["total_calls"] == 2


async def test_only_the_overview_is_labelled_with_the_period_asked_for(house: House) -> None:
    for period in ("today", "7d", "30d", "90d"):
        assert (await house.rest("overview", period=period))["period"]["label"] == period
    custom = {"period": "custom", "start_date": "2026-02-01", "end_date": "2026-02-02"}
    assert (await house.rest("overview", **custom))["period"]["label"] == "custom"
    for report in ("timeseries", "funnel", "quality", "heatmap", "objections"):
        assert list((await house.rest(report))["period"]) == ["start_date", "end_date"]
    assert "period" not in await house.rest("campaigns")


@pytest.mark.parametrize(
    "period", ["TODAY", "7D", " 7d", "7d ", "7", "14d", "LAST_7_DAYS", "\N{FULLWIDTH DIGIT SEVEN}d"]
)
async def test_an_unknown_period_is_refused_and_the_known_ones_are_named(house: House, period: str) -> None:
    for report in REPORTS:
        words = await refused(house, report, period=period)
        assert words.startswith("Period")
        assert "7d, 30d, 90d" in words
        assert ("custom" in words) == (report != "heatmap")


async def test_the_heatmap_takes_neither_today_nor_custom(house: House) -> None:
    await refused(house, "heatmap", period="today")
    await refused(house, "heatmap", period="custom", start_date="2026-02-01", end_date="2026-02-02")


@pytest.mark.parametrize(
    "dates",
    [{}, {"start_date": "2026-02-01"}, {"end_date": "2026-02-01"}, {"start_date": "", "end_date": "2026-02-01"}],
)
async def test_a_custom_period_needs_both_dates(house: House, dates: dict[str, str]) -> None:
    for report in REPORTS:
        if report != "heatmap":
            await refused(house, report, period="custom", **dates)


@pytest.mark.parametrize(
    "day",
    [
        "2026-02-30", "2026-02-29", "2026-13-01", "2026-00-10", "2026-02-00", "0000-01-01", "10000-01-01", "20260201",
        "2026-2-1", "26-02-01", "2026/02/01", "01-02-2026", "2026-02-01T00:00:00Z", "2026-02-01 ", " 2026-02-01",
        "2026-02-01\n", "2026-W06-1", "2026-032", "today", "now", "infinity", "-infinity", "1770000000", "+2026-02-01",
        "\N{FULLWIDTH DIGIT TWO}026-02-01", "2026-02-\N{ARABIC-INDIC DIGIT ZERO}\N{ARABIC-INDIC DIGIT ONE}",
        "2026\N{EN DASH}02\N{EN DASH}01", "2026-02-01\x00",
    ],
)  # fmt: skip
async def test_what_is_no_real_day_is_refused_at_either_end(house: House, day: str) -> None:
    first, last = await asyncio.gather(
        refused(house, "overview", period="custom", start_date=day, end_date="2026-02-01"),
        refused(house, "objections", period="custom", start_date="2026-02-01", end_date=day),
    )
    assert first.startswith("start_date ")
    assert last.startswith("end_date ")
    assert "YYYY-MM-DD" in first
    assert "YYYY-MM-DD" in last


async def test_the_29th_of_february_is_a_day_of_leap_years(house: House) -> None:
    answer = await house.rest("overview", period="custom", start_date="2024-02-29", end_date="2024-02-29")
    assert answer["period"]["start_date"] == "2024-02-29"


async def test_a_start_after_the_end_is_refused(house: House) -> None:
    words = await refused(house, "funnel", period="custom", start_date="2026-02-02", end_date="2026-02-01")
    assert "2026-02-02" in words
    assert "2026-02-01" in words


async def test_a_range_has_1096_days_at_most(house: House) -> None:
    last = date(2026, 2, 16)
    good = {"start_date": str(last - timedelta(days=1095)), "end_date": str(last)}
    bad = {"start_date": str(last - timedelta(days=1096)), "end_date": str(last)}
    for report in REPORTS:
        if report != "heatmap":
            await house.rest(report, period="custom", **good)
            assert "1,096 days" in await refused(house, report, period="custom", **bad)
    await refused(house, "overview", period="custom", start_date="0001-01-01", end_date="9999-12-31")


async def test_the_ends_of_the_calendar_are_days_like_others(house: House) -> None:
    for first, last in (
        ("0001-01-01", "0001-01-01"),
        ("0001-01-01", "0003-12-31"),
        ("9999-12-31", "9999-12-31"),
        ("9997-01-01", "9999-12-31"),
    ):
        found = await counted(house, period="custom", start_date=first, end_date=last)
        assert found == dict.fromkeys(found, 0)
        answer = await house.rest("timeseries", period="custom", start_date=first, end_date=last)
        assert answer == {"period": {"start_date": first, "end_date": last}, "data": []}


async def test_dates_are_not_read_without_period_custom(house: House) -> None:
    for dates in (
        {"start_date": "2026-02-01", "end_date": "2026-02-02"},
        {"start_date": "2026-02-30", "end_date": "yesterday"},
        {"start_date": "2026-02-02", "end_date": "2026-02-01"},
        {"start_date": ["2026-02-01", "2026-02-01"], "end_date": ""},
    ):
        assert await counted(house, period="7d", **dates) == dict.fromkeys(REPORTS, 4)
        assert await house.rest("overview", **dates) == await house.rest("overview")


@pytest.mark.parametrize("name", ["campaign_id", "client_id"])
@pytest.mark.parametrize(
    "text",
    [
        "1", "null", "123e4567e89b12d3a456426614174000", "{123e4567-e89b-12d3-a456-426614174000}",
        "urn:uuid:123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-42661417400",
        "123e4567-e89b-12d3-a456-4266141740000", "g23e4567-e89b-12d3-a456-426614174000",
        " 123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000\n",
        "\N{FULLWIDTH DIGIT ONE}23e4567-e89b-12d3-a456-426614174000", "' or 1=1 --",
    ],
)  # fmt: skip
async def test_what_is_no_uuid_is_refused_by_all_seven(house: House, name: str, text: str) -> None:
    for words in await asyncio.gather(*(refused(house, report, **{name: text}) for report in REPORTS)):
        assert words.startswith(f"{name} ")
        assert "UUID" in words


async def test_an_id_counts_in_capitals_too(house: House) -> None:
    client = await house.given.client(house.agency)
    await house.given.call(house.agency, client_id=client, started_at=datetime(2025, 1, 1, tzinfo=UTC))
    custom = {"period": "custom", "start_date": "2025-01-01", "end_date": "2025-01-01"}
    for spelled in (str(client), str(client).upper()):
        assert COUNTED["overview"](await house.rest("overview", client_id=spelled, **custom)) == 1


async def test_an_unknown_id_and_another_agencys_give_the_same_empty_answer(house: House) -> None:
    other = await house.given.agency()
    client = await house.given.client(other)
    campaign = await house.given.campaign(other, client)
    await house.given.call(other, campaign_id=campaign, client_id=client)
    await house.given.batch(other, campaign)
    for report in REPORTS:
        for name, foreign in (("campaign_id", campaign), ("client_id", client)):
            answer = await house.rest(report, **{name: foreign})
            assert answer == await house.rest(report, **{name: uuid4()})
            assert COUNTED[report](answer) == 0


@pytest.mark.parametrize("name", ["period", "campaign_id", "client_id"])
async def test_a_shared_parameter_given_twice_is_refused_by_all_seven(house: House, name: str) -> None:
    value = "30d" if name == "period" else str(uuid4())
    for words in await asyncio.gather(*(refused(house, report, **{name: [value, value]}) for report in REPORTS)):
        assert words == f"{name if '_' in name else name.capitalize()} is given 2 times; give it once"


async def test_a_date_that_is_read_may_not_be_given_twice(house: House) -> None:
    dates = {"start_date": "2026-02-01", "end_date": "2026-02-02"}
    for name, value in dates.items():
        assert "given 3 times" in await refused(
            house, "overview", period="custom", **{**dates, name: [value, value, value]}
        )


@pytest.mark.parametrize(
    ("report", "name", "value"),
    [
        ("campaigns", "status", "pending"),
        ("campaigns", "limit", "5"),
        ("campaigns", "offset", "5"),
        ("heatmap", "metric", "calls"),
        ("objections", "limit", "5"),
    ],
)
async def test_an_endpoints_own_parameter_given_twice_is_refused(
    house: House, report: str, name: str, value: str
) -> None:
    await house.rest(report, **{name: value})
    assert "given 2 times" in await refused(house, report, **{name: [value, value]})
    assert "given 2 times" in await refused(house, report, **{name: [value, "nonsense"]})


@pytest.mark.parametrize("report", REPORTS)
async def test_parameters_of_other_endpoints_are_not_read(house: House, report: str) -> None:
    plain = await house.rest(report)
    foreign = {"metrics", "metric", "status", "limit", "offset"} - OWN.get(report, set())
    if report == "heatmap":
        foreign |= {"start_date", "end_date"}
    assert len(foreign) >= 2
    for value in ("nonsense", "", "-1", ["5", "5"]):
        assert await house.rest(report, **dict.fromkeys(foreign, value)) == plain


@pytest.mark.parametrize("report", REPORTS)
async def test_unknown_parameters_are_ignored(house: House, report: str) -> None:
    unknown = {
        "agency_id": str(uuid4()), "Period": "90d", "PERIOD": "today", "period[]": "today", "periods": "x",
        "campaignId": "x", "client-id": "x", "_": "1771243200", "": "", "user_id": ["a", "b"],
    }  # fmt: skip
    assert await house.rest(report, **unknown) == await house.rest(report)


def test_the_metrics_are_the_33_documented_ones() -> None:
    assert list(TIMESERIES_METRICS) == DOCUMENTED_METRICS
    assert len(DOCUMENTED_METRICS) == 33


async def test_timeseries_shows_all_metrics_or_those_asked_for_in_the_documented_order(house: House) -> None:
    for metrics, shown in (
        (None, DOCUMENTED_METRICS),
        (",".join(DOCUMENTED_METRICS), DOCUMENTED_METRICS),
        ("sms_sent,total_calls", ["total_calls", "sms_sent"]),
        ("total_calls, avg_talk_ratio ,total_calls", ["total_calls", "avg_talk_ratio"]),
        ("avg_duration_seconds", ["avg_duration_seconds"]),
        (["sms_sent", "total_calls"], ["total_calls", "sms_sent"]),
        (["sms_sent,total_calls", "", "sms_sent", "escalations ,"], ["total_calls", "escalations", "sms_sent"]),
        (DOCUMENTED_METRICS, DOCUMENTED_METRICS),
        ("total_calls,,sms_sent,", ["total_calls", "sms_sent"]),
        (["", ",", " "], DOCUMENTED_METRICS),
    ):
        answer = await house.rest("timeseries", **({} if metrics is None else {"metrics": metrics}))
        assert [day["date"] for day in answer["data"]] == ["2026-02-10", "2026-02-16"]
        assert all(list(day) == ["date", *shown] for day in answer["data"])


@pytest.mark.parametrize(
    "metrics",
    ["calls", "TOTAL_CALLS", "totalCalls", ["total_calls", "calls"], "total_calls\x00", "total_calls;sms_sent",
     "total_calls,date", "*", "contact_rate", "talk_ratio_sum"],
)  # fmt: skip
async def test_an_unknown_metric_is_refused_and_the_known_ones_are_named(
    house: House, metrics: str | list[str]
) -> None:
    words = await refused(house, "timeseries", metrics=metrics)
    assert all(name in words for name in DOCUMENTED_METRICS)


async def test_the_heatmap_takes_three_metrics_and_calls_is_the_default(house: House) -> None:
    for metric in ("calls", "connected", "meetings_booked"):
        assert (await house.rest("heatmap", metric=metric))["metric"] == metric
    assert await house.rest("heatmap") == await house.rest("heatmap", metric="calls")
    for metric in ("Calls", "total_calls", "connected_calls", "calls,connected", "MEETINGS_BOOKED"):
        words = await refused(house, "heatmap", metric=metric)
        assert words.endswith("accepted: calls, connected, meetings_booked")


async def test_campaigns_takes_the_documented_statuses_and_two_more(house: House) -> None:
    agency = await house.given.agency()
    user = await house.given.user(agency)
    statuses = ("pending", "processing", "completed", "failed", "scheduled", "paused", "cancelled")
    batches = {status: str(await house.given.batch(agency, status=status)) for status in statuses}
    for status in statuses[:-1]:
        answer = await house.gateway.rest("campaigns", user, status=status)
        assert [(batch["id"], batch["status"]) for batch in answer["active_batches"]] == [(batches[status], status)]
        assert answer["pagination"]["total"] == 1
    everything = await house.gateway.rest("campaigns", user)
    assert {batch["id"] for batch in everything["active_batches"]} == set(batches.values())
    for status in ("cancelled", "Pending", "active", "pending,failed"):
        words = await refused(house, "campaigns", status=status)
        assert all(known in words for known in statuses[:-1])
        assert "cancelled" not in words.partition("accepted")[2]


async def test_campaigns_shows_25_batches_and_a_page_of_100_at_most(house: House) -> None:
    for params, shown, limit in (
        ({}, 25, 25), ({"limit": 1}, 1, 1), ({"limit": 30}, 30, 30), ({"limit": 100}, 30, 100),
    ):  # fmt: skip
        answer = await house.rest("campaigns", **params)
        assert len(answer["active_batches"]) == shown
        assert answer["pagination"] == {"total": 30, "limit": limit, "offset": 0, "has_more": shown < 30}


async def test_objections_shows_10_of_each_list_and_100_at_most(house: House) -> None:
    custom = {"period": "custom", "start_date": "2025-11-08", "end_date": "2025-11-08"}
    for params, shown in (({}, 10), ({"limit": 1}, 1), ({"limit": 12}, 12), ({"limit": 100}, 12), ({"limit": 999}, 12)):
        answer = await house.rest("objections", **custom, **params)
        assert [entry["objection"] for entry in answer["objections"]] == TEXTS[:shown]
        assert [entry["signal"] for entry in answer["buying_signals"]] == TEXTS[:shown]
        assert answer["summary"]["total_objections"] == 12


@pytest.mark.parametrize("limit", ["101", "99999", str(10**18), str(2**63), str(10**19), "9" * 400, "0" * 400 + "101"])
async def test_a_limit_above_the_maximum_is_lowered_and_the_one_used_is_shown(house: House, limit: str) -> None:
    answer = await house.rest("campaigns", limit=limit)
    assert answer["pagination"] == {"total": 30, "limit": 100, "offset": 0, "has_more": False}
    assert len(answer["active_batches"]) == 30
    await house.rest("objections", limit=limit)


@pytest.mark.parametrize(
    "text",
    [" ", "-1", "1.0", "1.5", "1e2", "0x10", "1_0", "ten", "null", "NaN", "Infinity", " 5", "5 ", "5\n", "--5",
     "5,", "\N{ARABIC-INDIC DIGIT FIVE}", "\N{FULLWIDTH DIGIT ONE}\N{FULLWIDTH DIGIT ZERO}", "\N{SUPERSCRIPT TWO}",
     "5;drop", "-" + "9" * 400, "9" * 9_000],
)  # fmt: skip
async def test_what_is_no_whole_number_or_too_small_is_refused(house: House, text: str) -> None:
    for report, name in (("campaigns", "limit"), ("campaigns", "offset"), ("objections", "limit")):
        words = await refused(house, report, **{name: text})
        assert words.startswith(name.capitalize())
        assert ("1 or more" if name == "limit" else "0 to") in words


async def test_a_limit_of_zero_is_refused_and_an_offset_of_zero_is_the_first_page(house: House) -> None:
    await refused(house, "campaigns", limit="0")
    await refused(house, "objections", limit="0")
    for offset in ("0", "-0", "000"):
        assert await house.rest("campaigns", offset=offset) == await house.rest("campaigns")


async def test_whole_numbers_count_however_they_are_written(house: House) -> None:
    for limit in ("7", "007", "+7"):
        assert (await house.rest("campaigns", limit=limit))["pagination"]["limit"] == 7


async def test_the_offset_passes_over_batches_newest_first(house: House) -> None:
    everything = (await house.rest("campaigns", limit=100))["active_batches"]
    pages = [await house.rest("campaigns", limit=12, offset=offset) for offset in (0, 12, 24)]
    assert [batch for page in pages for batch in page["active_batches"]] == everything
    assert [page["pagination"]["has_more"] for page in pages] == [True, True, False]
    assert [batch["created_at"] for batch in everything] == sorted(
        (batch["created_at"] for batch in everything), reverse=True
    )


@pytest.mark.parametrize("offset", [30, 31, 10**6, 2**31, 2**53, 10**18 - 1])
async def test_an_offset_behind_the_last_batch_gives_an_empty_page(house: House, offset: int) -> None:
    answer = await house.rest("campaigns", offset=offset)
    assert answer["active_batches"] == []
    assert answer["pagination"] == {"total": 30, "limit": 25, "offset": offset, "has_more": False}


async def test_an_offset_that_no_json_reader_could_take_is_refused(house: House) -> None:
    for offset in (10**18, 2**63, 10**30):
        assert str(10**18 - 1) in await refused(house, "campaigns", offset=offset)


@pytest.mark.parametrize("report", REPORTS)
async def test_an_empty_parameter_is_none_as_old_clients_mean_it(house: House, report: str) -> None:
    plain = await house.rest(report)
    names = {"period", "start_date", "end_date", "campaign_id", "client_id"} | OWN.get(report, set())
    for name in names:
        assert await house.rest(report, **{name: ""}) == plain
        assert await house.rest(report, **{name: ["", ""]}) == plain
    assert await house.rest(report, **dict.fromkeys(names, "")) == plain
    # A name alone, and what is left of a query string that was put together.
    for query in ("campaign_id", "&&period=&", "campaign_id&client_id=&period"):
        response = await house.gateway.http.get(
            f"/functions/v1/dashboard-{report}?{query}", headers={"Authorization": f"Bearer {token(house.owner)}"}
        )
        assert (response.status_code, response.json()) == (200, plain)


async def test_beside_an_empty_parameter_the_other_of_its_name_counts(house: House) -> None:
    nobody = str(uuid4())
    for given in (["", nobody], [nobody, ""]):
        assert COUNTED["overview"](await house.rest("overview", campaign_id=given)) == 0
    assert "given 2 times" in await refused(house, "overview", campaign_id=[nobody, "", nobody])


async def test_an_empty_date_is_a_missing_one(house: House) -> None:
    for dates in ({"start_date": "", "end_date": "2026-02-01"}, {"start_date": "2026-02-01", "end_date": ""}):
        assert "both" in await refused(house, "overview", period="custom", **dates)


async def test_a_refusal_repeats_no_more_than_one_needs_to_see(house: House) -> None:
    long = "a" * 15_000
    for report, name in (
        ("overview", "period"), ("overview", "campaign_id"), ("campaigns", "status"), ("campaigns", "limit"),
        ("heatmap", "metric"), ("timeseries", "metrics"),
    ):  # fmt: skip
        words = await refused(house, report, **{name: long})
        assert "aaaa…" in words
        assert len(words) < 1_200
    words = await refused(house, "overview", period="custom", start_date=long, end_date=long)
    assert len(words) < 1_200
    words = await refused(house, "timeseries", metrics=[f"m{number}" for number in range(2_000)])
    assert "and 1995 more" in words
    assert len(words) < 1_200


async def test_a_refusal_repeats_what_was_asked_as_plain_json(house: House) -> None:
    for nasty in ('"}<script>', "\x00\x1f\u2028", "\U0001f600", "a" * 5_000):
        response = await house.get("overview", period=nasty)
        check_error(response, 400)
        check_manners(response)
