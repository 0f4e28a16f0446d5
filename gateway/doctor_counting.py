"""Finds out whether whatever changes calls is counted, and says in plain words what is in the way."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import asyncpg

FUNCTIONS = (
    "call_counts",
    "call_day",
    "call_hour",
    "call_findings",
    "spelling_key",
    "text_spelling",
    "text_folded",
    "text_key",
    "log_call_changes",
    "log_call_change",
    "fold_call_changes",
    "try_fold_call_changes",
    "note_failed_fold",
    "is_committing",
    "fold_at_commit",
    "agencies_counted",
    "call_stats_drift",
    "call_stats_drift_of",
    "agency_hours_drift",
    "agency_hours_drift_of",
    "call_findings_drift",
    "call_findings_drift_of",
    "repair_call_stats",
    "recount_call_stats",
    "random_step",
    "raise_data_version",
    "add_to_data_version",
    "merge_data_versions",
    "ultravox_api_key",
)

# By when they are to fire, as pg_trigger.tgenabled has it: in ordinary sessions (O), in those that replay what another
# server wrote (R: session_replication_role = replica), in both (A), never (D). Any of several letters will do.
TRIGGERS: Mapping[str, Sequence[str]] = {
    # In a session that replays, calls_log_row logs a call; both would count it twice.
    "O": ("calls_log_inserted", "calls_log_deleted", "calls_log_updated"),
    "OA": (
        "calls_settle_inserted",
        "calls_settle_updated",
        "calls_queue_inserted",
        "calls_queue_updated",
        "calls_queue_deleted",
        "calls_queue_truncated",
        "call_findings_folded_keep_keys",
        "agency_findings_folded_keep_keys",
    ),
    "R": ("calls_log_row", "enrichment_queue_is_no_replica", "cron_job_logs_is_no_replica"),
    "A": (
        "calls_count_truncated",
        "call_changes_fold",
        "call_changes_come_of_calls",
        "call_changes_are_no_replica",
        "enrichment_queue_known",
        "cron_job_logs_known",
        *(
            f"{rollup}_{guarded}"
            for rollup in (
                "call_fold",
                "call_stats_folded",
                "agency_hours_folded",
                "call_findings_folded",
                "agency_findings_folded",
            )
            for guarded in ("comes_of_folds", "is_no_replica")
        ),
    ),
}
_PARENTS = ("users", "clients", "campaigns", "call_batches", "campaign_contacts")
VERSION_TRIGGERS: Mapping[str, Sequence[str]] = {
    "OA": (
        *(f"{table}_version_{event}" for table in _PARENTS for event in ("inserted", "updated", "deleted")),
        "call_batches_move_contacts",
        "cron_job_logs_version",
        "cron_job_logs_version_forgotten",
    ),
    "R": tuple(f"{table}_version_of_row" for table in _PARENTS),
    "A": (
        *(f"{table}_version_truncated" for table in _PARENTS),
        "calls_version_truncated",
        "agencies_version",
        "data_versions_are_no_replica",
        "data_versions_known",
    ),
}

_SQL = Path(__file__).parent / "sql"
_COUNTING = (_SQL / "doctor_counting.sql").read_text("utf-8")
_CHILDREN = (_SQL / "doctor_children.sql").read_text("utf-8")
_FAILING_FOLDS = (_SQL / "failing_folds.sql").read_text("utf-8")

_FIRES = {
    "O": "fires only in ordinary sessions, not in those with session_replication_role = replica",
    "R": "fires only in sessions with session_replication_role = replica",
    "A": "fires in all sessions, not only in those with session_replication_role = replica",
    "D": "is switched off",
}
_ENABLE = {"O": "enable trigger", "OA": "enable trigger", "R": "enable replica trigger", "A": "enable always trigger"}


async def examine_counting(connection: asyncpg.Connection) -> tuple[bool, str]:
    """Whether the functions and triggers that count are there and fire when they are to."""
    rows = await connection.fetch(_COUNTING)
    functions = {row["name"] for row in rows if row["fires"] is None}
    triggers = {row["name"]: row for row in rows if row["fires"] is not None}
    words = []
    if missing := [name for name in FUNCTIONS if name not in functions]:
        words.append(f"Missing functions: {', '.join(missing)}. Run `gateway migrate`.")
    if faults := _faults(TRIGGERS, triggers):
        words += [*faults, "Without them the rollups do not follow the calls: run `gateway rebuild` afterwards."]
    if faults := _faults(VERSION_TRIGGERS, triggers):
        words += [*faults, "Without them data_versions does not tell of every change."]
    return not words, " ".join(words) or "Functions and triggers are in place."


def _faults(expected: Mapping[str, Sequence[str]], triggers: Mapping[str, asyncpg.Record]) -> list[str]:
    """A sentence for those that are missing, and one for each that fires at other times."""
    faults = []
    if missing := [name for names in expected.values() for name in names if name not in triggers]:
        faults.append(f"Missing triggers: {', '.join(missing)}. Run `gateway migrate`.")
    for modes, names in expected.items():
        for name in names:
            if name in triggers and (fires := triggers[name]["fires"]) not in modes:
                enable = f"alter table {triggers[name]['on_table']} {_ENABLE[modes]} {name}"
                faults.append(f"{name} {_FIRES[fires]}; run: {enable}.")
    return faults


async def examine_children(connection: asyncpg.Connection, tables: Sequence[str]) -> tuple[bool, str]:
    """Whether all that is written into these tables passes their own triggers."""
    words = []
    for child, parent, is_partition, is_ours in await connection.fetch(_CHILDREN, list(tables)):
        how = "is a partition of" if is_partition else "inherits from"
        apart = f"{parent} detach partition {child}" if is_partition else f"{child} no inherit {parent}"
        first = "" if is_ours else f"move its rows into {parent}, then "
        words.append(f"{child} {how} {parent}: {first}run: alter table {apart}.")
    if not words:
        return True, "No table is a child of these, nor they of another."
    reason = "A statement fires the triggers of the table that it names, so what is written by the other's name"
    return False, " ".join([*words, reason, "is not counted."])


async def examine_folds(connection: asyncpg.Connection) -> tuple[bool, str]:
    """Whether the logged changes of calls are added to the rollups."""
    rows = await connection.fetch(_FAILING_FOLDS)
    if not rows:
        return True, "Changes of calls are added up."
    [(failed_at, error)] = rows
    words = f"Changes of calls are not being added up, as was seen at {failed_at:%Y-%m-%d %H:%M} UTC: {error}"
    return (
        False,
        f"{words.rstrip('.')}. Mend that; until then every read adds them up by itself, and takes ever longer.",
    )
