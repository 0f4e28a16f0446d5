"""How long each stop of a request took, for the Server-Timing header."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter

_stops: ContextVar[dict[str, float] | None] = ContextVar("stops", default=None)


def begin() -> dict[str, float]:
    """Starts measuring for the request at hand; gives the seconds of each stop, filled in as it goes."""
    stops: dict[str, float] = {}
    _stops.set(stops)
    return stops


def add(name: str, seconds: float) -> None:
    """Adds to a stop, which several parts of a request may pass."""
    if (stops := _stops.get()) is not None:
        stops[name] = stops.get(name, 0.0) + seconds


@contextmanager
def stop(name: str) -> Iterator[None]:
    """Measures a stop."""
    started = perf_counter()
    try:
        yield
    finally:
        add(name, perf_counter() - started)


def header(stops: dict[str, float]) -> str:
    """The stops as a Server-Timing header, in milliseconds. Parallel reads add up to more than the whole."""
    return ", ".join(f"{name};dur={seconds * 1000:.2f}" for name, seconds in stops.items())
