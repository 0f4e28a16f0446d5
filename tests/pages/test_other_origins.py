"""A page of another origin in a real browser: its client's headers pass, and it reads answers, errors and timings."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.listening import listening, page
from tests.pages.conftest import Office
from tests.waiting import PATIENCE

_PAGE = b"<!doctype html><title>Elsewhere</title>"
_ASK = """async ([address, method, headers, body]) => {
    const response = await fetch(address, { method, headers, body });
    const text = await response.text();
    let timing;
    while (!(timing = performance.getEntriesByName(address).at(-1))) await new Promise((go) => setTimeout(go, 10));
    const stops = timing.serverTiming.map((stop) => stop.name);
    return { status: response.status, headers: Object.fromEntries(response.headers), text, stops };
}"""
TOTAL = "{ overview { summary { totalCalls } } }"
CLIENT = {
    "apollographql-client-name": "a dashboard",
    "apollographql-client-version": "1.2",
    "apollo-require-preflight": "true",
    "sentry-trace": "0-0-0",
    "x-datadog-trace-id": "1",
    "X-Whatever-Comes-Next": "1",
}


@pytest.fixture
async def elsewhere(browser: Browser) -> AsyncIterator[Page]:
    """A page whose origin is not the gateway's."""
    async with listening(page(_PAGE)) as address:
        opened = await browser.new_page()
        opened.set_default_timeout(PATIENCE * 1_000)
        await opened.goto(address)
        yield opened
        await opened.close()


async def ask(tab: Page, office: Office, path: str, method: str = "GET", **more: Any) -> dict[str, Any]:
    """What a script of the page learns."""
    headers = {"Authorization": f"Bearer {office.token}", **CLIENT, **more.get("headers", {})}
    answer: dict[str, Any] = await tab.evaluate(_ASK, [f"{office.address}{path}", method, headers, more.get("body")])
    return answer


async def test_a_clients_headers_pass_and_the_answer_its_headers_and_its_timings_can_be_read(
    elsewhere: Page, office: Office
) -> None:
    body = f'{{"query": "{TOTAL}"}}'
    posted = await ask(elsewhere, office, "/graphql", "POST", headers={"Content-Type": "application/json"}, body=body)
    assert posted["status"] == 200
    assert '"totalCalls":' in posted["text"]
    got = await ask(elsewhere, office, "/functions/v1/dashboard-timeseries?period=90d")
    assert got["status"] == 200
    assert got["text"].startswith('{"period":')  # which came packed
    assert {"etag", "server-timing", "x-request-id"} <= set(got["headers"])
    for answer in (posted, got):
        assert "total" in answer["stops"]


async def test_errors_can_be_read_too(elsewhere: Page, office: Office) -> None:
    path = "/functions/v1/dashboard-overview"
    for status, asked in {
        400: (path + "?period=1d", "GET", {}),
        401: (path, "GET", {"Authorization": "Bearer nobody's"}),
        404: ("/functions/v1/dashboard-sales", "GET", {}),
        405: (path, "POST", {}),
        415: ("/graphql", "POST", {}),
    }.items():
        answer = await ask(elsewhere, office, *asked[:2], headers=asked[2])
        assert answer["status"] == status
        assert '"error' in answer["text"]
        assert answer["headers"]["x-request-id"]
