"""Goes on placing the demo's calls, each from its dialling to its end, so that one can watch the numbers move."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import asyncpg
import orjson

from database.demo_calls import Call, Caller
from database.demo_plan import AGENCIES, DAYS, RHYTHMS, Client
from database.demo_transcripts import transcribe

_SQL = {path.stem: path.read_text("utf-8") for path in (Path(__file__).parent / "sql").glob("demo_*.sql")}


class NotTheDemo(Exception):
    """The database holds other data than the demo's; the message says what to do."""


@dataclass(frozen=True)
class Placed:
    """A call that has ended, as it is told to who watches."""

    agency: str
    campaign: str
    seconds: int
    outcome: str


async def simulate(
    pool: asyncpg.Pool,
    *,
    every_seconds: float,
    speed: float,
    calls: int | None,
    seed: int,
    tell: Callable[[Placed], None],
) -> int:
    """Places calls, one every so many seconds on average, until so many have ended (None: until cancelled).

    Times run `speed` times as fast as they would: a call of three minutes at 20 takes nine seconds. A call's own times
    are those of a real one that ends when it ends here.

    Raises:
        NotTheDemo: the database holds other data.
    """
    rng = Random(seed)  # noqa: S311 - nothing secret
    callers = _callers(rng, await pool.fetch(_SQL["demo_campaigns"]))
    weights = [caller.campaign.volume for _, caller in callers]
    async with asyncio.TaskGroup() as group:
        placed = 0
        while calls is None or placed < calls:
            ((agency, caller),) = rng.choices(callers, weights)
            group.create_task(_place(pool, rng, agency, caller, speed, tell))
            placed += 1
            await asyncio.sleep(rng.expovariate(1 / every_seconds))
    return placed


def _callers(rng: Random, rows: list[asyncpg.Record]) -> list[tuple[str, Caller]]:
    found = {(row["slug"], row["campaign"]): row for row in rows}
    callers = []
    for agency in AGENCIES:
        clients = {client.name: client for client in agency.clients}
        for campaign in agency.campaigns:
            row = found.get((agency.slug, campaign.name))
            if row and campaign.last_day == DAYS - 1:
                client = clients.get(campaign.client or "", Client(agency.name, "calling services"))
                caller = Caller(
                    rng, row["agency_id"], row["client_id"], row["campaign_id"], campaign, client, historical=False
                )
                callers.append((agency.name, caller))
    if not callers:
        raise NotTheDemo("This database holds other data than the demo's; calls are invented for the demo only.")
    return callers


async def _place(
    pool: asyncpg.Pool, rng: Random, agency: str, caller: Caller, speed: float, tell: Callable[[Placed], None]
) -> None:
    now = datetime.now(UTC)
    call = caller.call(now)
    # Shifted so that it ends, by its own times, just when it ends here.
    _shift(call, timedelta(seconds=-(call.duration_seconds or 0) * (1 - 1 / speed)))
    await pool.execute(
        _SQL["demo_dial"], call.id, call.agency_id, call.client_id, call.campaign_id, call.ultravox_call_id,
        call.direction, call.started_at,
    )  # fmt: skip
    batch = None
    if not RHYTHMS[caller.campaign.rhythm].inbound:
        batch = await pool.fetchval(_SQL["demo_next_contact"], call.campaign_id, call.id)
        if batch:
            await pool.execute("update calls set batch_id = $2 where id = $1", call.id, batch)
    ends_at = call.ended_at or call.started_at
    if call.joined_at:
        await asyncio.sleep((call.joined_at - call.started_at).total_seconds() / speed)
        await pool.execute(
            "update calls set status = 'in_progress', joined_at = $2 where id = $1", call.id, call.joined_at
        )
        await asyncio.sleep((ends_at - call.joined_at).total_seconds() / speed)
    else:
        await asyncio.sleep((ends_at - call.started_at).total_seconds() / speed)
    await _end(pool, rng, call, caller, batch)
    outcome = call.story.disposition if call.story else "failed" if call.status == "failed" else "no_answer"
    tell(Placed(agency, caller.campaign.name or "", call.duration_seconds or 0, outcome))


async def _end(pool: asyncpg.Pool, rng: Random, call: Call, caller: Caller, batch: UUID | None) -> None:
    transcript = orjson.dumps(transcribe(rng, call, caller.client)).decode() if call.story else None
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            _SQL["demo_end"], call.id, call.status, call.ended_at, call.duration_seconds, call.end_reason,
            call.has_recording, transcript, call.emails_sent, call.sms_sent,
        )  # fmt: skip
        if batch:
            await connection.execute(
                "update campaign_contacts set status = $2 where call_id = $1 and status = 'in_progress'",
                call.id,
                call.status,
            )


def _shift(call: Call, by: timedelta) -> None:
    call.started_at += by
    call.joined_at = call.joined_at and call.joined_at + by
    call.ended_at = call.ended_at and call.ended_at + by
