"""Nobody holds the process up by how they use a connection: heads, bodies and answers that never end, or too many."""

import asyncio
import gc
import logging
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
import uvicorn
from graphql import get_introspection_query
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from gateway import connections
from gateway.answers import Answers
from gateway.connections import Bounds, Connection
from gateway.db import Pool
from gateway.serve import http_config
from gateway.settings import Settings
from tests.conftest import Postgres
from tests.doors import House, furnished
from tests.given import token
from tests.running import settings_for
from tests.waiting import LONG, PATIENCE, counted, until

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n"
ALIVE = b'{"status":"alive"}'
OVERVIEW = "/functions/v1/dashboard-overview"


class Client:
    """A client's end of a connection, and all that came over it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        """Sends what can be sent; an end that the server has closed takes nothing."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except ConnectionError:
            pass

    def stop_taking(self) -> None:
        """Takes nothing, and lets the system take little for it."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]

    async def rest(self) -> bytes:
        """All that is left until the server closes."""
        received = b""
        try:
            while part := await self.reader.read(65_536):
                received += part
        except ConnectionError:
            pass
        return received

    async def answer(self) -> bytes:
        """The next answer's body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        return await self.reader.readexactly(int(length.split(b":")[1]))


@asynccontextmanager
async def connected(house: House) -> AsyncIterator[Client]:
    """One client."""
    async with many_connected(house, 1) as (client,):
        yield client


@asynccontextmanager
async def many_connected(house: House, number: int) -> AsyncIterator[list[Client]]:
    """Several clients."""
    base = house.gateway.http.base_url
    clients = [Client(*await asyncio.open_connection(base.host, base.port)) for _ in range(number)]
    try:
        yield clients
    finally:
        for client in clients:
            client.writer.close()


def asking(path: str, user: UUID, more: str = "") -> bytes:
    """A GET as it is sent."""
    return f"GET {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token(user)}\r\n{more}\r\n".encode()


def posting(user: UUID, length: int) -> bytes:
    """The head of a POST."""
    return (
        f"POST /graphql HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token(user)}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


@pytest.mark.parametrize(
    "parts",
    [
        [b"GET /livez HTTP/1.1\r\nX-A: ", *[b"a" * 10_000] * 50],
        [b"GET /livez HTTP/1.1\r\nX-A: " + b"a" * 40_000 + b"\r\n\r\n"],
        [b"GET /livez HTTP/1.1\r\n" + b"X-A: a\r\n" * 300 + b"\r\n"],
        [b"GET /livez HTTP/1.1\r\n", *[b"X-A: a\r\n"] * 20_000],
        [b"GET /livez?", *[b"a" * 10_000] * 50],
        [b"GET /livez?" + b"a" * 40_000 + b" HTTP/1.1\r\n\r\n"],
        [*[b"\r\n" * 5_000] * 50],
        [b"POST /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-A: ", *[b"a" * 10_000] * 50],
    ],
    ids=["value", "value at once", "many", "many in parts", "path", "path at once", "empty lines", "trailer"],
)
async def test_a_head_is_read_to_its_bound_and_refused_with_words(server: Postgres, parts: list[bytes]) -> None:
    async with furnished(server) as house, connected(house) as client:
        with capture_logs() as logs:
            for part in parts:
                await client.send(part)
            received = await client.rest()
        assert b"431 Request Header Fields Too Large" in received
        assert b"32768 bytes" in received
        assert [line["bound"] for line in logs if line["event"] == "connection.bound"] == [
            "request header fields too large"
        ]
        assert (await house.gateway.http.get("/livez")).status_code == 200


async def test_a_head_within_its_bound_is_read_however_it_comes(server: Postgres) -> None:
    async with furnished(server, http_head_seconds=LONG) as house, connected(house) as client:
        head = b"GET /livez HTTP/1.1\r\nHost: test\r\nX-A: " + b"a" * 30_000 + b"\r\n" + b"X-B: b\r\n" * 190 + b"\r\n"
        for step in (len(head), 1_000, 7):
            for begin in range(0, len(head), step):
                await client.send(head[begin : begin + step])
            assert await client.answer() == ALIVE


@pytest.mark.parametrize("began", [b"G", b"GET /livez HTTP/1.1\r\nX-A: a", b"GET /livez HTTP/1.1\r\n\r", b"\r\n"])
@pytest.mark.parametrize("earlier", [0, 2], ids=["first", "later"])
async def test_a_head_that_never_ends_is_given_up(server: Postgres, began: bytes, earlier: int) -> None:
    async with furnished(server, http_head_seconds=0.2) as house, connected(house) as client:
        for _ in range(earlier):
            await client.send(LIVEZ)
            assert await client.answer() == ALIVE
        await client.send(began)
        assert b"408 Request Timeout" in await client.rest()


async def test_idle_connections_are_closed_after_their_time_and_not_before(server: Postgres) -> None:
    async with furnished(server, http_keep_alive_seconds=0.3) as house, connected(house) as client:
        assert await client.rest() == b""

        async def is_answered() -> bool:
            async with connected(house) as other:
                await other.send(LIVEZ)
                return (await other.rest()).endswith(ALIVE)

        await until(is_answered)
    assert settings_for("postgresql://localhost/x").http_keep_alive_seconds == 75


async def test_for_one_more_connection_the_one_that_waits_longest_for_its_client_is_closed(server: Postgres) -> None:
    async with furnished(server, http_max_connections=20, http_head_seconds=LONG) as house:
        begun: tuple[bytes, ...] = (b"", b"GET /", posting(house.owner, 50) + b"{")
        async with connected(house) as busy, AsyncExitStack() as stack:
            idle = []
            for number in range(60):
                idle.append(await stack.enter_async_context(connected(house)))
                await idle[-1].send(begun[number % 3])
                await busy.send(LIVEZ)  # whoever is used stays
                assert await busy.answer() == ALIVE
            assert (await house.gateway.http.get("/livez")).content == ALIVE
            for client in idle[:40]:
                assert await client.rest() == b""


async def test_where_every_connection_is_busy_one_more_is_refused_with_words(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, may_end = Pool.fetch, asyncio.Event()
    begun = 0

    async def waiting(self: Pool, sql: str, *values: object) -> Any:
        nonlocal begun
        if "bigint_sum" in sql:
            begun += 1
            await may_end.wait()
        return await fetch(self, sql, *values)

    async with furnished(server, http_max_connections=3, reuse=False) as house:
        monkeypatch.setattr(Pool, "fetch", waiting)
        async with connected(house) as one, connected(house) as two, connected(house) as three:
            for client in (one, two, three):
                await client.send(asking(OVERVIEW, house.owner))
            await until(lambda: begun == 3)
            async with connected(house) as more:
                received = await more.rest()
                assert b"503 Service Unavailable" in received
                assert b"\r\nretry-after: 1\r\n" in received
                assert b"Too many connections" in received
            may_end.set()
            for client in (one, two, three):
                assert b"total_calls" in await client.answer()


@pytest.mark.parametrize(
    ("soft", "hard", "asked", "most"),
    [
        (256, 256, [], 256 - 8 - connections.FILES_BESIDE),
        (256, 512, [(512, 512)], 512 - 8 - connections.FILES_BESIDE),
        (1024, 4096, [(1_008 + connections.FILES_BESIDE, 4096)], 1_000),
        (1024, resource.RLIM_INFINITY, [(1_008 + connections.FILES_BESIDE, resource.RLIM_INFINITY)], 1_000),
        (4096, 4096, [], 1_000),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, [], 1_000),
    ],
)
def test_no_more_connections_than_files_may_be_opened_and_as_many_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, asked: list[tuple[int, int]], most: int
) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, given: limits.append(given) if given != (soft, hard) else None)
    settings = settings_for("postgresql://localhost/x", database_pool_size=8, http_max_connections=1_000)
    with capture_logs() as logs:
        assert Bounds(settings).max_connections == most
    assert limits == asked
    assert [line["event"] for line in logs] == ([] if most == 1_000 else ["connections.fewer"])
    assert Bounds(settings_for("postgresql://localhost/x", http_max_connections=5)).max_connections == 5


async def test_what_a_client_asked_for_that_has_gone_is_dropped(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those under way are broken off, and those that wait are never begun."""
    fetch, begun, ended = Pool.fetch, [0], [0]

    async def endless(self: Pool, sql: str, *values: object) -> Any:
        if "bigint_sum" not in sql:
            return await fetch(self, sql, *values)
        begun[0] += 1
        try:
            await asyncio.Event().wait()
        finally:
            ended[0] += 1

    async with furnished(server, database_pool_size=2, rate_limit="off") as house:
        user = await house.given.user(house.agency)
        monkeypatch.setattr(Pool, "fetch", endless)
        with capture_logs() as logs:
            async with many_connected(house, 50) as clients:
                for client in clients:
                    await client.send(asking(f"{OVERVIEW}?campaign_id={uuid4()}", user))
                await until(lambda: begun[0] == 2)
            await until(lambda: sum(line.get("status") == 499 for line in logs) == 50)
            monkeypatch.setattr(Pool, "fetch", fetch)
            assert (await house.get("overview")).status_code == 200
        assert (begun, ended) == ([2], [2])
        assert not [line for line in logs if line["log_level"] == "error"]


async def test_one_who_leaves_takes_nothing_from_those_who_wait_for_the_same_answer(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, may_end, begun = Pool.fetch, asyncio.Event(), [0]

    async def waiting(self: Pool, sql: str, *values: object) -> Any:
        if "bigint_sum" in sql:
            begun[0] += 1
            await may_end.wait()
        return await fetch(self, sql, *values)

    async with furnished(server, reuse=True) as house:
        assert (await house.get("funnel")).status_code == 200  # the version is known
        monkeypatch.setattr(Pool, "fetch", waiting)
        joined = counted(monkeypatch, Answers, "_shared")
        async with connected(house) as leaves:
            await leaves.send(asking(OVERVIEW, house.owner))
            await until(lambda: begun[0] == 1)
            others = [asyncio.create_task(house.get("overview")) for _ in range(5)]
            await until(lambda: len(joined) == 6)
        await until(lambda: begun[0] == 2)
        may_end.set()
        assert [(await other).status_code for other in others] == [200] * 5
        assert begun == [2]


async def test_a_body_that_comes_slowly_takes_nobodys_turn(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = counted(monkeypatch, Answers, "at_hand")
    for reuse in (True, False):
        async with furnished(server, reuse=reuse, database_pool_size=1) as house:
            async with many_connected(house, 10) as slow:
                for client in slow:
                    await client.send(posting(house.owner, 5_000) + b"{")
                await until(lambda: len(begun) == 10)
                assert (await house.get("overview")).status_code == 200
        begun.clear()


async def test_the_rest_of_a_body_that_was_refused_is_read_for_a_moment_and_no_longer(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LINGER_SECONDS", PATIENCE)
    async with furnished(server) as house:
        async with connected(house) as client:
            await client.send(posting(house.owner, 300_000) + b"x" * 200_000)
            assert b"BODY_TOO_LARGE" in await client.answer()
            await client.send(b"x" * 100_000 + LIVEZ)
            assert await client.answer() == ALIVE
        monkeypatch.setattr(connections, "LINGER_SECONDS", 0.3)
        async with connected(house) as endless:
            await endless.send(posting(house.owner, 300_000) + b"x" * 200_000)
            assert b"BODY_TOO_LARGE" in await endless.answer()
            given_up = asyncio.create_task(endless.rest())
            for _ in range(90_000):
                await endless.send(b"x")
                await asyncio.sleep(0.01)
                if given_up.done():
                    break
            assert given_up.done()


async def test_requests_sent_before_any_answer_are_read_no_further_than_to_a_bound(server: Postgres) -> None:
    async with furnished(server) as house:
        async with connected(house) as client:
            await client.send(LIVEZ * connections.MOST_PIPELINED)
            for _ in range(connections.MOST_PIPELINED):
                assert await client.answer() == ALIVE
        async with connected(house) as flood:
            await flood.send(LIVEZ * 5_000)
            assert (await flood.rest()).count(ALIVE) <= connections.MOST_PIPELINED


async def test_no_more_is_read_while_requests_wait(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    body = orjson.dumps({"query": f"# {'x' * 20_000}\n{{ __typename }}"})
    waiting: list[int] = []
    read = Connection.on_headers_complete

    def reading(self: Connection) -> None:
        read(self)
        waiting.append(len(self.pipeline))

    monkeypatch.setattr(Connection, "on_headers_complete", reading)
    async with furnished(server) as house, connected(house) as client:
        sending = asyncio.create_task(client.send((posting(house.owner, len(body)) + body) * 200))
        for _ in range(200):
            assert b"Query" in await client.answer()
        await sending
    # As many as one read brings, of 256 KiB.
    assert 1 < max(waiting) < 20


async def test_a_client_that_takes_nothing_of_its_answers_is_given_up(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "STALLED_SECONDS", 0.2)
    async with furnished(server, reuse=True) as house:
        with capture_logs() as logs:
            async with connected(house) as client:
                client.stop_taking()
                head = b"GET /openapi.json HTTP/1.1\r\nHost: test\r\nX-A: " + b"a" * 10_000 + b"\r\n\r\n"
                client.writer.write(head * 900)
                await until(lambda: any(line.get("bound") == "an answer that is not taken" for line in logs))
        assert (await house.gateway.http.get("/livez")).status_code == 200


@pytest.fixture
def bounds(monkeypatch: pytest.MonkeyPatch) -> list[Bounds]:
    """Of the gateway that is run, whose sockets take little more than they are given room for."""
    made: list[Bounds] = []
    begin, take_in = Bounds.__init__, Connection.connection_made

    def beginning(self: Bounds, settings: Settings) -> None:
        begin(self, settings)
        made.append(self)

    def taking_in(self: Connection, transport: asyncio.Transport) -> None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        transport.set_write_buffer_limits(4_096)
        take_in(self, transport)

    monkeypatch.setattr(Bounds, "__init__", beginning)
    monkeypatch.setattr(Connection, "connection_made", taking_in)
    return made


def asking_much(user: UUID, padding: int = 0) -> bytes:
    """A question with a large answer."""
    body = orjson.dumps({"query": f"# {'x' * padding}\n{get_introspection_query()}"})
    return posting(user, len(body)) + body


async def test_whoever_leaves_with_requests_that_wait_leaves_no_error_behind(
    server: Postgres, bounds: list[Bounds], caplog: pytest.LogCaptureFixture
) -> None:
    async with furnished(server) as house, connected(house) as client:
        client.stop_taking()
        client.writer.write(asking_much(house.owner, 20_000) * 400)
        await until(lambda: bounds[0].untaken)
        client.writer.transport.abort()
        await until(lambda: not bounds[0].untaken)
        # What it had asked for is given up without an error.
        await house.gateway.http.get("/livez")
        gc.collect()
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_answers_that_nobody_takes_have_one_bound_at_the_expense_of_the_user_who_leaves_most(
    server: Postgres, bounds: list[Bounds], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with furnished(server) as house, connected(house) as quiet, many_connected(house, 12) as abusers:
        abuser = await house.given.user(await house.given.agency())
        dropping = counted(monkeypatch, Bounds, "drop_untaken")
        for client in (quiet, *abusers):
            client.stop_taking()
        await quiet.send(asking_much(house.owner))
        await until(lambda: bounds[0].untaken)
        (waiting,) = bounds[0].untaken
        monkeypatch.setattr(connections, "MOST_UNTAKEN_BYTES", 5 * waiting.transport.get_write_buffer_size())
        with capture_logs() as logs:
            for client in abusers:
                await client.send(asking_much(abuser))
            await until(lambda: len(dropping) > len(abusers))
        for client in (quiet, *abusers):
            client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert b"__schema" in await quiet.answer()
        served = 0
        for client in abusers:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                served += b"__schema" in await client.answer()
        # How many depends on how much the system holds of each.
        assert 0 < served < len(abusers)
        assert {line["bound"] for line in logs if line["event"] == "connection.bound"} == {"answers that are not taken"}


async def test_what_is_no_http_is_answered_in_words(server: Postgres) -> None:
    async with furnished(server) as house, connected(house) as client:
        await client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello over TLS\r\n\r\n")
        received = await client.rest()
        assert received.startswith(b"HTTP/1.1 400 Bad Request")
        assert b'{"error":"This is not a request in HTTP/1.1."}' in received


@pytest.mark.parametrize(
    "header",
    [
        (b"x-a", b"a\r\nset-cookie: b"),
        (b"x-a", b"\r\n"),
        (b"x-a\r\nset-cookie", b"b"),
        (b"x-a", b"a\x00"),
        (b"x-a", b"\n"),
    ],
)
async def test_no_header_of_an_answer_begins_a_line_of_its_own(header: tuple[bytes, bytes]) -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        length = (b"content-length", b"2")
        await send({"type": "http.response.start", "status": 200, "headers": [length, header]})
        await send({"type": "http.response.body", "body": b"ok"})

    settings = settings_for("postgresql://localhost/x")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = http_config(app, settings)
        config.lifespan = "off"
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        await until(lambda: server.started)
        try:
            client = Client(*await asyncio.open_connection(*listener.getsockname()))
            await client.send(LIVEZ)
            # It is refused as uvicorn refuses it, who has nothing left to say then.
            assert await client.rest() == b""
            client.writer.close()
        finally:
            server.should_exit = True
            await serving
