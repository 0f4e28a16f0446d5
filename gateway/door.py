"""The outermost layer: every request gets an id, a time limit, CORS headers and a line in the log, whatever happens."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from random import getrandbits
from time import perf_counter

import orjson
import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import graphql_http, logs, timing
from gateway.compression import Headers
from gateway.cors import Cors, preflight
from gateway.deadlines import Deadlines
from gateway.errors import headers_of, old_json, status_of, whole_request
from gateway.kept import Answer
from gateway.settings import Settings
from resolvers.errors import TimedOut

log = structlog.get_logger()

CLIENT_GONE = 499
"""What the log says of a request whose client left before it was answered, as nginx has it."""

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class Door:
    """Wraps the whole application, its error handling included; asks it only for what is not at hand."""

    def __init__(
        self,
        app: ASGIApp,
        at_hand: Callable[[Scope, Mapping[bytes, bytes], Receive], Awaitable[Answer | None]],
        settings: Settings,
    ) -> None:
        self._app = app
        self._at_hand = at_hand
        self._settings = settings
        self._deadlines = Deadlines(settings.request_timeout_seconds)
        self._logs = settings.log_level in ("debug", "info")
        self._cors = Cors(settings)
        self._always = [(b"x-content-type-options", b"nosniff"), *self._cors.always]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        # What old clients and some of GraphQL's write at the end means nothing.
        if (path := scope["path"]).endswith("/") and len(path) > 1:
            scope = {**scope, "path": path[:-1]}
        headers = dict(reversed(scope["headers"]))  # the first of several counts
        request_id = _id_of(headers.get(b"x-request-id"))
        state = scope.setdefault("state", {})
        stops: dict[str, float] = {}
        status = 0

        def send_on(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = message["headers"]
                if b"cache-control" not in dict(own):
                    own = [*own, (b"cache-control", b"private, no-store")]
                stops["total"] = perf_counter() - started
                message["headers"] = self._completed(own, scope, headers, request_id, timing.header(stops))
            return send(message)

        try:
            with self._deadlines.deadline(state.get("arrived")):
                if (answer := await self._at_hand(scope, headers, receive)) is not None:
                    status, own, body = answer.to(headers)
                    took = f"{(perf_counter() - started) * 1000:.2f}"
                    timings = f"reuse;dur={took}, total;dur={took}"
                    complete = self._completed(own, scope, headers, request_id, timings)
                    await send({"type": "http.response.start", "status": status, "headers": complete})
                    await send({"type": "http.response.body", "body": body})
                    return
                state.update(request_id=request_id, headers=headers)
                logs.request_id.set(request_id)
                timing.begin(stops)
                if scope["method"] == "OPTIONS":
                    await preflight(scope["path"], headers)(scope, receive, send_on)
                else:
                    await self._app(scope, receive, send_on)
        except TimeoutError:
            error = TimedOut(f"the answer took longer than {self._settings.request_timeout_seconds:g} s")
            if not status:
                await _stopped(error, scope["path"], request_id)(scope, receive, send_on)
        except Exception as error:  # noqa: BLE001  the last place that can still answer
            if not status:
                await _stopped(error, scope["path"], request_id)(scope, receive, send_on)
        except asyncio.CancelledError:
            status = status or CLIENT_GONE
            raise
        finally:
            if self._logs:
                logs.request_id.set(request_id)
                milliseconds = round((perf_counter() - started) * 1000, 2)
                log.info(
                    "request", method=scope["method"], path=scope["path"], status=status, milliseconds=milliseconds
                )

    def _completed(
        self, own: Headers, scope: Scope, asked: Mapping[bytes, bytes], request_id: str, timings: str
    ) -> Headers:
        """The headers of an answer with those that every answer has."""
        return [
            *own,
            *self._always,
            (b"x-request-id", request_id.encode()),
            (b"server-timing", timings.encode()),
            *self._cors.of(scope["method"], scope["path"], asked),
        ]


def _id_of(given: bytes | None) -> str:
    if given and _REQUEST_ID.fullmatch(given):
        return given.decode()
    # An id tells requests apart and is no secret, so that it need not be asked of the system.
    return f"{getrandbits(128):032x}"


def _stopped(error: Exception, path: str, request_id: str) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    in_graphql = path == graphql_http.PATH
    body = whole_request(error, request_id) if in_graphql else old_json(error, request_id, path)
    return Response(
        orjson.dumps(body), status_code=status_of(error), headers=headers_of(error), media_type="application/json"
    )
