"""What one abuser does to a server, for so many seconds, in a process of its own: `python -m bench.abusers`.

Everything goes to loopback, over at most so many connections as each kind says.
"""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import count
from random import Random
from time import perf_counter
from typing import Any

import orjson
import uvloop

from bench.load import request

CONNECTIONS = 32
NAMES = "abcdefghijklmnopqrstuvwxyz"
PERIOD = "filters: {period: LAST_90_DAYS}"


@dataclass(frozen=True)
class Abuse:
    """What to do, to whom, as whom, and for how long."""

    kind: str
    port: int
    token: str
    seconds: float


def abusing(abuse: Abuse) -> subprocess.Popen[bytes]:
    """The abuser at work, in a process of its own that ends by itself."""
    process = subprocess.Popen([sys.executable, "-m", "bench.abusers"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin  # noqa: S101  it was asked for
    process.stdin.write(orjson.dumps(asdict(abuse)))
    process.stdin.close()
    process.stdin = None  # so that whoever waits for the end does not write to it
    return process


def _word(random: Random, length: int = 12) -> str:
    return "".join(random.choices(NAMES, k=length))


def _unknown_arguments(_: Random) -> str:
    return "{ overview(filters:{" + " ".join(f"a{n}:1" for n in range(1_200)) + "}){summary{totalCalls}} }"


def _unknown_fields(random: Random) -> str:
    return "{ timeseries { data { " + " ".join(_word(random) for _ in range(100)) + " } } }"


def _bad(random: Random) -> str:
    """One of a family: a fault of some kind, in a document of some size."""
    size = random.choice((5, 50, 500, 1_200))
    name = _word(random)
    kinds = (
        lambda: "{ " + " ".join(f"{name}{n}: overview {{ {name} }}" for n in range(size // 4)) + " }",
        lambda: "{ ...F } " + " ".join(f"fragment {name}{n} on Query {{ ...{name}{n + 1} }}" for n in range(size // 4)),
        lambda: "query (" + " ".join(f"${name}{n}: {name}" for n in range(size // 3)) + ") { __typename }",
        lambda: "{ overview " + " ".join(f"@{name}{n}" for n in range(size // 2)) + " { summary { totalCalls } } }",
        lambda: "{ overview(filters: {period: " + name * size + "}) { summary { totalCalls } } }",
        lambda: "{ overview { summary { " + " ".join(["totalCalls"] * size) + f" {name} }} }} }}",
        lambda: "{ " + "overview { summary { " * (size // 10) + name,
        lambda: '{ overview(filters: {campaignId: "' + name * size + '"}) { summary { totalCalls } } }',
        lambda: " ".join(f"query {name}{n} {{ __typename }}" for n in range(size // 6)) + f" query {name}0 {{ x }}",
        lambda: "{ timeseries(filters: {period: CUSTOM, startDate: 1" + "0" * size + "}) { data { date } } }",
    )
    return random.choice(kinds)()


def _different(random: Random) -> str:
    aliases = " ".join(f"{_word(random)}: timeseries({PERIOD}) {{ data {{ {FIELDS} }} }}" for _ in range(14))
    return f"{{ {aliases} }}"


FIELDS = (
    "date totalCalls completedCalls failedCalls connectedCalls conversationsHad meetingsBooked qualifiedLeads "
    "totalDurationSeconds avgDurationSeconds inboundCalls outboundCalls positiveSentimentCalls neutralSentimentCalls "
    "negativeSentimentCalls objectionsEncountered issuesResolved escalations voicemailCalls callbackRequestedCalls"
)


def _dear(random: Random) -> str:
    """As much as the limits let one document ask for, of a year."""
    year = f'filters: {{period: CUSTOM, startDate: "2025-12-01", endDate: "2026-11-{random.randrange(10, 30)}"}}'
    return "{ " + " ".join(f"a{n}: timeseries({year}) {{ data {{ {FIELDS} }} }}" for n in range(24)) + " }"


DOCUMENTS: Mapping[str, Callable[[Random], str]] = {
    "1,200 unknown arguments": _unknown_arguments,
    "100 unknown fields": _unknown_fields,
    "bad documents of ten kinds": _bad,
    "different documents, each twice": _different,
    "the dearest document": _dear,
    "padded requests": lambda random: f"{{ overview {{ summary {{ totalCalls }} }} }} # {_word(random)}" + "x" * 90_000,
}


def _bodies(kind: str, random: Random) -> Iterator[str]:
    while True:
        document = DOCUMENTS[kind](random)
        for _ in range(2):
            yield document


class Abuser:
    """One, at work until its time is over."""

    def __init__(self, abuse: Abuse) -> None:
        self._abuse = abuse
        self._until = perf_counter() + abuse.seconds
        self._random = Random(7)
        self.sent = 0

    async def work(self) -> None:
        """Does what it is there for, however it is received."""
        kind = self._abuse.kind
        if kind in DOCUMENTS:
            bodies = _bodies(kind, self._random)
            await self._side_by_side(CONNECTIONS, lambda: self._ask(bodies))
            return
        at_once, do = {
            "clients that hang up": (CONNECTIONS, self._hang_up),
            "heads that never end": (CONNECTIONS, self._endless_head),
            "bodies that never end": (500, self._endless_body),
            "1,100 idle connections": (1_100, self._idle),
            "answers that nobody takes": (CONNECTIONS, self._deaf),
            "tokens that are not valid": (CONNECTIONS, self._forge),
        }[kind]
        await self._side_by_side(at_once, do)

    async def _side_by_side(self, number: int, do: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def again() -> None:
            while perf_counter() < self._until:
                with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                    async with asyncio.timeout(max(0.01, self._until - perf_counter())):
                        await do()
                await asyncio.sleep(0.001)

        await asyncio.gather(*(again() for _ in range(number)))

    def _post(self, document: str, token: str = "") -> bytes:
        return request("/graphql", token or self._abuse.token, orjson.dumps({"query": document})).encode()

    async def _ask(self, bodies: Iterator[str]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._abuse.port)
        try:
            for document in bodies:
                writer.write(self._post(document))
                self.sent += 1
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
        finally:
            writer.close()

    async def _hang_up(self) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", self._abuse.port)
        writer.write(self._post(_different(self._random)))
        self.sent += 1
        await writer.drain()
        await asyncio.sleep(0.002)
        writer.close()

    async def _endless_head(self) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", self._abuse.port)
        try:
            writer.write(b"GET /livez HTTP/1.1\r\nX-A: ")
            while not writer.is_closing():
                writer.write(b"a" * 16_384)
                self.sent += 1
                await writer.drain()
                await asyncio.sleep(0)
        finally:
            writer.close()

    async def _endless_body(self) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", self._abuse.port)
        try:
            writer.write(self._post("{ __typename }")[:-5])
            self.sent += 1
            while not writer.is_closing():
                await asyncio.sleep(1)
        finally:
            writer.close()

    async def _idle(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._abuse.port)
        self.sent += 1
        try:
            await reader.read(1)
            await asyncio.sleep(0.2)
        finally:
            writer.close()

    async def _deaf(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._abuse.port)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        try:
            for number in count():
                writer.write(self._post(f"# {number}\n" + _dear(self._random)))
                self.sent += 1
                await writer.drain()
        finally:
            writer.transport.abort()

    async def _forge(self) -> None:
        token = self._abuse.token[:-20] + _word(self._random, 20)
        reader, writer = await asyncio.open_connection("127.0.0.1", self._abuse.port)
        try:
            writer.write(self._post("{ __typename }", token))
            self.sent += 1
            await reader.readuntil(b"\r\n\r\n")
        finally:
            writer.close()


KINDS = (
    *DOCUMENTS,
    "clients that hang up",
    "heads that never end",
    "bodies that never end",
    "1,100 idle connections",
    "answers that nobody takes",
    "tokens that are not valid",
)


if __name__ == "__main__":
    abuser = Abuser(Abuse(**orjson.loads(sys.stdin.buffer.read())))
    uvloop.run(abuser.work())
    sys.stdout.buffer.write(orjson.dumps(abuser.sent))
