"""Fills an empty, migrated database with three months of calls as a platform records them: nothing is analysed yet.

The same seed and moment give the same calls.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, time, timedelta
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from database.demo_batches import Batch, Contact, Desk
from database.demo_calls import Call, Caller, new_id
from database.demo_plan import AGENCIES, DAYS, DEMO_OWNER_ID, DEMO_USERS, RHYTHMS, Agency, Client, demo_user_id
from database.demo_transcripts import transcribe

__all__ = ["DEMO_OWNER_ID", "DEMO_USERS", "demo_user_id", "fill"]

Progress = Callable[[str, int, int], None]
Row = tuple[object, ...]

CHUNK = 4000
_NEWEST_FIRST = (Path(__file__).parent / "sql" / "demo_newest_first.sql").read_text("utf-8")
UNDER_WAY = 4


@dataclass(slots=True)
class World:
    """Every row of the demo, by table."""

    agencies: list[Row] = field(default_factory=list)
    clients: list[Row] = field(default_factory=list)
    users: list[Row] = field(default_factory=list)
    campaigns: list[Row] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)


async def fill(
    connection: asyncpg.Connection, *, now: datetime, seed: int = 20260101, progress: Progress = lambda *_: None
) -> None:
    """Write the demo as of `now` in one transaction; the rollup and the queue follow by their triggers.

    The newest calls are first in the queue, so that the last days are complete soon.

    `now` carries its time zone. The connection is a plain one: JSON goes through asyncpg's own text codec.
    """
    world = imagine(now.astimezone(UTC).replace(microsecond=0), Random(seed), progress)  # noqa: S311 - nothing secret
    async with connection.transaction():
        await _copy(connection, "agencies", ("id", "name", "slug", "created_at", "updated_at"), world.agencies)
        await _copy(connection, "clients", ("id", "agency_id", "name"), world.clients)
        await _copy(connection, "users", ("id", "agency_id", "role", "client_id", "email"), world.users)
        await _copy(connection, "campaigns", ("id", "agency_id", "client_id", "name", "type"), world.campaigns)
        await _copy_fields(connection, "call_batches", Batch, world.batches, progress)
        await _copy_fields(connection, "calls", Call, world.calls, progress)
        await _copy_fields(connection, "campaign_contacts", Contact, world.contacts, progress)
        await connection.execute(_NEWEST_FIRST, now)
    # Vacuumed too, so that index-only scans work from the first query on.
    await connection.execute(
        "vacuum (analyze) agencies, clients, users, campaigns, call_batches, campaign_contacts, calls, "
        "call_changes, call_stats_folded, agency_hours_folded, call_findings_folded, agency_findings_folded, "
        "enrichment_queue"
    )


def imagine(now: datetime, rng: Random, progress: Progress) -> World:
    """The demo's rows, calls in the order they began."""
    world = World()
    midnight = datetime.combine(now.date(), time(), UTC) - timedelta(days=DAYS - 1)
    spoken_for: dict[UUID, Client] = {}
    for done, agency in enumerate(AGENCIES):
        progress("imagining agencies", done, len(AGENCIES))
        _imagine_agency(world, agency, rng, midnight, now, spoken_for)
    progress("imagining agencies", len(AGENCIES), len(AGENCIES))
    newcomer = DEMO_USERS[-1]
    world.users.append((newcomer.id, None, newcomer.role, None, newcomer.email))
    world.calls.sort(key=attrgetter("started_at"))
    talks = [call for call in world.calls if call.story]
    for done, call in enumerate(talks):
        if done % CHUNK == 0:
            progress("writing down what was said", done, len(talks))
        call.transcript = transcribe(rng, call, spoken_for[call.campaign_id or call.agency_id])
    progress("writing down what was said", len(talks), len(talks))
    return world


def _imagine_agency(
    world: World, agency: Agency, rng: Random, midnight: datetime, now: datetime, spoken_for: dict[UUID, Client]
) -> None:
    agency_id = new_id(rng)
    joined_at = midnight + timedelta(days=min(campaign.first_day for campaign in agency.campaigns) - 1, hours=17)
    world.agencies.append((agency_id, agency.name, agency.slug, joined_at, joined_at))
    client_ids = {client.name: new_id(rng) for client in agency.clients}
    clients = {client.name: client for client in agency.clients}
    itself = spoken_for[agency_id] = Client(agency.name, "calling services")
    world.clients += ((client_id, agency_id, name) for name, client_id in client_ids.items())
    for user in DEMO_USERS:
        if user.agency == agency.slug:
            client_id = client_ids[user.client] if user.client else None
            world.users.append((user.id, agency_id, user.role, client_id, user.email))

    outbound: list[list[Call]] = []
    ongoing: list[Call] = []
    for campaign in agency.campaigns:
        campaign_id = new_id(rng) if campaign.name else None
        client_id = client_ids[campaign.client] if campaign.client else None
        client = clients[campaign.client] if campaign.client else itself
        caller = Caller(rng, agency_id, client_id, campaign_id, campaign, client, historical=agency.established)
        calls = list(caller.calls(midnight, now))
        world.calls += calls
        if campaign_id:
            world.campaigns.append((campaign_id, agency_id, client_id, campaign.name, campaign.type))
            spoken_for[campaign_id] = client
        if not RHYTHMS[campaign.rhythm].inbound:
            if agency.established and not outbound:
                ongoing = caller.ongoing(now, UNDER_WAY)
            outbound.append(calls)

    desk = Desk(rng, now, agency_id)
    world.calls += ongoing
    if agency.established:
        desk.special(outbound, ongoing)
    for calls in outbound:
        desk.finished(calls, (60, 110) if agency.established else (10, 20), (180, 380))
    world.batches += desk.batches
    world.contacts += desk.contacts


async def _copy(connection: asyncpg.Connection, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    await connection.copy_records_to_table(table, records=rows, columns=columns)


async def _copy_fields(
    connection: asyncpg.Connection, table: str, row_type: type[Any], rows: Sequence[Any], progress: Progress
) -> None:
    """Copy rows whose fields are the table's columns; lists become JSON."""
    columns = [column.name for column in fields(row_type) if column.metadata.get("column", True)]
    values = attrgetter(*columns)
    for begin in range(0, len(rows), CHUNK):
        progress(table, begin, len(rows))
        chunk = rows[begin : begin + CHUNK]
        await _copy(
            connection,
            table,
            columns,
            (tuple(orjson.dumps(v).decode() if isinstance(v, list) else v for v in values(row)) for row in chunk),
        )
    progress(table, len(rows), len(rows))
