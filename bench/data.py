"""The data that is measured: a durable embedded PostgreSQL, and agencies filled with calls that are all settled."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from math import ceil
from pathlib import Path
from uuid import UUID

import asyncpg

from database.embedded import Server, embedded
from database.migrate import migrate
from database.rebuild import rebuild
from gateway.tokens import mint

SECRET = "a-secret-of-the-benchmarks-that-is-long-enough"  # noqa: S105  of a database that lives for minutes, on a socket of ours
POSTGRES = {"shared_buffers": "1GB", "max_wal_size": "8GB", "max_connections": "200"}
"""What differs from PostgreSQL's defaults: the data fit into memory, and no checkpoint falls into a measurement."""

_FILL = (Path(__file__).parent / "sql" / "fill.sql").read_text("utf-8")


@dataclass(frozen=True)
class Size:
    """How much one agency has."""

    calls: int = 30_000
    days: int = 90
    clients: int = 4
    campaigns: int = 12
    batches: int = 20
    like: str | None = None
    """The agency whose calls these are copies of, a little later: quicker than to make them."""


STANDARD = Size()


@dataclass(frozen=True)
class Agency:
    """A filled agency and its owner."""

    id: UUID
    user: UUID

    @property
    def token(self) -> str:
        """The owner's token, good for longer than any benchmark."""
        return mint(SECRET, self.user, expires_in=timedelta(hours=6))


@contextmanager
def postgres() -> Iterator[Server]:
    """A server of our own, as durable as a live one."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o711)  # as root PostgreSQL runs as another user
        with embedded(Path(folder) / "data", settings=POSTGRES) as server:
            yield server


async def new_database(server: Server, name: str, *, like: str | None = None) -> str:
    """A new migrated database in place of any of this name, or a copy of one; gives its address."""
    admin = await asyncpg.connect(server.dsn())
    await admin.execute(f"drop database if exists {name} with (force)")
    await admin.execute(f"create database {name} template {like or 'template1'}")
    await admin.close()
    await asyncio.to_thread(migrate, server.dsn(name))
    return server.dsn(name)


async def fill(dsn: str, agencies: dict[str, Size], today: date | None = None) -> dict[str, Agency]:
    """Adds agencies to a migrated database, by name, and counts and analyses what is then there."""
    today = today or datetime.now(UTC).date()
    connection = await asyncpg.connect(dsn, server_settings={"synchronous_commit": "off", "jit": "off"})
    try:
        await connection.execute(_FILL)
        # Neither triggers nor foreign keys look at each row: the rows are right, and the rollups are counted below. Who
        # may not say so waits longer for the same.
        if await connection.fetchval("select rolsuper from pg_roles where rolname = current_user"):
            await connection.execute("set session_replication_role = replica")
        made = {}
        for name, size in agencies.items():
            # So many are made one by one as can be, and the others are like them.
            times = next(n for n in count(max(1, ceil(size.calls / STANDARD.calls))) if size.calls % n == 0)
            base = 0 if size.like else size.calls // times
            shape = (base, size.days, size.clients, size.campaigns, size.batches)
            await connection.execute("select pg_temp.fill($1, $2, $3, $4, $5, $6, $7)", name, *shape, today)
            if size.like:
                await connection.execute("select pg_temp.multiply($1, $2, 1)", size.like, name)
            elif times > 1:
                await connection.execute("select pg_temp.multiply($1, $1, $2)", name, times - 1)
            made[name] = await _agency(connection, name)
        await connection.execute("reset session_replication_role")
        for agency in made.values():
            await rebuild(connection, agency=agency.id, from_day=None, to_day=None, progress=lambda *_: None)
        # So that index-only scans see what they would see a while later, and no vacuum falls into a measurement.
        await connection.execute("vacuum (analyze)")
    finally:
        await connection.close()
    return made


async def _agency(connection: asyncpg.Connection, name: str) -> Agency:
    row = await connection.fetchrow(
        "select a.id, u.id as user_id from agencies as a join users as u on u.agency_id = a.id where a.slug = $1", name
    )
    return Agency(row["id"], row["user_id"])
