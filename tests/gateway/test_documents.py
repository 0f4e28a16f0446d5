"""Documents within limits: what counts, through how many fragments, and that checking costs little whatever is sent."""

from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from graphql import get_introspection_query, parse

from gateway import documents
from gateway.costs import COST_BELOW, COST_OF_REPORT, Extent, count_values, measure
from tests.attack.documents import whole
from tests.conftest import Postgres
from tests.doors import REPORTS, House, check_manners, furnished
from tests.given import token
from tests.running import Running, running, settings_for

SOON = 60.0
"""Seconds, many times what any of these takes, and nothing beside what they would take unchecked."""
RESPONSE_JSON = "application/graphql-response+json"
TOTAL = "{ overview { summary { totalCalls } } }"


@pytest.fixture(scope="module")
async def house(server: Postgres) -> AsyncIterator[House]:
    """With the limits as they are by default."""
    async with furnished(server, user_cache_seconds=30) as house:
        await house.given.calls(house.agency, 3)
        yield house


@pytest.fixture(scope="module")
async def strict(house: House) -> AsyncIterator[Running]:
    """With limits that can be counted by hand."""
    limits = {"graphql_max_tokens": 100, "graphql_max_depth": 4, "graphql_max_aliases": 3, "graphql_max_cost": 100}
    async with running(settings_for(house.database.dsn, **limits)) as gateway:
        yield gateway


def extent(text: str) -> Extent:
    return measure(parse(text))


async def refused(gateway: Running, house: House, query: str, code: str = "TOO_COSTLY") -> str:
    """A request error with this code, in both media types. Gives the words of all its errors."""
    for media_type, status in (("application/json", 200), (RESPONSE_JSON, 400)):
        answer = await gateway.post(query, house.owner, headers={"Accept": media_type})
        assert answer.status_code == status, answer.text
        check_manners(answer, media_type)
        assert set(answer.json()) == {"errors"}
        assert {error["extensions"]["code"] for error in answer.json()["errors"]} == {code}, answer.text
    return " ".join(error["message"] for error in answer.json()["errors"])


async def answered(gateway: Running, house: House, query: str, **variables: Any) -> Any:
    answer = await gateway.post(query, house.owner, variables=variables)
    assert set(answer.json()) == {"data"}, answer.text
    return answer.json()["data"]


def chain(length: int, ends: str, *, each: str = "...F{next}") -> str:
    """A document whose fragments spread one another in a row."""
    names = "".join(f" fragment F{i} on Query {{ {each.format(next=i + 1)} }}" for i in range(length))
    return f"{{ ...F0 }}{names} fragment F{length} on Query {{ {ends} }}"


def test_depth_is_the_longest_way_down_through_whatever_kind_of_fragment() -> None:
    assert extent("{ __typename }").depth == 0
    assert extent("{ a }").depth == 1
    assert extent("{ a { b { c } } d { e } }").depth == 3
    assert extent("{ ... { ... on Query { a { ... { b } } } } }").depth == 2
    assert extent("{ ...A } fragment A on Query { a { ...B } } fragment B on X { b { c } }").depth == 3
    assert extent(chain(50, "a { b }")).depth == 2
    assert extent(chain(10, "a", each="a {{ ...F{next} }}")).depth == 11
    assert extent("query A { a } query B { a { b } }").depth == 2
    # Introspection is deep by nature.
    assert extent("{ __schema { types { fields { type { ofType { ofType { name } } } } } } }").depth == 0


def test_aliases_count_as_often_as_they_are_asked_for() -> None:
    assert extent("{ a b }").aliases == 0
    assert extent("{ x: a y: b { z: c } }").aliases == 3
    assert extent("{ ...A ...A a { ...A } } fragment A on Query { x: a ... { y: b } }").aliases == 6
    assert extent("query A { x: a } query B { x: a y: b }").aliases == 2


def test_cost_is_a_point_a_field_and_more_for_a_report() -> None:
    assert extent("{ __typename }").cost == 1
    assert extent(TOTAL).cost == 10 + 2
    for report, points in COST_OF_REPORT.items():
        assert extent(f"{{ {report} {{ period {{ label }} }} }}").cost == points + 2
    assert extent("{ heatmap { metric } x: heatmap { metric } }").cost == 2 * 51
    assert extent("{ ...A ...A } fragment A on Query { heatmap { metric } }").cost == 2 * 51
    assert extent("{ ... on Query { ... { ... @include(if: true) { heatmap { metric } } } } }").cost == 51
    assert extent("query A { heatmap { metric } } query B { funnel { rates { contactRate } } }").cost == 51


def test_a_field_that_comes_back_with_every_row_costs_more() -> None:
    for part, points in COST_BELOW.items():
        assert extent(f"{{ x {{ {part} {{ a b }} }} }}").cost == 2 + 2 * points
        assert extent(f"{{ x {{ {part} {{ ...A }} }} }} fragment A on B {{ a c {{ b }} }}").cost == 2 + 3 * points
    assert extent("{ timeseries { columns { date totalCalls } period { startDate } } }").cost == 20 + 1 + 2 * 4 + 2


def test_the_documentation_says_what_everything_costs() -> None:
    reports = " ".join(f"{name} {{ {whole(name.title())} }}" for name in REPORTS)
    words = (Path(__file__).parents[2] / "docs" / "graphql.md").read_text("utf-8")
    assert f"costs {extent(f'{{ {reports} }}').cost} of the 1,000 points" in words


def test_a_part_that_bears_a_reports_name_is_a_field_like_others() -> None:
    assert extent("{ funnel { funnel { totalCalls } } }").cost == 12
    assert extent("{ heatmap { heatmap { day } } }").cost == 52
    assert extent("{ objections { ...A } } fragment A on Objections { objections { count } }").cost == 52
    assert extent("{ overview { quality { totalInterruptions } } }").cost == 12
    assert extent("{ quality { ... on Quality { quality { totalInterruptions } } } }").cost == 17


def test_what_is_skipped_counts_like_the_rest() -> None:
    assert extent("{ heatmap @skip(if: true) { metric } }").cost == 51


def test_a_fragment_that_nobody_spreads_counts_by_itself() -> None:
    text = "{ __typename } fragment A on Query { x: heatmap { heatmap { day } } }"
    assert extent(text) == Extent(depth=3, aliases=1, cost=52)


def test_fragments_of_fragments_are_measured_in_linear_time() -> None:
    """Each of so many fragments spreads the next one twice: measured one by one, they would outlast the sun."""

    def laughs(length: int) -> str:
        return chain(length, "x: heatmap { metric }", each="...F{next} ...F{next}")

    assert extent(laughs(10)).cost == 51 * 2**10
    for length in (100, 400):
        document = parse(laughs(length))
        started = perf_counter()
        found = measure(document)
        assert perf_counter() - started < SOON
        assert (found.depth, found.aliases, found.cost) == (2, 2**length, 51 * 2**length)


def test_measuring_a_document_that_is_not_valid_ends_too() -> None:
    for text in (
        "{ ...A }",
        "{ ...A } fragment A on Query { ...A }",
        "{ ...A } fragment A on Query { a { ...A } }",
        "{ ...A ...B } fragment A on Query { a { ...B } } fragment B on Query { b { ...A } }",
        "fragment A on Query { ...B } fragment B on Query { ...C } fragment C on Query { ...A }",
        "type A { a: Int }",
        "{ a } fragment A on Query { a } fragment A on Query { b }",
    ):
        assert extent(text).depth <= 4


async def test_each_limit_is_reached_but_not_passed(strict: Running, house: House) -> None:
    for good, bad, words in (
        (
            "{ quality { quality { sentimentDistribution { positive } } } }",
            "{ quality { quality { sentimentDistribution { positive { x } } } } }",
            "5 levels deep; at most 4",
        ),
        (
            "{ a: __typename b: __typename c: __typename }",
            "{ a: __typename b: __typename c: __typename d: __typename }",
            "4 aliases; at most 3",
        ),
        (
            "{ heatmap { metric } quality { period { startDate endDate } } timeseries { data { date } }"
            + " __typename" * 6 + "}",
            "{ heatmap { metric } objections { summary { totalObjections } } }",
            "103 points of cost; at most 100",
        ),
        (
            "{" + " __typename @skip(if: false)" * 12 + " __typename __typename}",
            "{" + " __typename @skip(if: false)" * 12 + " __typename __typename __typename}",
            "more than 100 tokens",
        ),
    ):  # fmt: skip
        await answered(strict, house, good)
        assert words in await refused(strict, house, bad)


async def test_limits_count_through_fragments(strict: Running, house: House) -> None:
    for bad, words in (
        ("{ ...A } fragment A on Query { quality { ...B } } fragment B on Quality { quality { sentimentDistribution"
         " { ...C } } } fragment C on SentimentDistribution { positive { x } }", "5 levels"),
        ("{ ...A ...A } fragment A on Query { a: __typename ...B } fragment B on Query { b: __typename }", "4 aliases"),
        ("{ ...A ...A } fragment A on Query { heatmap { metric } }", "102 points"),
        ("{ ... { ...A ... on Query { ...A } } } fragment A on Query { heatmap { metric } }", "102 points"),
    ):  # fmt: skip
        assert words in await refused(strict, house, bad)


async def test_the_whole_dashboard_lies_well_within_the_default_limits(house: House) -> None:
    dashboard = """query ($f: ReportFilters!, $w: HeatmapFilters!, $m: CampaignsFilters!) {
        overview(filters: $f) { period { startDate endDate label } summary { ...Everything } toolUsage { emailsSent } }
        timeseries(filters: $f) { data { date totalCalls connectedCalls meetingsBooked avgDurationSeconds } }
        funnel(filters: $f) { funnel { totalCalls connected } rates { contactRate overallConversion } }
        campaigns(filters: $m) { activeBatches { id status progressPct } campaignStats { campaignName totalCalls }
            pagination { total hasMore } }
        quality(filters: $f) { quality { sentimentDistribution { positivePct } } trend { date interruptions } }
        heatmap(filters: $w) { heatmap { day hour totalCalls } bestTimes { label metricValue } }
        objections(filters: $f) { objections { objection count handlingRate } buyingSignals { signal count } }
        previous: overview(filters: {period: LAST_30_DAYS}) { summary { ...Everything } }
    }
    fragment Everything on OverviewSummary { totalCalls completedCalls contactRate meetingsBooked }"""
    data = await answered(
        house.gateway, house, dashboard, f={"period": "TODAY"}, w={"period": "LAST_7_DAYS"}, m={"period": "TODAY"}
    )
    assert data["overview"]["summary"]["totalCalls"] == 3
    assert extent(dashboard).cost < house.gateway.settings.graphql_max_cost / 2


async def test_the_standard_introspection_query_lies_within_the_default_limits(house: House) -> None:
    for options in ({}, {"specified_by_url": True, "schema_description": True, "input_value_deprecation": True}):
        data = await answered(house.gateway, house, get_introspection_query(**options))
        assert data["__schema"]["queryType"]["name"] == "Query"


async def test_a_billion_laughs_are_no_joke_and_no_work(house: House) -> None:
    laughs = chain(30, "x: heatmap { metric }", each=" ".join(["...F{next}"] * 10))
    started = perf_counter()
    words = await refused(house.gateway, house, laughs)
    assert perf_counter() - started < SOON
    assert "far too many points of cost; at most 1,000" in words
    assert "far too many aliases; at most 30" in words


async def test_cyclic_and_undefined_fragments_get_the_specified_errors(house: House) -> None:
    for query, words in (
        ("{ ...A }", "Unknown fragment 'A'."),
        ("{ overview { ...A } }", "Unknown fragment 'A'."),
        ("{ ...A } fragment A on Query { ...B }", "Unknown fragment 'B'."),
        ("{ ...A } fragment A on Query { __typename ...A }", "Cannot spread fragment 'A' within itself."),
        (
            "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
            "Cannot spread fragment 'A' within itself via 'B'.",
        ),
        (
            "{ ...A } fragment A on Query { ... { ...B } } fragment B on Query { ... on Query { ...C } }"
            " fragment C on Query { ...A }",
            "Cannot spread fragment 'A' within itself via 'B', 'C'.",
        ),
        (
            "{ overview { ...A } } fragment A on Overview { summary { ...A } }",
            "Cannot spread fragment 'A' within itself.",
        ),
        ("{ __typename } fragment A on Query { ...A }", "Cannot spread fragment 'A' within itself."),
        (
            "{ ...A } fragment A on Query { __typename } fragment A on Query { __typename }",
            "There can be only one fragment named 'A'.",
        ),
        ("{ ...A } fragment A on Nothing { __typename }", "Unknown type 'Nothing'."),
        ("{ ...A } fragment A on Overview { __typename }", "can never be of type 'Overview'"),
    ):
        assert words in await refused(house.gateway, house, query, "GRAPHQL_VALIDATION_FAILED")


DEEP = {
    "fields": "{a" * 1_500 + "}" * 1_500,
    "a report's fields": "{overview" * 1_500 + "{x" + "}" * 1_501,
    "introspection": "{__schema{types" + "{ofType" * 1_200 + "{name" + "}" * 1_203,
    "inline fragments": "{" + "...{" * 900 + "__typename" + "}" * 901,
    "lists": "{overview(filters:" + "[" * 1_900 + "]" * 1_900 + "){x}}",
    "objects": "{overview(filters:" + "{a:" * 900 + "1" + "}" * 900 + "){x}}",
    "types": "query($a:" + "[" * 1_900 + "Int" + "]" * 1_900 + "){__typename}",
    "defaults": "query($a:Int=" + "[" * 1_900 + "]" * 1_900 + "){__typename}",
    "a chain of fragments": chain(400, "__typename"),
    "a chain of nested fragments": chain(60, "__typename", each="overview{{" * 12 + "...F{next}" + "}}" * 12),
    "a chain of fragments that nobody spreads": chain(400, "__typename").replace("{ ...F0 }", "{ __typename }"),
}


@pytest.mark.parametrize("shape", DEEP)
async def test_nesting_too_deep_is_refused_and_breaks_nothing(house: House, shape: str) -> None:
    started = perf_counter()
    words = await refused(house.gateway, house, DEEP[shape])
    assert perf_counter() - started < SOON
    assert len(words) < 300


WIDE = {
    "one field again and again": "{" + "__typename " * 3_900 + "}",
    "one report again and again": "{" + "overview{period{label}} " * 560 + "}",
    "one part again and again": "{overview{" + "summary{totalCalls} " * 490 + "}}",
    "in a fragment that nobody spreads": "{__typename} fragment A on Query{" + "overview{period{label}} " * 560 + "}",
    "one fragment again and again": "{" + "...A " * 1_900 + "} fragment A on Query{overview{period{label}}}",
    "fragments of fragments": "{...F0}"
    + "".join(f"fragment F{i} on Query{{{' '.join(f'...F{j}' for j in range(i + 1, 51))}}}" for i in range(50))
    + "fragment F50 on Query{overview{period{label}}}",
    "tokens": "{" + "overview{period{label}} " * 3_000 + "}",
    "aliases": "{" + "".join(f"a{i}:__typename " for i in range(900)) + "}",
}


@pytest.mark.parametrize("shape", WIDE)
async def test_breadth_beyond_the_limits_is_refused_before_it_costs_much(house: House, shape: str) -> None:
    assert len(WIDE[shape]) < house.gateway.settings.graphql_max_body_bytes
    started = perf_counter()
    await refused(house.gateway, house, WIDE[shape])
    assert perf_counter() - started < SOON


async def test_other_heavy_documents_end_soon_and_break_nothing(house: House) -> None:
    for query in (
        "".join(f"query Q{i}{{__typename}}" for i in range(700)),
        "query(" + " ".join(f"$a{i}:Int" for i in range(900)) + "){__typename}",
        "{__typename " + "@skip(if:true) " * 600 + "}",
        "{overview(filters:{" + "period:TODAY " * 900 + "}){__typename}}",
        "{__typename}" + "#" * 90_000,
        '{overview(filters:{campaignId:"' + "x" * 90_000 + '"}){__typename}}',
        "{" + "x" * 90_000 + "}",
        "{" + "nothing " * 900 + "}",
        "{__typename}" + " " * 90_000,
        "{}",
        "{ overview {} timeseries { data {} columns {} } }",
    ):
        started = perf_counter()
        answer = await house.post(query)
        assert answer.status_code == 200
        assert perf_counter() - started < SOON
        assert "INTERNAL" not in answer.text


async def test_variables_nested_without_end_break_nothing(house: House) -> None:
    query = "query ($f: ReportFilters!) { overview(filters: $f) { __typename } }"
    for depth in (50, 500, 1_000, 1_020, 5_000):
        nested = '{"period":' * depth + '"TODAY"' + "}" * depth
        body = f'{{"query":"{query}","variables":{{"f":{nested}}}}}'
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token(house.owner)}"}
        answer = await house.gateway.http.post("/graphql", content=body.encode(), headers=headers)
        assert answer.status_code in (200, 400)
        assert answer.json()["errors"]
        assert "INTERNAL" not in answer.text


async def test_skip_and_include_decide_what_is_answered_and_read(house: House) -> None:
    query = """query ($yes: Boolean!, $no: Boolean!) {
        skipped: overview @skip(if: $yes) { summary { totalCalls } }
        notIncluded: overview @include(if: $no) { summary { totalCalls } }
        kept: overview @skip(if: $no) @include(if: $yes) {
            summary { totalCalls @skip(if: $no) completedCalls @include(if: $no) ...Rest @skip(if: $yes) }
            toolUsage @include(if: $no) { emailsSent }
            ... @include(if: $yes) { period { label } }
        }
    }
    fragment Rest on OverviewSummary { failedCalls }"""
    data = await answered(house.gateway, house, query, yes=True, no=False)
    assert data == {"kept": {"summary": {"totalCalls": 3}, "period": {"label": "7d"}}}
    nothing = await house.post("{ overview @skip(if: true) { summary { totalCalls } } __typename }")
    assert nothing.json() == {"data": {"__typename": "Query"}}
    assert "read;" not in nothing.headers["server-timing"]
    assert "read;" in (await house.post(TOTAL)).headers["server-timing"]


async def test_a_document_is_checked_once_for_each_text_whatever_is_found(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []

    def counting(text: str, **options: Any) -> Any:
        parsed.append(text)
        return parse(text, **options)

    monkeypatch.setattr(documents, "parse", counting)
    query = "query A($f: ReportFilters!) { overview(filters: $f) { period { label } } } query B { __typename }"
    for period, label in (("TODAY", "today"), ("LAST_7_DAYS", "7d"), ("TODAY", "today")):
        answer = await house.post(query, variables={"f": {"period": period}}, operationName="A")
        assert answer.json()["data"]["overview"]["period"]["label"] == label
    assert (await house.post(query, operationName="B")).json()["data"] == {"__typename": "Query"}
    assert parsed == [query]
    for bad, code in (
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ nothing", "GRAPHQL_PARSE_FAILED"),
        (f"{{ {'overview { period { label } } ' * 100} }}", "TOO_COSTLY"),
        (f"{{ {'__typename ' * 5_000} }}", "TOO_COSTLY"),
        ("mutation { x }", "BAD_REQUEST"),
    ):
        first = await refused(house.gateway, house, bad, code)
        assert await refused(house.gateway, house, bad, code) == first
        assert parsed.count(bad) == 1


async def test_an_alias_comes_back_with_every_row_and_may_not_be_long(house: House) -> None:
    await answered(house.gateway, house, f"{{ {'a' * 100}: __typename }}")
    words = await refused(house.gateway, house, f"{{ overview {{ {'a' * 101}: period {{ label }} }} }}")
    assert "101 characters of an alias" in words


async def test_values_are_counted_wherever_they_stand(house: House) -> None:
    assert count_values(parse("{ a(b: 1, c: [1, 2, {d: 3}]) @e(f: $g) }")) == 7
    assert (
        count_values(parse("query ($a: A = {b: [1]}, $c: C @d(e: 1)) { f { ...G } } fragment G on H { i(j: 1) }")) == 6
    )
    words = await refused(house.gateway, house, f"{{ campaigns(limit: {[1] * 500}) {{ __typename }} }}")
    assert "501 values" in words
