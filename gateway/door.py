"""The outermost layer: every request gets an id, a time limit, CORS headers and a line in the log, whatever happens."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from time import perf_counter
from uuid import uuid4

import orjson
import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import graphql_http, timing
from gateway.errors import OLD_ALLOWED, headers_of, old_json, status_of, whole_request
from gateway.settings import Settings
from resolvers.errors import TimedOut

log = structlog.get_logger()

ALLOWED_HEADERS = (
    "authorization, x-client-info, apikey, content-type, x-retry-count, traceparent, tracestate, baggage, x-region, "
    "x-request-id"
)
"""What supabase-js sends, and our own; a browser asks before it sends any of them."""
EXPOSED_HEADERS = "retry-after, server-timing, x-request-id"
PREFLIGHT_SECONDS = 86_400

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class Door:
    """Wraps the whole application, its error handling included."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        stops = timing.begin()
        status = 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                answer = MutableHeaders(scope=message)
                answer["X-Request-Id"] = request_id
                answer["X-Content-Type-Options"] = "nosniff"
                answer.setdefault("Cache-Control", "private, no-store")
                answer["Server-Timing"] = timing.header({**stops, "total": perf_counter() - started})
                self._allow(headers.get("origin"), answer)
            await send(message)

        try:
            async with asyncio.timeout(self._settings.request_timeout_seconds):
                if scope["method"] == "OPTIONS" and _is_api(scope["path"]):
                    await _preflight(scope["path"])(scope, receive, send_on)
                else:
                    await self._app(scope, receive, send_on)
        except TimeoutError:
            error = TimedOut(f"the answer took longer than {self._settings.request_timeout_seconds:g} s")
            if not status:
                await _stopped(error, scope["path"], request_id)(scope, receive, send_on)
        except Exception as error:  # noqa: BLE001  the last place that can still answer
            if not status:
                await _stopped(error, scope["path"], request_id)(scope, receive, send_on)
        finally:
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                milliseconds=round((perf_counter() - started) * 1000, 2),
            )

    def _allow(self, origin: str | None, answer: MutableHeaders) -> None:
        allowed = self._settings.cors_origins
        if "*" in allowed:
            answer["Access-Control-Allow-Origin"] = "*"
        else:
            answer.add_vary_header("Origin")
            if origin in allowed:
                answer["Access-Control-Allow-Origin"] = origin
        answer["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
        answer["Access-Control-Expose-Headers"] = EXPOSED_HEADERS


def _is_api(path: str) -> bool:
    return path == graphql_http.PATH or path.startswith("/functions/v1/")


def _preflight(path: str) -> Response:
    methods = graphql_http.ALLOWED if path == graphql_http.PATH else OLD_ALLOWED
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
            "Content-Type": "application/json",
        },
    )


def _stopped(error: Exception, path: str, request_id: str) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    in_graphql = path == graphql_http.PATH
    body = whole_request(error, request_id) if in_graphql else old_json(error, request_id, path.rpartition("/")[2])
    return Response(
        orjson.dumps(body), status_code=status_of(error), headers=headers_of(error), media_type="application/json"
    )
