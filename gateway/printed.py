"""What the repository prints from the code: `python -m gateway.printed` writes the files, `--check` compares them."""

import sys
from collections.abc import Mapping
from pathlib import Path

import orjson
import typer
from typer.cli import get_docs_for_click

from gateway import cli
from gateway.costs import COST_BELOW, COST_OF_REPORT
from gateway.schema import build_schema
from gateway.settings import Settings
from resolvers.metrics import METRICS, TIMESERIES_METRICS, Counter, Mean, Metric, Quotient
from resolvers.scalars import SCALARS, BigInt
from rest_compat.openapi import document

ROOT = Path(__file__).parent.parent


def printed() -> Mapping[Path, str]:
    """Each file's whole text as the code has it now."""
    return {
        ROOT / "schema.graphql": build_schema().as_str() + "\n",
        ROOT / "openapi.json": orjson.dumps(document(), option=orjson.OPT_INDENT_2).decode() + "\n",
        ROOT / ".env.example": _env_example(),
        ROOT / "docs" / "metrics.md": _metrics(),
        ROOT / "docs" / "cli.md": _command_line(),
        ROOT / "docs" / "graphql.md": _between(ROOT / "docs" / "graphql.md", costs=_costs(), scalars=_scalars()),
        ROOT / "README.md": _between(ROOT / "README.md", settings=_settings()),
        ROOT / "compose.yaml": _between(ROOT / "compose.yaml", indent="  ", settings=_passed_on()),
    }


def stale() -> list[Path]:
    """The files that are not what the code prints."""
    return [path for path, text in printed().items() if not path.exists() or path.read_text("utf-8") != text]


def _metrics() -> str:
    lines = [
        "# Metrics",
        "",
        "Printed from `resolvers/metrics.py` by `make docs`. What one call adds to a counter is defined once, in the",
        "SQL function `call_counts` (`database/migrations/0011_call_changes.sql`).",
        "",
        "Percentages run from 0 to 100 with one decimal, ratios from 0 to 1 with four; ties round half away from zero.",
        "Where there is nothing to divide by, GraphQL says `null` and the legacy endpoints say 0.",
        "",
        "| metric | unit | meaning | follows from |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{metric.name}`{'' if name in TIMESERIES_METRICS else ' ¹'} | {metric.unit} | {metric.sentence} | "
        f"{_origin(metric)} |"
        for name, metric in METRICS.items()
    ]
    return "\n".join([*lines, "", "¹ not a column of the timeseries", ""])


def _origin(metric: Metric) -> str:
    match metric:
        case Counter():
            return "counter"
        case Quotient():
            over = " + ".join(f"`{name}`" for name in metric.over)
            kind = "mean: " if isinstance(metric, Mean) else ""
            return f"{kind}`{metric.of}` / {f'({over})' if len(metric.over) > 1 else over}"
    raise TypeError(metric)


def _settings() -> str:
    lines = ["| variable | default | |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        words = str(field.description).replace("|", "\\|")
        lines.append(f"| `{name.upper()}` | {_default(name) and f'`{_default(name)}`'} | {words} |")
    return "\n".join(lines)


def _env_example() -> str:
    lines = [
        "# Every setting of the gateway, with its default. Copy to .env for docker compose; elsewhere: set -a; . ./.env"
    ]
    for name, field in Settings.model_fields.items():
        lines += [
            "",
            f"# {field.description}",
            f"{'' if name == 'database_url' else '# '}{name.upper()}={_default(name)}",
        ]
    lines += [
        "",
        "# Of compose.yaml alone: the password of its database, and where the gateway shows on this machine.",
        "# POSTGRES_PASSWORD=only-on-this-network",
        "# GATEWAY_PORT=8000",
    ]
    return "\n".join(lines) + "\n"


def _passed_on() -> str:
    """What docker compose hands on to the containers, where it is set; what they decide themselves stands below it."""
    own = ("database_url", "host", "port")
    return "\n".join(f"  {name.upper()}:" for name in Settings.model_fields if name not in own)


def _default(name: str) -> str:
    if name == "database_url":
        return ""
    value = Settings.model_fields[name].default
    if value is None:
        return ""
    return (
        ",".join(value) if isinstance(value, tuple) else str(value).lower() if isinstance(value, bool) else str(value)
    )


def _costs() -> str:
    lines = ["| field | points |", "|---|---|"]
    lines += [f"| `{name}` | {points} |" for name, points in COST_OF_REPORT.items()]
    lines += [f"| a field below `{name}` | {points} |" for name, points in COST_BELOW.items()]
    return "\n".join([*lines, "| any other | 1 |"])


def _scalars() -> str:
    """As a code generator has to be told: what is a whole number here is one in JSON, and all else is text."""
    lines = ["| scalar | in TypeScript | |", "|---|---|---|"]
    for kind, scalar in SCALARS.items():
        lines.append(f"| `{scalar.name}` | `{'number' if kind is BigInt else 'string'}` | {scalar.description} |")
    return "\n".join(lines)


def _command_line() -> str:
    command = typer.main.get_command(cli.app)
    context = typer.Context(command, info_name="gateway")
    return get_docs_for_click(obj=command, ctx=context, name="gateway", title="The command line")


def _between(path: Path, *, indent: str | None = None, **parts: str) -> str:
    """A file with what stands between the two markers of each part replaced; in YAML they are indented comments."""
    whole = path.read_text("utf-8")
    for name, text in parts.items():
        begin, end = f"<!-- {name}: printed from the code -->", f"<!-- /{name} -->"
        if indent is not None:
            begin, end = f"{indent}# {begin}", f"{indent}# {end}"
        before, _, rest = whole.partition(begin)
        whole = f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}"
    return whole


def main() -> int:
    """Writes the files, or with `--check` names those that are stale."""
    if "--check" in sys.argv:
        found = stale()
        for path in found:
            sys.stderr.write(f"{path.relative_to(ROOT)} is not what the code prints; run: make docs\n")
        return 1 if found else 0
    for path, text in printed().items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
