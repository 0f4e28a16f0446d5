"""The demo where its disk is too small, fills up, or cannot be written to, and where its PostgreSQL is gone."""

import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import psutil
import pytest

from gateway.demo_data import NEEDED_MB
from tests.gateway.disks import disk, mount
from tests.processes import said, started, wait_for
from tests.waiting import PATIENCE


def demo(data_dir: Path, log: Path) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """A demo on this folder."""
    command = f"from gateway.cli import app; app(['demo', '--port', '0', '--data-dir', {str(data_dir)!r}])"
    return started([sys.executable, "-c", command], log)


def postgres(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return [each for each in psutil.Process(process.pid).children(recursive=True) if each.name() == "postgres"]


def filling_in(process: subprocess.Popen[bytes], log: Path) -> psutil.Process:
    """Waits until rows arrive; gives the server's process that takes them."""

    taking: list[psutil.Process] = []

    def takes() -> bool:
        with suppress(psutil.NoSuchProcess):
            taking.extend(each for each in postgres(process) if "COPY" in " ".join(each.cmdline()))
        return bool(taking)

    wait_for(lambda: "Filling in" in log.read_text() and takes(), process, log)
    return taking[0]


def test_a_disk_that_is_too_small_is_said_before_anything_is_made(folder: Path) -> None:
    with disk(folder, 60) as small, demo(small / "data", folder / "log") as process:
        assert process.wait(PATIENCE) == 2
        assert f"The demo needs {NEEDED_MB} MB where its data are to lie, and" in said(folder / "log")
        assert "DATA_DIR=" in said(folder / "log")
        assert list((small / "data").iterdir()) == []


@pytest.mark.parametrize("left", [0, 3, 12])
def test_a_disk_that_fills_while_the_data_are_filled_in_is_said_and_ends_the_demo(folder: Path, left: int) -> None:
    log = folder / "log"
    with disk(folder, NEEDED_MB + 20) as small, demo(small / "data", log) as process:
        filling_in(process, log)
        stat = os.statvfs(small)
        with suppress(OSError), (small / "somebody-elses").open("wb") as file:
            for _ in range(stat.f_bavail * stat.f_frsize // 2**20 - left):
                file.write(bytes(2**20))
        assert process.wait(PATIENCE) == 2, log.read_text()
        assert f"The disk that holds {small / 'data' / 'postgres'} is full" in said(log)
        assert "make demo RESET=1" in said(log)
        assert "doctor" not in said(log)
        assert "Traceback" not in said(log)


def test_a_postgresql_that_is_killed_while_it_takes_the_data_is_said_and_ends_the_demo(folder: Path) -> None:
    """What was written to it and it did not read yet keeps its client waiting."""
    log = folder / "log"
    with demo(folder / "data", log) as process:
        taking = filling_in(process, log)
        taking.suspend()
        # It has gone on writing until nothing more was taken.
        wait_for(lambda: all(psutil.Process(process.pid).cpu_percent(0.2) == 0 for _ in range(3)), process, log)
        for each in postgres(process):
            with suppress(psutil.NoSuchProcess):
                each.send_signal(signal.SIGKILL)
        assert process.wait(PATIENCE) == 2, log.read_text()
        assert "The demo's PostgreSQL has ended, or does not answer" in said(log)
        assert "Traceback" not in said(log), log.read_text()


def test_a_place_that_cannot_be_written_to_is_named(folder: Path) -> None:
    with disk(folder, NEEDED_MB + 20) as small:
        assert mount("-o", "remount,ro", small).returncode == 0
        with demo(small / "data", folder / "log") as process:
            assert process.wait(PATIENCE) == 2
        assert "Read-only file system" in said(folder / "log")
        assert "doctor" not in said(folder / "log")
