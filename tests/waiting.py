"""Waiting for what is bound to happen, on a machine as busy as it may be.

No test depends on the machine's speed. A limit that only ends what hangs costs nothing while all is well, so there is
one for all, and a long one. What a test has to say of time it says by order, by counts, or by a bound that is many
times what is usual and a small part of what it would be without what is tested.
"""

import asyncio
import time
from collections.abc import Callable
from inspect import isawaitable
from typing import Any

import pytest

PATIENCE = 300.0
"""Seconds after which what is waited for does not come any more."""
LONG = 3600
"""Seconds that no test waits for: what would last as long has been ended by something else."""
_PAUSE = 0.02


async def until(condition: Callable[[], object]) -> Any:
    """Waits until a function, or a coroutine function, says yes; gives what it said.

    Raises:
        TimeoutError: it never did.
    """
    async with asyncio.timeout(PATIENCE):
        while True:
            said = condition()
            if isawaitable(said):
                said = await said
            if said:
                return said
            await asyncio.sleep(_PAUSE)


def wait_until(condition: Callable[[], object]) -> None:
    """The same where there is no event loop.

    Raises:
        TimeoutError: it never did.
    """
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(_PAUSE)


def counted(monkeypatch: pytest.MonkeyPatch, kind: type, name: str) -> list[None]:
    """As many entries as there are calls of a method from now on."""
    calls: list[None] = []
    method = getattr(kind, name)

    def counting(*given: Any) -> Any:
        calls.append(None)
        return method(*given)

    monkeypatch.setattr(kind, name, counting)
    return calls
