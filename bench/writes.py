"""What the triggers cost whoever writes calls: throughput with all of them beside none, on an embedded server.

Arrival is a finished call with its transcript, inserted; analysis is the update that the worker writes, of a call that
nobody has analysed before. Singles are a transaction each. A call is one of an agency's dozen campaigns, or all are of
one: then all writers share one row of the rollup. Rounds alternate between the two databases, so that a slow moment of
the machine meets both.
"""

import asyncio
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter
from uuid import UUID

import asyncpg
import orjson

from bench.tables import Table, figure
from database.embedded import Server, embedded
from database.migrate import migrate

ROUNDS = 9
SECONDS = 0.8
CAMPAIGNS = 12
CALLS = 24_000
"""Of each database, there to be analysed: new ones for each load, which ends early when they are used up."""
BATCH = 100
AGENCY = UUID(int=1)
TRANSCRIPT = orjson.dumps(
    [
        {
            "role": ("agent", "user")[turn % 2],
            "text": "So we talked about this and that. " * 2,
            "start_ms": turn * 2_000,
        }
        for turn in range(14)
    ]
).decode()

_FILL = f"""
insert into agencies (id, name, slug) values ('{AGENCY}', 'Agency', 'agency');
insert into clients (id, agency_id, name) values ('{AGENCY}', '{AGENCY}', 'Client');
insert into campaigns (id, agency_id, client_id, name)
select lpad(n::text, 32, '0')::uuid, '{AGENCY}', '{AGENCY}', 'Campaign ' || n from generate_series(1, {CAMPAIGNS}) as n;
create table numbered (n integer primary key, call_id uuid not null);
"""  # noqa: S608 - constants
_NEW = f"""
truncate calls, numbered cascade;
with made as (
    insert into calls (
        agency_id, client_id, campaign_id, status, started_at, joined_at, duration_seconds, transcript,
        transcript_status
    )
    select
        '{AGENCY}', '{AGENCY}', lpad((1 + n % {CAMPAIGNS})::text, 32, '0')::uuid, 'completed', now(), now(), 60,
        $transcript${TRANSCRIPT}$transcript$, 'completed'
    from generate_series(0, {CALLS} - 1) as n
    returning id, campaign_id
)
insert into numbered
select (row_number() over (partition by campaign_id) - 1) * {CAMPAIGNS} + right(campaign_id::text, 4)::integer - 1, id
from made;
"""  # noqa: S608 - constants
_ARRIVAL = f"""
insert into calls (
    agency_id, client_id, campaign_id, ultravox_call_id, status, started_at, joined_at, ended_at, duration_seconds,
    end_reason, has_recording, transcript
)
select
    '{AGENCY}', '{AGENCY}', lpad((1 + n % {CAMPAIGNS})::text, 32, '0')::uuid, gen_random_uuid()::text, 'completed',
    now(), now(), now(), 60 + n % 300, 'hangup', true, $2
from unnest($1::integer[]) as n
"""  # noqa: S608 - constants
_ANALYSIS = """
update calls as c
set
    analysis_status = 'completed', analyzed_at = now(), analyzed_by = 'bench/1',
    disposition = (enum_range(null::call_disposition))[1 + $2::integer % 9],
    sentiment = (enum_range(null::call_sentiment))[1 + $2 % 3], talk_ratio = 0.4, listen_ratio = 0.5,
    script_adherence = 0.7, interruptions = $2 % 4,
    objections = '[{"text": "Too expensive", "quote": "That is too much", "handled": true}]',
    buying_signals = '[{"text": "Asks for a date", "quote": "When can you start"}]',
    is_qualified_lead = $2 % 2 = 0, summary = 'They asked what it costs, found it too much, and want to hear from us.'
from numbered as n
where n.n = any ($1::integer[]) and c.id = n.call_id
"""


@dataclass(frozen=True)
class Load:
    """Who writes what: so many writers, so many calls a transaction, in one campaign or in all."""

    analysis: bool
    writers: int
    batch: int = 1
    one_row: bool = False

    @property
    def words(self) -> tuple[str, str, str, str]:
        """As the table shows it."""
        what = "analysis" if self.analysis else "arrival"
        return what, str(self.writers), f"{self.batch} a transaction", "1" if self.one_row else str(CAMPAIGNS)


LOADS = (
    *(Load(analysis, writers, batch) for analysis in (False, True) for writers in (1, 8) for batch in (1, BATCH)),
    Load(analysis=False, writers=8, one_row=True),
    Load(analysis=True, writers=8, one_row=True),
)


def main() -> list[Table]:
    """Takes about six minutes."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o711)
        with embedded(Path(folder) / "data") as server:
            return [asyncio.run(_measure(server))]


async def _measure(server: Server) -> Table:
    rates: dict[tuple[Load, bool], list[float]] = defaultdict(list)
    for triggers in (True, False):
        await _fill(server, triggers=triggers)
    for turn in range(ROUNDS):
        for load in LOADS:
            for triggers in (True, False) if turn % 2 else (False, True):
                rates[load, triggers].append(await _rate(server.dsn(_name(triggers)), load))
    rows = []
    for load in LOADS:
        without, with_all = rates[load, False], rates[load, True]
        ratio = median(one / other for one, other in zip(with_all, without, strict=True))
        rows.append((*load.words, figure(median(without)), figure(median(with_all)), f"{ratio:.2f}"))
    note = (
        f"Medians of {ROUNDS} rounds of {SECONDS} s, PostgreSQL with its default settings. A ratio is of two loads "
        "beside one another."
    )
    columns = ("", "writers", "calls", "campaigns", "without triggers", "with", "ratio")
    return Table("Calls written a second", columns, rows, [note])


def _name(triggers: bool) -> str:
    return "with_triggers" if triggers else "without_triggers"


async def _fill(server: Server, *, triggers: bool) -> None:
    admin = await asyncpg.connect(server.dsn())
    await admin.execute(f"create database {_name(triggers)}")
    await admin.close()
    dsn = server.dsn(_name(triggers))
    await asyncio.to_thread(migrate, dsn)
    connection = await asyncpg.connect(dsn)
    await connection.execute(_FILL)
    await connection.execute(_NEW)
    if not triggers:
        await connection.execute("alter table calls disable trigger user")
    await connection.execute("vacuum analyze")
    await connection.execute("checkpoint")
    await connection.close()


async def _renew(dsn: str) -> None:
    """All calls are new again, and what it took to write them is over."""
    connection = await asyncpg.connect(dsn)
    for statement in (_NEW, "vacuum analyze", "checkpoint"):
        await connection.execute(statement)
    await connection.close()


async def _rate(dsn: str, load: Load) -> float:
    """Calls a second, by all writers together."""
    if load.analysis:
        await _renew(dsn)
    connections = [await asyncpg.connect(dsn) for _ in range(load.writers)]
    numbers = count()

    async def write(connection: asyncpg.Connection, until: float) -> int:
        statement = await connection.prepare(_ANALYSIS if load.analysis else _ARRIVAL)
        done = 0
        step = CAMPAIGNS if load.one_row else 1
        while perf_counter() < until:
            number = next(numbers)
            if load.analysis and (number + 1) * load.batch * step > CALLS:
                break
            calls = [(number * load.batch + each) * step for each in range(load.batch)]
            await statement.fetch(calls, number if load.analysis else TRANSCRIPT)
            done += load.batch
        return done

    # Its plan, and the caches behind it, before the clock runs.
    await asyncio.gather(*(write(connection, perf_counter() + 0.1) for connection in connections))
    started = perf_counter()
    done = await asyncio.gather(*(write(connection, started + SECONDS) for connection in connections))
    rate = sum(done) / (perf_counter() - started)
    await asyncio.gather(*(connection.close() for connection in connections))
    return rate
