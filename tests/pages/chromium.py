"""The browser of the tests, the screenshots and the benchmark: the machine's own Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
HOW = f"no browser was found ({', '.join(NAMES)}); Debian, Ubuntu: apt-get install chromium"


def find_chromium() -> str | None:
    """The browser's executable; None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@asynccontextmanager
async def chromium(executable: str) -> AsyncIterator[Browser]:
    """The browser, without a window, until the block ends."""
    # Root may not have its sandbox; the pages that are opened are our own.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()
