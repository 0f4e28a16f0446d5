"""Runs the benchmarks and prints their tables: all of them, or those named."""

import sys

from bench import accuracy, worker, writes

BENCHMARKS = {"accuracy": accuracy.main, "worker": worker.main, "writes": writes.main}


def main() -> None:
    """Runs what is asked for."""
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"There is no benchmark {', '.join(unknown)}. There are: {', '.join(BENCHMARKS)}.")
    for name in names:
        BENCHMARKS[name]()


main()
