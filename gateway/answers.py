"""Nothing twice: a whole answer is given again for as long as nothing of its agency's data has changed."""

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from time import perf_counter
from typing import NamedTuple

from cachetools import LRUCache
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import graphql_http, timing
from gateway.context import Context, Gate
from gateway.errors import status_of
from gateway.settings import Settings
from gateway.versions import Versions
from resolvers.errors import AnalyticsError, Unavailable
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

    async def send(self, headers: Mapping[bytes, bytes], send: Send) -> None:
        """Sends it, or only that it is still the same to one who has it."""
        if self.etag and _matches(self.etag, headers.get(b"if-none-match")):
            kept = [(name, value) for name, value in self.headers if not name.startswith(b"content-")]
            await send({"type": "http.response.start", "status": 304, "headers": kept})
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": self.headers})
            await send({"type": "http.response.body", "body": self.body})


@dataclass(frozen=True)
class _Kept:
    version: int
    answer: Answer
    size: int


class _Received(NamedTuple):
    """What was received of a request."""

    body: bytes | None
    """All of it, if it is one that is answered."""
    messages: Sequence[Message]

    def again(self, receive: Receive) -> Receive:
        """The way to receive it again."""
        messages = iter(self.messages)

        async def received() -> Message:
            message = next(messages, None)
            return await receive() if message is None else message

        return received


class _Question(NamedTuple):
    """A request that nothing is at hand for."""

    received: _Received
    key: tuple[Hashable, ...] = ()
    """What its answer is kept under,"""
    version: int | None = None
    """for this version of the data. Without one, it is neither kept nor shared."""


_BODILESS = _Received(b"", ())


class Answers:
    """Stands before the application; what it cannot answer by itself it passes on.

    An answer is kept for those who may see the same (agency, role, client), who ask the same (all of the request that
    the application reads) on the same day, and for the version the data had before it was read.
    """

    def __init__(self, app: ASGIApp, gate: Gate, versions: Versions, settings: Settings) -> None:
        self._app = app
        self._gate = gate
        self._versions = versions
        self._reuses = settings.reuse
        self._max_bytes = settings.reuse_max_bytes
        self._max_body_bytes = settings.graphql_max_body_bytes
        self._kept: LRUCache[Hashable, _Kept] = LRUCache(settings.reuse_max_bytes, getsizeof=lambda kept: kept.size)
        self._under_way: dict[Hashable, asyncio.Future[Answer | Unavailable | None]] = {}

    async def at_hand(self, scope: Scope, receive: Receive) -> Answer | None:
        """An answer that can be given again. Without one, the request is to be answered by calling this object."""
        if not self._reuses or not _is_question(scope):
            return None
        state = scope["state"]
        headers = state["headers"]
        received = await self._received(receive) if scope["method"] == "POST" else _BODILESS
        entering = perf_counter()
        try:
            viewer = await self._gate.enter(headers)
        except AnalyticsError as error:
            state["refused"], state["question"] = error, _Question(received)
            return None
        entered, today = perf_counter(), self._gate.today()
        key: tuple[Hashable, ...] = (
            *(viewer.scope, today, scope["method"], scope["path"], scope["query_string"], received.body),
            *(headers.get(b"accept"), headers.get(b"content-type")),
        )
        version = None
        if received.body is not None and (version := self._versions.known(viewer.agency_id)) is None:
            # One that is not told leaves it to the application, which may know a replica, or has the words.
            with suppress(Unavailable):
                version = await self._versions.of(viewer.agency_id)
        if version is not None and (kept := self._kept.get(key)) is not None and kept.version == version:
            return kept.answer
        timing.add("pass", entered - entering)
        state["admitted"] = self._gate.context(viewer, today)
        state["question"] = _Question(received, key, version)
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request that nothing is at hand for."""
        question: _Question | None = scope["state"].get("question")
        if question is not None:
            receive = question.received.again(receive)
        if question is not None and question.version is not None:
            outcome = await self._shared(question.key, question.version, scope, receive, send)
        elif question is None and scope.get("method") in ("GET", "HEAD") and _is_question(scope):
            outcome = await self._computed(scope, receive, send)
        else:
            await self._app(scope, receive, send)
            return
        if isinstance(outcome, Answer):
            await outcome.send(scope["state"]["headers"], send)

    async def _received(self, receive: Receive) -> _Received:
        message = await receive()
        messages, body = [message], message.get("body", b"")
        while message.get("more_body", False) and len(body) <= self._max_body_bytes:
            message = await receive()
            messages.append(message)
            body += message.get("body", b"")
        is_whole = len(body) <= self._max_body_bytes and message["type"] == "http.request"
        return _Received(body if is_whole else None, messages)

    async def _shared(
        self, key: tuple[Hashable, ...], version: int, scope: Scope, receive: Receive, send: Send
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
            context: Context = scope["state"]["admitted"]
            # Asked of the node that is read, and before it: what is read cannot be older than that.
            reached = await self._versions.at(context.database, context.viewer.agency_id)
            outcome = await self._computed(scope, receive, send)
            if isinstance(outcome, Answer):
                size = len(outcome.body) + sum(len(part) for part in key if isinstance(part, bytes)) + _BESIDE_BODIES
                if size <= self._max_bytes:
                    self._kept[key] = _Kept(reached, outcome, size)
                return outcome
        finally:
            del self._under_way[key, version]
            flight.set_result(outcome)
        return None

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
            return Answer(shown, body, None)
        etag = b'"' + blake2b(body, digest_size=16).hexdigest().encode() + b'"'
        shown += [(b"etag", etag), (b"cache-control", b"private, no-cache"), (b"vary", b"Authorization, Accept")]
        return Answer(shown, body, etag)


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
