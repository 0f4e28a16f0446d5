"""Documents parsed, measured and validated once for each text; what is wrong with one is remembered like a good one."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from sys import getsizeof
from uuid import UUID

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    parse,
)
from strawberry.extensions import SchemaExtension

from gateway.costs import Extent, count_values, measure
from gateway.errors import BadRequest, TooCostly, document_error
from gateway.memory import Entry, Memory
from gateway.plans import Plans
from gateway.rules import faults, is_too_intricate
from gateway.settings import Settings
from gateway.turns import Turns
from resolvers.viewer import Viewer

LONGEST_ALIAS = 100
"""Characters: an answer repeats an alias as often as it has rows."""
SHORT = 1_000
"""Characters of a document that is checked within a millisecond or two."""
MOST_VALUES = 500
"""Arguments, variables, items and fields of values: a dashboard has some tens."""
BYTES_OF_DOCUMENT, BYTES_OF_TOKEN, BYTES_OF_FAULT, BYTES_OF_HASH = 3_000, 650, 1_500, 1_000
"""What is counted for a document beside its text, for each of its tokens, for each of its faults, and for a hash that
it was registered under: no less than they take in memory."""

_KINDS = {OperationType.MUTATION: "mutation", OperationType.SUBSCRIPTION: "subscription"}
_INSTEAD = {
    "mutation": "mutations are not supported: this API only reads",
    "subscription": "subscriptions are not supported: ask again, an answer that has not changed costs next to nothing",
}


@dataclass(eq=False)
class Checked:
    """A document as it was found: ready to be executed, or what is wrong with it."""

    text: str = ""
    document: DocumentNode | None = None
    errors: Sequence[GraphQLError] = ()
    cost: int | None = None
    """In points; None where it was not measured."""
    other_kind: str | None = None
    """`mutation` or `subscription`, where it has one, which is what is wrong with it."""
    plans: Plans = field(default_factory=Plans)
    names: Sequence[str | None] = ()
    """Of its operations."""
    entry: Entry | None = None

    def has_operation(self, name: str | None) -> bool:
        """Whether this names one of its operations, or none does and there is one only."""
        return name in self.names if name else len(self.names) == 1


@dataclass(eq=False)
class Registered:
    """A document that is found by the hash of its text."""

    checked: Checked
    entry: Entry | None = None


class Documents:
    """Knows the documents asked most recently, by their texts, and by their hashes where these were registered."""

    def __init__(self, schema: GraphQLSchema, settings: Settings, memory: Memory) -> None:
        self._schema = schema
        self._settings = settings
        self._memory = memory
        self._turns = Turns(1, settings.burst_limit)
        # One of its own, so that what was begun for a client that has left is ended before anything else is begun.
        self._thread = ThreadPoolExecutor(1, "documents")
        self._good: dict[str, Checked] = {}
        self._bad: dict[bytes, Checked] = {}
        self._by_hash: dict[str, Registered] = {}

    async def of(self, text: str, viewer: Viewer) -> Checked:
        """The document of a text, checked now if it is not known, at the expense of the viewer's agency.

        A good one counts as used when it is executed.

        Raises:
            TooManyRequests: too many of the same user's wait to be checked.
        """
        if (known := self._good.get(text)) is not None:
            return known
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if (known := self._bad.get(digest)) is not None:
            self._memory.use(known.entry)
            return known
        if len(text) <= SHORT:
            return self._remembered(text, digest, self._check(text), viewer.agency_id)
        # Aside, where it holds up nobody's answer, and one at a time, user by user.
        async with self._turns.turn(viewer.user_id):
            checked = await asyncio.get_running_loop().run_in_executor(self._thread, self._check, text)
        return (
            self._good.get(text) or self._bad.get(digest) or self._remembered(text, digest, checked, viewer.agency_id)
        )

    def _remembered(self, text: str, digest: bytes, checked: Checked, owner: UUID) -> Checked:
        if checked.document is None:
            size = BYTES_OF_DOCUMENT + BYTES_OF_FAULT * len(checked.errors)
            size += sum(getsizeof(error.message) for error in checked.errors)
            self._bad[digest] = checked
            checked.entry = self._memory.keep(owner, size, partial(self._bad.pop, digest))
        else:
            # Comments and strings are held once more, as the values of their tokens.
            size = BYTES_OF_DOCUMENT + 2 * getsizeof(text) + BYTES_OF_TOKEN * checked.document.token_count
            self._good[text] = checked
            checked.entry = self._memory.keep(owner, size, partial(self._good.pop, text))
            checked.plans = Plans(checked.document, self._memory, checked.entry)
            _unlink(checked.document)
        return checked

    def registered(self, sha256: str) -> Checked | None:
        """The document that was registered under this hash, while it is remembered."""
        if (known := self._by_hash.get(sha256)) is None:
            return None
        self._memory.use(known.entry)
        return known.checked

    def register(self, sha256: str, checked: Checked) -> None:
        """Has a document found by the hash of its text, from now on and while it is remembered."""
        if checked.entry is not None and checked.document is not None and sha256 not in self._by_hash:
            known = self._by_hash[sha256] = Registered(checked)
            forget = partial(self._by_hash.pop, sha256)
            known.entry = self._memory.keep(checked.entry.owner, BYTES_OF_HASH, forget, checked.entry)

    def _check(self, text: str) -> Checked:
        most_tokens = self._settings.graphql_max_tokens
        too_deep = f"the document is nested deeper than {self._settings.graphql_max_depth} levels"
        try:
            document = parse(text, max_tokens=most_tokens)
            operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
            if other := next((kind for node in operations if (kind := _KINDS.get(node.operation))), None):
                return Checked(errors=[document_error(BadRequest.code, _INSTEAD[other])], other_kind=other)
            if not operations:
                return Checked(errors=[document_error(BadRequest.code, "the document has no operation to execute")])
            # Measured first: validation compares each field with each of its name, and within limits those are few.
            extent = measure(document)
            errors = self._beyond(extent, count_values(document)) or self._faults(document)
        except RecursionError:
            return Checked(errors=[_too_costly(too_deep)])
        except GraphQLSyntaxError as error:
            if error.message.endswith("tokens. Parsing aborted."):
                return Checked(errors=[_too_costly(f"the document has more than {most_tokens:,} tokens")])
            if error.message.endswith("too deeply. Parsing aborted."):
                return Checked(errors=[_too_costly(too_deep)])
            return Checked(errors=[document_error("GRAPHQL_PARSE_FAILED", error.message, error.locations)])
        if errors:
            return Checked(errors=errors, cost=extent.cost)
        names = [node.name.value if node.name else None for node in operations]
        return Checked(text, document, cost=extent.cost, names=names)

    def _faults(self, document: DocumentNode) -> list[GraphQLError]:
        found = faults(self._schema, document, introspection=self._settings.introspection)
        if is_too_intricate(found):
            return [_too_costly("the document is too intricate to be checked")]
        return [
            document_error("GRAPHQL_VALIDATION_FAILED", fault.message, fault.locations, **(fault.extensions or {}))
            for fault in found
        ]

    def _beyond(self, extent: Extent, values: int) -> list[GraphQLError]:
        settings = self._settings
        limits = (
            (extent.depth, settings.graphql_max_depth, "levels deep"),
            (extent.aliases, settings.graphql_max_aliases, "aliases"),
            (extent.longest_alias, LONGEST_ALIAS, "characters of an alias"),
            (values, MOST_VALUES, "values"),
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


class Known(SchemaExtension):
    """Gives Strawberry's pipeline the document of the operation at hand, which was checked before."""

    def on_parse(self) -> Iterator[None]:
        """Before parsing, which then need not be done."""
        self.execution_context.graphql_document = self.execution_context.context.document
        yield

    def on_validate(self) -> Iterator[None]:
        """Before validation: nothing was found."""
        if self.execution_context.context.document is not None:
            self.execution_context.pre_execution_errors = []
        yield


def _unlink(document: DocumentNode) -> None:
    """Has the tokens of a document know nothing of each other, so that they go when the document goes."""
    token = document.loc.start_token if document.loc else None
    while token is not None:
        following, token.prev, token.next = token.next, None, None
        token = following


def _too_costly(words: str) -> GraphQLError:
    return document_error(TooCostly.code, words)
