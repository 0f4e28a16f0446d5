"""The settings: what must be there, what is refused and by which name, and that no secret is ever shown."""

import os
import subprocess
import sys
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from gateway.errors import SettingsError
from gateway.settings import LOCAL_SECRET, PUBLIC_SECRETS, Settings, read_settings
from tests.waiting import PATIENCE

SECRET = "a-secret-of-the-tests-that-is-long-enough"
DSN = "postgresql://gateway:a-password@db.example.com:5432/calls"
GOOD = {"database_url": DSN, "supabase_jwt_secret": SECRET}


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine has set must not decide here."""
    for name in os.environ:
        if name.lower() in Settings.model_fields:
            monkeypatch.delenv(name)


def refusal(**given: Any) -> list[str]:
    """The lines of a refusal, one a fault, behind the first."""
    with pytest.raises(SettingsError) as raised:
        read_settings(**given)
    head, *faults = str(raised.value).splitlines()
    assert head == "The gateway cannot start as it is set up:"
    return [fault.strip() for fault in faults]


def serve(**environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "VIRTUAL_ENV")}
    command = [sys.executable, "-c", "from gateway.cli import app; app()", "serve"]
    return subprocess.run(command, env={**kept, **environment}, capture_output=True, text=True, timeout=PATIENCE)


def test_serve_refuses_to_start_and_names_everything_that_is_missing() -> None:
    ended = serve()
    assert (ended.returncode, ended.stdout) == (2, "")
    assert [line.split()[0] for line in ended.stderr.splitlines()] == ["The", "DATABASE_URL:", "SUPABASE_URL"]
    assert "SUPABASE_JWT_SECRET" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_serve_refuses_what_is_wrong_without_repeating_a_secret() -> None:
    ended = serve(
        DATABASE_URL="mysql://root:hidden-password@db/calls", SUPABASE_JWT_SECRET="hidden-secret", PORT="high"
    )
    assert ended.returncode == 2
    assert [line.split(":")[0].strip() for line in ended.stderr.splitlines()[1:]] == [
        "DATABASE_URL", "SUPABASE_JWT_SECRET", "PORT",
    ]  # fmt: skip
    assert "hidden" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_each_missing_variable_is_named_with_what_it_is_for() -> None:
    database, issuer = refusal()
    assert database.startswith("DATABASE_URL: is missing. Where PostgreSQL is")
    assert issuer.startswith("SUPABASE_URL or SUPABASE_JWT_SECRET:")
    assert [fault.split(":")[0] for fault in refusal(supabase_jwt_secret=SECRET)] == ["DATABASE_URL"]
    assert [fault.split(":")[0] for fault in refusal(database_url=DSN)] == ["SUPABASE_URL or SUPABASE_JWT_SECRET"]


def test_an_empty_variable_is_as_if_it_were_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "SUPABASE_JWT_SECRET", "SUPABASE_URL", "PORT", "GRAPHIQL", "CORS_ORIGINS"):
        monkeypatch.setenv(name, "")
    assert len(refusal()) == 2
    settings = read_settings(needs=())
    assert (settings.port, settings.graphiql, settings.cors_origins) == (8000, False, ("*",))


def test_one_way_to_check_tokens_is_enough() -> None:
    for way in (
        {"supabase_jwt_secret": SECRET},
        {"supabase_url": "https://project.supabase.co"},
        {"supabase_jwks_url": "https://issuer.example.com/keys"},
    ):
        read_settings(database_url=DSN, **way)


def test_what_a_command_does_not_need_may_be_missing() -> None:
    assert read_settings(needs=()).supabase_jwt_secret is None
    read_settings(needs=("database",), database_url=DSN)
    assert [fault.split(":")[0] for fault in refusal(needs=("database",))] == ["DATABASE_URL"]


def test_the_environment_is_read_in_capitals_and_given_values_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", DSN)
    monkeypatch.setenv("SUPABASE_JWT_SECRET", SECRET)
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("CORS_ORIGINS", " https://a.example.com/ ,, https://b.example.com,")
    monkeypatch.setenv("DATABASE_REPLICA_URLS", f" {DSN} ,, {DSN}2,")
    settings = read_settings()
    assert settings.port == 9000
    assert [url.get_secret_value() for url in settings.database_replica_urls] == [DSN, f"{DSN}2"]
    assert settings.cors_origins == ("https://a.example.com", "https://b.example.com")
    assert read_settings(port=9001).port == 9001


@pytest.mark.parametrize("secret", [*sorted(PUBLIC_SECRETS)])
def test_a_secret_that_is_printed_in_documentation_is_refused(secret: str) -> None:
    (fault,) = refusal(database_url=DSN, supabase_jwt_secret=secret)
    assert fault.startswith("SUPABASE_JWT_SECRET: this secret is printed in public documentation")
    assert secret not in fault


def test_supabases_own_default_secret_is_among_the_public_ones() -> None:
    assert "super-secret-jwt-token-with-at-least-32-characters-long" in PUBLIC_SECRETS


EVERYBODY = "0.0.0.0"  # noqa: S104 - never listened on
LOCAL_DATABASE = "postgresql://postgres:postgres@127.0.0.1:54322/postgres"
CLIS_DATABASE = "postgresql://postgres:postgres@supabase_db_shop:5432/postgres"


@pytest.mark.parametrize(
    "given",
    [
        {"database_url": LOCAL_DATABASE, "supabase_url": "http://127.0.0.1:54321"},
        {"database_url": LOCAL_DATABASE.replace("127.0.0.1", "localhost"), "supabase_url": "http://localhost:54321"},
        {"database_url": LOCAL_DATABASE.replace("127.0.0.1", "[::1]"), "host": "::1"},
        {"database_url": "postgresql://postgres@/postgres?host=/run/postgresql", "host": "localhost"},
        {"database_url": LOCAL_DATABASE, "database_replica_urls": LOCAL_DATABASE},
        {"database_url": CLIS_DATABASE, "supabase_url": "http://supabase_kong_shop:8000", "host": EVERYBODY},
        {
            "database_url": CLIS_DATABASE.replace("supabase_db_shop:5432", "host.docker.internal:54322"),
            "host": EVERYBODY,
        },
    ],
)
def test_the_supabase_clis_secret_is_taken_on_a_developers_own_machine(given: dict[str, str]) -> None:
    read = read_settings(supabase_jwt_secret=LOCAL_SECRET, **given)
    assert read.remarks() == [
        "SUPABASE_JWT_SECRET is the Supabase CLI's, which everybody knows: for this machine alone"
    ]


@pytest.mark.parametrize(
    "given",
    [
        {"database_url": DSN},
        {"database_url": DSN, "supabase_url": "http://127.0.0.1:54321"},
        {"database_url": LOCAL_DATABASE, "supabase_url": "https://project.supabase.co"},
        {"database_url": LOCAL_DATABASE, "supabase_jwks_url": "https://project.supabase.co/keys"},
        {"database_url": LOCAL_DATABASE, "database_replica_urls": DSN},
        # A proxy on loopback may lead to what is in production, and others are listened to.
        {"database_url": LOCAL_DATABASE, "host": EVERYBODY},
        {"database_url": LOCAL_DATABASE, "host": "192.168.1.7"},
        {"database_url": CLIS_DATABASE.replace("supabase_db_shop", "host.docker.internal"), "host": EVERYBODY},
        {"database_url": CLIS_DATABASE.replace("supabase_db_shop", "supabase_db_shop.example.com")},
        {"database_url": CLIS_DATABASE.replace("supabase_db_shop", "localhost.example.com")},
        {"database_url": CLIS_DATABASE.replace("supabase_db_shop", "localhost,db.example.com")},
    ],
)
def test_the_supabase_clis_secret_is_refused_wherever_others_could_be_concerned(given: dict[str, str]) -> None:
    (fault,) = refusal(supabase_jwt_secret=LOCAL_SECRET, **given)
    assert fault.startswith("SUPABASE_JWT_SECRET: this secret is printed in public documentation")
    assert "only while DATABASE_URL, SUPABASE_URL and HOST are all of this machine" in fault
    assert LOCAL_SECRET not in fault


def test_a_short_secret_is_refused_and_32_bytes_are_enough() -> None:
    for secret in ("x", "short", "x" * 31):
        (fault,) = refusal(database_url=DSN, supabase_jwt_secret=secret)
        assert fault.startswith("SUPABASE_JWT_SECRET: at least 32 bytes")
        assert f" {secret}." not in fault
    for secret in ("x" * 32, "\N{LATIN SMALL LETTER E WITH ACUTE}" * 16):
        read_settings(database_url=DSN, supabase_jwt_secret=secret)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("database_url", "mysql://user:hidden@db/calls"), ("database_url", "db.example.com"),
        ("database_pooler", "session"), ("database_pool_size", "0"), ("database_pool_size", "201"),
        ("supabase_url", "project.supabase.co"), ("supabase_url", "ftp://project.supabase.co"),
        ("supabase_jwks_url", "keys.json"), ("user_cache_seconds", "31"), ("user_cache_seconds", "-1"),
        ("request_timeout_seconds", "0"), ("shutdown_seconds", "-1"), ("graphiql", "maybe"),
        ("introspection", "2"), ("graphql_max_body_bytes", "999"), ("graphql_max_tokens", "99"),
        ("graphql_max_depth", "3"), ("graphql_max_aliases", "-1"), ("graphql_max_cost", "99"), ("port", "65536"),
        ("workers", "0"), ("database_replica_urls", "postgresql://db/calls,mysql://user:hidden@db/calls"),
        ("database_replica_lag_seconds", "0"), ("port", "-1"), ("port", "http"),
        ("log_level", "trace"), ("log_format", "xml"), ("rate_limit", "many"),
    ],
)  # fmt: skip
def test_a_value_that_is_not_accepted_is_refused_by_its_variables_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name.upper(), value)
    (fault,) = refusal(**{key: given for key, given in GOOD.items() if key != name})
    assert fault.startswith(f"{name.upper()}: ")
    assert str(Settings.model_fields[name].description) in fault
    assert "hidden" not in fault


def test_secrets_are_hidden_wherever_settings_are_shown() -> None:
    settings = read_settings(**GOOD, database_replica_urls=f"{DSN}, {DSN}")
    shown = settings.shown()
    assert list(shown) == [name.upper() for name in Settings.model_fields]
    assert shown["DATABASE_URL"] == shown["SUPABASE_JWT_SECRET"] == "**********"
    assert shown["DATABASE_REPLICA_URLS"] == "**********,**********"
    assert shown["SUPABASE_URL"] == ""
    assert shown["CORS_ORIGINS"] == "*"
    for text in (
        str(shown),
        repr(settings),
        str(settings),
        f"{settings}",
        str(settings.model_dump()),
        settings.model_dump_json(),
    ):
        for hidden in (SECRET, "a-password", "db.example.com"):
            assert hidden not in text
    assert isinstance(settings.database_url, SecretStr)
    assert isinstance(settings.supabase_jwt_secret, SecretStr)


def test_a_refusal_of_pydantics_own_shows_no_secret_either() -> None:
    with pytest.raises(ValidationError) as raised:
        Settings(supabase_jwt_secret="hidden-secret", database_url="mysql://root:hidden-password@db/calls")
    assert raised.value.error_count() == 2
    assert "hidden-" not in str(raised.value)


def test_settings_are_frozen() -> None:
    settings = read_settings(**GOOD)
    for name in Settings.model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(settings, name, getattr(settings, name))


def test_what_lets_strangers_in_is_off_by_default() -> None:
    settings = read_settings(**GOOD)
    assert (settings.graphiql, settings.introspection) == (False, False)
    assert settings.host == "127.0.0.1"
    assert settings.rate_limit != "off"
    assert settings.user_cache_seconds <= 30


def test_every_setting_says_what_it_is_for() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_the_keys_are_below_the_projects_address_unless_another_is_set() -> None:
    keys = "https://project.supabase.co/auth/v1/.well-known/jwks.json"
    for url in ("https://project.supabase.co", "https://project.supabase.co/"):
        assert read_settings(database_url=DSN, supabase_url=url).jwks_url == keys
    own = "https://keys.example.com/own.json"
    both = {"supabase_url": "https://project.supabase.co", "supabase_jwks_url": own}
    assert read_settings(database_url=DSN, **both).jwks_url == own
    assert read_settings(**GOOD).jwks_url is None
