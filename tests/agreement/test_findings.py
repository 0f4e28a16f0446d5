"""After any writes the rollup of what was found is a recount, and the report is what the calls say."""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
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
from tests.agreement.findings import assert_it_is_a_recount
from tests.agreement.recount import Question, Recount, in_order, new
from tests.given import NOW, Given

TODAY = NOW.date()
DAYS = [NOW.replace(hour=0) - timedelta(days=days) for days in (0, 1, 6)]

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
            "a",
            "A",
            "b",
        ),
        *("Zu TEUER für uns", "zu teuer für uns", "", " \t", "'; drop table calls --", "{}", "1", "1.0", "long " * 900),
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
async def platform(shared_connection: asyncpg.Connection) -> Platform:
    """The places, in a database that the examples share; each begins without calls."""
    return await Platform(shared_connection).build()


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
