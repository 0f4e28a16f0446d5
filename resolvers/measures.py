"""The values of metrics as GraphQL shows them: types whose fields are measures, worked out only when read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field as dataclass_field
from typing import Any, ClassVar, Self, TypeVar

import strawberry
from strawberry.types.base import get_object_definition

from resolvers.metrics import METRICS, Counter, Metric, Number, Quotient, Sums
from resolvers.scalars import BigInt

T = TypeVar("T", bound="Measured")


class Measured:
    """A type with one typed field for each metric it shows; `of` binds it to what the calls' counters add up to.

    A field is worked out from the sums when it is read. One whose sums were not read from the database raises
    KeyError: a fault in the program, never a wrong number.
    """

    metrics: ClassVar[Mapping[str, Metric]]
    """The metric of each field, by the field's Python name."""

    _sums: Sums

    @classmethod
    def of(cls, sums: Sums, **plain: object) -> Self:
        """An instance over `sums`; `plain` are the values of fields that are no metric (a date, a name)."""
        made = cls.__new__(cls)
        plain["_sums"] = sums
        made.__dict__ = plain
        return made

    def __getattr__(self, name: str) -> Number | None:
        """The measure of a field. Only called for what is not a plain attribute."""
        metric = type(self).metrics.get(name)
        if metric is None:
            raise AttributeError(f"{type(self).__name__} has no field {name}")
        return metric.value(self._sums)


class MeasuredColumns(Measured):
    """As Measured, over several rows at once: each field is the list of its measures, one a row."""

    _rows: Sequence[Sums]

    @classmethod
    def over(cls, rows: Sequence[Sums], **plain: object) -> Self:
        """An instance over `rows`, in their order."""
        return cls.of({}, _rows=rows, **plain)

    def __getattr__(self, name: str) -> Any:
        metric = type(self).metrics.get(name)
        if metric is None:
            raise AttributeError(f"{type(self).__name__} has no field {name}")
        return [metric.value(row) for row in self._rows]


def metric(name: str) -> Any:
    """A field that shows the metric `name` under another, documented, name."""
    return dataclass_field(metadata={"metric": name})


def plain(description: str) -> Any:
    """A field of a Measured type that is no metric."""
    return strawberry.field(description=description)


def measured(description: str) -> Callable[[type[T]], type[T]]:
    """Makes a Measured class a GraphQL type, its fields described by the catalogue.

    A field shows the metric of its own name unless it says `metric("another")` or `plain("description")`, and is typed
    as that metric's values are.

    Raises:
        TypeError: it is typed otherwise, as a sum that a type of 32 bits would lose.
    """

    def decorate(cls: type[T]) -> type[T]:
        metrics = {}
        for name in cls.__annotations__:
            given = cls.__dict__.get(name)
            if isinstance(given, strawberry.types.field.StrawberryField):
                continue
            shown = METRICS[given.metadata["metric"] if given is not None else name]
            if cls.__annotations__[name] != (kind := _typed(shown, in_columns=issubclass(cls, MeasuredColumns))):
                raise TypeError(f"{cls.__name__}.{name} shows {shown.name}, which is typed {kind}")
            metrics[name] = shown
            setattr(cls, name, strawberry.field(description=f"{shown.sentence} Unit: {shown.unit}."))
        cls.metrics = metrics
        return strawberry.type(cls, description=description)

    return decorate


def _typed(metric: Metric, *, in_columns: bool) -> object:
    """How a metric's values are typed: the one place that says that whatever adds up has 64 bits."""
    match metric:
        case Counter():
            return list[BigInt] if in_columns else BigInt
        case Quotient(digits=0):  # a mean is no longer than the longest call, which has 32 bits
            return list[int | None] if in_columns else int | None
    return list[float | None] if in_columns else float | None


def metrics_shown(cls: type) -> frozenset[str]:
    """The metrics that a GraphQL type shows, those of its nested types included."""
    names: set[str] = set()
    if issubclass(cls, Measured):
        names.update(shown.name for shown in cls.metrics.values())
    definition = get_object_definition(cls)
    for field in definition.fields if definition else ():
        inner = field.type
        while hasattr(inner, "of_type"):
            inner = inner.of_type
        if isinstance(inner, type) and get_object_definition(inner):
            names |= metrics_shown(inner)
    return frozenset(names)
