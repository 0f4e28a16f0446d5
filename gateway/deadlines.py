"""Time limits of one length for many at once: one timer for all of them, as whoever began first is late first."""

import asyncio
from typing import Any


class Deadlines:
    """As `asyncio.timeout`, which sets up a timer each time: dearer than all else of an answer that is at hand."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.open: dict[Deadline, None] = {}
        """In the order of their ends."""
        self._is_watched = False

    def deadline(self, since: float | None = None) -> "Deadline":
        """Limits what is done within `with`, by the task that enters it; what takes longer raises TimeoutError.

        Args:
            since: when its time began, in the event loop's, where that was before now; no earlier than any other's
                whose deadline was entered before.
        """
        return Deadline(self, since)

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Sets the timer for the first that is open, unless it is set."""
        if not self._is_watched:
            self._is_watched = True
            loop.call_at(next(iter(self.open)).at, self._end_late, loop)

    def _end_late(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self._is_watched = False
        while (first := next(iter(self.open), None)) is not None:
            if first.at > now:
                self.watch(loop)
                break
            del self.open[first]
            first.miss()


class Deadline:
    """One of them, for one task."""

    __slots__ = ("_cancelling", "_deadlines", "_is_missed", "_since", "_task", "at")

    at: float
    """The event loop's time."""

    def __init__(self, deadlines: Deadlines, since: float | None) -> None:
        self._deadlines = deadlines
        self._since = since
        self._is_missed = False

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("a deadline is for a task")
        self._task: asyncio.Task[Any] = task
        self._cancelling = task.cancelling()
        self.at = (loop.time() if self._since is None else self._since) + self._deadlines.seconds
        self._deadlines.open[self] = None
        self._deadlines.watch(loop)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if not self._is_missed:
            del self._deadlines.open[self]
        # Cancelled by others as well, it is theirs: as asyncio.timeout has it.
        elif self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def miss(self) -> None:
        """Stops the task."""
        self._is_missed = True
        self._task.cancel()
