"""What a document asks for, through its fragments: how deep, by how many aliases, at what cost; and how many values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    ListValueNode,
    NamedTypeNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

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
    "viewer": 5,
}
"""By what a report makes the database read; any other field costs 1."""
COST_BELOW = {"data": 4, "columns": 4, "trend": 4, "campaignStats": 4}
"""Points of each field below these, which may come back a thousand times."""


@dataclass
class Extent:
    """How much a selection asks for."""

    depth: int = 0
    aliases: int = 0
    cost: int = 0
    longest_alias: int = field(default=0, compare=False)
    """Characters: an alias comes back with every row of a list."""

    def beside(self, other: "Extent") -> "Extent":
        """What two selections of the same object ask for."""
        return Extent(
            max(self.depth, other.depth),
            self.aliases + other.aliases,
            self.cost + other.cost,
            max(self.longest_alias, other.longest_alias),
        )


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
                if node.alias is not None:
                    inner.aliases += 1
                    inner.longest_alias = max(inner.longest_alias, len(node.alias.value))
                # A report's parts may bear a report's name: `funnel { funnel { … } }`.
                inner.cost *= COST_BELOW.get(node.name.value, 1)
                inner.cost += COST_OF_REPORT.get(node.name.value, 1) if in_query else 1
            elif isinstance(node, FragmentSpreadNode):
                inner = self.fragment(node.name.value)
            else:
                inline = cast("InlineFragmentNode", node)
                on_query = _is_query(inline.type_condition) if inline.type_condition else in_query
                inner = self.extent(inline.selection_set, in_query=on_query)
            total = total.beside(inner)
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
    return Extent(*(max(getattr(extent, each.name) for extent in [Extent(), *extents]) for each in fields(Extent)))


def count_values(document: DocumentNode) -> int:
    """How many arguments, variables, items of lists and fields of objects stand in a document.

    Each costs validation as much as a field does, and takes less room in a document.
    """
    count = 0
    nodes: list[Any] = list(document.definitions)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ListValueNode):
            values: Sequence[Any] = node.values
        elif isinstance(node, ObjectValueNode):
            values = [field.value for field in node.fields]
        else:
            if selection_set := getattr(node, "selection_set", None):
                nodes.extend(selection_set.selections)
            if directives := getattr(node, "directives", None):
                nodes.extend(directives)
            defined = getattr(node, "variable_definitions", None) or ()
            values = [each.value for each in getattr(node, "arguments", None) or ()]
            values += [each.default_value for each in defined]
            nodes.extend(defined)
        count += len(values)
        nodes.extend(value for value in values if isinstance(value, ListValueNode | ObjectValueNode))
    return count
