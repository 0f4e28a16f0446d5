"""What a test needs and the machine has not."""

import os
from typing import NoReturn

import pytest


def cannot(reason: str) -> NoReturn:
    """Skips, or fails in CI (the variable CI), where nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
