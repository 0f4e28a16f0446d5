"""Migrations: what is applied, what is said when something is in the way, and how dbmate finds the same server."""

import asyncio
import datetime
import shutil
import ssl
import subprocess
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from database import migrate as module
from database.migrate import MigrationError, migrate, pending
from tests.database.wires import as_user, over_tcp, relay, transaction_pooler
from tests.given import Given, fold

FILES = sorted(path.name for path in module.MIGRATIONS.glob("*.sql"))
PASSWORD = "p@ss:w/o?r#d %41é"


@pytest.fixture
async def connection(empty_database):
    connection = await asyncpg.connect(empty_database.dsn)
    yield connection
    await connection.close()


async def test_an_empty_database_gets_every_file_once(empty_database, connection):
    assert await asyncio.to_thread(migrate, empty_database.dsn) == FILES
    assert await asyncio.to_thread(pending, empty_database.dsn) == []
    assert await asyncio.to_thread(migrate, empty_database.dsn) == []
    assert await connection.fetchval("select count(*) from calls") == 0


async def test_asking_what_is_pending_leaves_no_trace(empty_database, connection):
    count = "select count(*) from pg_class"
    before = await connection.fetchval(count)
    assert await asyncio.to_thread(pending, empty_database.dsn) == FILES
    assert await connection.fetchval(count) == before


async def test_two_at_once_wait_for_each_other(empty_database):
    done = await asyncio.gather(*(asyncio.to_thread(migrate, empty_database.dsn) for _ in range(3)))
    assert sorted(done) == [[], [], FILES]


async def test_the_record_is_not_in_public(empty_database, connection):
    await asyncio.to_thread(migrate, empty_database.dsn)
    found = await connection.fetch("select schemaname from pg_tables where tablename = 'schema_migrations'")
    assert [row["schemaname"] for row in found] == ["gateway_migrations"]


async def test_a_file_that_fails_is_named_and_those_before_it_stay(empty_database, connection, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "MIGRATIONS", tmp_path)
    (tmp_path / "0001_good.sql").write_text("-- migrate:up\ncreate table good (id integer);\n-- migrate:down\n")
    (tmp_path / "0002_bad.sql").write_text(
        "-- migrate:up\ncreate table half (id integer);\nselect nonsense from half;\n-- migrate:down\n"
    )
    with pytest.raises(MigrationError, match=r'0002_bad\.sql failed: .*"nonsense" does not exist.*0001_good\.sql'):
        await asyncio.to_thread(migrate, empty_database.dsn)
    tables = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
    assert [row["tablename"] for row in tables] == ["good"]
    assert await asyncio.to_thread(pending, empty_database.dsn) == ["0002_bad.sql"]


async def test_a_server_that_is_away_is_said_to_be_without_the_password():
    with pytest.raises(MigrationError, match="Nothing listens at localhost:1") as caught:
        await asyncio.to_thread(migrate, "postgresql://somebody:sesame@localhost:1/calls")
    assert "sesame" not in repr(caught.value)


@pytest.mark.parametrize("rest", [":sesame@[db/calls", ":sesame@db.invalid:many/calls", ":sesame"])
async def test_an_address_that_cannot_be_read_is_explained_and_not_shown(rest):
    with pytest.raises(MigrationError, match=r"^DATABASE_URL: .*%40") as caught:
        await asyncio.to_thread(pending, f"postgresql://somebody{rest}")
    assert "ses" not in str(caught.value)


async def test_who_owns_the_database_and_is_no_superuser_may_migrate_and_count(server):
    name = f"owner_{uuid4().hex[:12]}"
    admin = await asyncpg.connect(server.dsn("postgres"))
    await admin.execute(f"create role {name} login")
    await admin.execute(f"create database {name} owner {name}")
    try:
        dsn = as_user(server.dsn(name), name)
        assert await asyncio.to_thread(migrate, dsn) == FILES
        connection = await asyncpg.connect(dsn)
        given = Given(connection)
        await given.calls(await given.agency(), 3)
        await fold(connection)
        assert await connection.fetchval("select total_calls from call_stats_folded") == 3
        for does in ("select fold_call_changes(null, null, null)", "truncate calls cascade"):
            async with connection.transaction(isolation="repeatable_read" if "truncate" in does else "read_committed"):
                await connection.execute(does)
                # What keeps others from writing into the rollups is on again, in the same transaction.
                row = "select gen_random_uuid(), current_date, 'signal', 'A', text_key('A'), 1, 0"
                columns = "agency_id, stat_date, kind, text, text_key, count, handled"
                assert await connection.execute(f"insert into agency_findings_folded ({columns}) {row}") == "INSERT 0 0"
        assert await connection.fetchval("select count(*) from call_stats_folded") == 0
        await connection.close()
    finally:
        await admin.execute(f"drop database {name} with (force)")
        await admin.execute(f"drop role {name}")
        await admin.close()


async def test_a_database_that_does_not_exist_is_named(server):
    with pytest.raises(MigrationError, match='the database "nowhere_to_be_found" does not exist'):
        await asyncio.to_thread(pending, server.dsn("nowhere_to_be_found"))


async def test_a_role_that_may_create_nothing_is_told_so(empty_database, connection):
    role = f"reads_{await connection.fetchval('select current_database()')}"
    await connection.execute(f'create role "{role}" login')
    try:
        with pytest.raises(MigrationError, match=r"may not change the database: .*permission denied"):
            await asyncio.to_thread(migrate, as_user(empty_database.dsn, role))
    finally:
        await connection.execute(f'drop role "{role}"')


async def test_what_supabase_has_pushed_counts_as_applied(empty_database, connection, monkeypatch, tmp_path):
    await _push_with_supabase(connection)
    assert await asyncio.to_thread(pending, empty_database.dsn) == []
    assert await asyncio.to_thread(migrate, empty_database.dsn) == []
    assert await connection.fetchval("select to_regnamespace('gateway_migrations')") is None

    shutil.copytree(module.MIGRATIONS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "9999_next.sql").write_text("-- migrate:up\nselect 1;\n-- migrate:down\n")
    monkeypatch.setattr(module, "MIGRATIONS", tmp_path)
    with pytest.raises(MigrationError, match=r"`supabase db push` .* Push with it: 9999_next\.sql"):
        await asyncio.to_thread(migrate, empty_database.dsn)


async def test_a_time_stamp_that_was_put_before_the_names_for_supabase_is_understood(empty_database, connection):
    await _push_with_supabase(connection, stamp="20261122120000_")
    assert await asyncio.to_thread(pending, empty_database.dsn) == []


async def _push_with_supabase(connection, stamp=""):
    await connection.execute("create schema supabase_migrations")
    await connection.execute(
        "create table supabase_migrations.schema_migrations (version text primary key, statements text[], name text)"
    )
    for number, file in enumerate(FILES):
        await connection.execute((module.MIGRATIONS / file).read_text("utf-8"))
        version, _, name = f"{stamp}{file}".removesuffix(".sql").partition("_")
        await connection.execute(
            "insert into supabase_migrations.schema_migrations (version, name) values ($1, $2)",
            f"{int(version) + (number if stamp else 0):0{len(version)}}",
            name,
        )


async def test_tables_of_another_program_are_left_alone(empty_database, connection):
    await connection.execute("create table users (id integer); create table calls (id integer)")
    with pytest.raises(MigrationError, match=r"these names already \(users, calls\)"):
        await asyncio.to_thread(migrate, empty_database.dsn)
    assert await connection.fetchval("select count(*) from pg_tables where schemaname = 'public'") == 2


async def test_the_statement_for_migrations_run_by_hand_does_what_is_said(empty_database, connection):
    for file in FILES:
        await connection.execute((module.MIGRATIONS / file).read_text("utf-8"))
    with pytest.raises(MigrationError) as caught:
        await asyncio.to_thread(migrate, empty_database.dsn)
    await connection.execute(str(caught.value).partition("record those that you ran: ")[2])
    assert await asyncio.to_thread(migrate, empty_database.dsn) == []


async def test_another_schema_in_front_of_public_is_refused(empty_database, connection):
    await connection.execute("create schema elsewhere")
    with pytest.raises(MigrationError, match="would go to the schema elsewhere"):
        await asyncio.to_thread(
            migrate, f"{empty_database.dsn}{'&' if '?' in empty_database.dsn else '?'}search_path=elsewhere,public"
        )


async def test_a_transaction_pooler_is_refused(empty_database):
    async with transaction_pooler(empty_database.dsn) as port:
        dsn = over_tcp(empty_database.dsn, port)
        assert await asyncio.to_thread(pending, dsn) == FILES
        with pytest.raises(MigrationError, match="leads to a transaction pooler"):
            await asyncio.to_thread(migrate, dsn)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_server_without_tls_needs_no_sslmode(empty_database, host):
    async with relay(empty_database.dsn, host) as port:
        assert await asyncio.to_thread(migrate, over_tcp(empty_database.dsn, port, host)) == FILES


@pytest.mark.parametrize("mode", ["", "sslmode=require"])
async def test_a_server_that_insists_on_tls_needs_no_sslmode_either(empty_database, tmp_path, mode):
    async with relay(empty_database.dsn, tls=certified(tmp_path)) as port:
        dsn = over_tcp(empty_database.dsn, port, parameters=mode)
        assert await asyncio.to_thread(migrate, dsn) == FILES


async def test_the_certificate_named_in_the_url_is_asked_for_by_dbmate_too(empty_database, tmp_path):
    async with relay(empty_database.dsn, tls=certified(tmp_path)) as port:
        trust = f"sslmode=verify-full&sslrootcert={tmp_path / 'certificate'}"
        assert await asyncio.to_thread(migrate, over_tcp(empty_database.dsn, port, "localhost", trust)) == FILES


async def test_the_password_is_in_no_argument_and_no_url(empty_database, connection, monkeypatch):
    seen = {}
    real = subprocess.run

    def run(arguments, **options):
        seen.update(arguments=arguments, environment=options["env"])
        return real(arguments, **options)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setenv("PGHOST", "nowhere.invalid")
    monkeypatch.setenv("PGREQUIRESSL", "1")  # dbmate gives up when it sees this one
    monkeypatch.setenv("DBMATE_MIGRATIONS_DIR", "/nowhere")
    user = await connection.fetchval("select current_user")
    dsn = as_user(empty_database.dsn, f"{user}:{quote(PASSWORD, safe='')}")
    assert await asyncio.to_thread(migrate, dsn) == FILES
    environment = seen["environment"]
    assert environment.pop("PGPASSWORD") == PASSWORD
    everything = " ".join(map(str, [*seen["arguments"], *environment.values()]))
    assert PASSWORD not in everything
    assert quote(PASSWORD, safe="") not in everything


async def test_a_database_may_have_any_name(server):
    name = "a b/ü?%"
    home = await asyncpg.connect(server.dsn("postgres"))
    await home.execute(f'drop database if exists "{name}"')
    await home.execute(f'create database "{name}"')
    try:
        assert await asyncio.to_thread(migrate, server.dsn(quote(name, safe=""))) == FILES
    finally:
        await home.execute(f'drop database "{name}"')
        await home.close()


def certified(folder: Path) -> ssl.SSLContext:
    """A TLS server's context, for localhost, with its certificate in `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    return context
