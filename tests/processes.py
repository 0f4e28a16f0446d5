"""Commands as processes of their own: waited for while they live, and ended with all that they started."""

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.waiting import wait_until


@contextmanager
def started(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A command that stays, in its log's folder; killed at the end, with all its children."""
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=log.parent, env=environment, stdout=output, stderr=output)
    try:
        yield process
    finally:
        with suppress(psutil.NoSuchProcess):
            for each in (*psutil.Process(process.pid).children(recursive=True), process):
                each.kill()
        process.wait()


def wait_for(condition: Callable[[], object], process: subprocess.Popen[bytes], log: Path) -> None:
    """Waits until a function says yes. A process that has ended fails the test, with its log."""

    def holds() -> object:
        if condition():
            return True
        assert process.poll() is None, log.read_text()
        return False

    try:
        wait_until(holds)
    except TimeoutError as error:
        raise TimeoutError(log.read_text()) from error


def said(log: Path) -> str:
    """All that a log says, on one line."""
    return " ".join(log.read_text().split())
