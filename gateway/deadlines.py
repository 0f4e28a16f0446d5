"""Time limits of one length for many at once: one timer for all of them, as whoever began first is late first."""

import asyncio
from typing import Any


class Deadlines:
    """As `asyncio.timeout`, which sets up a timer each time: dearer than all else of an answer that is at hand."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._open: dict[Deadline, None] = {}  # in the order of their ends
        self._is_watched = False

    def deadline(self) -> "Deadline":
        """Limits what is done within `with`, by the task that enters it; what takes longer raises TimeoutError."""
        return Deadline(self)

    def begin(self, deadline: "Deadline") -> None:
        """Has it watched from now on."""
        loop = asyncio.get_running_loop()
        deadline.at = loop.time() + self._seconds
        self._open[deadline] = None
        if not self._is_watched:
            self._is_watched = True
            loop.call_at(deadline.at, self._end_late, loop)

    def end(self, deadline: "Deadline") -> None:
        """Has it no longer watched."""
        self._open.pop(deadline, None)

    def _end_late(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        while (first := next(iter(self._open), None)) is not None and first.at <= now:
            self.end(first)
            first.miss()
        self._is_watched = first is not None
        if first is not None:
            loop.call_at(first.at, self._end_late, loop)


class Deadline:
    """One of them, for one task."""

    __slots__ = ("_cancelling", "_deadlines", "_is_missed", "_task", "at")

    at: float
    """The event loop's time."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._is_missed = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline is for a task")
        self._task: asyncio.Task[Any] = task
        self._cancelling = task.cancelling()
        self._deadlines.begin(self)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        self._deadlines.end(self)
        # Cancelled by others as well, it is theirs: as asyncio.timeout has it.
        if self._is_missed and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def miss(self) -> None:
        """Stops the task."""
        self._is_missed = True
        self._task.cancel()
