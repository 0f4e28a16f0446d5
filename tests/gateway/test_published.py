"""What the gateway says of itself to programs, and what there is instead where it does not."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from gateway.printed import ROOT
from tests.conftest import Database
from tests.doors import check_error
from tests.given import Given, token
from tests.running import running, settings_for

SCHEMA = (ROOT / "schema.graphql").read_text("utf-8").removesuffix("\n")


@pytest.mark.parametrize(
    ("settings", "is_shown"),
    [
        ({"introspection": True}, True),
        ({"introspection": False}, False),
        ({"introspection": False, "sdl": True}, True),
        ({"introspection": True, "sdl": False}, False),
        ({"introspection": False, "graphiql": True}, False),
    ],
)
async def test_the_schema_has_an_address_where_it_may_be_seen(
    database: Database, settings: Mapping[str, Any], is_shown: bool
) -> None:
    async with running(settings_for(database.dsn, **settings)) as gateway:
        for path in ("/schema.graphql", "/schema.graphql/"):
            answer = await gateway.http.get(path)
            if not is_shown:
                words = check_error(answer, 404)
                assert "SDL=on" in words
                assert "INTROSPECTION=on" in words
                continue
            assert (answer.status_code, answer.text) == (200, SCHEMA)
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
            assert answer.headers["cache-control"] == "no-cache"
            again = await gateway.http.get(path, headers={"If-None-Match": answer.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
        check_error(await gateway.http.post("/schema.graphql"), 405 if is_shown else 404)


async def test_openapi_is_what_the_repository_shows(database: Database) -> None:
    async with running(settings_for(database.dsn)) as gateway:
        answer = await gateway.http.get("/openapi.json")
        assert answer.headers["content-type"] == "application/json"
        printed = (ROOT / "openapi.json").read_bytes()
        assert answer.json() == json.loads(printed)


async def test_a_dashboard_that_is_off_says_so(database: Database) -> None:
    async with running(settings_for(database.dsn, dashboard=False)) as gateway:
        words = check_error(await gateway.http.get("/"), 404)
        assert "DASHBOARD=off" in words
        assert "/graphql" in words


@pytest.mark.usefixtures("versions_in_time")
async def test_graphql_with_a_slash_is_graphql(database: Database, given: Given) -> None:
    agency = await given.agency()
    await given.calls(agency, 2)
    known = {"Authorization": f"Bearer {token(await given.user(agency))}"}
    query = "{ overview { summary { totalCalls } } }"
    expected = {"data": {"overview": {"summary": {"totalCalls": 2}}}}
    async with running(settings_for(database.dsn, graphiql=True)) as gateway:
        for reuse in (False, True):  # computed, and kept under the same key
            posted = await gateway.http.post("/graphql/", json={"query": query}, headers=known)
            assert (posted.status_code, posted.json()) == (200, expected)
            assert ("reuse;" in posted.headers["server-timing"]) is reuse
            await gateway.http.post("/graphql", json={"query": query}, headers=known)
        got = await gateway.http.get("/graphql/", params={"query": query}, headers=known)
        assert got.json() == expected
        assert "errors" in (await gateway.http.post("/graphql/", json={"query": query})).json()
        explorer = await gateway.http.get("/graphql/", headers={"Accept": "text/html"})
        assert "text/html" in explorer.headers["content-type"] or "not part of this installation" in explorer.text
