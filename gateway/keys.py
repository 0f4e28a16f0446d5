"""The issuer's public keys: fetched without blocking, kept while the issuer is away, never fetched twice at once."""

import asyncio
from time import monotonic

import httpx2
import jwt
import structlog

log = structlog.get_logger()

FRESH_SECONDS = 300.0
"""Supabase asks to keep its keys no longer than 10 minutes; a removed key stops counting after this."""
PAUSE_SECONDS = 5.0
"""Between two attempts, so that neither unknown key ids nor an issuer that is away make us hammer it."""
TIMEOUT_SECONDS = 3.0

_USABLE = {"ES256": "EC", "RS256": "RSA"}


class KeySet:
    """The keys published at `url`, by key id."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._keys: list[jwt.PyJWK] = []
        self._fetched = self._tried = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def candidates(self, key_id: str | None, algorithm: str) -> list[jwt.PyJWK] | None:
        """The keys that may have signed a token with this header.

        An unknown id asks the issuer again, at most every few seconds; known ones are answered from memory and
        refreshed behind the request's back.

        Returns:
            The keys, an empty list for an id the issuer does not know, or None when its keys were never seen.
        """
        found = self._matching(key_id, algorithm)
        if monotonic() - self._fetched > FRESH_SECONDS or not found:
            refresh = self._refresh()
            if refresh and not found:
                await asyncio.shield(refresh)
                found = self._matching(key_id, algorithm)
        return found if self._fetched > float("-inf") else None

    async def close(self) -> None:
        """Ends a fetch that is still under way."""
        if self._fetching:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _matching(self, key_id: str | None, algorithm: str) -> list[jwt.PyJWK]:
        return [
            key
            for key in self._keys
            if key.key_type == _USABLE[algorithm]
            and key.algorithm_name == algorithm
            and (key_id is None or key.key_id == key_id)
        ]

    def _refresh(self) -> asyncio.Task[None] | None:
        if self._fetching and not self._fetching.done():
            return self._fetching
        if monotonic() - self._tried < PAUSE_SECONDS:
            return None
        self._tried = monotonic()
        self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        try:
            # The client's own timeout is for each read: an issuer that sends a byte a second would keep us forever.
            async with asyncio.timeout(TIMEOUT_SECONDS), httpx2.AsyncClient(follow_redirects=False) as client:
                response = await client.get(self.url)
                response.raise_for_status()
                published = response.json()["keys"]
                keys = [key for jwk in published if (key := _read(jwk))]
        except Exception as error:  # noqa: BLE001  whatever the issuer answers, nested without end or not at all
            # The last good keys go on counting: an issuer's outage must not become ours.
            log.warning("issuer's keys not fetched", url=self.url, reason=repr(error))
            return
        self._keys = keys
        self._fetched = monotonic()


def _read(jwk: object) -> jwt.PyJWK | None:
    """A key to verify with; none for one of another kind or purpose, which are not ours to judge."""
    try:
        key = jwt.PyJWK.from_dict(jwk)  # type: ignore[arg-type]
    except (jwt.PyJWTError, AttributeError, TypeError, ValueError):
        return None
    return key if key.public_key_use in (None, "sig") else None
