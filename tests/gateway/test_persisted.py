"""Automatic persisted queries as Apollo's protocol has them, over POST and GET, for every agency its own numbers."""

import json
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.conftest import Postgres
from tests.doors import House, check_graphql_error, check_manners, furnished
from tests.given import token
from tests.running import running, settings_for

JSON, RESPONSE_JSON = "application/json", "application/graphql-response+json"
QUERY = "query Calls($f: ReportFilters!) { overview(filters: $f) { summary { totalCalls } } }"
VARIABLES = {"f": {"period": "TODAY"}}
THREE = {"data": {"overview": {"summary": {"totalCalls": 3}}}}

pytestmark = pytest.mark.usefixtures("versions_in_time")


@pytest.fixture
async def house(server: Postgres) -> AsyncIterator[House]:
    """One that has not been asked anything yet."""
    async with furnished(server, reuse=True, user_cache_seconds=30, graphiql=True) as house:
        await house.given.calls(house.agency, 3)
        yield house


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def persisted(text: str = QUERY, **other: Any) -> Mapping[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": hash_of(text), **other}}


async def ask(house: House, method: str = "POST", user: UUID | None = None, **asked: Any) -> httpx2.Response:
    """A request without a document, unless `query` is among what is asked."""
    accept = asked.pop("accept", JSON)
    headers = {"Authorization": f"Bearer {token(user or house.owner)}", "Accept": accept}
    if method == "POST":
        return await house.gateway.http.post("/graphql", json=asked, headers=headers)
    params = {name: value if isinstance(value, str) else json.dumps(value) for name, value in asked.items()}
    return await house.gateway.http.request(method, "/graphql", params=params, headers=headers)


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_document_is_sent_once_and_then_named_by_its_hash(house: House, method: str) -> None:
    by_hash = {"variables": VARIABLES, "operationName": "Calls", "extensions": persisted()}
    for media_type in (JSON, RESPONSE_JSON):
        answer = await ask(house, method, **by_hash, accept=media_type)
        assert answer.status_code == 200
        check_manners(answer, media_type)
        assert answer.headers["cache-control"] == "private, no-store"
        (error,) = answer.json()["errors"]
        assert set(answer.json()) == {"errors"}
        assert error["message"] == "PersistedQueryNotFound"
        assert error["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
    assert (await ask(house, method, query=QUERY, **by_hash)).json() == THREE
    for named in ("POST", "GET", "GET", "HEAD"):
        answer = await ask(house, named, **by_hash)
        assert answer.status_code == 200
        assert named == "HEAD" or answer.json() == THREE


async def test_what_is_named_by_its_hash_is_given_again_and_read_anew_when_something_changed(house: House) -> None:
    by_hash = {"variables": VARIABLES, "extensions": persisted()}
    await ask(house, query=QUERY, **by_hash)
    for method in ("GET", "POST"):
        first, again = [await ask(house, method, **by_hash) for _ in range(2)]
        assert "reuse;" not in first.headers["server-timing"]
        assert "reuse;" in again.headers["server-timing"]
    etag = (await ask(house, "GET", **by_hash)).headers["etag"]
    await house.given.call(house.agency)
    answer = await ask(house, "GET", **by_hash)
    assert answer.json()["data"]["overview"]["summary"]["totalCalls"] == 4
    assert answer.headers["etag"] != etag


async def test_that_a_hash_is_not_known_is_not_given_again(house: House) -> None:
    by_hash = {"variables": VARIABLES, "extensions": persisted()}
    for _ in range(3):
        assert (await ask(house, "GET", **by_hash)).json()["errors"][0]["message"] == "PersistedQueryNotFound"
    await ask(house, query=QUERY, variables=VARIABLES, extensions=persisted())
    assert (await ask(house, "GET", **by_hash)).json() == THREE


async def test_who_names_anothers_document_sees_their_own_numbers(house: House) -> None:
    other = await house.given.user(await house.given.agency())
    by_hash = {"variables": VARIABLES, "extensions": persisted()}
    assert (await ask(house, query=QUERY, **by_hash)).json() == THREE
    for method in ("POST", "GET", "POST", "GET"):
        answer = (await ask(house, method, other, **by_hash)).json()
        assert answer == {"data": {"overview": {"summary": {"totalCalls": 0}}}}
        assert (await ask(house, method, **by_hash)).json() == THREE
    # Nobody names anything without a token.
    answer = await house.gateway.http.post("/graphql", json=by_hash)
    check_graphql_error(answer, 401, "UNAUTHENTICATED")


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_hash_that_is_not_the_documents_is_refused_and_not_remembered(house: House, method: str) -> None:
    for wrong in (hash_of("{ __typename }"), hash_of(QUERY).upper(), "", "x" * 20_000):
        extensions = persisted(sha256Hash=wrong)
        answer = await ask(house, method, query=QUERY, variables=VARIABLES, extensions=extensions)
        words = check_graphql_error(answer, 400, "PERSISTED_QUERY_HASH_MISMATCH")
        assert words == "provided sha does not match query"
    answer = await ask(house, method, extensions=persisted("{ __typename }"))
    assert answer.json()["errors"][0]["message"] == "PersistedQueryNotFound"


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_another_way_to_persist_is_not_supported(house: House, method: str) -> None:
    for named in (
        {"sha256Hash": hash_of(QUERY)}, {**persisted()["persistedQuery"], "version": 2},
        {**persisted()["persistedQuery"], "version": "1"}, [1], "x",
    ):  # fmt: skip
        for query in ({}, {"query": QUERY}):
            answer = await ask(house, method, extensions={"persistedQuery": named}, **query)
            words = check_graphql_error(answer, 200, "PERSISTED_QUERY_NOT_SUPPORTED")
            assert words == "PersistedQueryNotSupported"
    answer = await ask(house, method, extensions={"persistedQuery": {"version": 1, "sha256Hash": 5}})
    assert "sha256Hash" in check_graphql_error(answer, 400, "BAD_REQUEST")
    for extensions in ({"persistedQuery": None}, {}):
        check_graphql_error(await ask(house, method, extensions=extensions), 400, "BAD_REQUEST")
        answer = await ask(house, method, query=QUERY, variables=VARIABLES, extensions=extensions)
        assert answer.json() == THREE


async def test_a_document_that_is_not_good_is_not_found_by_its_hash(house: House) -> None:
    for bad in ("{ nothing }", "{", "mutation { x }"):
        answer = await ask(house, query=bad, extensions=persisted(bad))
        code = answer.json()["errors"][0]["extensions"]["code"]
        assert not code.startswith("PERSISTED")
        answer = await ask(house, extensions=persisted(bad))
        assert answer.json()["errors"][0]["message"] == "PersistedQueryNotFound"


async def test_a_browser_that_follows_an_address_with_a_hash_gets_no_explorer(house: House) -> None:
    headers = {"Accept": "text/html,*/*;q=0.8", "Authorization": f"Bearer {token(house.owner)}"}
    params = {"extensions": json.dumps(persisted())}
    answer = await house.gateway.http.get("/graphql", params=params, headers=headers)
    check_graphql_error(answer, 200, "PERSISTED_QUERY_NOT_FOUND")


async def test_what_does_not_fit_in_memory_is_asked_for_again_each_time(house: House) -> None:
    async with running(settings_for(house.database.dsn, graphql_remembered_bytes=0)) as gateway:
        small = House(gateway, house.database, house.given, house.agency, house.owner)
        for _ in range(2):
            by_hash = {"variables": VARIABLES, "extensions": persisted()}
            assert (await ask(small, **by_hash)).json()["errors"][0]["message"] == "PersistedQueryNotFound"
            assert (await ask(small, query=QUERY, **by_hash)).json() == THREE
