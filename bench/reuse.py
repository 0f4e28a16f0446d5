"""Answers that are used again: how fast unchanged data are answered, and whether what is written meanwhile is missed.

The second part is a check that can fail: somebody writes to an agency, a hundred times a second, what every report
counts, while readers who know what was committed when ask for all of them, again and again.
"""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from time import perf_counter
from typing import Any

import asyncpg
import httpx2
import uvloop

from bench.contenders import FIXED, GATEWAY, MONTH, REUSING, body
from bench.data import STANDARD, Agency, fill, new_database, postgres
from bench.serving import Contender, Started, measure, postmaster, started
from bench.tables import Table, compared, figure
from database.embedded import Server

WRITES_PER_SECOND, SECONDS, READERS = 100, 10, 3
KNOWN_AFTER = 0.1
"""An answer must hold what was committed so many seconds before its request began."""

_WRITE = (Path(__file__).parent / "sql" / "write_fact.sql").read_text("utf-8")
_ASKED = {
    "overview": "overview(filters: $filters) { summary { totalCalls } }",
    "timeseries": "timeseries(filters: $filters) { data { totalCalls } }",
    "funnel": "funnel(filters: $filters) { funnel { totalCalls } }",
    "campaigns": "campaigns(filters: $campaignsFilters, limit: 100) "
    "{ campaignStats { totalCalls } activeBatches { totalCalls } }",
    "quality": "quality(filters: $filters) { trend { completedCalls } }",
    "heatmap": "heatmap(filters: $heatmapFilters) { heatmap { totalCalls } }",
    "objections": "objections(filters: $filters) { summary { totalObjections } }",
}
_VARIABLES = {
    "filters": "ReportFilters!",
    "campaignsFilters": "CampaignsFilters!",
    "heatmapFilters": "HeatmapFilters!",
}


def _request(*reports: str) -> bytes:
    """The bytes of a request for what these reports count."""
    text = " ".join(_ASKED[report] for report in reports)
    needed = {name: kind for name, kind in _VARIABLES.items() if f"${name}" in text}
    declared = ", ".join(f"${name}: {kind}" for name, kind in needed.items())
    return body(f"query ({declared}) {{ {text} }}", **dict.fromkeys(needed, MONTH))


REQUESTS = (_request(*_ASKED), *map(_request, _ASKED))
"""All reports at once, and each alone."""


class Untrue(Exception):
    """An answer missed what it had to know."""


@dataclass
class Log:
    """What was committed when, and what the readers saw."""

    begun: int = 0
    committed: list[float] = field(default_factory=list)
    answers: int = 0
    missing: int = 0
    ahead: int = 0
    oldest: float = 0.0
    """The age, when its request began, of the oldest commit that an answer missed."""


def main() -> list[Table]:
    """Takes about a minute.

    Raises:
        Untrue: an answer missed a commit that was old enough when its request began, or told what was never written.
    """
    with ExitStack() as stack:
        server = stack.enter_context(postgres())
        dsn = asyncio.run(new_database(server, "bench"))
        agency = asyncio.run(fill(dsn, {"agency": STANDARD}))["agency"]
        reusing = stack.enter_context(started(REUSING, dsn, agency))
        tables = [_unchanged(stack, server, dsn, agency, reusing)]
        logs = {REUSING.name: uvloop.run(truthful(reusing.port, dsn, agency, SECONDS))}
        plain = stack.enter_context(started(GATEWAY, dsn, agency))
        logs[GATEWAY.name] = uvloop.run(truthful(plain.port, dsn, agency, SECONDS))
    rows = [
        (name, f"{len(log.committed):,}", f"{log.answers:,}", f"{log.missing}", figure(log.oldest * 1000))
        for name, log in logs.items()
    ]
    old = f"missed a commit older than {KNOWN_AFTER * 1000:.0f} ms"
    columns = ("", "commits", "answers", old, "oldest missed ms")
    note = (
        f"{WRITES_PER_SECOND} commits a second to the agency that {READERS} readers ask about, {SECONDS} s. Each adds "
        "one to a figure of each of the seven reports, which are asked for together and one by one; an answer misses "
        "it if one figure does. Ages are from when the writer heard of its commit to when the request began."
    )
    for name, log in logs.items():
        if log.missing or log.ahead or log.answers < SECONDS or len(log.committed) < SECONDS * WRITES_PER_SECOND / 2:
            raise Untrue(
                f"{name}: of {log.answers} answers {log.missing} missed a commit older than {KNOWN_AFTER} s, the "
                f"oldest {log.oldest:.3f} s, and {log.ahead} told of what was not written; {len(log.committed)} commits"
            )
    return [*tables, Table("What is written meanwhile", columns, rows, [note])]


def _unchanged(stack: ExitStack, server: Server, dsn: str, agency: Agency, reusing: Started) -> Table:
    size = str(len(reusing.ask("full")))
    fixed = Contender(FIXED.name, FIXED.command, FIXED.bodies, shaped=None, environment={"FIXED_BYTES": size})
    both = [reusing, stack.enter_context(started(fixed, dsn, agency))]
    measured = measure(both, "full", postmaster(server), rounds=21, seconds=0.5, concurrency=8)
    note = f"The whole dashboard, nothing written meanwhile, beside an application that answers {size} fixed bytes."
    return compared("Unchanged data", measured, FIXED.name, [note])


async def truthful(port: int, dsn: str, agency: Agency, seconds: float) -> Log:
    """Writes to an agency while asking a server about it, and says what its answers missed."""
    log = Log()
    connection = await asyncpg.connect(dsn)
    batch, campaign = await connection.fetchrow(
        "select id, campaign_id from call_batches where agency_id = $1 order by created_at desc, id limit 1", agency.id
    )
    headers = {"Authorization": f"Bearer {agency.token}", "Content-Type": "application/json"}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:

        async def ask(request: bytes) -> dict[str, int]:
            return _figures((await http.post(f"http://127.0.0.1:{port}/graphql", content=request)).json())

        before = await ask(REQUESTS[0])
        until = perf_counter() + seconds

        async def read() -> None:
            for request in cycle(REQUESTS):
                if (begun := perf_counter()) >= until:
                    break
                judge(log, begun, [now - before[name] for name, now in (await ask(request)).items()])

        readers = (read() for _ in range(READERS))
        await asyncio.gather(_write(log, connection, until, (agency.id, campaign, batch)), *readers)
    await connection.close()
    return log


async def _write(log: Log, connection: asyncpg.Connection, until: float, whose: tuple[Any, ...]) -> None:
    statement = await connection.prepare(_WRITE)
    due = perf_counter()
    while due < until:
        log.begun += 1
        await statement.fetch(*whose)
        log.committed.append(perf_counter())
        due += 1 / WRITES_PER_SECOND
        await asyncio.sleep(due - perf_counter())


def judge(log: Log, begun: float, told: list[int]) -> None:
    """Notes an answer whose request began then, and in which each figure has grown by so much."""
    log.answers += 1
    log.ahead += max(told) > log.begun
    if min(told) < len(log.committed) and (age := begun - log.committed[min(told)]) > 0:
        log.oldest = max(log.oldest, age)
        log.missing += age > KNOWN_AFTER


def _figures(answer: Any) -> dict[str, int]:
    """What each report counts, as a number that each commit raises by one."""
    if "errors" in answer:
        raise RuntimeError(f"the gateway does not answer: {answer['errors']}")
    figures = {}
    for report, said in answer["data"].items():
        for part, found in said.items():
            rows = found if isinstance(found, list) else [found]
            figures[f"{report}.{part}"] = sum(value for row in rows for value in row.values())
    return figures
