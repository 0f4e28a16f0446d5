"""A gateway that really listens, and a client for its two doors."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx2
import uvicorn

from gateway.app import create_app
from gateway.serve import http_config
from gateway.settings import Settings, read_settings
from tests.given import NOW, SECRET, token
from tests.waiting import LONG, PATIENCE, until


class Running:
    """One gateway, reached over HTTP on loopback."""

    def __init__(self, http: httpx2.AsyncClient, settings: Settings) -> None:
        self.http = http
        self.settings = settings

    async def get(self, report: str, user: UUID, **params: Any) -> httpx2.Response:
        """A legacy endpoint's answer."""
        headers = {"Authorization": f"Bearer {token(user)}"}
        return await self.http.get(f"/functions/v1/dashboard-{report}", params=params, headers=headers)

    async def rest(self, report: str, user: UUID, **params: Any) -> Any:
        """The JSON of a legacy endpoint's good answer."""
        response = await self.get(report, user, **params)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, query: str, user: UUID, **rest: Any) -> httpx2.Response:
        """GraphQL's answer."""
        headers = {"Authorization": f"Bearer {token(user)}", **rest.pop("headers", {})}
        return await self.http.post("/graphql", json={"query": query, **rest}, headers=headers)

    async def graphql(self, query: str, user: UUID, **variables: Any) -> Any:
        """The data of GraphQL's answer, which must have no errors."""
        response = await self.post(query, user, variables=variables)
        answer = response.json()
        assert "errors" not in answer, answer
        return answer["data"]


def settings_for(dsn: str, **given: Any) -> Settings:
    """Settings of a gateway under test: nothing of the environment but PostgreSQL's address matters."""
    defaults: Mapping[str, Any] = {
        "supabase_jwt_secret": SECRET,
        "user_cache_seconds": 0,
        "reuse": os.environ.get("TEST_REUSE", "on"),
        "reuse_seconds": 0,
        "reuse_max_age_seconds": LONG,
        "rate_limit": "off",
        "request_timeout_seconds": PATIENCE / 2,
        "introspection": True,
        "log_level": "info",
    }
    return read_settings(**{**defaults, "database_url": dsn, **given})


@asynccontextmanager
async def running(settings: Settings, now: Callable[[], datetime] = lambda: NOW) -> AsyncIterator[Running]:
    """Serves until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # asyncio's own servers set it; for a listener that is handed over nobody does, and small answers would wait.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = uvicorn.Server(http_config(create_app(settings, now), settings))
        serving = asyncio.create_task(server.serve([listener]))
        await until(lambda: server.started or serving.done())
        assert server.started, serving.result()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            async with httpx2.AsyncClient(base_url=address, timeout=PATIENCE) as http:
                yield Running(http, settings)
        finally:
            server.should_exit = True
            await serving
