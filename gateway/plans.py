"""Compiled execution: what a document selects of a report is worked out once, and then only read.

graphql-core walks the whole selection for every object of every answer. A report, though, is plain data: once its
resolver has answered, nothing is left to resolve. So the selection below it is compiled, through graphql-core's own
collection of fields, into one function for each object, and kept with the checked document. Whatever such a function
does not know or cannot complete is left to the standard executor, whose answer and whose errors stand.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLFloat,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    Undefined,
    VariableNode,
    Visitor,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    visit,
)
from graphql.execution.collect_fields import FieldDetails
from graphql.type.scalars import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from gateway.memory import Entry, Memory
from resolvers.measures import Measured, MeasuredColumns
from resolvers.metrics import Counter
from resolvers.scalars import LEAST_BIG, MOST_BIG, SCALARS, BigInt

T = TypeVar("T")
Complete = Callable[[Any], Any]
"""From a value as it is in a report to what JSON shows."""

BYTES_OF_VARIANT, BYTES_OF_PLAN, BYTES_OF_FIELD = 1_000, 2_500, 1_250
"""What is counted for what was worked out for a document with the same switches, for each compiled selection, and for
each of its fields: no less than they take in memory."""

_AS_IT_IS: Mapping[str, str] = {
    GraphQLInt.name: f"{{v}}.__class__ is int and {GRAPHQL_MIN_INT} <= v <= {GRAPHQL_MAX_INT}",
    SCALARS[BigInt].name: f"{{v}}.__class__ is int and {LEAST_BIG} <= v <= {MOST_BIG}",
    GraphQLFloat.name: "{v}.__class__ is float and v - v == 0",  # neither infinite nor no number
    GraphQLString.name: "{v}.__class__ is str",
}
"""When a value `v` is already what JSON shows, by its type's name. That type's own completion sees to any other."""

STRAWBERRY = "strawberry-definition"


class Unplanned(Exception):
    """A type or a value that a compiled selection does not complete."""


@dataclass(eq=False)
class Variant:
    """What was worked out for a document with the same values of the variables that switch parts of it off."""

    worked_out: dict[Hashable, Any] = field(default_factory=dict)
    entry: Entry | None = None


class Plans:
    """What was worked out for the selections of one document; goes with it, or before."""

    def __init__(
        self, document: DocumentNode | None = None, memory: Memory | None = None, entry: Entry | None = None
    ) -> None:
        self._switches = _switches(document) if document else ()
        self._variants: dict[Hashable, Variant] = {}
        self._memory = memory or Memory(0)
        self._entry = entry

    def variant(self, variables: Mapping[str, Any]) -> Variant:
        """What is known for these values of the switches."""
        switched = tuple([variables.get(name) for name in self._switches]) if self._switches else ()
        if (variant := self._variants.get(switched)) is None:
            variant = self._variants[switched] = Variant()
            # A document that is not remembered has what is made for it to itself, for as long as it is executed.
            if self._entry is not None and self._entry.is_kept:
                forget = partial(self._variants.pop, switched)
                size = BYTES_OF_VARIANT + 100 * len(switched)
                variant.entry = self._memory.keep(self._entry.owner, size, forget, self._entry)
        return variant

    def once(
        self,
        purpose: Hashable,
        nodes: Sequence[FieldNode],
        variables: Mapping[str, Any],
        work_out: Callable[[], tuple[T, int]],
    ) -> T:
        """What `work_out` gives for these fields and switches, beside the bytes that it takes."""
        variant = self.variant(variables)
        key = (purpose, *map(id, nodes))
        try:
            worked_out: T = variant.worked_out[key]
        except KeyError:
            worked_out, size = work_out()
            variant.worked_out[key] = worked_out
            self._memory.grow(variant.entry, size + 64 * len(nodes))
        return worked_out


class PlannedExecutor(StrawberryGraphQLCoreExecutionContext):
    """graphql-core's executor, reading objects by plan wherever there is one."""

    _fields = 0
    """Compiled so far, of the selection at hand."""

    def collect_and_execute_subfields(
        self,
        return_type: GraphQLObjectType,
        field_details_list: list[FieldDetails],
        path: Any,
        result: Any,
        position_context: Any,
    ) -> Any:
        """The fields selected of an object."""
        if (plan := self._planned(return_type, field_details_list)) is not None:
            try:
                return plan(result)
            except Exception:  # noqa: BLE001, S110  met again, located and worded by the standard executor
                pass
        return super().collect_and_execute_subfields(return_type, field_details_list, path, result, position_context)

    def completing(self, kind: GraphQLOutputType, selected: list[FieldDetails]) -> Complete:
        """How the values of a nullable object field are shown.

        Raises:
            Unplanned: they have to be completed by the standard executor.
        """
        if not is_object_type(kind):
            raise Unplanned
        plan = self._planned(kind, selected)
        if plan is None:
            raise Unplanned
        return lambda value: None if value is None else plan(value)

    def _planned(self, on: GraphQLObjectType, selected: list[FieldDetails]) -> Complete | None:
        """The plan of an object's selected fields, worked out at most once."""
        plan: Complete | None = self.context_value.plans.once(
            on.name,
            [details.node for details in selected],
            self.variable_values.coerced,
            lambda: self._plan(on, selected),
        )
        return plan

    def _plan(self, on: GraphQLObjectType, selected: list[FieldDetails]) -> tuple[Complete | None, int]:
        self._fields = 0
        plan = None
        with suppress(Unplanned):
            plan = self._object(on, selected)
        return plan, BYTES_OF_PLAN + BYTES_OF_FIELD * self._fields

    def _object(self, on: GraphQLObjectType, selected: list[FieldDetails]) -> Complete:
        """Writes, as Python, the function that shows an object; the commonest leaves are completed in place.

        Into its text go names of our own fields; all else is bound, what a client chose included.
        """
        definition = on.extensions.get(STRAWBERRY)
        if not isinstance(definition, StrawberryObjectDefinition) or on.is_type_of is not None:
            raise Unplanned
        bound: dict[str, Any] = {"unplanned": Unplanned}

        def bind(value: object) -> str:
            bound[name := f"bound_{len(bound)}"] = value
            return name

        shown = []
        for name, details in self.collect_subfields(on, selected).grouped_field_set.items():
            self._fields += 1
            field_name = details[0].node.name.value
            response_name = repr(name) if name == field_name else bind(name)
            if field_name == "__typename":
                shown.append(f"{response_name}: {on.name!r}")
                continue
            field = on.fields[field_name]
            ours = field.extensions.get(STRAWBERRY)
            if not isinstance(ours, StrawberryField) or not ours.is_basic_field or field.args:
                raise Unplanned
            value = _read(definition.origin, ours.python_name, bind)
            complete = bind(self._complete(field.type, details))
            required = is_non_null_type(field.type)
            kind = field.type.of_type if required else field.type
            as_it_is = _AS_IT_IS.get(kind.name) if is_leaf_type(kind) else None
            if as_it_is is None:
                shown.append(f"{response_name}: {complete}({value})")
            else:
                v = f"(v := {value})"
                is_shown = as_it_is.format(v=v) if required else f"{v} is None or {as_it_is.format(v='v')}"
                shown.append(f"{response_name}: v if {is_shown} else {complete}(v)")
        lines = [
            "def plan(shown):",
            f"if not isinstance(shown, {bind(definition.origin)}): raise unplanned",
            "sums = shown._sums" if issubclass(definition.origin, Measured) else "",
            f"return {{{', '.join(shown)}}}",
        ]
        exec("\n    ".join(lines), bound)  # noqa: S102
        plan: Complete = bound.pop("plan")  # not among its own globals, so that it goes when nobody has it
        return plan

    def _complete(self, kind: GraphQLOutputType, selected: list[FieldDetails]) -> Complete:
        if is_non_null_type(kind):
            return self._present(kind.of_type, selected)
        present = self._present(kind, selected)
        return lambda value: None if value is None else present(value)

    def _present(self, kind: GraphQLOutputType, selected: list[FieldDetails]) -> Complete:
        """Completes a value that is not None, and refuses one that is."""
        if is_list_type(kind):
            item = self._complete(kind.of_type, selected)
            return lambda values: [item(value) for value in _a_list(values)]
        if is_leaf_type(kind):
            return _leaf(kind)
        if is_object_type(kind):
            return self._object(kind, selected)
        raise Unplanned


def _read(origin: type, name: str, bind: Callable[[object], str]) -> str:
    """The expression that reads a field: a measure from what the calls add up to, anything else as an attribute."""
    metric = origin.metrics.get(name) if issubclass(origin, Measured) else None
    if metric is None:
        return f"shown.{name}"
    sums = "row" if issubclass(origin, MeasuredColumns) else "sums"
    measure = f"{sums}[{metric.name!r}]" if isinstance(metric, Counter) else f"{bind(metric.value)}({sums})"
    return f"[{measure} for row in shown._rows]" if sums == "row" else measure


def _leaf(kind: GraphQLLeafType) -> Complete:
    coerce = kind.coerce_output_value

    def leaf(value: Any) -> Any:
        if value is None or (shown := coerce(value)) is None or shown is Undefined:
            raise Unplanned
        return shown

    return leaf


def _a_list(values: Any) -> list[Any]:
    if not isinstance(values, list):
        raise Unplanned
    return values


def _switches(document: DocumentNode) -> tuple[str, ...]:
    """The variables that `@include` and `@skip` ask."""
    found: set[str] = set()

    class Switches(Visitor):
        def enter_directive(self, node: Any, *_: Any) -> None:
            found.update(
                argument.value.name.value
                for argument in node.arguments or ()
                if isinstance(argument.value, VariableNode)
            )

    visit(document, Switches())
    return tuple(sorted(found))
