"""`gateway demo`: the whole product from nothing on one machine, served until Ctrl-C, with nothing left running."""

import asyncio
import errno
import json
import os
import secrets
import shlex
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import asyncpg
import uvicorn
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from database.binaries import EmbeddedError
from database.demo import DEMO_OWNER_ID
from database.embedded import Server, attach, embedded, remove
from database.migrate import MigrationError, migrate
from gateway.demo_data import ENDED, explaining, fill_in, is_for_lack_of_room, look_for_room, why_it_ended
from gateway.demo_worker import show_progress, working
from gateway.errors import SettingsError
from gateway.logs import configure
from gateway.serve import bound, server_config
from gateway.settings import Settings, read_settings
from gateway.signals import Signals, Stopped
from gateway.tokens import mint

DATABASE = "gateway"
DATA_DIR = Path(".demo")
TOKEN_LASTS = timedelta(days=30)
_out = Console()
_err = Console(stderr=True)


def run_demo(port: int, host: str, data_dir: Path, reset: bool, seed: int) -> None:
    """Serve the demo from `data_dir` until Ctrl-C or SIGTERM (raises `Stopped`), which leave nothing running.

    Raises:
        SettingsError: the port cannot be had, or a setting of the environment is wrong.
        EmbeddedError: PostgreSQL cannot be started, or `reset` is asked for a folder that is in use or not ours.
        MigrationError: the database could not be migrated.
    """
    signals = Signals()
    try:
        with _bound(host, port) as listener:
            if reset:
                remove(_cluster(data_dir))
            look_for_room(_cluster(data_dir))
            _err.print("Starting PostgreSQL …")
            bin_dir = read_settings(needs=()).postgres_bin_dir
            with embedded(_cluster(data_dir), bin_dir=bin_dir) as server, explaining(server):
                _tell_where(server, data_dir)
                prepared = signals.run(lambda: _prepare(server, data_dir, seed))
                settings = read_settings(
                    database_url=server.dsn(DATABASE), database_pooler="none", database_replica_urls=(),
                    supabase_jwt_secret=prepared.secret, supabase_jwt_issuer=None, supabase_url=None,
                    supabase_jwks_url=None, graphiql=True, introspection=True,
                    supabase_publishable_key=None, page_token=demo_token(data_dir), log_format="console",
                    log_level="warning", host=host, port=listener.getsockname()[1],
                )  # fmt: skip
                with working(server.dsn(DATABASE), data_dir):
                    announce = partial(_announce, settings, data_dir, prepared)
                    _serve(settings, listener, signals, announce, server)
    except Stopped:
        _err.print("Stopped.")
        raise


def run_psql(data_dir: Path) -> None:
    """Become psql on the running demo's database; does not return.

    Raises:
        EmbeddedError: no demo runs on this folder, or there is no psql.
    """
    server = _running(data_dir)
    psql = shutil.which("psql", path=server.bin_dir) or shutil.which("psql")
    if psql is None:
        raise EmbeddedError(f"There is no psql in {server.bin_dir} or on the PATH. Connect to {server.dsn(DATABASE)}")
    os.execv(psql, ["psql", server.dsn(DATABASE)])  # noqa: S606


def demo_database(data_dir: Path) -> str:
    """The address of the running demo's database.

    Raises:
        EmbeddedError: no demo runs on this folder.
    """
    return _running(data_dir).dsn(DATABASE)


def demo_token(data_dir: Path, user_id: UUID = DEMO_OWNER_ID, *, expires_in: timedelta = TOKEN_LASTS) -> str:
    """A token that the demo of this folder accepts, now and after a restart.

    Raises:
        SettingsError: no demo has run on this folder, or another user's.
    """
    try:
        return mint(_secret_path(data_dir).read_text(), user_id, expires_in=expires_in)
    except FileNotFoundError:
        raise SettingsError(f"No demo has run on {data_dir} yet. Start one with: make demo") from None
    except PermissionError as error:
        raise SettingsError(f"{error}. Ask as the user who started the demo.") from None


class _AnnouncingServer(uvicorn.Server):
    """A server that says when it really serves."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and not self.should_exit:
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self.force_exit:
            # A second Ctrl-C: uvicorn waits no longer, but then leaves the app open, whose end looks like a failure.
            for task in self.server_state.tasks:
                task.cancel()
            await self.lifespan.shutdown()


@dataclass(frozen=True)
class _Prepared:
    """What `_prepare` found or made."""

    who: str
    filled: bool
    last_day: date | None
    secret: str = field(repr=False)


def _bound(host: str, port: int) -> socket.socket:
    """The port, taken before anything is started, so that it is ours when all is ready; uvicorn then listens on it."""
    advice = f"Choose another: make demo PORT={8124 if port == 8123 else 8123} (`gateway demo` takes --port)."
    no_host = f"{host} is no address of this machine. Take --host 127.0.0.1, or 0.0.0.0 for all of them."
    if not 0 <= port <= 65535:
        raise SettingsError(f"Port {port} does not exist; ports are 1 to 65535. {advice}")
    try:
        return bound(host, port)
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise SettingsError(no_host) from None
        reasons = {
            errno.EADDRINUSE: f"Port {port} on {host} is in use. {advice}",
            errno.EACCES: f"Port {port} is not for ordinary users. {advice}",
        }
        raise SettingsError(reasons.get(error.errno or 0, f"Port {port} on {host}: {error}. {advice}")) from None


async def _prepare(server: Server, data_dir: Path, seed: int) -> _Prepared:
    """Bring database, tables, data and secret about, each only where it is missing."""
    async with _connected(server.dsn()) as connection:
        await _in_turn(connection)
        if not await connection.fetchval("select exists (select from pg_database where datname = $1)", DATABASE):
            await connection.execute(f"create database {DATABASE}")
        _err.print("Bringing the tables up to date …")
        try:
            await asyncio.to_thread(migrate, server.dsn(DATABASE))
        except MigrationError as error:
            if is_for_lack_of_room(server, error):
                raise EmbeddedError(why_it_ended(server, error)) from None
            raise MigrationError(f"{error} Data that another version made are replaced by: make demo RESET=1") from None
        async with _connected(server.dsn(DATABASE)) as database:
            filled = not await database.fetchval("select exists (select from agencies)")
            if filled:
                _err.print("Filling in three months of calls …")
                with _progress() as progress:
                    await fill_in(database, seed, progress)
            owner = await database.fetchrow(
                "select u.email, u.role::text, a.name, (select max(stat_date) from call_stats_daily) as last_day "
                "from users as u join agencies as a on a.id = u.agency_id where u.id = $1",
                DEMO_OWNER_ID,
            )
        if owner is None:
            raise SettingsError(f"{data_dir} holds other data than the demo's. Begin anew with: make demo RESET=1")
        who = f"{owner['email']}, {owner['role']} of {owner['name']}"
        return _Prepared(who, filled, owner["last_day"], _secret(data_dir))


async def _in_turn(connection: asyncpg.Connection) -> None:
    """Demos that start on one folder at the same time prepare it one after the other."""
    told = False
    while not await connection.fetchval("select pg_try_advisory_lock(hashtext('gateway demo'))"):
        if not told:
            _err.print("Another demo is preparing this data; waiting for it. (Ctrl-C ends the waiting.)")
            told = True
        await asyncio.sleep(0.5)


def _serve(
    settings: Settings, listener: socket.socket, signals: Signals, announce: Callable[[], None], server: Server
) -> None:
    configure(settings)
    config = server_config(settings)
    progress: list[asyncio.Task[None]] = []

    def announce_and_show() -> None:
        announce()
        progress.append(asyncio.create_task(analysing()))

    async def analysing() -> None:
        try:
            await show_progress(server.dsn(DATABASE), _err)
        except ENDED as error:
            _err.print(f"\n{why_it_ended(server, error)}", soft_wrap=True)

    async def serve() -> None:
        try:
            await _AnnouncingServer(config, announce_and_show).serve(sockets=[listener])
        finally:
            for task in progress:
                task.cancel()
            await asyncio.gather(*progress, return_exceptions=True)

    signals.run(serve, config.get_loop_factory())


def _announce(settings: Settings, data_dir: Path, prepared: _Prepared) -> None:
    """Addresses, a token and lines to paste; what is to be copied is never wrapped, however narrow the terminal."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    base = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    token = demo_token(data_dir)
    query = "{ overview(filters: {period: LAST_30_DAYS}) { summary { totalCalls contactRate meetingsBooked } } }"
    bearer = f"-H 'Authorization: Bearer {token}'"
    overview = f"{base}/functions/v1/dashboard-overview?period=30d"

    def heading(text: str) -> None:
        _out.print(f"\n[bold]{text}[/bold]", highlight=False, soft_wrap=True)

    def verbatim(*lines: str) -> None:
        for line in lines:
            _out.out(line, highlight=False)

    heading("The demo is being served")
    verbatim(
        f"  Dashboard  {base}/",
        f"  GraphiQL   {base}/graphql",
        f"  REST       {overview}",
        f"  OpenAPI    {base}/openapi.json",
    )
    heading(f"A token ({prepared.who}; {TOKEN_LASTS.days} days)")
    verbatim(token)
    heading("GraphQL from a shell")
    body = json.dumps({"query": query})
    verbatim(f"curl -s {base}/graphql {bearer} -H 'Content-Type: application/json' -d '{body}'")
    heading("REST from a shell")
    verbatim(f"curl -s '{overview}' {bearer}")
    heading("More calls, to watch the numbers move")
    place = "" if data_dir == DATA_DIR else f" --data-dir {shlex.quote(str(data_dir))}"
    verbatim(f"{sys.argv[0]} simulate{place}")
    if not prepared.filled and prepared.last_day and prepared.last_day < datetime.now(UTC).date():
        heading(f"The data ends on {prepared.last_day}. For new data up to now: make demo RESET=1")
    heading("Ctrl-C stops everything.")
    _out.file.flush()


def _tell_where(server: Server, data_dir: Path) -> None:
    if not server.owner:
        _err.print(
            "Another demo runs on this data: this one shares its database, which goes when that one stops.",
            soft_wrap=True,
        )
    elif server.data_dir != _cluster(data_dir).resolve():
        _err.print(
            f"The user PostgreSQL runs as cannot reach {data_dir}: the data lies in {server.data_dir}.", soft_wrap=True
        )


def _running(data_dir: Path) -> Server:
    server = attach(_cluster(data_dir))
    if server is None:
        raise EmbeddedError(f"No demo runs on {data_dir}. Start one in another terminal with: make demo")
    return server


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar a step, gone when all are done; nothing where nobody looks."""
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=_err, transient=True, disable=not _err.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step)
            bars.update(tasks[step], completed=done, total=total)

        yield show


def _cluster(data_dir: Path) -> Path:
    # Lock, log and secret lie beside it and so inside of the demo's one folder.
    return data_dir / "postgres"


def _secret_path(data_dir: Path) -> Path:
    return data_dir / "jwt_secret"


def _secret(data_dir: Path) -> str:
    """The secret of this folder's tokens, kept so that a token outlives a restart."""
    path = _secret_path(data_dir)
    if not path.exists():
        # A temporary file is its owner's alone (0600); renamed, so that a half-written secret is never read.
        with tempfile.NamedTemporaryFile("w", dir=data_dir, delete=False) as new:
            new.write(secrets.token_urlsafe(48))
        Path(new.name).rename(path)
    return path.read_text()
