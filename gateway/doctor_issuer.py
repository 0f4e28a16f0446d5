"""Finds out whether the issuer's public keys can be had, and says in plain words what is wrong with them."""

import asyncio

import httpx2
import jwt

from gateway.settings import Settings


async def examine_issuer(settings: Settings, seconds: float) -> tuple[bool | None, str]:
    """Whether tokens of the issuer can be checked (None: warns), and in words what is wrong and what to do."""
    url = settings.jwks_url
    if url is None:
        words = "Only SUPABASE_JWT_SECRET is set: HS256 tokens are accepted, ES256 and RS256 need SUPABASE_URL."
        return True, words
    try:
        # The client's own timeout would be for each read, and an issuer may send a byte a second.
        async with asyncio.timeout(seconds), httpx2.AsyncClient(timeout=None, follow_redirects=False) as client:
            response = await client.get(url)
    except TimeoutError:
        words = f"{url} cannot be reached: no answer within {seconds:g} s. Check SUPABASE_URL and the network."
        return False, words
    except httpx2.HTTPError as error:
        words = f"{url} cannot be reached: {str(error) or type(error).__name__}. Check SUPABASE_URL and the network."
        return False, words
    if response.status_code != httpx2.codes.OK:
        words = f"{url} answers {response.status_code}, not 200. Check SUPABASE_URL, or set SUPABASE_JWKS_URL."
        return False, words
    try:
        published = response.json()["keys"]
        usable = [algorithm for jwk in published if (algorithm := _algorithm(jwk))]
    except (ValueError, KeyError, TypeError):
        return False, f'{url} is no key set (JSON with "keys"). Check the address.'
    if not usable:
        words = f"{url} publishes no key for ES256 or RS256."
        if settings.supabase_jwt_secret is not None:
            return None, f"{words} Only HS256 tokens are accepted, with SUPABASE_JWT_SECRET."
        return False, f"{words} If the project signs with HS256, set SUPABASE_JWT_SECRET."
    counts = ", ".join(f"{usable.count(name)} for {name}" for name in sorted(set(usable)))
    return True, f"{url} publishes keys: {counts}."


def _algorithm(jwk: object) -> str | None:
    try:
        key = jwt.PyJWK.from_dict(jwk)  # type: ignore[arg-type]
    except (jwt.PyJWTError, AttributeError, TypeError, ValueError):
        return None
    return (
        key.algorithm_name if key.algorithm_name in ("ES256", "RS256") and key.public_key_use in (None, "sig") else None
    )
