"""Whatever the tables accept, every report answers at both doors: with the same numbers, by plan as without one."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from graphql import GraphQLObjectType, get_named_type, is_object_type
from strawberry.schema.config import StrawberryConfig

from gateway.context import Context
from gateway.replicas import Nodes
from gateway.schema import Query, Schema
from resolvers.scalars import SCALARS
from resolvers.viewer import Role, Viewer
from tests.agreement.recount import REPORTS, Question, Recount, days_of, in_order, new, old, snaked
from tests.conftest import Postgres
from tests.doors import House, furnished
from tests.given import NOW, fold

MOST = 2**31 - 1
TODAY = NOW.date()
NIL = UUID(int=0)
# By graphql-core and Strawberry as they come: without a plan.
STANDARD = Schema(query=Query, config=StrawberryConfig(scalar_map=dict(SCALARS)))
LONG = 100_000
CONTROLS = "".join(map(chr, [*range(1, 32), *range(127, 160)]))
TEXTS = {
    "empty": "",
    "blank": " \t\n ",
    "control characters": f"a{CONTROLS}b",
    "emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 \U0010ffff",
    "right to left": "\u202e\u05e9\u05dc\u05d5\u05dd \u2066\u0645\u0631\u062d\u0628\u0627\u2069\u200f",
    "no character": "\uffff\ufffe\ufdd0",
    "beginning with a mark": "\ufeff\u0301e\u0301",
    "a line's end": "\u2028\u2029\u0085",
    "markup": "</script><!--\\\"'${{}}%s\\u0000",
    "long": "word " * (LONG // 5),
    "long, without a space": "ß" * LONG,
    "spaces": " " * LONG + "x",
}
RATIOS = {
    "nothing": [Decimal(0)] * 3,
    "all": [Decimal(1), Decimal("1.000"), Decimal("1e0")],
    "a hundred digits": [Decimal("0." + "37" * 50), Decimal("0." + "0" * 99 + "1"), Decimal("0." + "9" * 100)],
    "a hair below a tie": [Decimal("0.00004" + "9" * 95)],
    "a hair below a tie together": [Decimal("0.12344" + "9" * 35)] * 2 + [Decimal("0.12345"), Decimal("0.12345")],
    "a tie": [Decimal("0.00005"), Decimal("0.00005"), Decimal("0.00005")],
}
FOUND: Mapping[str, list[Any]] = {
    "no objects": [1, -1.5, 1e300, 10**30, None, True, "text", [], ["text"], [{"text": "inside"}]],
    "texts that are none": [{}, {"text": None}, {"text": ""}, {"text": "  "}, {"Text": "no"}, {"text": {}}],
    "texts of other types": [{"text": 5}, {"text": True}, {"text": ["a", None]}, {"text": {"text": "b"}}],
    "handled otherwise": [
        {"text": "a", "handled": handled} for handled in ("true", "yes", 1, 0, None, [], {}, [True], {"true": True})
    ],
    "handled indeed": [{"text": "a", "handled": True}, {"text": "A", "handled": False}, {"text": "a"}],
    "very many": [{"text": f"text {number % 300}", "handled": number % 2 == 0} for number in range(1_000)],
    "deep": [{"text": "deep", "handled": True, "quote": json.loads("[" * 200 + "]" * 200)}],
    "long": [{"text": "x" * 5_000, "handled": True, "\uffff": "\U0001f600"}],
}


@pytest.fixture(scope="module")
async def house(server: Postgres) -> AsyncIterator[House]:
    """Nothing is given again: each answer is worked out, the second time by the operation's plan."""
    async with furnished(server, reuse=False, request_timeout_seconds=60) as house:
        yield house


@pytest.fixture(scope="module")
async def nodes(house: House) -> AsyncIterator[Nodes]:
    """For answers without a gateway."""
    nodes = Nodes(house.gateway.settings)
    await nodes.open()
    yield nodes
    await nodes.close()


def everything() -> str:
    """Every field of every report, of the last 90 days."""

    def fields(on: GraphQLObjectType) -> str:
        inner = {name: get_named_type(field.type) for name, field in on.fields.items()}
        return " ".join(
            f"{name} {{ {fields(kind)} }}" if is_object_type(kind) else name for name, kind in inner.items()
        )

    query = STANDARD._schema.query_type
    assert query
    reports = []
    for name, field in query.fields.items():
        narrowed = "(filters: {period: LAST_90_DAYS})" if "filters" in field.args else ""
        reports.append(f"{name}{narrowed} {{ {fields(get_named_type(field.type))} }}")
    return f"{{ {' '.join(reports)} }}"


EVERYTHING = everything()


@dataclass(frozen=True)
class Asked:
    """What both doors answered."""

    graphql: dict[str, Any]
    rest: dict[str, Any]


async def ask(house: House, nodes: Nodes, agency: UUID, user: UUID | None = None, client: UUID | None = None) -> Asked:
    """Has every report answered, and holds that its answers are one: at both doors, by plan and without one."""
    role = Role.CLIENT_VIEWER if client else Role.AGENCY_OWNER
    user = user or await house.given.user(agency, role.value, client)
    first = await house.gateway.graphql(EVERYTHING, user)
    assert await house.gateway.graphql(EVERYTHING, user) == first, "by the plan of the operation"
    viewer = Viewer(user, agency, role, client)
    standard = await STANDARD.execute(EVERYTHING, context_value=Context(viewer, nodes, TODAY))
    assert standard.errors is None
    assert standard.data == first, "without a plan"
    columns = first["timeseries"].pop("columns")
    assert columns == {name: [day[name] for day in first["timeseries"]["data"]] for name in columns}
    rest = {report: await house.gateway.rest(report, user, period="90d") for report in REPORTS}
    for report in REPORTS:
        assert _without_nothing(snaked(first[report])) == _without_nothing(rest[report]), report
    return Asked(first, rest)


def _without_nothing(answer: Any) -> Any:
    """Where there is nothing to divide by one door says null and the other 0: here both are left out."""
    if isinstance(answer, dict):
        return {key: _without_nothing(value) for key, value in answer.items() if value not in (None, 0)}
    return [_without_nothing(value) for value in answer] if isinstance(answer, list) else answer


async def ask_and_recount(house: House, nodes: Nodes, agency: UUID, user: UUID | None = None) -> Asked:
    """As above, and both are what a recount in plain SQL finds: before a fold and after it."""
    question, counted = Question(agency, *days_of("90d", TODAY), "90d"), Recount(house.given.connection)
    expected = {
        "overview": await counted.overview(question),
        "timeseries": await counted.timeseries(question),
        "funnel": await counted.funnel(question),
        "campaigns": await counted.campaigns(question),
        "quality": await counted.quality(question),
        "heatmap": await counted.heatmap(question),
        "objections": await counted.objections(question),
    }
    asked = await ask(house, nodes, agency, user)
    await fold(house.given.connection)
    assert await ask(house, nodes, agency, user) == asked, "after a fold"
    for report in REPORTS:
        assert in_order(asked.rest[report]) == in_order(old(expected[report])), report
        assert in_order(snaked(asked.graphql[report])) == in_order(new(expected[report])), report
    return asked


@pytest.mark.parametrize("times", [1, 3, 1_000])
async def test_the_largest_numbers_add_up_beyond_32_bits(house: House, nodes: Nodes, times: int) -> None:
    given = house.given
    agency = await given.agency()
    campaign = await given.campaign(agency)
    await given.calls(
        agency, times, campaign_id=campaign, duration_seconds=MOST, interruptions=MOST, emails_sent=MOST, sms_sent=MOST
    )
    asked = await ask_and_recount(house, nodes, agency)
    overview = asked.graphql["overview"]
    assert overview["summary"]["avgDurationSeconds"] == MOST
    assert overview["summary"]["totalDurationSeconds"] == times * MOST
    assert overview["quality"]["totalInterruptions"] == times * MOST
    assert overview["quality"]["avgInterruptionsPerCall"] == MOST
    assert overview["toolUsage"] == {"emailsSent": times * MOST, "smsSent": times * MOST}


@pytest.mark.parametrize("ratios", RATIOS.values(), ids=RATIOS)
async def test_ratios_of_any_length_are_rounded_once(house: House, nodes: Nodes, ratios: list[Decimal]) -> None:
    agency = await house.given.agency()
    for number, ratio in enumerate(ratios):
        started = NOW - timedelta(hours=1, days=number % 2)
        await house.given.call(agency, started_at=started, talk_ratio=ratio, listen_ratio=ratio, script_adherence=ratio)
    await ask_and_recount(house, nodes, agency)


@pytest.mark.parametrize("found", FOUND.values(), ids=FOUND)
async def test_findings_of_any_json_are_counted_alike(house: House, nodes: Nodes, found: list[Any]) -> None:
    agency = await house.given.agency()
    await house.given.calls(agency, 2, objections=found, buying_signals=found)
    await ask_and_recount(house, nodes, agency)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_names_and_texts_of_any_characters_are_shown(house: House, nodes: Nodes, text: str) -> None:
    given = house.given
    agency = await given.agency(name=text)
    client = await given.client(agency, name=text)
    campaign = await given.campaign(agency, client, name=text)
    await given.batch(agency, campaign, {"completed": 1, "pending": 2})
    found = [{"text": text, "handled": True}, {"text": f"{text} "}, {"text": f"{text}!"}]
    await given.call(
        agency, campaign_id=campaign, client_id=client, objections=found, buying_signals=found, summary=text
    )
    asked = await ask(house, nodes, agency)
    await fold(given.connection)
    assert await ask(house, nodes, agency) == asked
    assert (await ask(house, nodes, agency, client=client)).rest == asked.rest, "of the one client's calls"
    (stats,) = asked.graphql["campaigns"]["campaignStats"]
    assert stats["campaignName"] == text
    assert [choice["name"] for choice in asked.graphql["choices"]["clients"]] == [text]
    assert asked.graphql["overview"]["quality"]["totalObjectionsEncountered"] == 3
    for listed in asked.graphql["objections"]["objections"], asked.graphql["objections"]["buyingSignals"]:
        assert 1 <= sum(entry["count"] for entry in listed) <= 3


async def test_the_nil_id_is_an_id_like_any_other(house: House, nodes: Nodes) -> None:
    """As an agency, a client, a campaign, a batch, a call and a user, beside calls that have none of them."""
    connection, given = house.given.connection, house.given
    await connection.execute("insert into agencies (id, name, slug) values ($1, 'Nil', 'nil')", NIL)
    await connection.execute("insert into clients (id, agency_id, name) values ($1, $1, 'Nil')", NIL)
    await connection.execute("insert into campaigns (id, agency_id, client_id, name) values ($1, $1, $1, 'Nil')", NIL)
    await given.user(NIL, user_id=NIL)
    await given.batch(NIL, NIL, {"completed": 2}, id=NIL)
    await given.call(NIL, id=NIL, campaign_id=NIL, client_id=NIL, batch_id=NIL, disposition="appointment_booked")
    await given.calls(NIL, 2, objections=[{"text": "none of them"}])
    await given.call(NIL, campaign_id=NIL)
    asked = await ask_and_recount(house, nodes, NIL, NIL)
    assert asked.graphql["overview"]["summary"]["totalCalls"] == 4
    (stats,) = asked.graphql["campaigns"]["campaignStats"]
    assert (stats["campaignId"], stats["totalCalls"]) == (str(NIL), 2)
    for narrowed, calls in ({"campaign_id": NIL}, 2), ({"client_id": NIL}, 1), ({"campaign_id": uuid4()}, 0):
        assert (await house.gateway.rest("overview", NIL, **narrowed))["summary"]["total_calls"] == calls
    other = await ask(house, nodes, await given.agency())
    assert other.graphql["overview"]["summary"]["totalCalls"] == 0


async def test_what_an_agency_without_anything_is_answered(house: House, nodes: Nodes) -> None:
    await ask_and_recount(house, nodes, await house.given.agency())


async def test_a_call_of_nothing_but_nulls_counts_as_a_call(house: House, nodes: Nodes) -> None:
    agency = await house.given.agency()
    nothing = ("joined_at", "disposition", "duration_seconds", "interruptions", "talk_ratio", "sentiment", "summary")
    await house.given.calls(agency, 2, **dict.fromkeys(nothing), analysis_status="pending")
    asked = await ask_and_recount(house, nodes, agency)
    assert asked.graphql["overview"]["summary"]["completedCalls"] == 2


REFUSED = {
    "talk_ratio": (Decimal("0." + "3" * 101), Decimal("NaN"), Decimal("1.0001"), Decimal("-0.1")),
    "interruptions": (-1,),
    "emails_sent": (-1,),
    "objections": ([{"text": "No time"}] * 1_001, [{"text": "x" * 1_100_000}]),
    "buying_signals": ([{}] * 1_001,),
}


@pytest.mark.parametrize("column", REFUSED)
async def test_what_would_hold_others_up_is_refused_with_the_name_of_its_column(house: House, column: str) -> None:
    agency = await house.given.agency()
    for value in REFUSED[column]:
        with pytest.raises(asyncpg.CheckViolationError, match=f"calls_{column}"):
            await house.given.call(agency, **{column: value})
    assert await house.given.connection.fetchval("select count(*) from calls where agency_id = $1", agency) == 0
