"""The memory of one gateway process under thousands of different documents, filters and users."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random

from bench.contenders import GRAPHQL, REUSING
from bench.data import STANDARD, fill, new_database, postgres
from bench.load import Job, request
from bench.mixed import USERS, Asked, Mixed
from bench.serving import Started, started
from bench.tables import Table, figure

DIFFERENT, SECONDS, CONCURRENCY = 6_000, 10, 8
MB = 2**20


def main() -> list[Table]:
    """Takes about two minutes."""
    with postgres() as server:
        dsn = asyncio.run(new_database(server, "bench"))
        agency = asyncio.run(fill(dsn, {"agency": STANDARD}))["agency"]
        mixed = asyncio.run(Mixed.of(dsn, agency))
        stages: dict[str, tuple[int, Callable[[Random], Asked]]] = {
            "the same dashboard again and again": (1, lambda _: (agency.token, GRAPHQL["full"])),
            "different documents": (DIFFERENT, mixed.document),
            "different campaigns and days": (DIFFERENT, mixed.filters),
            "different users": (USERS, mixed.user),
            "all of it mixed": (DIFFERENT, mixed.all),
            "mixed again, all new": (DIFFERENT, mixed.all),
            "and again": (DIFFERENT, mixed.all),
        }
        random = Random(4)
        with started(REUSING, dsn, agency) as gateway:
            gateway.ask("full")
            rows = [("one dashboard answered", "", "", figure(gateway.rss_bytes() / MB))]
            for name, (number, ask) in stages.items():
                answers = answered(gateway, [ask(random) for _ in range(number)], SECONDS)
                rows.append((name, f"{number:,}", f"{answers:,}", figure(gateway.rss_bytes() / MB)))
    note = (
        f"Resident memory of one gateway process with default settings; {SECONDS} s a stage, {CONCURRENCY} at a time."
    )
    return [Table("Memory", ("after", "different requests", "answers", "MB"), rows, [note])]


def answered(gateway: Started, asked: Sequence[Asked], seconds: float) -> int:
    """How many answers were given in so many seconds, in turn."""
    requests = [request("/graphql", *one) for one in asked]
    return gateway.load(Job(gateway.port, requests, [None] * len(requests), CONCURRENCY, seconds)).answers
