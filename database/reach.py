"""Finds out whether a PostgreSQL server can be reached, and what stands between us and it."""

import socket
import ssl
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

import asyncpg

CANNOT_CONNECT = (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What `asyncpg.connect` raises, for `why_unreachable` to word."""

Way = Literal["direct", "session", "transaction"]


async def way_to_server(connection: asyncpg.Connection, dsn: str, seconds: float) -> Way:
    """Whether a pooler stands between, found out by behaviour, and if so whether it shares out transactions.

    A pooler hands out process ids of its own making; one that shares out transactions lets two open connections
    meet in the same server process, which no other way to a server does.
    """
    asks = "select pg_backend_pid()"
    other = await asyncpg.connect(dsn, timeout=seconds, statement_cache_size=0)
    try:
        # In this order two servers given out in turn meet both as well.
        seen = [await each.fetchval(asks) for each in (connection, other, other, connection, connection, other)]
    finally:
        await other.close(timeout=seconds)
    ours, others = {seen[0], seen[3], seen[4]}, {seen[1], seen[2], seen[5]}
    if ours & others or len(ours) > 1 or len(others) > 1:
        return "transaction"
    return "direct" if connection.get_server_pid() in ours else "session"


async def lost_settings(dsn: str, seconds: float) -> str | None:
    """What happens on their way to settings that are sent with the connection; None if they arrive."""
    try:
        connection = await asyncpg.connect(
            dsn, timeout=seconds, statement_cache_size=0, server_settings={"statement_timeout": "4321"}
        )
    except asyncpg.ProtocolViolationError as error:
        return f"refuses a session's settings ({error})"
    try:
        arrived = await connection.fetchval("show statement_timeout")
    finally:
        await connection.close(timeout=seconds)
    return None if arrived == "4321ms" else "drops a session's settings"


def why_unreachable(dsn: str, error: BaseException) -> str:
    """Why no connection came about and what to do, in plain words without user or password."""
    place = _place(dsn)
    match error:
        case TimeoutError():
            return (
                f"{place} does not answer in time. Is it the right host and port, and does a firewall let us through?"
            )
        case asyncpg.InvalidCatalogNameError():
            return f"At {place} the {error}. Create it, or correct the name at the end of DATABASE_URL."
        case asyncpg.InvalidPasswordError():
            return f"{place} says: {error}. Correct user and password in DATABASE_URL."
        case asyncpg.InvalidAuthorizationSpecificationError() if "no encryption" in str(error):
            return f"{place} wants TLS: {error}. Take sslmode=disable out of DATABASE_URL."
        case asyncpg.InvalidAuthorizationSpecificationError():
            return f"{place} does not let this user in: {error}. Correct DATABASE_URL, or the server's pg_hba.conf."
        case asyncpg.TooManyConnectionsError():
            return f"{place} has no connection left: {error}. Close some, or lower DATABASE_POOL_SIZE."
        case asyncpg.CannotConnectNowError():
            return f"{place} takes no connections now: {error}. Try again in a moment."
        case ssl.SSLCertVerificationError():
            return f"{place} shows a certificate that sslrootcert does not vouch for: {error.verify_message}."
        case ssl.SSLError():
            return f"TLS with {place} fails: {error}. See sslmode and sslrootcert in DATABASE_URL."
        case ConnectionError() if "rejected SSL" in str(error):
            return f"{place} does not speak TLS, and DATABASE_URL asks for it (sslmode)."
        case asyncpg.ClientConfigurationError() if "ssl" in str(error) or "certificate" in str(error):
            return f"DATABASE_URL: {str(error).splitlines()[0]}."
        case ValueError():  # Its words may hold a piece of the password.
            return _UNREADABLE
        case socket.gaierror():
            return (
                _UNREADABLE if _has_a_bare_at(dsn) else f"There is no host of the name {place}. Correct DATABASE_URL."
            )
        case ConnectionRefusedError() | FileNotFoundError():
            return f"Nothing listens at {place}. Is PostgreSQL running there, and is the port right?"
        case OSError() if "Connect call failed" in str(error):
            return f"Nothing listens at {place}. Is PostgreSQL running there, and is the port right?"
        case _:
            return f"{place} gives no connection: {error or type(error).__name__}"


_UNREADABLE = (
    "DATABASE_URL cannot be read. It is postgresql://user:password@host:port/database, and in user and password each "
    "of @ : / ? # [ ] % is written as % and two hexadecimal digits (@ is %40)."
)


def _place(dsn: str) -> str:
    try:
        parts = urlsplit(dsn)
        query = dict(parse_qsl(parts.query))
        host, port = parts.hostname or query.get("host"), parts.port or query.get("port")
    except ValueError:
        return "The server"
    return f"{host}:{port}" if host and port else host or "The local server"


def _has_a_bare_at(dsn: str) -> bool:
    return urlsplit(dsn).netloc.count("@") > 1
