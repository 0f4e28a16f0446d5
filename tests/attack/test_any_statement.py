"""Whatever legal statements several sessions run at once, in whatever isolation, the rollups are a recount.

Each run has a seed, which is printed with the statements that led to a failure. STORM_SEEDS=20 runs so many seeds
instead of a few, and STORM_TRANSACTIONS=500 so many transactions of each session instead of a few dozen.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.agreement import findings
from tests.agreement.test_rollup import assert_it_is_a_recount, connections
from tests.attack.damages import damage_and_mend
from tests.attack.sessions import VERSION
from tests.attack.statements import Author, Copy, Statement
from tests.conftest import Database

SEEDS = int(os.environ.get("STORM_SEEDS", "3"))
TRANSACTIONS = int(os.environ.get("STORM_TRANSACTIONS", "48"))
OWNERS = ("01", "02", "03", "04")
ROUND = 12
"""Transactions of each session between two moments when all of them are idle."""

DRAWN = (Path(__file__).parent / "drawn.sql").read_text("utf-8")
EVER = "null, '1970-01-01', '2199-12-31'"
SETTLED = f"""
select
    (select count(*) from call_stats_drift({EVER})) as stats,
    (select count(*) from agency_hours_drift({EVER})) as hours,
    (select count(*) from call_findings_drift({EVER})) as findings,
    (select string_agg(error, '; ') from failing_folds) as failing,
    (select count(*) from cron_job_logs where status = 'failed') as failed
"""
VERSIONS = f"""
select a.id, v.version, drawn.digest(a.id) as digest
from agencies as a
cross join lateral ({VERSION.replace("$1", "a.id")}) as v
"""
SHARED = """
insert into agencies (id, name, slug) select drawn.id('00', n::text), 'All', n from generate_series(1, 2) as n;
insert into clients (id, agency_id, name)
select drawn.id('00', a.id || n::text), a.id, 'All' from agencies as a, generate_series(1, 2) as n;
insert into campaigns (id, agency_id, client_id, name)
select drawn.id('00', c.id::text), c.agency_id, c.id, 'All' from clients as c;
"""
SOME_JOBS = "select q.id from enrichment_queue as q order by random() limit 30 for update skip locked"
TOUCHES = (
    "update enrichment_queue set status = 'running', locked_by = 'keeper', locked_until = now()",
    "update enrichment_queue set status = 'queued', locked_by = null, run_after = now()",
    "update enrichment_queue set status = 'failed', last_error = 'no'",
    "delete from enrichment_queue",
)
MACHINERY = (
    *("call_changes", "call_fold", "call_stats_folded", "agency_hours_folded", "call_findings_folded"),
    *("agency_findings_folded", "data_versions", "cron_job_logs", "enrichment_queue", "advisory"),
)


@dataclass
class Storm:
    """What the sessions of one run have seen and met."""

    seed: str
    digests: dict[tuple[UUID, str], str] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    truncating: int = 0
    truncated: int = 0

    async def check(self, connection: asyncpg.Connection) -> None:
        """Nothing drifts in one snapshot, and a version names one state of its agency's data."""
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            # Before the tables of the rollups, as whoever empties all of them has it.
            await connection.execute("lock table calls in access share mode")
            settled = await connection.fetchrow(SETTLED)
            versions = await connection.fetch(VERSIONS)
        assert dict(settled) == {"stats": 0, "hours": 0, "findings": 0, "failing": None, "failed": 0}
        for agency, version, digest in versions:
            assert self.digests.setdefault((agency, version), digest) == digest, f"version {version} of {agency}"


async def write(connection: asyncpg.Connection, statements: Sequence[Statement]) -> None:
    """One after the other."""
    for statement in statements:
        if isinstance(statement, Copy):
            rows = await connection.fetch(statement.query)
            await connection.copy_records_to_table("calls", records=rows)
        else:
            await connection.execute(statement)


async def _session(storm: Storm, connection: asyncpg.Connection, author: Author) -> None:
    chance = random.Random(f"{storm.seed} {author.owner} truncates")  # noqa: S311
    for _ in range(ROUND):
        truncates = chance.random() < 0.02
        isolation, statements = author.truncate() if truncates else author.transaction()
        storm.truncating += truncates
        truncated = storm.truncated
        try:
            await write(connection, [f"begin isolation level {isolation}", *statements])
            storm.outcomes[f"{isolation}: {statements[-1]}"] += 1
        except asyncpg.PostgresError as error:
            beside_a_truncate = storm.truncating > 0 or storm.truncated > truncated
            await connection.execute("rollback")
            storm.outcomes[f"{isolation}: {error.sqlstate}"] += 1
            storm.refused += 1
            if not await _is_the_users_own(connection, error, isolation, beside_a_truncate=beside_a_truncate):
                raise AssertionError(_told(storm, author, isolation, statements)) from error
        finally:
            storm.truncating -= truncates
            storm.truncated += truncates
        try:
            await storm.check(connection)
        except AssertionError as error:
            raise AssertionError(_told(storm, author, isolation, statements)) from error


def _told(storm: Storm, author: Author, isolation: str, statements: Sequence[Statement]) -> str:
    written = ";\n".join(map(str, [f"begin isolation level {isolation}", *statements]))
    return f"seed {storm.seed}, session {author.owner}:\n{written};"


async def _is_the_users_own(
    connection: asyncpg.Connection, error: asyncpg.PostgresError, isolation: str, *, beside_a_truncate: bool
) -> bool:
    """Whether PostgreSQL would have refused the same without anything of ours.

    In a serializable transaction it may find reads and writes of neighbours in each other's way. In repeatable read
    only rows can be, and no session changes another's but by a truncate.
    """
    if isinstance(error, asyncpg.SerializationError):
        return isolation == "serializable" or (isolation == "repeatable read" and beside_a_truncate)
    if not isinstance(error, asyncpg.DeadlockDetectedError):
        return False
    told = f"{error} {error.detail} {error.context}"
    for name in MACHINERY[:-1]:
        number = await connection.fetchval("select $1::text::regclass::oid", name)
        told = told.replace(f"relation {number} ", f"relation {name} ")
    return not any(name in told for name in MACHINERY)


async def _keep(connection: asyncpg.Connection, seed: str, done: asyncio.Event) -> None:
    """What the worker does to the log and to jobs, and somebody who repairs: all the time."""
    chance = random.Random(f"{seed} keeper")  # noqa: S311
    while not done.is_set():
        days = chance.randint(1, 30)
        await connection.execute(
            chance.choice(
                (
                    "select try_fold_call_changes()",
                    f"select recount_call_stats({days}, timestamptz '2026-02-16' + {days} * interval '6 hours')",
                    "select merge_data_versions()",
                    f"select repair_call_stats({EVER})",
                    *(f"{touch} where id in ({SOME_JOBS})" for touch in TOUCHES),
                )
            )
        )
        await asyncio.sleep(0.05)


async def _round(storm: Storm, opened: Sequence[Any], authors: Sequence[Author]) -> None:
    *writers, keeper = opened
    done = asyncio.Event()

    async def all_of_them() -> None:
        try:
            await asyncio.gather(
                *(_session(storm, each, author) for each, author in zip(writers, authors, strict=True))
            )
        finally:
            done.set()

    await asyncio.gather(all_of_them(), _keep(keeper, storm.seed, done))


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_after_any_legal_statements_of_several_sessions_everything_is_counted(
    database: Database, connection: asyncpg.Connection, seed: int
) -> None:
    storm = Storm(str(seed))
    await connection.execute(DRAWN + SHARED)
    async with connections(database, len(OWNERS) + 1) as opened:
        for each in opened:
            # Few rows are read, by their ids: what a serializable transaction has read of a table is not all of it.
            await each.execute("set enable_seqscan = off")
        authors = [Author(owner, storm.seed) for owner in OWNERS]
        chance = random.Random(f"{seed} damages")  # noqa: S311
        for _ in range(-(-TRANSACTIONS // ROUND)):
            await _round(storm, opened, authors)
            await storm.check(connection)
            await assert_it_is_a_recount(connection)
            await findings.assert_it_is_a_recount(connection)
            await storm.check(connection)
            await damage_and_mend(connection, chance)
            await storm.check(connection)
    print(f"seed {seed}: {sorted(storm.outcomes.items())}, {len(storm.digests)} versions")  # noqa: T201
    assert storm.refused <= storm.outcomes.total() / 4, storm.outcomes
