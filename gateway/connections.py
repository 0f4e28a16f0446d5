"""Connections that hold nothing up: bounded in number, a head in bytes and time, and no work for clients that left."""

import asyncio
import resource
from collections import Counter
from collections.abc import Hashable
from functools import partial
from http import HTTPStatus
from time import monotonic
from typing import Any

import httptools
import orjson
import structlog
from starlette.types import Message, Receive, Scope, Send
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.settings import Settings

log = structlog.get_logger()

MOST_HEADERS = 200
"""A browser sends some 20, and proxies add as many."""
MOST_PIPELINED = 100
"""Requests that a client may send before it has heard the answer to the first of them."""
MOST_UNTAKEN_BYTES = 64 * 2**20
"""Of answers that their clients have not taken yet, in all; most take one at once."""
LINGER_SECONDS = 10.0
"""How long the rest of a body that was answered before its end is read, or the client would not see the answer."""
STALLED_SECONDS = 10.0
"""A client that takes nothing of its answer for so long has gone."""
FILES_BESIDE = 64
"""Open files that a process needs beside connections: logs, listeners, the event loop's own."""
LOG_PAUSE_SECONDS = 10.0
"""Between two lines in the log about the same bound."""


class Bounds:
    """What all connections of a process share."""

    def __init__(self, settings: Settings) -> None:
        self.max_head_bytes = settings.http_max_head_bytes
        self.head_seconds = settings.http_head_seconds
        pools = settings.database_pool_size * (1 + len(settings.database_replica_urls))
        beside = pools + FILES_BESIDE
        files = _files(settings.http_max_connections + beside) - beside
        self.max_connections = max(1, min(settings.http_max_connections, files))
        if files < settings.http_max_connections:
            log.warning("connections.fewer", most=self.max_connections, reason="this process may open no more files")
        self.waiting: dict[Connection, None] = {}
        """Those that wait for their client to ask, or to end what it asks; the one that has waited longest first."""
        self.untaken: dict[Connection, None] = {}
        """Those whose client takes its answer slower than it is given."""
        self._said: dict[str, tuple[float, int]] = {}

    def drop_untaken(self) -> None:
        """Where too much waits to be taken, ends the largest of whoever leaves most."""
        left = {each: each.transport.get_write_buffer_size() for each in self.untaken}
        total = sum(left.values())
        while total > MOST_UNTAKEN_BYTES:
            by_user = Counter[Hashable]()
            for each, size in left.items():
                by_user[each.asked_by] += size
            ((user, _),) = by_user.most_common(1)
            largest = max((each for each in left if each.asked_by == user), key=left.__getitem__)
            self.note("answers that are not taken", client=largest.client)
            largest.transport.abort()
            self.untaken.pop(largest)
            total -= left.pop(largest)

    def note(self, bound: str, **details: object) -> None:
        """Logs that a bound was met, each at most once in a while, with how often that was since."""
        said_at, unsaid = self._said.get(bound, (-LOG_PAUSE_SECONDS, 0))
        if monotonic() - said_at >= LOG_PAUSE_SECONDS:
            log.warning("connection.bound", bound=bound, times=unsaid + 1, **details)
            self._said[bound] = monotonic(), 0
        else:
            self._said[bound] = said_at, unsaid + 1


class _Flow(FlowControl):
    """Reads nothing on while requests wait, which uvicorn does as soon as the one before them asks for its body."""

    def __init__(self, connection: "Connection") -> None:
        super().__init__(connection.transport)
        self._connection = connection

    def resume_reading(self) -> None:
        if not self._connection.pipeline:
            super().resume_reading()


class Connection(HttpToolsProtocol):
    """One client's connection. Of uvicorn's own, which bounds neither a head nor what a departed client asked for."""

    def __init__(self, bounds: Bounds, **given: Any) -> None:
        super().__init__(**given)
        self._bounds = bounds
        self._application, self.app = self.app, self._answer
        self._task: asyncio.Task[Any] | None = None
        self._answered: RequestResponseCycle | None = None
        """What is answered, or was last; uvicorn knows which was read last."""
        self._is_lost = False
        self._unread = 0
        """Bytes that came since the last that was understood: a head, or a part of a body."""
        self._came = self._came_before = 0
        """Bytes of the last two reads: no head that began in them is longer, unless it is all that is unread."""
        self._is_in_head = False
        self._is_whole = True
        """Whether the message has ended that was begun last."""
        self._refusal: HTTPStatus | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._rest_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes a client in, in place of the one that has been waited for longest where there are too many."""
        super().connection_made(transport)
        self.flow = _Flow(self)
        bounds = self._bounds
        if len(self.connections) > bounds.max_connections:
            bounds.note("connections", most=bounds.max_connections, client=self.client)
            if not bounds.waiting:
                self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
                return
            next(iter(bounds.waiting)).make_room()
        bounds.waiting[self] = None
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.make_room)

    def make_room(self) -> None:
        """Ends a connection that waits for its client."""
        self._bounds.waiting.pop(self, None)
        self.connections.discard(self)
        # What the client does not take is not waited for.
        self.transport.abort() if self.transport.get_write_buffer_size() else self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Gives up what the client has asked for and will not hear."""
        self._is_lost = True
        self._bounds.waiting.pop(self, None)
        self._bounds.untaken.pop(self, None)
        for timer in (self._head_timer, self._rest_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)
        if self._answered is not None:
            self._answered.disconnected = True
            self._answered.message_event.set()
        self._unset_keepalive_if_required()
        self.pipeline.clear()
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Reads on."""
        self._came_before, self._came = self._came, len(data)
        self._unread += self._came
        super().data_received(data)
        if not self._unread or self.transport.is_closing():
            return
        if self._unread > self._bounds.max_head_bytes:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._head_timer is None and (self._is_in_head or not self._is_under_way):
            self._head_timer = self.loop.call_later(
                self._bounds.head_seconds, partial(self._refuse, HTTPStatus.REQUEST_TIMEOUT)
            )

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._is_whole = False
        self._is_in_head = True
        if self._head_timer is not None:
            self._forget_head_timer()

    def on_headers_complete(self) -> None:
        """A head is there, and its request is begun, or waits for the one before."""
        # A head is seldom as long as what came of late, and then it is not looked at.
        is_long = (
            self._unread > self._bounds.max_head_bytes or self._came_before + self._came > self._bounds.max_head_bytes
        )
        if len(self.headers) > MOST_HEADERS or (is_long and self._head_bytes() > self._bounds.max_head_bytes):
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise httptools.HttpParserError("the head is too large")
        if len(self.pipeline) >= MOST_PIPELINED:
            raise httptools.HttpParserError("too many requests wait for their turn on one connection")
        self._unread = 0
        self._is_in_head = False
        if self._head_timer is not None:
            self._forget_head_timer()
        if self._answered is None or self._answered.response_complete:
            self.scope["state"]["arrived"] = self.loop.time()
        super().on_headers_complete()
        self.headers = []  # what comes after a body is no header of the request

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of a request."""
        self._unread = 0
        self._is_whole = True
        self._bounds.waiting.pop(self, None)
        if self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The end of an answer."""
        super().on_response_complete()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if not self._is_under_way:
            self._bounds.waiting[self] = None
        is_refused = not (self._is_whole or self._is_in_head) and self.cycle.response_complete
        if is_refused and self._rest_timer is None:
            self._rest_timer = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        """The client has asked for nothing for long."""
        if not self.transport.is_closing():
            self.make_room()

    def pause_writing(self) -> None:
        """The client takes its answer slower than we give it."""
        super().pause_writing()
        self._watch_stall(self.transport.get_write_buffer_size())
        self._bounds.untaken[self] = None
        self.loop.call_soon(self._bounds.drop_untaken)

    def resume_writing(self) -> None:
        """The client has taken most of it."""
        super().resume_writing()
        self._bounds.untaken.pop(self, None)
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn calls it so
        """Refuses what cannot be read."""
        self._refuse(self._refusal or HTTPStatus.BAD_REQUEST)

    @property
    def asked_by(self) -> Hashable:
        """The user whose answer this is, where that is known."""
        return self._answered.scope["state"].get("user_id", self) if self._answered else self

    @property
    def _is_under_way(self) -> bool:
        """Whether a request waits for its answer."""
        return self._answered is not None and not self._answered.response_complete

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answered = cycle
        self._task = self.loop.create_task(cycle.run_asgi(app))
        self._task.add_done_callback(self.tasks.discard)
        self.tasks.add(self._task)

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _watch_stall(self, left: int) -> None:
        self._stall_timer = self.loop.call_later(STALLED_SECONDS, self._end_stalled, left)

    def _end_stalled(self, left: int) -> None:
        if (now_left := self.transport.get_write_buffer_size()) < left:
            self._watch_stall(now_left)
        else:
            self._bounds.note("an answer that is not taken", client=self.client)
            self.transport.abort()

    def _forget_head_timer(self) -> None:
        assert self._head_timer is not None  # noqa: S101
        self._head_timer.cancel()
        self._head_timer = None

    def _refuse(self, status: HTTPStatus) -> None:
        """Ends the connection, with words where no answer is under way."""
        if self.transport.is_closing():
            return
        self._bounds.note(status.phrase.lower(), client=self.client)
        if not self._is_under_way:
            body = orjson.dumps({"error": _WORDS[status].format(self._bounds)})
            later = "retry-after: 1\r\n" if status is HTTPStatus.SERVICE_UNAVAILABLE else ""
            head = (
                f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\naccess-control-allow-origin: *\r\n{later}connection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._answered is not None  # noqa: S101  it is what this task answers
        try:
            await self._application(scope, receive, partial(_send, self._answered, send))
        except asyncio.CancelledError:
            if not self._is_lost:
                raise


def _files(wanted: int) -> int:
    """How many files the process may open: as many as are wanted, where the system lets it have them for the asking."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted and soft != resource.RLIM_INFINITY:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else soft


async def _send(cycle: RequestResponseCycle, send: Send, message: Message) -> None:
    """Sends as uvicorn does, which looks at a head's lines one by one: the dearest of an answer that is at hand."""
    if message["type"] == "http.response.start" and not (cycle.response_started or cycle.flow.write_paused):
        headers = [*cycle.default_headers, *message["headers"]]
        named = dict(headers)
        lines = b"\r\n".join(map(b": ".join, headers))
        is_usual = b"content-length" in named and _UNUSUAL.isdisjoint(named) and cycle.keep_alive
        if is_usual and len(lines.translate(None, _CONTROLS)) + 2 * len(headers) - 2 == len(lines):
            if not cycle.disconnected:
                cycle.response_started = True
                cycle.waiting_for_100_continue = False
                cycle.chunked_encoding, cycle.expected_content_length = False, int(named[b"content-length"])
                cycle.transport.write(STATUS_LINE[message["status"]] + lines + b"\r\n\r\n")
            return
    await send(message)


_UNUSUAL = {b"connection", b"transfer-encoding"}
_CONTROLS = bytes([*range(9), *range(10, 32), 127])
"""What no head may hold but at the end of a line: whoever got it there would write lines of their own."""
_WORDS = {
    HTTPStatus.BAD_REQUEST: "This is not a request in HTTP/1.1.",
    HTTPStatus.REQUEST_TIMEOUT: "The request's head took longer than {0.head_seconds:g} s.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        "The request's head is larger than {0.max_head_bytes} bytes, or has more than "
        f"{MOST_HEADERS} headers; send a long query in the body of a POST."
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: "Too many connections at the moment; try again in a second.",
}
