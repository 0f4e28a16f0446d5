"""What may lie between the gateway and PostgreSQL: a plain or a TLS wire over TCP, and a transaction pooler."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qsl, urlsplit, urlunsplit

SSL_REQUEST, CANCEL_REQUEST = 80877103, 80877102
Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def server_behind(dsn: str) -> Wire:
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    if "host" in query:
        return await asyncio.open_unix_connection(f"{query['host']}/.s.PGSQL.{query.get('port', '5432')}")
    return await asyncio.open_connection(parts.hostname, parts.port or 5432)


def over_tcp(dsn: str, port: int, host: str = "127.0.0.1", parameters: str = "") -> str:
    """The same database as the same user, at another place."""
    parts = urlsplit(dsn)
    user = parts.netloc.rpartition("@")[0]
    place = f"[{host}]" if ":" in host else host
    return urlunsplit(parts._replace(netloc=f"{user}@{place}:{port}", query=parameters))


def as_user(dsn: str, user: str) -> str:
    """The same database at the same place, as another user."""
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc.rpartition('@')[2]}"))


@asynccontextmanager
async def listening(handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], host: str):
    """Serves `handle` on a free port, which is yielded; ends with every connection closed."""
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await handle(reader, writer)
        writer.close()
        with suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()

    server = await asyncio.start_server(accept, host, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@asynccontextmanager
async def relay(dsn: str, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The server of `dsn` on a TCP port; with `tls` it takes nobody who does not ask for TLS."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if tls is not None:
            if int.from_bytes((await reader.readexactly(8))[4:]) != SSL_REQUEST:
                return
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(tls)
        far_reader, far_writer = await server_behind(dsn)
        try:
            await asyncio.gather(_pour(reader, far_writer), _pour(far_reader, writer))
        finally:
            far_writer.close()

    async with listening(handle, host) as port:
        yield port


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while some := await source.read(65536):
        target.write(some)
        await target.drain()
    with suppress(OSError, NotImplementedError):
        target.close()


@asynccontextmanager
async def transaction_pooler(dsn: str) -> AsyncIterator[int]:
    """One server connection, lent to whoever has a transaction to run, for as long as it runs.

    As PgBouncer: clients get a process id of the pooler's own, and settings in the startup message are refused.
    """
    far: list[Wire] = []
    greeting: list[bytes] = []
    lent = asyncio.Lock()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        startup = await _startup(reader, writer)
        words = startup.split(b"\0")
        asked = dict(zip(words[::2], words[1::2], strict=False))
        for name in asked.keys() - {b"user", b"database", b"client_encoding", b"application_name", b""}:
            writer.write(_message(b"E", b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: " + name + b"\0\0"))
            return
        async with lent:
            if not far:
                far.append(await server_behind(dsn))
                body = (196608).to_bytes(4) + startup
                far[0][1].write((len(body) + 4).to_bytes(4) + body)
                while (answer := await _read(far[0][0]))[:1] != b"Z":
                    greeting.extend([answer] if answer[:1] == b"S" else [])
        writer.write(
            _message(b"R", bytes(4)) + b"".join(greeting) + _message(b"K", os.urandom(8)) + _message(b"Z", b"I")
        )
        said = asyncio.ensure_future(_read(reader))
        try:
            while (await said)[:1] != b"X":
                async with lent:
                    said = await _lend(said, reader, writer, *far[0])
        finally:
            said.cancel()

    async with listening(handle, "127.0.0.1") as port:
        try:
            yield port
        finally:
            for _, writer in far:
                writer.close()


async def _lend(
    said: asyncio.Future[bytes],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
) -> asyncio.Future[bytes]:
    """Carries messages both ways until the server is idle, and gives the client's next one."""
    answered = asyncio.ensure_future(_read(far_reader))
    awaited = 0
    while True:
        await asyncio.wait({said, answered}, return_when=asyncio.FIRST_COMPLETED)
        if said.done():
            message = said.result()
            awaited += message[:1] in (b"Q", b"S")
            far_writer.write(message)
            said = asyncio.ensure_future(_read(reader))
        if answered.done():
            message = answered.result()
            writer.write(message)
            awaited -= message[:1] == b"Z"
            if message[:1] == b"Z" and message[5:] == b"I" and not awaited:
                return said
            answered = asyncio.ensure_future(_read(far_reader))


async def _startup(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    while True:
        length = int.from_bytes(await reader.readexactly(4))
        body = await reader.readexactly(length - 4)
        if (code := int.from_bytes(body[:4])) == CANCEL_REQUEST:
            raise OSError("not asked for in these tests")
        if code != SSL_REQUEST:
            return body[4:]
        writer.write(b"N")


async def _read(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    return head + await reader.readexactly(int.from_bytes(head[1:]) - 4)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4) + body
