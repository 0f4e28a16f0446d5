"""The reports' SQL: `.sql` files with holes, and how a hole is filled."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from resolvers.metrics import sums_of

Row = Mapping[str, Any]

_HOLE = re.compile(r"(?<![:\w]):([a-z_]+)")
_TEXTS = {path.stem: path.read_text("utf-8") for path in (Path(__file__).parent / "sql").glob("*.sql")}
_NUMERIC = ("talk_ratio_sum", "listen_ratio_sum", "script_adherence_sum")


@dataclass(frozen=True)
class Statement:
    """A `.sql` file beside the reports. The relation it reads is called `f` in it and narrowed by `:where`.

    `days` says what a range of days means there: days of `f.stat_date`, moments of `f.started_at`, or nothing.
    `sources` fills a hole with one of two tables: the reader takes the first, which knows agencies only, when nothing
    narrows the rows further, and the second when the viewer or the filters name a campaign or a client.
    """

    name: str
    days: Literal["stat_date", "started_at", "none"]
    sources: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The file as it stands."""
        return _TEXTS[self.name]


def fill(text: str, sql: Mapping[str, str], values: Mapping[str, object]) -> tuple[str, list[object]]:
    """Fills each `:name` with SQL of ours or, for any other name, with a bound `$n`.

    Returns:
        the SQL, and the arguments it binds: only those it names, each once.
    """
    filled, names = _filled(text, tuple(sql.items()))
    return filled, [values[name] for name in names]


@lru_cache(maxsize=200)
def _filled(text: str, sql: tuple[tuple[str, str], ...]) -> tuple[str, tuple[str, ...]]:
    """The filled text and the names of what it binds. The same few questions are asked over and over."""
    ours = dict(sql)
    places: dict[str, str] = {}

    def place(hole: re.Match[str]) -> str:
        name = hole[1]
        if name in ours:
            return _HOLE.sub(place, ours[name])
        return places.setdefault(name, f"${len(places) + 1}")

    return _HOLE.sub(place, text), tuple(places)


@lru_cache(maxsize=200)
def summed(metrics: frozenset[str], relation: str) -> str:
    """The select list that adds up what these metrics follow from, over `call_counts` or the rollup's columns."""
    return (
        ", ".join(f"{_sum(f'{relation}.{name}', name in _NUMERIC)} as {name}" for name in sorted(sums_of(metrics)))
        or "null as nothing"
    )


def _sum(column: str, is_numeric: bool) -> str:
    return f"coalesce(sum({column}), 0)" if is_numeric else f"bigint_sum({column})"
