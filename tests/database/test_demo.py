"""The demo's data: the same for the same seed and moment, complete, consistent and believable."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any, Protocol

import asyncpg
import orjson
import pytest

from database.demo import DEMO_OWNER_ID, DEMO_USERS, demo_user_id, fill, imagine
from database.demo_calls import Call
from enrichment.analysers.embedded import EmbeddedAnalyser
from enrichment.analysis import CallAnalysis, Conversation, Disposition
from enrichment.transcripts import Transcript, read_transcript

NOW = datetime(2026, 3, 18, 19, 40, tzinfo=UTC)
LARGER = ("northwind", "harborpine")
CONVERSATIONS = ("conversation", "appointment_booked", "callback_requested", "not_interested")
TABLES = ("agencies", "clients", "users", "campaigns", "call_batches", "calls", "campaign_contacts")


class Database(Protocol):
    """What the fixture `database` gives."""

    dsn: str


@dataclass
class Demo:
    """A filled database, read into memory."""

    rows: dict[str, list[asyncpg.Record]] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    progress: list[tuple[str, int, int]] = field(default_factory=list)
    drift: int = -1
    bytes: int = 0

    def agency(self, slug: str) -> Any:
        return next(row["id"] for row in self.rows["agencies"] if row["slug"] == slug)


_filled: list[Demo] = []


@asynccontextmanager
async def connected(database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def fingerprints(connection: asyncpg.Connection) -> dict[str, str]:
    return {
        table: await connection.fetchval(f"select md5(string_agg(md5(t::text), '' order by id)) from {table} as t")
        for table in TABLES
    }


@pytest.fixture
async def filled(database: Database) -> Demo:
    demo = Demo()
    async with connected(database) as connection:
        await fill(connection, now=NOW, progress=lambda *step: demo.progress.append(step))
        demo.fingerprints = await fingerprints(connection)
        for table in (*TABLES, "call_stats_daily", "v_call_batch_summary", "enrichment_queue"):
            demo.rows[table] = await connection.fetch(f"select * from {table}")
        demo.drift = await connection.fetchval(
            "select count(*) from call_stats_drift(null, '2000-01-01', '2100-01-01')"
        )
        demo.bytes = await connection.fetchval("select pg_database_size(current_database())")
    return demo


@pytest.fixture
def demo(request: pytest.FixtureRequest) -> Demo:
    """Filled by the module's first test and kept in memory: the others need no database of their own."""
    if not _filled:
        _filled.append(request.getfixturevalue("filled"))
    return _filled[0]


async def test_two_fills_with_the_same_seed_and_moment_give_the_same_rows(demo: Demo, database: Database) -> None:
    async with connected(database) as connection:
        await connection.execute("truncate agencies cascade")
        await fill(connection, now=NOW, progress=lambda *_: None)
        assert await fingerprints(connection) == demo.fingerprints


def test_the_rollup_is_what_the_calls_add_up_to(demo: Demo) -> None:
    assert demo.drift == 0
    assert sum(row["total_calls"] for row in demo.rows["call_stats_daily"]) == len(demo.rows["calls"])


def test_some_tens_of_thousands_of_calls_fit_in_a_hundred_megabytes(demo: Demo) -> None:
    assert 30_000 < len(demo.rows["calls"]) < 50_000
    assert 2_000 < len(demo.rows["campaign_contacts"]) < 10_000
    assert demo.bytes < 100_000_000


def test_progress_of_every_step_runs_up_to_its_whole(demo: Demo) -> None:
    last = {label: (done, total) for label, done, total in demo.progress}
    assert {"writing down what was said", "call_batches", "calls", "campaign_contacts"} <= last.keys()
    assert all(done == total > 0 for done, total in last.values())
    assert last["calls"] == (len(demo.rows["calls"]),) * 2


def test_the_calls_cover_ninety_days_and_none_starts_after_now(demo: Demo) -> None:
    starts = [row["started_at"] for row in demo.rows["calls"]]
    assert min(starts).date() == date(2025, 12, 19)
    assert NOW - timedelta(minutes=5) < max(starts) <= NOW
    for row in demo.rows["calls"]:
        assert all(row[at] is None or row[at] <= NOW for at in ("joined_at", "ended_at", "updated_at"))


def test_only_calls_of_the_last_minutes_are_still_going_on(demo: Demo) -> None:
    open_calls = [row for row in demo.rows["calls"] if row["status"] in ("initiated", "in_progress")]
    assert {row["status"] for row in open_calls} == {"initiated", "in_progress"}
    assert len(open_calls) < 20
    for row in open_calls:
        assert row["started_at"] > NOW - timedelta(minutes=5)
        assert row["ended_at"] is None
        assert (row["joined_at"] is not None) == (row["status"] == "in_progress")


def test_every_role_occurs_in_both_larger_agencies_and_one_user_has_no_agency(demo: Demo) -> None:
    users = {row["id"]: row for row in demo.rows["users"]}
    assert users.keys() == {user.id for user in DEMO_USERS}
    assert users[DEMO_OWNER_ID]["agency_id"] == demo.agency("northwind")
    for slug in LARGER:
        members = {row["role"]: row for row in users.values() if row["agency_id"] == demo.agency(slug)}
        assert len(members) == 6
        for role, row in members.items():
            assert row["id"] == demo_user_id(slug, role)
            assert (row["client_id"] is not None) == role.startswith("client_")
    assert [row["email"] for row in users.values() if row["agency_id"] is None] == ["newcomer@nowhere.example"]


def test_agencies_share_campaign_names_and_one_campaign_has_no_client(demo: Demo) -> None:
    names = [
        {row["name"] for row in demo.rows["campaigns"] if row["agency_id"] == demo.agency(slug)} for slug in LARGER
    ]
    assert names[0] & names[1]
    assert any(row["client_id"] is None for row in demo.rows["campaigns"])
    assert {row["type"] for row in demo.rows["campaigns"]} == {"sdr", "cs"}


def test_every_batch_status_occurs_and_each_larger_agency_has_one_batch_in_progress(demo: Demo) -> None:
    for slug in LARGER:
        batches = [row for row in demo.rows["v_call_batch_summary"] if row["agency_id"] == demo.agency(slug)]
        statuses = Counter(row["status"] for row in batches)
        assert len(statuses) == 7
        assert statuses["processing"] == 1
        assert statuses["completed"] > 10
        (dialling,) = (row for row in batches if row["status"] == "processing")
        assert 0 < dialling["progress_pct"] < 100
        assert min(dialling[f"{state}_count"] for state in ("completed", "failed", "pending", "in_progress")) > 0
        assert all(row["progress_pct"] == 100 for row in batches if row["status"] == "completed")
    assert len({row["status"] for row in demo.rows["campaign_contacts"]}) == 6


def test_contacts_who_were_dialled_name_a_call_of_their_own_batch(demo: Demo) -> None:
    calls = {row["id"]: row for row in demo.rows["calls"]}
    for contact in demo.rows["campaign_contacts"]:
        dialled = contact["status"] in ("completed", "failed", "in_progress")
        assert (contact["call_id"] is not None) == dialled == (contact["attempts"] > 0)
        if dialled:
            call = calls[contact["call_id"]]
            assert (call["batch_id"], call["campaign_id"]) == (contact["batch_id"], contact["campaign_id"])
            assert contact["status"] == "in_progress" or contact["status"] == call["status"]


def test_nothing_is_analysed_yet_and_every_call_that_was_answered_waits_for_it(demo: Demo) -> None:
    states = Counter((row["status"], row["transcript_status"], row["analysis_status"]) for row in demo.rows["calls"])
    answered = [row for row in demo.rows["calls"] if row["transcript"] is not None]
    assert states["completed", "completed", "pending"] == len(answered) > 20_000
    assert set(states) == {
        ("completed", "completed", "pending"),
        ("completed", "skipped", "skipped"),
        ("failed", "skipped", "skipped"),
        ("initiated", "pending", "pending"),
        ("in_progress", "pending", "pending"),
    }
    assert {row["call_id"] for row in demo.rows["enrichment_queue"]} == {row["id"] for row in answered}
    for row in demo.rows["calls"]:
        unanswered = row["status"] == "completed" and row["joined_at"] is None
        assert row["disposition"] == ("no_answer" if unanswered else None)


def test_the_newest_calls_are_analysed_first_and_all_are_due(demo: Demo) -> None:
    started = {row["id"]: row["started_at"] for row in demo.rows["calls"]}
    queue = sorted(demo.rows["enrichment_queue"], key=lambda row: row["run_after"])
    starts = [started[row["call_id"]] for row in queue]
    assert starts == sorted(starts, reverse=True)
    assert queue[-1]["run_after"] < NOW


def test_transcripts_fit_the_length_of_their_calls(demo: Demo) -> None:
    overlapping = 0
    for row in demo.rows["calls"]:
        if row["transcript"] is None:
            continue
        assert row["ended_at"] == row["started_at"] + timedelta(seconds=row["duration_seconds"])
        turns = orjson.loads(row["transcript"])
        assert 2 <= len(turns) <= 40
        assert all(one["role"] != next_one["role"] for one, next_one in pairwise(turns))
        assert all(0 <= turn["start_ms"] <= turn["end_ms"] for turn in turns)
        assert turns[-1]["end_ms"] <= (row["ended_at"] - row["joined_at"]).total_seconds() * 1000
        assert not any("{" in turn["text"] for turn in turns)
        overlapping += any(one["end_ms"] > next_one["start_ms"] for one, next_one in pairwise(turns))
    assert 1_000 < overlapping < 10_000


@pytest.fixture(scope="module")
async def understood() -> list[tuple[Call, CallAnalysis]]:
    """Some of the demo's calls, as the embedded analyser understands them."""
    world = imagine(NOW, Random(20260101), lambda *_: None)  # noqa: S311
    analyser = EmbeddedAnalyser()
    told = [call for call in world.calls if call.story]
    return [
        (call, await analyser.analyse(Conversation(_turns(call), call.direction == "inbound", call.end_reason)))
        for call in Random(7).sample(told, 1_500)  # noqa: S311
    ]


def _turns(call: Call) -> Transcript:
    return read_transcript(orjson.dumps(call.transcript)).transcript


def test_the_analysis_finds_the_stories_that_the_transcripts_tell(
    understood: list[tuple[Call, CallAnalysis]],
) -> None:
    """Else the demo's numbers would say nothing of what happened in its calls."""
    right: Counter[str] = Counter()
    for call, analysis in understood:
        story, found = call.story, analysis.understanding
        assert story
        right["disposition"] += story.disposition == found.disposition
        right["sentiment"] += story.sentiment == found.sentiment
        right["objections"] += {r.text: handled for r, handled in story.objections} == {
            objection.text: objection.handled for objection in found.objections
        }
        right["signals"] += {r.text for r in story.signals} == {signal.text for signal in found.buying_signals}
        right["resolved"] += story.resolved == found.issue_resolved
        right["interruptions"] += story.interruptions == analysis.timings.interruptions
        assert analysis.timings.talk_ratio is not None
    shares = {name: count / len(understood) for name, count in right.items()}
    assert shares.pop("interruptions") > 0.98
    assert min(shares.values()) > 0.9, shares


def test_the_funnel_rates_lie_where_one_would_expect_them(understood: list[tuple[Call, CallAnalysis]]) -> None:
    found = [analysis.understanding for _, analysis in understood]
    ends = Counter(each.disposition.value for each in found)
    conversations = sum(ends[name] for name in CONVERSATIONS)
    assert set(ends) == {each.value for each in Disposition} - {"no_answer"}
    assert 0.02 < ends["appointment_booked"] / conversations < 0.08
    assert 0.08 < sum(each.is_qualified_lead for each in found) / conversations < 0.35
    moods = Counter(each.sentiment.value for each in found)
    assert moods["positive"] > moods["negative"] > 0
    assert any(each.escalated for each in found)


def test_weekdays_are_far_busier_than_weekends(demo: Demo) -> None:
    days = Counter(row["started_at"].weekday() for row in demo.rows["calls"])
    assert min(days[day] for day in range(5)) > 4 * max(days[5], days[6])


def test_office_hours_are_far_busier_than_nights_but_support_answers_round_the_clock(demo: Demo) -> None:
    hours = Counter((row["direction"], row["started_at"].hour) for row in demo.rows["calls"])
    assert all(hours["inbound", hour] for hour in range(24))
    assert min(hours["outbound", hour] for hour in range(14, 22)) > 1_000
    assert not any(hours["outbound", hour] for hour in range(13))
