"""A document that is refused costs no more than one that is answered, and its errors tell little of anything.

Work is counted in calls of functions, of this process that is client and gateway at once: no clock, no busy machine.
"""

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Mapping
from types import FrameType
from typing import Any

import httpx2
import pytest

from gateway import documents
from tests.attack.documents import REFUSED, VALID
from tests.conftest import Postgres
from tests.doors import House, furnished
from tests.given import token

SIZES = (1_000, 11_000, 95_000)
MOST_ERRORS, MOST_BYTES, LONGEST_MESSAGE = 6, 12_000, 1_100
"""Of an answer: five errors and a word that there are more."""
SMALL = "{ overview { period { label } } }"


@pytest.fixture(scope="module")
async def house(server: Postgres) -> AsyncIterator[House]:
    """As in production: without introspection. Answers are not given again, so that all are computed.

    Long documents are checked by the thread that counts, and not by one beside it.
    """
    settings = {"introspection": False, "user_cache_seconds": 30, "reuse": False, "log_level": "error"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "SHORT", sys.maxsize)
        async with furnished(server, **settings) as house:
            await house.given.calls(house.agency, 3)
            await house.post(SMALL)
            yield house


async def work(asking: Awaitable[httpx2.Response]) -> tuple[int, httpx2.Response]:
    """How many functions are called until there is an answer."""
    calls = 0

    def count(_: FrameType, event: str, __: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        answer = await asking
    finally:
        sys.setprofile(None)
    return calls, answer


async def post(house: House, text: str, **rest: Any) -> httpx2.Response:
    """GraphQL's answer. Sent as bytes: what a client needs to make JSON is no work of the gateway's."""
    body = json.dumps({"query": text, **rest}).encode()
    headers = {"Authorization": f"Bearer {token(house.owner)}", "Content-Type": "application/json"}
    return await house.gateway.http.post("/graphql", content=body, headers=headers)


@pytest.fixture(scope="module")
async def valid(house: House) -> Mapping[int, int]:
    """What the more costly of the valid documents costs, by size, when it is asked for the first time."""
    costs = {}
    for size in SIZES:
        counted = [await work(post(house, family(size))) for family in VALID.values()]
        assert all(set(answer.json()) == {"data"} for _, answer in counted)
        costs[size] = max(calls for calls, _ in counted)
    return costs


def check_brief(answer: httpx2.Response) -> None:
    """Errors alone, a handful, none of which repeats what was sent or tells what there is."""
    assert set(answer.json()) == {"errors"}, answer.text[:500]
    assert len(answer.content) < MOST_BYTES
    errors = answer.json()["errors"]
    assert 1 <= len(errors) <= MOST_ERRORS
    for error in errors:
        assert len(error["message"]) <= LONGEST_MESSAGE
        assert len(error.get("locations", ())) <= MOST_ERRORS
        assert "Did you mean" not in error["message"]
        assert error["extensions"]["code"] not in ("INTERNAL", "TIMEOUT")


@pytest.mark.parametrize("family", REFUSED)
async def test_a_refused_document_costs_no_more_than_a_valid_one_of_its_size(
    house: House, valid: Mapping[int, int], family: str
) -> None:
    for size in SIZES:
        text = REFUSED[family](size)
        first, answer = await work(post(house, text))
        check_brief(answer)
        assert first <= valid[size], (size, first, valid[size])
        # What is wrong with it is remembered: nothing is parsed or validated again.
        again, repeated = await work(post(house, text))
        assert [each["message"] for each in repeated.json()["errors"]] == [
            each["message"] for each in answer.json()["errors"]
        ]
        small, _ = await work(post(house, SMALL))
        assert again < 2 * small, (size, again, small)


MISSPELT = {
    "totalCallz": "{ overview { summary { totalCallz } } }",
    "overvieww": "{ overvieww { summary { totalCalls } } }",
    "filterz": "{ overview(filterz: {period: TODAY}) { __typename } }",
    "perid": "{ overview(filters: {perid: TODAY}) { __typename } }",
    "Overvieww": "{ overview { ... on Overvieww { __typename } } }",
    "ReportFilter": "query ($f: ReportFilter) { overview(filters: $f) { __typename } }",
    "ifs": "{ __typename @include(ifs: true) }",
}


@pytest.mark.parametrize("misspelt", MISSPELT)
async def test_a_misspelt_name_is_not_corrected_where_the_schema_is_not_told(house: House, misspelt: str) -> None:
    check_brief(answer := await post(house, MISSPELT[misspelt]))
    assert any(misspelt in error["message"] for error in answer.json()["errors"])


VARIABLES: Mapping[str, tuple[str, Any]] = {
    "unknown fields": ("ReportFilters!", {f"totalCallz{number}": 1 for number in range(4_000)}),
    "misspelt fields": ("ReportFilters!", {f"perio{number}": "TODAY" for number in range(4_000)}),
    "a long list": ("ReportFilters!", [{"period": "NEVER"}] * 4_000),
    "a list of lists": ("ReportFilters!", [[[[1] * 20] * 20] * 20] * 4),
    "a long enum value": ("HeatmapMetric!", "CALLS" * 15_000),
    "a long id": ("UUID!", "1" * 90_000),
    "a long number": ("Int!", 10**18),
    "a deep object": ("ReportFilters!", json.loads('{"period":' * 900 + "1" + "}" * 900)),
    "an object of long names": ("ReportFilters!", {f"{'x' * 2_000}{number}": 1 for number in range(40)}),
    "an object for an id": ("UUID!", {f"{number}": number for number in range(5_000)}),
}
USES = {
    "ReportFilters!": "overview(filters: $v)",
    "HeatmapMetric!": "heatmap(metric: $v)",
    "UUID!": "overview(filters: {campaignId: $v})",
    "Int!": "campaigns(limit: $v)",
}


@pytest.mark.parametrize("family", VARIABLES)
async def test_variables_that_are_wrong_cost_no_more_than_a_document_of_their_size(
    house: House, valid: Mapping[int, int], family: str
) -> None:
    kind, value = VARIABLES[family]
    text = f"query ($v: {kind}) {{ {USES[kind]} {{ __typename }} }}"
    calls, answer = await work(post(house, text, variables={"v": value}))
    check_brief(answer)
    assert all(error["extensions"]["argument"].startswith("$v") for error in answer.json()["errors"][:5])
    assert calls <= valid[95_000]


async def test_many_wrong_variables_are_told_of_a_handful(house: House) -> None:
    names = [f"v{number}" for number in range(30)]
    text = (
        f"query ({' '.join(f'${name}: Int!' for name in names)}) "
        f"{{ {' '.join(f'{name}: campaigns(limit: ${name}) {{ __typename }}' for name in names)} }}"
    )
    for value in ("x", None, 1.5):
        answer = await post(house, text, variables=dict.fromkeys(names, value))
        check_brief(answer)
        assert len(answer.json()["errors"]) == MOST_ERRORS
