"""The demo as a newcomer meets it: a process that sets everything up, says how to use it, and leaves nothing behind."""

import asyncio
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx2
import psutil
import pytest

from database.embedded import attach
from gateway.demo import DATABASE
from rest_compat.rows import ROWS
from tests.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parent.parent.parent
ALL_SEVEN = """{
  overview { summary { totalCalls } } timeseries { columns { date } } funnel { funnel { totalCalls } }
  campaigns { pagination { total } } quality { trend { date } } heatmap { bestTimes { label } }
  objections { objections { objection } }
}"""


class Demo:
    """One `gateway demo` process."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.folder = folder
        self._started: set[int] = set()
        command = f"from gateway.cli import app; app(['demo', '--port', '{self.port}', '--data-dir', '{folder}/data'])"
        self.errors = (folder / "errors").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-c", command],
            cwd=ROOT,
            env={**os.environ, "COLUMNS": "80"},
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def said(self) -> str:
        """What it prints until it serves."""
        lines = []
        assert self.process.stdout
        for line in self.process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                return "".join(lines)
        self.errors.seek(0)
        pytest.fail(f"the demo did not start: {self.errors.read()}")

    def postgres(self) -> list[psutil.Process]:
        """The PostgreSQL processes on its folder."""
        return [
            process
            for process in psutil.process_iter(["name", "cmdline"])
            if process.info["name"] == "postgres" and str(self.folder) in " ".join(process.info["cmdline"] or ())
        ]

    def workers(self) -> list[psutil.Process]:
        """The worker processes on its folder's PostgreSQL, whoever their parent is by now."""
        return [
            process
            for process in psutil.process_iter(["cmdline"])
            if "--until-input-ends" in (process.info["cmdline"] or ()) and process.pid in self._started
        ]

    def end(self, number: signal.Signals) -> int:
        """Ends the process and waits for it."""
        self._started = {child.pid for child in psutil.Process(self.process.pid).children(recursive=True)}
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        if self.process.stdout:
            self.process.stdout.close()
        self.errors.close()
        return code

    def gone(self) -> bool:
        """Whether in the end neither PostgreSQL nor a worker is left."""
        with suppress(TimeoutError):
            wait_until(lambda: not (self.postgres() or self.workers()))
            return True
        return False


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where all starts of this module keep their data; open to the user that PostgreSQL runs as."""
    with tempfile.TemporaryDirectory(prefix="gateway-demo-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def _token(said: str) -> str:
    found = re.search(r"^(eyJ\S+)$", said, re.MULTILINE)
    assert found, said
    return found[1]


def test_the_first_start_answers_all_seven_over_both_doors_and_its_curl_lines_work(folder: Path) -> None:
    demo = Demo(folder)
    said = demo.said()
    with httpx2.Client(
        base_url=f"http://127.0.0.1:{demo.port}", headers={"Authorization": f"Bearer {_token(said)}"}, timeout=PATIENCE
    ) as http:
        for row in ROWS:
            answer = http.get(f"/functions/v1/dashboard-{row.name}", params={"period": "30d"})
            assert answer.status_code == 200, answer.text
        answer = http.post("/graphql", json={"query": ALL_SEVEN}).json()
        assert "errors" not in answer
        assert all(answer["data"].values())
        assert "GraphQL explorer" in http.get("/graphql", headers={"Accept": "text/html"}).text
    curls = [shlex.split(line) for line in said.splitlines() if line.startswith("curl ")]
    assert len(curls) == 2
    for curl in curls:
        shown = subprocess.run(curl, capture_output=True, text=True, timeout=PATIENCE)
        assert '"errors"' not in shown.stdout
        assert "total" in shown.stdout.lower(), shown.stdout
    assert demo.postgres()
    assert demo.end(signal.SIGTERM) == 0
    assert demo.gone()


def test_the_calls_are_analysed_while_one_looks_at_them(folder: Path) -> None:
    demo = Demo(folder)
    token = _token(demo.said())
    query = {
        "query": "{ freshness(filters: {period: LAST_90_DAYS}) { waitingCalls } overview { summary { totalCalls } } }"
    }
    with httpx2.Client(
        base_url=f"http://127.0.0.1:{demo.port}", headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE
    ) as http:
        waiting = list[int]()

        def goes_down() -> bool:
            data = http.post("/graphql", json=query).json()["data"]
            assert data["overview"]["summary"]["totalCalls"] > 0
            waiting.append(data["freshness"]["waitingCalls"])
            return len(set(waiting)) == 3

        wait_until(goes_down)
    assert waiting == sorted(waiting, reverse=True)
    assert waiting[0] > waiting[-1] > 0
    demo.end(signal.SIGTERM)
    assert demo.gone()


def test_the_second_start_keeps_the_data_and_the_token(folder: Path) -> None:
    first = Demo(folder)
    token = _token(first.said())
    around = [datetime.now(UTC).date() + timedelta(days=days) for days in (-400, 400)]
    # Of what the platform recorded: the analysis goes on meanwhile.
    days = "period=custom&start_date={}&end_date={}".format(*around)
    url = f"/functions/v1/dashboard-timeseries?metrics=total_calls,inbound_calls&{days}"
    headers = {"Authorization": f"Bearer {token}"}
    before = httpx2.get(f"http://127.0.0.1:{first.port}{url}", headers=headers, timeout=PATIENCE).json()
    assert first.end(signal.SIGINT) == 0
    assert first.gone()
    second = Demo(folder)
    second.said()
    after = httpx2.get(f"http://127.0.0.1:{second.port}{url}", headers=headers, timeout=PATIENCE).json()
    second.end(signal.SIGTERM)
    assert before == after


def test_a_killed_demo_leaves_neither_postgresql_nor_a_worker_behind(folder: Path) -> None:
    demo = Demo(folder)
    demo.said()
    assert demo.postgres()
    demo.end(signal.SIGKILL)
    assert demo.gone()


def test_data_of_a_demo_that_was_migrated_otherwise_are_to_be_begun_anew(folder: Path) -> None:
    demo = Demo(folder)
    demo.said()
    server = attach(folder / "data" / "postgres")
    assert server

    async def forget_the_last_file() -> None:
        connection = await asyncpg.connect(server.dsn(DATABASE))
        await connection.execute(
            "delete from gateway_migrations.schema_migrations"
            " where version = (select max(version) from gateway_migrations.schema_migrations)"
        )
        await connection.close()

    asyncio.run(forget_the_last_file())
    demo.end(signal.SIGTERM)
    assert demo.gone()
    command = f"from gateway.cli import app; app(['demo', '--port', '0', '--data-dir', '{folder}/data'])"
    refused = subprocess.run(
        [sys.executable, "-c", command], cwd=folder, capture_output=True, text=True, timeout=PATIENCE
    )
    assert refused.returncode == 2
    said = " ".join(refused.stderr.split())
    assert "already exists" in said
    assert "make demo RESET=1" in said
    assert demo.gone()


def test_a_port_that_is_taken_is_said_before_anything_is_started(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = f"from gateway.cli import app; app(['demo', '--port', '{taken.getsockname()[1]}'])"
        refused = subprocess.run(
            [sys.executable, "-c", command], cwd=folder, capture_output=True, text=True, timeout=PATIENCE
        )
    assert refused.returncode == 2
    assert "make demo PORT=" in refused.stderr
    assert not (folder / ".demo").exists()
