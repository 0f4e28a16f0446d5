"""Apollo Client and urql with persisted queries, in a browser, from a page of another origin that names its client.

Where there is no Chromium or no Node the tests are skipped, but never in CI (the variable CI): there it is missing.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Browser, Page, Request

from tests import listening, npm
from tests.conftest import Postgres
from tests.doors import House, furnished
from tests.given import NOW, token
from tests.missing import cannot
from tests.pages.chromium import HOW, chromium, find_chromium
from tests.waiting import PATIENCE

FOLDER = Path(__file__).parent
BUNDLING = ("--bundle", "--format=iife", "--log-level=warning")
PERIODS = ["TODAY", "LAST_7_DAYS", "TODAY"]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The clients as a page loads them, brought from npm and put together."""
    built = tmp_path_factory.mktemp("clients") / "clients.js"
    packages = npm.installed(FOLDER)
    done = packages.run("esbuild/bin/esbuild", FOLDER / "clients.js", *BUNDLING, f"--outfile={built}")
    assert done.returncode == 0, done.stdout
    return built.read_bytes()


@pytest.fixture
async def house(server: Postgres) -> AsyncIterator[House]:
    """Three calls today and two yesterday."""
    async with furnished(server, introspection=False) as house:
        await house.given.calls(house.agency, 3)
        await house.given.calls(house.agency, 2, started_at=NOW.replace(day=NOW.day - 1))
        yield house


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """It runs for all of these tests."""
    executable = find_chromium()
    if executable is None:
        cannot(HOW)
    async with chromium(executable) as started:
        yield started


@pytest.fixture
async def page(bundle: bytes, browser: Browser) -> AsyncIterator[Page]:
    """A page of an application, on a port of its own."""
    content = b"<!doctype html><title>An application</title><script>" + bundle + b"</script>"

    async with listening.listening(listening.page(content)) as address:
        opened = await browser.new_page()
        opened.set_default_timeout(PATIENCE * 1_000)
        await opened.goto(address)
        yield opened
        await opened.close()


def _asked(request: Request) -> dict[str, object]:
    """What a request asks, whether in its body or in its address."""
    if request.method == "POST":
        asked: dict[str, object] = json.loads(request.post_data or "")
        return asked
    return {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}


@pytest.mark.parametrize("by_get", [False, True])
@pytest.mark.parametrize("library", ["apollo", "urql"])
async def test_a_client_sends_its_document_once_and_then_its_hash(
    page: Page, house: House, library: str, by_get: bool
) -> None:
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request) if "/graphql" in request.url else None)
    address = f"{house.gateway.http.base_url}".rstrip("/") + "/graphql"
    found = await page.evaluate(
        "([library, address, token, byGet, periods]) => window.ask(library, address, token, byGet, periods)",
        [library, address, token(house.owner), by_get, PERIODS],
    )
    assert found == [3, 5, 3]
    assert [bool(_asked(request).get("query")) for request in sent] == [False, True, False, False]
    assert all("persistedQuery" in json.dumps(_asked(request)["extensions"]) for request in sent)
    assert [request.method for request in sent if not _asked(request).get("query")] == ["GET" if by_get else "POST"] * 3
    assert {request.headers.get("apollographql-client-name") for request in sent} == {"the-dashboard"}
    # Another visitor, in a process that knows the document by now.
    sent.clear()
    await page.reload()
    again = await page.evaluate(
        "([library, address, token, byGet, periods]) => window.ask(library, address, token, byGet, periods)",
        [library, address, token(house.owner), by_get, PERIODS],
    )
    assert again == found
    assert [bool(_asked(request).get("query")) for request in sent] == [False, False, False]


@pytest.mark.parametrize("library", ["apollo", "urql"])
async def test_a_clients_error_is_the_gateways(page: Page, house: House, library: str) -> None:
    address = f"{house.gateway.http.base_url}".rstrip("/") + "/graphql"
    (found,) = await page.evaluate(
        "([library, address, token]) => window.ask(library, address, token, false, ['CUSTOM'])",
        [library, address, token(house.owner)],
    )
    assert "A custom period needs both a start date and an end date" in found


def test_the_lock_file_has_a_checksum_for_each_package_and_no_address() -> None:
    npm.assert_pinned(FOLDER)
