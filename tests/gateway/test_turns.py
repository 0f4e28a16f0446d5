"""Turns: so many at a time, user by user, and nothing lost by those who go away while they wait."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway import turns
from gateway.errors import TooManyRequests
from gateway.turns import Slices, Turns


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


async def test_work_that_awaits_nothing_has_each_place_once_in_a_round_of_the_loop() -> None:
    turns, done, in_rounds = Turns(2, 100), list[str](), list[int]()

    async def work(who: str) -> None:
        async with turns.turn(who):
            done.append(who)

    asked = [asyncio.create_task(work(who)) for who in "aaaaaaab"]
    while not all(task.done() for task in asked):
        before = len(done)
        await asyncio.sleep(0)
        in_rounds.append(len(done) - before)
    assert max(in_rounds) == 2
    assert done.index("b") < 4


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


async def test_of_those_who_compute_for_long_only_one_does_so_in_a_round_of_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "SLICE_SECONDS", 0)
    slices, done, rounds = Slices(100), list[str](), [0]
    in_round: dict[int, int] = {}

    async def compute(who: str, pieces: int) -> None:
        async with slices.shared(who) as next_piece:
            for _ in range(pieces):
                await next_piece()
                done.append(who)
                in_round[rounds[0]] = in_round.get(rounds[0], 0) + 1

    async def count() -> None:
        while True:
            rounds[0] += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await asyncio.gather(*(compute("a", 20) for _ in range(5)), compute("b", 5))
    counting.cancel()
    assert max(in_round.values()) == 1
    # The one with a single request is done when each of the other's five has had about as many pieces as it together.
    assert done.index("b") < 5
    assert len(done) - done[::-1].index("b") < 20
