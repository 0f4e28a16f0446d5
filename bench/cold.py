"""The first request after a start beside those that follow: what a deployment or a new process costs its first user."""

import asyncio
from contextlib import ExitStack
from statistics import median
from time import perf_counter

from bench.contenders import ARIADNE, GATEWAY, HANDLER, STRAWBERRY, contenders
from bench.data import STANDARD, fill, new_database, postgres
from bench.serving import Started, started
from bench.tables import Table, figure

STARTS, WARM = 3, 20


def main() -> list[Table]:
    """Takes about half a minute."""
    measured = [one for one in contenders() if one in (GATEWAY, HANDLER, STRAWBERRY, ARIADNE)]
    taken: dict[str, list[tuple[float, float, float, float]]] = {one.name: [] for one in measured}
    with ExitStack() as stack:
        server = stack.enter_context(postgres())
        dsn = asyncio.run(new_database(server, "bench"))
        agency = asyncio.run(fill(dsn, {"agency": STANDARD}))["agency"]
        for _ in range(STARTS):
            for contender in measured:
                begun = perf_counter()
                with started(contender, dsn, agency) as one:
                    ready = (perf_counter() - begun) * 1000
                    first, second, *rest = (_ms(one) for _ in range(WARM))
                taken[contender.name].append((ready, first, second, median(rest)))
    columns = ("", "start to listening ms", "first request ms", "second ms", "warm ms")
    rows = [(name, *(figure(median(column)) for column in zip(*runs, strict=True))) for name, runs in taken.items()]
    note = f"The whole dashboard, one request at a time; medians of {STARTS} starts. The database is warm."
    return [Table("Cold and warm", columns, rows, [note])]


def _ms(one: Started) -> float:
    begun = perf_counter()
    one.ask("full")
    return (perf_counter() - begun) * 1000
