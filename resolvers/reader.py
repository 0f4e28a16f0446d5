"""The only road to a row: every statement passes here and is given the viewer's limits on its way."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol

from resolvers.filters import Filters
from resolvers.loaders import DailyLoader, DailyQuestion, Grain, alone
from resolvers.statements import Row, Statement, fill
from resolvers.viewer import Viewer

_DAYS = {
    "stat_date": "f.stat_date between :first_day and :last_day",
    "started_at": "f.started_at >= :first_day::date::timestamp at time zone 'UTC'"
    " and f.started_at < (:last_day::date + 1)::timestamp at time zone 'UTC'",
}


class Database(Protocol):
    """Where statements are run: the gateway's pool, or a test's connection."""

    async def fetch(self, sql: str, *values: object) -> Sequence[Row]:
        """The rows of one statement.

        Raises:
            Unavailable: the database cannot be reached, or takes too long.
        """
        ...


class Reader:
    """One viewer's road to rows, for one request.

    `alone` is set by who knows that the request asks for one report: then there is nobody to share a statement with.
    """

    def __init__(self, viewer: Viewer, database: Database) -> None:
        self.viewer = viewer
        self._database = database
        self._daily: DailyLoader | None = None
        self.alone = False

    def daily(
        self, filters: Filters, grain: Grain, metrics: frozenset[str], *, shared: bool = False
    ) -> Awaitable[Sequence[Row]]:
        """Rows of the rollup: one for the range, or one a day (oldest first), or one a campaign.

        Questions with the same filters that are asked before anything is awaited share one statement. The range without
        a metric is one empty row, for which nothing is read. `shared` says that the report itself asks more than once.
        """
        if grain is Grain.RANGE and not metrics:
            return _empty_row()
        question = DailyQuestion(filters, grain, metrics)
        if self.alone and not shared:
            return alone(self.read, question)
        self._daily = self._daily or DailyLoader(self.read)
        return self._daily.load(question)

    def end(self) -> None:
        """The end of the request, answered or not: what is still being read for it is broken off."""
        if self._daily is not None:
            self._daily.end()

    async def read(
        self, statement: Statement, filters: Filters, *, sql: Mapping[str, str] | None = None, **values: object
    ) -> Sequence[Row]:
        """Runs a statement within the viewer's limits.

        Args:
            statement: what to run.
            filters: the days, campaign and client asked for. They narrow; nothing in them can widen.
            sql: fills holes of the statement with SQL, from constants of this package only.
            values: bound to the statement's other holes; a `status` also narrows.

        Raises:
            Unavailable: the database is away or too slow.
        """
        text, arguments = self.compose(statement, filters, sql=sql, **values)
        return await self._database.fetch(text, *arguments)

    def compose(
        self, statement: Statement, filters: Filters, *, sql: Mapping[str, str] | None = None, **values: object
    ) -> tuple[str, list[object]]:
        """The SQL and its arguments, as `read` runs them."""
        conditions = ["f.agency_id = :agency"]
        if self.viewer.client_id is not None:
            # Beside a client that was asked for, not instead of it: another client's id then finds nothing.
            conditions.append("f.client_id = :own_client")
        if filters.client_id is not None:
            conditions.append("f.client_id = :client")
        if filters.campaign_id is not None:
            conditions.append("f.campaign_id = :campaign")
        sources = {hole: tables[len(conditions) > 1] for hole, tables in statement.sources.items()}
        if statement.days in _DAYS:
            conditions.append(_DAYS[statement.days])
        if "status" in values:
            conditions.append("f.status = :status")
        return fill(
            statement.text,
            {**(sql or {}), **sources, "where": " and ".join(conditions)},
            {
                **values,
                "agency": self.viewer.agency_id,
                "own_client": self.viewer.client_id,
                "client": filters.client_id,
                "campaign": filters.campaign_id,
                "first_day": filters.first_day,
                "last_day": filters.last_day,
            },
        )


async def _empty_row() -> Sequence[Row]:
    return ({},)
