"""What was found in calls, by text and day: the rollup is a recount after any writes, and the report what the calls say."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import hypothesis
import pytest
from hypothesis import strategies as st

from resolvers.filters import Filters, Period
from resolvers.objections import Objections, objections
from resolvers.reader import Reader
from resolvers.selection import everything
from resolvers.viewer import Role, Viewer
from tests.agreement.recount import Question, Recount, in_order, new
from tests.conftest import Database
from tests.given import NOW, Given

TODAY = NOW.date()
DAYS = [NOW.replace(hour=0) - timedelta(days=days) for days in (0, 1, 6)]
EVER = "'2000-01-01', '2100-01-01'"
DRIFT = f"select count(*) from call_findings_drift(null, {EVER})"
REPAIR = f"select repair_call_findings(null, {EVER})"
ROLLUPS = {
    "call_findings_daily": "agency_id, campaign_id, client_id, stat_date",
    "agency_findings_daily": "agency_id, stat_date",
}
RAW = """
select {keys}, kind, text, count(*), count(*) filter (where handled) as handled
from (
    select
        agency_id, campaign_id, client_id, (started_at at time zone 'UTC')::date as stat_date, kind,
        btrim(regexp_replace(element ->> 'text', '\\s+', ' ', 'g')) as text,
        kind = 'objection' and element -> 'handled' = 'true' as handled
    from (
        select *, 'objection' as kind, jsonb_array_elements(objections) as element from calls
        union all
        select *, 'signal', jsonb_array_elements(buying_signals) from calls
    ) as elements
) as found
where text <> ''
group by {keys}, kind, text
"""

# Where PostgreSQL and Python agree on what is white space and what a letter's other case is.
plain_texts = st.sampled_from(
    [
        *(
            "No time",
            "no time",
            "  NO \t time\n",
            "No\n\ntime",
            "Notime",
            "Too expensive",
            "too Expensive",
            "Zu TEUER für uns",
        ),
        *("zu teuer für uns", "a", "A", "b", "", " \t", "'; drop table calls --", "{}", "1", "1.0", "long " * 900),
    ]
)
odd_texts = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([1, 1.0, 1.00001, 10**30, -0.0]),
    st.sampled_from([[], ["No time"], {}, {"text": "No time"}]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
)


def elements(texts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What may stand in a call's array of findings."""
    handled = st.sampled_from([True, True, False, None, "true", 1])
    return st.one_of(
        st.fixed_dictionaries({"text": texts, "handled": handled}),
        st.fixed_dictionaries({"text": texts}, optional={"handled": handled, "quote": st.just("…")}),
        st.sampled_from([{}, {"handled": True}, None, 7, "No time", [], [{"text": "No time"}]]),
    )


def changes(texts: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """What is done to calls, one after the other: `call` of those there are, each column drawn or left as it is."""
    arrays = st.lists(elements(texts), max_size=4)
    columns = {
        "objections": arrays,
        "buying_signals": arrays,
        "day": st.integers(0, len(DAYS) - 1),
        "second": st.sampled_from([0, 86_399]),
        "agency": st.integers(0, 1),
        "campaign": st.sampled_from([None, 0, 1]),
        "client": st.sampled_from([None, 0, 1]),
        "analysis_status": st.sampled_from(["completed", "pending"]),
    }
    return st.lists(
        st.fixed_dictionaries(
            {
                "do": st.sampled_from(["insert", "insert", "update", "update", "delete", "begin", "end", "undo"]),
                "call": st.integers(0, 5),
                "columns": st.fixed_dictionaries({}, optional=columns),
            }
        ),
        min_size=1,
        max_size=25,
    )


async def assert_it_is_a_recount(connection: asyncpg.Connection) -> None:
    """Both tables are what the calls say, by their own account and by another, and nothing is left lying about."""
    for table, keys in ROLLUPS.items():
        columns = f"{keys}, kind::text, text, count, handled"
        found = sorted(map(repr, map(tuple, await connection.fetch(f"select {columns} from {table}"))))
        assert found == sorted(map(repr, map(tuple, await connection.fetch(RAW.format(keys=keys)))))
        assert not await connection.fetchval(f"select count(*) from {table} where count <= 0")
    assert await connection.fetchval(DRIFT) == 0
    assert await connection.fetchval("select count(*) from call_findings_changes") == 0


class Platform:
    """Two agencies with two campaigns and two clients each, and the calls that a run of changes makes."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self.agencies: list[UUID] = []
        self.campaigns: list[list[UUID]] = []
        self.clients: list[list[UUID]] = []

    async def build(self) -> "Platform":
        """The places."""
        given = Given(self.connection)
        for _ in range(2):
            agency = await given.agency()
            self.agencies.append(agency)
            self.campaigns.append([await given.campaign(agency) for _ in range(2)])
            self.clients.append([await given.client(agency) for _ in range(2)])
        return self

    async def make(self, changes: Sequence[dict[str, Any]]) -> None:
        """The changes, each in a transaction of its own but for those between a `begin` and its `end` or `undo`."""
        await self.connection.execute("truncate calls cascade")
        open_: list[Any] = []
        for change in changes:
            if change["do"] == "begin":
                open_.append(self.connection.transaction())
                await open_[-1].start()
            elif change["do"] in ("end", "undo"):
                if open_:
                    inner = open_.pop()
                    await (inner.commit() if change["do"] == "end" else inner.rollback())
            else:
                await self._make(change["do"], change["call"], self._columns(change["columns"]))
        while open_:
            await open_.pop().commit()

    def _columns(self, drawn: dict[str, Any]) -> dict[str, Any]:
        agency = drawn.get("agency", 0)
        columns: dict[str, Any] = {"agency_id": self.agencies[agency]}
        for name, places in (("campaign", self.campaigns), ("client", self.clients)):
            place = drawn.get(name)
            columns[f"{name}_id"] = None if place is None else places[agency][place]
        if "day" in drawn:
            columns["started_at"] = DAYS[drawn["day"]] + timedelta(seconds=drawn.get("second", 0))
        for name in ("objections", "buying_signals"):
            if name in drawn:
                columns[name] = json.dumps(drawn[name])
        return columns | {key: drawn[key] for key in drawn.keys() & {"analysis_status"}}

    async def _make(self, do: str, call: int, columns: dict[str, Any]) -> None:
        ids = await self.connection.fetch("select id from calls order by ultravox_call_id")
        if do == "insert" or not ids:
            columns = {
                "status": "completed",
                "started_at": DAYS[0],
                "ultravox_call_id": f"{len(ids):03} {uuid4()}",
                **columns,
            }
            await self.connection.execute(
                f"insert into calls ({', '.join(columns)}) values ({_places(columns, ', ')})", *columns.values()
            )
        elif do == "update":
            sets = ", ".join(f"{name} = {_place(name, number)}" for number, name in enumerate(columns, start=1))
            await self.connection.execute(
                f"update calls set {sets} where id = ${len(columns) + 1}", *columns.values(), ids[call % len(ids)]["id"]
            )
        else:
            await self.connection.execute("delete from calls where id = $1", ids[call % len(ids)]["id"])


def _place(name: str, number: int) -> str:
    return f"${number}::text::jsonb" if name in ("objections", "buying_signals") else f"${number}"


def _places(columns: dict[str, Any], between: str) -> str:
    return between.join(_place(name, number) for number, name in enumerate(columns, start=1))


def shown(answer: Objections) -> Any:
    """The report in the recount's words."""
    summary = answer.summary
    return {
        "period": {"start_date": answer.period.start_date.isoformat(), "end_date": answer.period.end_date.isoformat()},
        "summary": {
            "calls_analyzed": summary.calls_analyzed,
            "total_objections": summary.total_objections,
            "total_objections_handled": summary.total_objections_handled,
            "objection_handling_rate": summary.objection_handling_rate,
            "total_buying_signals": summary.total_buying_signals,
        },
        "objections": [vars(each) for each in answer.objections],
        "buying_signals": [vars(each) for each in answer.buying_signals],
    }


class Asked:
    """A database that a reader asks, over one connection."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.fetch: Callable[..., Awaitable[Sequence[Any]]] = connection.fetch


async def assert_the_report_is_what_the_calls_say(platform: Platform) -> None:
    """For who sees all and for a client's user, whatever it is narrowed to, whole and in parts."""
    connection = platform.connection
    agency, clients, campaigns = platform.agencies[0], platform.clients[0], platform.campaigns[0]
    own = clients[0]
    for own_client, campaign, client, limit in product(
        (None, own), (None, campaigns[0]), (None, own, clients[1]), (2, 100)
    ):
        role = Role.CLIENT_VIEWER if own_client else Role.AGENCY_OWNER
        reader = Reader(Viewer(uuid4(), agency, role, own_client), Asked(connection))
        filters = Filters.of(Period.LAST_7_DAYS, today=TODAY, campaign_id=campaign, client_id=client)
        question = Question(agency, filters.first_day, filters.last_day, "7d", campaign, client, own_client)
        expected = new(await Recount(connection).objections(question, limit))
        found = shown(await objections(reader, filters, everything(Objections), limit))
        assert in_order(found) == in_order(expected)
        for name in ("objections", "buying_signals"):
            part = await objections(reader, filters, {name: frozenset()}, limit)
            assert [vars(each) for each in getattr(part, name)] == expected[name]


@pytest.fixture(scope="module")
async def platform(shared_connection: asyncpg.Connection) -> AsyncIterator[Platform]:
    """The places, in a database that the examples share; each begins without calls."""
    yield await Platform(shared_connection).build()


any_run = hypothesis.settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(hypothesis.HealthCheck)
)


@any_run
@hypothesis.given(run=changes(st.one_of(plain_texts, odd_texts)))
async def test_after_any_changes_the_rollup_is_a_recount(platform: Platform, run: list[dict[str, Any]]) -> None:
    await platform.make(run)
    await assert_it_is_a_recount(platform.connection)


@any_run
@hypothesis.given(run=changes(plain_texts))
async def test_after_any_changes_the_report_is_what_the_calls_say(
    platform: Platform, run: list[dict[str, Any]]
) -> None:
    await platform.make(run)
    await assert_the_report_is_what_the_calls_say(platform)


def found(*texts: str) -> str:
    return json.dumps([{"text": text, "handled": True} for text in texts])


async def test_writers_that_mix_calls_with_findings_and_without_never_deadlock(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    """They share few days and texts, begin with one kind of call or the other, and change calls in any order."""
    agency = await given.agency()

    async def write(number: int) -> None:
        chance = random.Random(f"writer {number}")  # noqa: S311
        own = await asyncpg.connect(database.dsn, server_settings={"lock_timeout": "60s"})
        try:
            for _ in range(60):
                async with own.transaction():
                    for _ in range(chance.randint(1, 6)):
                        texts = chance.sample(("a", "b", "c", "d"), chance.choice((0, 0, 1, 3)))
                        await own.execute(
                            "insert into calls (agency_id, started_at, ultravox_call_id, objections)"
                            " values ($1, $2, $3, $4::text::jsonb)",
                            agency,
                            chance.choice(DAYS),
                            f"{number} {uuid4()}",
                            found(*texts),
                        )
                        if chance.random() < 0.3:
                            await own.execute(
                                "update calls set started_at = $2, objections = $3::text::jsonb where id in"
                                " (select id from calls where ultravox_call_id like $1 order by id limit 3)",
                                f"{number} %",
                                chance.choice(DAYS),
                                found(*texts[:1]),
                            )
        finally:
            await own.close()

    await asyncio.gather(*(write(number) for number in range(8)))
    await assert_it_is_a_recount(connection)
    assert await connection.fetchval("select count(*) from call_stats_drift(null, '2000-01-01', '2100-01-01')") == 0


async def test_calls_without_findings_write_nothing_about_findings(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await given.calls(agency, 5)
    await connection.execute("update calls set disposition = 'voicemail', started_at = started_at - interval '1 day'")
    await connection.execute("delete from calls")
    for table in ("call_findings_changes", *ROLLUPS):
        assert await connection.fetchval(f"select pg_relation_size('{table}')") == 0


async def test_a_change_of_nothing_that_was_found_leaves_the_rows_untouched(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await given.calls(agency, 3, started_at=DAYS[1], objections=[{"text": "No time"}])
    rows = [await connection.fetch(f"select ctid, xmin, * from {table}") for table in ROLLUPS]
    await connection.execute("update calls set summary = 'Well', started_at = started_at + interval '1 hour'")
    async with connection.transaction():
        await connection.execute("update calls set objections = '[]'")
        await connection.execute('update calls set objections = \'[{"text": " No  time "}]\'')
    assert [await connection.fetch(f"select ctid, xmin, * from {table}") for table in ROLLUPS] == rows
    await assert_it_is_a_recount(connection)


async def test_texts_may_be_longer_than_an_index_entry(connection: asyncpg.Connection, given: Given) -> None:
    agency = await given.agency()
    chance = random.Random(1)  # noqa: S311
    long = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyzäöü漢字", k=50_000)) for _ in range(2)]
    await given.calls(agency, 2, objections=[{"text": text, "handled": True} for text in (*long, long[0] + " ")])
    rows = await connection.fetch("select text, count, handled from agency_findings_daily order by count")
    assert [tuple(row) for row in rows] == [(long[1], 2, 2), (long[0], 4, 4)]
    await assert_it_is_a_recount(connection)


async def test_numbers_show_inside_the_transaction_when_it_sets_its_constraints_immediate(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    total = "select coalesce(sum(count), 0)::integer from agency_findings_daily"
    texts = [{"text": "No time"}]
    async with connection.transaction():
        await given.calls(agency, 2, objections=texts)
        assert await connection.fetchval(total) == 0
        await connection.execute("set constraints all immediate")
        assert await connection.fetchval(total) == 2
        await given.calls(agency, 3, objections=texts)
        assert await connection.fetchval(total) == 5
        await connection.execute("set constraints all deferred")
        await given.call(agency, objections=texts)
        assert await connection.fetchval(total) == 5
        undone = connection.transaction()
        await undone.start()
        await given.call(agency, objections=texts)
        await connection.execute("set constraints all immediate")
        assert await connection.fetchval(total) == 7
        await undone.rollback()
        assert await connection.fetchval(total) == 5
    assert await connection.fetchval(total) == 6
    await assert_it_is_a_recount(connection)


async def test_a_truncate_empties_the_tables_and_forgets_what_its_transaction_noted(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await given.call(agency, objections=[{"text": "No time"}])
    async with connection.transaction():
        await given.call(agency, objections=[{"text": "Before"}])
        await connection.execute("truncate calls cascade")
        await given.call(agency, objections=[{"text": "After"}])
    assert await connection.fetchval("select string_agg(text, ' ') from call_findings_daily") == "After"
    await assert_it_is_a_recount(connection)


DAMAGE = (
    "delete from call_findings_daily",
    "delete from agency_findings_daily",
    "update call_findings_daily set count = count + 3, handled = 0",
    "update agency_findings_daily set count = -1",
    "update call_findings_daily set text = 'Other words'",
    f"insert into call_findings_daily (agency_id, stat_date, kind, text, count, handled)"
    f" values ('{uuid4()}', '2026-02-01', 'signal', 'Invented', 2, 0)",
    f"insert into agency_findings_daily (agency_id, stat_date, kind, text, count, handled)"
    f" values ('{uuid4()}', '2026-02-01', 'signal', 'Invented', 0, 2)",
)


@pytest.mark.parametrize("damage", DAMAGE)
async def test_damage_is_found_and_one_repair_mends_it(
    connection: asyncpg.Connection, given: Given, damage: str
) -> None:
    agency = await given.agency()
    await given.calls(agency, 3, objections=[{"text": "No time"}], buying_signals=[{"text": "When?"}])
    await connection.execute(damage)
    drifted = await connection.fetchval(DRIFT)
    assert drifted > 0
    async with connection.transaction():
        # What its own transaction has noted and not yet counted is no damage.
        await given.call(agency, objections=[{"text": "No time"}])
        assert await connection.fetchval(REPAIR) == drifted
        assert await connection.fetchval(REPAIR) == 0
    await assert_it_is_a_recount(connection)


async def test_repairs_mend_while_writers_write(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await given.calls(agency, 50, objections=[{"text": "No time"}], started_at=DAYS[1])
    await connection.execute("update call_findings_daily set count = 7")
    await connection.execute("delete from agency_findings_daily")

    async def write() -> None:
        own = await asyncpg.connect(database.dsn)
        for _ in range(30):
            await Given(own).calls(agency, 2, objections=[{"text": "No time"}, {"text": "Why?"}], started_at=DAYS[1])
        await own.close()

    async def repair() -> int:
        own = await asyncpg.connect(database.dsn)
        repaired = [await own.fetchval(REPAIR) for _ in range(5)]
        await own.close()
        return sum(repaired)

    repaired = await asyncio.gather(repair(), repair(), write(), write())
    assert repaired[0] + repaired[1] == 2
    await assert_it_is_a_recount(connection)


async def test_a_repair_is_limited_to_the_agency_and_days_it_is_told(
    connection: asyncpg.Connection, given: Given
) -> None:
    ours, theirs = await given.agency(), await given.agency()
    for agency, day in product((ours, theirs), DAYS[:2]):
        await given.call(agency, started_at=day, objections=[{"text": "No time"}])
    await connection.execute("update agency_findings_daily set count = 9")
    repair = "select repair_call_findings($1, $2, $2)"
    assert await connection.fetchval(repair, ours, DAYS[1].date()) == 1
    right = await connection.fetch("select agency_id, stat_date from agency_findings_daily where count = 1")
    assert [tuple(row) for row in right] == [(ours, DAYS[1].date())]


async def test_the_scheduled_recount_repairs_the_findings_in_its_own_transaction(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await given.call(agency, objections=[{"text": "No time"}])
    await connection.execute("update agency_findings_daily set count = 4")
    await connection.execute("update call_stats_daily set total_calls = 4")
    (run,) = await connection.fetch("select * from recount_call_stats(7, $1)", datetime(2026, 2, 16, 12, tzinfo=UTC))
    assert (run["status"], run["rows"], run["rows_repaired"]) == ("completed", 1, 2)
    await assert_it_is_a_recount(connection)


async def test_postgresql_writes_the_definition_into_the_query_that_uses_it(connection: asyncpg.Connection) -> None:
    query = "select f.* from calls as c cross join lateral call_findings(c) as f"
    plan = "\n".join(row[0] for row in await connection.fetch(f"explain (verbose) {query}"))
    assert "call_findings" not in plan
    assert "jsonb_array_elements" in plan


async def test_nobody_else_may_repair(connection: asyncpg.Connection) -> None:
    role = f"somebody_{uuid4().hex[:8]}"
    async with connection.transaction():
        await connection.execute(f"create role {role}; set local role {role}")
        for call in (f"repair_call_findings(null, {EVER})", "queue_call_findings()"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with connection.transaction():
                    await connection.execute(f"select {call}")
        await connection.execute("reset role")
        await connection.execute(f"drop role {role}")
