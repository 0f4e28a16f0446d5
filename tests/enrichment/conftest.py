"""What the tests of the writing side stand on."""

from collections.abc import AsyncIterator

import pytest

from enrichment.connections import Connections
from tests.conftest import Database


@pytest.fixture
async def connections(database: Database) -> AsyncIterator[Connections]:
    """The writing side's connections to the test's database."""
    connections = Connections(database.dsn, size=8)
    await connections.open()
    yield connections
    await connections.close()
