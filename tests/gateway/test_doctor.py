"""`gateway doctor`: for each thing that can be wrong, that it is found and that the words say what to do."""

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from rich.console import Console

from database.migrate import MIGRATIONS
from gateway import doctor
from gateway.doctor import Finding, examine, report
from gateway.settings import Settings
from tests.database.wires import as_user, listening, over_tcp, relay, transaction_pooler
from tests.given import damage, fold
from tests.issuer import claims
from tests.running import running
from tests.waiting import LONG, PATIENCE, wait_until

SECRET = "a-secret-of-thirty-two-bytes-and-a-few-more"
ES256 = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True)
RS256 = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key(), as_dict=True)


@pytest.fixture
async def role(connection):
    """A role that may log in and nothing else."""
    name = f"role_{uuid4().hex}"
    await connection.execute(f"create role {name} login")
    yield name
    await connection.execute(f"drop owned by {name}; drop role {name}")


def settings(dsn, **given):
    return Settings(**{"database_url": dsn, "database_pooler": "none", "supabase_jwt_secret": SECRET, **given})


async def found(dsn, check, **given):
    """The findings of one check."""
    return [finding for finding in await examine(settings(dsn, **given)) if finding.check == check]


async def add_user(connection, role="agency_owner", *, with_agency=True):
    agency = await connection.fetchval("insert into agencies (name, slug) values ('A', $1) returning id", str(uuid4()))
    user = "insert into users (id, agency_id, role) values ($1, $2, $3)"
    await connection.execute(user, uuid4(), agency if with_agency else None, role)
    return agency


async def test_a_healthy_gateway_has_nothing_to_report(database, connection):
    await add_user(connection)
    async with issuer({"keys": [ES256]}) as url:
        findings = await examine(settings(database.dsn, supabase_jwks_url=url))
    assert {finding.check: finding.words for finding in findings if finding.ok is not True} == {}
    assert [finding.check for finding in findings] == [*doctor._CHECKS, "issuer"]


async def test_more_connections_than_the_server_has_are_noticed(database):
    (finding,) = await found(database.dsn, "connections", workers=40, database_pool_size=10)
    assert finding.ok is None
    assert finding.words.startswith("Up to 400 (WORKERS times DATABASE_POOL_SIZE)")
    (finding,) = await found(database.dsn, "connections", workers=2, database_pool_size=5)
    assert finding.ok
    assert finding.words.startswith("Up to 10 of the server's ")


@pytest.mark.parametrize(
    ("dsn", "words"),
    [
        ("postgresql://somebody:sesame@127.0.0.1:1/calls", "Nothing listens at 127.0.0.1:1."),
        ("postgresql://somebody:sesame@/calls?host=/nowhere", "Nothing listens at /nowhere:5432."),
        ("postgresql://somebody:sesame@nowhere.invalid/calls", "There is no host of the name nowhere.invalid."),
        ("postgresql://somebody:ses@me@nowhere.invalid/calls", "There is no host of the name nowhere.invalid."),
        ("postgresql://somebody:ses/a@me@127.0.0.1:1/calls", "Nothing listens at 127.0.0.1:1."),
        ("postgresql://somebody:ses@me", "There is no host of the name that stands there."),
    ],
)
async def test_a_database_that_cannot_be_reached_is_explained_without_the_password(dsn, words):
    database, issuer = await examine(settings(dsn))
    assert (database.ok, database.check) == (False, "database")
    assert database.words.startswith(words)
    assert "ses" not in database.words
    assert issuer.check == "issuer"


async def test_an_unknown_database_or_user_is_named(server):
    [database] = await found(server.dsn("nowhere_to_be_found"), "database")
    assert 'the database "nowhere_to_be_found" does not exist' in database.words
    [database] = await found(as_user(server.dsn("postgres"), "a_stranger"), "database")
    assert 'role "a_stranger" does not exist' in database.words


async def test_a_server_that_says_nothing_is_not_waited_for_without_end(monkeypatch):
    monkeypatch.setattr(doctor, "CHECK_SECONDS", 5.0)

    async def say_nothing(_reader, _writer):
        await asyncio.sleep(LONG)

    async with listening(say_nothing, "127.0.0.1") as port:
        async with asyncio.timeout(PATIENCE):
            url = f"http://127.0.0.1:{port}/keys"
            database, issuer = await examine(settings(f"postgresql://u@127.0.0.1:{port}/db", supabase_jwks_url=url))
    assert "does not answer in time" in database.words
    assert "cannot be reached" in issuer.words


async def test_a_server_without_tls_is_no_answer_to_sslmode_require():
    async def speak_no_tls(reader, writer):
        await reader.readexactly(8)
        writer.write(b"N")
        await writer.drain()

    async with listening(speak_no_tls, "127.0.0.1") as port:
        [finding] = await found(f"postgresql://u@127.0.0.1:{port}/db?sslmode=require", "database")
    assert "does not speak TLS" in finding.words


async def test_an_old_postgresql_is_found(database, monkeypatch):
    monkeypatch.setattr(doctor, "OLDEST_POSTGRESQL", 99)
    [finding] = await found(database.dsn, "database")
    assert finding.ok is False
    assert "Version 99 or newer is needed." in finding.words


async def test_a_database_that_was_never_migrated_is_told_to_be(empty_database):
    findings = {finding.check: finding for finding in await examine(settings(empty_database.dsn))}
    assert findings["tables"].ok is False
    assert findings["tables"].words.startswith("Missing: agencies, users")
    assert findings["counting"] == Finding(None, "counting", "Could not be checked: `calls` is missing.")
    assert findings["migrations"].words == (
        f"Not applied: {', '.join(sorted(file.name for file in MIGRATIONS.glob('*.sql')))}. Run `gateway migrate`."
    )
    assert findings["users"] == Finding(None, "users", "Could not be checked: `users` is missing.")
    assert findings["rollup"].ok is None
    assert findings["clock"].ok is True


async def test_missing_columns_views_functions_and_triggers_are_named(database, connection):
    await connection.execute(
        """
        drop view v_call_batch_summary;
        alter table calls drop column summary, drop column has_recording;
        drop function repair_call_stats;
        alter table calls disable trigger calls_log_deleted;
        drop trigger call_changes_fold on call_changes;
        alter table users disable trigger users_version_updated;
        """
    )
    [tables] = await found(database.dsn, "tables")
    assert tables.words == "Missing: v_call_batch_summary, calls.has_recording, calls.summary. Run `gateway migrate`."
    [counting] = await found(database.dsn, "counting")
    assert counting.ok is False
    assert "Missing functions: repair_call_stats." in counting.words
    assert "Missing triggers: call_changes_fold." in counting.words
    for table, trigger in (("calls", "calls_log_deleted"), ("users", "users_version_updated")):
        assert f"{trigger} is switched off; run: alter table {table} enable trigger {trigger}." in counting.words


async def test_users_who_can_see_nothing_are_counted(database, connection):
    [users] = await found(database.dsn, "users")
    assert users.ok is False
    assert users.words.startswith("None, so every request is refused with 403.")
    await add_user(connection)
    await add_user(connection, with_agency=False)
    for role in ("client_admin", "client_viewer"):
        await add_user(connection, role)
    assert [(finding.ok, finding.words[:12]) for finding in await found(database.dsn, "users")] == [
        (True, "4 of them."),
        (None, "1 without an"),
        (None, "2 with a cli"),
    ]


async def test_missing_privileges_come_with_the_grant_that_helps(database, connection, role):
    dsn = as_user(database.dsn, role)
    [privileges] = await found(dsn, "privileges")
    assert privileges.ok is False
    grant = privileges.words.split("`")[1]
    assert "this role does not see the rows of `users`" in (await found(dsn, "users"))[0].words
    await connection.execute(grant)
    assert (await found(dsn, "privileges"))[0].ok is True


async def test_a_role_that_may_not_use_the_schema_is_told_so(database, connection, role):
    await connection.execute("revoke all on schema public from public")
    [finding] = await found(as_user(database.dsn, role), "database")
    assert finding.words == f"{role} may not use the schema public: grant usage on schema public to it."


async def test_row_security_that_hides_everything_is_not_taken_for_emptiness(database, connection, role):
    await add_user(connection)
    await connection.execute(f"grant select on all tables in schema public to {role}")
    findings = {finding.check: finding for finding in await examine(settings(as_user(database.dsn, role)))}
    assert findings["row security"].ok is False
    assert "BYPASSRLS" in findings["row security"].words
    assert findings["users"] == Finding(
        None, "users", "Could not be checked: this role does not see the rows of `users`."
    )
    assert findings["rollup"].ok is None
    await connection.execute(f"alter role {role} bypassrls")
    [row_security] = await found(as_user(database.dsn, role), "row security")
    assert row_security.ok is True


async def test_row_security_with_policies_is_a_warning(database, connection, role):
    await connection.execute(f"grant select on all tables in schema public to {role}")
    views = {row[0] for row in await connection.fetch("select viewname from pg_views where schemaname = 'public'")}
    for name in doctor.EXPECTED.keys() - views:
        await connection.execute(f"create policy everything on {name} for select using (true)")
    [row_security] = await found(as_user(database.dsn, role), "row security")
    assert row_security.ok is None
    assert "Policies choose the rows of" in row_security.words


async def test_a_rollup_that_drifted_is_found(database, connection):
    agency = await add_user(connection)
    await connection.execute("insert into calls (agency_id) values ($1)", agency)
    assert (await found(database.dsn, "rollup"))[0].ok is True
    await fold(connection)
    await connection.execute("update call_stats_folded set total_calls = 2")
    [rollup] = await found(database.dsn, "rollup")
    assert rollup.ok is False
    assert rollup.words.startswith("1 rows of call_stats_folded of the last 7 days")
    assert "`gateway rebuild`" in rollup.words
    await damage(
        connection,
        "insert into agency_findings_folded (agency_id, stat_date, kind, text, text_key, count, handled)"
        " values ($1, (now() at time zone 'UTC')::date, 'signal', 'Invented', text_key('Invented'), 1, 0)",
        agency,
    )
    await connection.execute("delete from agency_hours_folded")
    [rollup] = await found(database.dsn, "rollup")
    tables = ("call_stats_folded", "agency_hours_folded", "agency_findings_folded")
    assert rollup.words.startswith(f"{', '.join(f'1 rows of {table}' for table in tables)} of the last 7 days")


@pytest.mark.parametrize(("skew", "words"), [(95, "s ahead of"), (-95, "s behind")])
async def test_a_clock_that_is_off_is_found(database, monkeypatch, skew, words):
    real = time.time
    monkeypatch.setattr(doctor.time, "time", lambda: real() + skew)
    [clock] = await found(database.dsn, "clock")
    assert clock.ok is False
    seconds, _, what = clock.words.partition(" ")
    assert abs(int(seconds) - 95) < doctor.LEEWAY_SECONDS  # what asking takes is in it
    assert what.startswith(words)


@pytest.mark.parametrize(("behind", "fine"), [(25, True), (60, False)])
async def test_a_clock_is_right_exactly_where_its_tokens_are_taken(database, connection, monkeypatch, behind, fine):
    user = await connection.fetchval("select id from users where agency_id = $1", await add_user(connection))
    async with running(settings(database.dsn)) as gateway:
        now = datetime.now(UTC) + timedelta(seconds=behind)
        fresh = jwt.encode(claims(user, iat=now, nbf=now), SECRET)
        headers = {"Authorization": f"Bearer {fresh}"}
        answer = await gateway.http.get("/functions/v1/dashboard-overview", headers=headers)
    assert answer.status_code == (200 if fine else 401)
    if not fine:
        assert "clock is ahead of this machine's by more than 30 s; set it by NTP" in answer.json()["error"]
    real = time.time
    monkeypatch.setattr(doctor.time, "time", lambda: real() - behind)
    [clock] = await found(database.dsn, "clock")
    assert clock.ok is fine


async def test_a_check_that_takes_too_long_or_fails_stops_no_other(database, connection, monkeypatch):
    def limited(seconds):
        async def check(_):
            monkeypatch.setattr(doctor, "CHECK_SECONDS", seconds)
            return []

        return check

    # Short for the one that hangs, and for no other.
    checks = {"": limited(1), "users": doctor._users, " ": limited(PATIENCE), "rollup": doctor._rollup}
    monkeypatch.setattr(doctor, "_CHECKS", {**checks, "clock": doctor._clock})
    monkeypatch.setattr(doctor, "_DRIFT", "select 1 / 0")
    async with connection.transaction():
        await connection.execute("lock table users in access exclusive mode")
        findings = {finding.check: finding for finding in await examine(settings(database.dsn))}
    assert findings["users"] == Finding(None, "users", "Could not be checked within 1 s.")
    assert findings["rollup"] == Finding(None, "rollup", "Could not be checked: division by zero.")
    assert findings["clock"].ok is True


async def test_a_connection_that_is_lost_half_way_is_reported_and_no_crash(database, connection, monkeypatch):
    async def lose(_):
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        return Finding(True, "lose", "")

    monkeypatch.setattr(doctor, "_CHECKS", {"lose": lose, "clock": doctor._clock})
    lost, clock, _ = await examine(settings(database.dsn))
    assert lost.ok is True
    assert clock.ok is None
    assert clock.words.startswith("Could not be checked: ")


async def test_a_transaction_pooler_must_be_named_in_the_settings(database):
    async with transaction_pooler(database.dsn) as port:
        dsn = over_tcp(database.dsn, port)
        [finding] = await found(dsn, "pooler")
        assert finding.ok is False
        assert "set DATABASE_POOLER=transaction" in finding.words
        findings = await examine(settings(dsn, database_pooler="transaction"))
    assert {finding.check for finding in findings if finding.ok is not True} == {"users"}  # there are none


async def test_a_direct_connection_gains_nothing_from_the_pooler_setting(database):
    [finding] = await found(database.dsn, "pooler", database_pooler="transaction")
    assert finding.ok is None
    assert "`none` is faster" in finding.words


async def test_a_plain_wire_is_not_taken_for_a_pooler(database):
    async with relay(database.dsn) as port:
        assert await found(over_tcp(database.dsn, port), "pooler") == [Finding(True, "pooler", "None.")]


@pytest.mark.parametrize(
    ("mode", "setting", "ok", "words"),
    [
        ("transaction", "none", False, "leads to a transaction pooler"),
        ("transaction", "transaction", True, "as is set"),
        ("session", "none", False, "refuses a session's settings (unsupported startup parameter"),
        ("session", "transaction", True, "as is set"),
    ],
)
async def test_pgbouncer_is_told_apart_by_how_it_behaves(database, mode, setting, ok, words):
    with pgbouncer(database.dsn, mode) as port:
        [finding] = await found(over_tcp(database.dsn, port), "pooler", database_pooler=setting)
    assert finding.ok is ok
    assert words in finding.words


async def test_a_pgbouncer_that_drops_settings_silently_is_found_out(database):
    with pgbouncer(database.dsn, "session", "ignore_startup_parameters = statement_timeout") as port:
        [finding] = await found(over_tcp(database.dsn, port), "pooler")
    assert finding.ok is False
    assert "drops a session's settings" in finding.words


@contextmanager
def pgbouncer(dsn, mode, more=""):
    """A real one, where it is installed, before the server of `dsn`."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("no pgbouncer is installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    parts = urlsplit(dsn)
    at = {"host": parts.hostname, "port": str(parts.port or 5432), "user": parts.username} | dict(
        parse_qsl(parts.query)
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "pgbouncer.ini"
        file.write_text(
            f"[databases]\n* = host={at['host']} port={at['port']} user={at['user']}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = {mode}\n{more}\n"
        )
        as_nobody = {"user": "nobody", "extra_groups": []} if os.geteuid() == 0 else {}
        process = subprocess.Popen([program, "-q", file], stderr=subprocess.DEVNULL, **as_nobody)
        try:
            wait_until(lambda: _listens(port))
            yield port
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@asynccontextmanager
async def issuer(body, status="200 OK"):
    """A server that answers every request with this; its address."""

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + content)
        await writer.drain()

    async with listening(answer, "127.0.0.1") as port:
        yield f"http://127.0.0.1:{port}/auth/v1/.well-known/jwks.json"


NOWHERE = "postgresql://u@127.0.0.1:1/db"


@pytest.mark.parametrize(
    ("body", "status", "ok", "words"),
    [
        ({"keys": [ES256, RS256, ES256]}, "200 OK", True, "publishes keys: 2 for ES256, 1 for RS256."),
        ({"keys": []}, "200 OK", False, "publishes no key for ES256 or RS256."),
        ({"keys": [{"kty": "oct", "k": "c2VjcmV0"}, {"kty": "EC"}, 7]}, "200 OK", False, "publishes no key for"),
        ({"keys": [{**ES256, "use": "enc"}]}, "200 OK", False, "publishes no key for"),
        ({"keys": 7}, "200 OK", False, "is no key set"),
        ([], "200 OK", False, "is no key set"),
        (b"<html>", "200 OK", False, "is no key set"),
        ({"error": "no such project"}, "404 Not Found", False, "answers 404, not 200"),
        (b"", "301 Moved Permanently\r\nLocation: /elsewhere", False, "answers 301, not 200"),
    ],
)
async def test_what_the_issuer_publishes_is_looked_at(body, status, ok, words):
    async with issuer(body, status) as url:
        [finding] = await found(NOWHERE, "issuer", supabase_jwks_url=url, supabase_jwt_secret=None)
    assert finding.ok is ok
    assert words in finding.words


async def test_an_issuer_without_keys_is_a_warning_while_there_is_a_shared_secret():
    async with issuer({"keys": []}) as url:
        [finding] = await found(NOWHERE, "issuer", supabase_jwks_url=url)
    assert finding.ok is None
    assert "Only HS256 tokens are accepted" in finding.words


async def test_an_issuer_that_is_away_is_found():
    [finding] = await found(NOWHERE, "issuer", supabase_url="http://127.0.0.1:1")
    assert finding.ok is False
    assert "http://127.0.0.1:1/auth/v1/.well-known/jwks.json cannot be reached" in finding.words


async def test_a_shared_secret_alone_is_all_right_and_said():
    [finding] = await found(NOWHERE, "issuer", supabase_url=None, supabase_jwks_url=None)
    assert finding.ok is True
    assert "ES256 and RS256 need SUPABASE_URL" in finding.words


def test_the_report_is_plain_text_whatever_the_words_hold():
    console = Console(width=100)
    with console.capture() as capture:
        console.print(report([Finding(False, "database", "at [::1]:5432 [red]"), Finding(None, "users", "few")]))
    assert [line.split() for line in capture.get().splitlines()] == [
        ["wrong", "database", "at", "[::1]:5432", "[red]"],
        ["?", "users", "few"],
    ]
