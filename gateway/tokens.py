"""Mints access tokens like Supabase Auth's, for the demo, development and tests."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt


def mint(secret: str, user_id: UUID, *, expires_in: timedelta) -> str:
    """An HS256 access token of a user, valid from now on for `expires_in`."""
    now = datetime.now(UTC)
    claims = {"sub": str(user_id), "aud": "authenticated", "role": "authenticated", "iat": now, "exp": now + expires_in}
    return jwt.encode(claims, secret, algorithm="HS256")
