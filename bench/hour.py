"""The memory of one gateway process in an hour of requests none of which was asked before."""

import asyncio
from random import Random
from time import monotonic

from bench.contenders import REUSING
from bench.data import STANDARD, fill, new_database, postgres
from bench.memory import CONCURRENCY, MB, answered
from bench.mixed import Mixed
from bench.serving import started
from bench.tables import Table, figure

MINUTES, EVERY, SECONDS, DIFFERENT = 60, 5, 20, 20_000


def main() -> list[Table]:
    """Takes an hour, and says every five minutes how far it is."""
    with postgres() as server:
        dsn = asyncio.run(new_database(server, "bench"))
        agency = asyncio.run(fill(dsn, {"agency": STANDARD}))["agency"]
        mixed = asyncio.run(Mixed.of(dsn, agency))
        random = Random(4)
        with started(REUSING, dsn, agency) as gateway:
            gateway.ask("full")
            rows = [("0", "1", figure(gateway.rss_bytes() / MB))]
            began, answers = monotonic(), 1
            for minutes in range(EVERY, MINUTES + 1, EVERY):
                while monotonic() < began + 60 * minutes:
                    answers += answered(gateway, [mixed.all(random) for _ in range(DIFFERENT)], SECONDS)
                rows.append((str(minutes), f"{answers:,}", figure(gateway.rss_bytes() / MB)))
                print(*rows[-1], sep="\t", flush=True)
    note = f"Resident memory of one gateway process with default settings, {CONCURRENCY} requests at a time."
    return [Table("An hour of memory", ("minutes", "answers", "MB"), rows, [note])]
