"""How the program starts, whatever lies in the current folder, and with which code it ends."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing, suppress
from importlib.metadata import packages_distributions, version
from pathlib import Path

import httpx2
import pytest

from database.embedded import attach
from gateway import children
from tests.conftest import Database
from tests.given import SECRET
from tests.processes import said, started, wait_for
from tests.waiting import PATIENCE

GATEWAY = str(Path(sys.executable).with_name("gateway"))
MARK = "somebody-elses-code-ran"


OURS = ("database", "enrichment", "gateway", "resolvers", "rest_compat")


@pytest.fixture
def strangers(tmp_path: Path) -> Path:
    """A folder with a module by every name that anything here might import, each of which leaves a mark and ends."""
    code = f"open({str(tmp_path / MARK)!r}, 'a').write(__name__ + '\\n')\nraise SystemExit(77)\n"
    for name in {*OURS, *sys.stdlib_module_names, *packages_distributions(), "sitecustomize", "usercustomize", "tests"}:
        if name.isidentifier():
            (tmp_path / f"{name}.py").write_text(code)
    return tmp_path


def environment(**given: str) -> Mapping[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "SUPABASE_JWT_SECRET": SECRET, "COLUMNS": "200", **given}


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
    return port


def gateway(log: Path, *arguments: str, **given: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """A command that stays, in its log's folder."""
    return started([GATEWAY, *arguments], log, environment(**given))


def serves(port: int) -> bool:
    """Whether the port answers."""
    with suppress(httpx2.HTTPError):
        return httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=PATIENCE).status_code == 200
    return False


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_runs_nothing_that_lies_in_the_current_folder(
    database: Database, strangers: Path, workers: str
) -> None:
    port = free_port()
    log = strangers / "log"
    with gateway(log, "serve", "--workers", workers, DATABASE_URL=database.dsn, PORT=str(port)) as process:
        wait_for(lambda: serves(port), process, log)
    assert not (strangers / MARK).exists()


def test_a_worker_and_the_commands_run_nothing_that_lies_in_the_current_folder(
    empty_database: Database, strangers: Path
) -> None:
    for command in (["--version"], ["settings"], ["migrate"], ["worker", "--drain"], ["reconcile"], ["doctor"]):
        ended = subprocess.run(
            [GATEWAY, *command], cwd=strangers, env=environment(DATABASE_URL=empty_database.dsn), capture_output=True,
            text=True, timeout=PATIENCE,
        )  # fmt: skip
        assert ended.returncode == (1 if command == ["doctor"] else 0), ended.stderr  # it has no users
    assert not (strangers / MARK).exists()


def test_the_demo_and_its_worker_run_nothing_that_lies_in_the_current_folder(strangers: Path) -> None:
    # Open to the user that PostgreSQL runs as; pytest's folders are closed to others.
    with tempfile.TemporaryDirectory(prefix="gateway-starting-") as name:
        Path(name).chmod(0o711)
        log, worker_log = strangers / "log", Path(name, "demo", "worker.log")
        with gateway(log, "demo", "--port", str(free_port()), "--data-dir", f"{name}/demo") as process:
            wait_for(lambda: "Analysing" in said(log), process, log)
            wait_for(lambda: worker_log.exists() and "working" in said(worker_log), process, log)
            process.terminate()
            assert process.wait(PATIENCE) == 0
        assert attach(Path(name, "demo", "postgres")) is None
    assert not (strangers / MARK).exists()


def test_by_python_the_program_runs_from_any_folder_too(strangers: Path) -> None:
    by_python = [sys.executable, "-P", "-m", "gateway", "--version"]
    said = subprocess.run(by_python, cwd=strangers, capture_output=True, text=True, timeout=PATIENCE)
    assert said.stdout == f"gateway {version('voice-analytics-gateway')}\n"
    assert not (strangers / MARK).exists()


def test_without_the_flag_python_runs_files_by_our_names_no_more_than_with_it(tmp_path: Path) -> None:
    for name in ("database", "resolvers", "rest_compat", "enrichment", "asyncpg", "structlog"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(77)\n")
    by_python = [sys.executable, "-m", "gateway", "--version"]
    said = subprocess.run(by_python, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert said.stdout == f"gateway {version('voice-analytics-gateway')}\n"


def test_children_are_started_in_the_one_way_that_minds_no_folder() -> None:
    root = Path(children.__file__).parent.parent
    modules = [path for room in OURS for path in (root / room).rglob("*.py")]
    assert [path for path in modules if "sys.executable" in path.read_text("utf-8")] == [Path(children.__file__)]


def test_workers_that_never_serve_are_given_up_with_words_and_a_code(tmp_path: Path) -> None:
    """However long they took until they failed."""
    program = """
import sys
from gateway import cli, workers
workers.SHORT_LIFE_SECONDS = 0
workers.python = lambda *_: [sys.executable, "-c", "raise SystemExit(3)"]
cli.app(["serve", "--workers", "2"])
"""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment(DATABASE_URL="postgresql://u@127.0.0.1:1/d", PORT=str(free_port())),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 1, ended.stderr
    assert "workers.given_up" in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", [["serve"], ["serve", "--workers", "2"], ["worker"]])
def test_what_is_stopped_ends_with_code_0(
    database: Database, tmp_path: Path, command: list[str], number: signal.Signals
) -> None:
    port, log = free_port(), tmp_path / "log"
    with gateway(log, *command, DATABASE_URL=database.dsn, PORT=str(port)) as process:
        wait_for(lambda: serves(port) if command[0] == "serve" else "working" in said(log), process, log)
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0
    assert "Traceback" not in said(log)
