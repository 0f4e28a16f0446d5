"""What the gateway's own tests stand on."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the user PostgreSQL runs as may enter; pytest's own is closed to others."""
    with tempfile.TemporaryDirectory(prefix="gateway-") as name:
        Path(name).chmod(0o711)
        yield Path(name)
