"""What pages of other origins may do: send the headers that their clients have, and read every answer, even errors."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from gateway.cors import ALLOWED_HEADERS
from tests.conftest import Postgres
from tests.doors import REPORTS, SUPABASE_SENDS, House, furnished
from tests.given import token
from tests.running import running, settings_for

ORIGIN = "https://dashboard.example.com"
TOTAL = "{ overview { summary { totalCalls } } }"
PATHS = ("/graphql", "/graphql/", *(f"/functions/v1/dashboard-{report}" for report in REPORTS))
ELSEWHERE = (
    "/",
    "/functions/v1/dashboard-sales",
    "/openapi.json",
    "/schema.graphql",
    "/livez",
    "/metrics",
    "/assets/x.js",
)
CLIENTS_SEND = (
    "apollographql-client-name,apollographql-client-version,content-type",
    "apollo-require-preflight, x-apollo-operation-name, authorization",
    "X-Graphql-Client-Name, X-GraphQL-Client-Version",
    "sentry-trace,baggage,traceparent",
    "x-datadog-origin,x-datadog-parent-id,x-datadog-sampling-priority,x-datadog-trace-id,newrelic",
    "cache-control,if-none-match,pragma,x-request-id,x-csrf-token,x-api-version,idempotency-key",
    "a",
    "!#$%&'*+.^_`|~-1",
    ",".join(f"x-{number}" for number in range(400)),
)
"""Whatever a browser asks for: names in small letters, in order, separated by commas."""


@pytest.fixture(scope="module")
async def house(server: Postgres) -> AsyncIterator[House]:
    async with furnished(server) as house:
        yield house


async def preflight(http: httpx2.AsyncClient, path: str, asked: str | bytes | None, **headers: str) -> httpx2.Response:
    """What a browser sends ahead."""
    sent: dict[str, Any] = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", **headers}
    if asked is not None:
        sent["Access-Control-Request-Headers"] = asked
    response = await http.options(path, headers=sent)
    assert (response.status_code, response.content) == (204, b"")
    return response


def names(response: httpx2.Response, header: str) -> set[str]:
    """A list in a header, as names are compared."""
    return {name.strip().lower() for name in response.headers[header].split(",")}


@pytest.mark.parametrize("asked", CLIENTS_SEND)
async def test_a_preflight_allows_the_headers_that_a_client_has(house: House, asked: str) -> None:
    for path in (*PATHS, *ELSEWHERE):
        response = await preflight(house.gateway.http, path, asked)
        allowed = names(response, "access-control-allow-headers")
        assert allowed >= {name.strip().lower() for name in asked.split(",")}
        assert allowed >= SUPABASE_SENDS
        assert response.headers["access-control-allow-origin"] == "*"
        # What a cache keeps of one client's must not be shown to another.
        assert "access-control-request-headers" in names(response, "vary")
        assert int(response.headers["access-control-max-age"]) > 0


@pytest.mark.parametrize(
    "asked",
    [
        None, "", ",", ", ,", "a b", "x-good, x bad", "a:b", "a;b", "<script>", '"', "(x)", "[x]", "{}", "a=b", "x\\y",
        b"\xff\xfe", "\N{LATIN SMALL LETTER E WITH ACUTE}".encode(), b"x-\x80", "a\tb", "x/y", "@",
        ",".join(f"x-{number}" for number in range(4_000)), "x" * 4_001, "," * 20_000,
    ],
)  # fmt: skip
async def test_what_is_no_list_of_header_names_is_not_repeated(house: House, asked: str | bytes | None) -> None:
    for path in (PATHS[0], PATHS[2], "/nothing"):
        response = await preflight(house.gateway.http, path, asked)
        assert response.headers["access-control-allow-headers"] == ALLOWED_HEADERS


async def test_a_preflight_names_the_methods_of_the_path(house: House) -> None:
    for path in (*PATHS, *ELSEWHERE):
        for method in ("GET", "POST", "DELETE", "NONSENSE", ""):
            headers = {"Access-Control-Request-Method": method}
            response = await preflight(house.gateway.http, path, None, **headers)
            expected = {"get", "head", "options"} | ({"post"} if "graphql" in path and "schema" not in path else set())
            assert names(response, "access-control-allow-methods") == expected
            assert names(response, "allow") == expected


async def test_options_without_an_origin_says_the_same(house: House) -> None:
    for path in (*PATHS, *ELSEWHERE):
        response = await house.gateway.http.options(path)
        assert response.status_code == 204
        assert "GET" in response.headers["allow"]
        assert response.headers["access-control-allow-headers"] == ALLOWED_HEADERS


async def test_only_listed_origins_are_allowed_to_send_or_to_read(house: House) -> None:
    asked = "apollographql-client-name"
    async with running(settings_for(house.database.dsn, cors_origins=ORIGIN)) as gateway:
        for path in PATHS:
            response = await preflight(gateway.http, path, asked)
            assert response.headers["access-control-allow-origin"] == ORIGIN
            assert response.headers["timing-allow-origin"] == ORIGIN
            assert {"origin", "access-control-request-headers"} <= names(response, "vary")
            for other in ("https://evil.example.org", "null", f"{ORIGIN}.evil.org"):
                response = await preflight(gateway.http, path, asked, Origin=other)
                assert "access-control-allow-origin" not in response.headers
                assert "timing-allow-origin" not in response.headers
                assert {"origin", "access-control-request-headers"} <= names(response, "vary")


async def every_kind(house: House) -> dict[int, httpx2.Response]:
    """An answer of each status, by status."""
    known = {"Authorization": f"Bearer {token(house.owner)}", "Origin": ORIGIN}
    expired = {"Authorization": f"Bearer {token(house.owner, expires_in=timedelta(hours=-1))}", "Origin": ORIGIN}
    homeless = {"Authorization": f"Bearer {token(await house.given.user(None))}", "Origin": ORIGIN}
    json = {**known, "Content-Type": "application/json"}
    http, path = house.gateway.http, PATHS[2]
    good = await http.get(path, headers=known)
    answers = [
        good,
        await http.get(path, headers={**known, "If-None-Match": good.headers["etag"]}),
        await http.get(path, params={"period": "1d"}, headers=known),
        await http.get(path, headers=expired),
        await http.get(path, headers=homeless),
        await http.get("/nothing", headers=known),
        await http.put(path, headers=known),
        await http.post("/graphql", content=b"x" * 200_000, headers=json),
        await http.post("/graphql", content=b"x", headers=known),
    ]
    async with running(settings_for(house.database.dsn, rate_limit="1/hour")) as strict:
        answers += [await strict.http.get(path, headers=known) for _ in range(2)]
    async with running(settings_for(house.database.dsn.replace("gateway_test", "gateway_gone"))) as away:
        answers.append(await away.http.get(path, headers=known))
        answers.append(await away.http.post("/graphql", json={"query": TOTAL}, headers=known))
    return {answer.status_code: answer for answer in answers}


async def test_a_page_may_read_every_answer_whatever_its_status(house: House) -> None:
    answers = await every_kind(house)
    assert set(answers) == {200, 304, 400, 401, 403, 404, 405, 413, 415, 429, 503}
    for status, answer in answers.items():
        assert answer.headers["access-control-allow-origin"] == "*", status
        # Without it a page's own measurements have no Server-Timing.
        assert answer.headers["timing-allow-origin"] == "*", status
        readable = names(answer, "access-control-expose-headers")
        telling = {"allow", "etag", "retry-after", "server-timing", "www-authenticate", "x-request-id"}
        assert {name for name in telling if name in answer.headers} <= readable, status
        assert "access-control-allow-credentials" not in answer.headers
