"""Calls of which nothing is known but how they went on the line are counted by a shorter way, to the same numbers."""

import json

import asyncpg

from tests.agreement.test_rollup import assert_it_is_a_recount
from tests.given import NOW, Given

FEW = (
    *("total_calls", "completed_calls", "failed_calls", "connected_calls", "total_duration_seconds"),
    *("inbound_calls", "outbound_calls", "voicemail_calls", "no_answer_calls"),
)
"""What such a call can count in: named where the triggers of `calls` note and apply them."""
KNOWN = [
    *({fact: 0.5} for fact in ("talk_ratio", "listen_ratio", "script_adherence")),
    *({fact: 2} for fact in ("interruptions", "emails_sent", "sms_sent")),
    *({fact: True} for fact in ("is_qualified_lead", "issue_resolved", "escalated")),
    *({fact: [{"text": "No time", "handled": True}]} for fact in ("objections", "buying_signals")),
    *({"sentiment": sentiment} for sentiment in ("positive", "neutral", "negative")),
    {"analysis_status": "completed"},
]
ARRIVALS = """
insert into calls (
    agency_id, status, direction, started_at, joined_at, duration_seconds, end_reason, disposition, transcript_status
)
select $1, s, d, $2::timestamptz + n * interval '25 minutes', case when j then $2 end, 60, r, p, 'pending'
from unnest('{initiated,completed,failed}'::call_status[]) as s, unnest('{inbound,outbound}'::call_direction[]) as d,
    unnest('{t,f}'::boolean[]) as j, unnest('{hangup,voicemail}'::text[]) as r,
    unnest('{voicemail,no_answer,null}'::call_disposition[]) as p, generate_series(1, 2) as n
"""


async def test_what_has_only_arrived_counts_in_few_columns(connection: asyncpg.Connection) -> None:
    """Whatever one knows of a call: either it has not only arrived, or nothing else is counted."""
    rows = await connection.fetch(
        """
        select has_only_arrived(c) as only_arrived, to_jsonb(n) - $2::text[] as others
        from jsonb_array_elements($1::text::jsonb) as k,
            unnest(enum_range(null::call_status)) as s, unnest('{t,f}'::boolean[]) as j,
            unnest(enum_range(null::call_disposition) || null::call_disposition) as d
        cross join lateral jsonb_populate_record(null::calls, jsonb_build_object(
            'status', s, 'direction', 'outbound', 'disposition', d, 'analysis_status', 'pending',
            'objections', '[]'::jsonb, 'buying_signals', '[]'::jsonb,
            'is_qualified_lead', false, 'issue_resolved', false, 'escalated', false,
            'emails_sent', 0, 'sms_sent', 0, 'duration_seconds', 60, 'joined_at', case when j then now() end
        ) || k) as c
        cross join lateral call_counts(c) as n
        """,
        json.dumps([{}, *KNOWN]),
        FEW,
    )
    counted = [(row["only_arrived"], any(json.loads(row["others"]).values())) for row in rows]
    assert {(True, False), (False, True)} <= set(counted)
    assert (True, True) not in counted


async def test_arrivals_are_counted_alone_together_and_among_other_changes(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await connection.execute(ARRIVALS, agency, NOW)
    await assert_it_is_a_recount(connection)
    together = await connection.fetchval("select sum(total_calls)::integer from call_stats_daily")
    for _ in range(2):  # the second finds its row
        for place in range(together):
            await connection.execute(f"{ARRIVALS} offset {place} limit 1", agency, NOW)
        await assert_it_is_a_recount(connection)
    assert await connection.fetchval("select sum(total_calls)::integer from call_stats_daily") == 3 * together
    async with connection.transaction():
        await connection.execute(f"{ARRIVALS} limit 1", agency, NOW)
        await connection.execute("savepoint before")
        await connection.execute(ARRIVALS, agency, NOW)
        await connection.execute("rollback to before")
        await connection.execute("update calls set sentiment = 'positive' where direction = 'inbound'")
        await connection.execute("update calls set started_at = started_at + interval '1 day' where status = 'failed'")
        await given.call(agency)
    await assert_it_is_a_recount(connection)
    await connection.execute("delete from calls")
    await assert_it_is_a_recount(connection)
