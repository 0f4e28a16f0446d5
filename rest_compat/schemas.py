"""The schemas of the OpenAPI document: the old shapes, described in the words of the reports and of the catalogue."""

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter
from strawberry.types.base import get_object_definition
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.utils.str_converters import to_snake_case
from typing_extensions import is_typeddict

from resolvers.campaigns import BatchStatus
from resolvers.filters import HeatmapPeriod, Period
from resolvers.heatmap import HeatmapMetric
from resolvers.metrics import METRICS, TIMESERIES_METRICS
from resolvers.selection import object_type
from rest_compat import shapes
from rest_compat.rows import ROWS, STATUSES

Schema = dict[str, Any]

_TEMPLATE = "#/components/schemas/{model}"
_NAME_IN_GRAPHQL = re.compile(r"`([a-z]+[A-Z]\w*)`")


def reference(name: str) -> Schema:
    """A schema, by its name."""
    return {"$ref": _TEMPLATE.format(model=name)}


def schemas() -> dict[str, Schema]:
    """All of them, by name."""
    known = [*(row.shape for row in ROWS), shapes.Error, shapes.ServerError]
    _, found = TypeAdapter.json_schemas(
        [(shape.__name__, "serialization", TypeAdapter(shape)) for shape in known], ref_template=_TEMPLATE
    )
    made: dict[str, Schema] = {name: _untitled(schema) for name, schema in found["$defs"].items()}
    for row in ROWS:
        _describe(made, row.shape, row.answer)
    for kind in (Period, HeatmapPeriod, HeatmapMetric, BatchStatus):
        made[kind.__name__] = _choices(kind, tuple(kind))
    made["BatchStatusFilter"] = _choices(BatchStatus, STATUSES)
    made["MetricName"] = _enumeration(
        "A metric of the timeseries.",
        [(name.upper(), name, f"{METRICS[name].sentence} Unit: {METRICS[name].unit}.") for name in TIMESERIES_METRICS],
    )
    return dict(sorted(made.items()))


def _describe(made: dict[str, Schema], shape: Any, answer: type) -> None:
    """Adds what GraphQL says of each field of a report to the old key of the same name, unless that says it itself."""
    fields = {field.python_name: field for field in get_object_definition(answer, strict=True).fields}
    for key, kind in get_type_hints(shape).items():
        field = fields[key]
        made[shape.__name__]["properties"][key].setdefault("description", _in_old_names(field.description or ""))
        inner = get_args(kind)[0] if get_origin(kind) is list else kind
        if is_typeddict(inner) and (answered := object_type(field)):
            _describe(made, inner, answered)


def _choices(kind: type[Enum], members: Sequence[Enum]) -> Schema:
    """An enum of the reports, or some of its members."""
    definition: StrawberryEnumDefinition = kind.__strawberry_definition__  # type: ignore[attr-defined]
    shown = {member.value for member in members}
    values = [(value.name, value.value, value.description or "") for value in definition.values if value.value in shown]
    return _enumeration(definition.description or "", values)


def _enumeration(description: str, values: Iterable[tuple[str, str, str]]) -> Schema:
    """Strings, each with a name for programs, where the string itself is none, and with words."""
    names, texts, words = zip(*values, strict=True)
    lines = [f"- `{text}`: {_in_old_names(said)}" for text, said in zip(texts, words, strict=True)]
    return {
        "type": "string",
        "enum": list(texts),
        "x-enum-varnames": list(names),
        "description": "\n".join([description, "", *lines]),
    }


def _in_old_names(words: str) -> str:
    return _NAME_IN_GRAPHQL.sub(lambda found: f"`{to_snake_case(found[1])}`", words)


def _untitled(schema: Any) -> Any:
    """Without the titles that only repeat names."""
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _untitled(value) for key, value in schema.items() if key != "title" or not isinstance(value, str)}
