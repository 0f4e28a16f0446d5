"""The application: the parts joined into what a server runs."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import orjson
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import graphql_http, timing
from gateway.answers import Answers
from gateway.auth import Authenticator
from gateway.compression import Compression
from gateway.context import Gate
from gateway.documents import Known
from gateway.door import Door
from gateway.errors import headers_of, old_json, status_of
from gateway.graphql_http import GraphQLEndpoint
from gateway.health import health
from gateway.keys import KeySet
from gateway.pages import Pages
from gateway.published import Published
from gateway.replicas import Nodes
from gateway.schema import Schema, build_schema
from gateway.settings import Settings
from gateway.versions import Versions
from resolvers.errors import AnalyticsError
from rest_compat.openapi import document
from rest_compat.routes import routes


def create_app(settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> ASGIApp:
    """The gateway over the database and issuer that the settings name. `now` tells the time, in UTC."""
    nodes = Nodes(settings, on_read=partial(timing.add, "read"))
    keys = KeySet(settings.jwks_url) if settings.jwks_url else None
    gate = Gate(settings, Authenticator(settings, keys, nodes.primary), nodes, now)
    pages = Pages(settings)
    schema = build_schema([Known])
    endpoint = GraphQLEndpoint(schema, gate, pages, settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await nodes.open()
        try:
            yield
        finally:
            await nodes.close()
            if keys:
                await keys.close()

    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        exception_handlers={
            AnalyticsError: _old_error,
            HTTPException: _old_error,
            Exception: _old_error,
        },
    )
    app.include_router(routes(lambda request: gate.admit(request.scope)))
    app.router.routes.extend([*health(nodes.primary), *pages.routes(), *_published(settings, schema)])

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        """GraphQL needs nothing of FastAPI, whose layers would cost it more than a small answer does."""
        asked = scope["type"] == "http" and scope["path"] == graphql_http.PATH
        await (endpoint if asked else app)(scope, receive, send)

    answers = Answers(routed, gate, Versions(nodes.primary, settings.reuse_seconds), settings)
    return Door(Compression(answers), answers.at_hand, settings)


def _published(settings: Settings, schema: Schema) -> list[Route]:
    """What programs are told of both doors."""
    openapi = Published(lambda: orjson.dumps(document()), "application/json")
    routes = [Route("/openapi.json", openapi, methods=["GET"], include_in_schema=False)]
    if settings.shows_schema:
        sdl = Published(lambda: schema.as_str().encode(), "text/plain; charset=utf-8")
        routes.append(Route("/schema.graphql", sdl, methods=["GET"], include_in_schema=False))
    return routes


async def _old_error(request: Request, error: Exception) -> Response:
    """Errors of everything but GraphQL, which words its own."""
    return Response(
        orjson.dumps(old_json(error, request.state.request_id, request.scope["path"])),
        status_code=status_of(error),
        headers=headers_of(error),
        media_type="application/json",
    )
