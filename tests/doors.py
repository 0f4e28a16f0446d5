"""What the tests of the two doors share: a furnished database with a gateway on it, and what every answer carries."""

import os
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import httpx2

from tests.conftest import _TEMPLATE, Database, Postgres, _fresh
from tests.given import Given
from tests.running import Running, running, settings_for

REPORTS = ("overview", "timeseries", "funnel", "campaigns", "quality", "heatmap", "objections")
SUPABASE_SENDS = {
    "authorization",
    "x-client-info",
    "apikey",
    "content-type",
    "x-retry-count",
    "traceparent",
    "x-region",
}


@dataclass(frozen=True)
class House:
    """A gateway over a database of its own, in which one agency has an owner."""

    gateway: Running
    database: Database
    given: Given
    agency: UUID
    owner: UUID

    async def get(self, report: str, **params: Any) -> httpx2.Response:
        """A legacy endpoint's answer to the owner."""
        return await self.gateway.get(report, self.owner, **params)

    async def rest(self, report: str, **params: Any) -> Any:
        """The JSON of a legacy endpoint's good answer to the owner."""
        return await self.gateway.rest(report, self.owner, **params)

    async def post(self, query: str, **rest: Any) -> httpx2.Response:
        """GraphQL's answer to the owner."""
        return await self.gateway.post(query, self.owner, **rest)


@asynccontextmanager
async def furnished(server: Postgres, **settings: Any) -> AsyncIterator[House]:
    """For a whole module: its tests keep apart by agency, or leave the facts as they are."""
    async with aclosing(_fresh(server, os.environ[_TEMPLATE])) as databases:
        database = await anext(databases)
        connection = await asyncpg.connect(database.dsn)
        given = Given(connection)
        agency = await given.agency()
        owner = await given.user(agency)
        async with running(settings_for(database.dsn, **settings)) as gateway:
            yield House(gateway, database, given, agency, owner)
        await connection.close()


def check_manners(response: httpx2.Response, media_type: str = "application/json") -> None:
    """CORS, the media type and the request's id are on every answer, whatever it says."""
    headers = response.headers
    assert headers["access-control-allow-origin"] == "*"
    # Only a preflight's is read; the old door always had it.
    if response.request.method == "OPTIONS" or response.request.url.path != "/graphql":
        assert {name.strip() for name in headers["access-control-allow-headers"].split(",")} >= SUPABASE_SENDS
    else:
        assert "access-control-allow-headers" not in headers
    assert {name.strip() for name in headers["access-control-expose-headers"].split(",")} >= {
        "retry-after",
        "x-request-id",
    }
    assert headers["content-type"] == media_type
    assert headers["x-request-id"]


def check_error(response: httpx2.Response, status: int) -> str:
    """An error of the old door: its status, its exact shape. Gives the words."""
    assert response.status_code == status, response.text
    check_manners(response)
    body = response.json()
    assert set(body) == ({"error", "details"} if status == 500 else {"error"})
    assert all(isinstance(words, str) and words for words in body.values())
    return body["error"]


def check_graphql_error(response: httpx2.Response, status: int, code: str, media_type: str = "application/json") -> str:
    """A GraphQL answer that is nothing but one error with this code and the request's id. Gives the words."""
    assert response.status_code == status, response.text
    check_manners(response, media_type)
    body = response.json()
    assert set(body) == {"errors"}
    (error,) = body["errors"]
    shown = {"code": code, "requestId": response.headers["x-request-id"]}
    if "retry-after" in response.headers:
        shown["retryAfter"] = int(response.headers["retry-after"])
    assert error["extensions"] == shown
    assert set(error) <= {"message", "extensions", "locations", "path"}
    return error["message"]
