"""What the parameters of a database's address mean: libpq's own, those of poolers and those of other programs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

MOST_CONNECTIONS = 200
TRUE = frozenset(["1", "on", "true", "yes"])
FALSE = frozenset(["0", "off", "false", "no"])

# Said of the place and of how to get there; `database.address` and `database.address_tls` make something of them.
_KEPT = (
    "host port dbname user password passfile krbsrvname ssl sslmode sslrootcert sslcert sslkey sslpassword sslcrl "
    "sslnegotiation ssl_min_protocol_version ssl_max_protocol_version channel_binding"
)
# PostgreSQL's own, which go to the server as the session begins. Every other can be set by `options`.
_SESSION = (
    "application_name options role timezone datestyle statement_timeout lock_timeout idle_session_timeout "
    "idle_in_transaction_session_timeout transaction_timeout extra_float_digits work_mem jit"
)
# Nothing is lost without them.
_OF_NO_MATTER = "supa workaround uselibpqcompat sslsni sslcompression"
# Of libpq, of Prisma, of pgx, Rails, Django, postgres.js and SQLAlchemy, of JDBC.
_NOT_USED = (
    "keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout load_balance_hosts gssdelegation "
    "sslcertmode sslkeylogfile min_protocol_version max_protocol_version pool_timeout socket_timeout sslidentity "
    "pool_min_conns pool_max_conn_lifetime pool_max_conn_idle_time pool_health_check_period default_query_exec_mode "
    "checkout_timeout idle_timeout reaping_frequency advisory_locks conn_max_age conn_health_checks command_timeout "
    "async_fallback tcpkeepalive sockettimeout rewritebatchedinserts binarytransfer stringtype loadbalancehosts"
)
_CANNOT = {
    "service": "is not read; write out what pg_service.conf says",
    "servicefile": "is not read; write out what pg_service.conf says",
    "hostaddr": "is not read; write the address in place of the host",
    "replication": "asks for another kind of connection; take it out",
    "require_auth": "cannot be kept to; take it out, and write sslmode=verify-full&sslrootcert=system",
    "requirepeer": "cannot be kept to; take it out",
    "sslcrldir": "is not read; name one file as sslcrl",
    "sslaccept": "is Prisma's; write sslmode=require, or sslmode=verify-full&sslrootcert=FILE",
    "sslfactory": "is Java's; write sslmode=require, or sslmode=verify-full&sslrootcert=FILE",
}
# By what other names the same is called, by libpq itself or elsewhere.
_SAME = {
    "database": "dbname",
    "applicationname": "application_name",
    "currentschema": "schema",
    "connecttimeout": "connect_timeout",
    "logintimeout": "connect_timeout",
    "targetservertype": "target_session_attrs",
    "pool_size": "connection_limit",
    "pool_max_conns": "connection_limit",
    "pool": "connection_limit",
    # Who turns these off has a pooler that cannot bear them.
    "prepare": "prepared_statements",
    "preparethreshold": "prepared_statements",
    "statement_cache_size": "prepared_statements",
    "statement_cache_capacity": "prepared_statements",
    "prepared_statement_cache_size": "prepared_statements",
}
_TO_A_PRIMARY = frozenset(["any", "primary", "read-write", "master", "preferprimary"])
_TO_A_STANDBY = frozenset(["any", "standby", "read-only", "prefer-standby", "secondary", "slave", "prefersecondary"])


class AddressError(ValueError):
    """An address that cannot be used; the message says what is wrong and what to write, and holds no value of it."""


@dataclass
class Said:
    """What the parameters of an address say."""

    standby: bool
    """The address is to lead to a standby."""
    kept: dict[str, str] = field(default_factory=dict)
    """Of the place, of encryption and of who asks."""
    session: dict[str, str] = field(default_factory=dict)
    """Settings of PostgreSQL, to begin the session with."""
    connect_seconds: float | None = None
    pools_transactions: bool = False
    pool_size: int | None = None
    ignored: tuple[str, ...] = ()


_Meaning = Callable[[Said, str, str], None]


def said_by(parameters: Iterable[tuple[str, str]], *, standby: bool) -> Said:
    """What these parameters, names and values, say together; of several by one name the last counts.

    Raises:
        AddressError: one of them cannot be used.
    """
    said = Said(standby)
    for name, value in parameters:
        meaning = _MEANINGS.get(_spelt(name))
        if meaning is None:
            raise AddressError(
                f"{name} is no parameter that is known here. Take it out; a setting of PostgreSQL's goes into options, "
                "as in options=-c%20name%3Dvalue"
            )
        meaning(said, name, value)
    return said


def is_known(name: str) -> bool:
    """Whether something is known of a parameter by this name."""
    return _spelt(name) in _MEANINGS


def _spelt(name: str) -> str:
    return _SAME.get(name.lower(), name.lower())


def _keep(said: Said, name: str, value: str) -> None:
    said.kept[_spelt(name)] = value


def _set(said: Said, name: str, value: str) -> None:
    said.session[_spelt(name)] = value


def _fall_back(said: Said, _: str, value: str) -> None:
    said.session.setdefault("application_name", value)


def _search(said: Said, name: str, value: str) -> None:
    if "public" not in [schema.strip(' "') for schema in value.split(",")]:
        raise AddressError(f"{name} has to name public, where the gateway's tables are")
    _set(said, name, value)


def _schema(_: Said, name: str, value: str) -> None:
    if value.split(",", maxsplit=1)[0].strip(' "') != "public":
        raise AddressError(
            f"{name} names another schema than public, where the gateway's tables are; write {name}=public, or nothing"
        )


def _pooler(said: Said, name: str, value: str) -> None:
    said.pools_transactions |= _is_true(name, value)


def _prepared(said: Said, _: str, value: str) -> None:
    said.pools_transactions |= value.lower() in FALSE | {"unnamed"}


def _pool_mode(said: Said, name: str, value: str) -> None:
    if value.lower() not in ("session", "transaction"):
        raise AddressError(f"{name} is session or transaction")
    said.pools_transactions |= value.lower() == "transaction"


def _pool_size(said: Said, name: str, value: str) -> None:
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= MOST_CONNECTIONS):
        raise AddressError(f"{name} is a whole number from 1 to {MOST_CONNECTIONS}, connections at most")
    said.pool_size = int(value)


def _connect_timeout(said: Said, name: str, value: str) -> None:
    try:
        seconds = float(value)
    except ValueError:
        raise AddressError(f"{name} is a number of seconds") from None
    said.connect_seconds = seconds if 0 < seconds < 86_400 else None


def _target(said: Said, name: str, value: str) -> None:
    meant, other = (_TO_A_STANDBY, _TO_A_PRIMARY) if said.standby else (_TO_A_PRIMARY, _TO_A_STANDBY)
    if value.lower() in meant:
        return  # which of several is meant is clear without
    if value.lower() not in other:
        raise AddressError(f"{name} is one of any, primary, read-write, standby, read-only and prefer-standby")
    if said.standby:
        raise AddressError(
            f"{name} asks for a primary, and this is the place for replicas; write standby, or take it out"
        )
    raise AddressError(
        f"{name} asks for a standby, whose numbers may be old without bound; write primary, and name standbys in "
        "DATABASE_REPLICA_URLS"
    )


def _encoding(_: Said, name: str, value: str) -> None:
    if value.lower().replace("-", "") not in ("utf8", "auto", "unicode"):
        raise AddressError(f"{name} can be UTF8 only; take it out")


def _gss(_: Said, name: str, value: str) -> None:
    if value.lower() not in ("disable", "prefer"):
        raise AddressError(f"{name} cannot be kept to; take it out, and write sslmode=require")


def _gss_library(said: Said, name: str, value: str) -> None:
    if value not in ("gssapi", "sspi"):
        raise AddressError(f"{name} is gssapi or sspi")
    _keep(said, name, value)


def _is_true(name: str, value: str) -> bool:
    if value.lower() not in TRUE | FALSE:
        raise AddressError(f"{name} is true or false")
    return value.lower() in TRUE


def _ignore(said: Said, name: str, _value: str) -> None:
    said.ignored = (*said.ignored, name)


def _pass_over(_said: Said, _name: str, _value: str) -> None:
    """Nothing is to be said of it."""


def _refuse(_: Said, name: str, _value: str) -> None:
    raise AddressError(f"{name} {_CANNOT[name.lower()]}")


_MEANINGS: Mapping[str, _Meaning] = {
    **dict.fromkeys(_KEPT.split(), _keep),
    **dict.fromkeys(_SESSION.split(), _set),
    **dict.fromkeys(_OF_NO_MATTER.split(), _pass_over),
    **dict.fromkeys(_NOT_USED.split(), _ignore),
    **dict.fromkeys(_CANNOT, _refuse),
    "fallback_application_name": _fall_back,
    "search_path": _search,
    "schema": _schema,
    "pgbouncer": _pooler,
    "prepared_statements": _prepared,
    "pool_mode": _pool_mode,
    "connection_limit": _pool_size,
    "connect_timeout": _connect_timeout,
    "target_session_attrs": _target,
    "client_encoding": _encoding,
    "gssencmode": _gss,
    "gsslib": _gss_library,
}
