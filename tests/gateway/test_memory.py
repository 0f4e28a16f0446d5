"""One bound in bytes for what is remembered, what goes with what, and who pays for it."""

import gc
import tracemalloc
from collections.abc import Callable
from uuid import UUID

import pytest

from gateway.context import Context
from gateway.documents import Checked, Documents
from gateway.memory import Entry, Memory
from gateway.operations import Operations
from gateway.schema import build_schema
from gateway.turns import Slices
from resolvers.viewer import Role, Viewer
from tests.attack.documents import VALID, whole
from tests.given import NOW
from tests.running import settings_for

SCHEMA = build_schema()
VIEWER = Viewer(UUID(int=1), UUID(int=2), Role.AGENCY_OWNER)


class Held(dict[str, Entry | None]):
    """Things by name, as who remembers them holds them."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self.memory = Memory(max_bytes)

    def put(self, name: str, size: int, owner: str = "", source: str | None = None) -> None:
        self[name] = None
        made_from = self[source] if source else None
        self[name] = self.memory.keep(owner, size, lambda: self.pop(name), made_from) if name in self else None
        if self[name] is None:
            del self[name]


def test_the_least_recently_used_goes_first() -> None:
    held = Held(100)
    for name in "abc":
        held.put(name, 30)
    held.memory.use(held["a"])
    held.put("d", 30)
    assert set(held) == {"a", "c", "d"}
    held.memory.grow(held["d"], 20)
    assert set(held) == {"a", "d"}
    assert held.memory.bytes == 80


def test_what_is_too_large_is_not_kept_and_pushes_nothing_out() -> None:
    held = Held(100)
    held.put("a", 60)
    held.put("b", 101)
    assert set(held) == {"a"}
    held.memory.grow(held["a"], 60)
    assert (set(held), held.memory.bytes) == (set(), 0)


def test_what_was_made_from_a_thing_goes_with_it_and_keeps_it() -> None:
    held = Held(100)
    held.put("a", 20)
    held.put("b", 20)
    held.put("a1", 20, source="a")
    held.put("a11", 20, source="a1")
    held.put("c", 30)
    assert set(held) == {"a", "a1", "a11", "c"}
    held.memory.forget(held["a"])
    assert (set(held), held.memory.bytes) == ({"c"}, 30)
    gone = held.memory.keep("", 10, lambda: None, Entry(None, lambda: None, None))  # type: ignore[arg-type]
    assert gone is None


def test_nobody_pushes_out_what_others_use() -> None:
    held = Held(100)
    held.put("quiet", 10, "quiet")
    held.put("busy", 30, "busy")
    for number in range(50):
        held.put(f"flood {number}", 20, "flood")
    assert {"quiet", "busy", "flood 49"} <= set(held)
    # Who has less than a share may take from who has more.
    held.put("quiet 2", 20, "quiet")
    assert {"quiet", "quiet 2", "busy"} <= set(held)
    assert held.memory.bytes <= 100


def _documents(max_bytes: int) -> tuple[Documents, Operations, Memory]:
    memory = Memory(max_bytes)
    settings = settings_for("postgresql://nobody@nowhere/")
    return Documents(SCHEMA._schema, settings, memory), Operations(SCHEMA, memory, Slices(100), suggests=False), memory


async def _planned(documents: Documents, operations: Operations, text: str, variables: dict[str, object]) -> Checked:
    """A document that was asked by a plan, without the plan having been answered."""
    checked = await documents.of(text, VIEWER)
    asked = {"query": text, "variables": variables}
    context = Context(VIEWER, None, NOW.date(), checked.plans)  # type: ignore[arg-type]
    await operations._plan(checked, asked, context, (checked, None, str(variables)))
    return checked


async def test_a_hash_that_is_asked_for_is_used_as_its_document_is() -> None:
    documents, operations, _ = _documents(200_000)
    text = SHAPES["small"](0)
    documents.register("its hash", await _planned(documents, operations, text, {}))
    for number in range(1, 100):
        await documents.of(SHAPES["small"](number), VIEWER)
        named = documents.registered("its hash")
        assert named is not None
        assert named.text == text
    for number in range(100, 200):
        await documents.of(SHAPES["small"](number), VIEWER)
    assert documents.registered("its hash") is None


SHAPES: dict[str, Callable[[int], str]] = {
    "small": lambda number: f"{{ a{number}: overview {{ summary {{ totalCalls }} }} }}",
    "large": lambda number: f"{{ a{number}: timeseries {{ {whole('Timeseries')} }} }}",
    "many reports": lambda number: VALID["whole reports"](7_000).replace("a0", f"a{number}x0"),
    "switched": lambda number: VALID["switched fields"](4_000).replace("a1", f"a{number}x1"),
    "repeated": lambda number: VALID["parts repeated"](2_000).replace("a1", f"a{number}x1"),
    "in words": lambda number: f"{{ a{number}: overview {{ period {{ label }} }} }}#{'é' * 20_000}",
    "padded": lambda number: f"{{ a{number}: overview {{ period {{ label }} }} }}{' ' * 50_000}",
    "wide": lambda number: f"{{ a{number}: overview {{ period {{ label }} }} }}#" + "\N{GRINNING FACE}" * 10_000,
    "in fragments": lambda number: (
        f"{{ a{number}: overview {{ ...F0 }} }} "
        + " ".join(f"fragment F{each} on Overview {{ ...F{each + 1} }}" for each in range(40))
        + " fragment F40 on Overview { period { label } }"
    ),
    "operations": lambda number: " ".join(
        f"query Q{each}x{number} {{ overview {{ period {{ label }} }} }}" for each in range(40)
    ),
    "wrong": lambda number: f"{{ nothing{number} {'x' * 5_000} }}",
    "no document": lambda number: f"{{ {number} {'x' * 5_000} }}",
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("variables", [0, 1, 12])
async def test_what_is_counted_is_no_less_than_what_is_taken(shape: str, variables: int) -> None:
    documents, operations, memory = _documents(1_000_000_000)

    async def ask(number: int) -> None:
        text = SHAPES[shape](number)
        checked = await documents.of(text, VIEWER)
        documents.register(f"{number:064x}", checked)
        for each in range(variables if checked.document and checked.has_operation(None) else 0):
            await _planned(documents, operations, text, {"unused": str(UUID(int=each))})

    for number in range(3):
        await ask(number)
    counted, several = memory.bytes, 12
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(100, 100 + several):
            await ask(number)
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    counted = memory.bytes - counted
    # Python's own lists of free objects take their part once.
    assert taken < counted + 250_000
    assert counted < 4 * taken


async def test_a_document_takes_all_that_was_made_from_it_along() -> None:
    documents, operations, memory = _documents(1_000_000_000)
    texts = [SHAPES["large"](number) for number in range(3)]
    for text in texts:
        checked = await _planned(documents, operations, text, {"f": 1})
        documents.register(text, checked)
    assert len(operations._known) == 3
    assert checked.entry
    memory.forget(checked.entry)
    assert len(operations._known) == 2
    assert texts[2] not in documents._good
    assert documents.registered(texts[2]) is None
    assert documents.registered(texts[1])


async def test_a_document_that_does_not_fit_is_answered_all_the_same() -> None:
    for max_bytes in (0, 5_000, 20_000, 100_000):
        documents, operations, memory = _documents(max_bytes)
        for number in range(3):
            checked = await _planned(documents, operations, SHAPES["large"](number), {})
            assert checked.document
            assert memory.bytes <= max_bytes
        assert len(operations._known) <= 1
