"""The command line's part for the writing side."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Annotated, TypeVar
from uuid import UUID

import asyncpg
import structlog
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from database.address import read_address
from database.binaries import EmbeddedError
from database.demo_live import Placed
from database.demo_live import simulate as place_calls
from database.reach import Servers
from enrichment import desk
from enrichment.connections import Connections
from gateway import demo as demonstration
from gateway import writing
from gateway.errors import SettingsError
from gateway.explained import explained
from gateway.logs import configure
from gateway.settings import Need, Settings, read_settings
from gateway.signals import Signals

_T = TypeVar("_T")

log = structlog.get_logger()

out, err = Console(), Console(stderr=True)

DataDir = Annotated[Path, typer.Option(help="Where the running demo's database is, used when DATABASE_URL is not set.")]
Agency = Annotated[UUID | None, typer.Option(help="Only this agency.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (worker, queue, analyse, reanalyse, reconcile, simulate):
        app.command()(command)


def worker(
    drain: Annotated[bool, typer.Option("--drain", help="End when no job is left.")] = False,
    until_input_ends: Annotated[bool, typer.Option("--until-input-ends", hidden=True)] = False,
    data_dir: DataDir = demonstration.DATA_DIR,
) -> None:
    """Analyse calls as they end, and recount the last days every 6 hours, until Ctrl-C. Start as many as you like."""
    Signals()  # heard from the beginning; the worker then listens itself
    with explained():
        settings = _settings(data_dir, "analyser")
        configure(settings)
        for remark in settings.remarks():
            log.warning("settings", remark=remark)
        asyncio.run(writing.run_worker(settings, drain=drain, until_input_ends=until_input_ends))


def queue(data_dir: DataDir = demonstration.DATA_DIR) -> None:
    """Show what waits to be analysed, and what was set aside and why."""
    rows = _ask(data_dir, lambda connections, _: desk.queue_state(connections))
    if not rows:
        typer.echo("nothing waits")
        return
    columns = ("agency", "job_type", "due", "later", "running", "set_aside", "oldest", "commonest_reason")
    table = Table(*(name.replace("_", " ") for name in columns), box=None)
    for row in rows:
        shown = {**row, "oldest": f"{row['oldest']:%Y-%m-%d %H:%M}" if row["oldest"] else ""}
        table.add_row(*(str(shown[name]) if shown[name] is not None else "" for name in columns))
    out.print(table)
    if any(row["set_aside"] for row in rows):
        typer.echo("To try those that were set aside once more: gateway reanalyse --set-aside")


def analyse(
    call: Annotated[UUID, typer.Option(help="The call's id.")],
    data_dir: DataDir = demonstration.DATA_DIR,
) -> None:
    """Show what the analyser finds in a call, as JSON. Nothing is written."""

    async def ask(connections: Connections, settings: Settings) -> str:
        understands = writing.analyser(settings)
        try:
            return (await desk.analyse_call(connections, understands, call)).model_dump_json(indent=2)
        finally:
            await understands.close()

    typer.echo(_ask(data_dir, ask, "analyser"))


def reanalyse(
    from_day: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First UTC day.")] = None,
    to_day: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last UTC day.")] = None,
    agency: Agency = None,
    set_aside: Annotated[bool, typer.Option("--set-aside", help="Only calls whose analysis failed.")] = False,
    data_dir: DataDir = demonstration.DATA_DIR,
) -> None:
    """Queue calls to be analysed once more, and those that nobody has queued.

    Their numbers stay until new ones replace them.
    """

    async def ask(connections: Connections, _: Settings) -> int:
        with Progress(SpinnerColumn(), TextColumn("{task.completed:,.0f} calls queued"), console=err) as bar:
            task = bar.add_task("queueing", total=None)
            return await desk.reanalyse(
                connections,
                agency=agency,
                from_day=from_day.date() if from_day else None,
                to_day=to_day.date() if to_day else None,
                only_set_aside=set_aside,
                progress=lambda done: bar.update(task, completed=done),
            )

    typer.echo(f"{_ask(data_dir, ask)} calls queued")


def reconcile(
    days: Annotated[int, typer.Option(help="So many days, today among them (UTC).", min=1)] = 7,
    data_dir: DataDir = demonstration.DATA_DIR,
) -> None:
    """Show where the rollups differ from a recount of the calls, and why changes cannot be added to them, if so.

    Exit code 1 if either is so.
    """
    today = datetime.now(UTC).date()

    async def ask(connections: Connections, _: Settings) -> tuple[Sequence[asyncpg.Record], Sequence[str]]:
        return await desk.drift(connections, today, days), await desk.failing_folds(connections)

    found, failures = _ask(data_dir, ask)
    for reason in failures:
        err.print(f"Changes of calls wait and cannot be added up: {reason}", style="red", soft_wrap=True)
    if not found:
        typer.echo(f"no drift in the last {days} days")
        if failures:
            typer.echo(
                "Reports count what waits, and take longer the more it is. Mend the reason; the next fold takes it all."
            )
            raise typer.Exit(1)
        return
    table = Table("agency", "day", "off by (added up over the day's rows)", box=None)
    for (agency, day), counters in groupby(found, key=lambda row: (row["agency"], row["stat_date"])):
        table.add_row(agency, str(day), ", ".join(f"{row['counter']} {row['off_by']:f}" for row in counters))
    out.print(table)
    typer.echo("The next scheduled recount repairs the last 7 days; for others, or at once: gateway rebuild")
    raise typer.Exit(1)


def simulate(
    every: Annotated[float, typer.Option(help="Seconds from one call to the next, on average.", min=0.01)] = 1.0,
    speed: Annotated[float, typer.Option(help="So many times as fast as real calls.", min=1)] = 20.0,
    calls: Annotated[int | None, typer.Option(help="So many calls; without it, until Ctrl-C.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="The same calls for the same seed.")] = None,
    data_dir: DataDir = demonstration.DATA_DIR,
) -> None:
    """Go on placing calls in the running demo, so that one can watch the numbers move."""

    def tell(call: Placed) -> None:
        out.print(
            f"{call.agency}: {call.campaign}, {call.seconds} s, {call.outcome.replace('_', ' ')}", highlight=False
        )

    async def run(dsn: str) -> int:
        servers = Servers(read_address(dsn))
        async with asyncpg.create_pool(connect=servers, min_size=1, max_size=4) as pool:
            chosen = secrets.randbits(32) if seed is None else seed
            return await place_calls(pool, every_seconds=every, speed=speed, calls=calls, seed=chosen, tell=tell)

    with explained():
        settings = _settings(data_dir)
        try:
            typer.echo(f"{asyncio.run(run(settings.database_url.get_secret_value()))} calls placed")
        except KeyboardInterrupt:
            err.print("Stopped. Calls under way stay as they are.")


def _settings(data_dir: Path, *needs: Need) -> Settings:
    """The settings, with the running demo's database where none is named."""
    settings = read_settings(needs=())
    if settings.database_url.get_secret_value():
        return read_settings(needs=("database", *needs))
    try:
        database_url = demonstration.demo_database(data_dir)
    except EmbeddedError as error:
        raise SettingsError(f"DATABASE_URL is not set. {error}") from None
    return read_settings(needs=needs, database_url=database_url, database_pooler="none", log_format="console")


def _ask(data_dir: Path, ask: Callable[[Connections, Settings], Awaitable[_T]], *needs: Need) -> _T:
    async def run(settings: Settings) -> _T:
        async with writing.connected(settings, patient=False) as connections:
            return await ask(connections, settings)

    with explained():
        return asyncio.run(run(_settings(data_dir, *needs)))
    raise AssertionError("unreachable")
