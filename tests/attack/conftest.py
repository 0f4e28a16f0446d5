"""A server that is set up as few are by default: for logical replication and prepared transactions."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from database.embedded import embedded
from database.migrate import migrate
from tests.conftest import Database, Postgres, _fresh

_TEMPLATE = "attack_template"
_SETTINGS = {
    "wal_level": "logical",
    "max_prepared_transactions": "10",
    "max_connections": "60",
    "max_worker_processes": "20",
    "max_logical_replication_workers": "10",
    "wal_retrieve_retry_interval": "100ms",
}


@pytest.fixture(scope="session")
def unusual_server() -> Iterator[Postgres]:
    """A server of these tests' own."""

    async def create(address: str) -> None:
        connection = await asyncpg.connect(address)
        await connection.execute(f"create database {_TEMPLATE}")
        await connection.close()

    with tempfile.TemporaryDirectory(prefix="gateway-attack-") as folder:
        Path(folder).chmod(0o711)
        named = os.environ.get("TEST_POSTGRES_BIN_DIR")
        binaries = Path(named) if named else None
        with embedded(Path(folder) / "data", bin_dir=binaries, durable=False, settings=_SETTINGS) as server:
            postgres = Postgres(server.dsn())
            asyncio.run(create(postgres.address))
            migrate(postgres.dsn(_TEMPLATE))
            yield postgres


@pytest.fixture
async def unusual_database(unusual_server: Postgres) -> AsyncIterator[Database]:
    """A migrated, empty database on it."""
    async for fresh in _fresh(unusual_server, _TEMPLATE):
        yield fresh


@pytest.fixture
async def second_database(unusual_server: Postgres) -> AsyncIterator[Database]:
    """Another one."""
    async for fresh in _fresh(unusual_server, _TEMPLATE):
        yield fresh
