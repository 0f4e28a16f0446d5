"""What one call counts for: a sentence for each kind of call, and what must hold for every call."""

import json
from datetime import timedelta
from typing import Any

import asyncpg
import hypothesis
import pytest
from hypothesis import strategies as st

from tests.given import NOW, Given

DISPOSITIONS = (
    *("voicemail", "callback_requested", "not_interested", "wrong_number", "dnc_requested"),
    *("gatekeeper_blocked", "no_answer", "conversation", "appointment_booked"),
)
CONVERSATIONS = ("conversation", "appointment_booked", "callback_requested", "not_interested")
ANSWERED = {"joined_at": NOW.isoformat()}
UNANSWERED = {"joined_at": None}


async def counts(connection: asyncpg.Connection, **columns: Any) -> asyncpg.Record:
    """What a call counts for: just initiated, outbound, and everything else unknown, unless told otherwise."""
    call = {
        "direction": "outbound",
        "status": "initiated",
        "analysis_status": "pending",
        "objections": [],
        "buying_signals": [],
        "is_qualified_lead": False,
        "issue_resolved": False,
        "escalated": False,
        "emails_sent": 0,
        "sms_sent": 0,
        **columns,
    }
    return await connection.fetchrow(
        "select n.* from call_counts(jsonb_populate_record(null::calls, $1::text::jsonb)) as n", json.dumps(call)
    )


async def each(connection: asyncpg.Connection, column: str, values: Any, name: str, **columns: Any) -> list[Any]:
    """The values for which a call counts."""
    return [value for value in values if (await counts(connection, **{column: value, **columns}))[name]]


async def test_every_call_counts_as_one_call(connection):
    assert (await counts(connection))["total_calls"] == 1


async def test_a_call_that_has_only_begun_counts_for_nothing_else(connection):
    counted = dict(await counts(connection, direction="inbound"))
    assert {name for name, value in counted.items() if value} == {"total_calls", "inbound_calls"}
    assert None not in counted.values()


async def test_a_call_is_completed_or_failed_by_its_status(connection):
    statuses = ("initiated", "in_progress", "completed", "failed")
    assert await each(connection, "status", statuses, "completed_calls") == ["completed"]
    assert await each(connection, "status", statuses, "failed_calls") == ["failed"]


async def test_a_call_is_connected_if_someone_joined_and_it_is_neither_voicemail_nor_no_answer(connection):
    dispositions = (None, *DISPOSITIONS)
    connected = await each(connection, "disposition", dispositions, "connected_calls", **ANSWERED)
    assert connected == [name for name in dispositions if name not in ("voicemail", "no_answer")]
    assert await each(connection, "disposition", dispositions, "connected_calls", **UNANSWERED) == []


async def test_a_call_is_analyzed_by_its_status_and_among_the_connected_only_if_it_is_one(connection):
    statuses = ("pending", "processing", "completed", "failed", "skipped")
    for answered, connected in ((ANSWERED, ["completed"]), (UNANSWERED, [])):
        assert await each(connection, "analysis_status", statuses, "analyzed_calls", **answered) == ["completed"]
        found = await each(connection, "analysis_status", statuses, "analyzed_connected_calls", **answered)
        assert found == connected


async def test_a_conversation_is_a_connected_call_with_one_of_four_dispositions(connection):
    dispositions = (None, *DISPOSITIONS)
    had = await each(connection, "disposition", dispositions, "conversations_had", **ANSWERED)
    assert sorted(had) == sorted(CONVERSATIONS)
    assert await each(connection, "disposition", dispositions, "conversations_had", **UNANSWERED) == []


async def test_a_meeting_is_a_conversation_that_ended_with_an_appointment(connection):
    dispositions = (None, *DISPOSITIONS)
    assert await each(connection, "disposition", dispositions, "meetings_booked", **ANSWERED) == ["appointment_booked"]
    assert await each(connection, "disposition", dispositions, "meetings_booked", **UNANSWERED) == []


async def test_a_lead_is_a_conversation_that_is_qualified_or_booked_a_meeting(connection):
    dispositions = (None, *DISPOSITIONS)
    asked = {"connection": connection, "column": "disposition", "values": dispositions, "name": "qualified_leads"}
    assert sorted(await each(**asked, **ANSWERED, is_qualified_lead=True)) == sorted(CONVERSATIONS)
    assert await each(**asked, **ANSWERED) == ["appointment_booked"]
    assert await each(**asked, **UNANSWERED, is_qualified_lead=True) == []
    both = await counts(connection, disposition="appointment_booked", **ANSWERED, is_qualified_lead=True)
    assert both["qualified_leads"] == 1


async def test_a_call_came_in_or_went_out(connection):
    directions = ("inbound", "outbound")
    assert await each(connection, "direction", directions, "inbound_calls") == ["inbound"]
    assert await each(connection, "direction", directions, "outbound_calls") == ["outbound"]


async def test_the_length_counts_only_if_the_call_is_completed_and_has_one(connection):
    for status, seconds, counted in (
        ("completed", 90, 90),
        ("completed", None, 0),
        ("failed", 90, 0),
        ("in_progress", 90, 0),
    ):
        assert (await counts(connection, status=status, duration_seconds=seconds))["total_duration_seconds"] == counted


async def test_a_sentiment_counts_for_itself_and_none_for_nothing(connection):
    sentiments = (None, "positive", "neutral", "negative")
    for name in sentiments[1:]:
        assert await each(connection, "sentiment", sentiments, f"{name}_sentiment_calls") == [name]


async def test_a_disposition_counts_for_itself_whoever_joined(connection):
    dispositions = (None, *DISPOSITIONS)
    for name in DISPOSITIONS[:-1]:
        for joined in (ANSWERED, UNANSWERED):
            assert await each(connection, "disposition", dispositions, f"{name}_calls", **joined) == [name]
    # The ninth has no column of its own: appointments are the meetings booked.
    assert "appointment_booked_calls" not in (await counts(connection)).keys()  # noqa: SIM118  a record is no mapping


async def test_every_objection_counts_and_is_handled_only_if_it_says_true(connection):
    handled = (True, True, False, None, "true", 1, [True])
    objections = [*({"text": "No time", "handled": value} for value in handled), {"text": "No time"}, {}]
    counted = await counts(connection, objections=objections)
    assert (counted["objections_encountered"], counted["total_objections_handled"]) == (9, 2)


async def test_every_buying_signal_counts(connection):
    signals = [{"text": "What does it cost?"}, {"text": "What does it cost?"}, {"quote": "Hm."}]
    assert (await counts(connection, buying_signals=signals))["total_buying_signals"] == 3


async def test_flags_count_one_and_numbers_count_themselves(connection):
    counted = await counts(
        connection, issue_resolved=True, escalated=True, interruptions=4, emails_sent=2, sms_sent=3, status="failed"
    )
    assert (counted["issues_resolved"], counted["escalations"]) == (1, 1)
    assert (counted["total_interruptions"], counted["emails_sent"], counted["sms_sent"]) == (4, 2, 3)
    assert (await counts(connection, interruptions=None))["total_interruptions"] == 0


@pytest.mark.parametrize("ratio", ["talk_ratio", "listen_ratio", "script_adherence"])
async def test_a_mean_is_over_the_completed_calls_that_have_the_value(connection, ratio):
    for status, value, counted in (
        ("completed", 0.25, (0.25, 1)),
        ("completed", 0, (0, 1)),
        ("completed", None, (0, 0)),
        ("failed", 0.25, (0, 0)),
        ("initiated", 0.25, (0, 0)),
    ):
        found = await counts(connection, status=status, **{ratio: value})
        assert (found[f"{ratio}_sum"], found[f"{ratio}_calls"]) == counted


async def test_a_call_belongs_to_the_utc_day_of_its_start_wherever_it_is_written(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    midnight = NOW.replace(hour=0)
    for place in ("Pacific/Kiritimati", "America/Los_Angeles", "UTC"):
        await connection.execute(f"set timezone = '{place}'")
        await given.call(agency, started_at=midnight)
        await given.call(agency, started_at=midnight - timedelta(microseconds=1))
    rows = await connection.fetch("select stat_date::text, total_calls from call_stats_daily order by stat_date")
    assert [tuple(row) for row in rows] == [("2026-02-15", 3), ("2026-02-16", 3)]


async def test_the_averages_of_a_rollup_row_follow_from_its_sums(connection: asyncpg.Connection, given: Given) -> None:
    agency = await given.agency()
    await given.call(agency, duration_seconds=10, talk_ratio=0.1)
    await given.call(agency, duration_seconds=21, talk_ratio=0.2, listen_ratio=1)
    await given.call(agency, duration_seconds=None)
    await given.call(agency, status="failed", duration_seconds=99, talk_ratio=0.9)
    averages = "avg_duration_seconds, avg_talk_ratio, avg_listen_ratio, avg_script_adherence"
    (row,) = await connection.fetch(f"select {averages} from call_stats_daily")
    assert [None if value is None else float(value) for value in row] == [10.3333, 0.15, 1, None]


any_call = st.fixed_dictionaries(
    {
        "status": st.sampled_from(("initiated", "in_progress", "completed", "failed")),
        "direction": st.sampled_from(("inbound", "outbound")),
        "joined_at": st.sampled_from((None, NOW.isoformat())),
        "disposition": st.sampled_from((None, *DISPOSITIONS)),
        "is_qualified_lead": st.booleans(),
        "objections": st.lists(st.fixed_dictionaries({"handled": st.sampled_from((True, False, None))}), max_size=4),
    }
)


@hypothesis.settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    # The connection holds nothing between examples: no call is stored.
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(call=any_call)
async def test_a_funnel_never_widens(connection: asyncpg.Connection, call: dict[str, Any]) -> None:
    n = await counts(connection, **call)
    stages = ("total_calls", "connected_calls", "conversations_had", "qualified_leads", "meetings_booked")
    assert [n[stage] for stage in stages] == sorted((n[stage] for stage in stages), reverse=True)
    assert n["completed_calls"] + n["failed_calls"] <= n["inbound_calls"] + n["outbound_calls"] == n["total_calls"]
    assert n["total_objections_handled"] <= n["objections_encountered"] == len(call["objections"])


@pytest.mark.parametrize(
    "query",
    [
        "select sum(n.total_calls), sum(n.qualified_leads) from calls as c cross join lateral call_counts(c) as n",
        "select n.* from calls as c cross join lateral call_counts(c) as n where c.agency_id = gen_random_uuid()",
    ],
)
async def test_postgresql_writes_the_definition_into_the_query_that_uses_it(
    connection: asyncpg.Connection, query: str
) -> None:
    plan = "\n".join(row[0] for row in await connection.fetch(f"explain (verbose) {query}"))
    assert "Function Scan" not in plan
    assert "call_counts" not in plan
    assert "joined_at" in plan
