"""How answers are packed: with gzip, for whoever takes it, from a size on where that pays.

Nothing of an answer is secret from whoever asks for it, and no browser adds a token by itself; so that a stranger who
has another's browser ask, and sees how long the answers are, learns nothing of them.
"""

import asyncio
import gzip
import re
from collections.abc import Mapping
from functools import lru_cache
from math import inf
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Headers = list[tuple[bytes, bytes]]

LEAST_BYTES = 1_000
"""Below it an answer is a packet of the network, packed or not."""
LEVEL = 5
"""Nearly as small as by zlib's own 6, in half to three quarters of its time."""
ASIDE_BYTES = 40_000
"""From here on, half a millisecond, another thread does it: zlib lets go of the interpreter meanwhile."""
LONGEST_ACCEPT = 200
"""What says more is not read: a browser says 26 bytes."""

VARY = (b"vary", b"Accept-Encoding")
_QVALUE = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?", re.ASCII)
_TEXTS = (b"text/", b"application/json", b"application/graphql-response+json")


class Packed(NamedTuple):
    """What is sent instead of the whole."""

    headers: Headers
    body: bytes


def is_taken(headers: Mapping[bytes, bytes], size: int) -> bool:
    """Whether a body of so many bytes is to be packed for a request with these headers."""
    accepted = headers.get(b"accept-encoding")
    return accepted is not None and size >= _packed_from(accepted)


async def packed(headers: Headers, body: bytes) -> Packed:
    """An answer, packed; equal ones alike."""
    done = _pack(body) if len(body) < ASIDE_BYTES else await asyncio.to_thread(_pack, body)
    kept = [(name, value) for name, value in headers if name != b"content-length"]
    return Packed([*kept, (b"content-encoding", b"gzip"), (b"content-length", b"%d" % len(done))], done)


class Compression:
    """Packs the texts that the application answers in one piece, but what has an ETag: that names the packed form too,
    or not, and so is packed by whoever made it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, and its answer back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held: Message | None = None

        async def send_on(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and _is_packable(message["headers"]):
                held = message
                return
            if held is not None:
                start, held = held, None
                body = b"" if message.get("more_body", False) else message.get("body", b"")
                is_to_be_packed = bool(body) and is_taken(scope["state"]["headers"], len(body))
                if (is_to_be_packed or len(body) >= LEAST_BYTES) and VARY not in start["headers"]:
                    start["headers"] = [*start["headers"], VARY]
                if is_to_be_packed:
                    start["headers"], message["body"] = await packed(start["headers"], body)
                await send(start)
            await send(message)

        await self._app(scope, receive, send_on)


def _is_packable(headers: Headers) -> bool:
    named = dict(headers)
    own = b"etag" in named or b"content-encoding" in named
    return not own and named.get(b"content-type", b"").startswith(_TEXTS)


def _pack(body: bytes) -> bytes:
    return gzip.compress(body, LEVEL, mtime=0)


@lru_cache(maxsize=100)
def _packed_from(accept_encoding: bytes) -> float:
    """The size from which a body is packed (RFC 9110, section 12.5.3): any, for who takes nothing else."""
    if len(accept_encoding) > LONGEST_ACCEPT:
        return inf
    liked: dict[str, float] = {}
    for entry in accept_encoding.decode("latin-1").lower().split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        liked[name] = _quality(parameters)
    gzip_ = liked.get("gzip", liked.get("x-gzip", liked.get("*", 0.0)))
    plain = liked.get("identity")
    if gzip_ <= 0 or (plain is not None and plain > gzip_):
        return inf
    refuses_plain = plain == 0 or (plain is None and liked.get("*") == 0)
    return 0 if refuses_plain else LEAST_BYTES


def _quality(parameters: list[str]) -> float:
    """As a client gives it: 1 unless it says, and 0 for what is none."""
    given = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
    return float(given) if _QVALUE.fullmatch(given) else 0.0
