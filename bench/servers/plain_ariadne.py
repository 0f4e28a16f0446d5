"""Ariadne as it comes: its ASGI application on the gateway's own SDL, a resolver and a statement a section.

The statements are the hand-written handler's. Nothing is cached: neither documents nor tokens nor users.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ariadne import QueryType, ScalarType, make_executable_schema
from ariadne.asgi import GraphQL
from starlette.applications import Starlette
from starlette.requests import Request

from bench.servers.handler import LABELS
from bench.servers.running import run
from bench.servers.sections import SECTIONS, Answer, Asked
from bench.servers.tokens import agency_of, days_of, open_pool, today

_SDL = (Path(__file__).parents[2] / "schema.graphql").read_text("utf-8")


def _resolver(name: str) -> Any:
    async def resolve(_: Any, info: Any, filters: dict[str, Any], **_rest: Any) -> Answer:
        period = filters["period"]
        asked = Asked(info.context["agency"], *days_of(period, today()), LABELS[period])
        return await SECTIONS[name](info.context["pool"], asked)

    return resolve


async def _context(request: Request, _: Any = None) -> dict[str, Any]:
    pool = request.app.state.pool
    return {"pool": pool, "agency": await agency_of(pool, request.headers["authorization"])}


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.pool = await open_pool()
    yield
    await app.state.pool.close()


def build_app() -> Starlette:
    """The application."""
    query = QueryType()
    for name in SECTIONS:
        query.set_field(name, _resolver(name))
    scalars = [ScalarType(name, serializer=str) for name in ("Date", "UUID")]
    scalars += [
        ScalarType("DateTime", serializer=lambda moment: moment.isoformat()),
        ScalarType("BigInt", serializer=int),
    ]
    app = Starlette(lifespan=_lifespan)
    app.mount("/graphql", GraphQL(make_executable_schema(_SDL, query, *scalars), context_value=_context))
    return app


if __name__ == "__main__":
    run(build_app())
