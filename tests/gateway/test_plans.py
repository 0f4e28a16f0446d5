"""Compiled execution answers as the standard executor does: the same data, in the same order, with the same errors."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import hypothesis
import orjson
import pytest
from graphql import DocumentNode, GraphQLObjectType, get_named_type, is_object_type, parse, validate
from hypothesis import strategies as st
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionResult

from gateway import plans
from gateway.context import Context
from gateway.documents import Checked
from gateway.memory import Memory
from gateway.operations import Operations
from gateway.plans import PlannedExecutor, Plans
from gateway.replicas import Nodes
from gateway.schema import Query, Schema, build_schema
from gateway.turns import Slices
from resolvers.reader import Database
from resolvers.scalars import SCALARS
from resolvers.statements import Row
from resolvers.viewer import Role, Viewer
from tests.conftest import Postgres
from tests.doors import furnished
from tests.given import NOW

PLANNED = build_schema()
MEMORY = Memory(64_000_000)
OPERATIONS = Operations(PLANNED, MEMORY, Slices(100), suggests=False)
STANDARD = Schema(query=Query, config=StrawberryConfig(scalar_map=dict(SCALARS)))
HEAD = """query ($on: Boolean!, $off: Boolean = false, $filters: ReportFilters = {period: LAST_30_DAYS})
{ always: overview(filters: $filters) @include(if: $on) @skip(if: $off) { __typename } """
SWITCHED = ["", "", "", "@include(if: $on)", "@skip(if: $off)", "@skip(if: true)", "@include(if: true)"]
PERIODS = {"": "", "Month": "(filters: {period: LAST_30_DAYS})", "Wrong": "(filters: {period: CUSTOM})"}
"""Arguments by the end of the alias they go with: one that fails among them."""


class Outgrown(Nodes):
    """The database as a fault would have it: who sent e-mails sent more than 64 bits hold.

    An error deep in an answer, in some of its lists' entries only. The real database has none such.
    """

    def choose(self) -> Database:
        return self

    async def fetch(self, sql: str, *values: object) -> Sequence[Row]:
        """The rows of one statement."""
        rows = await self.primary.fetch(sql, *values)
        return [{**row, "emails_sent": 2**63} if row.get("emails_sent") else row for row in rows]


@dataclass(frozen=True)
class Asking:
    """A viewer's way to ask either executor."""

    viewer: Viewer
    nodes: Nodes
    today: date

    async def ask(self, schema: Schema, query: str, variables: Mapping[str, Any], kept: Plans | None = None) -> bytes:
        context = Context(self.viewer, self.nodes, self.today, kept or Plans(parse(query)))
        return self._shown(await schema.execute(query, variable_values=dict(variables), context_value=context))

    async def ask_again(self, operations: Operations, checked: Checked, query: str, variables: Any) -> bytes | None:
        """As a document is answered that was answered before; None where the standard pipeline has to."""
        context = Context(self.viewer, self.nodes, self.today)
        result = await operations.answer(checked, {"query": query, "variables": variables}, context)
        return result and self._shown(result)

    def _shown(self, result: ExecutionResult) -> bytes:
        errors = sorted((error.formatted for error in result.errors or ()), key=orjson.dumps)
        return orjson.dumps({"data": result.data, "errors": errors})


@pytest.fixture(scope="module")
async def asking(server: Postgres) -> AsyncIterator[Asking]:
    async with furnished(server) as house:
        agency, given = house.agency, house.given
        campaign = await given.campaign(agency, name='Name "quoted" \\ and é')
        await given.batch(agency, campaign, {"completed": 1, "pending": 2})
        await given.batch(agency)
        words = [{"text": "Too dear", "handled": True}]
        await given.calls(agency, 3, campaign_id=campaign, disposition="appointment_booked", objections=words)
        await given.call(agency, emails_sent=1)
        await given.call(agency, started_at=NOW.replace(hour=1), talk_ratio=0.25, sentiment="positive")
        nodes = Outgrown(house.gateway.settings)
        await nodes.open()
        yield Asking(Viewer(house.owner, agency, Role.AGENCY_OWNER), nodes, NOW.date())
        await nodes.close()


def remembered(document: DocumentNode) -> Checked:
    """A document as it is after it was checked."""
    checked = Checked(document=document)
    checked.entry = MEMORY.keep(None, 1, lambda: None)
    checked.plans = Plans(document, MEMORY, checked.entry)
    return checked


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Any mixture of fields, aliases, fragments of both kinds, and switches; always valid."""
    query = PLANNED._schema.query_type
    fragments: list[GraphQLObjectType] = []

    def selections(on: GraphQLObjectType, depth: int) -> str:
        return " ".join(selection(on, depth) for _ in range(draw(st.integers(1, 5))))

    def selection(on: GraphQLObjectType, depth: int) -> str:
        kinds = ["field"] * 6 + ["typename", "inline", "named"] if depth < 4 else ["field", "typename"]
        kind, switched = draw(st.sampled_from(kinds)), draw(st.sampled_from(SWITCHED))
        if kind == "typename":
            return f"{draw(st.sampled_from(['', 'kind: ']))}__typename {switched}"
        if kind == "inline":
            condition = draw(st.sampled_from(["", f"on {on.name}"]))
            return f"... {condition} {switched} {{ {selections(on, depth + 1)} }}"
        if kind == "named":
            fragments.append(on)
            return f"...f{len(fragments) - 1} {switched}"
        name = draw(st.sampled_from(sorted(on.fields)))
        inner = get_named_type(on.fields[name].type)
        below = f"{{ {selections(inner, depth + 1)} }}" if is_object_type(inner) else ""
        if on is query:
            end = draw(st.sampled_from(sorted(PERIODS.keys() - ({"Wrong"} if name == "heatmap" else set()))))
            return f"{name}{end}: {name}{PERIODS[end]} {switched} {below}"
        return f"{draw(st.sampled_from(['', f'{name}Again: ']))}{name} {switched} {below}"

    text = HEAD + selections(query, 0) + " }"
    written = 0
    while written < len(fragments):
        on = fragments[written]
        text += f" fragment f{written} on {on.name} {{ {selections(on, 2 if written < 5 else 4)} }}"
        written += 1
    return text


@hypothesis.settings(max_examples=60, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(
    document=documents(), switches=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=3)
)
async def test_any_document_is_answered_as_the_standard_executor_answers_it(
    asking: Asking, document: str, switches: list[tuple[bool, bool]]
) -> None:
    parsed = parse(document)
    hypothesis.assume(not validate(PLANNED._schema, parsed))
    checked = remembered(parsed)
    kept = checked.plans
    for on, off in switches:
        variables = {"on": on, "off": off}
        expected = await asking.ask(STANDARD, document, variables)
        assert await asking.ask(PLANNED, document, variables, kept) == expected
        for _ in range(2):
            again = await asking.ask_again(OPERATIONS, checked, document, variables)
            assert again in (expected, None)


async def test_an_error_deep_in_a_list_is_located_and_nulls_what_it_must(asking: Asking) -> None:
    document = "{ timeseries { data { date emailsSent } } quality { trend { completedCalls } } }"
    expected = orjson.loads(await asking.ask(STANDARD, document, {}))
    assert expected["data"]["timeseries"] is None
    assert expected["data"]["quality"]["trend"]
    assert await asking.ask_again(OPERATIONS, remembered(parse(document)), document, {}) is None
    (error,) = expected["errors"]
    assert error["path"] == ["timeseries", "data", 0, "emailsSent"]
    assert orjson.loads(await asking.ask(PLANNED, document, {})) == expected


async def test_every_report_is_read_by_plan(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document of the whole schema, introspection aside, leaves nothing to the standard executor."""
    left = []
    standard = plans.StrawberryGraphQLCoreExecutionContext.collect_and_execute_subfields

    def counting(self: PlannedExecutor, *args: Any) -> Any:
        left.append(args[0].name)
        return standard(self, *args)

    monkeypatch.setattr(plans.StrawberryGraphQLCoreExecutionContext, "collect_and_execute_subfields", counting)

    def everything(on: GraphQLObjectType) -> str:
        inner = {name: get_named_type(field.type) for name, field in on.fields.items()}
        return " ".join(
            f"{name} {{ {everything(kind)} }}" if is_object_type(kind) else name
            for name, kind in inner.items()
            if name != "emailsSent"  # outgrows its type, see above
        )

    document = f"{{ {everything(PLANNED._schema.query_type)} }}"
    answer = await asking.ask(PLANNED, document, {})
    parsed = parse(document)
    assert await asking.ask_again(OPERATIONS, remembered(parsed), document, None) == answer
    assert left == []
    assert answer == await asking.ask(STANDARD, document, {})
    assert "Overview" in left


def test_what_was_worked_out_is_worked_out_once_for_the_same_switches() -> None:
    document = parse("query ($a: Boolean!, $b: Int) { x: __typename @include(if: $a) }")
    kept, node = remembered(document).plans, document.definitions[0].selection_set.selections[0]
    made: list[Mapping[str, Any]] = []
    for variables in ({"a": True}, {"a": False}, {"a": True, "b": 1}, {"a": True}, {"a": False, "b": 2}):
        assert kept.once("purpose", [node], variables, lambda: (made.append(variables), 1)) is None  # noqa: B023
    assert made == [{"a": True}, {"a": False}]


async def test_an_operation_asked_before_is_answered_by_plan_with_its_failures(asking: Asking) -> None:
    plain = """query A($f: ReportFilters!) { funnel(filters: $f) { funnel { totalCalls } } }
        query B($n: Int!, $f: ReportFilters!) { campaigns(filters: {period: TODAY}, limit: $n) { pagination { limit } }
        quality(filters: $f) { quality { avgDurationSeconds } } }"""
    checked = remembered(parse(plain))
    context = Context(asking.viewer, asking.nodes, asking.today)
    for name, variables in (
        ("A", {"f": {"period": "TODAY"}}),
        ("B", {"n": 7, "f": {"period": "LAST_30_DAYS"}}),
        ("B", {"n": 0, "f": {"period": "CUSTOM"}}),
        ("B", {"n": 7, "f": {"period": "CUSTOM", "startDate": "2026-02-01", "endDate": "2026-02-16"}}),
    ):
        asked = {"query": plain, "operationName": name, "variables": variables}
        expected = await STANDARD.execute(
            plain, variables, Context(asking.viewer, asking.nodes, asking.today), operation_name=name
        )
        again = await OPERATIONS.answer(checked, asked, context)
        assert again is not None
        assert asking._shown(again) == asking._shown(expected)
    for asked in (
        {"query": plain, "variables": {"f": {"period": "TODAY"}}},  # which of the two?
        {"query": plain, "operationName": "C", "variables": {}},
        {"query": plain, "operationName": "A", "variables": {"f": {"period": "NEVER"}}},
    ):
        refused = await OPERATIONS.answer(checked, asked, context)
        assert refused
        assert (refused.data, len(refused.errors or ())) == (None, 1)


async def test_variables_that_are_too_long_to_be_remembered_are_answered_by_plan_too(asking: Asking) -> None:
    checked = remembered(parse("query ($f: ReportFilters!) { funnel(filters: $f) { funnel { totalCalls } } }"))
    context, before = Context(asking.viewer, asking.nodes, asking.today), len(OPERATIONS._known)
    for more, kept in (("x" * 3_000, 0), ("x", 1)):
        answer = await OPERATIONS.answer(checked, {"variables": {"f": {"period": "TODAY"}, "more": more}}, context)
        assert answer
        assert answer.data == {"funnel": {"funnel": {"totalCalls": 5}}}
        assert len(OPERATIONS._known) == before + kept
