"""The command line's part for the writing side, each command as a process of its own."""

import json
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from tests.conftest import Database
from tests.enrichment.processes import run
from tests.enrichment.scenes import WAITING, waiting, words
from tests.given import NOW, Given, fold

LINES = (
    ("agent", "Hello, this is Ava from Solar. Shall I book a visit on Thursday at ten?", 0, 6000),
    ("user", "Thursday at ten works for me.", 7000, 9000),
    ("agent", "You are booked for Thursday at ten. Goodbye.", 9500, 12000),
)
BOOKED = [dict(zip(("role", "text", "start_ms", "end_ms"), line, strict=True)) for line in LINES]


async def test_a_worker_that_drains_ends_when_nothing_is_left(
    database: Database, given: Given, connection: asyncpg.Connection
) -> None:
    await waiting(given, await given.agency("Solar"), 5, transcript=BOOKED)
    assert run(database.dsn, "worker", "--drain").returncode == 0
    rows = await connection.fetch("select analysis_status::text, analyzed_by, count(*) from calls group by 1, 2")
    assert [tuple(row) for row in rows] == [("completed", "embedded/1", 5)]
    assert run(database.dsn, "queue").stdout == "nothing waits\n"


async def test_the_queue_is_shown_with_what_was_set_aside_and_why(database: Database, given: Given) -> None:
    agency = await given.agency("Solar")
    await waiting(given, agency, 2)
    await waiting(given, agency, 2, transcript=[{"role": "parrot", "text": "Hello"}])
    await waiting(given, agency, 1, end_reason="later")
    await given.connection.execute(
        "update enrichment_queue set run_after = now() + interval '1 hour'"
        " where call_id in (select id from calls where end_reason = 'later')"
    )
    await given.connection.execute(
        "update enrichment_queue set status = 'failed', last_error = 'not a list of turns'"
        " where call_id in (select id from calls where transcript -> 0 ->> 'role' = 'parrot')"
    )
    shown = run(database.dsn, "queue", COLUMNS="200").stdout
    (row,) = (line.split() for line in shown.splitlines() if line.strip().startswith("Solar"))
    assert row[:6] == ["Solar", "analysis", "2", "1", "0", "2"]
    assert "not a list of turns" in shown
    assert "gateway reanalyse --set-aside" in shown


async def test_an_analysis_is_shown_and_nothing_is_written(
    database: Database, given: Given, connection: asyncpg.Connection
) -> None:
    (call,) = await waiting(given, await given.agency(), transcript=BOOKED)
    shown = json.loads(run(database.dsn, "analyse", "--call", str(call)).stdout)
    assert shown["understanding"]["disposition"] == "appointment_booked"
    assert shown["timings"] == {"talk_ratio": 0.7083, "listen_ratio": 0.1667, "interruptions": 0}
    assert shown["analyzed_by"] == "embedded/1"
    assert await connection.fetchval("select analysis_status::text from calls") == "pending"
    assert await connection.fetchval("select status::text from enrichment_queue") == "queued"


async def test_a_call_that_is_not_there_or_has_no_words_is_named(database: Database, given: Given) -> None:
    nobody = uuid4()
    refused = run(database.dsn, "analyse", "--call", str(nobody))
    assert (refused.returncode, refused.stderr) == (2, f"There is no call {nobody}.\n")
    silent = await given.call(await given.agency())
    refused = run(database.dsn, "analyse", "--call", str(silent))
    assert (refused.returncode, refused.stderr) == (2, f"Call {silent} has no transcript.\n")


async def test_a_range_is_analysed_once_more_and_its_numbers_stay_until_then(
    database: Database, given: Given, connection: asyncpg.Connection
) -> None:
    ours, theirs = await given.agency(), await given.agency()
    inside = await given.call(ours, transcript=words(), started_at=NOW)
    await given.call(ours, transcript=words(), started_at=NOW.replace(day=10))
    await given.call(theirs, transcript=words(), started_at=NOW)
    await given.call(ours, answered=False, started_at=NOW, analysis_status="skipped")
    # Analysed elsewhere: there are no words to understand it by.
    await given.call(ours, started_at=NOW)
    command = ["reanalyse", "--agency", str(ours), "--from", "2026-02-16", "--to", "2026-02-16"]
    assert run(database.dsn, *command).stdout == "1 calls queued\n"
    assert [row["call_id"] for row in await connection.fetch("select call_id from enrichment_queue")] == [inside]
    assert await connection.fetchval("select sum(conversations_had) from call_stats_daily") == 4
    assert run(database.dsn, "reanalyse").stdout == "2 calls queued\n"


async def test_what_was_set_aside_is_tried_once_more(
    database: Database, given: Given, connection: asyncpg.Connection
) -> None:
    agency = await given.agency()
    await given.call(agency, transcript=words())
    await waiting(given, agency, transcript=BOOKED)
    await given.call(agency, **WAITING, ultravox_call_id="u")
    await connection.execute("update enrichment_queue set status = 'failed', attempts = 5")
    await connection.execute(
        "update calls set analysis_status = 'failed', transcript_status = case when transcript is null then 'failed'"
        " else transcript_status end where analysis_status = 'pending'"
    )
    assert run(database.dsn, "reanalyse", "--set-aside").stdout == "2 calls queued\n"
    rows = await connection.fetch("select job_type::text, status::text, attempts from enrichment_queue order by 1")
    assert [tuple(row) for row in rows] == [("analysis", "queued", 0), ("transcript", "queued", 0)]


async def test_more_calls_than_fit_a_chunk_are_all_queued(
    database: Database, given: Given, connection: asyncpg.Connection
) -> None:
    await given.calls(await given.agency(), 2500, transcript=words())
    assert run(database.dsn, "reanalyse").stdout == "2500 calls queued\n"
    assert await connection.fetchval("select count(*) from enrichment_queue") == 2500


async def test_reconcile_shows_which_texts_and_hours_are_off(
    database: Database, given: Given, connection: asyncpg.Connection
) -> None:
    now = await connection.fetchval("select now()")
    await given.calls(await given.agency(), 3, started_at=now, objections=[{"text": "No time", "handled": True}])
    await fold(connection)
    await connection.execute("update call_findings_folded set count = 1")
    await connection.execute("delete from agency_findings_folded")
    await connection.execute("update agency_hours_folded set meetings_booked_by_hour[7] = 4")
    shown = run(database.dsn, "reconcile", COLUMNS="200")
    assert shown.returncode == 1
    assert "agency_meetings_booked_by_hour 4, " in shown.stdout
    assert "agency_objection_texts 3, agency_objection_texts_handled 3, objection_texts 2" in shown.stdout


MODEL = {"ANALYSER_URL": "http://127.0.0.1:1/v1", "ANALYSER_MODEL": "a-model", "ANALYSER_API_KEY": "a-key"}


@pytest.mark.parametrize("missing", MODEL)
async def test_a_model_that_is_not_wholly_named_is_refused_before_anything_is_claimed_or_sent(
    database: Database, given: Given, missing: str
) -> None:
    await waiting(given, await given.agency())
    named = {name: value for name, value in MODEL.items() if name != missing}
    refused = run(database.dsn, "worker", ANALYSER="model", **named)
    assert refused.returncode == 2
    assert f"{missing}: is missing, and ANALYSER is model" in refused.stderr
    assert await given.connection.fetchval("select attempts from enrichment_queue") == 0


async def test_a_database_without_the_tables_is_said_in_words(empty_database: Database) -> None:
    for command in (["worker"], ["queue"], ["reconcile"]):
        refused = run(empty_database.dsn, *command)
        assert refused.returncode == 2, refused.stderr
        assert "gateway doctor" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_without_a_database_and_without_a_demo_it_is_said_how_to_get_one(tmp_path: Path) -> None:
    refused = run("", "queue", "--data-dir", str(tmp_path / "none"))
    assert refused.returncode == 2
    assert "DATABASE_URL is not set" in refused.stderr
    assert "make demo" in refused.stderr


async def test_simulated_calls_come_and_end_and_queue_themselves(
    database: Database, given: Given, connection: asyncpg.Connection
) -> None:
    agency = await given.agency("Northwind Voice")
    await connection.execute("update agencies set slug = 'northwind'")
    campaign = await given.campaign(agency, name="Renewals")
    await given.batch(agency, campaign, {"pending": 20})
    placed = run(database.dsn, "simulate", "--calls", "12", "--every", "0.02", "--speed", "2000", "--seed", "4")
    assert placed.stdout.endswith("12 calls placed\n"), placed.stderr
    assert placed.stdout.count("Northwind Voice: Renewals, ") == 12
    calls = await connection.fetch("select * from calls")
    assert len(calls) == 12
    assert {call["status"] for call in calls} <= {"completed", "failed"}
    assert all(call["started_at"] <= call["ended_at"] <= call["updated_at"] for call in calls)
    answered = [call for call in calls if call["transcript"]]
    assert answered
    assert await connection.fetchval("select count(*) from enrichment_queue") == len(answered)
    summary = await connection.fetchrow("select * from v_call_batch_summary")
    assert summary["completed_count"] + summary["failed_count"] == 12


async def test_calls_are_invented_for_the_demo_only(database: Database, given: Given) -> None:
    await given.campaign(await given.agency(), name="Renewals")
    refused = run(database.dsn, "simulate", "--calls", "1")
    assert refused.returncode == 2
    assert "invented for the demo only" in refused.stderr
    assert await given.connection.fetchval("select count(*) from calls") == 0
