"""What the tests of the pages stand on: the pages, a browser for the run, and tabs in it on a test's own gateway.

Where there is no Chromium they are skipped, but never in CI (the variable CI): there it is missing.
"""

import fcntl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import Browser, expect

from tests.conftest import Postgres
from tests.doors import House, furnished
from tests.given import Given, token
from tests.missing import cannot
from tests.pages.chromium import HOW, chromium, find_chromium
from tests.pages.known import Known, known
from tests.pages.visit import Visit, visiting
from tests.running import Running
from tests.waiting import PATIENCE

BUILD = Path(__file__).parents[2] / "web" / "build.py"
Visiting = Callable[..., Awaitable[Visit]]


@pytest.fixture(scope="session")
def pages() -> None:
    """The pages, built from the sources as they are."""
    # xdist's workers build them one after the other, the second finding nothing to do.
    with BUILD.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = subprocess.run([sys.executable, BUILD], capture_output=True, text=True)
    if built.returncode:
        pytest.fail(f"The pages could not be built: {built.stderr or built.stdout}")


@pytest.fixture(scope="session")
def executable() -> str:
    """Chromium."""
    found = find_chromium()
    if found is None:
        cannot(HOW)
    return found


@pytest.fixture(scope="session")
async def browser(executable: str, pages: None) -> AsyncIterator[Browser]:  # noqa: ARG001  nothing to look at without them
    """It runs, for the whole run of the tests."""
    expect.set_options(timeout=PATIENCE * 1_000)
    async with chromium(executable) as started:
        yield started


@pytest.fixture
async def visit(browser: Browser) -> AsyncIterator[Visiting]:
    """Opens tabs as `visiting` does, all closed and checked when the test ends.

    Named behind the gateway that it visits, so that this serves what a tab still asks for until it is closed.
    """
    async with AsyncExitStack() as stack:

        async def open_tab(address: str, **given: Any) -> Visit:
            return await stack.enter_async_context(visiting(browser, address, **given))

        yield open_tab


@pytest.fixture
def visit_agency(gateway: Running, given: Given, visit: Visiting) -> Visiting:
    """Opens tabs on the test's own gateway, each with an agency whose owner has signed in."""

    async def open_tab(agency: UUID, **look: Any) -> Visit:
        return await visit(address_of(gateway), token=token(await given.user(agency)), **look)

    return open_tab


@dataclass(frozen=True)
class Office:
    """A gateway that serves the known agency to a module's tests, which leave its facts as they are."""

    house: House
    known: Known

    @property
    def address(self) -> str:
        """Where it is."""
        return address_of(self.house.gateway)

    @property
    def token(self) -> str:
        """The owner's."""
        return token(self.known.owner)


@pytest.fixture(scope="module")
async def office(server: Postgres) -> AsyncIterator[Office]:
    """The known agency, behind a gateway of the module's own."""
    async with furnished(server, request_timeout_seconds=60) as house:
        yield Office(house, await known(house.given))


@pytest.fixture
async def dashboard(visit: Visiting, office: Office) -> Visit:
    """The known agency's dashboard, with all its numbers."""
    opened = await visit(office.address, token=office.token)
    await opened.shown()
    return opened


def address_of(gateway: Running) -> str:
    """Where a gateway is."""
    return str(gateway.http.base_url).rstrip("/")
