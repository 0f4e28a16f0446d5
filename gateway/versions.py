"""Whether anything of an agency has changed: the version that the database keeps, asked at most once in a while."""

import asyncio
from contextvars import Context
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from uuid import UUID

import asyncpg
import structlog
from cachetools import FIFOCache

from resolvers.errors import TimedOut, Unavailable
from resolvers.reader import Database

log = structlog.get_logger()

Version = str
"""Equal where the data are the same. Nothing else is to be read in it, neither an order nor a distance."""

REMEMBERED_AGENCIES = 10_000
PATIENCE_SECONDS = 1.0
"""For a read of a few rows. Whoever waits in vain has time left to ask for the numbers themselves."""
_VERSION = (Path(__file__).parent / "sql" / "version.sql").read_text("utf-8")


@dataclass(frozen=True)
class _Asked:
    at: float
    version: asyncio.Task[Version]


class Versions:
    """The versions of agencies, none older than so many seconds.

    A version's age is counted from before it was asked for, so whatever had been committed that long ago is in it,
    however long the answer took.
    """

    def __init__(self, primary: Database, seconds: float) -> None:
        self._primary = primary
        self._seconds = seconds
        self._asked: FIFOCache[UUID, _Asked] = FIFOCache(REMEMBERED_AGENCIES)

    def known(self, agency: UUID) -> Version | None:
        """The agency's version, if it was told a moment ago."""
        try:
            asked = self._asked[agency]
        except KeyError:
            return None
        told = asked.version
        if monotonic() - asked.at >= self._seconds or not told.done() or told.exception():
            return None
        return told.result()

    async def of(self, agency: UUID) -> Version:
        """The agency's version; those who ask at the same time share the question.

        Raises:
            Unavailable: it cannot be had, or not in time.
        """
        now = monotonic()
        asked = self._asked.get(agency)
        if asked is None or now - asked.at >= self._seconds or (asked.version.done() and asked.version.exception()):
            # In a context of its own: it is not part of the one request that happens to ask first.
            reading = asyncio.create_task(_read(self._primary, agency), context=Context())
            asked = self._asked[agency] = _Asked(now, reading)
        # One that stops waiting must not take the answer from the others.
        return asked.version.result() if asked.version.done() else await asyncio.shield(asked.version)

    async def at(self, replica: Database, agency: UUID) -> Version:
        """The version that a replica has reached, which may be behind the primary's that `of` gives.

        Raises:
            Unavailable: it cannot be had, or not in time.
        """
        return await _read(replica, agency)


async def _read(node: Database, agency: UUID) -> Version:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            (row,) = await node.fetch(_VERSION, agency)
    except TimeoutError:
        raise TimedOut("the database took too long to tell the version of the data") from None
    except asyncpg.PostgresError as error:
        # Without versions nothing can be given again; but the numbers may be had.
        log.warning("version.unknown", reason=repr(error))
        raise Unavailable("the database does not tell the version of the data") from error
    version: Version = row["version"]
    return version
