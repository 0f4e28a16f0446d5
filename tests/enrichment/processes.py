"""Workers as what they are in production: processes of their own, which may be killed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.waiting import PATIENCE


def command(dsn: str, *arguments: str, **settings: str) -> tuple[list[str], dict[str, str]]:
    """The gateway's command line on a database, and its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANALYSER", "DATABASE"))}
    return [sys.executable, "-m", "gateway", *arguments], environment | {"DATABASE_URL": dsn, **settings}


def run(dsn: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    line, environment = command(dsn, *arguments, **settings)
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=PATIENCE)


class Workers:
    """Some workers on one database, all of which end with the test."""

    def __init__(self, dsn: str, **settings: str) -> None:
        self._line, self._environment = command(dsn, "worker", **settings)
        self.alive: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        """One more."""
        self.alive.append(subprocess.Popen(self._line, env=self._environment))
        return self.alive[-1]

    def kill(self) -> None:
        """Kills them all at once, with nothing put in order."""
        for worker in self.alive:
            worker.kill()
        for worker in self.alive:
            worker.wait(PATIENCE)
        self.alive.clear()

    def stop(self) -> list[int]:
        """Asks all of them to stop; gives their exit codes."""
        for worker in self.alive:
            worker.terminate()
        codes = [worker.wait(PATIENCE) for worker in self.alive]
        self.alive.clear()
        return codes


@contextmanager
def workers(dsn: str, **settings: str) -> Iterator[Workers]:
    """Workers that are not started yet."""
    some = Workers(dsn, LOG_LEVEL="error", **settings)
    try:
        yield some
    finally:
        some.kill()
