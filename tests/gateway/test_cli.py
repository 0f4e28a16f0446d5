"""The command line, each command as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import jwt

from tests.conftest import Database
from tests.given import SECRET, Given, fold, token
from tests.waiting import PATIENCE, until

ROOT = Path(__file__).parent.parent.parent
GATEWAY = [sys.executable, "-c", "from gateway.cli import app; app()"]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in an environment that holds nothing but what is named."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [*GATEWAY, *arguments],
        cwd=ROOT,
        env={**kept, "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_serve_refuses_to_start_and_names_everything_that_is_missing() -> None:
    refused = run("serve")
    assert refused.returncode == 2
    assert "DATABASE_URL: is missing" in refused.stderr
    assert "SUPABASE_URL or SUPABASE_JWT_SECRET" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_serve_refuses_a_secret_that_is_printed_in_public_documentation() -> None:
    secret = "super-secret-jwt-token-with-at-least-32-characters-long"
    refused = run("serve", DATABASE_URL="postgresql://db.example.com/x", SUPABASE_JWT_SECRET=secret)
    assert refused.returncode == 2
    assert "SUPABASE_JWT_SECRET" in refused.stderr
    assert secret not in refused.stderr


def test_settings_are_printed_with_secrets_hidden() -> None:
    printed = run("settings", DATABASE_URL="postgresql://u:hunter2@h/d", SUPABASE_JWT_SECRET=SECRET, PORT="8123")
    assert printed.returncode == 0
    assert "8123" in printed.stdout
    assert "hunter2" not in printed.stdout
    assert SECRET not in printed.stdout


def test_a_minted_token_is_the_users_and_is_signed_with_the_secret() -> None:
    user = uuid4()
    minted = run("token", str(user), "--hours", "1", SUPABASE_JWT_SECRET=SECRET)
    claims = jwt.decode(minted.stdout.strip(), SECRET, algorithms=["HS256"], audience="authenticated")
    assert UUID(claims["sub"]) == user
    assert claims["exp"] - claims["iat"] == 3600


def test_a_token_without_demo_or_secret_is_refused_with_advice(tmp_path: Path) -> None:
    refused = run("token", "--data-dir", str(tmp_path / "none"))
    assert refused.returncode == 2
    assert "make demo" in refused.stderr


def test_migrate_makes_an_empty_database_ready_and_then_has_nothing_to_do(empty_database: Database) -> None:
    first = run("migrate", DATABASE_URL=empty_database.dsn)
    assert first.returncode == 0, first.stderr
    assert "0001_platform" in first.stdout
    assert run("migrate", DATABASE_URL=empty_database.dsn).stdout == "nothing to apply\n"


async def test_rebuild_repairs_what_was_damaged_by_hand(database: Database, given: Given) -> None:
    agency = await given.agency()
    await given.calls(agency, 3)
    await fold(given.connection)
    await given.connection.execute("update call_stats_folded set total_calls = 99")
    repaired = run("rebuild", DATABASE_URL=database.dsn)
    assert (repaired.returncode, repaired.stdout) == (0, "1 rows repaired\n"), repaired.stderr
    assert await given.connection.fetchval("select total_calls from call_stats_daily") == 3
    assert run("rebuild", "--agency", str(agency), DATABASE_URL=database.dsn).stdout == "0 rows repaired\n"


def test_an_unreachable_database_is_said_in_plain_words() -> None:
    failed = run("rebuild", DATABASE_URL="postgresql://postgres@127.0.0.1:1/none")
    assert failed.returncode == 2
    assert "gateway doctor" in failed.stderr
    assert "Traceback" not in failed.stderr


async def test_serve_answers_and_ends_cleanly_on_sigterm(database: Database, given: Given) -> None:
    user = await given.user(await given.agency())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "DATABASE_URL": database.dsn, "SUPABASE_JWT_SECRET": SECRET, "PORT": str(port)}
    process = subprocess.Popen([*GATEWAY, "serve"], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        answer = await _answer(f"http://127.0.0.1:{port}/functions/v1/dashboard-funnel", user, process)
        assert answer["funnel"]["total_calls"] == 0
    finally:
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in log
    assert '"path": "/functions/v1/dashboard-funnel"' in log
    assert process.returncode == 0


async def _answer(url: str, user: UUID, process: subprocess.Popen[str]) -> dict[str, dict[str, int]]:
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token(user)}"}, timeout=PATIENCE) as http:

        async def answer() -> httpx2.Response | None:
            assert process.poll() is None, "the gateway did not come up"
            with suppress(httpx2.ConnectError):
                return await http.get(url)
            return None

        return (await until(answer)).raise_for_status().json()
