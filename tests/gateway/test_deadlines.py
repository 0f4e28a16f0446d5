"""A deadline ends what takes too long, and nothing else; many share one timer."""

import asyncio
import time

import pytest

from gateway.deadlines import Deadlines
from tests.waiting import LONG


async def test_what_takes_too_long_is_ended_and_what_does_not_is_left_alone() -> None:
    deadlines = Deadlines(0.05)
    started = time.perf_counter()
    with pytest.raises(TimeoutError):
        with deadlines.deadline():
            await asyncio.sleep(LONG)
    assert time.perf_counter() - started > 0.04
    with deadlines.deadline():
        await asyncio.sleep(0)
    await asyncio.sleep(0.1)  # nothing comes after it


async def test_each_ends_at_its_own_time_whoever_ends_before() -> None:
    deadlines = Deadlines(0.2)
    ended: list[tuple[int, float]] = []

    async def one(number: int, takes: float) -> None:
        await asyncio.sleep(number * 0.05)
        began = time.perf_counter()
        try:
            with deadlines.deadline():
                await asyncio.sleep(takes)
        except TimeoutError:
            ended.append((number, time.perf_counter() - began))

    await asyncio.gather(*(one(number, 0 if number % 2 else LONG) for number in range(6)))
    assert [number for number, _ in ended] == [0, 2, 4]
    assert all(seconds > 0.19 for _, seconds in ended)
    with pytest.raises(TimeoutError):  # and again after a pause
        with deadlines.deadline():
            await asyncio.sleep(LONG)


async def test_a_time_that_began_before_ends_earlier() -> None:
    deadlines = Deadlines(30)
    long_ago = asyncio.get_running_loop().time() - 31
    with pytest.raises(TimeoutError):
        with deadlines.deadline(long_ago):
            await asyncio.Event().wait()


async def test_a_cancellation_by_others_stays_one() -> None:
    async def one(deadlines: Deadlines) -> None:
        with deadlines.deadline():
            await asyncio.sleep(LONG)

    task = asyncio.create_task(one(Deadlines(LONG)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # Both at once: it is theirs.
    task = asyncio.create_task(one(Deadlines(0.05)))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(0.05, task.cancel)
    time.sleep(0.1)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_deadlines_within_deadlines_end_where_they_are_due() -> None:
    late, soon = Deadlines(LONG), Deadlines(0.05)
    with pytest.raises(TimeoutError), soon.deadline(), late.deadline():
        await asyncio.sleep(LONG)
    with late.deadline(), pytest.raises(TimeoutError), soon.deadline():
        await asyncio.sleep(LONG)


async def test_an_error_passes_as_it_is() -> None:
    with pytest.raises(KeyError):
        with Deadlines(LONG).deadline():
            raise KeyError
