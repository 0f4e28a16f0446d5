"""Whether anything of an agency has changed: the version that the database keeps, asked at most once in a while."""

import asyncio
from contextvars import Context
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from uuid import UUID

from cachetools import FIFOCache

from resolvers.errors import TimedOut
from resolvers.reader import Database

REMEMBERED_AGENCIES = 10_000
PATIENCE_SECONDS = 1.0
"""For a read of a few rows. Whoever waits in vain has time left to ask for the numbers themselves."""
_VERSION = (Path(__file__).parent / "sql" / "version.sql").read_text("utf-8")


@dataclass(frozen=True)
class _Asked:
    at: float
    version: asyncio.Task[int]


class Versions:
    """The versions of agencies, none older than so many seconds.

    A version's age is counted from before it was asked for, so whatever had been committed that long ago is in it,
    however long the answer took.
    """

    def __init__(self, primary: Database, seconds: float) -> None:
        self._primary = primary
        self._seconds = seconds
        self._asked: FIFOCache[UUID, _Asked] = FIFOCache(REMEMBERED_AGENCIES)

    def known(self, agency: UUID) -> int | None:
        """The agency's version, if it was told a moment ago."""
        try:
            asked = self._asked[agency]
        except KeyError:
            return None
        told = asked.version
        if monotonic() - asked.at >= self._seconds or not told.done() or told.exception():
            return None
        return told.result()

    async def of(self, agency: UUID) -> int:
        """The agency's version; those who ask at the same time share the question.

        Raises:
            Unavailable: the database is away or too slow.
        """
        now = monotonic()
        asked = self._asked.get(agency)
        if asked is None or now - asked.at >= self._seconds or (asked.version.done() and asked.version.exception()):
            # In a context of its own: it is not part of the one request that happens to ask first.
            reading = asyncio.create_task(_read(self._primary, agency), context=Context())
            asked = self._asked[agency] = _Asked(now, reading)
        # One that stops waiting must not take the answer from the others.
        return asked.version.result() if asked.version.done() else await asyncio.shield(asked.version)

    async def at(self, node: Database, agency: UUID) -> int:
        """The version that a node has reached: a replica may be behind the primary, whose version `of` gives.

        Raises:
            Unavailable: the node is away or too slow.
        """
        return await (self.of(agency) if node is self._primary else _read(node, agency))


async def _read(node: Database, agency: UUID) -> int:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            (row,) = await node.fetch(_VERSION, agency)
    except TimeoutError:
        raise TimedOut("the database took too long to tell the version of the data") from None
    version: int = row["version"]
    return version
