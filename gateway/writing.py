"""The writing side as the settings ask for it: its analyser, its connections, its worker and its schedule."""

import asyncio
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from database.lost import LOST
from enrichment.analysis import Analyser
from enrichment.connections import Connections
from enrichment.schedule import Schedule
from enrichment.ultravox import Ultravox
from enrichment.worker import Options, Worker
from gateway.settings import Settings

log = structlog.get_logger()

REPORT_SECONDS = 30.0


def analyser(settings: Settings) -> Analyser:
    """Who understands calls; imported when wanted, as no other command should wait half a second for either."""
    if settings.analyser == "embedded":
        from enrichment.analysers.embedded import EmbeddedAnalyser  # noqa: PLC0415

        return EmbeddedAnalyser()
    from enrichment.analysers.model import ModelAnalyser  # noqa: PLC0415

    return ModelAnalyser(
        url=str(settings.analyser_url),
        key=settings.analyser_api_key.get_secret_value(),
        model=settings.analyser_model,
        timeout_seconds=settings.analyser_timeout_seconds,
        input_usd_per_million=settings.analyser_input_usd,
        output_usd_per_million=settings.analyser_output_usd,
    )


@asynccontextmanager
async def connected(settings: Settings, *, patient: bool = True) -> AsyncIterator[Connections]:
    """The writing side's connections; patient ones wait for a database that is away."""
    connections = Connections(
        settings.database_url.get_secret_value(), pooled=settings.database_pooler == "transaction", patient=patient
    )
    await connections.open()
    try:
        yield connections
    finally:
        await connections.close()


async def run_worker(settings: Settings, *, drain: bool = False, until_input_ends: bool = False) -> None:
    """Works until SIGTERM or Ctrl-C; to drain, until no job is left; as somebody's child, until its input ends."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if until_input_ends:
        # Its parent has people waiting for answers.
        os.nice(10)
        threading.Thread(target=_wait_for_input_to_end, args=(loop, stop), daemon=True).start()
    concurrency = settings.worker_concurrency or (64 if settings.analyser == "embedded" else 8)
    options = Options(analyses=concurrency, lease_seconds=settings.worker_lease_seconds)
    name = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(3)}"
    source, understands = Ultravox(url=str(settings.ultravox_url)), analyser(settings)
    try:
        await _look_for_tables(settings)
        async with connected(settings) as connections:
            worker = Worker(connections, name, understands, source, options)
            helpers = [asyncio.create_task(Schedule(connections).run()), asyncio.create_task(_report(worker))]
            log.info("working", worker=name, analyser=settings.analyser)
            try:
                await worker.run(stop, drain=drain)
            finally:
                for helper in helpers:
                    helper.cancel()
                await asyncio.gather(*helpers, return_exceptions=True)
            log.info("stopped", **worker.done)
    finally:
        await understands.close()
        await source.close()


async def _look_for_tables(settings: Settings) -> None:
    """Before anything is started; a database that is away is waited for later."""
    async with connected(settings, patient=False) as connections:
        with suppress(*LOST):
            await connections.fetch("select from enrichment_queue limit 0")


def _wait_for_input_to_end(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    sys.stdin.buffer.read()
    with suppress(RuntimeError):  # the loop has just closed
        loop.call_soon_threadsafe(stop.set)


async def _report(worker: Worker) -> None:
    told = dict(worker.done)
    while True:
        await asyncio.sleep(REPORT_SECONDS)
        if worker.done != told:
            told = dict(worker.done)
            log.info("so far", **told)
