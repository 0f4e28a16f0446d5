"""Finds out whether each replica can be read in the primary's place, and says in plain words what is wrong."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import asyncpg

from database.reach import CANNOT_CONNECT, why_unreachable
from gateway.settings import Settings

_SQL = Path(__file__).parent / "sql"
_RELATIONS = (_SQL / "doctor_relations.sql").read_text("utf-8")
_WRITTEN = (_SQL / "written.sql").read_text("utf-8")
_REPLAYED = (_SQL / "replayed.sql").read_text("utf-8")


async def examine_replicas(
    settings: Settings, relations: Sequence[str], seconds: float
) -> list[tuple[bool | None, str]]:
    """Of each replica, whether it can be read (None: warns), and in words what is wrong and what to do."""
    if not settings.database_replica_urls:
        return []
    try:
        primary = await _connect(settings.database_url.get_secret_value(), seconds)
    except CANNOT_CONNECT:
        return [(None, "Could not be checked: the primary cannot be reached.")]
    try:
        return [
            await _examine(number, url.get_secret_value(), primary, settings, relations, seconds)
            for number, url in enumerate(settings.database_replica_urls, start=1)
        ]
    finally:
        primary.terminate()


async def _examine(
    number: int, dsn: str, primary: asyncpg.Connection, settings: Settings, relations: Sequence[str], seconds: float
) -> tuple[bool | None, str]:
    try:
        replica = await _connect(dsn, seconds)
    except CANNOT_CONNECT as error:
        words = why_unreachable(dsn, error).replace("DATABASE_URL", "DATABASE_REPLICA_URLS")
        return False, f"{number}: {words}"
    try:
        if not await replica.fetchval("select pg_is_in_recovery()"):
            return False, f"{number}: This is no standby, so it is never read. Take it out of DATABASE_REPLICA_URLS."
        [written], [replayed] = await primary.fetch(_WRITTEN), await replica.fetch(_REPLAYED)
        if written["cluster"] != replayed["cluster"]:
            return False, f"{number}: This is a standby of another server than DATABASE_URL's. Name one of its own."
        seen = {row["name"] for row in await replica.fetch(_RELATIONS, list(relations)) if row["may_read"]}
        if unseen := [name for name in relations if name not in seen]:
            return False, f"{number}: Not there, or not readable for its role: {', '.join(unseen)}."
        bound = settings.database_replica_lag_seconds
        behind = await _behind(primary, replica, min(bound, seconds))
    finally:
        replica.terminate()
    if behind is None:
        return None, f"{number}: It is more than {min(bound, seconds):g} s behind, so the primary is read in its place."
    return True, f"{number}: A standby, {behind:.2f} s behind; it may be {bound:g} s."


async def _behind(primary: asyncpg.Connection, replica: asyncpg.Connection, patience: float) -> float | None:
    """How long it takes until what is written now has been replayed; None if that is too long."""
    began = monotonic()
    written = await primary.fetchval(_WRITTEN)
    while await replica.fetchval(_REPLAYED) < written:
        if monotonic() - began > patience:
            return None
        await asyncio.sleep(0.01)
    return monotonic() - began


async def _connect(dsn: str, seconds: float) -> asyncpg.Connection:
    return await asyncpg.connect(dsn, timeout=seconds, statement_cache_size=0)
