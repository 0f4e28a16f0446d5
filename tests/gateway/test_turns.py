"""Turns: so many at a time, user by user, and nothing lost by those who go away while they wait."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.errors import TooManyRequests
from gateway.turns import Turns


class Work:
    """Requests that hold a place until they are told to end, and the order in which they got it."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}
        self.begun: list[str] = []

    async def come(self, *names: str) -> None:
        """One request for each name, of the user who is its first letter."""
        for name in names:
            self._ends[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._hold(name))
        await settled()

    async def end(self, name: str) -> None:
        """Has one that holds a place end, as it is meant to."""
        self._ends[name].set()
        await self._tasks[name]
        await settled()

    def go(self, name: str) -> asyncio.Task[None]:
        """The client of one leaves."""
        self._tasks[name].cancel()
        return self._tasks[name]

    async def finish(self) -> Sequence[str]:
        """Ends whatever has begun, one after the other, until nobody waits; the order in which they began."""
        ended = 0
        while ended < len(self.begun):
            if not self._tasks[self.begun[ended]].done():
                await self.end(self.begun[ended])
            ended += 1
        return self.begun

    async def _hold(self, name: str) -> None:
        async with self._turns.turn(name[0]):
            self.begun.append(name)
            await self._ends[name].wait()


async def settled() -> None:
    """Everything has run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_no_more_than_so_many_hold_a_place() -> None:
    work = Work(Turns(2, 100))
    await work.come("a1", "a2", "a3")
    assert work.begun == ["a1", "a2"]
    await work.end("a2")
    assert work.begun == ["a1", "a2", "a3"]


async def test_those_who_wait_are_let_in_user_by_user() -> None:
    work = Work(Turns(1, 100))
    await work.come(*(f"a{number}" for number in range(6)), "b0", "b1", "c0")
    assert await work.finish() == ["a0", "a1", "b0", "c0", "a2", "b1", "a3", "a4", "a5"]


async def test_a_burst_is_refused_and_takes_nothing_from_others() -> None:
    work = Work(Turns(1, 3))
    await work.come("a0", "a1", "a2", "a3")
    with pytest.raises(TooManyRequests) as refused:
        async with work._turns.turn("a"):
            raise AssertionError("there was no place")
    assert refused.value.retry_after_seconds == 1
    await work.come("b0")
    assert await work.finish() == ["a0", "a1", "b0", "a2", "a3"]


async def test_whoever_goes_while_waiting_is_passed_over() -> None:
    work = Work(Turns(1, 3))
    await work.come("a0", "a1", "b0", "b1", "a2", "a3")
    for name in ("a1", "b0", "a3"):
        work.go(name)
    await settled()
    await work.come("b2", "b3")  # whoever has gone does not count for the burst
    assert await work.finish() == ["a0", "a2", "b1", "b2", "b3"]


@pytest.mark.parametrize("passes", range(4))
async def test_a_place_given_to_one_who_goes_at_that_moment_is_passed_on(passes: int) -> None:
    work = Work(Turns(1, 3))
    await work.come("a0", "b0", "c0")
    work._ends["a0"].set()
    for _ in range(passes):
        await asyncio.sleep(0)
    work.go("b0")
    await settled()
    if "b0" in work.begun:
        work.begun.remove("b0")
    assert work.begun == ["a0", "c0"]
    await work.finish()
    await work.come("d0")
    assert work.begun[-1] == "d0"
