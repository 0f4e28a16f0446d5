"""Finds out whether each replica can be read in the primary's place, and says in plain words what is wrong."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import asyncpg

from database.address import read_address
from database.reach import CANNOT_CONNECT, connect, why_unreachable
from gateway.replicas import has_replayed
from gateway.settings import Settings

_SQL = Path(__file__).parent / "sql"
_RELATIONS = (_SQL / "doctor_relations.sql").read_text("utf-8")
_WRITTEN = (_SQL / "written.sql").read_text("utf-8")
_REPLAYED = (_SQL / "replayed.sql").read_text("utf-8")
_STATE = (_SQL / "doctor_replica.sql").read_text("utf-8")

Verdict = tuple[bool | None, str]


async def examine_replicas(settings: Settings, relations: Sequence[str], seconds: float) -> list[Verdict]:
    """Of each replica, whether it can be read (None: warns), and in words what is wrong and what to do."""
    urls = [url.get_secret_value() for url in settings.database_replica_urls]
    found = await asyncio.gather(*(_examine(url, settings, relations, seconds) for url in urls))
    return [(ok, f"{number}: {words}") for number, (ok, words) in enumerate(found, start=1)]


async def _examine(url: str, settings: Settings, relations: Sequence[str], seconds: float) -> Verdict:
    address = read_address(url, standby=True)
    try:
        replica = await connect(address, seconds)
    except CANNOT_CONNECT as error:
        return False, why_unreachable(address, error).replace("DATABASE_URL", "DATABASE_REPLICA_URLS")
    try:
        if not await replica.fetchval("select pg_is_in_recovery()"):
            return False, "This is no standby, so it is never read. Take it out of DATABASE_REPLICA_URLS."
        seen = {row["name"] for row in await replica.fetch(_RELATIONS, list(relations)) if row["may_read"]}
        try:
            primary = await connect(read_address(settings.database_url.get_secret_value()), seconds)
        except CANNOT_CONNECT:
            return None, f"Could not be compared: the primary cannot be reached. {await _last_commit(replica)}"
        try:
            unseen = [name for name in relations if name not in seen]
            return await _compare(primary, replica, unseen, settings.database_replica_lag_seconds, seconds)
        finally:
            primary.terminate()
    finally:
        replica.terminate()


async def _compare(
    primary: asyncpg.Connection, replica: asyncpg.Connection, unseen: Sequence[str], bound: float, seconds: float
) -> Verdict:
    """What is written now must be replayed within the bound."""
    began, patience = monotonic(), min(bound, seconds)
    try:
        [written] = map(dict, await primary.fetch(_WRITTEN))
    except asyncpg.ObjectNotInPrerequisiteStateError:
        return None, f"Could not be compared: DATABASE_URL leads to a standby. {await _last_commit(replica)}"
    [replayed] = map(dict, await replica.fetch(_REPLAYED))
    if replayed["cluster"] != written["cluster"]:
        return False, "This is a standby of another server than DATABASE_URL's. Name one of its own."
    if unseen:
        return False, f"Not there, or not readable for its role: {', '.join(unseen)}."
    while not has_replayed(replayed, written) and monotonic() - began <= patience:
        await asyncio.sleep(0.01)
        [replayed] = map(dict, await replica.fetch(_REPLAYED))
    behind = monotonic() - began
    if replayed["timeline"] != written["timeline"]:
        return await _on_another_timeline(replica, replayed["timeline"], written["timeline"])
    if not (await _state(replica))["receives"]:
        words = (
            "It receives nothing at the moment, so the primary is read in its place once that has written more: is its"
        )
        return None, f"{words} primary_conninfo right, and is that server up? {await _last_commit(replica)}"
    if not has_replayed(replayed, written):
        return None, f"It is more than {patience:g} s behind, so the primary is read in its place."
    return True, f"A standby, {behind:.2f} s behind; it may be {bound:g} s."


async def _on_another_timeline(replica: asyncpg.Connection, its: int, primarys: int) -> Verdict:
    words = f"Its log is of timeline {its} and DATABASE_URL's of {primarys}, so it is not read:"
    if its > primarys:
        return False, f"{words} another server has been promoted since. Name that one in DATABASE_URL."
    state = await _state(replica)
    if state["receives"] and not state["may_see"]:
        words += f" if it follows the promoted server, until its next restartpoint. {state['role']} cannot see whom it"
        return None, f"{words} follows: `grant pg_read_all_stats to {state['role']}` lets it be read at once."
    words += f" it does not follow that server since its promotion. {await _last_commit(replica)} Correct its"
    return False, f"{words} primary_conninfo; if it has gone on with the old primary, pg_rewind it or make it anew."


async def _last_commit(replica: asyncpg.Connection) -> str:
    seconds = (await _state(replica))["last_commit"]
    if seconds is None:
        return "It has replayed no commit since its start."
    return f"The last commit that it has replayed is {seconds:.0f} s old."


async def _state(replica: asyncpg.Connection) -> asyncpg.Record:
    [state] = await replica.fetch(_STATE)
    return state
