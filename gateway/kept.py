"""Answers that may be given again: for whom each is kept, of which version, and how much room each agency may take."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from starlette.types import Send

from gateway.memory import Entry, Memory
from gateway.versions import Version

Headers = list[tuple[bytes, bytes]]

BESIDE_BODIES = 1_500
"""Bytes that an answer takes in memory beside its body and its request's: what is counted, no less than it is."""


@dataclass(frozen=True)
class Answer:
    """What is sent, whoever asks."""

    headers: Headers
    body: bytes
    etag: bytes | None
    """For a GET or HEAD."""

    def to(self, headers: Mapping[bytes, bytes]) -> tuple[int, Headers, bytes]:
        """Status, headers and body for a request with these headers: one who has it is told that it is the same."""
        if self.etag and _matches(self.etag, headers.get(b"if-none-match")):
            return 304, [(name, value) for name, value in self.headers if not name.startswith(b"content-")], b""
        return 200, self.headers, self.body

    async def send(self, headers: Mapping[bytes, bytes], send: Send) -> None:
        """Sends it."""
        status, shown, body = self.to(headers)
        await send({"type": "http.response.start", "status": status, "headers": shown})
        await send({"type": "http.response.body", "body": body})


@dataclass(eq=False)
class Kept:
    """An answer that was computed from data of at least this version."""

    version: Version
    read_at: float
    """The moment before they were read."""
    answer: Answer
    entry: Entry | None = None


class Shelf:
    """Kept answers, within so many bytes, of which each agency has a share."""

    def __init__(self, max_bytes: int) -> None:
        self.memory = Memory(max_bytes)
        self._kept: dict[Hashable, Kept] = {}

    def get(self, key: Hashable) -> Kept | None:
        """What is kept under a key, if anything is."""
        kept = self._kept.get(key)
        if kept is not None:
            self.memory.use(kept.entry)
        return kept

    def put(self, agency: UUID, key: tuple[Hashable, ...], version: Version, read_at: float, answer: Answer) -> None:
        """Keeps an answer, at an agency's expense."""
        if (before := self._kept.get(key)) is not None and before.entry is not None:
            self.memory.forget(before.entry)
        kept = self._kept[key] = Kept(version, read_at, answer)
        size = len(answer.body) + sum(len(part) for part in key if isinstance(part, bytes)) + BESIDE_BODIES
        kept.entry = self.memory.keep(agency, size, partial(self._kept.pop, key))


def _matches(etag: bytes, condition: bytes | None) -> bool:
    """RFC 9110, section 13.1.2: any of a list, compared weakly."""
    if condition is None:
        return False
    return condition.strip() == b"*" or etag in (tag.strip().removeprefix(b"W/") for tag in condition.split(b","))
