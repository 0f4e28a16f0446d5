"""Whatever clients send, and however often, what is remembered of documents stays within one bound in bytes."""

import gc
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from hashlib import sha256
from itertools import islice, product
from typing import Any
from uuid import UUID

import pytest

from tests.attack.documents import REFUSED, filled, whole
from tests.conftest import Postgres
from tests.doors import House, furnished

BOUND, ALLOWANCE = 3_000_000, 5_000_000
"""What may be remembered, and what a process may take besides for its own: statements, connections, buffers."""
Asked = tuple[str, Mapping[str, Any]]


@pytest.fixture
async def house(server: Postgres) -> AsyncIterator[House]:
    settings = {"graphql_remembered_bytes": BOUND, "reuse_max_bytes": 0, "user_cache_seconds": 30}
    async with furnished(server, introspection=False, log_level="error", **settings) as house:
        yield house


def _reports(number: int) -> str:
    """A document of some 7 kB that selects all that it may, like no other."""
    names = ("overview", "funnel", "quality", "campaigns")
    reports = [f"{name}{{{whole(name.title())}}}" for name in names]
    return filled("{", lambda each: f"a{number}x{each}:{reports[each % len(reports)]}", "}", 7_000)


def _documents() -> Iterator[Asked]:
    for number in range(12):
        yield _reports(number), {}


def _padded() -> Iterator[Asked]:
    for number in range(40):
        yield f"{{ a{number}: overview {{ period {{ label }} }} }}{' ' * 45_000}#{'é' * 20_000}", {}


def _operations() -> Iterator[Asked]:
    names = [f"a{number}" for number in range(25)]
    text = (
        f"query ({' '.join(f'${name}: ReportFilters!' for name in names)}) "
        f"{{ {' '.join(f'{name}: overview(filters: ${name}) {{ period {{ label }} }}' for name in names)} }}"
    )
    for number in range(150):
        filters = {"period": "TODAY", "campaignId": str(UUID(int=number))}
        yield text, {"variables": dict.fromkeys(names, filters)}


def _names() -> Iterator[Asked]:
    text = filled("", lambda number: f"query Q{number}{{overview{{period{{label}}}}}}", "", 18_000)
    for number in range(150):
        yield text, {"operationName": f"Q{number}"}


def _switches() -> Iterator[Asked]:
    names = [f"v{number}" for number in range(10)]
    report = whole("Overview", "%s ")
    text = (
        f"query ({' '.join(f'${name}: Boolean!' for name in names)}) "
        f"{{ {' '.join(f'{name}: overview @include(if: ${name}) {{{report}}}' for name in names)} }}"
    )
    for values in islice(product((True, False), repeat=len(names)), 25):
        yield text, {"variables": dict(zip(names, values, strict=True))}


def _refused() -> Iterator[Asked]:
    for number in range(2):
        for family in REFUSED.values():
            yield f"#{number}\n{family(2_000)}", {}


def _persisted() -> Iterator[Asked]:
    for number in range(300):
        text = f"{{ a{number}: overview {{ period {{ label }} }} }}"
        named = {"version": 1, "sha256Hash": sha256(text.encode()).hexdigest()}
        yield text, {"extensions": {"persistedQuery": named}}


def _wrong_hashes() -> Iterator[Asked]:
    for number in range(150):
        yield "{ __typename }", {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": f"{number}" * 9_000}}}


SENT: list[Callable[[], Iterator[Asked]]] = [
    *(_documents, _padded, _operations, _names, _switches, _refused, _persisted, _wrong_hashes)
]


@pytest.mark.parametrize("sent", SENT)
async def test_what_is_remembered_is_bounded_in_bytes(house: House, sent: Callable[[], Iterator[Asked]]) -> None:
    async def send(asked: Iterator[Asked]) -> None:
        for text, rest in asked:
            for _ in range(2):
                assert (await house.post(text, **rest)).status_code in (200, 400)

    await send(islice(sent(), 3))
    gc.collect()
    tracemalloc.start()
    try:
        await send(sent())
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < BOUND + ALLOWANCE
