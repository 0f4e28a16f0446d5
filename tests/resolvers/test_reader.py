"""The reader: whatever is asked for, every statement carries the viewer's limits, bound and never spliced."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

import resolvers
from resolvers.campaigns import BATCHES, BatchStatus, Campaigns, campaigns
from resolvers.choices import CAMPAIGNS, CLIENTS
from resolvers.filters import Filters, Period
from resolvers.freshness import ROLLUP, WAITING
from resolvers.funnel import Funnel, funnel
from resolvers.heatmap import HEATMAP, Heatmap, HeatmapMetric, heatmap
from resolvers.loaders import DAILY
from resolvers.objections import OBJECTIONS, Objections, objections
from resolvers.overview import Overview, overview
from resolvers.profile import VIEWER
from resolvers.quality import Quality, quality
from resolvers.reader import Reader
from resolvers.selection import everything
from resolvers.statements import Row, Statement
from resolvers.timeseries import Timeseries, timeseries
from resolvers.viewer import Role, Viewer
from tests.given import NOW, Given

STATEMENTS = (BATCHES, CLIENTS, CAMPAIGNS, DAILY, HEATMAP, OBJECTIONS, ROLLUP, VIEWER, WAITING)
FILES = sorted((Path(resolvers.__file__).parent / "sql").glob("*.sql"))
AGENCY, CLIENT, OTHER_CLIENT, CAMPAIGN = (uuid4() for _ in range(4))
VIEWERS = [Viewer(uuid4(), AGENCY, role, CLIENT if role.sees_one_client else None) for role in Role]
DAYS = (date(2026, 2, 10), date(2026, 2, 16))
FILTERS = [
    Filters(Period.LAST_7_DAYS, *DAYS, campaign, client)
    for campaign, client in product((None, CAMPAIGN), (None, CLIENT, OTHER_CLIENT))
]
VALUES: Mapping[str, Mapping[str, Any]] = {
    "batches": {"limit": 25, "offset": 0, "status": "failed"},
    "choices_campaigns": {"limit": 1_000},
    "choices_clients": {"limit": 1_000},
    "objections": {"limit": 10},
}
SQL = {
    "measures": "count(*) as calls",
    "sets": "()",
    "kept": "true",
    "days": "count(*) as calls",
    "hours": "n.calls",
    "changes": "1",
    "slots": "sum(u.calls) as calls",
    "listed": "true",
}


class Unread:
    """A database that nobody should ask."""

    async def fetch(self, sql: str, *values: object) -> Sequence[Row]:
        raise AssertionError((sql, values))


class Recording:
    """A database that remembers what it ran."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.ran: list[tuple[str, tuple[object, ...]]] = []
        self._connection = connection
        self._one_at_a_time = asyncio.Lock()

    async def fetch(self, sql: str, *values: object) -> Sequence[Row]:
        self.ran.append((sql, values))
        async with self._one_at_a_time:
            return await self._connection.fetch(sql, *values)


def composed(statement: Statement, viewer: Viewer, filters: Filters, **values: object) -> tuple[str, list[object]]:
    return Reader(viewer, Unread()).compose(statement, filters, sql=SQL, **values)


def clauses(sql: str) -> list[str]:
    """What each `:where` became, up to the end of its line."""
    return re.findall(r"\bf\.agency_id = \$\d+[^\n]*", sql)


def bound(clause: str, arguments: Sequence[object], column: str) -> list[object]:
    """The values that a column must equal within a clause."""
    return [arguments[int(place) - 1] for place in re.findall(rf"\bf\.{column} = \$(\d+)", clause)]


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.name)
async def test_every_where_carries_the_viewers_agency_and_own_client(statement: Statement) -> None:
    for viewer, filters in product(VIEWERS, FILTERS):
        sql, arguments = composed(statement, viewer, filters, **VALUES.get(statement.name, {}))
        # A client viewer's own client stands beside the one asked for: both must be met.
        clients = [client for client in (viewer.client_id, filters.client_id) if client]
        assert len(clauses(sql)) == len(re.findall(r":where\b", statement.text)) >= 1
        for clause in clauses(sql):
            assert bound(clause, arguments, "agency_id") == [AGENCY]
            assert bound(clause, arguments, "client_id") == clients
            assert bound(clause, arguments, "campaign_id") == [CAMPAIGN] * (filters.campaign_id is not None)
            assert not re.search(r"\bor\b", clause)


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.name)
async def test_every_value_is_bound_and_none_is_written_into_the_sql(statement: Statement) -> None:
    values = VALUES.get(statement.name, {})
    for viewer, filters in product(VIEWERS, FILTERS):
        sql, arguments = composed(statement, viewer, filters, **values)
        assert not re.search(r"[0-9a-f]{8}-|\d{4}-\d{2}", sql)
        assert not re.search(r"(?<![:\w]):[a-z_]", sql), "a hole was left open"
        assert {int(place) for place in re.findall(r"\$(\d+)", sql)} == set(range(1, len(arguments) + 1))
        assert {AGENCY, *values.values()} <= set(arguments)


async def test_the_same_question_of_two_agencies_is_the_same_sql() -> None:
    for statement, filters in product(STATEMENTS, FILTERS):
        values = VALUES.get(statement.name, {})
        ours, theirs = [Viewer(uuid4(), uuid4(), Role.ADMIN) for _ in range(2)]
        sql, arguments = composed(statement, ours, filters, **values)
        other_sql, other_arguments = composed(statement, theirs, filters, **values)
        assert sql == other_sql
        assert [theirs.agency_id if value == ours.agency_id else value for value in arguments] == other_arguments


async def test_what_an_agency_has_as_a_whole_is_read_only_when_nothing_narrows_and_the_viewer_sees_it_all() -> None:
    for viewer, filters in product(VIEWERS, FILTERS):
        sql, _ = composed(OBJECTIONS, viewer, filters, limit=10)
        whole = not viewer.role.sees_one_client and filters.client_id is None and filters.campaign_id is None
        assert re.findall(r"\w+_findings_folded", sql) == [
            "agency_findings_folded" if whole else "call_findings_folded"
        ]
        sql, _ = composed(HEATMAP, viewer, filters)
        assert re.findall(r"\w+_folded", sql) == ["agency_hours_folded" if whole else "call_stats_folded"]


async def test_no_value_a_caller_binds_can_take_the_place_of_the_viewers() -> None:
    viewer = Viewer(uuid4(), AGENCY, Role.CLIENT_VIEWER, CLIENT)
    forged = {"agency": uuid4(), "own_client": uuid4()}
    _, arguments = composed(OBJECTIONS, viewer, FILTERS[0], limit=10, **forged)
    assert not set(forged.values()) & set(arguments)
    assert {AGENCY, CLIENT} <= set(arguments)


def test_a_viewer_has_a_client_exactly_when_the_role_sees_one() -> None:
    for role in Role:
        wrong = None if role.sees_one_client else CLIENT
        with pytest.raises(ValueError, match="client role"):
            Viewer(uuid4(), AGENCY, role, wrong)


async def test_what_the_seven_reports_really_run_binds_the_agency_in_every_statement(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    client = await given.client(agency)
    campaign = await given.campaign(agency, client)
    await given.calls(agency, 2, client_id=client, campaign_id=campaign)
    filters = Filters.of(Period.LAST_7_DAYS, today=NOW.date())
    for viewer in (Viewer(uuid4(), agency, Role.ADMIN), Viewer(uuid4(), agency, Role.CLIENT_VIEWER, client)):
        database = Recording(connection)
        reader = Reader(viewer, database)
        await overview(reader, filters, everything(Overview))
        await timeseries(reader, filters, everything(Timeseries))
        await funnel(reader, filters, everything(Funnel))
        await quality(reader, filters, everything(Quality))
        await campaigns(reader, filters, everything(Campaigns), BatchStatus.PENDING)
        await heatmap(reader, filters, everything(Heatmap), HeatmapMetric.CALLS)
        await objections(reader, filters, everything(Objections))
        assert len(database.ran) >= 7
        for sql, arguments in database.ran:
            assert clauses(sql)
            for clause in clauses(sql):
                assert bound(clause, arguments, "agency_id") == [agency]
                assert bound(clause, arguments, "client_id") == [client] * (viewer.client_id is not None)
            assert Shape.of(sql).strangers(await tenant_tables(connection)) == []


async def tenant_tables(connection: asyncpg.Connection) -> frozenset[str]:
    """Tables and views whose rows belong to somebody: all but the list of migrations and the log of scheduled jobs."""
    rows = await connection.fetch(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'm', 'p')"
    )
    return frozenset(row["relname"] for row in rows) - {"schema_migrations", "cron_job_logs"}


@dataclass(frozen=True)
class Shape:
    """A select at one level of parentheses: its own words, and the levels inside with the name each is given."""

    words: str
    inner: Sequence[tuple["Shape", str]]

    @classmethod
    def of(cls, sql: str) -> "Shape":
        """The shape of a statement; each inner level leaves a `()` in the words of the outer one."""
        text = re.sub(r"\s+", " ", re.sub(r"--[^\n]*", "", sql)).strip().lower()
        return cls._of(text)

    @classmethod
    def _of(cls, text: str) -> "Shape":
        words, inner, depth, start = "", [], 0, 0
        for place, letter in enumerate(text):
            if letter == "(":
                depth += 1
                start = place + 1 if depth == 1 else start
            elif letter == ")":
                depth -= 1
                if not depth:
                    name = re.match(r"\) as (\w+)", text[place:])
                    inner.append((cls._of(text[start:place]), name[1] if name else ""))
                    words += "()"
            elif not depth:
                words += letter
        return cls(words, inner)

    def strangers(self, tenants: frozenset[str], limited: bool = False) -> list[str]:
        """The sources of tenants' rows that nothing limits to an agency. `limited`: the outer level does it."""
        found = []
        for select in re.split(r"\bunion(?: all)?\b", self.words):
            where = re.search(r"\bwhere\b(.*?)(?=\bgroup by\b|\border by\b|$)", select)
            limits = where[1] if where else ""
            # An `or` beside the condition would weaken it; one within parentheses cannot.
            narrows = bool(re.search(r":where\b|\bf\.agency_id = \$\d+", limits)) and not re.search(r"\bor\b", limits)
            sources = [source for source in _SOURCE.finditer(select) if source["table"] in tenants]
            for source in sources:
                key = "id" if source["table"] == "agencies" else "agency_id"
                own = rf"\b{source['alias']}\.{key}\b"
                if not (
                    (source["alias"] == "f" and narrows)
                    or (source["verb"] == "from" and limited)
                    or re.search(rf"\w\.agency_id = {own}|{own} = \w+\.agency_id", source["condition"] or "")
                    or re.search(rf"{own} = (?::agency\b|\$\d+)", limits)
                ):
                    found.append(source[0])
            mentions = re.findall(rf"(?<!\bas )(?<![.\w])(?:{'|'.join(sorted(tenants))})\b", select)
            if len(mentions) != len(sources):
                found.append(f"{len(mentions)} tables named, {len(sources)} understood: {select}")
            for level, name in self.inner:
                found += level.strangers(tenants, limited=name == "f" and narrows)
        return found


_SOURCE = re.compile(
    r"\b(?P<verb>from|join) (?P<table>\w+)(?: as (?P<alias>\w+))?(?: on (?P<condition>.*?))?"
    r"(?=\s+(?:left|join|cross|where|group|order|limit)\b|\s*$)"
)


async def test_every_file_reads_tenant_tables_as_f_within_where_or_joined_on_the_agency(
    connection: asyncpg.Connection,
) -> None:
    tenants = await tenant_tables(connection)
    assert {"calls", "call_stats_parts", "call_stats_folded", "v_call_batch_summary", "campaigns", "users"} <= tenants
    assert {file.stem for file in FILES} == {statement.name for statement in STATEMENTS}
    for file in FILES:
        text = file.read_text("utf-8")
        assert any(table in text for table in tenants)
        assert Shape.of(text).strangers(tenants) == [], file.name


@pytest.mark.parametrize(
    "sql",
    [
        "select * from calls as f",
        "select * from calls as c where :where",
        "select * from calls as f join campaigns as c on c.id = f.campaign_id where :where",
        "select * from calls as f left join clients as c on c.id = f.client_id and c.name = 'agency_id' where :where",
        "select * from (select * from calls as b) as g where :where",
        "select * from (select * from calls as b) as f",
        "select (select max(name) from campaigns as c where c.id = f.campaign_id) from calls as f where :where",
        "with x as (select * from calls as f) select * from x as f where :where",
        "select 1 from calls as f where :where union all select 2 from calls as f",
        "select 1 from calls as f, clients as c where :where",
        "select 1 from calls as f where f.status = 'completed' or :where",
    ],
)
def test_a_statement_that_forgets_the_agency_would_be_noticed(sql: str) -> None:
    assert Shape.of(sql).strangers(frozenset({"calls", "campaigns", "clients"}))
