"""Several server processes on one port, kept at their number and ended together."""

import asyncio
import os
import pickle
import signal
import socket
import sys
import threading
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from time import monotonic

import structlog
import uvicorn

from gateway.children import python
from gateway.errors import SettingsError
from gateway.logs import configure
from gateway.serve import bound, server_config
from gateway.settings import Settings
from gateway.signals import Signals

log = structlog.get_logger()

SHORT_LIFE_SECONDS = 10.0
"""A worker that ends sooner, or before it serves, is not replaced at once."""
LONGEST_PAUSE_SECONDS = 30.0
MOST_FAILURES = 5
"""When all workers have ended so often before they served, one time after the other, no more are started."""
CLOSING_SECONDS = 5.0
"""What a worker may take beside SHUTDOWN_SECONDS to give back what it holds."""


def serve_by_workers(settings: Settings) -> None:
    """Serves by several processes until Ctrl-C or SIGTERM (raises `Stopped`), or until none of them stays (code 1).

    Raises:
        SettingsError: the port cannot be had.
    """
    signals = Signals()
    try:
        listener = bound(settings.host, settings.port)
    except OSError as error:
        words = f"Port {settings.port} on {settings.host} cannot be had: {error}. Choose others: PORT and HOST."
        raise SettingsError(words) from None
    with listener:
        signals.run(lambda: _supervise(settings, listener))
    log.error("workers.given_up", reason=f"none could serve, {MOST_FAILURES} times; why is in the lines before")
    sys.exit(1)


async def _supervise(settings: Settings, listener: socket.socket) -> None:
    failures = [0] * settings.workers
    given_up = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        keepers = [
            group.create_task(_keep(settings, listener, failures, number, given_up))
            for number in range(settings.workers)
        ]
        try:
            await given_up.wait()
        finally:
            # Before the workers end: while ours is open, connections would be taken that nobody answers.
            listener.close()
        for keeper in keepers:
            keeper.cancel()


async def _keep(
    settings: Settings, listener: socket.socket, failures: list[int], number: int, given_up: asyncio.Event
) -> None:
    """Has one worker run, and another when it ends; counts those that never served, until one has."""
    pause = 0.0
    while True:
        began = monotonic()
        try:
            worker = await _start(settings, listener)
        except OSError as error:  # no memory, no process left: the others go on
            log.error("worker.not_started", reason=str(error))  # noqa: TRY400
            await asyncio.sleep(LONGEST_PAUSE_SECONDS)
            continue
        log.info("worker.started", pid=worker.pid)
        try:
            has_served = worker.stdout is not None and bool(await worker.stdout.readline())
            failures[number] = 0 if has_served else failures[number] + 1
            await worker.wait()
        finally:
            await _end(worker, settings.shutdown_seconds + CLOSING_SECONDS)
        short = not has_served or monotonic() - began < SHORT_LIFE_SECONDS
        pause = min(2 * pause or 1.0, LONGEST_PAUSE_SECONDS) if short else 0.0
        log.warning("worker.ended", pid=worker.pid, code=worker.returncode, next_in_seconds=pause)
        if min(failures) >= MOST_FAILURES:
            given_up.set()
        await asyncio.sleep(pause)


async def _start(settings: Settings, listener: socket.socket) -> Process:
    # In a session of its own, or Ctrl-C would reach it past us. Its input tells it the settings, and ends when we do,
    # however that is; its output tells us that it serves.
    worker = await asyncio.create_subprocess_exec(
        *python("gateway.workers", str(listener.fileno())),
        stdin=PIPE, stdout=PIPE, pass_fds=(listener.fileno(),), start_new_session=True,
    )  # fmt: skip
    if worker.stdin:
        worker.stdin.write(pickle.dumps(settings))
    return worker


async def _end(worker: Process, seconds: float) -> None:
    """Lets a worker that still runs answer what it has begun to answer."""
    if worker.returncode is not None:
        return
    with suppress(ProcessLookupError):
        worker.terminate()
        # Not asyncio.timeout: before Python 3.11.3 a task that is being cancelled gets no TimeoutError from it.
        waiting = asyncio.ensure_future(worker.wait())
        if not (await asyncio.wait({waiting}, timeout=seconds))[0]:
            log.warning("worker.killed", pid=worker.pid)
            worker.kill()
            await waiting


class _Server(uvicorn.Server):
    """Tells the first process when it serves."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write("serving\n")
        sys.stdout.flush()


def _work(listener: socket.socket) -> None:
    settings: Settings = pickle.load(sys.stdin.buffer)  # noqa: S301 - our parent wrote it
    configure(settings)
    server = _Server(server_config(settings))
    threading.Thread(target=_end_with_input, daemon=True).start()
    server.run([listener])


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    _work(socket.socket(fileno=int(sys.argv[1])))
