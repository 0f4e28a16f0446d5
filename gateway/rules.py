"""How a document is validated: by the specification's rules, which stop at a handful of faults."""

from importlib import import_module
from typing import Any

from graphql import (
    SKIP,
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    GraphQLError,
    GraphQLInputType,
    GraphQLSchema,
    Node,
    NoSchemaIntrospectionCustomRule,
    ValueNode,
    VariableDefinitionNode,
    VisitorAction,
    specified_rules,
    validate,
)
from graphql.utilities import validate_input_literal
from graphql.validation import ASTValidationRule, KnownDirectivesRule, ValidationContext, ValuesOfCorrectTypeRule
from graphql.validation.rules import overlapping_fields_can_be_merged
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

MOST_FAULTS = 5
"""That are told of one document or of the values of its variables: whoever writes either mends one at a time."""

LONGEST_VALUE = 200
"""Characters of a value that are shown with a fault in it."""

# Comparisons of fields that share a name, before graphql-core gives up: by default some seconds of them. A dashboard
# needs fewer than 300.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 9_000


def _as_written(node: Node) -> str:
    """A value as it stands in the document, both its ends if it is long.

    In the place of graphql-core's own, which prints the whole value anew for each fault that is found in it: that takes
    longer than all of validation.
    """
    if node.loc is None:
        return f"a {node.kind.replace('_', ' ')}"  # made from one that is in the document
    start, end = node.loc.start, node.loc.end
    written, most = node.loc.source.body, LONGEST_VALUE // 2
    if end - start <= LONGEST_VALUE:
        return written[start:end]
    return f"{written[start : start + most]} … {written[end - most : end]}"


for _name in ("type.definition", "type.scalars", "utilities.validate_input_value"):
    vars(import_module(f"graphql.{_name}"))["print_for_error"] = _as_written


class ValuesRule(ValuesOfCorrectTypeRule):
    """Tells with each fault the argument that it was found in."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._within = ""

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        """Notes where the values are that follow."""
        self._within = node.name.value

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: Any) -> None:
        """The same of a default."""
        self._within = f"${node.variable.name.value}"

    def is_valid_value_node(self, node: ValueNode, input_type: GraphQLInputType | None) -> VisitorAction:
        """Reports what is wrong with a value."""
        if input_type:
            validate_input_literal(node, input_type, self._report, None, None, self.context.hide_suggestions)
        return SKIP

    def _report(self, fault: GraphQLError, path: list[str | int]) -> None:
        fault.extensions = {"argument": ".".join(map(str, (self._within, *path)))}
        self.report_error(fault)


class DirectivesRule(KnownDirectivesRule):
    """Says of two well-known directives that they are not to be had."""

    def enter_directive(self, node: DirectiveNode, *args: Any) -> None:
        """Reports a directive that is not known, or not at such a place."""
        if (name := node.name.value) in ("defer", "stream"):
            words = f"'@{name}' is not supported: an answer comes whole, and a report that fails is null in it."
            self.report_error(GraphQLError(words, node))
        else:
            super().enter_directive(node, *args)


_OURS: dict[type[ASTValidationRule], type[ASTValidationRule]] = {
    ValuesOfCorrectTypeRule: ValuesRule,
    KnownDirectivesRule: DirectivesRule,
}
_RULES = (
    *(_OURS.get(rule, rule) for rule in specified_rules),
    # Strawberry's own, of which its `validate_document` would add no bound on the faults.
    MaybeNullValidationRule,
    OneOfInputValidationRule,
)


def faults(schema: GraphQLSchema, document: DocumentNode, *, introspection: bool) -> list[GraphQLError]:
    """What is wrong with a document, at most MOST_FAULTS and a word that there may be more.

    Without introspection no fault suggests names of the schema: that would tell them, and costs more than validation.
    """
    rules = _RULES if introspection else (*_RULES, NoSchemaIntrospectionCustomRule)
    return validate(schema, document, rules, max_errors=MOST_FAULTS, hide_suggestions=not introspection)


def is_too_intricate(found: list[GraphQLError]) -> bool:
    """Whether validation gave up: comparing would cost more than the document is worth."""
    return any(fault.message == "Validation aborted." for fault in found)
