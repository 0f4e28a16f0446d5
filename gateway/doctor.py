"""Finds what keeps the gateway from working and says in plain words what to do about it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from rich.table import Table
from rich.text import Text

from database.address import SUPABASE_POOLER_PORT, Address, read_address
from database.migrate import unapplied
from database.reach import CANNOT_CONNECT, connect, lost_settings, way_to_server, why_unreachable
from gateway.auth import LEEWAY_SECONDS
from gateway.doctor_counting import examine_children, examine_counting, examine_folds
from gateway.doctor_issuer import examine_issuer
from gateway.doctor_replicas import examine_replicas
from gateway.settings import Settings
from resolvers.metrics import TIMESERIES_METRICS, sums_of

CHECK_SECONDS = 20.0
"""For each check. Where the machine or the server is busy one takes seconds, which is no fault to be told of."""
OLDEST_POSTGRESQL = 15

_PARTS = "agency_id stat_date campaign_id client_id updated_at analyzed_calls analyzed_connected_calls"
_BY_HOUR = ("total_calls", "connected_calls", "meetings_booked")
# What the platform's own schema has, and what the reports read.
EXPECTED: Mapping[str, str] = {
    "agencies": "id name slug created_at updated_at",
    "users": "id agency_id role client_id email",
    "clients": "id agency_id name",
    "campaigns": "id agency_id client_id name type",
    "call_batches": "id agency_id campaign_id status scheduled_for created_at started_at completed_at",
    "campaign_contacts": "id batch_id campaign_id phone_number status call_id attempts max_attempts",
    "v_call_batch_summary": "id agency_id campaign_id status total_calls completed_count failed_count pending_count "
    "in_progress_count progress_pct created_at completed_at",
    "calls": "id agency_id client_id campaign_id batch_id ultravox_call_id direction source status started_at "
    "joined_at ended_at duration_seconds end_reason has_recording transcript_status transcript analysis_status "
    "analyzed_at analyzed_by disposition sentiment talk_ratio listen_ratio script_adherence interruptions objections "
    "buying_signals is_qualified_lead issue_resolved escalated emails_sent sms_sent summary created_at updated_at",
    "call_stats_daily": " ".join(
        [
            "stat_date agency_id campaign_id client_id updated_at analyzed_calls analyzed_connected_calls",
            *TIMESERIES_METRICS,
            *sums_of(TIMESERIES_METRICS),
        ]
    ),
    "call_stats_parts": " ".join([_PARTS, *sums_of(TIMESERIES_METRICS)]),
    "call_stats_folded": " ".join([_PARTS, *sums_of(TIMESERIES_METRICS), *(f"{name}_by_hour" for name in _BY_HOUR)]),
    "call_findings_folded": "agency_id stat_date campaign_id client_id kind text text_key count handled",
    "agency_findings_folded": "agency_id stat_date kind text text_key count handled",
    "agency_hours_folded": " ".join(["agency_id stat_date", *(f"{name}_by_hour" for name in _BY_HOUR)]),
    "call_changes": "transaction_id changed_at step agency_id started_at campaign_id client_id objections",
    "call_fold": "first last folded_at written_at done_at",
    "unfolded_transactions": "first last",
    "failing_folds": "failed_at error",
    "pending_call_counts": " ".join(["agency_id stat_date campaign_id client_id hour", *_BY_HOUR]),
    "pending_call_findings": "agency_id stat_date campaign_id client_id kind text count handled",
    "enrichment_queue": "id agency_id call_id job_type status attempts run_after locked_by locked_until last_error",
    "analysis_usage": "agency_id call_id asked_at model input_tokens output_tokens cost_usd",
    "agency_keys": "agency_id ultravox_api_key",
    "data_versions": "agency_id place version",
    "cron_job_logs": "job started_at finished_at status rows rows_repaired slot error",
}
FOLDED = ("call_stats_folded", "agency_hours_folded", "call_findings_folded", "agency_findings_folded")

_SQL = Path(__file__).parent / "sql"
_RELATIONS = (_SQL / "doctor_relations.sql").read_text("utf-8")
_CONNECTIONS = (_SQL / "doctor_connections.sql").read_text("utf-8")
_USERS = (_SQL / "doctor_users.sql").read_text("utf-8")
_DRIFT = (_SQL / "doctor_drift.sql").read_text("utf-8")


@dataclass(frozen=True)
class Finding:
    """The outcome of a check. `ok` is None for a warning, and where the check could not be made."""

    ok: bool | None
    check: str
    words: str


@dataclass(frozen=True)
class _Patient:
    settings: Settings
    address: Address
    connection: asyncpg.Connection

    async def relations(self) -> Mapping[str, Mapping[str, Any]]:
        """Which of the expected tables and views there are, and what this role may see of them."""
        return {row["name"]: dict(row) for row in await self.connection.fetch(_RELATIONS, list(EXPECTED))}

    async def cannot_see(self, *tables: str) -> str | None:
        """Why a count over these tables would mean nothing, if so."""
        relations = await self.relations()
        for table in tables:
            relation = relations.get(table)
            if relation is None:
                return f"Could not be checked: `{table}` is missing."
            if not relation["may_read"] or (relation["is_filtered"] and not relation["has_policy"]):
                return f"Could not be checked: this role does not see the rows of `{table}`."
        return None


def report(findings: Iterable[Finding]) -> Table:
    """The findings as a table for a terminal."""
    marks = {True: Text("ok", "green"), False: Text("wrong", "bold red"), None: Text("?", "yellow")}
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        table.add_row(marks[finding.ok], Text(finding.check), Text(finding.words))
    return table


async def examine(settings: Settings) -> list[Finding]:
    """Every check that can be made, each within seconds; one that fails stops no other."""
    database, replicas, issuer = await asyncio.gather(
        _database(settings), _bounded("replica", _replicas(settings)), _bounded("issuer", _issuer(settings))
    )
    return [*database, *replicas, *issuer]


async def _bounded(check: str, examination: Awaitable[Finding | Sequence[Finding]]) -> list[Finding]:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            found = await examination
    except TimeoutError:
        return [Finding(None, check, f"Could not be checked within {CHECK_SECONDS:g} s.")]
    except Exception as error:  # noqa: BLE001 - a check that fails must not stop the others
        return [Finding(None, check, f"Could not be checked: {str(error) or type(error).__name__}.")]
    return [found] if isinstance(found, Finding) else list(found)


async def _database(settings: Settings) -> list[Finding]:
    address = read_address(settings.database_url.get_secret_value())
    try:
        connection = await connect(address, CHECK_SECONDS)
    except CANNOT_CONNECT as error:
        return [Finding(False, "database", why_unreachable(address, error))]
    patient = _Patient(settings, address, connection)
    findings = []
    try:
        for name, check in _CHECKS.items():
            findings += await _bounded(name, check(patient))
    finally:
        try:
            await connection.close(timeout=CHECK_SECONDS)
        except (TimeoutError, *CANNOT_CONNECT):
            connection.terminate()
    return findings


async def _reached(patient: _Patient) -> Finding:
    asks = (
        "select current_user, current_database(), has_schema_privilege('public', 'usage'), pg_is_in_recovery(), "
        "'public' = any(current_schemas(false)), current_setting('search_path')"
    )
    [(role, database, usable, is_standby, looks_there, path)] = await patient.connection.fetch(asks)
    if not usable:
        return Finding(False, "database", f"{role} may not use the schema public: grant usage on schema public to it.")
    if not looks_there:
        words = f"{role} looks for tables in {path or 'no schema'} (search_path), and they are in public. Take that out"
        return Finding(False, "database", f"{words} of DATABASE_URL, or: alter role {role} set search_path to public.")
    version = patient.connection.get_server_version()
    words = f"PostgreSQL {version.major}.{version.micro}, database {database}, as {role}."
    if version.major < OLDEST_POSTGRESQL:
        return Finding(False, "database", f"{words} Version {OLDEST_POSTGRESQL} or newer is needed.")
    if is_standby:
        words += " It is a standby, whose numbers may be old without bound, so nothing is answered from it."
        return Finding(False, "database", f"{words} Name the primary in DATABASE_URL, or promote this one.")
    return Finding(True, "database", words)


async def _pooler(patient: _Patient) -> Finding:
    way = await way_to_server(patient.connection, patient.address, CHECK_SECONDS)
    lost = None if way == "transaction" else await lost_settings(patient.address, CHECK_SECONDS)
    supabase = way == "session" and any(server.port == SUPABASE_POOLER_PORT for server in patient.address.servers)
    if patient.settings.database_pooler == "transaction":
        if way == "transaction" or lost or supabase:
            return Finding(True, "pooler", "One that needs DATABASE_POOLER=transaction, as is set.")
        return Finding(None, "pooler", "None that needs DATABASE_POOLER=transaction: `none` is faster.")
    if way == "transaction":
        words = "DATABASE_URL leads to a transaction pooler: set DATABASE_POOLER=transaction, or name the direct port."
        return Finding(False, "pooler", words)
    if lost:
        words = f"Something between us and PostgreSQL {lost}: set DATABASE_POOLER=transaction, or go there directly."
        return Finding(False, "pooler", words)
    if supabase:
        words = (
            "A pooler on Supabase's port for transactions (6543): set DATABASE_POOLER=transaction if it is that one."
        )
        return Finding(None, "pooler", words)
    return Finding(True, "pooler", "None." if way == "direct" else "One that keeps sessions apart, which does no harm.")


async def _replicas(settings: Settings) -> list[Finding]:
    found = await examine_replicas(settings, list(EXPECTED), CHECK_SECONDS / 3)
    return [Finding(ok, "replica", words) for ok, words in found]


async def _issuer(settings: Settings) -> Finding:
    ok, words = await examine_issuer(settings, 0.8 * CHECK_SECONDS)
    return Finding(ok, "issuer", words)


async def _connections(patient: _Patient) -> Finding:
    settings = patient.settings
    if settings.database_pooler == "transaction":
        return Finding(True, "connections", "The pooler's matter.")
    wanted = settings.workers * (settings.database_pool_size + bool(settings.database_replica_urls))
    there = await patient.connection.fetchval(_CONNECTIONS)
    if wanted > there:
        words = f"Up to {wanted} (WORKERS times DATABASE_POOL_SIZE), and the server has {there}: lower one of the two."
        return Finding(None, "connections", words)
    return Finding(True, "connections", f"Up to {wanted} of the server's {there}.")


async def _tables(patient: _Patient) -> Finding:
    relations = await patient.relations()
    missing = [name for name in EXPECTED if name not in relations]
    for name, relation in relations.items():
        missing += [f"{name}.{column}" for column in sorted({*EXPECTED[name].split()}.difference(relation["columns"]))]
    if missing:
        return Finding(False, "tables", f"Missing: {', '.join(missing)}. Run `gateway migrate`.")
    return Finding(True, "tables", f"All {len(EXPECTED)} are there, with their columns.")


async def _counting(patient: _Patient) -> Finding:
    if "calls" not in await patient.relations():
        return Finding(None, "counting", "Could not be checked: `calls` is missing.")
    ok, words = await examine_counting(patient.connection)
    return Finding(ok, "counting", words)


async def _children(patient: _Patient) -> Finding:
    ok, words = await examine_children(patient.connection, list(EXPECTED))
    return Finding(ok, "children", words)


async def _folds(patient: _Patient) -> Finding:
    if reason := await patient.cannot_see("call_changes", "call_fold", "cron_job_logs"):
        return Finding(None, "folds", reason)
    ok, words = await examine_folds(patient.connection)
    return Finding(ok, "folds", words)


async def _migrations(patient: _Patient) -> Finding:
    if missing := await unapplied(patient.connection):
        return Finding(False, "migrations", f"Not applied: {', '.join(missing)}. Run `gateway migrate`.")
    return Finding(True, "migrations", "All applied.")


async def _privileges(patient: _Patient) -> Finding:
    closed = [name for name, relation in (await patient.relations()).items() if not relation["may_read"]]
    if closed:
        role = await patient.connection.fetchval("select quote_ident(current_user)")
        return Finding(False, "privileges", f"Not readable: run `grant select on {', '.join(closed)} to {role}`.")
    return Finding(True, "privileges", "Every table that is there may be read.")


async def _row_security(patient: _Patient) -> Finding:
    relations = await patient.relations()
    filtered = {name: relation["has_policy"] for name, relation in relations.items() if relation["is_filtered"]}
    if hidden := [name for name, has_policy in filtered.items() if not has_policy]:
        words = f"Hides every row of {', '.join(hidden)}: connect as the tables' owner or a role with BYPASSRLS."
        return Finding(False, "row security", words)
    if filtered:
        words = f"Policies choose the rows of {', '.join(filtered)} for this role; the numbers may be too small."
        return Finding(None, "row security", words)
    return Finding(True, "row security", "Hides nothing from this role.")


async def _users(patient: _Patient) -> list[Finding]:
    if reason := await patient.cannot_see("users"):
        return [Finding(None, "users", reason)]
    [(users, without_agency, without_client)] = await patient.connection.fetch(_USERS)
    if not users:
        words = "None, so every request is refused with 403. Fill `users`; its id is the `sub` of a user's token."
        return [Finding(False, "users", words)]
    findings = [Finding(True, "users", f"{users} of them.")]
    if without_agency:
        findings.append(Finding(None, "users", f"{without_agency} without an agency_id: refused with 403."))
    if without_client:
        words = f"{without_client} with a client_ role and without a client_id: refused with 403."
        findings.append(Finding(None, "users", words))
    return findings


async def _rollup(patient: _Patient) -> Finding:
    if reason := await patient.cannot_see("calls", *FOLDED, "call_changes", "call_fold"):
        return Finding(None, "rollup", reason)
    [drift] = await patient.connection.fetch(_DRIFT)
    if wrong := [f"{rows} rows of {table}" for table, rows in drift.items() if rows]:
        words = f"{', '.join(wrong)} of the last 7 days are not what the calls add up to."
        return Finding(False, "rollup", f"{words} Run `gateway rebuild`.")
    return Finding(True, "rollup", "The last 7 days are what the calls add up to.")


async def _clock(patient: _Patient) -> Finding:
    before = time.time()
    theirs = await patient.connection.fetchval("select extract(epoch from clock_timestamp())::float8")
    skew = (before + time.time()) / 2 - theirs
    if abs(skew) <= LEEWAY_SECONDS:
        return Finding(True, "clock", "Agrees with the database's.")
    way, harm = ("ahead of", "good tokens may seem expired") if skew > 0 else ("behind", "new tokens are refused")
    words = f"{abs(skew):.0f} s {way} the database's: {harm} where the issuer's agrees with that."
    return Finding(False, "clock", f"{words} Set this machine's, or the database's, by NTP.")


_CHECKS: Mapping[str, Callable[[_Patient], Awaitable[Finding | Sequence[Finding]]]] = {
    "database": _reached,
    "pooler": _pooler,
    "connections": _connections,
    "tables": _tables,
    "counting": _counting,
    "children": _children,
    "migrations": _migrations,
    "privileges": _privileges,
    "row security": _row_security,
    "users": _users,
    "rollup": _rollup,
    "folds": _folds,
    "clock": _clock,
}
