"""Answers that may be given again: for whom each is kept, of which version, and how much room each agency may take."""

import asyncio
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from uuid import UUID

from starlette.types import Send

from gateway import compression
from gateway.compression import Headers, Packed, packed
from gateway.memory import Entry, Memory
from gateway.versions import Version

BESIDE_BODIES = 1_500
"""Bytes that an answer takes in memory beside its body and its request's: what is counted, no less than it is."""


class Answer:
    """What is sent, whoever asks: as it is, or packed, once for all who take it so."""

    def __init__(self, headers: Headers, body: bytes, *, is_tagged: bool) -> None:
        self.headers = headers
        self.body = body
        self.packed: Packed | None = None
        self._packing: asyncio.Task[None] | None = None
        self.on_packed: Callable[[int], object] = _unheard
        """Told how many bytes more it takes then."""
        self._tag = b""
        if is_tagged:
            self._tag = b'"' + blake2b(body, digest_size=16).hexdigest().encode() + b'"'
            # Weak, as it names the packed form too (RFC 9110, section 8.8.1).
            self.headers = [*headers, (b"etag", b"W/" + self._tag)]

    def is_to_be_packed(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a request with these headers is sent it packed, as nobody was before."""
        return self.packed is None and compression.is_taken(headers, len(self.body)) and not self._is_had(headers)

    async def pack(self) -> None:
        """Packs it; those who come at the same time share the work."""
        if self._packing is None:
            self._packing = asyncio.create_task(self._pack())
        # One that stops waiting must not take it from the others.
        await asyncio.shield(self._packing)

    async def _pack(self) -> None:
        self.packed = await packed(self.headers, self.body)
        self.on_packed(len(self.packed.body))

    def to(self, headers: Mapping[bytes, bytes]) -> tuple[int, Headers, bytes]:
        """Status, headers and body for a request with these headers: one who has it is told that it is the same."""
        if self._is_had(headers):
            return 304, [(name, value) for name, value in self.headers if not name.startswith(b"content-")], b""
        if self.packed is not None and compression.is_taken(headers, len(self.body)):
            return 200, self.packed.headers, self.packed.body
        return 200, self.headers, self.body

    def _is_had(self, headers: Mapping[bytes, bytes]) -> bool:
        return bool(self._tag) and _matches(self._tag, headers.get(b"if-none-match"))

    async def send(self, headers: Mapping[bytes, bytes], send: Send) -> None:
        """Sends it, packed where it is taken so."""
        if self.is_to_be_packed(headers):
            await self.pack()
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
        answer.on_packed = partial(self.memory.grow, kept.entry)


def _matches(etag: bytes, condition: bytes | None) -> bool:
    """RFC 9110, section 13.1.2: any of a list, compared weakly."""
    if condition is None:
        return False
    return condition.strip() == b"*" or etag in (tag.strip().removeprefix(b"W/") for tag in condition.split(b","))


def _unheard(_: int) -> None:
    """Nobody counts."""
