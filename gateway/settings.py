"""One frozen, typed settings object, read from the environment; nothing else in the program reads it."""

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import limits
from pydantic import AfterValidator, AnyHttpUrl, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from database.address import AddressError, read_address
from database.address_parameters import MOST_CONNECTIONS
from gateway.errors import SettingsError
from gateway.local import is_a_developers_own

Need = Literal["database", "issuer", "analyser"]

_PUBLIC = "this secret is printed in public documentation; use your project's own"
_BETWEEN_URLS = re.compile(r"[\s,]+(?=[\"']?[A-Za-z][\w+.:-]*://)")
LOCAL_SECRET = "super-secret-jwt-token-with-at-least-32-characters-long"  # noqa: S105 - the very opposite
"""With this one the Supabase CLI signs the tokens of every project that it runs on a developer's machine."""
# Secrets that are printed in public documentation: whoever reads them can mint a token for any agency.
PUBLIC_SECRETS = frozenset({LOCAL_SECRET, "your-super-secret-jwt-token-with-at-least-32-characters-long"})


def _primary(value: SecretStr) -> SecretStr:
    if value.get_secret_value():
        read_address(value.get_secret_value())
    return value


def _replica(value: SecretStr) -> SecretStr:
    read_address(value.get_secret_value(), standby=True)
    return value


def _unguessable(value: SecretStr) -> SecretStr:
    secret = value.get_secret_value()
    if secret in PUBLIC_SECRETS - {LOCAL_SECRET}:
        raise ValueError(_PUBLIC)
    if len(secret.encode()) < 32:
        raise ValueError("at least 32 bytes are needed for HS256 (RFC 7518, section 3.2)")
    return value


def _rate(value: str) -> str:
    if value != "off":
        try:
            limits.parse(value)
        except ValueError:
            raise ValueError("a rate like 1200/minute, or off, is expected") from None
    return value


def _origins(value: object) -> object:
    return tuple(part.rstrip("/") for part in _parts(value)) if isinstance(value, str) else value


def _urls(value: object) -> object:
    """Several addresses in one text: one ends where the next begins, as each may have commas of its own."""
    return tuple(filter(None, _BETWEEN_URLS.split(value.strip(", \n")))) if isinstance(value, str) else value


def _parts(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


class Settings(BaseSettings):
    """Everything that may differ between two deployments. The variable's name is the field's, in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    database_url: Annotated[SecretStr, AfterValidator(_primary)] = Field(
        default=SecretStr(""),
        description="Where PostgreSQL is: postgresql://user:password@host:port/database; docs/connecting.md. Required.",
    )
    database_pooler: Literal["none", "transaction"] = Field(
        default="none",
        description="`transaction` when DATABASE_URL leads to a transaction pooler (docs/connecting.md).",
    )
    database_pool_size: int = Field(
        default=8,
        ge=1,
        le=MOST_CONNECTIONS,
        description="Connections at most, by process. More than twice the database's cores only adds latency.",
    )
    database_replica_urls: Annotated[
        tuple[Annotated[SecretStr, AfterValidator(_replica)], ...], NoDecode, BeforeValidator(_urls)
    ] = Field(
        default=(),
        description="Read replicas of DATABASE_URL, as it is written, separated by commas (docs/scaling.md).",
    )
    database_replica_lag_seconds: float = Field(
        default=1.0,
        ge=0.05,
        le=300,
        description="A replica that may lack a commit older than this is not read; the primary is.",
    )
    supabase_url: AnyHttpUrl | None = Field(
        default=None,
        description="The Supabase project, for ES256 and RS256 tokens: keys from its /auth/v1/.well-known/jwks.json.",
    )
    supabase_jwks_url: AnyHttpUrl | None = Field(
        default=None, description="The address of the keys, where it is not the one below SUPABASE_URL."
    )
    supabase_jwt_secret: Annotated[SecretStr, AfterValidator(_unguessable)] | None = Field(
        default=None, description="The shared secret, for HS256 tokens. This, SUPABASE_URL or both are required."
    )
    supabase_jwt_issuer: str | None = Field(
        default=None, description="When set, a token's `iss` must be exactly this (…/auth/v1 on Supabase)."
    )
    user_cache_seconds: float = Field(
        default=5.0,
        ge=0,
        le=30,
        description="How long a user's agency and role are remembered; a change shows after it.",
    )
    reuse: bool = Field(
        default=True, description="Give an answer again while nothing of its agency's data has changed (`off`: never)."
    )
    reuse_seconds: float = Field(
        default=0.05,
        ge=0,
        le=60,
        description="The database is asked for changes of an agency so often at most: a change shows after it.",
    )
    reuse_max_age_seconds: float = Field(
        default=60.0,
        gt=0,
        description="An answer is not given again for longer, whatever was done to the data behind the triggers' back.",
    )
    reuse_max_bytes: int = Field(
        default=64_000_000, ge=0, description="Memory for answers that may be given again, of each process."
    )
    request_timeout_seconds: float = Field(
        default=10.0, gt=0, description="A request that takes longer is answered with 503."
    )
    http_max_connections: int = Field(
        default=1_000,
        ge=1,
        description="Open connections, by process; for one more, the one that waits longest for its client is closed.",
    )
    http_max_head_bytes: int = Field(
        default=32_768, ge=1_024, description="Size of a request's head: its first line and its headers."
    )
    http_head_seconds: float = Field(default=10.0, gt=0, description="A head that takes longer is given up.")
    http_keep_alive_seconds: float = Field(
        default=75.0,
        gt=0,
        description="How long a connection may be idle; longer than a proxy in front keeps its own, or it answers 502.",
    )
    shutdown_seconds: int = Field(default=15, ge=0, description="How long requests under way may go on after SIGTERM.")
    rate_limit: Annotated[str, AfterValidator(_rate)] = Field(
        default="1200/minute",
        description="Requests of one user, by process, as `N/second|minute|hour`; `off` for none.",
    )
    burst_limit: int = Field(
        default=100,
        ge=1,
        description="Requests of one user that may wait for their turn, by process; more are refused with 429.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origins)] = Field(
        default=("*",),
        description="Origins whose pages may call, separated by commas; `*` for any (tokens, not cookies, decide).",
    )
    dashboard: bool = Field(default=True, description="Serve the dashboard at /.")
    graphiql: bool = Field(
        default=False,
        description="Serve the GraphiQL explorer to browsers at /graphql; it shows the schema, INTROSPECTION or not.",
    )
    supabase_publishable_key: str | None = Field(
        default=None,
        description="With SUPABASE_URL: the dashboard's viewers sign in there, with e-mail and password.",
    )
    page_token: SecretStr = Field(
        default=SecretStr(""),
        description="For demos: a token that the pages hand to everybody who opens them. Never in production.",
    )
    introspection: bool = Field(default=False, description="Answer introspection queries.")
    sdl: bool | None = Field(
        default=None,
        description="Show GraphQL's schema to anybody at /schema.graphql; unless set, where INTROSPECTION is on.",
    )
    graphql_remembered_bytes: int = Field(
        default=64_000_000,
        ge=0,
        description="Memory for documents, parsed, compiled or found wrong, and persisted ones, of each process.",
    )
    graphql_max_body_bytes: int = Field(default=100_000, ge=1_000, description="Size of a request's body.")
    graphql_max_tokens: int = Field(default=4_000, ge=100, description="Lexical tokens of a document.")
    graphql_max_depth: int = Field(default=12, ge=4, description="Nesting of a document, counted through fragments.")
    graphql_max_aliases: int = Field(
        default=30, ge=0, description="Aliases of an operation, counted through fragments."
    )
    graphql_max_cost: int = Field(
        default=1_000, ge=100, description="Cost of an operation: a point a field, more for a report (docs/graphql.md)."
    )
    analyser: Literal["embedded", "model"] = Field(
        default="embedded",
        description="Who understands calls: `embedded` rules (no network, rough), or a `model` at ANALYSER_URL.",
    )
    analyser_url: AnyHttpUrl | None = Field(
        default=None,
        description="Where the model is, to which transcripts are sent: any address that speaks the OpenAI protocol.",
    )
    analyser_api_key: SecretStr = Field(default=SecretStr(""), description="The key for ANALYSER_URL.")
    analyser_model: str = Field(default="", description="The model's name at ANALYSER_URL.")
    analyser_timeout_seconds: float = Field(
        default=60.0, gt=0, description="A model that takes longer for an answer is asked again later."
    )
    analyser_input_usd: float | None = Field(
        default=None, ge=0, description="Price of a million input tokens, where the provider does not tell the cost."
    )
    analyser_output_usd: float | None = Field(default=None, ge=0, description="The same of a million output tokens.")
    ultravox_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("https://api.ultravox.ai"),
        description="Where transcripts are fetched from; the keys are kept for each agency (docs/enrichment.md).",
    )
    worker_concurrency: int | None = Field(
        default=None, ge=1, le=1000, description="Calls a worker analyses at a time; 64 `embedded`, 8 with a `model`."
    )
    worker_lease_seconds: float = Field(
        default=60.0, ge=1, description="Jobs of a worker that is not heard of for so long return to the queue."
    )
    postgres_bin_dir: Path | None = Field(
        default=None, description="The demo's PostgreSQL binaries, where they are not the package's or the system's."
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on.")
    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Server processes, each with its own pool, caches and count of requests (docs/scaling.md).",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged."
    )
    log_format: Literal["json", "console"] = Field(
        default="json", description="`json`: a line an event; `console`: for people."
    )

    @model_validator(mode="before")
    @classmethod
    def _as_the_address_says(cls, given: dict[str, Any]) -> dict[str, Any]:
        """What parameters of DATABASE_URL say of other settings counts where those are not set."""
        url = given.get("database_url")
        try:
            address = read_address(url.get_secret_value() if isinstance(url, SecretStr) else url or "")
        except AddressError:
            return given  # for the field's own check
        said: dict[str, Any] = {"database_pool_size": address.pool_size} if address.pool_size else {}
        if address.pools_transactions:
            said["database_pooler"] = "transaction"
        return said | given

    @model_validator(mode="after")
    def _no_public_secret(self) -> Self:
        urls = [self.database_url, *self.database_replica_urls] if self.database_url.get_secret_value() else []
        issuers = [url.host or "" for url in (self.supabase_url, self.supabase_jwks_url) if url]
        databases = [read_address(url.get_secret_value(), standby=url is not self.database_url) for url in urls]
        if self.has_local_secret and not is_a_developers_own(databases, issuers, self.host):
            raise ValueError(
                f"SUPABASE_JWT_SECRET: {_PUBLIC}. It is the Supabase CLI's and is taken only while DATABASE_URL, "
                "SUPABASE_URL and HOST are all of this machine (127.0.0.1, localhost)"
            )
        return self

    @property
    def has_local_secret(self) -> bool:
        """Whether tokens are checked with the secret that the Supabase CLI uses, and everybody knows."""
        return self.supabase_jwt_secret is not None and self.supabase_jwt_secret.get_secret_value() == LOCAL_SECRET

    @property
    def jwks_url(self) -> str | None:
        """Where the issuer publishes its keys; none when only the shared secret is used."""
        if self.supabase_jwks_url:
            return str(self.supabase_jwks_url)
        if self.supabase_url:
            return str(self.supabase_url).rstrip("/") + "/auth/v1/.well-known/jwks.json"
        return None

    def remarks(self) -> list[str]:
        """What whoever starts this should know about settings that are not quite what they seem."""
        remarks = []
        for name, url in (
            ("DATABASE_URL", self.database_url),
            *(("DATABASE_REPLICA_URLS", url) for url in self.database_replica_urls),
        ):
            if ignored := read_address(url.get_secret_value(), standby=url is not self.database_url).ignored:
                remarks.append(f"{name}: nothing here uses {', '.join(ignored)}")
        if self.has_local_secret:
            remarks.append("SUPABASE_JWT_SECRET is the Supabase CLI's, which everybody knows: for this machine alone")
        return remarks

    @property
    def shows_schema(self) -> bool:
        """Whether `/schema.graphql` is there."""
        return self.introspection if self.sdl is None else self.sdl

    def shown(self) -> dict[str, str]:
        """Each setting by its variable's name, secrets hidden."""
        return {name.upper(): _shown(getattr(self, name)) for name in type(self).model_fields}


def _shown(value: object) -> str:
    if value is None:
        return ""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def read_settings(*, needs: Collection[Need] = ("database", "issuer"), **given: Any) -> Settings:
    """The settings of this process.

    Args:
        needs: what must be there beside the defaults: a database, a way to check tokens, a key for the model.
        given: overrides the environment.

    Raises:
        SettingsError: something needed is missing or wrong; the message has a line for each such variable.
    """
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise SettingsError(_list(_worded(fault) for fault in error.errors())) from None
    missing = []
    if "database" in needs and not settings.database_url.get_secret_value():
        missing.append(_wrong("database_url", "is missing"))
    if "issuer" in needs and settings.jwks_url is None and settings.supabase_jwt_secret is None:
        missing.append(
            "SUPABASE_URL or SUPABASE_JWT_SECRET: one is needed to check tokens, SUPABASE_URL for ES256 and RS256, "
            "SUPABASE_JWT_SECRET for HS256, both while a project changes over"
        )
    if "analyser" in needs and settings.analyser == "model":
        of_model = {
            "analyser_url": settings.analyser_url,
            "analyser_model": settings.analyser_model,
            "analyser_api_key": settings.analyser_api_key.get_secret_value(),
        }
        missing += [_wrong(name, "is missing, and ANALYSER is model") for name, given in of_model.items() if not given]
    if missing:
        raise SettingsError(_list(missing))
    return settings


def _worded(fault: ErrorDetails) -> str:
    reason = fault["msg"].removeprefix("Value error, ")
    # Of several settings together, which the reason names itself.
    return _wrong(str(fault["loc"][0]), reason) if fault["loc"] else f"{reason}."


def _wrong(name: str, reason: str) -> str:
    return f"{name.upper()}: {reason}. {Settings.model_fields[name.lower()].description}"


def _list(faults: Iterable[str]) -> str:
    return "\n".join(("The gateway cannot start as it is set up:", *(f"  {fault}" for fault in faults)))
