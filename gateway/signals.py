"""Ctrl-C and SIGTERM as the end of a block's work, so that whatever it holds is given back."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import FrameType
from typing import Any, TypeVar

_T = TypeVar("_T")


class Stopped(SystemExit):
    """Ctrl-C or SIGTERM was heard. What was asked for has been done, so it ends with code 0.

    systemd takes 143 for a failure, `restart: on-failure` starts what ended with it again, and Kubernetes calls its
    container failed.
    """

    def __init__(self) -> None:
        super().__init__(0)


class Signals:
    """Ctrl-C and SIGTERM, heard once: a second one must not break off the stopping.

    Raising from a signal handler inside an event loop leaves tasks half run, so `run` cancels the work instead.
    """

    def __init__(self) -> None:
        self._is_heard = False
        self._cancel: Callable[[], object] | None = None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._hear)

    def run(
        self,
        work: Callable[[], Coroutine[Any, Any, _T]],
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> _T:
        """Run the work in an event loop; a signal cancels it, and then `Stopped` is raised here."""

        async def cancellable() -> _T:
            task, loop = asyncio.current_task(), asyncio.get_running_loop()
            if task and not self._is_heard:
                self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
                return await work()
            raise asyncio.CancelledError

        self._cancel = lambda: None
        try:
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                return runner.run(cancellable())
        finally:
            self._cancel = None
            self._raise()

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        self._is_heard = True
        if self._cancel is None:
            self._raise()
        else:
            with suppress(RuntimeError):  # the loop has just closed
                self._cancel()

    def _raise(self) -> None:
        if self._is_heard:
            raise Stopped
