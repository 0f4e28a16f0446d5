"""The load generator counts what it is answered, and never takes a wrong answer for a right one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from bench.load import Job, Load, load, request
from tests.listening import listening

SECONDS = 1.0
GOOD = '{"data": {"calls": 3}}'


@asynccontextmanager
async def _answering(answer: Callable[[int], bytes]) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server whose n-th answer is `answer(n)`; gives its port and the requests it has heard."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            heard.append(head + await reader.readexactly(length))
            # In two parts, so that an answer may arrive in pieces.
            answered = answer(len(heard))
            writer.write(answered[:20])
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(answered[20:])

    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with listening(quiet) as address:
        yield urlsplit(address).port or 0, heard


def _http(body: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nCONTENT-LENGTH: {len(body)}\r\n\r\n{body}".encode()


async def _loaded(answer: Callable[[int], bytes], expected: str | None = GOOD) -> tuple[Load, list[bytes]]:
    async with _answering(answer) as (port, heard):
        job = Job(port, [request("/graphql", "token", b'{"query":"{calls}"}')], [expected], 3, SECONDS)
        return await asyncio.to_thread(load, job), heard


async def test_every_answer_is_counted_once() -> None:
    done, heard = await _loaded(lambda _: _http(GOOD))
    assert done.answers == len(heard) > 3
    assert done.wrong == 0
    assert 0 < done.p50_ms <= done.p99_ms
    assert done.per_second == done.answers / done.seconds


async def test_the_request_is_sent_whole() -> None:
    _, heard = await _loaded(lambda _: _http(GOOD))
    head, _, body = heard[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /graphql HTTP/1.1\r\n")
    assert b"Authorization: Bearer token\r\n" in head
    assert body == b'{"query":"{calls}"}'


async def test_one_wrong_body_among_many_is_noticed_and_shown() -> None:
    done, _ = await _loaded(lambda number: _http(GOOD if number != 5 else '{"data": {"calls": 4}}'))
    assert done.wrong == 1
    assert done.first_wrong.endswith('{"data": {"calls": 4}}')


async def test_a_status_other_than_200_is_wrong_whatever_its_body() -> None:
    done, heard = await _loaded(lambda _: _http(GOOD, "429 Too Many Requests"))
    assert done.wrong == done.answers == len(heard)


async def test_errors_are_wrong_where_any_data_would_do() -> None:
    fine, _ = await _loaded(lambda _: _http(GOOD), expected=None)
    wrong, _ = await _loaded(lambda _: _http('{"errors": [], "data": null}'), expected=None)
    assert fine.wrong == 0
    assert wrong.wrong == wrong.answers > 0


async def test_a_connection_that_ends_before_its_answer_is_wrong() -> None:
    closed: list[Awaitable[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_http(GOOD)[:-3])
        writer.close()
        closed.append(writer.wait_closed())

    async with listening(serve) as address:
        job = Job(urlsplit(address).port or 0, [request("/", "token", b"{}")], [GOOD], 2, SECONDS)
        done = await asyncio.to_thread(load, job)
    for end in closed:
        await end
    assert (done.answers, done.wrong) == (0, 2)


async def test_requests_are_sent_in_turn_each_with_its_own_expectation() -> None:
    bodies = [b'{"n":0}', b'{"n":1}', b'{"n":2}']

    async with _answering(lambda number: _http(f'{{"n":{(number - 1) % 3}}}')) as (port, heard):
        job = Job(port, [request("/", "t", body) for body in bodies], [body.decode() for body in bodies], 1, SECONDS)
        done = await asyncio.to_thread(load, job)
    assert done.wrong == 0
    assert [text.partition(b"\r\n\r\n")[2] for text in heard[:4]] == [*bodies, bodies[0]]
