"""What a caller selected of a report, so that nothing else is read."""

from collections.abc import Iterable, Iterator, Mapping

from strawberry.types.base import get_object_definition
from strawberry.types.field import StrawberryField
from strawberry.types.nodes import SelectedField, Selection
from strawberry.utils.str_converters import to_camel_case

from resolvers.measures import Measured

Wanted = Mapping[str, frozenset[str]]
"""The fields of a report that are wanted, by Python name, each with the metrics it needs."""


def everything(report: type) -> Wanted:
    """All of a report, as the legacy endpoints answer it."""
    return {field.python_name: _metrics(object_type(field), None) for field in _fields(report).values()}


def selected(report: type, fields: Iterable[Selection]) -> Wanted:
    """What `info.selected_fields` of a report's own field asks for, through aliases, fragments and directives."""
    known = _fields(report)
    wanted: dict[str, frozenset[str]] = {}
    for field in fields:
        for chosen in _flat(field.selections):
            if shown := known.get(chosen.name):
                needed = _metrics(object_type(shown), chosen.selections)
                wanted[shown.python_name] = wanted.get(shown.python_name, frozenset()) | needed
    return wanted


def _fields(cls: type) -> Mapping[str, StrawberryField]:
    definition = get_object_definition(cls, strict=True)
    return {to_camel_case(field.python_name): field for field in definition.fields}


def object_type(field: StrawberryField) -> type | None:
    """The type of a field's objects, itself or in a list; None where its values are none."""
    inner = field.type
    while hasattr(inner, "of_type"):
        inner = inner.of_type
    return inner if isinstance(inner, type) and get_object_definition(inner) else None


def _metrics(cls: type | None, selections: Iterable[Selection] | None) -> frozenset[str]:
    """The metrics below a type, of the selections or, for None, of all its fields."""
    if cls is None:
        return frozenset()
    fields = _fields(cls)
    chosen = (
        [(name, None) for name in fields] if selections is None else [(c.name, c.selections) for c in _flat(selections)]
    )
    names: frozenset[str] = frozenset()
    for name, inner in chosen:
        if (field := fields.get(name)) is None:
            continue  # __typename
        if issubclass(cls, Measured) and field.python_name in cls.metrics:
            names |= {cls.metrics[field.python_name].name}
        else:
            names |= _metrics(object_type(field), inner)
    return names


def _flat(selections: Iterable[Selection]) -> Iterator[SelectedField]:
    for selection in selections:
        skipped = selection.directives.get("skip", {}).get("if", False)
        included = selection.directives.get("include", {}).get("if", True)
        if skipped or not included:
            continue
        if isinstance(selection, SelectedField):
            yield selection
        else:
            yield from _flat(selection.selections)
