"""The command line."""

import asyncio
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from database.address import read_address
from database.migrate import CONNECT_SECONDS, migrate
from database.reach import connect
from database.rebuild import rebuild
from gateway import cli_enrichment
from gateway import demo as demonstration
from gateway import doctor as examination
from gateway.errors import SettingsError
from gateway.explained import explained
from gateway.logs import configure
from gateway.serve import serve as run_server
from gateway.settings import Need, Settings, read_settings
from gateway.signals import Signals
from gateway.tokens import mint
from gateway.workers import serve_by_workers

DATABASE_ONLY: tuple[Need, ...] = ("database",)
DEMO_SEED = 20260101

app = typer.Typer(
    help="An analytics gateway for voice-AI calling platforms: GraphQL and the legacy REST endpoints.\n\n"
    "Exit codes: 0 when done, and when ended by SIGTERM or Ctrl-C; 1 when something is found to be wrong (doctor, "
    "reconcile) or no server process stays; 2 when it cannot be done as things are, with the reason.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out, err = Console(), Console(stderr=True)

log = structlog.get_logger()

DataDir = Annotated[Path, typer.Option(help="Where the demo keeps its database.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gateway {version('voice-analytics-gateway')}")
        raise typer.Exit


@app.callback()
def gateway(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version, and end.")
    ] = False,
) -> None:
    """Only there for the option."""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; HOST otherwise.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; PORT otherwise.")] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes; WORKERS otherwise.")] = None,
) -> None:
    """Serve the gateway, set up from the environment."""
    flags = {"host": host, "port": port, "workers": workers}
    given: dict[str, Any] = {name: value for name, value in flags.items() if value is not None}
    with explained():
        read = read_settings(**given)
        configure(read)
        for remark in read.remarks():
            log.warning("settings", remark=remark)
        if read.workers == 1:
            Signals()  # heard from now on, and after uvicorn has ended what was under way
            run_server(read)
        else:
            serve_by_workers(read)


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    data_dir: DataDir = demonstration.DATA_DIR,
    reset: Annotated[bool, typer.Option("--reset", help="Begin with new demo data.")] = False,
    seed: Annotated[int, typer.Option(help="Demo data are the same for the same seed and time.")] = DEMO_SEED,
) -> None:
    """Serve the gateway on an embedded PostgreSQL with demo data, until Ctrl-C."""
    with explained():
        demonstration.run_demo(port=port, host=host, data_dir=data_dir, reset=reset, seed=seed)


@app.command()
def settings() -> None:
    """Print the settings in force, secrets hidden."""
    with explained():
        table = Table("variable", "value", box=None)
        for name, value in read_settings(needs=()).shown().items():
            table.add_row(name, value)
        out.print(table)


@app.command()
def doctor() -> None:
    """Check the database and the issuer, and say in plain words what is wrong."""
    with explained(), err.status(f"Looking, at each thing for no longer than {examination.CHECK_SECONDS:g} s"):
        findings = asyncio.run(examination.examine(read_settings()))
    out.print(examination.report(findings))
    if any(finding.ok is False for finding in findings):
        raise typer.Exit(1)


@app.command()
def token(
    user: Annotated[UUID | None, typer.Argument(help="The user's id; the demo's owner without one.")] = None,
    hours: Annotated[float, typer.Option(help="How long it is valid.", min=0)] = 24,
    data_dir: DataDir = demonstration.DATA_DIR,
) -> None:
    """Mint a token for a user: with SUPABASE_JWT_SECRET if it is set, for the demo otherwise."""
    lasts = timedelta(hours=hours)
    with explained():
        secret = read_settings(needs=()).supabase_jwt_secret
        if secret is not None:
            if user is None:
                raise SettingsError("Name the user: gateway token USER_ID")
            typer.echo(mint(secret.get_secret_value(), user, expires_in=lasts))
        elif user is None:
            typer.echo(demonstration.demo_token(data_dir, expires_in=lasts))
        else:
            typer.echo(demonstration.demo_token(data_dir, user, expires_in=lasts))


@app.command(name="migrate")
def migrate_command() -> None:
    """Bring the database's tables, functions and triggers up to date."""
    with explained():
        applied = migrate(_url(read_settings(needs=DATABASE_ONLY)))
    for name in applied:
        typer.echo(f"applied {name}")
    if not applied:
        typer.echo("nothing to apply")


@app.command(name="rebuild")
def rebuild_command(
    from_day: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First UTC day.")] = None,
    to_day: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last UTC day.")] = None,
    agency: Annotated[UUID | None, typer.Option(help="Only this agency.")] = None,
) -> None:
    """Recount the daily rollups from the calls and repair what differs. Writers need not stop."""

    async def run() -> int:
        connection = await connect(read_address(_url(read_settings(needs=DATABASE_ONLY))), CONNECT_SECONDS)
        try:
            with Progress(
                TextColumn("recounting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=err
            ) as bar:
                task = bar.add_task("recounting", total=None)
                return await rebuild(
                    connection,
                    agency=agency,
                    from_day=from_day.date() if from_day else None,
                    to_day=to_day.date() if to_day else None,
                    progress=lambda done, total: bar.update(task, completed=done, total=total),
                )
        finally:
            await connection.close()

    with explained():
        typer.echo(f"{asyncio.run(run())} rows repaired")


@app.command()
def psql(data_dir: DataDir = demonstration.DATA_DIR) -> None:
    """Open psql on the running demo's database."""
    with explained():
        demonstration.run_psql(data_dir)


cli_enrichment.add_to(app)


def _url(read: Settings) -> str:
    return read.database_url.get_secret_value()
