"""A database is set back to an older dump under a running gateway: nothing of the lost state is shown again.

Every way to restore is tried: 8 times all of them together, at least twice each, and 20 times where CI is true, unless
HISTORY_ROUNDS tells otherwise.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from structlog.testing import capture_logs

from tests.attack import dumps
from tests.attack.watching import ROUNDS, Books, as_shipped, crowded
from tests.conftest import Database
from tests.given import Given
from tests.running import running

EMPTIED = """
do $$
declare
    name text;
begin
    for name in select tablename from pg_tables where schemaname = 'public' loop
        execute format('truncate %I cascade', name);
    end loop;
end
$$
"""
DROPPED = "drop schema public cascade; drop schema gateway_migrations cascade; create schema public"


@dataclass(frozen=True)
class Way:
    """How a dump is restored: what is done before, and how pg_restore is called."""

    options: tuple[str, ...]
    before: str = ""
    session: Mapping[str, str] | None = None
    dumped: tuple[str, ...] = ()


OF_DATA = ("--schema=public", "--single-transaction")
WAYS = {
    "anew": Way((), before=DROPPED),
    "anew by several": Way(("--jobs=4",), before=DROPPED),
    "clean": Way(("--clean", "--if-exists", "--single-transaction")),
    "data": Way(OF_DATA, before=EMPTIED, dumped=("--data-only",)),
    "data as replica": Way(
        OF_DATA,
        before=EMPTIED,
        dumped=("--data-only",),
        session={"PGOPTIONS": "-c session_replication_role=replica"},
    ),
    "data without triggers": Way((*OF_DATA, "--disable-triggers"), before=EMPTIED, dumped=("--data-only",)),
}


async def _run(*command: str | Path, session: Mapping[str, str] | None = None) -> None:
    while True:
        try:
            await dumps.run(*command, env=session)
        except AssertionError as error:
            # Nothing of it was done, as those who read were in its way.
            if "deadlock detected" in str(error) and "--single-transaction" in command:
                continue
            raise
        return


@pytest.mark.parametrize("way", WAYS)
async def test_nothing_of_a_state_that_was_lost_by_a_restore_is_shown(
    database: Database, connection: asyncpg.Connection, given: Given, tmp_path: Path, way: str
) -> None:
    folder, dump, how = await dumps.tools(database.dsn), str(tmp_path / "dump"), WAYS[way]
    books = await Books.open(connection)
    # One that waits to be analysed: its job is in the dump, and made again by whoever inserts the call.
    await given.call(await given.agency(), analysis_status="pending")

    async def lose() -> asyncpg.Connection:
        await _restore(connection, how, folder, dump, database.dsn)
        return connection

    # While tables are missing there is much to log, and to render it here would take the time of those who ask.
    with capture_logs():
        async with running(as_shipped(database.dsn)) as gateway, crowded(gateway, books.user) as crowd:
            for number in range(max(2, -(-ROUNDS // len(WAYS)))):
                await crowd.see(books, connection, 10)
                await _run(folder / "pg_dump", *how.dumped, "--format=custom", f"--file={dump}", database.dsn)
                await crowd.see_another_history(
                    books, connection, lose, at_once=number % 2 == 1, even_errors=bool(how.before)
                )
            assert crowd.reused > 0
            assert crowd.statuses[304] > 0


async def _restore(connection: asyncpg.Connection, way: Way, folder: Path, dump: str, dsn: str) -> None:
    while way.before:
        # Whoever empties one table after the other may meet those who read them in another order.
        with suppress(asyncpg.DeadlockDetectedError):
            await connection.execute(way.before)
            break
    await _run(folder / "pg_restore", *way.options, "--exit-on-error", f"--dbname={dsn}", dump, session=way.session)
    await connection.reload_schema_state()
