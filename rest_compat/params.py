"""The old query strings: what they may hold, and the filters they mean."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import TypeVar
from uuid import UUID

from starlette.datastructures import QueryParams

from resolvers.errors import BadFilter
from resolvers.filters import Filters, Period
from resolvers.metrics import TIMESERIES_METRICS
from resolvers.scalars import parse_day, parse_uuid

E = TypeVar("E", bound=Enum)

SHOWN_TEXTS, SHOWN_CHARACTERS = 5, 100
"""How much of what was asked a refusal repeats."""

_INTEGER = re.compile(r"[+-]?\d{1,4300}", re.ASCII)  # as many digits as Python converts
OFFSET_MOST = 10**18 - 1
"""An offset is shown again, and JSON's writers and readers take no more. A limit is lowered first."""


@dataclass(frozen=True)
class Params:
    """One request's parameters; a name that is asked for twice is refused when it is read."""

    query: QueryParams
    periods: type[Enum] = Period
    default_period: str = "7d"

    def filters(self, today: date) -> Filters:
        """The shared parameters.

        Raises:
            BadFilter: one of them is not what it may be.
        """
        accepted = [str(period.value) for period in self.periods]
        period = Period(self._choice("period", accepted, self.default_period))
        custom = period is Period.CUSTOM
        return Filters.of(
            period,
            today=today,
            start_date=self._day("start_date") if custom else None,
            end_date=self._day("end_date") if custom else None,
            campaign_id=self._id("campaign_id"),
            client_id=self._id("client_id"),
        )

    def enum(self, name: str, kind: type[E], accepted: Collection[E]) -> E | None:
        """One of the accepted values of an enum; None when the parameter is absent."""
        if (text := self._text(name)) is None:
            return None
        return kind(self._choice(name, [str(value.value) for value in accepted], text))

    def metrics(self) -> list[str]:
        """The timeseries' metrics, in the documented order, each once; all without any."""
        names = set(self._list("metrics"))
        if unknown := sorted(names - set(TIMESERIES_METRICS)):
            raise BadFilter(
                f"metrics: unknown {_shown(*unknown)}; accepted, separated by commas or one by one: "
                + ", ".join(TIMESERIES_METRICS)
            )
        return [name for name in TIMESERIES_METRICS if name in names or not names]

    def limit(self, default: int, most: int) -> int:
        """`limit`, lowered to the most there may be."""
        return min(self._integer("limit", default, least=1), most)

    def offset(self) -> int:
        """`offset`."""
        return self._integer("offset", 0, least=0, most=OFFSET_MOST)

    def _text(self, name: str) -> str | None:
        values = self._given(name)
        if len(values) > 1:
            raise BadFilter(f"{name} is given {len(values)} times; give it once")
        return values[0] if values else None

    def _list(self, name: str) -> list[str]:
        """What may be given several times, separated by commas, or both."""
        entries = [entry.strip() for value in self._given(name) for entry in value.split(",")]
        return [entry for entry in entries if entry]

    def _given(self, name: str) -> list[str]:
        """An empty parameter is none: so a form sends a field that nobody filled in."""
        return [value for value in self.query.getlist(name) if value]

    def _choice(self, name: str, accepted: Collection[str], default: str) -> str:
        text = self._text(name)
        chosen = default if text is None else text
        if chosen not in accepted:
            raise BadFilter(f"{name} {_shown(chosen)} is not known; accepted: {', '.join(accepted)}")
        return chosen

    def _day(self, name: str) -> date | None:
        if (text := self._text(name)) is None:
            return None
        try:
            return parse_day(text)
        except ValueError:
            raise BadFilter(f"{name} {_shown(text)} is not a day; accepted: a real day as YYYY-MM-DD") from None

    def _id(self, name: str) -> UUID | None:
        if (text := self._text(name)) is None:
            return None
        try:
            return parse_uuid(text)
        except ValueError:
            raise BadFilter(
                f"{name} {_shown(text)} is not an id; accepted: a UUID, like 123e4567-e89b-12d3-a456-426614174000"
            ) from None

    def _integer(self, name: str, default: int, *, least: int, most: int | None = None) -> int:
        if (text := self._text(name)) is None:
            return default
        if not _INTEGER.fullmatch(text) or int(text) < least or (most is not None and int(text) > most):
            range_ = f"{least} or more" if most is None else f"{least} to {most}"
            raise BadFilter(f"{name} {_shown(text)} is not accepted; give a whole number, {range_}")
        return int(text)


def _shown(*texts: str) -> str:
    """What was asked, as a refusal repeats it."""
    cut = [text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…" for text in texts[:SHOWN_TEXTS]]
    more = len(texts) - SHOWN_TEXTS
    return ", ".join(map(repr, cut)) + (f" and {more} more" if more > 0 else "")
