"""The pass: from a request's headers to the reader that its answer is read with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import ceil
from time import time

from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.requests import Request

from gateway import timing
from gateway.auth import Authenticator
from gateway.errors import TooManyRequests
from gateway.settings import Settings
from resolvers.reader import Database, Reader


@dataclass(frozen=True)
class Context:
    """What one request is answered with. `today` (UTC) is read once, so midnight cannot pass inside an answer."""

    reader: Reader
    today: date


class Gate:
    """Lets a request pass, or says why not."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        database: Database,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._authenticator = authenticator
        self._database = database
        self._now = now
        self._share = None if settings.rate_limit == "off" else parse(settings.rate_limit)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def admit(self, request: Request) -> Context:
        """The context of a request whose token counts.

        Raises:
            Unauthenticated, Forbidden, TooManyRequests, Unavailable: it may not pass.
        """
        with timing.stop("pass"):
            user_id = await self._authenticator.user(request.headers.get("authorization"))
            if self._share and not await self._limiter.hit(self._share, str(user_id)):
                window = await self._limiter.get_window_stats(self._share, str(user_id))
                raise TooManyRequests(max(1, ceil(window.reset_time - time())))
            viewer = await self._authenticator.viewer(user_id)
        return Context(Reader(viewer, self._database), self._now().date())
