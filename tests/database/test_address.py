"""The address of a database as libpq, poolers and other tools write it: understood, or named without a secret."""

import re
import socket
import traceback
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from database.address import AddressError, Server, read_address
from database.address_parameters import is_known
from database.reach import why_unreachable
from gateway.errors import SettingsError
from gateway.settings import Settings, read_settings
from tests.database.test_migrate import certified

HOST = "db.example.com"
USUAL = f"postgresql://reader:secret@{HOST}:5433/calls"
# Each has signs that mean something in an address, and is written as it is.
ODD_PASSWORDS = [
    "p@ss", "p/ss", "p#ss", "p?ss", "p:ss", "p%ss", "100%", "p[ss]", "[ss", "a&b=c", "a+b", "a b", "pässwörd", "密码",
    "@", "//", "@/#?", "a@b.example/c", "se@cret:99/x?y=z#", "'quoted\"", "{}<>|\\^`", "p%zz%41",
]  # fmt: skip


def parts(url: str, **given: bool) -> tuple[str, str, str, str, int]:
    """User, password, database, host and port as asyncpg is told."""
    address = read_address(url, environment={}, **given)
    (server,) = address.servers
    return (*_read_by_asyncpg(server)[:3], server.host, server.port)


def _read_by_asyncpg(server: Server) -> tuple[str, str, str, dict[str, str] | None]:
    addresses, params = asyncpg.connect_utils._parse_connect_dsn_and_args(
        dsn=server.dsn, host=None, port=None, user=None, password=None, passfile=None, database=None, ssl=None,
        service=None, servicefile=None, direct_tls=None, server_settings=None, target_session_attrs=None,
        krbsrvname=None, gsslib=None,
    )  # fmt: skip
    (where,) = addresses
    assert where == (f"{server.host}/.s.PGSQL.{server.port}" if server.is_socket else (server.host, server.port))
    return params.user, params.password, params.database, params.server_settings


def refusal(url: str, **given: bool) -> str:
    with pytest.raises(AddressError) as raised:
        read_address(url, environment={}, **given)
    return str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        USUAL,
        f" {USUAL}\n",
        f'"{USUAL}"',
        f"'{USUAL}'\r\n",
        f"\ufeff{USUAL}",
        USUAL.replace("postgresql", "postgres"),
        USUAL.replace("postgresql", "postgresql+asyncpg"),
        USUAL.replace("postgresql", "POSTGRESQL"),
        f"jdbc:postgresql://{HOST}:5433/calls?user=reader&password=secret",
        f"postgresql://{HOST}/calls?user=reader&password=secret&port=5433",
        f"postgresql://reader:secret@/calls?host={HOST}&port=5433",
        f"postgresql://{HOST}:5433/?dbname=calls&user=reader&password=secret",
        f"postgresql://reader:%73ecret@{HOST}:5433/c%61lls?supa=base-pooler.x&uselibpqcompat=true",
    ],
)
def test_the_same_address_is_understood_however_it_is_written(url: str) -> None:
    assert parts(url) == ("reader", "secret", "calls", HOST, 5433)


@pytest.mark.parametrize("password", ODD_PASSWORDS)
def test_a_password_is_understood_as_it_is_and_percent_encoded(password: str) -> None:
    for written in (password, quote(password, safe="")) if "%4" not in password else (password,):
        for end in (f"{HOST}:5433/calls", f"{HOST}/calls?sslmode=require&application_name=a"):
            assert parts(f"postgresql://reader:{written}@{end}")[:4] == ("reader", password, "calls", HOST)


def test_what_is_left_out_comes_from_the_variables_that_libpq_reads() -> None:
    variables = {"PGHOST": "h", "PGPORT": "5434", "PGUSER": "u", "PGPASSWORD": "p@/#", "PGDATABASE": "d"}
    (server,) = read_address("postgresql://", environment=variables).servers
    assert (server.host, server.port, *_read_by_asyncpg(server)[:3]) == ("h", 5434, "u", "p@/#", "d")
    (server,) = read_address(USUAL, environment=variables).servers
    assert (server.host, server.port, *_read_by_asyncpg(server)[:3]) == (HOST, 5433, "reader", "secret", "calls")
    for variable, value in {"PGPORT": "many", "PGSSLMODE": "maybe", "PGSSLROOTCERT": "/nowhere"}.items():
        with pytest.raises(AddressError, match=variable):
            read_address(f"postgresql://u@{HOST}/d?sslcert=", environment={"PGSSLMODE": "require", variable: value})
        if variable != "PGPORT":  # of no matter where nothing is encrypted
            read_address("postgresql://u@/d?host=/tmp", environment={variable: value})


@pytest.mark.parametrize(
    ("where", "host", "port"),
    [
        ("[::1]:5433", "::1", 5433),
        ("[fe80::1%25eth0]", "fe80::1%eth0", 5432),
        ("%2Fvar%2Frun%2Fpg", "/var/run/pg", 5432),
        ("127.0.0.1", "127.0.0.1", 5432),
        ("döner.example", "döner.example", 5432),
        ("under_score", "under_score", 5432),
    ],
)
def test_hosts_of_every_kind_are_understood(where: str, host: str, port: int) -> None:
    assert parts(f"postgresql://u:p@{where}/d")[3:] == (host, port)


def test_the_folder_of_a_socket_may_have_colons() -> None:
    url = "postgresql://u:p@localhost/d?host=/cloudsql/project:region:one"
    assert parts(url)[3:] == ("/cloudsql/project:region:one", 5432)


def test_of_several_hosts_each_has_its_port_and_the_one_that_is_meant_is_found() -> None:
    for attribute in (
        "",
        "?target_session_attrs=any",
        "?target_session_attrs=primary",
        "?target_session_attrs=read-write",
    ):
        address = read_address(f"postgresql://u:p@a,b:5433,[::1]:5434/d{attribute}", environment={})
        assert address.place == "a:5432, b:5433, [::1]:5434"
        assert all("target_session_attrs=primary" in server.dsn for server in address.servers)
    for attribute in (
        "",
        "?target_session_attrs=standby",
        "?target_session_attrs=read-only",
        "?target_session_attrs=prefer-standby",
    ):
        address = read_address(f"postgresql://u:p@a,b/d{attribute}", standby=True, environment={})
        assert all("target_session_attrs=standby" in server.dsn for server in address.servers)
    assert read_address("postgresql://u@/d?host=a,b&port=1,2", environment={}).place == "a:1, b:2"


@pytest.mark.parametrize(
    "parameter",
    [
        "pgbouncer=true", "pgbouncer=TRUE", "statement_cache_size=0", "prepared_statements=false", "prepareThreshold=0",
        "pool_mode=transaction", "prepare=unnamed",
    ],
)  # fmt: skip
def test_what_other_programs_say_of_a_transaction_pooler_is_understood(parameter: str) -> None:
    assert read_address(f"{USUAL}?{parameter}", environment={}).pools_transactions
    given = {"database_url": f"{USUAL}?{parameter}", "supabase_jwt_secret": "x" * 32}
    assert read_settings(**given).database_pooler == "transaction"
    assert read_settings(**given, database_pooler="none").database_pooler == "none"


@pytest.mark.parametrize(
    ("host", "pools"),
    [
        ("aws-0-eu-central-1.pooler.supabase.com:6543", True),
        ("db.abcdefgh.supabase.co:6543", True),
        ("aws-0-eu-central-1.pooler.supabase.com:5432", False),
        ("db.abcdefgh.supabase.co", False),
        (f"{HOST}:6543", False),
        ("pooler.supabase.com.example.org:6543", False),
    ],
)
def test_supabases_pooler_is_known_by_where_it_is(host: str, pools: bool) -> None:
    assert read_address(f"postgresql://postgres.abc:p@{host}/postgres", environment={}).pools_transactions is pools


def test_the_limit_of_connections_is_the_pools_size_unless_that_is_set() -> None:
    given = {"database_url": f"{USUAL}?connection_limit=3", "supabase_jwt_secret": "x" * 32}
    assert read_settings(**given).database_pool_size == 3
    assert read_settings(**given, database_pool_size=5).database_pool_size == 5


def test_what_means_nothing_here_is_said_by_its_name() -> None:
    read = read_settings(database_url=f"{USUAL}?pool_timeout=3&keepalives=1&supa=x", supabase_jwt_secret="x" * 32)
    assert read.remarks() == ["DATABASE_URL: nothing here uses pool_timeout, keepalives"]


def test_what_belongs_to_the_session_goes_to_the_server() -> None:
    parameters = (
        "application_name=mine&options=-c+jit%3Doff%20-c%20work_mem%3D8MB&connect_timeout=7&statement_timeout=5"
    )
    address = read_address(f"{USUAL}?{parameters}", environment={})
    assert (address.connect_seconds, address.application_name) == (7.0, "mine")
    assert _read_by_asyncpg(address.servers[0])[3] == {
        "application_name": "mine",
        "options": "-c jit=off -c work_mem=8MB",
        "statement_timeout": "5",
    }
    assert read_address(f"{USUAL}?connect_timeout=0", environment={}).connect_seconds is None


def test_encryption_is_understood_in_every_mode(tmp_path: Path) -> None:
    certified(tmp_path)
    root = f"sslrootcert={tmp_path / 'certificate'}"
    for written, mode in {
        "": "prefer",
        "sslmode=disable": "disable",
        "sslmode=allow": "allow",
        "sslmode=prefer": "prefer",
        "sslmode=require": "require",
        "sslmode=REQUIRE": "require",
        f"sslmode=verify-ca&{root}": "verify-ca",
        f"sslmode=verify-full&{root}": "verify-full",
        "sslmode=no-verify": "require",
        "ssl=true": "require",
        "ssl=require": "require",
        "ssl=false": "disable",
        "sslrootcert=system": "verify-full",
        f"sslmode=verify-full&{root}&channel_binding=require": "verify-full",
        "channel_binding=prefer": "prefer",
        "sslmode=require&sslnegotiation=direct": "require",
        f"sslcert={tmp_path}/certificate&sslkey={tmp_path}/key": "prefer",
    }.items():
        (server,) = read_address(f"{USUAL}?{written}", environment={}).servers
        assert f"&sslmode={mode}&" in server.dsn, written
        _read_by_asyncpg(server)


@pytest.mark.parametrize(
    ("written", "variable", "mode"),
    [
        ("ssl=true", "disable", "require"),
        ("ssl=false", "require", "disable"),
        ("sslmode=require", "disable", "require"),
    ],
)
def test_how_an_address_is_encrypted_is_said_by_it_before_a_variable(written: str, variable: str, mode: str) -> None:
    (server,) = read_address(f"{USUAL}?{written}", environment={"PGSSLMODE": variable}).servers
    assert f"&sslmode={mode}&" in server.dsn


@pytest.mark.parametrize(
    ("rest", "variables", "words"),
    [
        ("", {"PGSSLMODE": "verify-full"}, "PGSSLMODE=verify-full has to know whom to trust"),
        ("?ssl=verify-full", {"PGSSLMODE": "disable"}, "ssl=verify-full has to know whom to trust"),
        ("?sslmode=require", {"PGSSLROOTCERT": "system"}, "PGSSLROOTCERT=system needs sslmode=verify-full"),
        ("", {"PGSSLNEGOTIATION": "direct"}, "PGSSLNEGOTIATION=direct needs sslmode=require"),
        ("", {"PGSSLMAXPROTOCOLVERSION": "2"}, "PGSSLMAXPROTOCOLVERSION is one of"),
    ],
)
def test_what_cannot_be_used_is_named_as_it_was_said(rest: str, variables: dict[str, str], words: str) -> None:
    with pytest.raises(AddressError) as raised:
        read_address(f"{USUAL}{rest}", environment=variables)
    assert str(raised.value).startswith(words)


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ("?sslmode=maybe", "sslmode is one of disable, allow"),
        ("?ssl=maybe", "ssl is one of"),
        ("?sslmode=verify-full", "sslmode=verify-full has to know whom to trust; write sslrootcert=FILE"),
        ("?sslmode=require&sslrootcert=/nowhere", "sslrootcert names a file that cannot be read: No such file"),
        ("?sslmode=require&sslrootcert=system", "sslrootcert=system needs sslmode=verify-full"),
        ("?sslcert=/nowhere", "sslcert names a certificate that cannot be read with its key: No such file"),
        ("?sslnegotiation=direct", "sslnegotiation=direct needs sslmode=require"),
        ("?sslnegotiation=x", "sslnegotiation is"),
        ("?ssl_min_protocol_version=SSLv3", "ssl_min_protocol_version is one of TLSv1"),
        ("?channel_binding=require&sslmode=require", "channel_binding=require cannot be kept to"),
        ("?channel_binding=maybe", "channel_binding is one of"),
        ("?gssencmode=require", "gssencmode cannot"),
        ("?schema=sales", "schema names another schema than public"),
        ("?currentSchema=sales", "currentSchema names"),
        ("?search_path=sales", "search_path has to name public"),
        ("?pgbouncer=maybe", "pgbouncer is true or false"),
        ("?connection_limit=0", "connection_limit is a whole number from 1 to 200"),
        ("?connection_limit=x", "connection_limit"),
        ("?connect_timeout=soon", "connect_timeout is a number of seconds"),
        ("?client_encoding=latin1", "client_encoding can"),
        ("?target_session_attrs=standby", "target_session_attrs asks for a standby"),
        ("?target_session_attrs=read-only", "DATABASE_REPLICA_URLS"),
        ("?target_session_attrs=prefer-standby", "primary"),
        ("?target_session_attrs=best", "target_session_attrs is one of any, primary"),
        ("?gsslib=x", "gsslib is"),
        ("?service=x", "service is not read"),
        ("?hostaddr=1.2.3.4", "hostaddr is not read"),
        ("?replication=true", "replication"),
        ("?require_auth=scram-sha-256", "require_auth cannot"),
        ("?sslaccept=strict", "sslaccept is Prisma's"),
        ("?pool_mode=statement", "pool_mode is session or transaction"),
        ("?nonsense=1", "nonsense is no parameter that is known"),
        ("?sslmode", "what follows the ? is not name=value"),
        ("?=1", "what follows the ? is not"),
        ("#x", "it cannot be read"),
        ("/x", "in a database's name / is %2F"),
        ("%00", "null byte"),
        ("%FF", "not UTF-8"),
    ],
)
def test_what_cannot_be_understood_is_named(rest: str, words: str) -> None:
    said = refusal(f"{USUAL}{rest}")
    assert words in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://u:secret@h/d", "begins with postgresql://"),
        ("db.example.com", "begins with postgresql://"),
        ("host=h user=u password=secret", "libpq's form of names and values"),
        ("postgresql:u:secret@h/d", "begins with"),
        ("prisma://u:secret@h/d", "Prisma's own service"),
        ("postgresql://u:sec\nret@h/d", "a line break"),
        ("postgresql://u:secret", "a port is a number"),
        ("postgresql://u:secret@h:54x/d", "a port is a number"),
        ("postgresql://u:secret@h:65536/d", "a port is a number"),
        ("postgresql://u:secret@h:0/d", "a port is a number"),
        ("postgresql://u:secret@a,b/d?port=1,2,3", "2 hosts and 3 ports"),
        ("postgresql://u:secret@a,,b/d", "has no name"),
        ("postgresql://u:secret@::1/d", "an IPv6 address stands in [ ]"),
        ("postgresql://u:secret@[h]/d", "no name and no address"),
        ("postgresql://u:secret@h..x/d", "no name and no address"),
        ("postgresql://u:secret@a b/d", "no name and no address"),
        (f"postgresql://u:secret@{'x' * 64}.example/d", "no name and no address"),
        ("postgresql://u:%FFsecret@h/d", "not UTF-8"),
        ("postgresql://u:[YOUR-PASSWORD]@h/d", "in place of the password"),
        ("postgresql://u:<password>@h/d", "in place of"),
        (f"postgresql://u:secret@/d?host=/{'x' * 100}", "the folder of a socket has more than"),
        ("postgresql://u:secret\udce9@h/d", "not UTF-8"),
        ("postgresql://u:12345?secret=1", "one of its parameters"),
    ],
)
def test_what_is_no_address_is_refused_with_the_form_that_it_has(url: str, words: str) -> None:
    said = refusal(url)
    assert words in said
    assert "secret" not in said


def test_a_replica_is_no_place_for_a_primary() -> None:
    for attribute in ("primary", "read-write"):
        said = refusal(f"{USUAL}?target_session_attrs={attribute}", standby=True)
        assert "asks for a primary, and this is the place for replicas" in said


def test_several_replicas_may_have_commas_of_their_own() -> None:
    urls = f"postgresql://u:p,w@a,b:5433/d,\n{USUAL} , 'postgres://u:p@c/d'"
    read = read_settings(database_url=USUAL, supabase_jwt_secret="x" * 32, database_replica_urls=urls)
    places = [read_address(url.get_secret_value(), standby=True).place for url in read.database_replica_urls]
    assert places == ["a:5432, b:5433", f"{HOST}:5433", "c:5432"]


def test_the_parameters_that_the_documents_name_are_known() -> None:
    table = (Path(__file__).parents[2] / "docs" / "connecting.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    names = [name.partition("=")[0] for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert len(names) > 30
    assert [name for name in names if not is_known(name)] == []


# Signs that are in no message, so that what is found of them is of the password.
LETTERS = "QXZJ"
PASSWORD = st.text(st.sampled_from(f"{LETTERS}79@:/?#[]%&=+, é"), min_size=6, max_size=24)
MUTATION = st.tuples(
    st.integers(0, 80), st.integers(0, 6), st.sampled_from(["", "@", "/", "?", "#", ":", "%", "&", "[", "\n"])
)


def _everything_said(url: str) -> str:
    """All that any part of the program says of an address."""
    said = []
    for standby in (False, True):
        try:
            address = read_address(url, standby=standby, environment={})
        except AddressError as error:
            said += traceback.format_exception(error)
            continue
        said += [repr(address), str(address), *map(str, address.servers)]
        for error in (socket.gaierror(), TimeoutError(), ConnectionRefusedError(), asyncpg.InvalidPasswordError("no")):
            said.append(why_unreachable(address, error))
    for urls in ({"database_url": url}, {"database_url": USUAL, "database_replica_urls": url}):
        try:
            read = read_settings(supabase_jwt_secret="x" * 32, **urls)
        except SettingsError as error:
            said += traceback.format_exception(error)
        else:
            said += [str(read.shown()), repr(read), *read.remarks()]
    return "\n".join(said)


@settings(max_examples=400, deadline=None)
@given(
    password=PASSWORD,
    encoded=st.booleans(),
    end=st.sampled_from(
        [f"@{HOST}:5433/calls", "@/calls?host=/tmp", f"@{HOST}/calls?sslmode=maybe&nonsense=1", "@a,b/c?port=x", ""]
    ),
    mutations=st.lists(MUTATION, max_size=3),
)
def test_nothing_that_is_said_of_an_address_holds_a_piece_of_its_password(
    password: str, encoded: bool, end: str, mutations: list[tuple[int, int, str]]
) -> None:
    # The end of a password behind an @ of its own is a host's name to everybody once the real host is gone.
    assume("@" not in password or (end and not mutations))
    written = quote(password, safe="") if encoded else password
    url = f"postgresql://reader:{written}{end}"
    for place, removed, put in mutations:
        url = url[:place] + put + url[place + removed :]
    # So is what stands behind no user's colon and before no @.
    assume("@" in url or f":{written}" in url)
    said = _everything_said(url)
    for begin in range(len(password) - 3):
        piece = password[begin : begin + 4]
        if any(letter in piece for letter in LETTERS):
            assert piece not in said


def test_settings_hold_the_address_as_a_secret() -> None:
    read = Settings(database_url=USUAL)
    assert isinstance(read.database_url, SecretStr)
    for shown in (repr(read), str(read), repr(read_address(USUAL, environment={})), str(read.shown())):
        assert ":secret@" not in shown
        assert "reader" not in shown
