"""Answers that may be given again: for whom each is kept, of which version, and how much room each agency may take."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from uuid import UUID

from cachetools import LRUCache
from starlette.types import Send

from gateway.versions import Version

Headers = list[tuple[bytes, bytes]]

_BESIDE_BODIES = 1_000
"""Bytes that an answer takes in memory beside its body and its request's."""


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


@dataclass(frozen=True)
class Kept:
    """An answer that was computed from data of at least this version."""

    version: Version
    read_at: float
    """The moment before they were read."""
    answer: Answer
    size: int


class Shelf:
    """Kept answers, within so many bytes.

    Room is made at the expense of the agency that puts something in, where it has more than its share, and otherwise of
    the one that has most: nobody's questions push out what others have asked.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._shares: dict[UUID, LRUCache[Hashable, Kept]] = {}
        self.bytes = 0

    def get(self, agency: UUID, key: Hashable) -> Kept | None:
        """What is kept under a key, if anything is."""
        try:
            kept: Kept = self._shares[agency][key]
        except KeyError:
            return None
        return kept

    def put(self, agency: UUID, key: tuple[Hashable, ...], version: Version, read_at: float, answer: Answer) -> None:
        """Keeps an answer, unless it is larger than everything may be."""
        size = len(answer.body) + sum(len(part) for part in key if isinstance(part, bytes)) + _BESIDE_BODIES
        if size > self._max_bytes:
            return
        share = self._shares.setdefault(agency, LRUCache(self._max_bytes, getsizeof=lambda kept: kept.size))
        self.bytes -= share.pop(key).size if key in share else 0
        while self.bytes + size > self._max_bytes:
            self._make_room(agency)
        share[key] = Kept(version, read_at, answer, size)
        self.bytes += size
        self._shares[agency] = share

    def _make_room(self, agency: UUID) -> None:
        share = self._shares[agency]
        if share.currsize * len(self._shares) <= self._max_bytes:
            agency, share = max(self._shares.items(), key=lambda held: held[1].currsize)
        self.bytes -= share.popitem()[1].size
        if not share:
            del self._shares[agency]


def _matches(etag: bytes, condition: bytes | None) -> bool:
    """RFC 9110, section 13.1.2: any of a list, compared weakly."""
    if condition is None:
        return False
    return condition.strip() == b"*" or etag in (tag.strip().removeprefix(b"W/") for tag in condition.split(b","))
