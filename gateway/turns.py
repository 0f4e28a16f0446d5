"""Turns: so many requests are worked on at a time, and whoever waits is let in user by user, not request by request."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter

from gateway.errors import TooManyRequests

TRY_AGAIN_SECONDS = 1
SLICE_SECONDS = 0.002
"""What a request may compute at a time while others wait for the same event loop."""


class Turns:
    """A semaphore whose free places go round among those who wait for them.

    Somebody with a hundred requests delays another's single one by no more than one of them; and somebody with more
    than `burst` of them waiting is refused at once, before any work is done for it. A place that is left is free in the
    event loop's next round: work that awaits nothing would else have it any number of times in one.
    """

    def __init__(self, at_once: int, burst: int) -> None:
        self._free = at_once
        self._burst = burst
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}
        """Of each who has any; in the order in which they come round."""

    @asynccontextmanager
    async def turn(self, who: Hashable) -> AsyncIterator[None]:
        """Holds a place within the block.

        Raises:
            TooManyRequests: too many of the same user's wait already.
        """
        if self._free:
            self._free -= 1
        else:
            await self._called(who)
        try:
            yield
        finally:
            asyncio.get_running_loop().call_soon(self._pass_on)

    async def _called(self, who: Hashable) -> None:
        line = self._waiting.get(who, deque())
        if len(line) >= self._burst:
            raise TooManyRequests(TRY_AGAIN_SECONDS)
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(place)
        self._waiting[who] = line
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():
                self._pass_on()  # it was given to one who has just gone
            elif place in line:
                line.remove(place)
                if not line:
                    del self._waiting[who]
            raise

    def _pass_on(self) -> None:
        """Gives a place to whoever's turn it is; their next one comes after everybody else's."""
        while self._waiting:
            who = next(iter(self._waiting))
            line = self._waiting.pop(who)
            place = line.popleft()
            if line:
                self._waiting[who] = line
            if not place.cancelled():  # as it is before who waited hears of it
                place.set_result(None)
                return
        self._free += 1


class Slices:
    """The event loop, shared: of those who compute for long only one does so in each of its rounds, user by user."""

    def __init__(self, burst: int) -> None:
        self._turns = Turns(1, burst)

    @asynccontextmanager
    async def shared(self, who: Hashable) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Gives what is to be awaited between two pieces of work: it returns when the next one may be done."""
        began = perf_counter()
        async with AsyncExitStack() as held:

            async def next_piece() -> None:
                nonlocal began
                if perf_counter() - began < SLICE_SECONDS:
                    return
                await held.aclose()
                await held.enter_async_context(self._turns.turn(who))
                began = perf_counter()

            yield next_piece
