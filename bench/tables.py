"""What a benchmark found, as tables and bars: for the terminal, and for docs/performance.md."""

import os
import platform
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from bench.data import POSTGRES
from bench.serving import Measured
from database.binaries import find_binaries

PERFORMANCE = "docs/performance.md"
_BAR = 40


@dataclass(frozen=True)
class Table:
    """Rows under a title. `bars` are ratios to 1, the baseline, drawn below it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    bars: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Middle:
    """The medians over a contender's rounds."""

    per_second: float
    server_ms: float
    postgres_ms: float
    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, rounds: Sequence[Measured]) -> "Middle":
        """Each figure's own median."""
        return cls(
            per_second=median(one.load.per_second for one in rounds),
            server_ms=median(one.server_ms for one in rounds),
            postgres_ms=median(one.postgres_ms for one in rounds),
            p50_ms=median(one.load.p50_ms for one in rounds),
            p99_ms=median(one.load.p99_ms for one in rounds),
        )


Rounds = Mapping[str, Sequence[Measured]]
"""What each contender did, round by round."""


def compared(title: str, measured: Rounds, baseline: str, notes: Sequence[str] = ()) -> Table:
    """A row a contender, with the ratio of its requests/s to the baseline's."""
    middles = {name: Middle.of(rounds) for name, rounds in measured.items()}
    ratios = {name: paired(rounds, measured[baseline], _per_second) for name, rounds in measured.items()}
    rows = [
        (
            name,
            figure(middle.per_second),
            f"{ratios[name]:.2f}",
            figure(middle.server_ms),
            figure(middle.postgres_ms),
            figure(middle.p50_ms),
            figure(middle.p99_ms),
        )
        for name, middle in middles.items()
    ]
    columns = ("", "requests/s", f"of {baseline}", "server CPU ms", "PostgreSQL CPU ms", "p50 ms", "p99 ms")
    return Table(title, columns, rows, notes, ratios)


def against(title: str, measured: Rounds, ours: str) -> Table:
    """A row for each of the others, with the ratios of ours to it."""
    rows = [
        (
            name,
            figure(paired(measured[ours], rounds, _per_second)),
            figure(paired(measured[ours], rounds, lambda one: one.server_ms)),
        )
        for name, rounds in measured.items()
        if name != ours
    ]
    return Table(title, (f"{ours}'s, of", "requests/s", "server CPU"), rows)


def paired(ones: Sequence[Measured], others: Sequence[Measured], of: Callable[[Measured], float]) -> float:
    """The median of the rounds' ratios. What slowed the machine in a round slowed both."""
    return median(of(one) / of(other) for one, other in zip(ones, others, strict=True))


def _per_second(measured: Measured) -> float:
    return measured.load.per_second


def figure(value: float) -> str:
    """As many digits as it has a meaning; nothing where nothing was measured."""
    if value != value:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def bars(ratios: Mapping[str, float]) -> list[str]:
    """A line a name, the longest as wide as the chart."""
    most = max(ratios.values(), default=1.0)
    width = max(map(len, ratios), default=0)
    return [
        f"{name:<{width}}  {'█' * max(1, round(_BAR * ratio / most)):<{_BAR}}  {ratio:.2f}"
        for name, ratio in ratios.items()
    ]


def show(console: Console, table: Table) -> None:
    """Prints it."""
    shown = RichTable(*table.columns[:1], title=table.title, box=box.SIMPLE, title_justify="left")
    for column in table.columns[1:]:
        shown.add_column(column, justify="right")
    for row in table.rows:
        shown.add_row(*row)
    console.print(shown)
    for line in (*bars(table.bars), *table.notes):
        console.print(line, highlight=False, soft_wrap=True)
    console.print()


def markdown(table: Table) -> str:
    """The same as Markdown."""
    lines = [
        f"### {table.title}",
        "",
        "| " + " | ".join(table.columns) + " |",
        "|---" + "|--:" * (len(table.columns) - 1) + "|",
    ]
    lines += ["| " + " | ".join(row) + " |" for row in table.rows]
    if table.bars:
        lines += ["", "```", *(line.rstrip() for line in bars(table.bars)), "```"]
    for note in table.notes:
        lines += ["", note]
    return "\n".join(lines) + "\n"


def write(path: Path, name: str, about: str, tables: Sequence[Table]) -> None:
    """Puts a benchmark's tables in place of its last ones; those of the others stay."""
    text = path.read_text("utf-8") if path.exists() else ""
    parts = dict(re.findall(r"<!-- (\w+) -->\n(.*?)<!-- /\1 -->\n", text, re.DOTALL))
    parts[name] = "\n".join(
        [f"## {name}\n\n{about.strip()}\n\nRun on {datetime.now(UTC).date()}.\n", *map(markdown, tables)]
    )
    head = f"# Performance\n\nThe last `make bench`, written by `make bench WRITE={PERFORMANCE}`.\n\n{machine()}\n"
    path.write_text(
        head + "".join(f"\n<!-- {name} -->\n{part}<!-- /{name} -->\n" for name, part in parts.items()), "utf-8"
    )


def machine() -> str:
    """What it ran on, without its name."""
    version = subprocess.run(
        [find_binaries(None) / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    model = next(
        (line.partition(":")[2].strip() for line in _cpuinfo().splitlines() if line.startswith("model name")),
        platform.machine(),
    )
    settings = ", ".join(f"{name} = {value}" for name, value in POSTGRES.items())
    return (
        f"{os.cpu_count()} cores ({model}), shared by clients, servers and database; {platform.system()}, "
        f"Python {platform.python_version()}, {version.stdout.strip()}, embedded and durable ({settings}). "
        "Servers have one process, log no requests and limit no rates. Ratios within a run mean more than its figures: "
        "contenders take turns, so that whatever else the machine does meets all of them."
    )


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text("utf-8") if path.exists() else ""
