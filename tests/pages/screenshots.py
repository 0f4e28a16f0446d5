"""Pictures of the pages as people see them: `make screenshots`, or `python -m tests.pages.screenshots FOLDER`.

Of the demo's full agency, all analysed, and of an empty one: light, dark, and as wide as a phone; and of GraphiQL.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from playwright.async_api import Browser, expect

from database.demo import DEMO_OWNER_ID, fill
from database.embedded import embedded
from database.migrate import migrate
from tests.given import Given, token
from tests.pages.chromium import HOW, chromium, find_chromium
from tests.pages.visit import DESKTOP, PHONE, Visit, visiting
from tests.running import running, settings_for

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": PHONE, "device_scale_factor": 2, "has_touch": True},
    "phone-dark": {"viewport": PHONE, "device_scale_factor": 2, "has_touch": True, "color_scheme": "dark"},
}


async def main(folder: Path) -> None:
    """Writes them; takes some minutes, most of them for the analysis of the demo's calls."""
    if (executable := find_chromium()) is None:
        sys.exit(HOW)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gateway-screenshots-") as data:
        Path(data).chmod(0o711)  # as root PostgreSQL runs as another user
        with embedded(Path(data) / "data", durable=False) as server:
            dsn = server.dsn("gateway")
            newcomer = await _prepare(server.dsn(), dsn)
            async with chromium(executable) as browser:
                for name, user in {"dashboard": DEMO_OWNER_ID, "empty": newcomer}.items():
                    await _of_the_dashboard(browser, dsn, user, folder / name)
                await _of_the_explorer(browser, dsn, folder / "graphiql")
    for path in sorted(folder.glob("*.png")):
        print(path)  # noqa: T201


async def _prepare(admin: str, dsn: str) -> UUID:
    """The demo's data as after an hour with its worker; gives the user of an agency that has nothing."""
    connection = await asyncpg.connect(admin)
    await connection.execute("create database gateway")
    await connection.close()
    await asyncio.to_thread(migrate, dsn)
    connection = await asyncpg.connect(dsn)
    await fill(connection, now=datetime.now(UTC))
    environment = os.environ | {"DATABASE_URL": dsn, "DATABASE_POOLER": "none", "LOG_LEVEL": "warning"}
    drain = (sys.executable, "-m", "gateway", "worker", "--drain")
    await asyncio.to_thread(subprocess.run, drain, env=environment, check=True)
    given = Given(connection)
    newcomer = await given.user(await given.agency("Newcomer"))
    await connection.close()
    return newcomer


@asynccontextmanager
async def _visiting(browser: Browser, dsn: str, user: UUID, **look: Any) -> AsyncIterator[Visit]:
    settings = settings_for(dsn, page_token=token(user), graphiql=True, log_level="error", request_timeout_seconds=60)
    async with running(settings, lambda: datetime.now(UTC)) as gateway:
        async with visiting(browser, str(gateway.http.base_url).rstrip("/"), **look) as visit:
            yield visit


async def _of_the_dashboard(browser: Browser, dsn: str, user: UUID, path: Path) -> None:
    for name, look in LOOKS.items():
        async with _visiting(browser, dsn, user, **look) as visit:
            await visit.shown()
            # Charts are drawn a moment after their numbers are there.
            for figure in await visit.page.locator("figure.chart").all():
                await expect(figure.locator("canvas")).to_be_visible()
            await visit.page.screenshot(path=path.with_name(f"{path.name}-{name}.png"), full_page=True)


async def _of_the_explorer(browser: Browser, dsn: str, path: Path) -> None:
    for name in ("light", "dark"):
        async with _visiting(browser, dsn, DEMO_OWNER_ID, viewport=DESKTOP, color_scheme=name) as visit:
            visit.expected.append("")  # its own tests judge it
            await visit.open("/graphql")
            await expect(visit.page.locator(".monaco-editor .view-lines").first).to_be_visible()
            await visit.page.get_by_role("button", name="Execute query").click()
            await expect(visit.page.locator(".result-window")).to_contain_text('"totalCalls"')
            await visit.page.screenshot(path=path.with_name(f"{path.name}-{name}.png"))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit("usage: python -m tests.pages.screenshots [FOLDER]")
    asyncio.run(main(Path(sys.argv[1] if sys.argv[1:] else "screenshots")))
