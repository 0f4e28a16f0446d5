"""An issuer of tokens whose keys are really fetched over HTTP, and which can be made to misbehave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.listening import listening
from tests.waiting import LONG

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@cache
def private_key(algorithm: str, number: int = 0) -> Any:  # noqa: ARG001  the number tells keys of one algorithm apart
    """A key pair, made once in a run."""
    if algorithm.startswith("ES"):
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048)


def public_jwk(key: PrivateKeyTypes, **entries: Any) -> dict[str, Any]:
    """The public half, as an issuer publishes it."""
    kind = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else RSAAlgorithm
    return {**kind.to_jwk(key.public_key(), as_dict=True), **entries}  # type: ignore[arg-type, union-attr]


def claims(user: UUID, **changed: Any) -> dict[str, Any]:
    """What Supabase Auth writes into an access token; None removes a claim."""
    now = datetime.now(UTC)
    given = {
        "iss": "https://project.supabase.co/auth/v1",
        "sub": str(user),
        "aud": "authenticated",
        "exp": now + timedelta(hours=1),
        "iat": now,
        "email": "somebody@example.com",
        "role": "authenticated",
        "aal": "aal1",
        "session_id": str(uuid4()),
        "is_anonymous": False,
        "app_metadata": {"provider": "email"},
        "user_metadata": {},
    }
    return {name: value for name, value in {**given, **changed}.items() if value is not None}


@dataclass
class Issuer:
    """Publishes keys at `url`; each has an id, and tokens are signed with it."""

    url: str = ""
    keys: dict[str, tuple[str, Any]] = field(default_factory=dict)
    """The algorithm and private key of each key id that is published."""
    extra: list[Any] = field(default_factory=list)
    """Further entries of the published set, ahead of the keys."""
    requests: int = 0
    misbehave: Answer | None = None

    def add(self, key_id: str, algorithm: str, number: int = 0) -> None:
        """Publishes another key."""
        self.keys[key_id] = (algorithm, private_key(algorithm, number))

    def token(self, key_id: str, user: UUID, *, header: Mapping[str, Any] | None = None, **changed: Any) -> str:
        """A user's token, signed with a published key."""
        algorithm, key = self.keys[key_id]
        return jwt.encode(claims(user, **changed), key, algorithm, {"kid": key_id, **(header or {})})

    @property
    def published(self) -> dict[str, Any]:
        """The key set."""
        own = [public_jwk(key, kid=id_, alg=algorithm, use="sig") for id_, (algorithm, key) in self.keys.items()]
        return {"keys": [*self.extra, *own]}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request."""
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            await (self.misbehave or answering(200, orjson.dumps(self.published)))(writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def answering(status: int, body: bytes, **headers: str) -> Answer:
    """An answer."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    return answer


async def hanging(_: asyncio.StreamWriter) -> None:
    """Never answers."""
    await asyncio.sleep(LONG)


async def dripping(writer: asyncio.StreamWriter) -> None:
    """Sends a byte now and then, without end."""
    writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def resetting(writer: asyncio.StreamWriter) -> None:
    """Hangs up."""
    writer.transport.abort()


@asynccontextmanager
async def issuing() -> AsyncIterator[Issuer]:
    """An issuer that listens until the block ends."""
    issuer = Issuer()
    async with listening(issuer.serve) as address:
        issuer.url = f"{address}/auth/v1/.well-known/jwks.json"
        yield issuer
