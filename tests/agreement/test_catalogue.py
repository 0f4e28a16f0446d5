"""One list of metrics: the catalogue, the types GraphQL shows, the rollup's columns and what a call counts for."""

from collections.abc import Iterator

import asyncpg
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_introspection_type,
    is_specified_scalar_type,
)
from strawberry.types.base import get_object_definition

from gateway.schema import build_schema
from resolvers.heatmap import COUNTERS
from resolvers.measures import Measured, MeasuredColumns, measured
from resolvers.metrics import METRICS, TIMESERIES_METRICS, Counter, sums_of
from resolvers.scalars import BigInt
from resolvers.timeseries import TimeseriesColumns, TimeseriesDay
from rest_compat.shapes import TimeseriesDay as OldTimeseriesDay
from tests.agreement import recount
from tests.given import Given
from tests.running import Running

KEYS = {"stat_date", "agency_id", "campaign_id", "client_id", "updated_at"}
# What the rollup counts without being asked for it by that name: no metrics, and not in the schema.
INTERNAL = {"analyzed_calls", "analyzed_connected_calls"}
# Whole numbers of an answer that no sum is: weekdays and hours, a mean of what has 32 bits, what was asked for.
BOUNDED = {"day", "hour", "avgDurationSeconds", "progressPct", "limit", "offset"}
HOURS = [f"{name}_by_hour" for name in COUNTERS.values()]


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema()._schema


def fields_of(type_: type) -> list[str]:
    return [field.python_name for field in get_object_definition(type_, strict=True).fields]


async def columns_of(connection: asyncpg.Connection, table: str) -> list[str]:
    rows = await connection.fetch(
        "select attname from pg_attribute where attrelid = $1::text::regclass and attnum > 0 and not attisdropped"
        " order by attnum",
        table,
    )
    return [row["attname"] for row in rows]


async def counters_of_a_call(connection: asyncpg.Connection) -> list[str]:
    statement = await connection.prepare("select n.* from calls as c cross join lateral call_counts(c) as n")
    return [attribute.name for attribute in statement.get_attributes()]


def test_the_timeseries_has_the_33_documented_metrics_in_the_documented_order() -> None:
    assert len(recount.METRICS) == 33
    assert list(TIMESERIES_METRICS) == list(recount.METRICS)


async def test_the_old_timeseries_answers_its_metrics_in_the_documented_order(gateway: Running, given: Given) -> None:
    agency = await given.agency()
    await given.call(agency)
    owner = await given.user(agency)
    (day,) = (await gateway.rest("timeseries", owner))["data"]
    assert list(day) == ["date", *recount.METRICS]
    backwards = ",".join(reversed(recount.METRICS))
    (day,) = (await gateway.rest("timeseries", owner, metrics=backwards))["data"]
    assert list(day) == ["date", *recount.METRICS]


def test_both_timeseries_shapes_and_the_old_one_show_exactly_these_metrics() -> None:
    for type_ in (TimeseriesDay, TimeseriesColumns):
        assert fields_of(type_) == ["date", *TIMESERIES_METRICS]
        assert list(type_.metrics) == list(TIMESERIES_METRICS)
        # A field shows the metric of its own name, and no other.
        assert all(metric is METRICS[name] for name, metric in type_.metrics.items())
    assert list(OldTimeseriesDay.__annotations__) == ["date", *TIMESERIES_METRICS]


async def test_the_metrics_are_columns_of_the_rollup(connection: asyncpg.Connection) -> None:
    columns = await columns_of(connection, "call_stats_daily")
    assert set(TIMESERIES_METRICS) <= set(columns)
    assert set(columns) == KEYS | set(TIMESERIES_METRICS) | sums_of(METRICS) | INTERNAL
    assert not INTERNAL & METRICS.keys()


async def test_what_the_metrics_add_up_is_what_a_call_counts_for(connection: asyncpg.Connection) -> None:
    counters = await counters_of_a_call(connection)
    assert set(counters) == sums_of(METRICS) | INTERNAL
    assert len(counters) == len(set(counters))
    assert set(counters) == set(recount.COUNTED)
    assert set(HOURS) == set(recount.BY_HOUR)


async def test_what_a_call_counts_for_is_folded_repaired_and_read_and_nothing_else(
    connection: asyncpg.Connection,
) -> None:
    counters = await counters_of_a_call(connection)
    keys = ["agency_id", "stat_date", "campaign_id", "client_id"]
    assert set(await columns_of(connection, "call_stats_folded")) == {*KEYS, *counters, *HOURS}
    assert await columns_of(connection, "call_stats_parts") == [*keys, *counters, "updated_at"]
    assert await columns_of(connection, "pending_call_counts") == [*keys, "hour", *counters, "started_at", "changed_at"]
    drift = await connection.prepare("select * from call_stats_drift(null, now()::date, now()::date)")
    assert [attribute.name for attribute in drift.get_attributes()] == [*keys, *counters, *HOURS]
    assert await columns_of(connection, "agency_hours_folded") == [*keys[:2], *HOURS]
    drift = await connection.prepare("select * from agency_hours_drift(null, now()::date, now()::date)")
    assert [attribute.name for attribute in drift.get_attributes()] == [*keys[:2], *HOURS]


async def test_a_change_counts_for_what_its_call_counts_for(connection: asyncpg.Connection) -> None:
    for facts in ("null::calls", "null::call_changes"):
        counts = await connection.prepare(f"select * from call_counts({facts})")
        assert [attribute.name for attribute in counts.get_attributes()] == await counters_of_a_call(connection)


async def test_a_counter_of_the_rollup_holds_more_than_one_calls_counter(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch(
        "select attname, format_type(atttypid, null) as kind, attnotnull from pg_attribute"
        " where attrelid = 'call_stats_folded'::regclass and attname = any($1)",
        list(sums_of(METRICS) | INTERNAL),
    )
    assert {(row["attname"].endswith("_sum"), row["kind"], row["attnotnull"]) for row in rows} == {
        (False, "bigint", True),
        (True, "numeric", True),
    }


def test_every_metric_is_named_once_and_says_what_it_is() -> None:
    sentences = [metric.sentence for metric in METRICS.values()]
    assert len(set(sentences)) == len(sentences)
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.sentence[0].isupper()
        assert metric.sentence.endswith(".")
        assert metric.unit


def shown(schema: GraphQLSchema) -> Iterator[tuple[str, str | None]]:
    """Everything a reader of the schema can see, and its description."""
    for type_ in schema.type_map.values():
        if is_introspection_type(type_) or is_specified_scalar_type(type_):
            continue
        yield type_.name, type_.description
        yield from _inside(type_)
    for directive in schema.directives:
        yield f"@{directive.name}", directive.description


def _inside(type_: GraphQLNamedType) -> Iterator[tuple[str, str | None]]:
    if isinstance(type_, GraphQLObjectType):
        for name, field in type_.fields.items():
            yield f"{type_.name}.{name}", field.description
            for argument_name, argument in field.args.items():
                yield f"{type_.name}.{name}({argument_name})", argument.description
    elif isinstance(type_, GraphQLInputObjectType):
        for name, input_field in type_.fields.items():
            yield f"{type_.name}.{name}", input_field.description
    elif isinstance(type_, GraphQLEnumType):
        for name, value in type_.values.items():
            yield f"{type_.name}.{name}", value.description


def test_everything_in_the_schema_is_described(schema: GraphQLSchema) -> None:
    everything = dict(shown(schema))
    assert {"Query.heatmap(metric)", "ReportFilters.campaignId", "Period.TODAY", "TimeseriesDay.smsSent"} <= set(
        everything
    )
    assert [name for name, description in everything.items() if not (description or "").strip()] == []


def test_a_field_that_shows_a_metric_is_described_by_the_catalogue(schema: GraphQLSchema) -> None:
    for type_name in ("TimeseriesDay", "TimeseriesColumns"):
        type_ = schema.type_map[type_name]
        assert isinstance(type_, GraphQLObjectType)
        for name, field in list(type_.fields.items())[1:]:
            (metric,) = [metric for metric in METRICS.values() if recount.camel(metric.name) == name]
            assert field.description == f"{metric.sentence} Unit: {metric.unit}."


def test_the_reports_show_the_documented_keys_in_the_documented_order(schema: GraphQLSchema) -> None:
    query = schema.query_type
    assert query
    assert set(query.fields) == {*recount.REPORTS, "freshness", "choices", "viewer"}
    for report in recount.REPORTS:
        type_ = query.fields[report].type
        assert isinstance(type_, GraphQLObjectType)
        assert [name for name in type_.fields if name != "columns"] == [
            recount.camel(key) for key in recount.top_keys(report)
        ]


def test_whatever_adds_up_has_64_bits_at_both_doors(schema: GraphQLSchema) -> None:
    whole = {
        (name, str(get_named_type(field.type)))
        for type_ in schema.type_map.values()
        if isinstance(type_, GraphQLObjectType) and not is_introspection_type(type_)
        for name, field in type_.fields.items()
        if get_named_type(field.type).name in ("Int", "BigInt")
    }
    assert {name for name, kind in whole if kind == "Int"} == BOUNDED
    counts = {name for name, kind in whole if kind == "BigInt"}
    assert counts >= {recount.camel(name) for name, metric in METRICS.items() if isinstance(metric, Counter)}
    assert not counts & BOUNDED


@pytest.mark.parametrize(
    ("name", "kind", "right"),
    [
        ("total_calls", int, BigInt),
        ("emails_sent", BigInt | None, BigInt),
        ("avg_talk_ratio", float, float | None),
        ("avg_duration_seconds", BigInt, int | None),
    ],
)
def test_a_field_that_is_not_typed_as_its_metric_makes_no_type(name: str, kind: object, right: object) -> None:
    for base, wrap in ((Measured, lambda one: one), (MeasuredColumns, lambda one: list[one])):
        with pytest.raises(TypeError, match=f"shows {name}, which is typed"):
            measured("Wrong.")(type("Wrong", (base,), {"__annotations__": {name: wrap(kind)}}))
        assert measured("Right.")(type("Right", (base,), {"__annotations__": {name: wrap(right)}}))
