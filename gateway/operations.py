"""Whole operations by plan: what a document asks with the same variables is worked out once, and then only answered.

Strawberry's pipeline and graphql-core's executor take an operation apart anew for each request: they coerce its
variables, collect its root fields, convert their arguments and wrap their resolvers. For the same document, operation
and variables all of that comes out the same, so it is done once, with their own functions. What such a plan does not
know is left to them, every time.
"""

from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from sys import getsizeof
from typing import Any, cast

import orjson
from graphql import (
    DocumentNode,
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
from gateway.errors import TooManyRequests
from gateway.memory import Entry, Memory
from gateway.plans import STRAWBERRY, Complete, PlannedExecutor, Unplanned
from gateway.rules import MOST_FAULTS
from gateway.schema import Schema
from gateway.turns import Slices
from resolvers.loaders import together_or_alone

BYTES_OF_OPERATION, BYTES_OF_ROOT, BYTES_OF_VARIABLE = 3_000, 2_000, 500
"""What is counted for an operation, for each of its root fields and for each of its variables: no less than they take
in memory, beside the compiled selections."""
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


@dataclass(eq=False)
class Operation:
    """What is asked with certain variables; without a plan for it, Strawberry's pipeline has to answer."""

    roots: list[Root] | None
    entry: Entry | None = None


class Operations:
    """The plans of the operations asked most recently."""

    def __init__(self, schema: Schema, memory: Memory, slices: Slices, *, suggests: bool) -> None:
        self._schema = schema
        self._memory = memory
        self._slices = slices
        self._suggests = suggests
        self._known: dict[Hashable, Operation] = {}

    async def answer(self, checked: Checked, asked: Mapping[str, Any], context: Context) -> ExecutionResult | None:
        """The answer of an operation, or what is wrong with its variables; None when the pipeline has to answer."""
        context.plans = checked.plans
        key = _key(checked, asked)
        if (operation := self._known.get(key)) is None:
            planned = await self._plan(checked, asked, context, key)
            if isinstance(planned, ExecutionResult):
                return planned
            operation = planned
        else:
            self._memory.use(operation.entry)
        if (roots := operation.roots) is None:
            return None
        context.reader.alone = len(roots) == 1
        results = await together_or_alone([root.resolve(context) for root in roots])
        data: dict[str, Any] = {}
        errors: list[GraphQLError] = []
        try:
            async with self._slices.shared(context.viewer.user_id) as next_piece:
                for root, result in zip(roots, results, strict=True):
                    await next_piece()
                    if isinstance(result, Exception):
                        errors.append(located_error(result, root.nodes, [root.name]))
                        data[root.name] = None
                    elif isinstance(result, BaseException):
                        raise result
                    else:
                        data[root.name] = root.complete(result)
        except TooManyRequests:
            raise
        except Exception:  # noqa: BLE001  a value that no plan completes: located and worded by the standard executor
            return None
        return ExecutionResult(data=data, errors=errors or None)

    async def _plan(
        self, checked: Checked, asked: Mapping[str, Any], context: Context, key: tuple[Hashable, ...] | None
    ) -> Operation | ExecutionResult:
        self._memory.use(checked.entry)
        executor = PlannedExecutor.build(
            self._schema._schema,
            cast("DocumentNode", checked.document),
            context_value=context,
            raw_variable_values=asked.get("variables"),
            operation_name=asked.get("operationName") or None,
            max_coercion_errors=MOST_FAULTS,
            hide_suggestions=not self._suggests,
        )
        if isinstance(executor, list):
            return ExecutionResult(data=None, errors=executor)
        variables = executor.variable_values.coerced
        operation = Operation(await self._roots(cast("PlannedExecutor", executor), context))
        if key is not None and (source := checked.plans.variant(variables).entry) is not None:
            size = BYTES_OF_OPERATION + sum(map(getsizeof, key)) + BYTES_OF_VARIABLE * len(variables)
            size += sum(BYTES_OF_ROOT + 64 * len(root.nodes) for root in operation.roots or ())
            self._known[key] = operation
            owner, forget = context.viewer.agency_id, partial(self._known.pop, key)
            operation.entry = self._memory.keep(owner, size, forget, source)
        return operation

    async def _roots(self, executor: PlannedExecutor, context: Context) -> list[Root] | None:
        query = cast("GraphQLObjectType", executor.schema.query_type)
        collected = collect_fields(
            executor.schema, executor.fragments, executor.variable_values, query, executor.operation, False
        )
        roots = []
        try:
            async with self._slices.shared(context.viewer.user_id) as next_piece:
                for name, details in collected.grouped_field_set.items():
                    await next_piece()
                    roots.append(self._root(executor, query, name, details))
        except (Unplanned, GraphQLError):
            return None
        return roots

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


def _key(checked: Checked, asked: Mapping[str, Any]) -> tuple[Hashable, ...] | None:
    """What an operation is remembered under; None where it is not to be."""
    try:
        # As text, which is as long as it is: bytes come in a block of at least a kilobyte.
        variables = orjson.dumps(asked.get("variables")).decode()
    except orjson.JSONEncodeError:
        return None  # nested deeper than it writes
    return (checked, asked.get("operationName"), variables) if len(variables) <= LONGEST_VARIABLES else None
