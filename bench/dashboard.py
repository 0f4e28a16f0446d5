"""The whole dashboard and the overview alone: requests a second and CPU a request, of everyone, in turns."""

import asyncio
from contextlib import ExitStack
from datetime import UTC, datetime
from statistics import median

from rich.console import Console

from bench import database_alone
from bench.contenders import DASHBOARD, FIXED, GATEWAY, HANDLER, VARIABLES, contenders
from bench.data import SECRET, STANDARD, Agency, fill, new_database, postgres
from bench.servers.sections import PAGE, SQL, TEXTS
from bench.servers.tokens import days_of
from bench.serving import Measured, all_started, check_equal, measure, postmaster
from bench.statements import Recorded, statements_of
from bench.tables import Middle, Table, against, compared, figure
from database.embedded import Server

ROUNDS, SECONDS, CONCURRENCY = 5, 1.2, 8
FEW = (1, 2, 4)


def main() -> list[Table]:
    """Takes about three minutes."""
    console = Console()
    with ExitStack() as stack:
        server = stack.enter_context(postgres())
        dsn = asyncio.run(new_database(server, "bench"))
        agency = asyncio.run(fill(dsn, {"agency": STANDARD}))["agency"]
        started = all_started(stack, contenders(), dsn, agency)
        for question in ("full", "overview"):
            check_equal(started, question)
        console.print(f"{len(started)} contenders give equal answers")
        started += all_started(stack, [FIXED], dsn, agency)
        tables = []
        for question, title in (("full", "The whole dashboard"), ("overview", "The overview alone")):
            measured = measure(
                started, question, postmaster(server), rounds=ROUNDS, seconds=SECONDS, concurrency=CONCURRENCY
            )
            servers = {name: rounds for name, rounds in measured.items() if name != FIXED.name}
            if question == "full":
                measured |= _database_alone(server, dsn, agency)
            fixed = figure(Middle.of(measured.pop(FIXED.name)).per_second)
            notes = [
                f"{CONCURRENCY} requests at a time, medians of {ROUNDS} rounds of {SECONDS} s, equal answers checked "
                f"before. The floor of all: {fixed} requests/s with the same bytes every time. `{HANDLER.name}` is an "
                "ASGI handler by hand that reads heatmap and objections from the calls, `handler, rollups` the same "
                "with the gateway's own statements for these two; pgbench runs an answer's statements one after the "
                "other without any server."
            ]
            tables += [
                compared(title, measured, HANDLER.name, notes),
                against(f"{title}: the gateway beside each", servers, GATEWAY.name),
            ]
        few = {
            number: measure(started[:-1], "full", postmaster(server), rounds=2, seconds=1, concurrency=number)
            for number in FEW
        }
        rows = [
            (
                one.contender.name,
                *(figure(median(m.load.p50_ms for m in few[number][one.contender.name])) for number in FEW),
            )
            for one in started[:-1]
        ]
        tables.append(Table("The whole dashboard, few at a time: p50 ms", ("", *map(str, FEW)), rows))
    return tables


def _database_alone(server: Server, dsn: str, agency: Agency) -> dict[str, list[Measured]]:
    if (pgbench := database_alone.find_pgbench(server)) is None:
        Console().print("pgbench is not to be found: PostgreSQL alone is not measured")
        return {}
    authorization = f"Bearer {agency.token}"
    ours = asyncio.run(statements_of(dsn, SECRET, authorization, DASHBOARD, VARIABLES)).statements
    sets = {
        f"pgbench, {GATEWAY.name}'s SQL": ours,
        f"pgbench, {HANDLER.name}'s SQL": _by_hand(agency),
    }
    found: dict[str, list[Measured]] = {name: [] for name in sets}
    for _ in range(ROUNDS):
        for name, statements in sets.items():
            found[name].append(database_alone.run(pgbench, server, dsn, statements, CONCURRENCY, 2))
    return found


def _by_hand(agency: Agency) -> list[Recorded]:
    asked = (agency.id, *days_of("LAST_30_DAYS", datetime.now(UTC).date()))
    arguments = {"batches": (agency.id, PAGE), "objections": (*asked, TEXTS)}
    return [(sql, arguments.get(name, asked)) for name, sql in SQL.items()]
