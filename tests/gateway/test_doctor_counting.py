"""`gateway doctor` on what is in the way of counting: triggers, children of tables, and folds that fail."""

import asyncpg
import pytest
from structlog.testing import capture_logs

from gateway import doctor_counting
from gateway.doctor import Finding, examine
from gateway.health import NOT_ADDED_UP
from tests.conftest import Database
from tests.given import Given
from tests.running import Running, running, settings_for


async def found(database: Database, check: str) -> Finding:
    """The one finding of a check."""
    (finding,) = [each for each in await examine(settings_for(database.dsn)) if each.check == check]
    return finding


async def test_a_trigger_that_fires_at_other_times_is_named_with_what_to_run(
    database: Database, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connection.execute(
        """
        alter table calls disable trigger calls_log_inserted;
        alter table calls enable replica trigger calls_log_updated;
        alter table calls enable always trigger calls_log_deleted;
        alter table calls enable always trigger calls_settle_inserted;
        create trigger replayed after truncate on calls for each statement execute function raise_everybodys_version();
        create trigger in_both after truncate on calls for each statement execute function raise_everybodys_version();
        """
    )
    expected = {**doctor_counting.TRIGGERS, "R": ("replayed",), "A": ("in_both",)}
    monkeypatch.setattr(doctor_counting, "TRIGGERS", expected)
    counting = await found(database, "counting")
    assert counting.ok is False
    replaying = "session_replication_role = replica"
    for fault in (
        "calls_log_inserted is switched off; run: alter table calls enable trigger calls_log_inserted.",
        f"calls_log_updated fires only in sessions with {replaying}; "
        "run: alter table calls enable trigger calls_log_updated.",
        f"replayed fires only in ordinary sessions, not in those with {replaying}; "
        "run: alter table calls enable replica trigger replayed.",
        f"in_both fires only in ordinary sessions, not in those with {replaying}; "
        "run: alter table calls enable always trigger in_both.",
    ):
        assert fault in counting.words
    assert "calls_log_deleted fires in all sessions" in counting.words
    assert "calls_settle_inserted" not in counting.words
    for command in counting.words.split("run: ")[1:]:
        await connection.execute(command.partition(".")[0])
    assert (await found(database, "counting")).ok
    await connection.execute("alter table calls enable always trigger replayed")
    assert "replayed fires in all sessions" in (await found(database, "counting")).words


async def test_a_function_of_a_triggers_name_is_not_taken_for_the_trigger(
    database: Database, connection: asyncpg.Connection
) -> None:
    await connection.execute(
        "drop trigger calls_log_deleted on calls; create function calls_log_deleted() returns int language sql return 1"
    )
    assert "Missing triggers: calls_log_deleted." in (await found(database, "counting")).words


async def test_tables_that_inherit_from_ours_or_the_other_way_round_are_named(
    database: Database, connection: asyncpg.Connection
) -> None:
    assert (await found(database, "children")).ok
    await connection.execute(
        """
        create schema archive;
        create table archive.calls_2020 () inherits (calls);
        create table everything (like agency_keys);
        alter table agency_keys inherit everything;
        create table contacts (like campaign_contacts) partition by list (status);
        """
    )
    children = await found(database, "children")
    assert children.ok is False
    for fault in (
        "archive.calls_2020 inherits from calls: move its rows into calls, then run: "
        "alter table archive.calls_2020 no inherit calls.",
        "agency_keys inherits from everything: run: alter table agency_keys no inherit everything.",
    ):
        assert fault in children.words
    await connection.execute("alter table agency_keys no inherit everything; drop table archive.calls_2020")
    assert (await found(database, "children")).ok


async def test_a_table_that_is_a_partition_is_named(database: Database, connection: asyncpg.Connection) -> None:
    await connection.execute(
        """
        create table keys (like agency_keys including all) partition by hash (agency_id);
        alter table keys attach partition agency_keys for values with (modulus 1, remainder 0);
        """
    )
    children = await found(database, "children")
    assert children.ok is False
    assert "agency_keys is a partition of keys: run: alter table keys detach partition agency_keys." in children.words


FAILED = """insert into cron_job_logs (job, status, started_at, finished_at, error)
    values ('fold_call_changes', 'failed', now(), now() + $1 * interval '1 second', 'integer out of range')"""


async def test_folds_that_fail_are_said_with_their_error_until_one_succeeds(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    await given.call(await given.agency())
    assert (await found(database, "folds")).ok
    await connection.execute(FAILED, -3600)
    assert (await found(database, "folds")).ok
    await connection.execute(FAILED, 0)
    folds = await found(database, "folds")
    assert folds.ok is False
    assert folds.words.startswith("Changes of calls are not being added up, as was seen at ")
    assert "UTC: integer out of range. Mend that" in folds.words
    await connection.execute("update call_fold set done_at = clock_timestamp()")
    assert (await found(database, "folds")).ok


async def test_readiness_warns_of_folds_that_fail_without_the_databases_words(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    await given.call(await given.agency())
    async with running(settings_for(database.dsn)) as gateway:
        assert await _readiness(gateway) == {"status": "ready"}
        await connection.execute(FAILED, 0)
        with capture_logs() as logs:
            for _ in range(3):
                assert await _readiness(gateway) == {"status": "ready", "warnings": [NOT_ADDED_UP]}
        told = [entry for entry in logs if entry["event"] == "folds.failing"]
        assert told == [{"event": "folds.failing", "error": "integer out of range", "log_level": "warning"}]
        await connection.execute("update call_fold set done_at = clock_timestamp()")
        assert await _readiness(gateway) == {"status": "ready"}


async def _readiness(gateway: Running) -> object:
    answer = await gateway.http.get("/readyz")
    assert answer.status_code == 200
    return answer.json()
