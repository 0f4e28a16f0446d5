"""One database and one gateway for a whole module, for tests that keep apart by agency and not by database."""

import os
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.conftest import _TEMPLATE, Database, Postgres, _fresh
from tests.running import Running, running, settings_for


@pytest.fixture(scope="module")
async def shared_database(server: Postgres) -> AsyncIterator[Database]:
    """A migrated database that the module's tests share."""
    async for fresh in _fresh(server, os.environ[_TEMPLATE]):
        yield fresh


@pytest.fixture(scope="module")
async def shared_connection(shared_database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A connection to it, from a place where UTC's days are nobody's days."""
    connection = await asyncpg.connect(shared_database.dsn, server_settings={"timezone": "Pacific/Kiritimati"})
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def shared_gateway(shared_database: Database) -> AsyncIterator[Running]:
    """A gateway on it, patient with a machine that has other things to do. Its today is 2026-02-16."""
    async with running(settings_for(shared_database.dsn, request_timeout_seconds=60)) as started:
        yield started
