"""From a bearer token to a viewer: what a token must be, and what its user may see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from time import monotonic, time
from typing import Any
from uuid import UUID

import jwt
from cachetools import FIFOCache

from gateway.errors import Forbidden, Unauthenticated
from gateway.keys import KeySet
from gateway.settings import Settings
from resolvers.errors import Unavailable
from resolvers.reader import Database
from resolvers.scalars import parse_uuid
from resolvers.viewer import Role, Viewer

AUDIENCE = "authenticated"
LEEWAY_SECONDS = 30
"""So far the issuer's clock and ours may be apart, either way; the doctor finds more than that wrong."""
LONGEST_TOKEN = 8_192
REMEMBERED = 10_000

# What a fault in a token's content can raise inside PyJWT: `exp` may be Infinity, an object, nested without end.
_BAD_TOKEN = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)
_VIEWER = (Path(__file__).parent / "sql" / "viewer.sql").read_text("utf-8")


@dataclass(frozen=True)
class Token:
    """What counts of a token that was checked."""

    user_id: UUID
    expires_at: float
    """Seconds since the epoch."""


@dataclass(frozen=True)
class _Met:
    """A user as the `users` table said they were, at that moment or later."""

    viewer: Viewer
    asked_at: float


class Authenticator:
    """Checks tokens and knows their users."""

    def __init__(self, settings: Settings, keys: KeySet | None, database: Database) -> None:
        self._settings = settings
        self._keys = keys
        self._database = database
        # Whoever comes back is looked up anew after some seconds, so what was noted first is what is worth least.
        self._users: FIFOCache[UUID, _Met] = FIFOCache(REMEMBERED)
        self._headers: FIFOCache[bytes, tuple[Token, _Met]] = FIFOCache(REMEMBERED)

    def known(self, authorization: bytes) -> Viewer | None:
        """The viewer of an `Authorization` header that was remembered a moment ago, unless its token has expired."""
        try:
            token, met = self._headers[_digest(authorization)]
        except KeyError:
            return None
        return met.viewer if self._is_recent(met) and time() < token.expires_at + LEEWAY_SECONDS else None

    async def token(self, authorization: bytes) -> Token:
        """The token of an `Authorization` header; nothing but its signed `sub` decides whose it is.

        Raises:
            Unauthenticated: the header or its token does not count.
            Unavailable: the issuer's keys are needed and were never to be had.
        """
        if not authorization:
            raise Unauthenticated("the Authorization header is missing; send `Authorization: Bearer <access token>`")
        scheme, _, token = authorization.decode("latin-1").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("the Authorization header must be `Bearer <access token>`")
        if len(token) > LONGEST_TOKEN:
            raise Unauthenticated("the access token is too long to be one")
        claims = await self._claims(token)
        if claims.get("role") != "authenticated" or claims.get("is_anonymous") is True:
            raise Unauthenticated(
                "this is not a signed-in user's token (anon and service keys and anonymous users are not)"
            )
        try:
            return Token(parse_uuid(claims.get("sub")), claims["exp"])
        except ValueError:
            raise Unauthenticated("the access token's `sub` is not a user id") from None

    async def viewer(self, authorization: bytes, token: Token) -> Viewer:
        """What a token's user may see, as the `users` table says now or said seconds ago.

        Raises:
            Forbidden: no such user, no agency, or a client role without a client.
            Unavailable: the database is away.
        """
        met = self._users.get(token.user_id)
        if met is None or not self._is_recent(met):
            met = self._users[token.user_id] = await self._meet(token.user_id)
        self._headers[_digest(authorization)] = token, met
        return met.viewer

    async def _meet(self, user_id: UUID) -> _Met:
        asked_at = monotonic()
        rows: Sequence[Mapping[str, Any]] = await self._database.fetch(_VIEWER, user_id)
        if not rows:
            raise Forbidden("this user is not known to the platform")
        row = rows[0]
        if row["agency_id"] is None:
            raise Forbidden("this user belongs to no agency")
        role = Role(row["role"])
        if role.sees_one_client and row["client_id"] is None:
            raise Forbidden("this user's role sees one client, and none is set")
        viewer = Viewer(user_id, row["agency_id"], role, row["client_id"] if role.sees_one_client else None)
        return _Met(viewer, asked_at)

    def _is_recent(self, met: _Met) -> bool:
        return monotonic() - met.asked_at < self._settings.user_cache_seconds

    async def _claims(self, token: str) -> Mapping[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            keys = await self._keys_for(header)
            for key in keys:
                try:
                    return self._decode(token, key, header["alg"])
                except jwt.InvalidSignatureError:
                    continue
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the access token has expired") from None
        except jwt.ImmatureSignatureError:
            raise Unauthenticated(
                "the access token is not valid yet (`iat` or `nbf`): the issuer's clock is ahead of this machine's by "
                f"more than {LEEWAY_SECONDS} s; set it by NTP"
            ) from None
        except (jwt.InvalidAudienceError, jwt.InvalidIssuerError):
            raise Unauthenticated("the access token was issued for somebody else (`aud` or `iss`)") from None
        except jwt.MissingRequiredClaimError as error:
            raise Unauthenticated(f"the access token has no `{error.claim}`") from None
        except _BAD_TOKEN:
            raise Unauthenticated("the access token is not valid") from None
        raise Unauthenticated("the access token's signature is not valid")

    async def _keys_for(self, header: Mapping[str, Any]) -> Sequence[str | jwt.PyJWK]:
        """Each algorithm has its own kind of key: a public key can never be used as a shared secret."""
        algorithm, secret = header.get("alg"), self._settings.supabase_jwt_secret
        if algorithm == "HS256" and secret is not None:
            return (secret.get_secret_value(),)
        if algorithm in ("ES256", "RS256") and self._keys is not None:
            key_id = header.get("kid")
            keys = await self._keys.candidates(key_id if isinstance(key_id, str) else None, algorithm)
            if keys is None:
                raise Unavailable("the issuer's keys cannot be fetched at the moment")
            return keys
        raise Unauthenticated("the access token is signed in a way that is not accepted here")

    def _decode(self, token: str, key: str | jwt.PyJWK, algorithm: str) -> Mapping[str, Any]:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=AUDIENCE,
            issuer=self._settings.supabase_jwt_issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "aud", "sub"], "verify_iss": self._settings.supabase_jwt_issuer is not None},
        )
        if not isinstance(claims["exp"], int | float):
            raise jwt.DecodeError("exp is not a number")  # PyJWT reads a string of digits as one
        return claims


def _digest(authorization: bytes) -> bytes:
    """Shorter than a token, and nothing to steal."""
    return sha256(authorization).digest()
