"""One abuser beside a quiet user of another agency, on one process: how long the quiet one waits, and what it takes.

The quiet user asks for their whole dashboard some times a second, of other days each time, so that it is computed. The
abuser does one kind of thing, as fast as they can. What is wanted: the quiet user's p99 is at most five times what it
is alone, and memory has a bound.
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from time import perf_counter

import httpx2
import orjson
import uvloop

from bench.abusers import KINDS, Abuse, abusing
from bench.contenders import DASHBOARD, VARIABLES, gateway
from bench.data import STANDARD, Agency, Size, fill, new_database, postgres
from bench.serving import Started, started
from bench.tables import Table, figure

SECONDS, A_SECOND = 20.0, 15
MB = 2**20
PATIENCE = 30.0


def main() -> list[Table]:
    """Takes about five minutes."""
    with postgres() as server:
        dsn = asyncio.run(new_database(server, "bench"))
        made = asyncio.run(fill(dsn, {"quiet": STANDARD, "abuser": Size(calls=10_000)}))
        rows, bars = [], dict[str, float]()
        alone = 0.0
        for kind in ("", *KINDS):
            # Its rate of requests is what a user may have at first: all that a minute holds, at once.
            with started(gateway(REUSE="on", RATE_LIMIT="100000/minute"), dsn, made["quiet"]) as one:
                one.ask("full")
                before = one.rss_bytes()
                taken, refused, sent = _beside(one, kind, made["abuser"])
                after = one.rss_bytes()
            p50, p99 = (taken[len(taken) * part // 100] * 1000 for part in (50, 99))
            alone = alone or p99
            rows.append(
                (
                    kind or "nobody",
                    f"{sent:,}" if kind else "",
                    f"{len(taken):,}",
                    f"{refused:,}",
                    figure(p50),
                    figure(p99),
                    f"{p99 / alone:.1f}",
                    f"{(after - before) / MB:+.0f}",
                )
            )
            bars[kind or "nobody"] = p99 / alone
    columns = ("beside", "sent", "answers", "refused", "p50 ms", "p99 ms", "of alone", "memory MB")
    note = (
        f"A quiet user's computed dashboards, {A_SECOND} a second for {SECONDS:.0f} s, on one process with default "
        "settings but a rate limit that nobody meets; memory is what the process has more at the end."
    )
    return [Table("Beside an abuser", columns, rows, [note], bars)]


def _beside(one: Started, kind: str, abuser: Agency) -> tuple[list[float], int, int]:
    """How long the quiet user waited each time, in seconds, how often in vain, and how much the abuser sent."""
    process = abusing(Abuse(kind, one.port, abuser.token, SECONDS + 1)) if kind else None
    try:
        taken, refused = uvloop.run(_quiet(one))
        sent = int(process.communicate(timeout=60)[0]) if process else 0
    finally:
        if process and process.poll() is None:
            process.kill()
            process.wait()
    return sorted(taken), refused, sent


def _questions() -> Iterator[bytes]:
    """None twice, as its answer would be kept."""
    last = datetime.now(UTC).date()
    for to_day, from_day in product(range(15), range(15, STANDARD.days)):
        days = [f"{last - timedelta(days=ago)}" for ago in (from_day, to_day)]
        given = {"period": "CUSTOM", "startDate": days[0], "endDate": days[1]}
        variables = {**VARIABLES, "filters": given, "campaignsFilters": given}
        yield orjson.dumps({"query": DASHBOARD, "variables": variables})


async def _quiet(one: Started) -> tuple[list[float], int]:
    """Asks at an even pace, however long answers take, as people who open pages do; what is refused took its time."""
    taken: list[float] = []
    refused = 0
    headers = {"Authorization": f"Bearer {one.token}", "Content-Type": "application/json"}
    address = f"http://127.0.0.1:{one.port}"
    async with httpx2.AsyncClient(headers=headers, timeout=PATIENCE, base_url=address) as http:

        async def ask(body: bytes) -> None:
            nonlocal refused
            began = perf_counter()
            try:
                response = await http.post("/graphql", content=body)
                refused += response.status_code != 200 or b'"errors"' in response.content[:12]
            except httpx2.HTTPError:
                refused += 1
            taken.append(perf_counter() - began)

        asked, until, due = set(), perf_counter() + SECONDS, perf_counter()
        for body in _questions():
            if due > until:
                break
            asked.add(asyncio.create_task(ask(body)))
            due += 1 / A_SECOND
            await asyncio.sleep(max(0.0, due - perf_counter()))
        await asyncio.gather(*asked)
    return taken, refused
