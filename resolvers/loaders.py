"""What the daily reports share: one statement over `call_stats_parts` for all that ask with the same filters."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from aiodataloader import DataLoader

from resolvers.filters import Filters
from resolvers.statements import Row, Statement, summed

T = TypeVar("T")

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


async def together_or_alone(asked: Sequence[Coroutine[Any, Any, T]]) -> Sequence[T | BaseException]:
    """The results of all, or what they raised; one alone needs no task of its own."""
    if len(asked) != 1:
        results: Sequence[T | BaseException] = await asyncio.gather(*asked, return_exceptions=True)
        return results
    try:
        return [await asked[0]]
    except Exception as error:  # noqa: BLE001  whoever asked gets it
        return [error]


async def alone(read: Read, question: DailyQuestion) -> Sequence[Row]:
    """The rows of a question that nobody shares: the library's tasks cost more than the whole of a small report."""
    return (await _answered(read, question.filters, [question]))[question.grain]


class DailyLoader(DataLoader[DailyQuestion, Sequence[Row]]):
    """Collects the questions of one request and answers those with the same filters from one statement.

    It lives as long as the request and belongs to its reader, so no answer is ever shared between viewers.
    """

    def __init__(self, read: Read) -> None:
        super().__init__()
        self._read = read
        self._reading: set[asyncio.Task[object]] = set()
        self._has_ended = False

    def end(self) -> None:
        """Breaks off what is still being read: the library has it read by tasks that know nothing of who asked."""
        self._has_ended = True
        for task in self._reading:
            task.cancel()

    # A key's answer may be its error, which the library's types do not say.
    async def batch_load_fn(  # type: ignore[override]
        self, keys: list[DailyQuestion]
    ) -> list[Sequence[Row] | BaseException]:
        """The rows of each question, in the questions' order; a read that fails fails its own questions only."""
        task = asyncio.current_task()
        if task is None or self._has_ended:
            raise asyncio.CancelledError
        self._reading.add(task)
        try:
            return await self._answers(keys)
        finally:
            self._reading.discard(task)

    async def _answers(self, keys: list[DailyQuestion]) -> list[Sequence[Row] | BaseException]:
        together: dict[Filters, list[DailyQuestion]] = {}
        for question in keys:
            together.setdefault(question.filters, []).append(question)
        answers: dict[DailyQuestion, Sequence[Row] | BaseException] = {}
        read = await together_or_alone([_answered(self._read, *asked) for asked in together.items()])
        for questions, rows in zip(together.values(), read, strict=True):
            for question in questions:
                if isinstance(rows, BaseException):
                    self.clear(question)  # not remembered: the next to ask may be luckier
                    answers[question] = rows
                else:
                    answers[question] = rows[question.grain]
        return [answers[question] for question in keys]


async def _answered(read: Read, filters: Filters, questions: list[DailyQuestion]) -> dict[Grain, list[Row]]:
    """The rows of questions with the same filters, from one statement."""
    grains = frozenset(question.grain for question in questions)
    sql, marks = _together(grains, frozenset().union(*(question.metrics for question in questions)))
    rows = await read(DAILY, filters, sql=sql)
    if len(grains) == 1:
        answer = {grain: [*rows] for grain in grains}
    else:
        answer = {grain: [row for row in rows if row["mark"] == mark] for grain, mark in marks.items()}
    if Grain.DAY in answer:
        answer[Grain.DAY].sort(key=lambda row: row["stat_date"])
    return answer


@lru_cache(maxsize=200)
def _together(asked: frozenset[Grain], metrics: frozenset[str]) -> tuple[dict[str, str], Mapping[Grain, int]]:
    """What fills the statement's holes for these grains and metrics, and the mark of each grain's rows."""
    grains = [grain for grain in Grain if grain in asked]
    keys = [grain for grain in grains if grain.value]
    mark = f"grouping({', '.join(key.value for key in keys if key.value)})" if keys else "0"
    # grouping() has a bit for each key, the first one highest, set where the row sums over that key.
    marks = {grain: sum(1 << bit for bit, key in enumerate(reversed(keys)) if key is not grain) for grain in grains}
    # The range has a row without any calls, too. A change that waits may have taken a day's or a campaign's last call.
    whole = f"{mark} = {marks[Grain.RANGE]} or " if Grain.RANGE in marks else ""
    sql = {
        "measures": f"{mark} as mark, {''.join(_COLUMNS[grain] for grain in grains)}{summed(metrics, 'f')}",
        "sets": ", ".join(f"({grain.value or ''})" for grain in grains),
        "kept": f"{whole}bigint_sum(f.total_calls) <> 0",
    }
    return sql, marks
