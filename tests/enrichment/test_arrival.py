"""A call that ends queues itself, whoever writes it; one with nothing to analyse is settled at once."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.given import NOW, Given

WORDS = [{"role": "agent", "text": "Hello?"}, {"role": "user", "text": "Hi."}]
ENDED: dict[str, Any] = {"analysis_status": "pending", "disposition": None}


async def jobs(connection: asyncpg.Connection, call: UUID) -> dict[str, str]:
    rows = await connection.fetch("select job_type::text, status::text from enrichment_queue where call_id = $1", call)
    return dict(tuple(row) for row in rows)


async def state(connection: asyncpg.Connection, call: UUID) -> tuple[str, str, str | None]:
    return tuple(
        await connection.fetchrow(
            "select transcript_status::text, analysis_status::text, disposition::text from calls where id = $1", call
        )
    )


async def test_a_call_that_ends_with_its_transcript_waits_for_its_analysis(
    given: Given, connection: asyncpg.Connection
) -> None:
    call = await given.call(await given.agency(), **ENDED, transcript=WORDS)
    assert await jobs(connection, call) == {"analysis": "queued"}
    assert await state(connection, call) == ("completed", "pending", None)


async def test_a_call_that_ends_without_one_waits_for_its_transcript(
    given: Given, connection: asyncpg.Connection
) -> None:
    call = await given.call(await given.agency(), **ENDED)
    assert await jobs(connection, call) == {"transcript": "queued"}
    await connection.execute(
        "update calls set transcript = $2::text::jsonb where id = $1", call, '[{"role": "user", "text": "Hi."}]'
    )
    assert await jobs(connection, call) == {"transcript": "queued", "analysis": "queued"}


async def test_a_call_under_way_waits_for_nothing_until_it_ends(given: Given, connection: asyncpg.Connection) -> None:
    call = await given.call(await given.agency(), **ENDED, status="in_progress", transcript=WORDS)
    assert await jobs(connection, call) == {}
    await connection.execute("update calls set status = 'completed' where id = $1", call)
    assert await jobs(connection, call) == {"analysis": "queued"}


async def test_a_call_that_was_analysed_elsewhere_is_left_alone(given: Given, connection: asyncpg.Connection) -> None:
    call = await given.call(await given.agency(), transcript=WORDS)
    await connection.execute("update calls set emails_sent = 1, status = 'completed' where id = $1", call)
    assert await jobs(connection, call) == {}
    assert (await state(connection, call))[1:] == ("completed", "conversation")


@pytest.mark.parametrize(
    ("columns", "disposition"),
    [
        ({"joined_at": None}, "no_answer"),
        ({"joined_at": None, "end_reason": "unjoined"}, "no_answer"),
        ({"joined_at": None, "end_reason": "voicemail"}, "voicemail"),
        ({"transcript": [], "transcript_status": "completed", "end_reason": "Answering machine"}, "voicemail"),
        ({"transcript": [], "transcript_status": "completed", "end_reason": "hangup"}, None),
        ({"transcript_status": "skipped"}, None),
        ({"status": "failed", "transcript": WORDS}, None),
        ({"status": "failed", "joined_at": None, "end_reason": "connection_error"}, None),
        ({"status": "failed", "joined_at": None, "end_reason": "no-answer"}, "no_answer"),
        ({"status": "failed", "joined_at": None, "end_reason": "busy", "disposition": "wrong_number"}, "wrong_number"),
    ],
)
async def test_nothing_to_analyse_is_skipped_with_the_disposition_that_is_known(
    given: Given, connection: asyncpg.Connection, columns: dict[str, Any], disposition: str | None
) -> None:
    call = await given.call(await given.agency(), **(ENDED | columns))
    assert await jobs(connection, call) == {}
    assert (await state(connection, call))[1:] == ("skipped", disposition)


async def test_a_call_whose_transcript_was_given_up_is_not_said_to_have_nothing_to_analyse(
    given: Given, connection: asyncpg.Connection
) -> None:
    call = await given.call(await given.agency(), **ENDED, transcript_status="failed")
    assert await state(connection, call) == ("failed", "failed", None)


async def test_webhooks_may_arrive_in_any_order(given: Given, connection: asyncpg.Connection) -> None:
    """The end is heard of before the beginning: what was settled as unanswered turns out to be a conversation."""
    agency = await given.agency()
    call = await given.call(agency, **ENDED, joined_at=None)
    assert (await state(connection, call))[1:] == ("skipped", "no_answer")
    await connection.execute("update calls set joined_at = $2 where id = $1", call, NOW)
    assert await state(connection, call) == ("pending", "pending", None)
    assert await jobs(connection, call) == {"transcript": "queued"}
    assert await connection.fetchval("select connected_calls from call_stats_daily where agency_id = $1", agency) == 1


async def test_an_end_reason_that_comes_later_settles_the_call_anew(
    given: Given, connection: asyncpg.Connection
) -> None:
    call = await given.call(await given.agency(), **ENDED, joined_at=None)
    await connection.execute("update calls set end_reason = 'voicemail' where id = $1", call)
    assert (await state(connection, call))[1:] == ("skipped", "voicemail")


async def test_words_that_change_are_understood_again(given: Given, connection: asyncpg.Connection) -> None:
    call = await given.call(await given.agency(), transcript=WORDS)
    await connection.execute("update calls set transcript = $2::text::jsonb where id = $1", call, '[{"role": "user"}]')
    assert await jobs(connection, call) == {"analysis": "queued"}
    assert (await state(connection, call))[1:] == ("pending", "conversation")


async def test_an_update_that_brings_words_and_their_analysis_is_believed(
    given: Given, connection: asyncpg.Connection
) -> None:
    call = await given.call(await given.agency(), transcript=WORDS)
    await connection.execute(
        "update calls set transcript = '[{\"role\": \"user\"}]', analyzed_at = now(), disposition = 'voicemail'"
        " where id = $1",
        call,
    )
    assert await jobs(connection, call) == {}
    assert (await state(connection, call))[1:] == ("completed", "voicemail")


async def test_a_job_that_is_open_stays_one_and_one_that_was_set_aside_begins_anew(
    given: Given, connection: asyncpg.Connection
) -> None:
    call = await given.call(await given.agency(), **ENDED, transcript=WORDS)
    await connection.execute("update enrichment_queue set status = 'running', attempts = 3")
    await connection.execute("update calls set emails_sent = 1")
    assert await jobs(connection, call) == {"analysis": "running"}
    await connection.execute("update enrichment_queue set status = 'failed'")
    await connection.execute("update calls set analysis_status = 'failed'")
    await connection.execute("update calls set analysis_status = 'pending'")
    assert tuple(await connection.fetchrow("select status::text, attempts from enrichment_queue")) == ("queued", 0)


async def test_a_call_that_is_deleted_takes_its_jobs_along(given: Given, connection: asyncpg.Connection) -> None:
    call = await given.call(await given.agency(), **ENDED, transcript=WORDS)
    await connection.execute("delete from calls where id = $1", call)
    assert await jobs(connection, call) == {}


async def test_calls_that_are_all_gone_take_their_jobs_along(given: Given, connection: asyncpg.Connection) -> None:
    await given.calls(await given.agency(), 2, **ENDED, transcript=WORDS)
    async with connection.transaction():
        await connection.execute("truncate calls cascade")
    assert await connection.fetchval("select count(*) from enrichment_queue") == 0


async def test_of_calls_that_arrive_together_each_is_queued_for_what_it_lacks(
    given: Given, connection: asyncpg.Connection
) -> None:
    await given.agency()
    await connection.execute(
        "insert into calls (agency_id, status, joined_at, transcript)"
        " select a.id, s.status::call_status, now(), s.words::jsonb from agencies as a, (values"
        ' (\'completed\', \'[{"role": "user", "text": "Hi."}]\'),'
        " ('completed', null), ('failed', null), ('initiated', null)"
        ") as s (status, words)"
    )
    rows = await connection.fetch("select job_type::text from enrichment_queue as q order by q.job_type")
    assert [row["job_type"] for row in rows] == ["transcript", "analysis"]
    assert (
        await connection.fetchval("select count(*) from enrichment_queue as q join calls as c on c.id = q.call_id") == 2
    )


async def test_a_writer_without_rights_on_the_queue_queues_all_the_same(
    given: Given, connection: asyncpg.Connection
) -> None:
    """On Supabase another role may write calls; row security on the queue must not keep its calls out of it."""
    agency = await given.agency()
    async with connection.transaction():
        await connection.execute("create role platform_writer")
        await connection.execute("grant select, insert, update on calls to platform_writer")
        await connection.execute("create policy writes on calls to platform_writer using (true) with check (true)")
        await connection.execute("set local role platform_writer")
        call = await given.call(agency, **ENDED, transcript=WORDS)
        await connection.execute("reset role")
        found = await jobs(connection, call)
        await connection.execute("drop owned by platform_writer")
        await connection.execute("drop role platform_writer")
    assert found == {"analysis": "queued"}
