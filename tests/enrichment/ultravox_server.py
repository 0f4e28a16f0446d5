"""A platform that speaks Ultravox's protocol over HTTP on loopback, remembers what it was asked, and can misbehave."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import orjson

from tests.issuer import Answer, answering
from tests.listening import listening

Message = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request: its target as it was sent, its headers in small letters, and when it came on the loop's clock."""

    target: str
    headers: dict[str, str]
    at: float

    @property
    def key(self) -> str:
        """The API key it came with."""
        return self.headers["x-api-key"]


@dataclass
class Platform:
    """Keeps calls at `url`, each seen by one key only."""

    url: str = ""
    calls: dict[tuple[str, str], list[list[Message]]] = field(default_factory=dict)
    """The pages of messages of a key's call."""
    recorded: set[str] = field(default_factory=set)
    requests: list[Asked] = field(default_factory=list)
    once: list[Answer] = field(default_factory=list)
    """Given to the next requests, whatever they ask for."""
    messages: Answer | None = None
    """Given instead of any page of messages."""
    recording: Answer | None = None
    """Given instead of any word about a recording."""

    def keep(self, key: str, call_id: str, *pages: list[Message], recorded: bool = False) -> None:
        """Adds a call."""
        self.calls[key, call_id] = list(pages)
        if recorded:
            self.recorded.add(call_id)

    @property
    def targets(self) -> list[str]:
        """What was asked for, in order."""
        return [asked.target for asked in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request."""
        try:
            asked = _read(await reader.readuntil(b"\r\n\r\n"))
            self.requests.append(asked)
            await (self.once.pop(0) if self.once else self._answer(asked))(writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, asked: Asked) -> Answer:
        target = urlsplit(asked.target)
        if asked.key not in {key for key, _ in self.calls}:
            return answering(401, b'{"detail":"Invalid API key."}')
        match [unquote(part) for part in target.path.split("/")]:
            case ["", "api", "calls", call_id, "messages"] if (asked.key, call_id) in self.calls:
                page = int(parse_qs(target.query).get("cursor", ["0"])[0])
                return self.messages or self._page(target.path, self.calls[asked.key, call_id], page)
            case ["", "api", "calls", call_id, "recording"] if call_id in self.recorded or self.recording:
                # The file is asked for nowhere: who does it gets a 401, for its address is no call of anybody.
                return self.recording or answering(302, b"", Location=f"{self.url}/files/{call_id}.wav")
        return answering(404, b'{"detail":"Not found."}')

    def _page(self, path: str, pages: list[list[Message]], number: int) -> Answer:
        more = number + 1 < len(pages)
        page = {
            "results": pages[number],
            "next": f"{self.url}{path}?mode=in_call&cursor={number + 1}" if more else None,
            "previous": None,
            "total": sum(map(len, pages)),
        }
        return answering(200, orjson.dumps(page), **{"Content-Type": "application/json"})


def _read(head: bytes) -> Asked:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return Asked(first.split(" ")[1], headers, asyncio.get_running_loop().time())


def said(role: str, text: str, start: str | None = None, end: str | None = None, **rest: Any) -> Message:
    """A message as the platform lists it; `role` is its last word, as in `agent` or `tool_call`."""
    message = {
        "role": f"MESSAGE_ROLE_{role.upper()}",
        "text": text,
        "medium": "MESSAGE_MEDIUM_VOICE",
        "callStageMessageIndex": 0,
        "callStageId": "5b99bb11-8dde-4e1b-9f46-58d5256e4d35",
        **rest,
    }
    if start or end:
        span = {name: value for name, value in (("start", start), ("end", end)) if value}
        message |= {"timespan": span, "wallClockTimespan": {"start": "77.7s", "end": "88.8s"}}
    return message


@asynccontextmanager
async def playing() -> AsyncIterator[Platform]:
    """A platform that listens until the block ends."""
    platform = Platform()
    async with listening(platform.serve) as address:
        platform.url = address
        yield platform
