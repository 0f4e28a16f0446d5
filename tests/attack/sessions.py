"""What the attacks share: sessions, and the one question whether all numbers are right."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from tests.agreement import findings
from tests.agreement.test_rollup import assert_it_is_a_recount
from tests.conftest import Database
from tests.waiting import PATIENCE

DRIFT = Path("enrichment/sql/drift.sql").read_text("utf-8")
VERSION = Path("gateway/sql/version.sql").read_text("utf-8")
FAILING = "select error from failing_folds"
LOGGED = "select error from cron_job_logs where job = 'fold_call_changes' and status = 'failed'"
WAITING = "select count(*) from call_changes"
FOUND = {"objections": [{"text": "No time", "handled": True}], "buying_signals": [{"text": "When?"}]}
PENDING: dict[str, Any] = {
    "analysis_status": "pending",
    "disposition": None,
    "transcript": [{"role": "user", "text": "Hello?", "start_ms": 0, "end_ms": 1}],
}
INSERT = "insert into calls (agency_id, started_at) select $1::uuid, now() from generate_series(1, $2::integer)"
# Makes an error of any kind, in the middle of a fold, about the calls of one agency.
POISON = """
create function poison() returns trigger language plpgsql as $$
begin
    if new.agency_id = '{agency}' then
        raise exception 'poisoned' using errcode = '{errcode}';
    end if;
    return new;
end
$$;
create trigger poison before insert on call_stats_folded for each row execute function poison();
"""
# Holds every fold up, at what it adds to this rollup.
SLOW = """
create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep({seconds}); return new; end $$;
create trigger slow before insert on {rollup} for each row execute function slow();
"""


@asynccontextmanager
async def session(database: Database, **settings: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection with these settings."""
    connection = await asyncpg.connect(database.dsn, server_settings=settings)
    try:
        yield connection
    finally:
        await connection.close(timeout=PATIENCE)


async def assert_all_is_right(connection: asyncpg.Connection) -> None:
    """Every rollup is a recount of the calls, before a fold and after it, and no fold fails."""
    await assert_it_is_a_recount(connection)
    await findings.assert_it_is_a_recount(connection)
    assert await connection.fetch(FAILING) == []
