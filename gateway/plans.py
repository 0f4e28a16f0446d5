"""Compiled execution: what a document selects of a report is worked out once, and then only read.

graphql-core walks the whole selection for every object of every answer. A report, though, is plain data: once its
resolver has answered, nothing is left to resolve. So the selection below it is compiled, through graphql-core's own
collection of fields, into one function for each object, and kept with the checked document. Whatever such a function
does not know or cannot complete is left to the standard executor, whose answer and whose errors stand.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
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

from resolvers.measures import Measured, MeasuredColumns
from resolvers.metrics import Counter
from resolvers.scalars import LEAST_BIG, MOST_BIG, SCALARS, BigInt

T = TypeVar("T")
Complete = Callable[[Any], Any]
"""From a value as it is in a report to what JSON shows."""

REMEMBERED_VARIANTS = 4
"""For each document: what is remembered grows with its text, not with the variables that switch parts of it off."""

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


class Plans:
    """What was worked out for the selections of one document; lives as long as the document does."""

    def __init__(self, document: DocumentNode | None = None) -> None:
        self._switches = _switches(document) if document else ()
        self._variants: dict[Hashable, dict[Hashable, Any]] = {}

    def once(
        self, purpose: Hashable, nodes: Sequence[FieldNode], variables: Mapping[str, Any], work_out: Callable[[], T]
    ) -> T:
        """What `work_out` gives for these fields and for the variables that switch some of their selections off."""
        switched = tuple([variables.get(name) for name in self._switches])
        if (known := self._variants.get(switched)) is None:
            if len(self._variants) >= REMEMBERED_VARIANTS:
                self._variants.clear()
            known = self._variants[switched] = {}
        key = (purpose, *map(id, nodes))
        if key not in known:
            known[key] = work_out()
        worked_out: T = known[key]
        return worked_out


class PlannedExecutor(StrawberryGraphQLCoreExecutionContext):
    """graphql-core's executor, reading objects by plan wherever there is one."""

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

    def _plan(self, on: GraphQLObjectType, selected: list[FieldDetails]) -> Complete | None:
        try:
            return self._object(on, selected)
        except Unplanned:
            return None

    def _object(self, on: GraphQLObjectType, selected: list[FieldDetails]) -> Complete:
        """Writes, as Python, the function that shows an object; the commonest leaves are completed in place.

        Into its text go names of our own fields, and response names as literals; all else is bound.
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
            field_name = details[0].node.name.value
            if field_name == "__typename":
                shown.append(f"{name!r}: {on.name!r}")
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
                shown.append(f"{name!r}: {complete}({value})")
            else:
                v = f"(v := {value})"
                is_shown = as_it_is.format(v=v) if required else f"{v} is None or {as_it_is.format(v='v')}"
                shown.append(f"{name!r}: v if {is_shown} else {complete}(v)")
        lines = [
            "def plan(shown):",
            f"if not isinstance(shown, {bind(definition.origin)}): raise unplanned",
            "sums = shown._sums" if issubclass(definition.origin, Measured) else "",
            f"return {{{', '.join(shown)}}}",
        ]
        exec("\n    ".join(lines), bound)  # noqa: S102
        plan: Complete = bound["plan"]
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
