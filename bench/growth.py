"""What growth costs: others' calls, one's own, longer ranges. Each step is a database, and all are asked in turns."""

import asyncio
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta

from bench.contenders import DAILY, DASHBOARD, body, gateway
from bench.data import STANDARD, Agency, Size, fill, new_database, postgres
from bench.serving import Started, measure, postmaster, started
from bench.tables import Middle, Table, figure
from database.embedded import Server

OTHER = Size(calls=10_000)
RANGES = (7, 30, 90, 365)
ROUNDS, SECONDS = 5, 0.6


def main() -> list[Table]:
    """Takes about two minutes, most of them to fill."""
    with ExitStack() as stack:
        server = stack.enter_context(postgres())
        databases, agencies = asyncio.run(_fill(server))
        today = datetime.now(UTC).date()
        bodies = {f"{what} {days}": _asked(what, days, today) for what in ("full", "daily") for days in RANGES}
        others = [
            stack.enter_context(started(gateway(f"others x {times}", bodies), databases[times], agencies["agency"]))
            for times in (1, 10, 100)
        ]
        own, ten, year = (
            stack.enter_context(started(gateway(name, bodies), databases[0], agencies[agency]))
            for name, agency in (("own x 1", "agency"), ("own x 10", "tenfold"), ("a year", "year"))
        )
        return [
            _table(f"Calls of other agencies: x 1 is {OTHER.calls:,}", server, others),
            _table(f"Calls of one's own: x 1 is {STANDARD.calls:,} in {STANDARD.days} days", server, [own, ten]),
            _ranges(server, year),
        ]


async def _fill(server: Server) -> tuple[dict[int, str], dict[str, Agency]]:
    """Databases by how many other agencies there are, and one (0) in which the agency itself has grown."""
    databases = {1: await new_database(server, "others_1")}
    agencies = await fill(databases[1], {"agency": STANDARD, "other 1": OTHER})
    databases[0] = await new_database(server, "grown", like="others_1")
    grown = {"tenfold": Size(10 * STANDARD.calls), "year": Size(STANDARD.calls * 365 // 90 // 100 * 100, days=365)}
    agencies |= await fill(databases[0], grown)
    for times, before in ((10, 1), (100, 10)):
        databases[times] = await new_database(server, f"others_{times}", like=f"others_{before}")
        like = Size(like="other 1")
        await fill(databases[times], {f"other {number}": like for number in range(before + 1, times + 1)})
    return databases, agencies


def _asked(what: str, days: int, today: date) -> bytes:
    """A document about so many days. A heatmap covers 90 at most."""
    names = {7: "LAST_7_DAYS", 30: "LAST_30_DAYS", 90: "LAST_90_DAYS"}
    custom = {"period": "CUSTOM", "startDate": str(today - timedelta(days=days - 1)), "endDate": str(today)}
    filters = {"period": names[days]} if days in names else custom
    variables = {"filters": filters, "campaignsFilters": filters}
    if what == "daily":
        return body(DAILY, **variables)
    return body(DASHBOARD, **variables, heatmapFilters={"period": names.get(days, "LAST_90_DAYS")})


def _table(title: str, server: Server, steps: list[Started]) -> Table:
    middles = {what: _middles(server, steps, f"{what} 30") for what in ("full", "daily")}
    rows = []
    for step in steps:
        row = [step.contender.name]
        for found in middles.values():
            middle, first = found[step.contender.name], found[steps[0].contender.name]
            row += [figure(middle.p50_ms), f"{middle.p50_ms / first.p50_ms:.2f}", figure(middle.postgres_ms)]
        rows.append(row)
    columns = (
        "30 days, one request at a time",
        "dashboard p50 ms",
        "of the first",
        "PostgreSQL CPU ms",
        "five daily sections p50 ms",
        "of the first",
        "PostgreSQL CPU ms",
    )
    return Table(title, columns, rows)


def _ranges(server: Server, year: Started) -> Table:
    rows = []
    for days in RANGES:
        full, daily = (_middles(server, [year], f"{what} {days}")[year.contender.name] for what in ("full", "daily"))
        rows.append((str(days), figure(full.p50_ms), figure(daily.p50_ms)))
    columns = ("days", "dashboard p50 ms", "five daily sections p50 ms")
    note = "An agency with a year of calls, one request at a time; the heatmap covers 90 days at most."
    return Table("Longer ranges", columns, rows, [note])


def _middles(server: Server, steps: list[Started], question: str) -> dict[str, Middle]:
    measured = measure(steps, question, postmaster(server), rounds=ROUNDS, seconds=SECONDS, concurrency=1)
    return {name: Middle.of(rounds) for name, rounds in measured.items()}
