"""Documents parsed, validated and measured once for each text, within limits that count through fragments."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import cast

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSyntaxError,
    InlineFragmentNode,
    NamedTypeNode,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
    specified_rules,
)
from graphql.validation.rules import overlapping_fields_can_be_merged
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.schema.schema import validate_document

from gateway.errors import TooCostly
from gateway.plans import Plans
from gateway.settings import Settings

# Comparisons of fields that share a name, before graphql-core gives up: by default some seconds of them. A dashboard
# needs fewer than 300.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 50_000

COST_OF_REPORT: Mapping[str, int] = {
    "overview": 10,
    "funnel": 10,
    "quality": 15,
    "timeseries": 20,
    "campaigns": 20,
    "heatmap": 50,
    "objections": 50,
    "freshness": 50,
    "choices": 10,
}
"""By what a report makes the database read; any other field costs 1."""


@dataclass(frozen=True)
class Checked:
    """A document that was parsed, what is wrong with it, and what its execution has worked out so far."""

    document: DocumentNode
    errors: list[GraphQLError]
    plans: Plans


@dataclass
class Extent:
    """How much a selection asks for."""

    depth: int = 0
    aliases: int = 0
    cost: int = 0


@dataclass
class _Measuring:
    """Measures each fragment once, so that fragments of fragments cannot make measuring itself costly."""

    fragments: Mapping[str, FragmentDefinitionNode]
    known: dict[str, Extent] = field(default_factory=dict)

    def extent(self, selections: SelectionSetNode | None, *, in_query: bool) -> Extent:
        total = Extent()
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                inner = self.extent(node.selection_set, in_query=False)
                # Introspection is deep by nature; graphql-core's own rule bounds it.
                inner.depth = 0 if node.name.value.startswith("__") else inner.depth + 1
                inner.aliases += node.alias is not None
                # A report's parts may bear a report's name: `funnel { funnel { … } }`.
                inner.cost += COST_OF_REPORT.get(node.name.value, 1) if in_query else 1
            elif isinstance(node, FragmentSpreadNode):
                inner = self.fragment(node.name.value)
            else:
                inline = cast("InlineFragmentNode", node)
                on_query = _is_query(inline.type_condition) if inline.type_condition else in_query
                inner = self.extent(inline.selection_set, in_query=on_query)
            total = Extent(max(total.depth, inner.depth), total.aliases + inner.aliases, total.cost + inner.cost)
        return total

    def fragment(self, name: str) -> Extent:
        if name not in self.known:
            # Left as it is for one that is not defined, met again in one that spreads itself; validation refuses both.
            self.known[name] = Extent()
            if definition := self.fragments.get(name):
                on = definition.type_condition
                self.known[name] = self.extent(definition.selection_set, in_query=_is_query(on))
                if on.name.value.startswith("__"):
                    self.known[name].depth = 0
        return self.known[name]


def _is_query(on: NamedTypeNode) -> bool:
    return on.name.value == "Query"


def measure(document: DocumentNode) -> Extent:
    """The extent of a document, valid or not: of its largest operation or fragment in each respect."""
    measuring = _Measuring(
        {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    )
    extents = [measuring.fragment(name) for name in measuring.fragments]
    extents += [
        measuring.extent(node.selection_set, in_query=True)
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
    ]
    return Extent(
        max((extent.depth for extent in extents), default=0),
        max((extent.aliases for extent in extents), default=0),
        max((extent.cost for extent in extents), default=0),
    )


class Documents(SchemaExtension):
    """Gives an operation its document from memory, or checks it: against our limits, then by the specification."""

    def __init__(self, settings: Settings, memory: LRUCache[str, Checked]) -> None:
        self._settings = settings
        self._memory = memory
        self._checked: Checked | None = None

    @classmethod
    def within(cls, settings: Settings) -> partial["Documents"]:
        """A factory for the schema: an extension of its own for each operation, one memory for all."""
        return partial(cls, settings, memory_of(settings))

    def on_parse(self) -> Iterator[None]:
        """Before parsing: a document that is known needs none."""
        context = self.execution_context
        text = context.query or ""
        checked = self._memory.get(text)
        if checked is None and text:
            checked = self._check(text)
            # Faults weigh many times what a valid document does, and few clients repeat them.
            if not checked.errors and len(text) <= self._settings.graphql_remembered_text:
                self._memory[text] = checked
        if checked is not None:
            context.graphql_document = checked.document
            context.context.plans = checked.plans
            self._checked = checked
            if not checked.errors and context._provided_operation_name is None and _has_several(checked.document):
                raise CannotGetOperationTypeError(None)  # Strawberry would take the first
        yield

    def on_validate(self) -> Iterator[None]:
        """Before validation: what was found stands, and nothing is validated again."""
        if self._checked is not None:
            self.execution_context.pre_execution_errors = self._checked.errors
        yield

    def _check(self, text: str) -> Checked:
        settings = self._settings
        rules = specified_rules if settings.introspection else (*specified_rules, NoSchemaIntrospectionCustomRule)
        try:
            document = parse(text, max_tokens=settings.graphql_max_tokens)
            # Measured first: validation compares each field with each of its name, and within our limits those are few.
            errors = self._beyond(measure(document)) or validate_document(
                self.execution_context.schema._schema, document, rules
            )
            if any(error.message == "Validation aborted." for error in errors):
                raise _too_costly("the document is too intricate to be checked")
            return Checked(document, errors, Plans(None if errors else document))
        except RecursionError:
            raise _too_costly(f"the document is nested deeper than {settings.graphql_max_depth} levels") from None
        except GraphQLSyntaxError as error:
            if error.message.endswith("tokens. Parsing aborted."):
                raise _too_costly(f"the document has more than {settings.graphql_max_tokens:,} tokens") from None
            if error.message.endswith("too deeply. Parsing aborted."):
                raise _too_costly(f"the document is nested deeper than {settings.graphql_max_depth} levels") from None
            raise

    def _beyond(self, extent: Extent) -> list[GraphQLError]:
        settings = self._settings
        limits = (
            (extent.depth, settings.graphql_max_depth, "levels deep"),
            (extent.aliases, settings.graphql_max_aliases, "aliases"),
            (extent.cost, settings.graphql_max_cost, "points of cost"),
        )
        return [
            _too_costly(
                f"the document asks for {f'{asked:,}' if asked < 10**9 else 'far too many'} {what}; "
                f"at most {allowed:,} are answered"
            )
            for asked, allowed, what in limits
            if asked > allowed
        ]


def memory_of(settings: Settings) -> LRUCache[str, Checked]:
    """An empty memory for checked documents, by their text."""
    return LRUCache(settings.graphql_remembered_text, getsizeof=_size)


def _has_several(document: DocumentNode) -> bool:
    return sum(isinstance(node, OperationDefinitionNode) for node in document.definitions) > 1


def _too_costly(words: str) -> GraphQLError:
    return GraphQLError(words, original_error=TooCostly(words))


def _size(checked: Checked) -> int:
    location = checked.document.loc
    return location.end if location else 0
