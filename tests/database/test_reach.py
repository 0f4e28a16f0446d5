"""Connecting: with any password, to the server that is meant, and in words where no connection comes about."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest
from structlog.testing import capture_logs

from database.address import Address, read_address
from database.embedded import Server, embedded
from database.migrate import MigrationError, migrate
from database.reach import CANNOT_CONNECT, Servers, connect, why_unreachable
from gateway.doctor import examine
from tests.database.test_address import ODD_PASSWORDS
from tests.database.wires import listening, over_tcp, relay
from tests.running import running, settings_for
from tests.waiting import PATIENCE

NAME = "o'dd @ro/le"


def read(url: str) -> Address:
    return read_address(url, environment={})


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that asks everybody but its owner for a password, by SCRAM."""
    named = os.environ.get("TEST_POSTGRES_BIN_DIR")
    with tempfile.TemporaryDirectory(prefix="gateway-reach-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        options = {"password_encryption": "scram-sha-256"}
        with embedded(folder / "data", bin_dir=Path(named) if named else None, durable=False, settings=options) as here:
            (here.data_dir / "pg_hba.conf").write_text("local all postgres trust\nlocal all all scram-sha-256\n")
            asyncio.run(run(here.dsn(), "select pg_reload_conf()"))
            yield here


async def run(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@asynccontextmanager
async def role(server: Server, name: str, password: str) -> AsyncIterator[None]:
    """A role of this name and password, that owns a database of the same name."""
    literal = password.replace("'", "''")
    await run(
        server.dsn(), f"create role \"{name}\" login password '{literal}'", f'create database "{name}" owner "{name}"'
    )
    try:
        yield
    finally:
        await run(server.dsn(), f'drop database "{name}" with (force)', f'drop role "{name}"')


@pytest.mark.parametrize("password", ODD_PASSWORDS)
async def test_any_password_lets_in_however_it_is_written(server: Server, password: str) -> None:
    async with role(server, NAME, password), relay(server.dsn()) as port:
        who = quote(NAME, safe="")
        for written in {password, quote(password, safe="")}:
            for url in (
                f"postgresql://{who}:{written}@127.0.0.1:{port}/{who}",
                f"postgresql://{who}:{written}@/{who}?host={server.socket_dir}&port=5432",
            ):
                connection = await connect(read(url), PATIENCE)
                assert await connection.fetchval("select current_user") == NAME
                await connection.close()


async def test_every_part_of_the_program_reads_the_address_alike(server: Server) -> None:
    password = "p@ss/w#rd?:[x]&y+z %41é"
    async with role(server, "reader", password), relay(server.dsn()) as port:
        encoded = quote(password, safe="")
        for url in (
            f" 'postgresql+asyncpg://reader:{encoded}@127.0.0.1:{port}/reader?schema=public&connection_limit=2&supa=x'\n",
            f"jdbc:postgresql://127.0.0.1:{port}/reader?user=reader&password={encoded}&currentSchema=public",
        ):
            await asyncio.to_thread(migrate, url)
            settings = settings_for(url)
            async with running(settings) as gateway:
                assert (await gateway.http.get("/readyz")).json() == {"status": "ready"}
            findings = {each.check: each.ok for each in await examine(settings)}
            assert findings["database"]
            assert findings["migrations"]


@pytest.mark.parametrize("password", ["QXZJ@QQXX", "QXZJ/QQXX", "QXZJ%51XX", "QXZJ?a=b"])
async def test_a_wrong_password_is_said_and_no_piece_of_it_is_in_any_message_or_log(
    server: Server, password: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async with role(server, "reader", "another"), relay(server.dsn()) as port:
        url = f"postgresql://reader:{password}@127.0.0.1:{port}/reader"
        settings = settings_for(url)
        with capture_logs() as logs:
            async with running(settings) as gateway:
                ready = await gateway.http.get("/readyz")
                assert ready.status_code == 503
        (database, *_) = await examine(settings)
        with pytest.raises(MigrationError, match="Correct user and password in DATABASE_URL") as refused:
            await asyncio.to_thread(migrate, url)
        reasons = {each["reason"] for each in logs if each["event"] == "database.unreachable"}
        assert len(reasons) == 1
        assert "Correct user and password in DATABASE_URL" in reasons.pop()
        written = capfd.readouterr()
        for said in (ready.text, str(logs), database.words, str(refused.value), written.out, written.err):
            for piece in ("QXZJ", "QQXX", "a=b"):
                assert piece not in said


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("options=-c%20no_such_thing%3D1", 'refuses the session: unrecognized configuration parameter "no_such_thing"'),
        ("options=-c%20work_mem%3Dmuch", "refuses the session: invalid value for parameter"),
        ("role=nobody_knows", "refuses the session:"),
    ],
)
async def test_what_the_server_refuses_is_said_in_its_words_and_is_no_500(
    server: Server, parameters: str, words: str
) -> None:
    url = f"{server.dsn()}&{parameters}"
    settings = settings_for(url)
    with capture_logs() as logs:
        async with running(settings) as gateway:
            ready = await gateway.http.get("/readyz")
            assert (ready.status_code, ready.json()["error"]) == (503, "the database cannot be reached at the moment")
    (reason,) = {each["reason"] for each in logs if each["event"] == "database.unreachable"}
    (database, *_) = await examine(settings)
    for said in (reason, database.words):
        assert words in said
        assert "Correct the parameters of DATABASE_URL" in said
    with pytest.raises(MigrationError, match="Correct the parameters of DATABASE_URL"):
        await asyncio.to_thread(migrate, url)


async def test_a_search_path_that_leads_elsewhere_is_not_taken_for_missing_tables(server: Server) -> None:
    async with role(server, "reader", "x"):
        dsn = server.dsn("reader")
        await asyncio.to_thread(migrate, dsn)
        await run(dsn, "create schema elsewhere")
        settings = settings_for(f"{dsn}&options=-c%20search_path%3Delsewhere")
        async with running(settings) as gateway:
            ready = await gateway.http.get("/readyz")
        assert ready.json()["error"].startswith("this role does not look into the schema public")
        (database, *_) = await examine(settings)
        assert "looks for tables in elsewhere (search_path), and they are in public" in database.words


async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read(1)
    await asyncio.Event().wait()


async def test_a_host_that_does_not_answer_costs_its_share_of_the_time_and_then_is_asked_last(server: Server) -> None:
    asked: list[None] = []

    async def count_and_say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(None)
        await say_nothing(reader, writer)

    async with listening(count_and_say_nothing, "127.0.0.1") as away, relay(server.dsn()) as here:
        servers = Servers(
            read(f"postgresql://postgres@127.0.0.1:{away},127.0.0.1:{here}/postgres?sslmode=disable&connect_timeout=10")
        )
        for _ in range(3):
            # So long that only connect_timeout can have cut it short: it is each server's own.
            connection = await servers(timeout=100_000)
            assert await connection.fetchval("select 1") == 1
            await connection.close()
    assert len(asked) == 1


async def test_a_host_that_lets_nobody_in_ends_the_search(server: Server) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        body = b"SFATAL\0VFATAL\0C28P01\0Mno\0\0"
        writer.write(b"E" + (len(body) + 4).to_bytes(4) + body)
        await writer.drain()

    async with listening(refuse, "127.0.0.1") as first, relay(server.dsn()) as second:
        url = f"postgresql://postgres@127.0.0.1:{first},127.0.0.1:{second}/postgres?sslmode=disable"
        with pytest.raises(asyncpg.InvalidPasswordError):
            await connect(read(url), PATIENCE)


async def test_why_no_connection_came_about_is_told_once_until_the_reason_is_another() -> None:
    told: list[str] = []
    servers = Servers(read("postgresql://u:secret@127.0.0.1:1/d"), told.append)
    for _ in range(3):
        with pytest.raises(OSError, match="Connect call failed") as raised:
            await servers(timeout=PATIENCE)
        assert raised.value.__notes__ == told
    assert told == ["Nothing listens at 127.0.0.1:1. Is PostgreSQL running there, and is the port right?"]


async def test_who_runs_this_need_have_neither_a_home_nor_a_name(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 987_654)
    connection = await connect(read(server.dsn()), PATIENCE)
    await connection.close()
    with pytest.raises(ValueError, match="it names no user, and the one who runs this has no name"):
        read("postgresql://127.0.0.1/d")


async def test_all_that_connecting_raises_is_worded(server: Server) -> None:
    for url in (over_tcp(server.dsn(), 1), "postgresql://u:p@nowhere.invalid/d", "postgresql://u:p@/d?host=/nowhere"):
        with pytest.raises(CANNOT_CONNECT) as raised:
            await connect(read(url), PATIENCE)
        assert "gives no connection" not in why_unreachable(read(url), raised.value)
