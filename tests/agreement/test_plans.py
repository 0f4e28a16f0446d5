"""On a filled table every report finds its rows through its index, and counts no batch that it does not show."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from resolvers.campaigns import BatchStatus, Campaigns, campaigns
from resolvers.filters import Filters, Period
from resolvers.freshness import Freshness, freshness
from resolvers.funnel import Funnel, funnel
from resolvers.heatmap import Heatmap, HeatmapMetric, heatmap
from resolvers.objections import Objections, objections
from resolvers.overview import Overview, overview
from resolvers.quality import Quality, quality
from resolvers.reader import Reader
from resolvers.selection import Wanted, everything
from resolvers.timeseries import Timeseries, timeseries
from resolvers.viewer import Role, Viewer
from tests.conftest import Postgres

TODAY = date(2026, 2, 16)
CALLS = 200_000
BLOAT, WAITING = 20_000, 100
LARGE = (
    *("calls", "call_changes", "call_stats_folded", "agency_hours_folded"),
    *("call_findings_folded", "agency_findings_folded", "call_batches", "campaign_contacts"),
)

# Six agencies with three clients and nine campaigns each. The sixth has a hundredth of the calls, so that reading a
# whole table for it would be wrong. Two hundred days; one call in eight has an objection.
PLATFORM = """
insert into agencies (name, slug) select 'Agency ' || n, 'agency-' || n from generate_series(1, 6) as n;
insert into clients (agency_id, name) select a.id, 'Client ' || n from agencies as a, generate_series(1, 3) as n;
insert into campaigns (agency_id, client_id, name)
select c.agency_id, c.id, c.name || ', campaign ' || n from clients as c, generate_series(1, 3) as n;
insert into call_batches (agency_id, campaign_id, status, created_at)
select
    c.agency_id, c.id, (enum_range(null::batch_status))[1 + n % 7],
    '2026-02-16 12:00Z'::timestamptz - n * interval '3 h'
from campaigns as c, generate_series(1, 60) as n;
insert into campaign_contacts (batch_id, campaign_id, phone_number, status)
select b.id, b.campaign_id, '+1555' || n, (enum_range(null::contact_status))[1 + n % 6]
from call_batches as b, generate_series(1, 10) as n;
"""
FILL = f"""
insert into calls (
    agency_id, client_id, campaign_id, ultravox_call_id, status, started_at, joined_at, duration_seconds,
    analysis_status, disposition, sentiment, talk_ratio, objections, buying_signals
)
select
    p.agency_id, p.client_id, p.id, md5(n::text), 'completed', t.at, case when n % 3 > 0 then t.at end, n % 600,
    'completed', (enum_range(null::call_disposition))[1 + n % 9], (enum_range(null::call_sentiment))[1 + n % 3], 0.5,
    case when n % 8 = 0 then format('[{{"text": "No %s", "handled": true, "quote": ""}}]', n % 23) else '[]' end::jsonb,
    case when n % 16 = 0 then format('[{{"text": "Yes %s", "quote": "…"}}]', n % 11) else '[]' end::jsonb
from generate_series(1, {CALLS}) as n
cross join lateral (select '2026-02-16 12:00Z'::timestamptz - ({CALLS} - n) * interval '86.4 s' as at) as t
join (
    select c.*, a.slug, row_number() over (partition by c.agency_id order by c.id) - 1 as place
    from campaigns as c join agencies as a on a.id = c.agency_id
) as p on p.place = n % 9 and p.slug = 'agency-' || case when n % 100 = 0 then 6 else 1 + n % 5 end
"""


@pytest.fixture(scope="module")
async def filled(server: Postgres) -> AsyncIterator[asyncpg.Connection]:
    """A connection, set as the gateway's, to a database with CALLS calls.

    They go in without triggers, which takes 5 s instead of 28, and the rollup follows by its own repair.
    """
    name = f"gateway_test_{uuid4().hex[:12]}"
    admin = await asyncpg.connect(server.address)
    await admin.execute(f"create database {name} template {os.environ['GATEWAY_TEST_TEMPLATE']}")
    try:
        # Without asyncpg's own prepared statements, which `deallocate all` below would pull from under it. What was
        # committed without waiting for the disk cannot be marked as visible to all at once, so this waits.
        settings = {"jit": "off", "synchronous_commit": "on"}
        connection = await asyncpg.connect(server.dsn(name), server_settings=settings, statement_cache_size=0)
        for table in LARGE:
            await connection.execute(f"alter table {table} set (autovacuum_enabled = off)")
        await connection.execute(PLATFORM)
        await connection.execute("set session_replication_role = replica")
        await connection.execute(FILL)
        await connection.execute("set session_replication_role = origin")
        for agency in await connection.fetch("select id from agencies"):
            await connection.execute("select repair_call_stats($1, '2025-07-01', '2026-02-16')", agency["id"])
        # The log as it is on a busy day: many changes that are folded and not yet vacuumed, and a few that wait.
        for calls in (BLOAT, WAITING):
            await connection.execute(
                f"update calls set sms_sent = sms_sent + 1 where id in (select id from calls limit {calls})"
            )
        await connection.execute(f"vacuum analyze {', '.join(LARGE)}, campaigns, clients, agencies")
        yield connection
        await connection.close()
    finally:
        await admin.execute(f"drop database {name} with (force)")
        await admin.close()


class Recording:
    """Keeps what a reader has run."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._one_at_a_time = asyncio.Lock()
        self.statements: list[tuple[str, tuple[object, ...]]] = []

    async def fetch(self, sql: str, *values: object) -> Sequence[Any]:
        self.statements.append((sql, values))
        async with self._one_at_a_time:
            return await self._connection.fetch(sql, *values)


@dataclass(frozen=True)
class Case:
    """A question, and by what it is narrowed."""

    name: str
    viewer: Viewer
    filters: Filters

    @property
    def campaign(self) -> bool:
        return self.filters.campaign_id is not None

    @property
    def client(self) -> bool:
        return self.filters.client_id is not None or self.viewer.client_id is not None

    def by(self, plain: str, campaign: str, client: str) -> set[str]:
        """The index for these filters; with both filters either will do."""
        return ({campaign} if self.campaign else set()) | ({client} if self.client else set()) or {plain}


async def _cases(connection: asyncpg.Connection) -> list[Case]:
    cases = []
    # A small agency, where an index is always right, and one of the large, where it is for a week.
    for slug, periods in (("agency-6", (Period.LAST_7_DAYS, Period.LAST_90_DAYS)), ("agency-2", (Period.LAST_7_DAYS,))):
        row = await connection.fetchrow(
            "select a.id as agency, c.client_id as client, c.id as campaign from agencies as a"
            " join campaigns as c on c.agency_id = a.id where a.slug = $1 order by c.id limit 1",
            slug,
        )
        assert row
        owner = Viewer(uuid4(), row["agency"], Role.AGENCY_OWNER)
        client = Viewer(uuid4(), row["agency"], Role.CLIENT_VIEWER, row["client"])
        for period, campaign_id, client_id in product(periods, (None, row["campaign"]), (None, row["client"])):
            filters = Filters.of(period, today=TODAY, campaign_id=campaign_id, client_id=client_id)
            words = " ".join(
                (slug, str(period.value), "campaign" if campaign_id else "", "client" if client_id else "")
            )
            cases.append(Case(words, owner, filters))
            if client_id is None:
                cases.append(Case(f"{words} seen by a client", client, filters))
    return cases


async def _plans(connection: asyncpg.Connection, sql: str, values: Sequence[object]) -> list[dict[str, Any]]:
    """How it is run the first times, and for good once the server has made a plan for whatever values come."""
    await connection.execute("deallocate all")
    await connection.execute(f"prepare asked as {sql}")
    arguments = ", ".join(_literal(value) for value in values)
    plans = []
    for mode in ("force_custom_plan", "force_generic_plan"):
        await connection.execute(f"set plan_cache_mode = {mode}")
        explained = await connection.fetchval(f"explain (analyze, timing off, format json) execute asked({arguments})")
        plans.append(json.loads(explained)[0]["Plan"])
    return plans


async def _asked(
    connection: asyncpg.Connection, case: Case, report: Any, wanted: Wanted, *rest: Any
) -> list[dict[str, Any]]:
    """The plans of all that a report runs, none of which reads the whole of a large table."""
    recording = Recording(connection)
    await report(Reader(case.viewer, recording), case.filters, wanted, *rest)
    assert recording.statements
    plans = [plan for sql, values in recording.statements for plan in await _plans(connection, sql, values)]
    for plan in plans:
        assert not set(_whole_tables(plan)) & set(LARGE), plan
    return plans


def _literal(value: object) -> str:
    return str(value) if isinstance(value, int) else f"'{value}'"


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _indexes(plan: dict[str, Any], table: str) -> set[str]:
    """The indexes that a table is read through; a bitmap names its table one node above."""
    found = set()
    for node in _nodes(plan):
        if node.get("Relation Name") == table:
            found |= {each["Index Name"] for each in _nodes(node) if "Index Name" in each}
    return found


def _tables(plan: dict[str, Any]) -> set[str]:
    return {node["Relation Name"] for node in _nodes(plan) if "Relation Name" in node}


def _whole_tables(plan: dict[str, Any]) -> list[str]:
    return [node["Relation Name"] for node in _nodes(plan) if node["Node Type"].endswith("Seq Scan")]


async def test_every_report_reads_through_its_index(filled: asyncpg.Connection, subtests: pytest.Subtests) -> None:
    for case in await _cases(filled):
        daily = case.by(
            "call_stats_folded_agency_id_stat_date_campaign_id_client_id_key",
            "call_stats_folded_by_campaign",
            "call_stats_folded_by_client",
        )
        for report, answer in (
            (overview, Overview),
            (timeseries, Timeseries),
            (funnel, Funnel),
            (quality, Quality),
            (campaigns, Campaigns),
        ):
            with subtests.test(f"{answer.__name__} {case.name}"):
                plans = await _asked(filled, case, report, everything(answer))
                indexes = [found for plan in plans if (found := _indexes(plan, "call_stats_folded"))]
                assert len(indexes) == 2
                assert all(len(found) == 1 and found <= daily for found in indexes), indexes
        with subtests.test(f"Heatmap {case.name}"):
            table = "call_stats_folded" if case.campaign or case.client else "agency_hours_folded"
            for plan in await _asked(filled, case, heatmap, everything(Heatmap), HeatmapMetric.CALLS):
                assert _tables(plan) & {"call_stats_folded", "agency_hours_folded"} == {table}
                (index,) = _indexes(plan, table)
                assert index in {*daily, "agency_hours_folded_pkey"}
        with subtests.test(f"Objections {case.name}"):
            findings = case.by(
                "agency_findings_folded_by_day",
                "call_findings_folded_by_campaign",
                "call_findings_folded_by_client",
            )
            table = "call_findings_folded" if case.campaign or case.client else "agency_findings_folded"
            for plan in await _asked(filled, case, objections, everything(Objections)):
                assert _tables(plan) & {"call_findings_folded", "agency_findings_folded"} == {table}
                (index,) = _indexes(plan, table)
                assert index in findings
                (index,) = _indexes(plan, "call_stats_folded")
                assert index in daily


async def test_objections_read_no_texts_for_their_summary_and_one_kind_for_one_list(filled: asyncpg.Connection) -> None:
    for case in await _cases(filled):
        for plan in await _asked(filled, case, objections, {"summary": frozenset({"total_buying_signals"})}):
            assert not _tables(plan) & {"call_findings_folded", "agency_findings_folded"}
        recording = Recording(filled)
        await objections(Reader(case.viewer, recording), case.filters, {"buying_signals": frozenset()})
        ((sql, _),) = recording.statements
        assert "f.kind = 'signal'" in sql
        assert "objections_encountered" not in sql


async def test_freshness_finds_what_waits_by_its_own_index(
    filled: asyncpg.Connection, subtests: pytest.Subtests
) -> None:
    for case in await _cases(filled):
        with subtests.test(case.name):
            plans = await _asked(filled, case, freshness, everything(Freshness))
            assert len(plans) == 4
            assert [_indexes(plan, "calls") for plan in plans if _indexes(plan, "calls")] == [{"calls_waiting"}] * 2


async def test_contacts_are_counted_for_the_batches_of_the_page_only(
    filled: asyncpg.Connection, subtests: pytest.Subtests
) -> None:
    wanted: Wanted = {"active_batches": frozenset(), "pagination": frozenset()}
    limit = 10
    for case, status, offset in product(await _cases(filled), (None, BatchStatus.PAUSED), (0, 20)):
        with subtests.test(f"{case.name}, {status}, offset {offset}"):
            for plan in await _asked(filled, case, campaigns, wanted, status, limit, offset):
                (counted,) = (node for node in _nodes(plan) if node.get("Relation Name") == "campaign_contacts")
                assert counted["Index Name"] == "campaign_contacts_progress"
                assert counted["Actual Loops"] <= limit
