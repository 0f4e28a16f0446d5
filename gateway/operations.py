"""Whole operations by plan: what a document asks with the same variables is worked out once, and then only answered.

Strawberry's pipeline and graphql-core's executor take an operation apart anew for each request: they coerce its
variables, collect its root fields, convert their arguments and wrap their resolvers. For the same document, operation
and variables all of that comes out the same, so it is done once, with their own functions, when the operation has been
executed by them for the first time. What such a plan does not know is left to them, every time.
"""

from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson
from cachetools import LRUCache
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    located_error,
)
from graphql.execution.collect_fields import FieldDetails, collect_fields
from graphql.execution.values import get_argument_values
from strawberry.types import ExecutionResult
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField
from strawberry.types.nodes import Selection, convert_selections

from gateway.context import Context
from gateway.documents import Checked
from gateway.plans import STRAWBERRY, Complete, PlannedExecutor, Unplanned
from gateway.schema import Schema
from resolvers.loaders import together_or_alone

REMEMBERED_OPERATIONS = 1_000
LONGEST_VARIABLES = 2_000
"""Bytes of variables, as JSON, with which an operation is remembered: filters are a tenth of it."""


@dataclass(frozen=True)
class Asking:
    """What a resolver is told, in place of Strawberry's info and of the raw one below that."""

    context: Context
    field_nodes: Sequence[FieldNode]
    variable_values: Mapping[str, Any]
    fragments: Mapping[str, FragmentDefinitionNode]

    @property
    def _raw_info(self) -> "Asking":
        return self

    @property
    def selected_fields(self) -> list[Selection]:
        """The fields that were selected of the report."""
        return convert_selections(cast("GraphQLResolveInfo[Any]", self), self.field_nodes)


@dataclass(frozen=True)
class Root:
    """One root field of an operation: how it is answered, and how its answer is shown."""

    name: str
    nodes: list[FieldNode]
    resolve: Callable[[Context], Coroutine[Any, Any, Any]]
    complete: Complete


class Operations:
    """The plans of the operations asked most recently."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._roots: LRUCache[Hashable, list[Root] | None] = LRUCache(REMEMBERED_OPERATIONS)

    async def answer(self, checked: Checked, asked: Mapping[str, Any], context: Context) -> ExecutionResult | None:
        """The answer of an operation that was executed before; None when the pipeline has to answer."""
        if (key := _key(asked)) is None:
            return None
        if key not in self._roots:
            self._roots[key] = self._plan(checked, asked, context)
        if (roots := self._roots[key]) is None:
            return None
        context.plans = checked.plans
        context.reader.alone = len(roots) == 1
        results = await together_or_alone([root.resolve(context) for root in roots])
        data: dict[str, Any] = {}
        errors: list[GraphQLError] = []
        try:
            for root, result in zip(roots, results, strict=True):
                if isinstance(result, Exception):
                    errors.append(located_error(result, root.nodes, [root.name]))
                    data[root.name] = None
                elif isinstance(result, BaseException):
                    raise result
                else:
                    data[root.name] = root.complete(result)
        except Exception:  # noqa: BLE001  a value that no plan completes: located and worded by the standard executor
            return None
        return ExecutionResult(data=data, errors=errors or None)

    def _plan(self, checked: Checked, asked: Mapping[str, Any], context: Context) -> list[Root] | None:
        context.plans = checked.plans
        executor = PlannedExecutor.build(
            self._schema._schema,
            checked.document,
            context_value=context,
            raw_variable_values=asked.get("variables"),
            operation_name=asked.get("operationName") or None,
        )
        query = self._schema._schema.query_type
        if not isinstance(executor, PlannedExecutor) or query is None or executor.operation.operation.value != "query":
            return None
        collected = collect_fields(
            executor.schema, executor.fragments, executor.variable_values, query, executor.operation, False
        )
        try:
            return [self._root(executor, query, name, details) for name, details in collected.grouped_field_set.items()]
        except (Unplanned, GraphQLError):
            return None

    def _root(
        self, executor: PlannedExecutor, query: GraphQLObjectType, name: str, details: list[FieldDetails]
    ) -> Root:
        node = details[0].node
        if (field := query.fields.get(node.name.value)) is None:
            raise Unplanned
        ours = field.extensions.get(STRAWBERRY)
        if not isinstance(ours, StrawberryField) or ours.base_resolver is None:
            raise Unplanned
        arguments = convert_arguments(
            get_argument_values(field, node, executor.variable_values),
            ours.arguments,
            self._schema.schema_converter.scalar_registry,
            self._schema.config,
        )
        nodes = [each.node for each in details]
        resolver = cast("Callable[..., Coroutine[Any, Any, Any]]", ours.base_resolver.wrapped_func)
        told = (nodes, executor.variable_values.coerced, executor.fragment_definitions)

        def resolve(context: Context) -> Coroutine[Any, Any, Any]:
            return resolver(None, info=Asking(context, *told), **arguments)

        return Root(name, nodes, resolve, executor.completing(field.type, details))


def _key(asked: Mapping[str, Any]) -> Hashable | None:
    try:
        variables = orjson.dumps(asked.get("variables"))
    except orjson.JSONEncodeError:
        return None  # nested deeper than it writes
    return (asked["query"], asked.get("operationName"), variables) if len(variables) <= LONGEST_VARIABLES else None
