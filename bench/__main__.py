"""Runs the benchmarks and prints their tables: all of them, or those named."""

import argparse
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from time import perf_counter

from rich.console import Console

from bench.tables import Table, machine, show, write

BENCHMARKS = (
    "dashboard",
    "cold",
    "growth",
    "million",
    "reuse",
    "memory",
    "writes",
    "accuracy",
    "worker",
    "page",
    "abuse",
)
ON_REQUEST = ("peers", "hour")
"""Not among all: of the one the packages come from npm, the other takes an hour."""


def main() -> None:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="name",
        help=f"of {', '.join(BENCHMARKS)}, which is all by default, or of {', '.join(ON_REQUEST)}",
    )
    parser.add_argument("--write", type=Path, help="a Markdown file whose tables of these benchmarks to replace")
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in (*BENCHMARKS, *ON_REQUEST)]:
        parser.error(f"There is no benchmark {', '.join(unknown)}. There are: {', '.join((*BENCHMARKS, *ON_REQUEST))}.")
    console = Console()
    console.print(machine(), soft_wrap=True)
    for name in asked.names or BENCHMARKS:
        started = perf_counter()
        benchmark = import_module(f"bench.{name}")
        tables: Sequence[Table] = benchmark.main() or ()
        for table in tables:
            show(console, table)
        console.print(f"{name}: {perf_counter() - started:.0f} s")
        if asked.write and tables:
            write(asked.write, name, benchmark.__doc__ or "", tables)


if __name__ == "__main__":
    main()
