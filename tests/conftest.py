"""What every test stands on: one PostgreSQL a run, one migrated template, a database of its own for each test.

TEST_POSTGRES_BIN_DIR names the binaries of the embedded server, where another version is wanted than the package's.
TEST_DATABASE_URL names a PostgreSQL to use instead of it: the address of a role that may make databases.
"""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import hypothesis
import pytest

from database.embedded import embedded
from database.migrate import migrate
from gateway import answers, versions
from tests.given import Given
from tests.running import Running, running, settings_for
from tests.waiting import PATIENCE

_SERVER, _TEMPLATE = "GATEWAY_TEST_SERVER", "GATEWAY_TEST_TEMPLATE"


@dataclass(frozen=True)
class Database:
    """A database of one test's own."""

    dsn: str


@dataclass(frozen=True)
class Postgres:
    """The server of this run."""

    address: str

    def dsn(self, database: str = "postgres") -> str:
        """The address of one of its databases."""
        return urlunsplit(urlsplit(self.address)._replace(path=f"/{database}"))


def pytest_configure(config: pytest.Config) -> None:
    """The process that starts the run starts the server; xdist's workers inherit its address."""
    # A shell starts what runs in its background with SIGINT ignored, and so would be every process that a test starts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    hypothesis.settings.register_profile(
        "any machine",
        parent=hypothesis.settings(),
        deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    hypothesis.settings.load_profile("any machine")
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    stack = ExitStack()
    config.add_cleanup(stack.close)
    address = os.environ.get("TEST_DATABASE_URL")
    if address is None:
        # As root PostgreSQL runs as another user, who must be able to walk to its folder.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-tests-")))
        folder.chmod(0o711)
        named = os.environ.get("TEST_POSTGRES_BIN_DIR")
        server = stack.enter_context(
            embedded(
                folder / "data",
                bin_dir=Path(named) if named else None,
                durable=False,
                settings={"max_connections": "300"},
            )
        )
        address = server.dsn()
    template = f"gateway_template_{uuid4().hex[:12]}"
    _run(address, f"create database {template}")
    stack.callback(_run, address, f"drop database {template} with (force)")
    migrate(Postgres(address).dsn(template))
    os.environ |= {_SERVER: address, _TEMPLATE: template}


def _run(address: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(address)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(run())


@pytest.fixture(scope="session")
def server() -> Postgres:
    """The server of this run."""
    return Postgres(os.environ[_SERVER])


async def _fresh(server: Postgres, template: str) -> AsyncIterator[Database]:
    name = f"gateway_test_{uuid4().hex[:12]}"
    admin = await asyncpg.connect(server.address)
    await admin.execute(f"create database {name} template {template}")
    try:
        yield Database(server.dsn(name))
    finally:
        await admin.execute(f"drop database {name} with (force)")
        await admin.close()


@pytest.fixture
async def database(server: Postgres) -> AsyncIterator[Database]:
    """A migrated database, empty."""
    async for fresh in _fresh(server, os.environ[_TEMPLATE]):
        yield fresh


@pytest.fixture
async def empty_database(server: Postgres) -> AsyncIterator[Database]:
    """A database without anything in it."""
    async for fresh in _fresh(server, "template0"):
        yield fresh


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own to its database."""
    connection = await asyncpg.connect(database.dsn)
    yield connection
    await connection.close()


@pytest.fixture
def given(connection: asyncpg.Connection) -> Given:
    """Builders that write to the test's database."""
    return Given(connection)


@pytest.fixture
async def gateway(database: Database) -> AsyncIterator[Running]:
    """A gateway on the test's database. Its today is 2026-02-16."""
    async with running(settings_for(database.dsn)) as started:
        yield started


@pytest.fixture
def versions_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The version of the data is waited for, however late it is: what is asked twice is always given again."""
    monkeypatch.setattr(answers, "SOON_SECONDS", PATIENCE)
    monkeypatch.setattr(versions, "PATIENCE_SECONDS", PATIENCE)
