"""How often the embedded analyser is right, field by field, about the labelled calls of the tests' corpus."""

import asyncio

from rich.console import Console
from rich.table import Table

from enrichment.analysers.embedded import EmbeddedAnalyser
from tests.enrichment.accuracy import read_cases, score


def main() -> None:
    """Prints a row a field, for the calls the rules were written with and for those they had not seen."""
    splits = {name: read_cases(name) for name in ("dev", "held")}
    scores = {name: asyncio.run(score(EmbeddedAnalyser(), cases)) for name, cases in splits.items()}
    table = Table(
        "field",
        f"{len(splits['held'])} calls not seen before",
        f"{len(splits['dev'])} calls the rules were written with",
        title=f"Accuracy of {EmbeddedAnalyser.analyzed_by} (1 is always right)",
    )
    for field, value in scores["held"].items():
        table.add_row(field, f"{value:.3f}", f"{scores['dev'][field]:.3f}")
    Console().print(table)
