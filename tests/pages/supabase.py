"""A Supabase project for pages to sign in to: Auth's protocol over HTTP, and the keys of the tokens it hands out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from time import time
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import jwt
import orjson

from tests.issuer import Issuer, answering, claims
from tests.listening import listening

EMAIL, PASSWORD = "owner@example.com", "correct horse battery staple"
PUBLISHABLE_KEY = "sb_publishable_of-the-tests"
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "*, authorization, apikey, content-type, x-client-info, x-supabase-api-version",
    "Access-Control-Allow-Methods": "*",
    "Content-Type": "application/json",
}


@dataclass
class Supabase:
    """One user, known by EMAIL and PASSWORD."""

    user: UUID
    url: str = ""
    lasts: timedelta = timedelta(hours=1)
    """The life of the tokens that are handed out from now on."""
    asked: list[str] = field(default_factory=list)
    """What was asked for: `password`, `refresh_token`, `logout`."""
    keys: Issuer = field(default_factory=Issuer)
    refresh_tokens: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.keys.add("now", "ES256")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, _ = head.split(" ", 2)
            headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            status, answer = self._answer(method, target, headers, body)
            await answering(status, orjson.dumps(answer), **_CORS)(writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        parts = urlsplit(target)
        if method == "OPTIONS":
            return 200, {}
        if parts.path.endswith("/jwks.json"):
            return 200, self.keys.published
        if headers.get("apikey") != PUBLISHABLE_KEY:
            return 401, {"message": "No API key found in request"}
        if parts.path == "/auth/v1/logout":
            self.asked.append("logout")
            return 200, {}
        if parts.path != "/auth/v1/token":
            return 404, {"msg": f"no {parts.path} here"}
        (grant,) = parse_qs(parts.query)["grant_type"]
        self.asked.append(grant)
        given = orjson.loads(body)
        if grant == "password" and (given["email"], given["password"]) == (EMAIL, PASSWORD):
            return 200, self._session()
        if grant == "refresh_token" and given["refresh_token"] in self.refresh_tokens:
            self.refresh_tokens.discard(given["refresh_token"])
            return 200, self._session()
        wrong = {
            "password": ("invalid_credentials", "Invalid login credentials"),
            "refresh_token": ("refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found"),
        }
        code, words = wrong[grant]
        return 400, {"code": 400, "error_code": code, "msg": words}

    def _session(self) -> dict[str, Any]:
        algorithm, key = self.keys.keys["now"]
        expires_at = int(time() + self.lasts.total_seconds())
        refresh_token = uuid4().hex
        self.refresh_tokens.add(refresh_token)
        return {
            "access_token": jwt.encode(claims(self.user, exp=expires_at), key, algorithm, {"kid": "now"}),
            "token_type": "bearer",
            "expires_in": int(self.lasts.total_seconds()),
            "expires_at": expires_at,
            "refresh_token": refresh_token,
            "user": {"id": str(self.user), "aud": "authenticated", "role": "authenticated", "email": EMAIL},
        }


@asynccontextmanager
async def supabase(user: UUID) -> AsyncIterator[Supabase]:
    """A project that listens until the block ends."""
    project = Supabase(user)
    async with listening(project.serve) as address:
        project.url = address
        yield project
