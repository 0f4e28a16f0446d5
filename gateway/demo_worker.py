"""The demo's worker: a process of its own that ends with the demo, and a bar that shows how far it has got."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.children import python

LOG = "worker.log"
_STOP_SECONDS = 5.0
_OPEN = "select count(*) from enrichment_queue where status <> 'failed'"


@contextmanager
def working(dsn: str, data_dir: Path) -> Iterator[None]:
    """A worker on this database, which ends with the block, or with this process however that ends."""
    environment = os.environ | {"DATABASE_URL": dsn, "DATABASE_POOLER": "none"}
    with (data_dir / LOG).open("ab") as log:
        worker = subprocess.Popen(
            python("gateway", "worker", "--until-input-ends"),
            # It reads the other end of a pipe of ours, which the system closes when we are gone, even if killed.
            stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True,
        )  # fmt: skip
    try:
        yield
    finally:
        if worker.stdin:
            worker.stdin.close()
        try:
            worker.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


async def show_progress(dsn: str, console: Console) -> None:
    """Shows how many calls are still to be analysed, until none is."""
    connection = await asyncpg.connect(dsn)
    try:
        total = left = await connection.fetchval(_OPEN)
        if not total:
            return
        console.print(f"\nAnalysing {total:,} calls in the background; the newest come first.")
        columns = (TextColumn("  analysed"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("analysed", total=total)
            while left:
                await asyncio.sleep(0.5)
                left = await connection.fetchval(_OPEN)
                total = max(total, left)
                bar.update(task, completed=total - left, total=total)
        console.print("All calls are analysed.")
    finally:
        await connection.close(timeout=5)
