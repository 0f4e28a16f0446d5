"""GraphQL over HTTP as its specification says, for both media types, with a stable code on every error."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import httpx2
import hypothesis
import pytest
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway import connections, graphql_http
from gateway.door import Door
from gateway.errors import TooManyRequests
from gateway.logs import with_request_id
from gateway.turns import Slices
from tests.conftest import Database, Postgres
from tests.doors import House, check_graphql_error, check_manners, furnished
from tests.given import SECRET, Given, token
from tests.running import Running, running, settings_for
from tests.waiting import PATIENCE, counted, until

JSON = "application/json"
RESPONSE_JSON = "application/graphql-response+json"
BOTH = (JSON, RESPONSE_JSON)
ORIGIN = {"Origin": "https://dashboard.example.com"}
TOTAL = "{ overview { summary { totalCalls } } }"


@pytest.fixture(scope="module")
async def house(server: Postgres) -> AsyncIterator[House]:
    async with furnished(server) as house:
        await house.given.calls(house.agency, 3)
        yield house


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    """What is logged meanwhile with each request's id, and not printed."""
    with capture_logs([with_request_id]) as entries:
        yield entries


def bearer(user: UUID, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(user)}", **headers}


async def post(house: House, body: Any, media_type: str = JSON, **headers: str) -> httpx2.Response:
    """A POST of any body, bytes as they are and everything else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": JSON, "Accept": media_type, **bearer(house.owner), **headers}
    return await house.gateway.http.post("/graphql", content=content, headers=headers)


async def get(house: House, media_type: str = JSON, **params: str) -> httpx2.Response:
    headers = bearer(house.owner, Accept=media_type)
    return await house.gateway.http.get("/graphql", params=params, headers=headers)


def check_request_error(response: httpx2.Response, media_type: str, code: str) -> str:
    """A GraphQL request error: nothing was executed. 200 in the older media type, 400 in the newer. Gives the words."""
    assert response.status_code == (200 if media_type == JSON else 400), response.text
    check_manners(response, media_type)
    body = response.json()
    assert set(body) == {"errors"}
    for error in body["errors"]:
        assert error["extensions"].keys() - {"argument"} == {"code", "requestId"}
        assert error["extensions"].items() >= shown(response, code).items()
        assert "path" not in error
    return body["errors"][0]["message"]


def shown(response: httpx2.Response, code: str) -> dict[str, Any]:
    """The extensions of an error that says no more than this."""
    return {"code": code, "requestId": response.headers["x-request-id"]}


async def codes(house: House, query: str, **variables: Any) -> list[str]:
    """The codes of an answer's errors."""
    response = await house.post(query, variables=variables)
    assert response.status_code == 200
    check_manners(response)
    return [error["extensions"]["code"] for error in response.json().get("errors", ())]


async def test_post_and_get_answer_the_same_in_both_media_types(house: House) -> None:
    query = "query Calls($f: ReportFilters!) { overview(filters: $f) { summary { totalCalls } } }"
    variables = {"f": {"period": "TODAY"}}
    for media_type in BOTH:
        posted = await post(house, {"query": query, "variables": variables, "operationName": "Calls"}, media_type)
        got = await get(house, media_type, query=query, variables=json.dumps(variables), operationName="Calls")
        for answer in (posted, got):
            assert answer.status_code == 200
            check_manners(answer, media_type)
            assert answer.json() == {"data": {"overview": {"summary": {"totalCalls": 3}}}}


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        (None, JSON), ("", JSON), ("*/*", JSON), ("application/*", JSON), (JSON, JSON), ("text/html", JSON),
        (RESPONSE_JSON, RESPONSE_JSON), (RESPONSE_JSON.upper(), RESPONSE_JSON),
        (f"{RESPONSE_JSON}; charset=utf-8", RESPONSE_JSON), (f"{JSON};charset=utf-8", JSON),
        (f"{RESPONSE_JSON}; charset=utf-8, {JSON}; charset=utf-8", RESPONSE_JSON),
        (f"{RESPONSE_JSON}, {JSON};q=0.9, */*;q=0.1", RESPONSE_JSON), (f"text/html, {RESPONSE_JSON}", RESPONSE_JSON),
        (f"{JSON};q=0.9, {RESPONSE_JSON};q=0.5", JSON), (f"{RESPONSE_JSON};q=0.5,{JSON};q=0.4", RESPONSE_JSON),
        (f"{RESPONSE_JSON};q=0", JSON), (f"{RESPONSE_JSON};q=0, {JSON}", JSON), (f"{RESPONSE_JSON};q=x", JSON),
        (f"{RESPONSE_JSON};q=nan", JSON), (f"{RESPONSE_JSON};q=", JSON), (",;,", JSON), (";q=1", JSON),
        ("application/graphql+json", JSON), (f"{JSON};q=0.1, {RESPONSE_JSON};q=0.1", RESPONSE_JSON),
    ],
)  # fmt: skip
async def test_the_accept_header_chooses_the_media_type(house: House, accept: str | None, answered: str) -> None:
    headers = bearer(house.owner, **({} if accept is None else {"Accept": accept}))
    for query, status in ((TOTAL, 200), ("{", 200 if answered == JSON else 400)):
        request = house.gateway.http.build_request("POST", "/graphql", json={"query": query}, headers=headers)
        if accept is None:
            del request.headers["accept"]
        answer = await house.gateway.http.send(request)
        assert answer.status_code == status
        check_manners(answer, answered)


NO_DOCUMENTS = (
    "{", "}", "query", "{ overview", "nonsense", "# only a comment", "\ufeff", "{ a(b: ) }", '{ "x" }', "{ a: }",
    "query tokens tokens { a }", "{ overview { period { label } } } }", "{ a } \x00", '{ a(b: "\\ud800") }',
)  # fmt: skip
NOT_VALID = (
    "{ nothing }", "{ overview }", "{ overview { nothing } }", "{ overview(nothing: 1) { __typename } }",
    "{ ...nothing }", "fragment A on Query { __typename } { __typename }", "{ heatmap(metric: X) { metric } }",
    "query ($a: Nothing) { __typename }", "query ($a: Int) { __typename }", "{ __typename @nothing }",
    "{ campaigns(limit: 3000000000) { pagination { total } } }", "query { a: x } query { b: x }",
    "{ campaigns(limit: $n) { pagination { total } } }", "type A { a: Int } query { __typename }",
)  # fmt: skip


@pytest.mark.parametrize("media_type", BOTH)
async def test_a_document_that_cannot_be_parsed_or_is_not_valid_is_a_request_error(
    house: House, media_type: str
) -> None:
    for query in NO_DOCUMENTS:
        for answer in (await post(house, {"query": query}, media_type), await get(house, media_type, query=query)):
            assert "Syntax Error" in check_request_error(answer, media_type, "GRAPHQL_PARSE_FAILED")
    for query in NOT_VALID:
        for answer in (await post(house, {"query": query}, media_type), await get(house, media_type, query=query)):
            check_request_error(answer, media_type, "GRAPHQL_VALIDATION_FAILED")


async def test_every_fault_of_a_document_is_told_with_its_place(house: House) -> None:
    answer = (await post(house, {"query": "{ one two overview { three } }"}, RESPONSE_JSON)).json()
    assert [error["message"] for error in answer["errors"]] == [
        "Cannot query field 'one' on type 'Query'.",
        "Cannot query field 'two' on type 'Query'.",
        "Cannot query field 'three' on type 'Overview'.",
    ]
    assert [error["locations"] for error in answer["errors"]] == [
        [{"line": 1, "column": column}] for column in (3, 7, 22)
    ]


@pytest.mark.parametrize("media_type", BOTH)
async def test_a_variable_that_cannot_be_coerced_is_a_request_error(house: House, media_type: str) -> None:
    of = "($f: ReportFilters!) { overview(filters: $f) { period { label } } }"
    for query, variables, about in (
        ("query ($n: Int!) { campaigns(limit: $n) { pagination { total } } }", {"n": "5"}, "Int"),
        ("query ($n: Int!) { campaigns(limit: $n) { pagination { total } } }", {"n": 5.5}, "Int"),
        ("query ($n: Int!) { campaigns(limit: $n) { pagination { total } } }", {"n": 2**31}, "32-bit"),
        ("query ($n: Int!) { campaigns(limit: $n) { pagination { total } } }", {"n": None}, "Int!"),
        ("query ($n: Int!) { campaigns(limit: $n) { pagination { total } } }", {}, "Int!"),
        ("query ($m: HeatmapMetric!) { heatmap(metric: $m) { metric } }", {"m": "calls"}, "HeatmapMetric"),
        ("query ($i: UUID) { overview(filters: {campaignId: $i}) { __typename } }", {"i": "x"}, "UUID"),
        ("query ($i: UUID) { overview(filters: {campaignId: $i}) { __typename } }", {"i": {"a": [1]}}, "UUID"),
        (f"query {of}", {"f": {"period": "7d"}}, "Period"),
        (f"query {of}", {"f": {"nothing": 1}}, "nothing"),
        (f"query {of}", {"f": []}, "ReportFilters"),
        (f"query {of}", {"f": None}, "ReportFilters"),
        (f"query {of}", {"f": {"period": "CUSTOM", "startDate": "2026-02-30", "endDate": "2026-03-01"}}, "Date"),
        (f"query {of}", {"f": {"period": "CUSTOM", "startDate": 20260201, "endDate": "2026-03-01"}}, "Date"),
        (f"query {of}", {"f": {"clientId": "123e4567e89b12d3a456426614174000"}}, "UUID"),
    ):  # fmt: skip
        for answer in (
            await post(house, {"query": query, "variables": variables}, media_type),
            await get(house, media_type, query=query, variables=json.dumps(variables)),
        ):
            assert about in check_request_error(answer, media_type, "GRAPHQL_VALIDATION_FAILED")


async def test_a_bad_literal_is_told_and_not_taken_for_a_fault_of_ours(house: House, logs: list[Any]) -> None:
    for filters, about in (
        ('campaignId: "x"', "UUID"), ("campaignId: 5", "UUID"), ("clientId: [\"x\"]", "UUID"), ('clientId: ""', "UUID"),
        ('period: CUSTOM, startDate: "2026-02-30", endDate: "2026-03-01"', "Date"), ("startDate: 20260201", "Date"),
        ('period: CUSTOM, startDate: "2026-2-1", endDate: "2026-03-01"', "Date"), ('period: "TODAY"', "Period"),
        ('endDate: "2026-02-01T00:00:00Z"', "Date"), ("period: LAST_14_DAYS", "Period"), ("period: null", "Period"),
        ('endDate: "\N{FULLWIDTH DIGIT TWO}026-02-01"', "Date"), ("period: TODAY, period: TODAY", "period"),
    ):  # fmt: skip
        answer = await post(house, {"query": f"{{ overview(filters: {{{filters}}}) {{ __typename }} }}"}, RESPONSE_JSON)
        assert about in check_request_error(answer, RESPONSE_JSON, "GRAPHQL_VALIDATION_FAILED")
    assert [entry for entry in logs if entry["log_level"] == "error"] == []


@pytest.mark.parametrize("media_type", BOTH)
async def test_the_operation_must_be_there_and_be_the_only_one_or_named(house: House, media_type: str) -> None:
    two = "query A { __typename } query B { overview { summary { totalCalls } } }"
    for name in ("C", "a", "__typename"):
        for answer in (
            await post(house, {"query": two, "operationName": name}, media_type),
            await get(house, media_type, query=two, operationName=name),
        ):
            assert "operationName" in check_request_error(answer, media_type, "BAD_REQUEST")
    for unnamed in ({}, {"operationName": None}, {"operationName": ""}):
        answer = await post(house, {"query": two, **unnamed}, media_type)
        assert "operationName" in check_request_error(answer, media_type, "BAD_REQUEST")
    check_request_error(await get(house, media_type, query=two, operationName=""), media_type, "BAD_REQUEST")
    named = await post(house, {"query": two, "operationName": "B"}, media_type)
    assert named.json() == {"data": {"overview": {"summary": {"totalCalls": 3}}}}
    for unnamed in ({}, {"operationName": None}, {"operationName": ""}):
        answer = await post(house, {"query": "query A { __typename }", **unnamed}, media_type)
        assert answer.json() == {"data": {"__typename": "Query"}}
    only_fragments = await post(house, {"query": "fragment A on Query { __typename }"}, media_type)
    check_request_error(only_fragments, media_type, "BAD_REQUEST")


@pytest.mark.parametrize("operation", ["mutation { overview { __typename } }", "subscription { __typename }"])
async def test_only_queries_are_executed(house: House, operation: str) -> None:
    for media_type in BOTH:
        answer = await post(house, {"query": operation}, media_type)
        check_request_error(answer, media_type, "BAD_REQUEST")
        # The specification wants a 405 where a GET would change something.
        answer = await get(house, media_type, query=operation)
        assert answer.status_code == 405
        check_manners(answer, media_type)
        assert answer.headers["allow"] == "GET, HEAD, POST, OPTIONS"
        assert set(answer.json()) == {"errors"}


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"nonsense", b'{"query":', b"{'query': '{ __typename }'}", b"\xff\xfe", b"\x00", b"null", b"5",
        b'"{ __typename }"', b"[]", b'[{"query": "{ __typename }"}]', b"true", b"{}", b'{"query": null}',
        b'{"query": ""}', b'{"query": "  \\n"}', b'{"query": 5}', b'{"query": ["{ __typename }"]}', b'{"qeury": "{a}"}',
        b'{"query": {"a": 1}}', b'{"query": "{ __typename }"} trailing', b'{"query": "{a}", "variables": NaN}',
        b'{"query": "\\ud800"}', b"[" * 50_000, b'{"query":' * 5_000, b"\xef\xbb\xbf{}",
        b'{"query": "{ __typename }", "variables": []}', b'{"query": "{ __typename }", "variables": "{}"}',
        b'{"query": "{ __typename }", "variables": 5}', b'{"query": "{ __typename }", "variables": false}',
        b'{"query": "{ __typename }", "extensions": []}', b'{"query": "{ __typename }", "extensions": "x"}',
        b'{"query": "{ __typename }", "operationName": 5}', b'{"query": "{ __typename }", "operationName": {}}',
    ],
)  # fmt: skip
async def test_what_is_no_graphql_request_gets_400_in_both_media_types(house: House, body: bytes) -> None:
    for media_type in BOTH:
        answer = await post(house, body, media_type)
        assert answer.status_code == 400, answer.text
        check_manners(answer, media_type)
        (error,) = answer.json()["errors"]
        assert set(answer.json()) == {"errors"}
        assert error["extensions"] == shown(answer, "BAD_REQUEST")
        assert len(error["message"]) < 200


async def test_a_get_that_is_no_graphql_request_gets_400(house: House) -> None:
    for params in (
        {}, {"query": ""}, {"query": " "}, {"Query": TOTAL}, {"query": TOTAL, "variables": "{"},
        {"query": TOTAL, "variables": "[]"}, {"query": TOTAL, "variables": "5"}, {"query": TOTAL, "extensions": "x"},
        {"query": TOTAL, "extensions": "[1]"}, {"query": TOTAL, "variables": '"x"'},
    ):  # fmt: skip
        for media_type in BOTH:
            answer = await get(house, media_type, **params)
            assert answer.status_code == 400
            check_manners(answer, media_type)
            assert [error["extensions"]["code"] for error in answer.json()["errors"]] == ["BAD_REQUEST"]


async def test_null_and_unknown_entries_are_as_if_they_were_not_there(house: House) -> None:
    for extra in (
        {"variables": None, "extensions": None, "operationName": None}, {"variables": {}, "extensions": {}},
        {"id": 5, "batch": [], "agency_id": str(uuid4())}, {"variables": {"unused": [{"a": 10**15}]}},
    ):  # fmt: skip
        assert (await post(house, {"query": TOTAL, **extra})).json()["data"]["overview"]
    answer = await get(house, query=TOTAL, variables="null", extensions="null")
    assert answer.json()["data"]["overview"]


async def test_a_post_reads_its_body_and_not_its_address(house: House) -> None:
    headers = {"Content-Type": JSON, **bearer(house.owner)}
    answer = await house.gateway.http.post("/graphql", params={"query": TOTAL}, content=b"{}", headers=headers)
    check_graphql_error(answer, 400, "BAD_REQUEST")


async def test_only_json_bodies_are_read(house: House) -> None:
    body = json.dumps({"query": TOTAL}).encode()
    for kind in (
        "text/plain", "application/graphql", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
        "application/jsonx", "application/json+x", "", "application/graphql-response+json", "text/json", "*/*",
    ):  # fmt: skip
        answer = await post(house, body, **{"Content-Type": kind})
        assert JSON in check_graphql_error(answer, 415, "BAD_REQUEST")
    answer = await house.gateway.http.post("/graphql", content=body, headers=bearer(house.owner))
    check_graphql_error(answer, 415, "BAD_REQUEST")
    for kind in ("application/json; charset=utf-8", "APPLICATION/JSON", " application/json ;x=y".strip()):
        assert (await post(house, body, **{"Content-Type": kind})).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "QUERY"])
async def test_other_methods_get_405_with_allow(house: House, method: str) -> None:
    for headers in ({}, bearer(house.owner)):
        answer = await house.gateway.http.request(method, "/graphql", headers=headers, params={"query": TOTAL})
        assert method in check_graphql_error(answer, 405, "METHOD_NOT_ALLOWED")
        assert answer.headers["allow"] == "GET, HEAD, POST, OPTIONS"


async def test_a_body_beyond_the_limit_gets_413_whether_or_not_it_says_its_length(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LINGER_SECONDS", PATIENCE)

    async def chunks(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 100):
            yield b" " * 100

    query = json.dumps({"query": TOTAL}).encode()
    async with running(settings_for(house.database.dsn, graphql_max_body_bytes=1_000)) as gateway:
        headers = {"Content-Type": JSON, **bearer(house.owner)}
        good = await gateway.http.post("/graphql", content=query.ljust(1_000), headers=headers)
        assert good.status_code == 200
        for body in (query.ljust(1_001), query.ljust(500_000), chunks(1_100), chunks(200_000)):
            answer = await gateway.http.post("/graphql", content=body, headers=headers)
            assert "1,000 bytes" in check_graphql_error(answer, 413, "BODY_TOO_LARGE")
        # Nobody who is not known has a body read.
        del headers["Authorization"]
        answer = await gateway.http.post("/graphql", content=chunks(1_100), headers=headers)
        check_graphql_error(answer, 401, "UNAUTHENTICATED")


async def test_a_client_that_hangs_up_while_sending_is_no_fault_of_ours(
    house: House, logs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, entered = house.gateway.http.base_url, counted(monkeypatch, Door, "__call__")
    _, writer = await asyncio.open_connection(url.host, url.port)
    head = f"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: 1000\r\n"
    writer.write(f"{head}Authorization: Bearer {token(house.owner)}\r\nX-Request-Id: hung-up\r\n\r\n{{".encode())
    await writer.drain()
    await until(lambda: entered)
    writer.close()
    await until(lambda: any(entry["request_id"] == "hung-up" for entry in logs))
    assert [entry["event"] for entry in logs] == ["request"]


async def test_refusals_of_the_caller_come_in_the_media_type_asked_for(house: House) -> None:
    homeless = await house.given.user(None)
    for media_type in BOTH:
        for headers, status, code in (
            ({}, 401, "UNAUTHENTICATED"), (bearer(UUID(int=1)), 403, "FORBIDDEN"), (bearer(homeless), 403, "FORBIDDEN"),
        ):  # fmt: skip
            answer = await house.gateway.http.post(
                "/graphql", json={"query": TOTAL}, headers={**headers, "Accept": media_type}
            )
            assert answer.status_code == status
            check_manners(answer, media_type)
            (error,) = answer.json()["errors"]
            assert error["extensions"] == shown(answer, code)
            assert "data" not in answer.json()


async def test_who_asks_too_often_is_told_when_to_return(house: House) -> None:
    async with running(settings_for(house.database.dsn, rate_limit="1/minute")) as gateway:
        assert (await gateway.post(TOTAL, house.owner)).status_code == 200
        # The second may still pass, where a minute turns between them.
        _, answer = [await gateway.post(TOTAL, house.owner) for _ in range(2)]
        check_graphql_error(answer, 429, "RATE_LIMITED")
        assert 1 <= int(answer.headers["retry-after"]) <= 120
        # The share is the user's, not the door's.
        assert (await gateway.get("overview", house.owner)).status_code == 429


STRICT: Mapping[str, tuple[str, str]] = {
    'overview(filters: {startDate: "2026-02-01", endDate: "2026-02-02"}) { __typename }': ("CUSTOM", "filters.period"),
    'overview(filters: {period: TODAY, startDate: "2026-02-01"}) { __typename }': ("CUSTOM", "filters.period"),
    'objections(filters: {period: LAST_90_DAYS, endDate: "2026-02-01"}) { __typename }': ("CUSTOM", "filters.period"),
    "timeseries(filters: {period: CUSTOM}) { __typename }": ("both", "filters.startDate"),
    'funnel(filters: {period: CUSTOM, startDate: "2026-02-01"}) { __typename }': ("both", "filters.endDate"),
    'quality(filters: {period: CUSTOM, endDate: "2026-02-01"}) { __typename }': ("both", "filters.startDate"),
    'overview(filters: {period: CUSTOM, startDate: "2026-02-02", endDate: "2026-02-01"}) { __typename }': (
        "after",
        "filters.startDate",
    ),
    'overview(filters: {period: CUSTOM, startDate: "2023-02-15", endDate: "2026-02-15"}) { __typename }': (
        "1,096",
        "filters.startDate",
    ),
    "campaigns(limit: 0) { __typename }": ("1 to 100", "limit"),
    "campaigns(limit: 101) { __typename }": ("1 to 100", "limit"),
    "campaigns(limit: -5) { __typename }": ("1 to 100", "limit"),
    "campaigns(offset: -1) { __typename }": ("0 or more", "offset"),
    "objections(limit: 0) { __typename }": ("1 to 100", "limit"),
    "objections(limit: 101) { __typename }": ("1 to 100", "limit"),
}


@pytest.mark.parametrize("field", STRICT)
async def test_a_filter_that_rest_would_read_leniently_is_an_error_with_a_code(house: House, field: str) -> None:
    answer = await house.post(f"{{ {field} }}")
    assert answer.status_code == 200
    (error,) = answer.json()["errors"]
    words, argument = STRICT[field]
    assert error["extensions"] == {**shown(answer, "BAD_FILTER"), "argument": argument}
    assert words in error["message"]
    assert error["path"] == [field.partition("(")[0]]
    assert answer.json()["data"] == {field.partition("(")[0]: None}


async def test_the_heatmap_knows_neither_today_nor_custom_nor_dates(house: House) -> None:
    for filters in ("period: TODAY", "period: CUSTOM", 'startDate: "2026-02-01"'):
        query = f"{{ heatmap(filters: {{{filters}}}) {{ metric }} }}"
        assert await codes(house, query) == ["GRAPHQL_VALIDATION_FAILED"]


async def test_the_bounds_themselves_are_good(house: House) -> None:
    query = """{
        overview(filters: {period: CUSTOM, startDate: "2023-02-16", endDate: "2026-02-15"}) { __typename }
        campaigns(limit: 100, offset: 2147483647) { pagination { limit offset } }
        objections(limit: 1) { __typename }
    }"""
    answer = (await house.post(query)).json()
    assert answer["data"]["campaigns"]["pagination"] == {"limit": 100, "offset": 2**31 - 1}
    assert "errors" not in answer


async def test_one_bad_report_leaves_the_others_standing(house: House) -> None:
    answer = await house.post("{ bad: campaigns(limit: 0) { __typename } overview { summary { totalCalls } } }")
    assert answer.status_code == 200
    assert answer.json()["data"] == {"bad": None, "overview": {"summary": {"totalCalls": 3}}}
    (error,) = answer.json()["errors"]
    assert (error["path"], error["extensions"]) == (["bad"], {**shown(answer, "BAD_FILTER"), "argument": "limit"})


async def test_defaults_are_visible_in_the_schema(house: House) -> None:
    query = """{
        query: __type(name: "Query") { fields { name args { name defaultValue type { kind } } } }
        filters: __type(name: "ReportFilters") { inputFields { name defaultValue } }
        month: __type(name: "CampaignsFilters") { inputFields { name defaultValue } }
        weeks: __type(name: "HeatmapFilters") { inputFields { name defaultValue } }
    }"""
    shown = (await house.post(query)).json()["data"]
    defaults = {
        field["name"]: {argument["name"]: argument["defaultValue"] for argument in field["args"]}
        for field in shown["query"]["fields"]
    }
    seven, thirty = "{ period: LAST_7_DAYS }", "{ period: LAST_30_DAYS }"
    assert defaults == {
        "overview": {"filters": seven},
        "timeseries": {"filters": seven},
        "funnel": {"filters": seven},
        "campaigns": {"filters": thirty, "status": "null", "limit": "25", "offset": "0"},
        "quality": {"filters": seven},
        "heatmap": {"filters": thirty, "metric": "CALLS"},
        "objections": {"filters": seven, "limit": "10"},
        "freshness": {"filters": seven},
        "choices": {},
        "viewer": {},
    }
    for name, period in (("filters", "LAST_7_DAYS"), ("month", "LAST_30_DAYS"), ("weeks", "LAST_30_DAYS")):
        assert {"name": "period", "defaultValue": period} in shown[name]["inputFields"]


async def test_introspection_is_off_unless_it_is_set(house: House) -> None:
    queries = ("{ __schema { queryType { name } } }", '{ __type(name: "Query") { name } }',
               "{ __typename ...A } fragment A on Query { x: __schema { types { name } } }")  # fmt: skip
    for query in queries:
        assert await codes(house, query) == []
    settings = settings_for(house.database.dsn, introspection=False)
    assert type(settings).model_fields["introspection"].default is False
    async with running(settings) as gateway:
        for query in queries:
            for media_type in BOTH:
                answer = await gateway.post(query, house.owner, headers={"Accept": media_type})
                words = check_request_error(answer, media_type, "GRAPHQL_VALIDATION_FAILED")
                assert "introspection" in words
        answer = await gateway.post("{ __typename overview { __typename } }", house.owner)
        assert answer.json() == {"data": {"__typename": "Query", "overview": {"__typename": "Overview"}}}


async def test_graphiql_is_off_unless_it_is_set(house: House) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    settings = settings_for(house.database.dsn)
    assert type(settings).model_fields["graphiql"].default is False
    assert settings.graphiql is False
    answer = await house.gateway.http.get("/graphql", headers=browser)
    check_graphql_error(answer, 401, "UNAUTHENTICATED")
    answer = await house.gateway.http.get("/graphql", headers={**browser, **bearer(house.owner)})
    check_graphql_error(answer, 400, "BAD_REQUEST")
    async with running(settings_for(house.database.dsn, graphiql=True)) as gateway:
        page = await gateway.http.get("/graphql", headers=browser)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert "GraphQL explorer" in page.text
        assert (await gateway.http.head("/graphql", headers=browser)).status_code == 200
        # The page is for everybody, the data are not.
        answer = await gateway.http.get("/graphql", params={"query": TOTAL}, headers=browser)
        check_graphql_error(answer, 401, "UNAUTHENTICATED")
        answer = await gateway.http.post("/graphql", json={"query": TOTAL}, headers=browser)
        check_graphql_error(answer, 401, "UNAUTHENTICATED")
        answer = await gateway.http.get("/graphql", headers={"Accept": JSON, **bearer(house.owner)})
        check_graphql_error(answer, 400, "BAD_REQUEST")


async def test_a_browser_may_ask_before_it_asks_without_a_token(house: House) -> None:
    for headers in ({}, ORIGIN, {**ORIGIN, "Access-Control-Request-Method": "POST"}):
        answer = await house.gateway.http.options("/graphql", headers=headers)
        assert answer.status_code == 204
        check_manners(answer)
        assert answer.headers["access-control-allow-methods"] == "GET, HEAD, POST, OPTIONS"


async def test_head_is_get_without_the_body(house: House) -> None:
    for params, headers in (
        ({"query": TOTAL}, bearer(house.owner)), ({"query": "{"}, bearer(house.owner)), ({"query": TOTAL}, {}),
    ):  # fmt: skip
        head = await house.gateway.http.head("/graphql", params=params, headers=headers)
        got = await house.gateway.http.get("/graphql", params=params, headers=headers)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["content-length"] == str(len(got.content))
        check_manners(head)


async def test_no_failure_among_many_at_once_shows_its_own_words_and_each_is_logged_with_its_request(
    gateway: Running, connection: asyncpg.Connection, given: Given, logs: list[Any]
) -> None:
    user = await given.user(await given.agency())
    await connection.execute("drop table call_stats_folded cascade")
    ids = [f"request-{number}" for number in range(120)]
    answers = await asyncio.gather(
        *(
            gateway.post(
                "{ mine: overview { summary { totalCalls } } }",
                user,
                headers={"X-Request-Id": id_, "Accept": BOTH[number % 2]},
            )
            for number, id_ in enumerate(ids)
        )
    )
    for number, (id_, answer) in enumerate(zip(ids, answers, strict=True)):
        assert answer.status_code == 200
        check_manners(answer, BOTH[number % 2])
        assert answer.json() == {
            "errors": [
                {
                    "message": f"Something went wrong on our side; request id {id_}.",
                    "locations": [{"line": 1, "column": 3}],
                    "path": ["mine"],
                    "extensions": {"code": "INTERNAL", "requestId": id_},
                }
            ],
            "data": {"mine": None},
        }
        for hidden in ("call_stats", "relation", "select", "Traceback", SECRET, str(user)):
            assert hidden not in answer.text
    failures = [entry for entry in logs if entry["log_level"] == "error"]
    assert sorted(entry["request_id"] for entry in failures) == sorted(ids)
    assert {entry["part"] for entry in failures} == {"mine"}
    assert {type(entry["exc_info"]) for entry in failures} == {asyncpg.UndefinedTableError}


async def test_one_report_that_fails_leaves_the_others_standing(
    gateway: Running, connection: asyncpg.Connection, given: Given, logs: list[Any]
) -> None:
    agency = await given.agency()
    user = await given.user(agency)
    await given.calls(agency, 2)
    await connection.execute("drop table call_batches cascade")
    answer = await gateway.post(
        "{ overview { summary { totalCalls } } campaigns { pagination { total } } heatmap { heatmap { totalCalls } } }",
        user,
    )
    assert answer.status_code == 200
    assert answer.json()["data"] == {
        "overview": {"summary": {"totalCalls": 2}},
        "campaigns": None,
        "heatmap": {"heatmap": [{"totalCalls": 2}]},
    }
    (error,) = answer.json()["errors"]
    assert (error["path"], error["extensions"]) == (["campaigns"], shown(answer, "INTERNAL"))
    assert len([entry for entry in logs if entry["log_level"] == "error"]) == 1


async def test_a_failure_before_any_report_is_masked_too(
    gateway: Running, connection: asyncpg.Connection, given: Given, logs: list[Any]
) -> None:
    user = await given.user(await given.agency())
    await connection.execute("drop table users cascade")
    answer = await gateway.post(TOTAL, user, headers={"X-Request-Id": "mine"})
    words = check_graphql_error(answer, 500, "INTERNAL")
    assert words == "Something went wrong on our side; request id mine."
    assert [entry["request_id"] for entry in logs if entry["log_level"] == "error"] == ["mine"]


async def test_a_database_that_goes_away_gives_503_where_nothing_could_be_answered(
    server: Postgres, database: Database, given: Given
) -> None:
    agency = await given.agency()
    user = await given.user(agency)
    await given.connection.close()
    name = urlsplit(database.dsn).path.removeprefix("/")
    admin = await asyncpg.connect(server.address)
    async with running(settings_for(database.dsn, user_cache_seconds=30)) as gateway:
        assert (await gateway.post(TOTAL, user)).status_code == 200
        await _rename(admin, name, f"{name}_away")
        try:
            for media_type in BOTH:
                answer = await gateway.post(TOTAL, user, headers={"Accept": media_type})
                assert answer.status_code == 503
                check_manners(answer, media_type)
                assert int(answer.headers["retry-after"]) >= 1
                # An answer that has `data` would have to be a 200.
                assert set(answer.json()) == {"errors"}
                away = {"retryAfter": int(answer.headers["retry-after"])}
                assert [error["extensions"] for error in answer.json()["errors"]] == [
                    {**shown(answer, "UNAVAILABLE"), **away}
                ]
                assert name not in answer.text
                partly = await gateway.post(f"{{ __typename {TOTAL[1:]}", user, headers={"Accept": media_type})
                assert partly.status_code == 200
                assert partly.json()["data"] == {"__typename": "Query", "overview": None}
                assert [error["extensions"] for error in partly.json()["errors"]] == [
                    {**shown(partly, "UNAVAILABLE"), **away}
                ]
        finally:
            await _rename(admin, f"{name}_away", name)
            await admin.close()
        assert (await gateway.post(TOTAL, user)).status_code == 200


async def _rename(admin: asyncpg.Connection, old: str, new: str) -> None:
    async def is_renamed() -> bool:
        await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", old)
        try:
            await admin.execute(f"alter database {old} rename to {new}")
        except asyncpg.ObjectInUseError:
            return False
        return True

    await until(is_renamed)


async def test_a_database_that_was_never_there_gives_503() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with running(settings_for(f"postgresql://nobody:a-password@127.0.0.1:{port}/calls")) as gateway:
        answer = await gateway.post(TOTAL, UUID(int=1))
        words = check_graphql_error(answer, 503, "UNAVAILABLE")
        assert int(answer.headers["retry-after"]) >= 1
        assert "a-password" not in words


async def test_an_answer_that_takes_too_long_is_given_up_with_503(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    user = await given.user(await given.agency())
    async with running(settings_for(database.dsn, request_timeout_seconds=2, reuse=False)) as gateway:
        async with connection.transaction():
            await connection.execute("lock table call_stats_daily in access exclusive mode")
            answer = await gateway.post(TOTAL, user)
        check_graphql_error(answer, 503, "TIMEOUT")
        assert int(answer.headers["retry-after"]) >= 1

        async def is_answered() -> bool:
            return (await gateway.post(TOTAL, user)).status_code == 200

        await until(is_answered)


KEYS = ["period", "startDate", "endDate", "campaignId", "clientId", "f", "n", "i", "nothing"]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["TODAY", "CUSTOM", "2026-02-01", "2026-02-30", str(UUID(int=1)), "9999-12-31", "0001-01-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)
TYPED = """query ($f: ReportFilters!, $n: Int!, $i: UUID) {
    overview(filters: $f) { period { label } }
    campaigns(filters: {clientId: $i}, limit: $n, offset: $n) { pagination { total } }
}"""


@hypothesis.settings(max_examples=60, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(variables=st.fixed_dictionaries({"f": VALUES, "n": VALUES, "i": VALUES}) | VALUES)
async def test_whatever_the_variables_hold_the_fault_is_theirs(house: House, variables: Any) -> None:
    answer = await post(house, {"query": TYPED, "variables": variables}, RESPONSE_JSON)
    assert answer.status_code in (200, 400)
    found = {error["extensions"]["code"] for error in answer.json().get("errors", ())}
    assert found <= {"BAD_REQUEST", "BAD_FILTER", "GRAPHQL_VALIDATION_FAILED"}


UNKNOWN_VALUES = {
    "{ overview(filters: {period: LAST_14_DAYS}) { __typename } }": ("filters.period", "TODAY, LAST_7_DAYS"),
    '{ overview(filters: {period: "TODAY"}) { __typename } }': ("filters.period", "TODAY, LAST_7_DAYS"),
    "{ heatmap(metric: calls) { metric } }": ("metric", "CALLS, CONNECTED, MEETINGS_BOOKED"),
    "query ($m: HeatmapMetric = X) { heatmap(metric: $m) { metric } }": ("$m", "CALLS, CONNECTED, MEETINGS_BOOKED"),
    "{ campaigns(status: DONE) { pagination { total } } }": ("status", "PENDING, SCHEDULED"),
}


@pytest.mark.parametrize("introspection", [True, False])
async def test_an_unknown_value_of_an_enum_is_told_which_there_are(house: House, introspection: bool) -> None:
    async with running(settings_for(house.database.dsn, introspection=introspection)) as gateway:
        for query, (argument, values) in UNKNOWN_VALUES.items():
            answer = await gateway.post(query, house.owner)
            (error,) = answer.json()["errors"]
            assert f"There are: {values}" in error["message"]
            assert error["extensions"]["argument"] == argument
            assert "Did you mean" not in error["message"]
        for value in ("LAST_14_DAYS", 7, None):
            answer = await gateway.post(
                "query ($f: ReportFilters!) { overview(filters: $f) { __typename } }",
                house.owner,
                variables={"f": {"period": value}},
            )
            (error,) = answer.json()["errors"]
            assert error["extensions"]["argument"] == "$f.period"
            assert value is None or "There are: TODAY, LAST_7_DAYS, LAST_30_DAYS" in error["message"]


async def test_names_are_suggested_only_where_the_schema_may_be_read(house: House) -> None:
    query = "{ overview { summary { totalCallz } } }"
    assert "Did you mean 'totalCalls'" in (await house.post(query)).json()["errors"][0]["message"]
    async with running(settings_for(house.database.dsn, introspection=False)) as gateway:
        (error,) = (await gateway.post(query, house.owner)).json()["errors"]
        assert error["message"] == "Cannot query field 'totalCallz' on type 'OverviewSummary'."


async def test_the_cost_is_told_to_who_asks_for_it(house: House) -> None:
    asking = {"extensions": {"cost": True}}
    limit = house.gateway.settings.graphql_max_cost
    for _ in range(2):
        answer = (await post(house, {"query": TOTAL, **asking})).json()
        assert answer["extensions"] == {"cost": {"requested": 12, "limit": limit}}
        assert answer["data"]["overview"]["summary"]["totalCalls"] == 3
        got = await get(house, query=TOTAL, extensions=json.dumps(asking["extensions"]))
        assert got.json() == answer
        # Whoever does not ask for it is given the same answer without it.
        for silent in ({}, {"extensions": {}}, {"extensions": {"cost": False}}, {"extensions": {"cost": "yes"}}):
            assert set((await post(house, {"query": TOTAL, **silent})).json()) == {"data"}
    costly = f"{{ {' '.join(f'a{number}: heatmap {{ metric }}' for number in range(25))} }}"
    answer = (await post(house, {"query": costly, **asking})).json()
    assert answer["extensions"] == {"cost": {"requested": 25 * 51, "limit": limit}}
    assert "extensions" not in (await post(house, {"query": "{", **asking})).json()


async def test_what_is_not_supported_is_said_in_words(house: House) -> None:
    for query, words in (
        ("mutation { overview { __typename } }", "mutations are not supported"),
        ("subscription { overview { __typename } }", "subscriptions are not supported"),
        ("{ ... @defer { overview { __typename } } }", "'@defer' is not supported"),
        ("{ campaigns { activeBatches @stream { id } } }", "'@stream' is not supported"),
    ):
        assert words in (await house.post(query)).json()["errors"][0]["message"].lower()
    assert "batch" in check_graphql_error(await post(house, [{"query": TOTAL}]), 400, "BAD_REQUEST")
    answer = await post(house, b"--x--", **{"Content-Type": "multipart/form-data; boundary=x"})
    assert "files" in check_graphql_error(answer, 415, "BAD_REQUEST")


def test_a_long_accept_header_is_read_and_not_remembered() -> None:
    graphql_http._liked.cache_clear()
    for number in range(5):
        assert graphql_http._media_type(b"text/%d, " % number * 1_000 + RESPONSE_JSON.encode()) == RESPONSE_JSON
    assert graphql_http._liked.cache_info().currsize == 0
    assert graphql_http._media_type(b"*/*") == JSON
    assert graphql_http._liked.cache_info().currsize == 1


async def test_an_answer_that_finds_no_turn_is_refused_and_not_made_once_more(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused() -> None:
        raise TooManyRequests(1)

    @asynccontextmanager
    async def shared(*_: object) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        yield refused

    query = "{ overview { summary { completedCalls } } }"
    assert (await post(house, {"query": query})).status_code == 200  # is planned
    monkeypatch.setattr(Slices, "shared", shared)
    response = await post(house, {"query": query}, RESPONSE_JSON)
    check_graphql_error(response, 429, "RATE_LIMITED", RESPONSE_JSON)
