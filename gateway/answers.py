"""Nothing twice: a whole answer is given again for as long as nothing of its agency's data has changed."""

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from time import monotonic

from cachetools import LRUCache
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import graphql_http, timing
from gateway.context import Context, Gate
from gateway.errors import TooManyRequests, status_of
from gateway.settings import Settings
from gateway.versions import Version, Versions
from resolvers.errors import AnalyticsError, Unavailable
from resolvers.viewer import Viewer
from rest_compat.routes import PREFIX

Headers = list[tuple[bytes, bytes]]

_AWAY = Unavailable("the same question found the database away or too slow a moment ago")
_BESIDE_BODIES = 1_000
"""Bytes that an answer takes in memory beside its body and its request's."""


@dataclass(frozen=True)
class Answer:
    """What is sent, whoever asks."""

    headers: Headers
    body: bytes
    etag: bytes | None
    """For a GET or HEAD."""

    def to(self, headers: Mapping[bytes, bytes]) -> tuple[int, Headers, bytes]:
        """Status, headers and body for a request with these headers: one who has it is told that it is the same."""
        if self.etag and _matches(self.etag, headers.get(b"if-none-match")):
            return 304, [(name, value) for name, value in self.headers if not name.startswith(b"content-")], b""
        return 200, self.headers, self.body

    async def send(self, headers: Mapping[bytes, bytes], send: Send) -> None:
        """Sends it."""
        status, shown, body = self.to(headers)
        await send({"type": "http.response.start", "status": status, "headers": shown})
        await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True)
class _Kept:
    version: Version
    read_at: float
    """The moment before it was read."""
    answer: Answer
    size: int


class Answers:
    """Stands before the application; what it cannot answer by itself it passes on.

    An answer is kept for those who may see the same (agency, role, client), who ask the same (all of the request that
    the application reads) on the same day, and for the version the data had before it was read; and not for long, as a
    version knows only of changes that are made as changes are meant to be made.
    """

    def __init__(self, app: ASGIApp, gate: Gate, versions: Versions, settings: Settings) -> None:
        self._app = app
        self._gate = gate
        self._versions = versions
        self._reuses = settings.reuse
        self._max_age = settings.reuse_max_age_seconds
        self._max_bytes = settings.reuse_max_bytes
        self._longest_body = settings.graphql_max_body_bytes
        self._kept: LRUCache[Hashable, _Kept] = LRUCache(settings.reuse_max_bytes, getsizeof=lambda kept: kept.size)
        self._under_way: dict[Hashable, asyncio.Future[Answer | Unavailable | None]] = {}

    async def at_hand(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive) -> Answer | None:
        """An answer that can be given again, where only the request itself has to be waited for.

        Without one, the request is to be answered by calling this object. What was received of it is in its state.
        """
        if not self._reuses or not _is_question(scope):
            return None
        body = b""
        if scope["method"] == "POST":
            message = await receive()
            received = scope["state"]["received"] = [message]
            body = message.get("body", b"")
            while message.get("more_body", False) and len(body) <= self._longest_body:
                message = await receive()
                received.append(message)
                body += message.get("body", b"")
        if (viewer := self._gate.known(headers)) is None or (version := self._versions.known(viewer.agency_id)) is None:
            return None
        try:
            kept = self._kept[_key(viewer, self._gate.today(), scope, headers, body)]
        except KeyError:
            return None
        if not self._stands(kept, version):
            return None
        if self._gate.counts:
            try:
                await self._gate.count(viewer.user_id)
            except TooManyRequests:
                return None  # and is refused by whoever answers then, in its door's words
        return kept.answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request that nothing was at hand for."""
        if scope["type"] != "http" or not (self._reuses or scope["method"] != "POST") or not _is_question(scope):
            await self._app(scope, receive, send)
            return
        state = scope["state"]
        headers = state["headers"]
        if not self._reuses:
            if isinstance(answer := await self._computed(scope, receive, send), Answer):
                await answer.send(headers, send)
            return
        received: list[Message] = state.get("received", [])
        receive = _again(received, receive)
        try:
            context = state["admitted"] = await self._gate.enter(headers)
        except AnalyticsError as error:
            state["refused"] = error
            await self._app(scope, receive, send)
            return
        body = b"".join([message.get("body", b"") for message in received])
        if len(body) > self._longest_body or any(message["type"] != "http.request" for message in received):
            await self._app(scope, receive, send)
            return
        try:
            version = await self._versions.of(context.viewer.agency_id)
        except Unavailable:
            await self._app(scope, receive, send)  # which may know a replica, or has the words
            return
        key = _key(context.viewer, context.today, scope, headers, body)
        if (kept := self._kept.get(key)) is not None and self._stands(kept, version):
            timing.add("reuse", 0.0)
            await kept.answer.send(headers, send)
            return
        outcome = await self._shared(key, version, context, scope, receive, send)
        if isinstance(outcome, Answer):
            await outcome.send(headers, send)

    def _stands(self, kept: _Kept, version: Version) -> bool:
        return kept.version == version and monotonic() - kept.read_at < self._max_age

    async def _shared(
        self, key: tuple[Hashable, ...], version: Version, context: Context, scope: Scope, receive: Receive, send: Send
    ) -> Answer | Unavailable | None:
        """The answer, computed once for all who ask at the same time; None where it has been sent."""
        if (others := self._under_way.get((key, version))) is not None:
            outcome = await asyncio.shield(others)
            if isinstance(outcome, Answer):
                return outcome
            if outcome is not None:
                scope["state"]["refused"] = outcome
            await self._app(scope, receive, send)
            return None
        self._under_way[key, version] = flight = asyncio.get_running_loop().create_future()
        outcome = None
        try:
            read_at, reached = monotonic(), await self._reached(version, context)
            outcome = await self._computed(scope, receive, send)
            if isinstance(outcome, Answer):
                size = len(outcome.body) + sum(len(part) for part in key if isinstance(part, bytes)) + _BESIDE_BODIES
                if size <= self._max_bytes:
                    self._kept[key] = _Kept(reached, read_at, outcome, size)
                return outcome
        finally:
            del self._under_way[key, version]
            flight.set_result(outcome)
        return None

    async def _reached(self, version: Version, context: Context) -> Version:
        """The version of what this request will read: it was told before, so that what is read cannot be older."""
        if context.database is not context.nodes.primary:
            try:
                return await self._versions.at(context.database, context.viewer.agency_id)
            except Unavailable:
                context.read_from_primary()
        return version

    async def _computed(self, scope: Scope, receive: Receive, send: Send) -> Answer | Unavailable | None:
        """The application's answer; one that nobody else should get is sent instead. Of a database that is away or too
        slow the others are told, so that they do not all turn to it at once."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        try:
            await self._app(scope, receive, keep)
        except Exception:
            if not messages:
                raise
            # It was answered, and is raised for servers that log it; ours was logged where it was worded.
        status = messages[0]["status"]
        if status != 200 or "has_errors" in scope["state"]:
            for message in messages:
                await send(message)
            return _AWAY if status == status_of(_AWAY) else None
        body = b"".join(message.get("body", b"") for message in messages[1:])
        shown: Headers = [(name.lower(), value) for name, value in messages[0]["headers"]]
        if scope["method"] == "POST":
            return Answer([*shown, (b"cache-control", b"private, no-store")], body, None)
        etag = b'"' + blake2b(body, digest_size=16).hexdigest().encode() + b'"'
        shown += [(b"etag", etag), (b"cache-control", b"private, no-cache"), (b"vary", b"Authorization, Accept")]
        return Answer(shown, body, etag)


def _again(received: Sequence[Message], receive: Receive) -> Receive:
    """The way to receive these messages again, and then the rest."""
    messages = iter(received)

    async def again() -> Message:
        message = next(messages, None)
        return await receive() if message is None else message

    return again


def _key(
    viewer: Viewer, today: date, scope: Scope, headers: Mapping[bytes, bytes], body: bytes
) -> tuple[Hashable, ...]:
    """What an answer is kept under."""
    return (
        *(viewer.scope, today, scope["method"], scope["path"], scope["query_string"], body),
        *(headers.get(b"accept"), headers.get(b"content-type")),
    )


def _is_question(scope: Scope) -> bool:
    """Whether a report may be asked for, and not the explorer's page."""
    path, method = scope["path"], scope["method"]
    if path == graphql_http.PATH:
        return method == "POST" or (method in ("GET", "HEAD") and b"query=" in scope["query_string"])
    return method in ("GET", "HEAD") and path.startswith(PREFIX)


def _matches(etag: bytes, condition: bytes | None) -> bool:
    """RFC 9110, section 13.1.2: any of a list, compared weakly."""
    if condition is None:
        return False
    return condition.strip() == b"*" or etag in (tag.strip().removeprefix(b"W/") for tag in condition.split(b","))
