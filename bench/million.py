"""An agency with a million calls in 90 days: the gateway's heatmap and objections beside DuckDB on a sorted copy.

DuckDB runs on one thread, on columns made for it once, sorted by time and never written again. The gateway's statements
run as it sends them, prepared on one connection, over tables that every call's transaction keeps.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from math import nan
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from uuid import UUID

import asyncpg
import duckdb

from bench.contenders import part
from bench.data import SECRET, Agency, Size, fill, new_database, postgres
from bench.statements import Heard, statements_of
from bench.tables import Table, figure
from database.embedded import Server

CALLS, DAYS = 1_000_000, 90
ROUNDS, PATIENCE_MS = 7, 15_000
FIFTH, TWENTIETH = slice(2, 5), slice(18, 21)
"""The runs up to the fifth, after which PostgreSQL may change to a generic plan, and those around the twentieth."""
_SQL = {path.stem: path.read_text("utf-8") for path in (Path(__file__).parent / "sql").glob("duckdb_*.sql")}
_DOCUMENTS = {
    "heatmap": part(
        "Heatmap", "$heatmapFilters: HeatmapFilters!, $heatmapMetric: HeatmapMetric! = CALLS", ("heatmap",)
    ),
    "objections": part("Objections", "$filters: ReportFilters!", ("objections",)),
}


def main() -> list[Table]:
    """Takes about two minutes, most of them to fill."""
    with postgres() as server:
        return asyncio.run(_main(server))


async def _main(server: Server) -> list[Table]:
    dsn = await new_database(server, "bench")
    agency = (await fill(dsn, {"agency": Size(CALLS, DAYS)}))["agency"]
    connection = await asyncpg.connect(dsn)
    copy = await _copy(connection, agency)
    campaign, client = await connection.fetchrow(
        "select campaign_id, client_id from calls where agency_id = $1 group by 1, 2 order by count(*) desc limit 1",
        agency.id,
    )
    await connection.close()
    every = {"campaignId": str(campaign), "clientId": str(client)}
    compared, repeated = [], []
    for report in _DOCUMENTS:
        for how, narrowed in (("no filter", {}), ("campaign and client", every)):
            heard = await _heard(dsn, agency, report, narrowed)
            taken, theirs, runs = await _race(dsn, heard, copy, report, narrowed)
            compared.append((report, how, figure(taken), figure(theirs), f"{taken / theirs:.2f}"))
            fifth, twentieth = (median(runs[some] or [nan]) for some in (FIFTH, TWENTIETH))
            repeated.append((report, how, figure(fifth), figure(twentieth), figure(twentieth / fifth)))
    title = f"{CALLS:,} calls in {DAYS} days, all of them asked for"
    return [
        Table(title, ("report", "filters", "gateway's SQL ms", "DuckDB ms", "of DuckDB"), compared),
        Table(
            "The same prepared statement again",
            ("report", "filters", "runs 3 to 5 ms", "runs 19 to 21 ms", "of the earlier"),
            repeated,
        ),
    ]


async def _heard(dsn: str, agency: Agency, report: str, narrowed: dict[str, str]) -> Heard:
    filters = {"period": "LAST_90_DAYS", **narrowed}
    name = "heatmapFilters" if report == "heatmap" else "filters"
    return await statements_of(dsn, SECRET, f"Bearer {agency.token}", _DOCUMENTS[report], {name: filters})


async def _race(
    dsn: str, heard: Heard, copy: duckdb.DuckDBPyConnection, report: str, narrowed: dict[str, str]
) -> tuple[float, float, Sequence[float]]:
    """Medians of both, run in turns, and the gateway's first runs on a new connection in their order."""
    connection = await asyncpg.connect(dsn, server_settings=heard.session | {"statement_timeout": "0"})
    prepared = [(await connection.prepare(sql), arguments) for sql, arguments in heard.statements]

    async def ours() -> list[asyncpg.Record]:
        return [row for statement, arguments in prepared for row in await statement.fetch(*arguments)]

    first_day = datetime.now(UTC).date() - timedelta(days=DAYS - 1)
    where = " and campaign_id = $campaign and client_id = $client" if narrowed else ""
    asked: dict[str, Any] = {"first_day": first_day, "end": first_day + timedelta(days=DAYS)}
    if narrowed:
        asked |= {"campaign": UUID(narrowed["campaignId"]), "client": UUID(narrowed["clientId"])}
    sql = _SQL[f"duckdb_{report}"].replace(":where", where)

    def theirs() -> list[Any]:
        return copy.execute(sql, asked).fetchall()

    if _told(report, heard.data) != _found(report, theirs()):
        raise RuntimeError(f"the gateway and DuckDB do not agree about {report}")
    runs: list[float] = []
    while len(runs) < TWENTIETH.stop and sum(runs) < PATIENCE_MS:
        runs.append(await _ms(ours))
    pairs: list[tuple[float, float]] = []
    while len(pairs) < ROUNDS and sum(map(sum, pairs)) < PATIENCE_MS:
        begun = perf_counter()
        theirs()
        pairs.append(((perf_counter() - begun) * 1000, await _ms(ours)))
    await connection.close()
    return median(pair[1] for pair in pairs), median(pair[0] for pair in pairs), runs


async def _ms(work: Callable[[], Awaitable[object]]) -> float:
    begun = perf_counter()
    await work()
    return (perf_counter() - begun) * 1000


def _told(report: str, data: Any) -> list[tuple[Any, ...]]:
    """What the gateway answers, as DuckDB's rows show it."""
    answer = data[report]
    if report == "heatmap":
        return [tuple(slot.values()) for slot in answer["heatmap"]]
    objections = [("objection", o["objection"].lower(), o["count"], o["handled"]) for o in answer["objections"]]
    signals = [("signal", s["signal"].lower(), s["count"], 0) for s in answer["buyingSignals"]]
    return [*objections, *signals, ("summary", answer["summary"]["callsAnalyzed"])]


def _found(report: str, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    if report == "heatmap":
        return rows
    return [
        (kind, place) if kind == "summary" else (kind, text.lower(), count, handled)
        for kind, text, count, handled, place in rows
    ]


async def _copy(connection: asyncpg.Connection, agency: Agency) -> duckdb.DuckDBPyConnection:
    """The agency's calls in DuckDB's memory, by time, their findings unpacked."""
    copy = duckdb.connect(config={"threads": 1})
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        await connection.copy_from_query(_SQL["duckdb_calls"], agency.id, output=file.name, format="csv", header=True)
        copy.execute(_SQL["duckdb_copy"], {"file": file.name})
    return copy
