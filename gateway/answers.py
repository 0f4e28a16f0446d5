"""Nothing twice: a whole answer is given again for as long as nothing of its agency's data has changed."""

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from datetime import date
from enum import Enum, auto
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import compression, graphql_http, timing
from gateway.compression import Headers
from gateway.context import Context, Gate
from gateway.errors import TooManyRequests, status_of
from gateway.kept import Answer, Kept, Shelf
from gateway.settings import Settings
from gateway.turns import Turns
from gateway.versions import Version, Versions
from resolvers.errors import AnalyticsError, Unavailable
from resolvers.viewer import Viewer
from rest_compat.rows import PREFIX

Outcome = Answer | Sequence[Message]
"""What anybody may be given who asks the same, or else what was to be sent to the one who asked."""

SOON_SECONDS = 0.01
"""A version that takes longer is not waited for by who has to read the numbers in any case."""

_STATUS_AWAY = status_of(Unavailable())


class _Flight(Enum):
    """How a computation ended that others may have waited for, where it was no answer for them."""

    AWAY = auto()
    BROKEN_OFF = auto()
    NOT_FOR_OTHERS = auto()


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
        self._longest_body = settings.graphql_max_body_bytes
        self._shelf = Shelf(settings.reuse_max_bytes)
        # As many as can read at once: more would only make each other wait, whoever's they are.
        places = settings.database_pool_size * (1 + len(settings.database_replica_urls))
        self._turns = Turns(places, settings.burst_limit)
        self._under_way: dict[Hashable, asyncio.Future[Answer | _Flight]] = {}

    async def at_hand(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive) -> Answer | None:
        """An answer that can be given again, where only the request itself has to be waited for.

        Without one, the request is to be answered by calling this object. What was received of it is in its state.
        """
        if not _is_question(scope):
            return None
        body = b""
        if scope["method"] == "POST":
            # All of it, before anything is done for it: a body that never ends takes nobody's turn.
            message = await receive()
            received = scope["state"]["received"] = [message]
            body = message.get("body", b"")
            while message.get("more_body", False) and len(body) <= self._longest_body:
                message = await receive()
                received.append(message)
                body += message.get("body", b"")
        if (
            not self._reuses
            or (viewer := self._gate.known(headers)) is None
            or (version := self._versions.known(viewer.agency_id)) is None
        ):
            return None
        scope["state"]["user_id"] = viewer.user_id
        kept = self._shelf.get(_key(viewer, self._gate.today(), scope, headers, body))
        if kept is None or not self._stands(kept, version):
            return None
        if self._gate.counts:
            try:
                await self._gate.count(viewer.user_id)
            except TooManyRequests:
                return None  # and is refused by whoever answers then, in its door's words
        if kept.answer.is_to_be_packed(headers):
            await kept.answer.pack()
        return kept.answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request that nothing was at hand for."""
        if scope["type"] != "http" or not _is_question(scope):
            await self._app(scope, receive, send)
            return
        state = scope["state"]
        received: list[Message] = state.get("received", [])
        receive = _again(received, receive)
        body = b"".join([message.get("body", b"") for message in received])
        try:
            context = state["admitted"] = await self._gate.enter(state["headers"])
            state["user_id"] = context.viewer.user_id
            if len(body) > self._longest_body or any(message["type"] != "http.request" for message in received):
                outcome: Outcome = await self._heard(scope, receive)
            elif self._reuses:
                outcome = await self._given(context, body, scope, receive)
            else:
                outcome = await self._computed(context, scope, receive)
        except AnalyticsError as error:
            state["refused"] = error
            outcome = await self._heard(scope, receive)
        finally:
            if "admitted" in state:
                state["admitted"].end()
        if isinstance(outcome, Answer):
            await outcome.send(state["headers"], send)
        else:
            for message in outcome:
                await send(message)

    def _stands(self, kept: Kept, version: Version) -> bool:
        return kept.version == version and monotonic() - kept.read_at < self._max_age

    async def _given(self, context: Context, body: bytes, scope: Scope, receive: Receive) -> Outcome:
        """The answer, given again where that may be, and kept where it is computed."""
        agency = context.viewer.agency_id
        key = _key(context.viewer, context.today, scope, scope["state"]["headers"], body)
        kept, last = self._shelf.get(key), self._versions.last(agency)
        if last is None or (kept is not None and kept.version == last):
            version = await self._versions.of(agency)
            if version is not None and kept is not None and self._stands(kept, version):
                timing.add("reuse", 0.0)
                return kept.answer
        else:
            # It can only be computed. What was told before is on the safe side, if it may be of no use.
            version = await self._versions.of(agency, within=SOON_SECONDS) or last
        if version is None:
            return await self._computed(context, scope, receive)
        return await self._shared(key, version, context, scope, receive)

    async def _shared(
        self, key: tuple[Hashable, ...], version: Version, context: Context, scope: Scope, receive: Receive
    ) -> Outcome:
        """The answer, computed once for all who ask at the same time."""
        while (others := self._under_way.get((key, version))) is not None:
            match await asyncio.shield(others):
                case Answer() as answer:
                    return answer
                case _Flight.BROKEN_OFF:
                    continue  # its client has gone, or its time was up: one of those who waited begins anew
                case _Flight.AWAY:
                    # So that they do not all turn at once to a database that is away or too slow.
                    raise Unavailable("the same question found the database away or too slow a moment ago")
                case _Flight.NOT_FOR_OTHERS:
                    return await self._computed(context, scope, receive)
        self._under_way[key, version] = flight = asyncio.get_running_loop().create_future()
        told: Answer | _Flight = _Flight.BROKEN_OFF
        try:
            read_at, reached = monotonic(), await self._reached(version, context)
            outcome = await self._computed(context, scope, receive)
            if isinstance(outcome, Answer):
                told = outcome
                self._shelf.put(context.viewer.agency_id, key, reached, read_at, outcome)
            else:
                told = _Flight.AWAY if outcome[0]["status"] == _STATUS_AWAY else _Flight.NOT_FOR_OTHERS
            return outcome
        finally:
            del self._under_way[key, version]
            flight.set_result(told)

    async def _reached(self, version: Version, context: Context) -> Version:
        """The version of what this request will read: it was told before, so that what is read cannot be older."""
        if context.database is context.nodes.primary:
            return version
        reached = await self._versions.at(context.database, context.viewer.agency_id)
        if reached is None:
            context.read_from_primary()
        return reached or version

    async def _computed(self, context: Context, scope: Scope, receive: Receive) -> Outcome:
        """The application's answer, when it is its user's turn."""
        async with self._turns.turn(context.viewer.user_id):
            messages = await self._heard(scope, receive)
        if messages[0]["status"] != 200 or "has_errors" in scope["state"]:
            return messages
        body = b"".join(message.get("body", b"") for message in messages[1:])
        shown: Headers = [(name.lower(), value) for name, value in messages[0]["headers"]]
        if scope["method"] == "POST":
            shown += [(b"cache-control", b"private, no-store"), compression.VARY]
            return Answer(shown, body, is_tagged=False)
        shown += [(b"cache-control", b"private, no-cache"), (b"vary", b"Authorization, Accept, Accept-Encoding")]
        return Answer(shown, body, is_tagged=True)

    async def _heard(self, scope: Scope, receive: Receive) -> Sequence[Message]:
        """What the application says. Nobody waits here for the client to take it."""
        messages: list[Message] = []

        async def hear(message: Message) -> None:
            messages.append(message)

        try:
            await self._app(scope, receive, hear)
        except Exception:
            if not messages:
                raise
            # It was answered, and is raised for servers that log it; ours was logged where it was worded.
        return messages


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
        asked: bytes = scope["query_string"]
        return method == "POST" or (method in ("GET", "HEAD") and (b"query=" in asked or b"extensions=" in asked))
    return method in ("GET", "HEAD") and path.startswith(PREFIX)
