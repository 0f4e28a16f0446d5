"""What the daily reports share: one statement over `call_stats_daily` for all that ask with the same filters."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from aiodataloader import DataLoader

from resolvers.filters import Filters
from resolvers.statements import Row, Statement, summed

DAILY = Statement("daily", days="stat_date")


class Grain(Enum):
    """What one row sums up. Valued by the column that tells its rows apart, if any."""

    RANGE = None
    DAY = "f.stat_date"
    CAMPAIGN = "f.campaign_id"


_COLUMNS = {
    Grain.RANGE: "",
    Grain.DAY: "f.stat_date, ",
    # The name belongs to the group, not to the rows summed up: it is looked up once for each campaign.
    Grain.CAMPAIGN: "f.campaign_id, (select c.name from campaigns as c where c.agency_id = :agency "
    "and c.id = f.campaign_id) as campaign_name, ",
}


@dataclass(frozen=True)
class DailyQuestion:
    """What one report wants of the rollup."""

    filters: Filters
    grain: Grain
    metrics: frozenset[str]


class Read(Protocol):
    """Runs a statement within a viewer's limits: `Reader.read`."""

    async def __call__(self, statement: Statement, filters: Filters, *, sql: dict[str, str]) -> Sequence[Row]: ...


class DailyLoader(DataLoader[DailyQuestion, Sequence[Row]]):
    """Collects the questions of one request and answers those with the same filters from one statement.

    It lives as long as the request and belongs to its reader, so no answer is ever shared between viewers.
    """

    def __init__(self, read: Read) -> None:
        super().__init__()
        self._read = read

    # A key's answer may be its error, which the library's types do not say.
    async def batch_load_fn(  # type: ignore[override]
        self, keys: list[DailyQuestion]
    ) -> list[Sequence[Row] | BaseException]:
        """The rows of each question, in the questions' order; a read that fails fails its own questions only."""
        together: dict[Filters, list[DailyQuestion]] = {}
        for question in keys:
            together.setdefault(question.filters, []).append(question)
        answers: dict[DailyQuestion, Sequence[Row] | BaseException] = {}
        read = await asyncio.gather(*(self._answer(*asked) for asked in together.items()), return_exceptions=True)
        for questions, rows in zip(together.values(), read, strict=True):
            for question in questions:
                if isinstance(rows, BaseException):
                    self.clear(question)  # not remembered: the next to ask may be luckier
                    answers[question] = rows
                else:
                    answers[question] = rows[question.grain]
        return [answers[question] for question in keys]

    async def _answer(self, filters: Filters, questions: list[DailyQuestion]) -> dict[Grain, list[Row]]:
        grains = [grain for grain in Grain if any(question.grain is grain for question in questions)]
        keys = [grain for grain in grains if grain.value]
        metrics: frozenset[str] = frozenset().union(*(question.metrics for question in questions))
        mark = f"grouping({', '.join(key.value for key in keys if key.value)})" if keys else "0"
        rows = await self._read(
            DAILY,
            filters,
            sql={
                "measures": f"{mark} as mark, {''.join(_COLUMNS[grain] for grain in grains)}{summed(metrics, 'f')}",
                "sets": ", ".join(f"({grain.value or ''})" for grain in grains),
            },
        )
        # grouping() has a bit for each key, the first one highest, set where the row sums over that key.
        marks = {grain: sum(1 << bit for bit, key in enumerate(reversed(keys)) if key is not grain) for grain in grains}
        answer = {grain: [row for row in rows if row["mark"] == marks[grain]] for grain in grains}
        if Grain.DAY in answer:
            answer[Grain.DAY].sort(key=lambda row: row["stat_date"])
        return answer
