"""The pass: from a request's headers to the reader that its answer is read with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from math import ceil
from time import time
from uuid import UUID

from graphql import DocumentNode
from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.types import Scope

from gateway import timing
from gateway.auth import Authenticator
from gateway.errors import TooManyRequests
from gateway.plans import Plans
from gateway.replicas import Nodes
from gateway.settings import Settings
from resolvers.reader import Database, Reader
from resolvers.viewer import Viewer


@dataclass
class Context:
    """What one request is answered with. `today` (UTC) is read once, so midnight cannot pass inside an answer."""

    viewer: Viewer
    nodes: Nodes
    today: date
    plans: Plans = field(default_factory=Plans)
    """Those of the request's document, once that is known."""
    document: DocumentNode | None = None
    """It, where Strawberry's pipeline is to execute it."""
    _database: Database | None = None
    _reader: Reader | None = None

    @property
    def database(self) -> Database:
        """The node that all of the request is read from."""
        if self._database is None:
            self._database = self.nodes.choose()
        return self._database

    def read_from_primary(self) -> None:
        """For the rest of the request, where the replica that was chosen does not answer."""
        self._database, self._reader = self.nodes.primary, None

    @property
    def reader(self) -> Reader:
        """The viewer's road to rows. An answer that is given again needs none."""
        if self._reader is None:
            self._reader = Reader(self.viewer, self.database)
        return self._reader

    def end(self) -> None:
        """The end of the request, answered or not."""
        if self._reader is not None:
            self._reader.end()


class Gate:
    """Lets a request pass, or says why not."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        nodes: Nodes,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._authenticator = authenticator
        self._nodes = nodes
        self._now = now
        self._share = None if settings.rate_limit == "off" else parse(settings.rate_limit)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def admit(self, scope: Scope) -> Context:
        """The context of a request; it may have entered already.

        Raises:
            Unauthenticated, Forbidden, TooManyRequests, Unavailable: it may not pass.
        """
        state = scope["state"]
        if "refused" in state:
            raise state["refused"]
        entered: Context = state.get("admitted") or await self.enter(state["headers"])
        return entered

    async def enter(self, headers: Mapping[bytes, bytes]) -> Context:
        """The context of a request with these headers, if its token counts. Counts as one request.

        Raises:
            Unauthenticated, Forbidden, TooManyRequests, Unavailable: it may not pass.
        """
        with timing.stop("pass"):
            if (viewer := self.known(headers)) is not None:
                await self.count(viewer.user_id)
            else:
                authorization = headers.get(b"authorization", b"")
                token = await self._authenticator.token(authorization)
                await self.count(token.user_id)
                viewer = await self._authenticator.viewer(authorization, token)
        return Context(viewer, self._nodes, self.today())

    def known(self, headers: Mapping[bytes, bytes]) -> Viewer | None:
        """Who asks with these headers, if they asked a moment ago. Not counted yet."""
        return self._authenticator.known(headers.get(b"authorization", b""))

    @property
    def counts(self) -> bool:
        """Whether users may ask only so often."""
        return self._share is not None

    def today(self) -> date:
        """The day (UTC) on which a request is answered: to be read once for each."""
        return self._now().date()

    async def count(self, user_id: UUID) -> None:
        """Counts one request of this user's.

        Raises:
            TooManyRequests: it is one too many.
        """
        if self._share and not await self._limiter.hit(self._share, str(user_id)):
            window = await self._limiter.get_window_stats(self._share, str(user_id))
            raise TooManyRequests(max(1, ceil(window.reset_time - time())))
