"""PostgreSQL alone: the statements of an answer run by pgbench, prepared, without any server in front."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence

from bench.load import Load
from bench.serving import Measured, cpu_seconds, postmaster
from bench.statements import Recorded
from database.embedded import Server


def find_pgbench(server: Server) -> str | None:
    """The server's own, or one on the path."""
    own = server.bin_dir / "pgbench"
    return str(own) if own.exists() else shutil.which("pgbench")


def run(pgbench: str, server: Server, dsn: str, statements: Sequence[Recorded], clients: int, seconds: int) -> Measured:
    """So many clients that each run all the statements over and over, one after the other."""
    script, given = [], []
    for number, (sql, arguments) in enumerate(statements):
        lines = (line.partition("--")[0] for line in sql.splitlines())
        script.append(re.sub(r"\$(\d+)", rf":s{number}_\1", " ".join(lines)).rstrip("; ") + ";")
        given += [f"-Ds{number}_{place}={value}" for place, value in enumerate(arguments, start=1)]
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write("\n".join(script) + "\n")
        file.flush()
        how = ["-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-T", str(seconds), "-f", file.name]
        before = cpu_seconds(postmaster(server))
        done = subprocess.run([pgbench, *how, *given, dsn], capture_output=True, text=True, check=True)
        after = cpu_seconds(postmaster(server))
    answers = int(_found(r"transactions actually processed: (\d+)", done.stdout))
    latency = float(_found(r"latency average = ([\d.]+) ms", done.stdout))
    load = Load(answers, 0, "", answers / float(_found(r"tps = ([\d.]+)", done.stdout)), latency, float("nan"))
    return Measured(load, float("nan"), 1000 * (after - before) / answers)


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"pgbench says something else: {text}")
    return found[1]
