"""How many calls a worker analyses a second, for shorter and longer queues and more workers, beside two floors.

The floors, in the same run: the embedded analyser alone, in one process and without a queue (no worker process can be
faster); and one worker whose analyser does nothing (what the queue and the writing cost by themselves).
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from random import Random
from time import perf_counter
from uuid import UUID

import asyncpg
import orjson
from rich.console import Console
from rich.table import Table

from database.demo import imagine
from database.embedded import Server, embedded
from database.migrate import migrate
from enrichment.analysers.embedded import EmbeddedAnalyser
from enrichment.analysis import CallAnalysis, Conversation
from enrichment.connections import Connections
from enrichment.transcripts import Transcript, read_transcript
from enrichment.ultravox import Ultravox
from enrichment.worker import Options, Worker
from tests.enrichment.accuracy import read_cases

BACKLOGS = (1_000, 10_000, 100_000)
WORKERS = (1, 2, 4)
WINDOW_SECONDS = 12.0
"""Of the longer queues only so much is watched, once the workers are at work."""
AGENCIES = 5
_DONE = "select count(*) from calls where analysis_status = 'completed'"


def main() -> None:
    """Prints the table; takes some minutes."""
    console = Console()
    transcripts = [
        orjson.dumps(call.transcript).decode()
        for call in imagine(datetime.now(UTC), Random(20260101), lambda *_: None).calls
        if call.story
    ]
    strange = asyncio.run(
        _alone([case.conversation.transcript for split in ("dev", "held") for case in read_cases(split)])
    )
    alone = asyncio.run(_alone([read_transcript(text).transcript for text in transcripts[:4_000]]))
    console.print(
        f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, embedded PostgreSQL, durable; calls of the demo, "
        f"{sum(map(len, transcripts)) // len(transcripts):,} characters of transcript on average"
    )
    table = Table("", "jobs waiting", "workers", "calls/s", "of the analyser alone", title="Throughput of the worker")
    # It remembers sentences, and the demo's callers share many: live calls lie between these two.
    table.add_row(
        "the analyser alone, calls that share few sentences", "", "", f"{strange:,.0f}", f"{strange / alone:.2f}"
    )
    table.add_row("the analyser alone, the demo's calls", "", "", f"{alone:,.0f}", "1.00")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o711)
        with embedded(Path(folder) / "data") as server:
            for backlog in BACKLOGS:
                rate = asyncio.run(_nothing_to_think(_filled(server, transcripts, backlog)))
                table.add_row(
                    "the queue alone, nothing analysed", f"{backlog:,}", "1", f"{rate:,.0f}", f"{rate / alone:.2f}"
                )
            for backlog in BACKLOGS:
                for workers in WORKERS:
                    rate = _workers(_filled(server, transcripts, backlog), backlog, workers)
                    table.add_row("workers", f"{backlog:,}", str(workers), f"{rate:,.0f}", f"{rate / alone:.2f}")
                    console.print(f"{backlog:,} jobs, {workers} workers: {rate:,.0f} calls/s")
    console.print(table)


async def _alone(transcripts: Sequence[Transcript]) -> float:
    analyser = EmbeddedAnalyser()
    started = perf_counter()
    for transcript in transcripts:
        await analyser.analyse(Conversation(transcript))
    return len(transcripts) / (perf_counter() - started)


class _Thoughtless:
    """An analyser that gives every call the same analysis."""

    def __init__(self, analysis: CallAnalysis) -> None:
        self._analysis = analysis

    async def analyse(self, conversation: Conversation) -> CallAnalysis:
        return self._analysis

    async def close(self) -> None:
        """Holds nothing."""


async def _nothing_to_think(dsn: str) -> float:
    """One worker in this process, the whole queue or a window of it."""
    words = read_transcript('[{"role": "user", "text": "Hi, I have no time."}]').transcript
    analysis = await EmbeddedAnalyser().analyse(Conversation(words))
    connections = Connections(dsn)
    await connections.open()
    stop = asyncio.Event()
    worker = Worker(connections, "bench", _Thoughtless(analysis), Ultravox(), Options())
    started = perf_counter()
    asyncio.get_running_loop().call_later(WINDOW_SECONDS, stop.set)
    await worker.run(stop, drain=True)
    rate = worker.done["analysed"] / (perf_counter() - started)
    await connections.close()
    return rate


def _filled(server: Server, transcripts: Sequence[str], backlog: int) -> str:
    """A new database with so many calls that wait, of a few agencies."""
    return asyncio.run(_fill(server, transcripts, backlog))


async def _fill(server: Server, transcripts: Sequence[str], backlog: int) -> str:
    admin = await asyncpg.connect(server.dsn())
    await admin.execute("drop database if exists bench with (force)")
    await admin.execute("create database bench")
    await admin.close()
    dsn = server.dsn("bench")
    await asyncio.to_thread(migrate, dsn)
    connection = await asyncpg.connect(dsn)
    agencies: list[UUID] = [
        row["id"]
        for row in await connection.fetch(
            "insert into agencies (name, slug) select 'a' || n, 'a' || n from generate_series(1, $1) as n returning id",
            AGENCIES,
        )
    ]
    now = datetime.now(UTC)
    rows = (
        (agencies[number % AGENCIES], "completed", now, now, 60, text)
        for number, text in enumerate(islice(cycle(transcripts), backlog))
    )
    columns = ("agency_id", "status", "started_at", "joined_at", "duration_seconds", "transcript")
    await connection.copy_records_to_table("calls", records=rows, columns=columns)
    await connection.execute("vacuum analyze")
    await connection.close()
    return dsn


def _workers(dsn: str, backlog: int, number: int) -> float:
    """So many processes, from when the first of them is at work to the end of the queue or of the window."""
    with _processes(dsn, number):
        return asyncio.run(_watch(dsn, backlog))


@contextmanager
def _processes(dsn: str, number: int) -> Iterator[None]:
    line = [sys.executable, "-m", "gateway", "worker"]
    environment = os.environ | {"DATABASE_URL": dsn, "LOG_LEVEL": "error", "ANALYSER": "embedded"}
    processes = [subprocess.Popen(line, env=environment) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


async def _watch(dsn: str, backlog: int) -> float:
    connection = await asyncpg.connect(dsn)
    try:
        while not (before := await connection.fetchval(_DONE)):
            await asyncio.sleep(0.02)
        started = perf_counter()
        done = before
        while done < backlog and perf_counter() - started < WINDOW_SECONDS:
            await asyncio.sleep(0.05)
            done = await connection.fetchval(_DONE)
        return float(done - before) / (perf_counter() - started)
    finally:
        await connection.close()
