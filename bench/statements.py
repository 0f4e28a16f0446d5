"""Which statements the gateway sends for a document: heard from asyncpg itself, whatever the gateway does inside."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import asyncpg
from structlog.testing import capture_logs

from tests.running import running, settings_for

Recorded = tuple[str, tuple[Any, ...]]
"""SQL and its arguments."""


@dataclass(frozen=True)
class Heard:
    """One answer's data, the statements behind it, and the session's settings they are run under."""

    data: Any
    statements: list[Recorded]
    session: dict[str, str]


PATIENCE_SECONDS = 120.0
_ASYNCPGS_OWN = ("typeinfo", "set_config('jit'")
"""What tells its questions about types, asked once on a connection, from ours."""
_ONE_AT_A_TIME = asyncio.Lock()  # else each would hear the other's statements too


async def statements_of(
    dsn: str, secret: str, authorization: str, document: str, variables: Mapping[str, Any]
) -> Heard:
    """What is behind one answer of a gateway in this process, which knows the user already."""
    heard: list[Recorded] = []
    session: dict[str, str] = {}
    create_pool = asyncpg.create_pool

    def create_heard_pool(*args: Any, init: Any = None, **rest: Any) -> Any:
        async def heard_from(connection: asyncpg.Connection) -> None:
            if init:
                await init(connection)
            connection.add_query_logger(lambda record: heard.append((record.query, record.args)))

        session.update(rest.get("server_settings") or {})
        return create_pool(*args, init=heard_from, **rest)

    settings = settings_for(
        dsn, supabase_jwt_secret=secret, user_cache_seconds=30, request_timeout_seconds=PATIENCE_SECONDS, reuse="off"
    )
    async with _ONE_AT_A_TIME:
        with capture_logs(), patch("asyncpg.create_pool", create_heard_pool):
            async with running(settings, lambda: datetime.now(UTC)) as gateway:
                headers = {"Authorization": authorization}
                await gateway.http.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
                heard.clear()
                request = {"query": document, "variables": variables}
                response = await gateway.http.post("/graphql", json=request, headers=headers, timeout=PATIENCE_SECONDS)
                answer = response.json()
                if "errors" in answer:
                    raise RuntimeError(f"the gateway does not answer: {response.text}")
                return Heard(
                    answer["data"], [one for one in heard if not any(mark in one[0] for mark in _ASYNCPGS_OWN)], session
                )
