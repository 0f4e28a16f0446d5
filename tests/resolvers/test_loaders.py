"""How the daily reports share statements: by equal filters, within one request, each with its own rows."""

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from resolvers.errors import Unavailable
from resolvers.filters import Filters, Period
from resolvers.loaders import DAILY, DailyLoader, DailyQuestion, Grain
from resolvers.metrics import TIMESERIES_METRICS
from resolvers.reader import Reader
from resolvers.statements import Row, Statement
from resolvers.viewer import Role, Viewer
from tests.given import Given

TODAY = date(2026, 2, 16)
WEEK = Filters.of(Period.LAST_7_DAYS, today=TODAY)
MONTH = Filters.of(Period.LAST_30_DAYS, today=TODAY)


class Reads:
    """Stands in for a reader: keeps what is asked of it and has no rows."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[tuple[Filters, dict[str, str]]] = []

    async def __call__(self, statement: Statement, filters: Filters, *, sql: dict[str, str]) -> Sequence[Row]:
        assert statement is DAILY
        self.asked.append((filters, sql))
        if self.error:
            raise self.error
        return []

    @property
    def sums(self) -> list[set[str]]:
        return [set(re.findall(r"sum\(f\.(\w+)\)", sql["measures"])) for _, sql in self.asked]


def _question(filters: Filters, grain: Grain, *metrics: str) -> DailyQuestion:
    return DailyQuestion(filters, grain, frozenset(metrics))


async def test_equal_filters_are_one_statement_with_all_the_sums_and_sets_asked_for() -> None:
    reads = Reads()
    loader = DailyLoader(reads)
    await asyncio.gather(
        loader.load(_question(WEEK, Grain.RANGE, "contact_rate")),
        loader.load(_question(Filters.of(Period.LAST_7_DAYS, today=TODAY), Grain.DAY, "sms_sent")),
        loader.load(_question(WEEK, Grain.CAMPAIGN, "total_calls")),
        loader.load(_question(WEEK, Grain.RANGE, "emails_sent")),
    )
    ((filters, sql),) = reads.asked
    assert filters == WEEK
    assert sql["sets"] == "(), (f.stat_date), (f.campaign_id)"
    assert reads.sums == [{"connected_calls", "total_calls", "sms_sent", "emails_sent"}]


async def test_only_the_sets_that_are_asked_for_are_grouped() -> None:
    for grain, sets in ((Grain.RANGE, "()"), (Grain.DAY, "(f.stat_date)"), (Grain.CAMPAIGN, "(f.campaign_id)")):
        reads = Reads()
        await DailyLoader(reads).load(_question(WEEK, grain, "total_calls"))
        assert [sql["sets"] for _, sql in reads.asked] == [sets]


async def test_other_filters_are_other_statements_and_share_no_sums() -> None:
    reads = Reads()
    loader = DailyLoader(reads)
    others = [
        WEEK,
        MONTH,
        Filters.of(Period.LAST_7_DAYS, today=TODAY, campaign_id=UUID(int=1)),
        Filters.of(Period.LAST_7_DAYS, today=TODAY, client_id=UUID(int=1)),
    ]
    names = ("total_calls", "failed_calls", "sms_sent", "emails_sent")
    await asyncio.gather(
        *(loader.load(_question(each, Grain.RANGE, name)) for each, name in zip(others, names, strict=True))
    )
    assert [filters for filters, _ in reads.asked] == others
    assert reads.sums == [{name} for name in names]


async def test_the_same_question_is_asked_once_in_a_request_and_anew_in_the_next() -> None:
    reads = Reads()
    for _ in range(2):
        loader = DailyLoader(reads)
        for _ in range(3):
            await loader.load(_question(WEEK, Grain.DAY, "total_calls"))
    assert len(reads.asked) == 2


async def test_a_failure_reaches_all_who_share_it_and_is_not_remembered() -> None:
    reads = Reads(Unavailable("away"))
    loader = DailyLoader(reads)
    questions = [_question(WEEK, Grain.RANGE, "total_calls"), _question(WEEK, Grain.DAY, "total_calls")]
    failed = await asyncio.gather(*(loader.load(each) for each in questions), return_exceptions=True)
    assert [type(each) for each in failed] == [Unavailable, Unavailable]
    assert len(reads.asked) == 1
    reads.error = None
    assert await loader.load(questions[1]) == []


class Facts:
    """A database of two campaigns over two days, and calls without a campaign on one of them."""

    def __init__(self, connection: asyncpg.Connection, agency: UUID, campaigns: list[UUID]) -> None:
        self.campaigns = campaigns
        self._connection = connection
        self._agency = agency

    def reader(self) -> Reader:
        return Reader(Viewer(uuid4(), self._agency, Role.AGENCY_OWNER), self)

    async def fetch(self, sql: str, *values: object) -> Sequence[Row]:
        return await self._connection.fetch(sql, *values)


@pytest.fixture
async def facts(given: Given) -> Facts:
    agency = await given.agency()
    campaigns = [await given.campaign(agency, name=name) for name in ("One", "Two")]
    client = await given.client(agency)
    for number, day, columns in (
        (1, 16, {"campaign_id": campaigns[0]}),
        (2, 10, {"campaign_id": campaigns[0], "client_id": client}),
        (4, 16, {"campaign_id": campaigns[1]}),
        (8, 16, {}),
        (16, 9, {"campaign_id": campaigns[1]}),
    ):
        await given.calls(agency, number, started_at=datetime(2026, 2, day, 10, tzinfo=UTC), **columns)
    return Facts(given.connection, agency, campaigns)


RANGE_ROWS = [15]
DAY_ROWS = [(date(2026, 2, 10), 2), (date(2026, 2, 16), 13)]
CAMPAIGN_ROWS = {("One", 3), ("Two", 4), (None, 8)}


async def _check(grain: Grain, rows: Sequence[Row]) -> None:
    if grain is Grain.RANGE:
        assert [row["total_calls"] for row in rows] == RANGE_ROWS
    elif grain is Grain.DAY:
        assert [(row["stat_date"], row["total_calls"]) for row in rows] == DAY_ROWS
    else:
        assert {(row["campaign_name"], row["total_calls"]) for row in rows} == CAMPAIGN_ROWS


@pytest.mark.parametrize("mask", range(1, 8))
async def test_each_question_gets_its_own_rows_whichever_others_it_shares_the_statement_with(
    facts: Facts, mask: int
) -> None:
    grains = [grain for place, grain in enumerate(Grain) if mask & 1 << place]
    reader = facts.reader()
    answers = await asyncio.gather(*(reader.daily(WEEK, grain, frozenset({"total_calls"})) for grain in grains))
    for grain, rows in zip(grains, answers, strict=True):
        await _check(grain, rows)


async def test_a_range_without_calls_is_one_row_of_zeros_and_no_day_and_no_campaign(facts: Facts) -> None:
    reader = facts.reader()
    nothing = Filters.of(Period.CUSTOM, today=TODAY, start_date=date(2020, 1, 1), end_date=date(2020, 1, 2))
    metrics = frozenset(TIMESERIES_METRICS)
    whole, days, campaigns = await asyncio.gather(*(reader.daily(nothing, grain, metrics) for grain in Grain))
    (zeros,) = whole
    assert {value for name, value in zeros.items() if name not in ("stat_date", "campaign_id", "campaign_name")} <= {
        0,
        zeros["mark"],
    }
    assert (days, campaigns) == ([], [])


async def test_no_metric_at_all_is_still_the_right_rows(facts: Facts) -> None:
    reader = facts.reader()
    days = await reader.daily(WEEK, Grain.DAY, frozenset())
    assert [row["stat_date"] for row in days] == [day for day, _ in DAY_ROWS]


async def test_a_read_that_fails_leaves_those_with_other_filters_standing() -> None:
    class WeekIsAway(Reads):
        async def __call__(self, statement: Statement, filters: Filters, *, sql: dict[str, str]) -> Sequence[Row]:
            self.error = Unavailable("away") if filters == WEEK else None
            return await super().__call__(statement, filters, sql=sql)

    loader = DailyLoader(WeekIsAway())
    week, month = await asyncio.gather(
        loader.load(_question(WEEK, Grain.DAY, "sms_sent")),
        loader.load(_question(MONTH, Grain.DAY, "sms_sent")),
        return_exceptions=True,
    )
    assert isinstance(week, Unavailable)
    assert month == []
