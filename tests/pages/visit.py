"""A visit to a page in a real browser, in which nothing may go wrong unseen."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Request, Response, expect

from tests.waiting import PATIENCE

_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} forbids ${event.blockedURI}`));
"""
REFRESH_MS = 15_000
"""After how long the dashboard looks for changes."""
DESKTOP = {"width": 1360, "height": 900}
TABLET = {"width": 768, "height": 1024}
PHONE = {"width": 390, "height": 844}
WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
TOKEN = "sessionStorage.setItem('token', {})"
"""The script that signs in with a token, as pasting it does."""


@dataclass
class Visit:
    """One tab, with all that it asked for and complained of."""

    page: Page
    address: str
    hosts: set[str]
    """Those that the page may ask: the gateway, and the issuer that it is set up with."""
    expected: list[str] = field(default_factory=list)
    """Patterns of the complaints that belong to the test."""
    asked: list[Request] = field(default_factory=list)
    answered: list[Response] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str = "/") -> None:
        """Goes to a path of the gateway."""
        await self.page.goto(f"{self.address}{path}")

    async def shown(self, path: str = "/") -> None:
        """Goes there and waits for the numbers of the view."""
        await self.open(path)
        await self.settled()

    async def settled(self) -> None:
        """Waits until the numbers are those of the view that is asked for."""
        await expect(self.page.locator("main[aria-busy=false]")).to_be_visible()

    def panel(self, title: str) -> Locator:
        """The panel with this heading."""
        return self.page.get_by_role("region", name=title, exact=True)

    def key_figure(self, name: str) -> Locator:
        """The value of a key figure."""
        term = self.page.locator("dt", has_text=re.compile(f"^{re.escape(name)}$"))
        return self.panel("Key figures").locator("dl > div").filter(has=term).locator("dd").first

    def questions(self) -> list[dict[str, Any]]:
        """The variables of each time that the numbers were asked for."""
        return [orjson.loads(parse_qs(urlsplit(request.url).query)["variables"][0]) for request in self._questions()]

    def statuses(self) -> list[int]:
        """The status of each answer with numbers."""
        return [response.status for response in self.answered if "/graphql" in response.url]

    def _questions(self) -> list[Request]:
        return [request for request in self.asked if "/graphql" in request.url]

    async def is_overflowing(self) -> bool:
        """Whether the page is wider than its window."""
        return await self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")

    async def barriers(self) -> list[str]:
        """What axe finds that shuts people out, of WCAG's levels A and AA."""
        found = await Axe().run(self.page, options=WCAG)
        return [
            f"{each['id']} ({each['impact']}): {node['html'][:160]} · {node['failureSummary']}"
            for each in found.response["violations"]
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]

    def faults(self) -> list[str]:
        """Who else was asked, and what was complained of beside what the test expects."""
        complaints = [each for each in self.complaints if not any(re.search(one, each) for one in self.expected)]
        return [f"asked elsewhere: {each.url}" for each in self.asked if not self._is_ours(each.url)] + complaints

    def check(self) -> None:
        """Nothing went wrong."""
        if faults := self.faults():
            pytest.fail("\n".join(faults))

    def _is_ours(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme in ("data", "blob") or parts.netloc in self.hosts

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"console: {message.text} ({message.location.get('url', '')})")


@asynccontextmanager
async def visiting(
    browser: Browser, address: str, *, token: str | None = None, issuer: str | None = None, **context: Any
) -> AsyncIterator[Visit]:
    """A tab of its own, without a past; what went wrong in it is said when the block ends.

    `token` is pasted before the page looks for one; `issuer` is the one other host that may be asked.
    """
    hosts = {urlsplit(each).netloc for each in (address, issuer) if each}
    opened = await browser.new_context(**{"viewport": DESKTOP, "locale": "en-US", "timezone_id": "UTC"} | context)
    try:
        opened.set_default_timeout(PATIENCE * 1_000)
        await opened.add_init_script(_VIOLATIONS)
        if token:
            await opened.add_init_script(TOKEN.format(orjson.dumps(token).decode()))
        page = await opened.new_page()
        visit = Visit(page, address, hosts)
        # Of the whole window, other tabs and workers included.
        opened.on("request", lambda request: visit.asked.append(request))  # noqa: PLW0108  it marks what it is given
        opened.on("response", lambda response: visit.answered.append(response))  # noqa: PLW0108
        opened.on("console", visit._heard)
        opened.on("weberror", lambda error: visit.complaints.append(f"page: {error.error}"))
        yield visit
        visit.check()
    finally:
        await opened.close()


async def rows(table: Locator) -> list[list[str]]:
    """The cells' texts of a table's body, row by row."""
    found: list[list[str]] = await table.evaluate(
        "table => [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return [[tidy(cell) for cell in row] for row in found]


async def figures(place: Locator) -> dict[str, list[str]]:
    """Terms and what is said of each."""
    found: list[tuple[str, list[str]]] = await place.evaluate(
        "place => [...place.querySelectorAll('dl > div')].map(each =>"
        " [each.querySelector('dt').textContent, [...each.querySelectorAll('dd')].map(dd => dd.textContent)])"
    )
    return {name: [tidy(value) for value in values if value] for name, values in found}


async def entries(items: Locator) -> list[str]:
    """What a list's entries say."""
    return [tidy(text) for text in await items.all_inner_texts()]


def tidy(text: str) -> str:
    """Words as they are read: with single, ordinary spaces."""
    return " ".join(text.split())
