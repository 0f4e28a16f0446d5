"""What every Python server here asks of a request before it answers: a token that counts, and its user's agency."""

import os
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from uuid import UUID

import asyncpg
import jwt
from cachetools import TTLCache

_AGENCY = "select agency_id from users where id = $1"
_SECRET = os.environ.get("SUPABASE_JWT_SECRET", "")


def user_of(authorization: str) -> UUID:
    """The user of an `Authorization` header. Raises what PyJWT raises, which a server may answer with 401."""
    claims = jwt.decode(
        authorization.removeprefix("Bearer "),
        _SECRET,
        ["HS256"],
        audience="authenticated",
        options={"require": ["exp"]},
    )
    return UUID(claims["sub"])


class Passes:
    """Remembers tokens and agencies for a few seconds, as a server that is written for speed would."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._agencies: TTLCache[str, UUID] = TTLCache(10_000, 5)

    async def agency(self, authorization: str) -> UUID:
        """The agency of a request's token."""
        known = self._agencies.get(authorization)
        if known is None:
            known = self._agencies[authorization] = await agency_of(self._pool, authorization)
        return known


async def agency_of(pool: asyncpg.Pool, authorization: str) -> UUID:
    """The agency of a request's token, looked up anew."""
    agency: UUID = await pool.fetchval(_AGENCY, user_of(authorization))
    return agency


async def open_pool() -> asyncpg.Pool:
    """As many connections as the gateway has."""
    return await asyncpg.create_pool(
        os.environ["DATABASE_URL"], min_size=8, max_size=8, server_settings={"jit": "off", "timezone": "UTC"}
    )


@lru_cache(16)
def days_of(period: str, today: date) -> tuple[date, date]:
    """First and last day of a period."""
    return today - timedelta(days=int(period.split("_")[1]) - 1), today


def today() -> date:
    """The UTC day."""
    return datetime.now(UTC).date()
