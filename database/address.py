"""Reads the address of a database as libpq, poolers and other tools write it; nothing else here reads one."""

import getpass
import ipaddress
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote_to_bytes, urlencode

from database.address_parameters import AddressError, is_known, said_by
from database.address_tls import encryption

__all__ = ["Address", "AddressError", "Server", "read_address"]

# SQLAlchemy is told a driver behind the +.
_SCHEME = r"(?:jdbc:)?postgres(?:ql)?(?:\+\w+)?://"
_USUAL_PORT = 5432

SUPABASE_POOLER_PORT = 6543

_LOCAL = ("/run/postgresql", "/var/run/postgresql", "/tmp", "localhost")  # noqa: S108 - where sockets are
_LONGEST_FOLDER_BYTES = 107 - len("/.s.PGSQL.65535")
_HOST = r"(?:\[[^\[\]/?#@]*\]|[^:/?#@\[\],]*)(?::[0-9]*)?"
_WELL_FORMED = re.compile(rf"{_HOST}(?:,{_HOST})*(?:/[^/?#@]*)?(?:\?(?P<query>[^#]*))?")
_LOOSE = re.compile(r"(?P<hosts>[^/?#]*)(?:/(?P<database>[^?#]*))?(?:\?(?P<query>[^#]*))?(?P<fragment>#.*)?", re.DOTALL)
_PLACEHOLDER = re.compile(r"[\[<{](?:your|my)?[-_ ]?(?:db|database)?[-_ ]?password[\]>}]", re.IGNORECASE)
_SUPABASES = re.compile(r".*\.(?:pooler\.supabase\.com|supabase\.co)", re.IGNORECASE)
_FORM = "It is postgresql://user:password@host:port/database"
_ENCODE = "in user and password each of @ : / ? # [ ] % is written as % and two hexadecimal digits (@ is %40)"


@dataclass(frozen=True)
class Server:
    """A host of an address, or the folder of a socket, and how asyncpg is told to connect there."""

    host: str
    port: int
    dsn: str = field(repr=False)

    @property
    def is_socket(self) -> bool:
        """Whether it is this machine's, through its file system."""
        return self.host.startswith("/")

    def __str__(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host and not self.is_socket else self.host}:{self.port}"


@dataclass(frozen=True)
class Address:
    """Where a database is, as whom to connect, and what else its address says. Its `repr` holds no secret."""

    servers: tuple[Server, ...]
    """In the order written; of several the first is meant that is a primary, or a standby where one is wanted."""
    place: str
    """The servers, for messages."""
    names: str
    """Their hosts alone, for messages."""
    connect_seconds: float | None
    """How long to wait for a server at most, where that is said."""
    pools_transactions: bool
    """It leads to a pooler that shares out transactions: a parameter says so, or it is Supabase's."""
    pool_size: int | None
    """Connections at most, where that is said."""
    application_name: str | None
    """By what name connections are to be seen, where that is said."""
    ignored: tuple[str, ...]
    """Parameters that mean nothing here."""


def read_address(text: str, *, standby: bool = False, environment: Mapping[str, str] = os.environ) -> Address:
    """Reads an address; what it leaves out comes from variables of libpq's (see `docs/connecting.md`).

    Args:
        text: the address, perhaps with quotes or line ends that were copied along. A password in it is
            percent-encoded, or as it is: then with any character, so long as it is clear where it ends.
        standby: it is to lead to a standby, not to a primary.
        environment: where those are.

    Raises:
        AddressError: it cannot be used. The message says why and what to write, and holds no value of it.
    """
    text = _unwrapped(text)
    scheme = re.match(_SCHEME, text, re.IGNORECASE)
    if scheme is None:
        raise AddressError(_without_scheme(text))
    if re.search(r"[\r\n\0\ud800-\udfff]", text):
        raise AddressError("a line break, a null byte or what is not UTF-8 is in the middle of it")
    who, where = _parted(text[scheme.end() :])
    parts = _LOOSE.fullmatch(where)
    if parts is None or parts["fragment"] or "/" in (parts["database"] or ""):
        raise AddressError(f"it cannot be read. {_FORM}; in a database's name / is %2F and # is %23, and {_ENCODE}")
    written = [_host(each) for each in parts["hosts"].split(",")] if parts["hosts"] else []
    pairs = list(_pairs(parts["query"] or "", plus_is_space=scheme[0].lower().startswith("jdbc")))
    if not who and not all(is_known(name) for name, _ in pairs):
        # Not by its name: where an @ is missing, this may be what a password goes on with.
        raise AddressError(f"one of its parameters is not known here. {_FORM}, and {_ENCODE}")
    said = said_by(pairs, standby=standby)

    hosts, is_local = _hosts(said.kept.get("host"), said.kept.get("port"), written, environment)
    user, password = _who(who)
    user = said.kept.get("user") or user or environment.get("PGUSER") or _own_name()
    password = said.kept.get("password") or password or environment.get("PGPASSWORD", "")
    database = said.kept.get("dbname") or _decoded(parts["database"] or "", "the database's name")
    rest = said.session | encryption(
        said.kept, environment, over_network=not all(host.startswith("/") for host, _ in hosts)
    )
    rest |= {name: said.kept[name] for name in ("passfile", "krbsrvname", "gsslib") if name in said.kept}
    rest["target_session_attrs"] = "any" if len(hosts) == 1 or is_local else "standby" if standby else "primary"
    begin = f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@/"
    begin += quote(database or environment.get("PGDATABASE") or user, safe="")
    servers = tuple(Server(host, port, f"{begin}?{_query(host, port, rest)}") for host, port in hosts)
    # A single word behind an @ may be what a password goes on with, where the rest was not copied.
    is_bare = bool(who and re.fullmatch(r"[^./:?]+", where))
    return Address(
        servers=servers,
        place="The local server" if is_local else "The server" if is_bare else ", ".join(map(str, servers)),
        names="that stands there" if is_bare else ", ".join(host for host, _ in hosts),
        connect_seconds=said.connect_seconds,
        pools_transactions=said.pools_transactions or any(map(_is_supabases_pooler, servers)),
        pool_size=said.pool_size,
        application_name=said.session.get("application_name"),
        ignored=said.ignored,
    )


def _unwrapped(text: str) -> str:
    blank = " \t\r\n\ufeff\u200b"
    text = text.strip(blank)
    while len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`":
        text = text[1:-1].strip(blank)
    return text


def _without_scheme(text: str) -> str:
    if re.match(r"\w+\s*=", text) and "://" not in text.partition("=")[0]:
        return f"it is in libpq's form of names and values. {_FORM}"
    if re.match(r"prisma(\+postgres)?://", text, re.IGNORECASE):
        return f"it leads to Prisma's own service, not to PostgreSQL. {_FORM}"
    return "a URL that begins with postgresql:// is expected"


def _parted(rest: str) -> tuple[str, str]:
    """The user's part and what follows it.

    By the rules of URLs the user's part ends at the first @. A password that was not encoded may hold one, and each of
    the signs at which the rules have the part end; so it ends at the first @ behind which everything is as it should
    be, or there is none.
    """
    ends = [-1, *(found.start() for found in re.finditer("@", rest))]
    for end in ends:
        well = _WELL_FORMED.fullmatch(rest, end + 1)
        if well and all(is_known(pair.partition("=")[0]) and "=" in pair for pair in _split(well["query"] or "")):
            return rest[: max(end, 0)], rest[end + 1 :]
    return rest[: max(ends[-1], 0)], rest[ends[-1] + 1 :]


def _who(part: str) -> tuple[str, str]:
    user, _, password = part.partition(":")
    if _PLACEHOLDER.fullmatch(password):
        raise AddressError("in place of the password it has the words that stand for one; write yours there")
    return _decoded(user, "the user"), _decoded(password, "the password")


def _decoded(text: str, what: str) -> str:
    """Percent-decoded, unless it was not encoded."""
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        return text
    try:
        decoded = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise AddressError(
            f"{what} is not UTF-8 once it is percent-decoded; a % of its own is written as %25"
        ) from None
    if "\0" in decoded:
        raise AddressError(f"{what} has a null byte (%00)")
    return decoded


def _split(query: str) -> list[str]:
    return [pair for pair in query.split("&") if pair]


def _pairs(query: str, *, plus_is_space: bool) -> Iterator[tuple[str, str]]:
    for pair in _split(query):
        name, equals, value = pair.partition("=")
        if not (equals and re.fullmatch(r"[A-Za-z_][\w.]*", name)):
            raise AddressError(f"what follows the ? is not name=value&name=value. {_FORM}, and {_ENCODE}")
        # Many write a blank as + in `options`, where libpq does not; no option has a + of its own.
        if plus_is_space or name == "options":
            value = value.replace("+", " ")
        if value:
            yield name, _decoded(value, name)


def _hosts(
    named: str | None, ports: str | None, written: list[tuple[str, str]], environment: Mapping[str, str]
) -> tuple[list[tuple[str, int]], bool]:
    """Hosts and ports, and whether nothing says which. As with libpq, a parameter counts before what is written."""
    if names := named or ("" if written else environment.get("PGHOST")):
        written = [_host(each) for each in names.split(",")]
    is_local = not any(host for host, _ in written)
    hosts = [(host, port) for host in _LOCAL for _, port in written[:1] or [("", "")]] if is_local else written
    if not all(host for host, _ in hosts):
        raise AddressError("one of the hosts has no name")
    usual = (ports or environment.get("PGPORT") or str(_USUAL_PORT)).split(",")
    if len(usual) not in (1, len(hosts)):
        raise AddressError(f"it has {len(hosts)} hosts and {len(usual)} ports; write one port, or one for each host")
    if not all(_is_port(port) for port in usual):
        raise AddressError(f"{'port' if ports else 'PGPORT'} is a number from 1 to 65535, or several")
    chosen = [
        (host, int((not ports and port) or usual[number % len(usual)])) for number, (host, port) in enumerate(hosts)
    ]
    return chosen, is_local


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535


def _host(written: str) -> tuple[str, str]:
    """A host, or a socket's folder, and the port behind it, if any."""
    if re.match("/|%2f", written, re.IGNORECASE):
        folder = _decoded(written, "a host")
        if len(os.fsencode(folder)) > _LONGEST_FOLDER_BYTES:
            raise AddressError(f"the folder of a socket has more than {_LONGEST_FOLDER_BYTES} bytes")
        return folder, ""
    bracketed = re.fullmatch(r"\[(?P<host>[^\]]*)\](?::(?P<port>.*))?", written)
    if not bracketed and written.count(":") > 1:
        raise AddressError(f"an IPv6 address stands in [ ]. {_FORM}, and {_ENCODE}")
    host, _, port = written.partition(":")
    if bracketed:
        host, port = bracketed["host"], bracketed["port"] or ""
    if port and not _is_port(port):
        raise AddressError(f"a port is a number from 1 to 65535. {_FORM}, and {_ENCODE}")
    host = _decoded(host, "a host")
    if not host and not bracketed:
        return "", port
    try:
        if bracketed:
            ipaddress.IPv6Address(host)
        elif not re.fullmatch(r"[\w.-]+", host):
            raise ValueError
        else:
            host.encode("idna")
    except ValueError:
        raise AddressError(f"one of the hosts is no name and no address. {_FORM}, and {_ENCODE}") from None
    return host, port


def _own_name() -> str:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        raise AddressError(f"it names no user, and the one who runs this has no name. {_FORM}") from None


def _query(host: str, port: int, rest: dict[str, str]) -> str:
    place = {"host": f"[{host}]" if ":" in host and not host.startswith("/") else host, "port": str(port)}
    return urlencode(place | rest, quote_via=quote, safe="")


def _is_supabases_pooler(server: Server) -> bool:
    return server.port == SUPABASE_POOLER_PORT and bool(_SUPABASES.fullmatch(server.host))
