"""Disks of a test's own, as small as it likes."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import wait_until


def mount(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/bin/mount", *map(str, arguments)], capture_output=True, text=True)


@contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A small disk of its own, where this machine lets one have it."""
    place = folder / "disk"
    place.mkdir()
    if (
        not Path("/bin/mount").exists()
        or mount("-t", "tmpfs", "-o", f"size={megabytes}m,mode=0711", "none", place).returncode
    ):
        pytest.skip("only who may mount a disk can try a full one")
    try:
        yield place
    finally:
        wait_until(lambda: subprocess.run(["/bin/umount", place], capture_output=True).returncode == 0)
