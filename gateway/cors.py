"""What pages of other origins may do: call with whatever headers they have, and read what concerns them.

Tokens decide here and no cookies do, so a page gains nothing by calling from a browser; and clients name themselves,
their versions and their traces in headers that nobody can list.
"""

import re
from collections.abc import Mapping

from starlette.responses import Response

from gateway import graphql_http
from gateway.compression import Headers
from gateway.errors import OLD_ALLOWED
from gateway.settings import Settings

ALLOWED_HEADERS = (
    "authorization, x-client-info, apikey, content-type, x-retry-count, traceparent, tracestate, baggage, x-region, "
    "x-request-id, if-none-match"
)
"""What supabase-js sends, and our own: allowed whether they are asked for or not."""
EXPOSED_HEADERS = "allow, etag, retry-after, server-timing, www-authenticate, x-request-id"
PREFLIGHT_SECONDS = 86_400
LONGEST_ASKED = 4_000
"""Bytes of a list of header names that is answered: far more than any client has."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")


class Cors:
    """The headers that say so."""

    def __init__(self, settings: Settings) -> None:
        self._origins = {origin.encode() for origin in settings.cors_origins}
        self._is_public = b"*" in self._origins
        self._allowed = (b"access-control-allow-headers", ALLOWED_HEADERS.encode())
        self.always: Headers = [(b"access-control-expose-headers", EXPOSED_HEADERS.encode())]
        """On every answer."""
        self.always.append((b"access-control-allow-origin", b"*") if self._is_public else (b"vary", b"Origin"))

    def of(self, method: str, path: str, asked: Mapping[bytes, bytes]) -> Headers:
        """What else is on the answer to a request with these headers."""
        headers: Headers = []
        # A browser reads it of a preflight alone, which has it; the legacy endpoints always had it.
        if method != "OPTIONS" and path != graphql_http.PATH:
            headers.append(self._allowed)
        if (origin := asked.get(b"origin")) is not None:
            if self._is_public:
                headers.append((b"timing-allow-origin", b"*"))
            elif origin in self._origins:
                headers += [(b"access-control-allow-origin", origin), (b"timing-allow-origin", origin)]
        return headers


def preflight(path: str, asked: Mapping[bytes, bytes]) -> Response:
    """The answer to OPTIONS, whether or not there is something at the path: only so can a page be told that not."""
    methods = graphql_http.ALLOWED if path == graphql_http.PATH else OLD_ALLOWED
    return Response(
        status_code=204,
        headers={
            "Allow": methods,
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Allow-Headers": _allowed(asked.get(b"access-control-request-headers", b"")),
            "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
            "Vary": "Access-Control-Request-Headers",
            "Content-Type": "application/json",
        },
    )


def _allowed(asked: bytes) -> str:
    """What is always allowed, and what is asked for, unless that is no list of header names."""
    if len(asked) > LONGEST_ASKED:
        return ALLOWED_HEADERS
    names = [name for entry in asked.decode("latin-1").lower().split(",") if (name := entry.strip(" \t"))]
    if not all(map(_NAME.fullmatch, names)):
        return ALLOWED_HEADERS
    return ", ".join(dict.fromkeys([*ALLOWED_HEADERS.split(", "), *names]))
