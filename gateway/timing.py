"""How long each stop of a request took, for the Server-Timing header."""

from contextvars import ContextVar
from time import perf_counter

_stops: ContextVar[dict[str, float] | None] = ContextVar("stops", default=None)


def begin(stops: dict[str, float]) -> None:
    """Starts measuring for the request at hand; the seconds of each stop are filled in as it goes."""
    _stops.set(stops)


def add(name: str, seconds: float) -> None:
    """Adds to a stop, which several parts of a request may pass."""
    if (stops := _stops.get()) is not None:
        stops[name] = stops.get(name, 0.0) + seconds


class stop:  # noqa: N801  read as a verb: `with timing.stop("parse"):`
    """Measures a stop."""

    __slots__ = ("_name", "_started")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._started = perf_counter()

    def __exit__(self, *_: object) -> None:
        add(self._name, perf_counter() - self._started)


def header(stops: dict[str, float]) -> str:
    """The stops as a Server-Timing header, in milliseconds. Parallel reads add up to more than the whole."""
    return ", ".join([f"{name};dur={seconds * 1000:.2f}" for name, seconds in stops.items()])
