"""The dashboard in a real browser: when something is to be seen, when the key figures are, and its bytes."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

from playwright.async_api import Browser, Page
from rich.console import Console

from bench.contenders import gateway
from bench.data import STANDARD, fill, new_database, postgres
from bench.serving import Started, started
from bench.tables import Table, figure
from gateway.pages import FOLDER
from tests.pages.chromium import HOW, chromium, find_chromium

LOADS = 9
KINDS = ("HTML", "JavaScript", "CSS", "JSON", "pictures")
WORD, COLD, WARM, COMPUTED = "one word (/livez)", "dashboard, cold", "dashboard, again", "dashboard, cold, computed"
# In the frame after the one in which they are put into the page, they have been painted.
_WATCH = """
new MutationObserver((_, watched) => {
    if (!document.querySelector("[aria-label='Key figures'] dd")) return;
    watched.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => performance.mark("figures")));
}).observe(document, { childList: true, subtree: true });
"""
_TIMINGS = """() => ({
    painted: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null,
    figures: performance.getEntriesByName("figures")[0]?.startTime ?? null,
    loads: [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].map(
        ({ name, duration, encodedBodySize, decodedBodySize, transferSize }) =>
            ({ name, duration, packed: encodedBodySize, unpacked: decodedBodySize, sent: transferSize })),
})"""


@dataclass(frozen=True)
class Load:
    """One load of a page, in milliseconds since it was asked for."""

    painted: float
    figures: float
    answer: float
    """How long the numbers were awaited, of that."""
    files: Sequence[dict[str, Any]]

    @property
    def sent(self) -> int:
        """Bytes over the wire, headers included as the browser counts them."""
        return sum(file["sent"] for file in self.files)


def main() -> list[Table]:
    """Takes about a minute."""
    executable = find_chromium()
    missing = HOW if executable is None else "the pages were not built" if not FOLDER.exists() else None
    if executable is None or missing:
        Console().print(f"page: left out, {missing}")
        return []
    with ExitStack() as stack:
        server = stack.enter_context(postgres())
        dsn = asyncio.run(new_database(server, "bench"))
        agency = asyncio.run(fill(dsn, {"agency": STANDARD}))["agency"]
        reusing = stack.enter_context(started(gateway(REUSE="on", PAGE_TOKEN=agency.token), dsn, agency))
        computing = stack.enter_context(started(gateway(REUSE="off", PAGE_TOKEN=agency.token), dsn, agency))
        for each in (reusing, computing):
            each.ask("full")
        loads = asyncio.run(_loads(executable, reusing, computing))
    return [_times(loads), _bytes(loads)]


async def _loads(executable: str, reusing: Started, computing: Started) -> dict[str, list[Load]]:
    loads: dict[str, list[Load]] = {WORD: [], COLD: [], WARM: [], COMPUTED: []}
    async with chromium(executable) as browser:
        for turn in range(LOADS + 1):
            word = await _cold(browser, f"http://127.0.0.1:{reusing.port}/livez")
            cold = await _cold(browser, f"http://127.0.0.1:{reusing.port}/")
            computed = await _cold(browser, f"http://127.0.0.1:{computing.port}/")
            if turn:  # the first is the browser's own start
                found = {WORD: word[0], COLD: cold[0], WARM: cold[1], COMPUTED: computed[0]}
                for name, load in found.items():
                    loads[name].append(load)
    return loads


async def _cold(browser: Browser, url: str) -> tuple[Load, Load]:
    """Loads a page without anything remembered, and then once more."""
    context = await browser.new_context(viewport={"width": 1360, "height": 900})
    try:
        await context.add_init_script(_WATCH)
        page = await context.new_page()
        await page.goto(url)
        first = await _load(page)
        await page.goto("about:blank")
        await page.goto(url)
        return first, await _load(page)
    finally:
        await context.close()


async def _load(page: Page) -> Load:
    has_figures = not page.url.endswith("/livez")
    marks = ["first-contentful-paint", *(["figures"] if has_figures else [])]
    # The page's policy forbids what Playwright's own waiting for a function takes.
    while not await page.evaluate("names => names.every(name => performance.getEntriesByName(name).length)", marks):
        await asyncio.sleep(0.05)
    if has_figures:
        await page.locator("canvas").first.wait_for()
    await page.wait_for_load_state("networkidle")
    found = await page.evaluate(_TIMINGS)
    answer = [file["duration"] for file in found["loads"] if "/graphql" in file["name"]]
    return Load(found["painted"], found["figures"] or float("nan"), *(answer or [float("nan")])[:1], found["loads"])


def _times(loads: dict[str, list[Load]]) -> Table:
    rows = [
        (
            name,
            figure(median(load.painted for load in each)),
            figure(median(load.figures for load in each)),
            figure(median(load.answer for load in each)),
            figure(median(load.sent for load in each) / 1000),
        )
        for name, each in loads.items()
    ]
    columns = ("", "first contentful paint ms", "key figures ms", "of that the answer ms", "sent kB")
    note = (
        f"Medians of {LOADS} loads in turns, in Chromium on the same machine, over {STANDARD.calls:,} calls in "
        f"{STANDARD.days} days. The floor is a page of one word from the same server. Cold: a browser without a cache; "
        "again: the same tab a moment later. The gateway gives the answer again while the data are the same, as by "
        "default; in the last row it computes every one. The answer is what the browser waits for: the request, "
        "queueing behind other files, and the way back."
    )
    return Table("First useful paint", columns, rows, [note])


def _bytes(loads: dict[str, list[Load]]) -> Table:
    cold, warm = loads[COLD][-1], loads[WARM][-1]
    rows = []
    for kind in KINDS:
        files = [file for file in cold.files if _kind(file["name"]) == kind]
        if files:
            sizes = [sum(file[of] for file in files) for of in _SIZES]
            sizes.append(sum(file["sent"] for file in warm.files if _kind(file["name"]) == kind))
            rows.append((kind, str(len(files)), *map(_kilobytes, sizes)))
    total = [sum(file[of] for file in cold.files) for of in _SIZES]
    rows.append(("all", str(len(cold.files)), *map(_kilobytes, total), _kilobytes(warm.sent)))
    return Table("Bytes of the dashboard", ("", "files", "unpacked kB", "packed kB", "sent kB", "sent again kB"), rows)


_SIZES = ("unpacked", "packed", "sent")


def _kilobytes(number: float) -> str:
    return f"{number / 1000:,.1f}"


def _kind(url: str) -> str:
    path = url.partition("?")[0]
    endings = {".js": "JavaScript", ".css": "CSS", ".json": "JSON", "/graphql": "JSON", ".svg": "pictures"}
    return next((kind for ending, kind in endings.items() if path.endswith(ending)), "HTML")
