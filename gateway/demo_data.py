"""Fills the demo's database, and says what is the matter where its PostgreSQL ends or its disk is full."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from shutil import disk_usage

import asyncpg

from database.binaries import EmbeddedError
from database.demo import fill
from database.embedded import FULL_BYTES, Server, free_bytes

NEEDED_MB = 500
"""For the data, what is logged of their writing, and their analysis."""
SILENCE_SECONDS = 300.0
"""A step of filling in that takes longer is not waited for."""
ENDED = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""How a database tells that it cannot go on, or is gone."""

_MB = 2**20
_NO_SPACE = "No space left on device"


def look_for_room(data_dir: Path) -> None:
    """Sees to it that what is to be made has room.

    Raises:
        EmbeddedError: it has not.
    """
    free = free_bytes(data_dir)
    if free is not None and free < NEEDED_MB * _MB:
        raise EmbeddedError(
            f"The demo needs {NEEDED_MB} MB where its data are to lie, and {free // _MB} MB are free there. Make room, "
            "or name another place: make demo DATA_DIR=/another/disk/demo (`gateway demo` takes --data-dir)."
        )


async def fill_in(database: asyncpg.Connection, seed: int, progress: Callable[[str, int, int], None]) -> None:
    """Fills an empty database with the demo's data as of now.

    Raises:
        ConnectionError: the database has ended, or does nothing any more.
        Exception: another of `ENDED`.
    """
    loop = asyncio.get_running_loop()
    heard = loop.time()

    def hear(step: str, done: int, total: int) -> None:
        nonlocal heard
        heard = loop.time()
        progress(step, done, total)

    filling = asyncio.create_task(fill(database, now=datetime.now(UTC), seed=seed, progress=hear))
    try:
        while not filling.done():
            await asyncio.wait({filling}, timeout=0.5)
            # asyncpg waits for ever in the middle of a COPY whose server is gone.
            if database.is_closed() and not filling.done():
                raise ConnectionError("it has closed the connection")
            if loop.time() - heard > SILENCE_SECONDS:
                raise ConnectionError(f"nothing has been heard of it for {SILENCE_SECONDS:.0f} s")
    except BaseException:
        # What has ended it is known; asyncpg leaves errors of its own behind, of which nobody is to hear.
        loop.set_exception_handler(lambda *_: None)
        filling.cancel()
        database.terminate()
        await asyncio.wait({filling}, timeout=5)
        raise
    await filling


@contextmanager
def explaining(server: Server) -> Iterator[None]:
    """Says of a database that ends why it does.

    Raises:
        EmbeddedError: it has ended, in words.
    """
    try:
        yield
    except ENDED as error:
        raise EmbeddedError(why_it_ended(server, error)) from error


def why_it_ended(server: Server, error: BaseException) -> str:
    """What is the matter, and what to do."""
    free = disk_usage(server.data_dir).free
    if free < FULL_BYTES or is_for_lack_of_room(server, error):
        return (
            f"The disk that holds {server.data_dir} is full ({free // _MB} MB are free), and the demo needs "
            f"{NEEDED_MB} MB. Make room there, or name another place (make demo DATA_DIR=/another/disk/demo); "
            "then begin anew: make demo RESET=1"
        )
    if isinstance(error, OSError) and error.filename:
        return f"{error}. Do it as the user whose that is, or name another place: make demo DATA_DIR=/another/demo"
    end = "\n".join(_said(server).splitlines()[-8:])
    return f"The demo's PostgreSQL has ended, or does not answer: {error}. The end of {server.log}:\n{end}"


def is_for_lack_of_room(server: Server, error: BaseException) -> bool:
    """Whether the server or the error speaks of a full disk; when all have ended, there may be room again."""
    return _NO_SPACE in str(error) or _NO_SPACE in _said(server)


def _said(server: Server) -> str:
    return server.log.read_text("utf-8", "replace") if server.log.exists() else ""
