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

from resolvers.errors import Unavailable
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
    version: asyncio.Task[Version | None]
    before: Version | None
    """What was told last before."""


class Versions:
    """The versions of agencies, none older than so many seconds.

    A version's age is counted from before it was asked for, so whatever had been committed that long ago is in it,
    however long the answer took. Those who ask at the same time share the question.
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
        return asked.version.result() if asked.version.done() and monotonic() - asked.at < self._seconds else None

    def last(self, agency: UUID) -> Version | None:
        """What was told last, however long ago: what is read from now on is of that version or a later one."""
        asked = self._asked.get(agency)
        return None if asked is None else _told(asked) or asked.before

    async def of(self, agency: UUID, within: float | None = None) -> Version | None:
        """The agency's version; None where it cannot be had, or not in so many seconds."""
        asked = self._asked.get(agency)
        if asked is None or not self._is_recent(asked):
            before = self.last(agency)
            # In a context of its own: it is not part of the one request that happens to ask first.
            reading = asyncio.create_task(_read(self._primary, agency), context=Context())
            asked = self._asked[agency] = _Asked(monotonic(), reading, before)
        if not asked.version.done():
            # Waited for, and no more: one that stops waiting must not take the answer from the others.
            await asyncio.wait({asked.version}, timeout=within)
        return _told(asked)

    async def at(self, replica: Database, agency: UUID) -> Version | None:
        """The version that a replica has reached, which may be behind the primary's; None where it cannot be had."""
        return await _read(replica, agency)

    def _is_recent(self, asked: _Asked) -> bool:
        told = not asked.version.done() or asked.version.result() is not None
        return told and monotonic() - asked.at < self._seconds


def _told(asked: _Asked) -> Version | None:
    return asked.version.result() if asked.version.done() else None


async def _read(node: Database, agency: UUID) -> Version | None:
    # What fails is not raised: an exception that several raise keeps what each of them was doing.
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            (row,) = await node.fetch(_VERSION, agency)
    except (TimeoutError, Unavailable):
        return None
    except asyncpg.PostgresError as error:
        # Without versions nothing can be given again; but the numbers may be had.
        log.warning("version.unknown", reason=repr(error))
        return None
    version: Version = row["version"]
    return version
