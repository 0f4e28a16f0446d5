"""Connects to PostgreSQL, and finds out whether it can be reached and what stands between us and it."""

import socket
import ssl
from collections.abc import Callable
from time import monotonic
from typing import Any, Literal

import asyncpg

from database.address import Address
from database.lost import LOST

CANNOT_CONNECT = (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What connecting raises, for `why_unreachable` to word."""

# As libpq has it: who is not let in at one server is at none.
_LET_IN_NOWHERE = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)

Way = Literal["direct", "session", "transaction"]


class Refused(asyncpg.InterfaceError):
    """The server takes no connection of this kind; the cause says why."""


class Servers:
    """An address's servers, as a pool connects to them: `asyncpg.create_pool(connect=Servers(address))`.

    Of several the first that can be had and is of the kind that is wanted, from then on tried first. A server that
    does not answer costs its share of the time, not all of it, as it would if asyncpg were told of all of them.
    """

    def __init__(self, address: Address, tell: Callable[[str], None] = lambda _: None) -> None:
        """How to connect.

        Args:
            address: where to.
            tell: hears why no connection came about, in words, whenever the reason is another than before.
        """
        self._address = address
        self._order = list(address.servers)
        self._tell = tell
        self._told = ""

    async def __call__(
        self,
        dsn: str | None = None,  # noqa: ARG002 - none is given where this takes the place of `asyncpg.connect`
        *,
        timeout: float = 60.0,  # noqa: ASYNC109 - asyncpg's own name
        **options: Any,
    ) -> asyncpg.Connection:
        """A new connection. What is raised has a note that says why in words.

        Raises:
            Refused: a server does not take one as it is asked for.
            Exception: one of `LOST`.
        """
        try:
            connection = await self._connect(timeout, options)
        except CANNOT_CONNECT as error:
            words = why_unreachable(self._address, error)
            error.add_note(words)
            self._say(words)
            if isinstance(error, LOST):
                raise
            raise Refused(words) from error
        self._told = ""
        return connection

    async def _connect(self, seconds: float, options: dict[str, Any]) -> asyncpg.Connection:
        until = monotonic() + seconds
        tried = list(self._order)
        met: Exception = TimeoutError()
        for left, server in zip(range(len(tried), 0, -1), tried, strict=True):
            share = max(0.0, until - monotonic()) / left
            try:
                connection: asyncpg.Connection = await asyncpg.connect(
                    server.dsn, timeout=min(share, self._address.connect_seconds or share), **options
                )
            except _LET_IN_NOWHERE:
                raise
            except LOST as error:
                # That one answers and is of the other kind says more than that another does not answer.
                if not isinstance(met, asyncpg.TargetServerAttributeNotMatched):
                    met = error
            else:
                self._order.remove(server)
                self._order.insert(0, server)
                return connection
        raise met

    def _say(self, words: str) -> None:
        if words != self._told:
            self._told = words
            self._tell(words)


async def connect(address: Address, seconds: float, **options: Any) -> asyncpg.Connection:
    """A connection that is no pool's, with nothing prepared, so that a pooler may stand between.

    Raises:
        Exception: one of `CANNOT_CONNECT`.
    """
    try:
        return await Servers(address)(timeout=seconds, statement_cache_size=0, **options)
    except Refused as refused:
        raise refused.__cause__ or refused from None


async def way_to_server(connection: asyncpg.Connection, address: Address, seconds: float) -> Way:
    """Whether a pooler stands between, found out by behaviour, and if so whether it shares out transactions.

    A pooler hands out process ids of its own making; one that shares out transactions lets two open connections
    meet in the same server process, which no other way to a server does.
    """
    asks = "select pg_backend_pid()"
    other = await connect(address, seconds)
    try:
        # In this order two servers given out in turn meet both as well.
        seen = [await each.fetchval(asks) for each in (connection, other, other, connection, connection, other)]
    finally:
        await other.close(timeout=seconds)
    ours, others = {seen[0], seen[3], seen[4]}, {seen[1], seen[2], seen[5]}
    if ours & others or len(ours) > 1 or len(others) > 1:
        return "transaction"
    return "direct" if connection.get_server_pid() in ours else "session"


async def lost_settings(address: Address, seconds: float) -> str | None:
    """What happens on their way to settings that are sent with the connection; None if they arrive."""
    try:
        connection = await connect(address, seconds, server_settings={"statement_timeout": "4321"})
    except asyncpg.ProtocolViolationError as error:
        return f"refuses a session's settings ({error})"
    try:
        arrived = await connection.fetchval("show statement_timeout")
    finally:
        await connection.close(timeout=seconds)
    return None if arrived == "4321ms" else "drops a session's settings"


def why_unreachable(address: Address, error: BaseException) -> str:
    """Why no connection came about and what to do, in plain words without the password."""
    place = address.place
    match error:
        case TimeoutError():
            return (
                f"{place} does not answer in time. Is it the right host and port, and does a firewall let us through?"
            )
        case asyncpg.InvalidCatalogNameError():
            return f"At {place} the {error}. Create it, or correct the name at the end of DATABASE_URL."
        case asyncpg.InvalidPasswordError():
            return f"{place} says: {error}. Correct user and password in DATABASE_URL, where a % is written as %25."
        case asyncpg.InvalidAuthorizationSpecificationError() if "no encryption" in str(error):
            return f"{place} wants TLS: {error}. Take sslmode=disable out of DATABASE_URL."
        case asyncpg.InvalidAuthorizationSpecificationError():
            return f"{place} does not let this user in: {error}. Correct DATABASE_URL, or the server's pg_hba.conf."
        case asyncpg.TooManyConnectionsError():
            return f"{place} has no connection left: {error}. Close some, or lower DATABASE_POOL_SIZE."
        case asyncpg.CannotConnectNowError():
            return f"{place} takes no connections now: {error}. Try again in a moment."
        case asyncpg.TargetServerAttributeNotMatched():
            kind = "standby" if "standby" in str(error) else "primary"
            return f"Of {place} none that can be reached is a {kind}. Name one in DATABASE_URL."
        case asyncpg.ProtocolViolationError():
            return f"{place} refuses what is sent as the session begins: {error}. If a pooler is there, {_POOLER}"
        case asyncpg.PostgresError() if not isinstance(error, LOST):
            return f"{place} refuses the session: {error}. Correct the parameters of DATABASE_URL, such as options."
        case ssl.SSLCertVerificationError():
            return f"{place} shows a certificate that sslrootcert does not vouch for: {error.verify_message}."
        case ssl.SSLError():
            return f"TLS with {place} fails: {error}. See sslmode and sslrootcert in DATABASE_URL."
        case ConnectionError() if "rejected SSL" in str(error):
            return f"{place} does not speak TLS, and DATABASE_URL asks for it (sslmode)."
        case socket.gaierror():
            return f"There is no host of the name {address.names}. Correct DATABASE_URL."
        case ConnectionRefusedError() | FileNotFoundError():
            return f"Nothing listens at {place}. Is PostgreSQL running there, and is the port right?"
        case OSError() if "Connect call failed" in str(error):
            return f"Nothing listens at {place}. Is PostgreSQL running there, and is the port right?"
        case _:
            return f"{place} gives no connection: {error or type(error).__name__}"


_POOLER = "set DATABASE_POOLER=transaction, and take options out of DATABASE_URL."
