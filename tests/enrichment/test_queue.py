"""Jobs are shared fairly, held for a while, and end in the transaction that writes their outcome."""

import asyncio
import re
from collections import Counter
from datetime import timedelta
from typing import Any

import asyncpg

from enrichment.connections import Connections
from enrichment.queue import Analysed, Fetched, Job, JobType, PutBack, Queue, Unwanted
from enrichment.statements import SQL
from enrichment.transcripts import Recorded, Turn
from tests.conftest import Database
from tests.enrichment.scenes import BOOKED, WAITING, waiting
from tests.given import Given
from tests.waiting import until


def hands(connections: Connections, name: str = "one", lease_seconds: float = 60) -> Queue:
    return Queue(connections, name, lease_seconds)


async def claim(queue: Queue, most: int = 10, **rest: Any) -> list[Job]:
    return await queue.claim(JobType.ANALYSIS, most, **rest)


async def statuses(connection: asyncpg.Connection) -> dict[str, int]:
    rows = await connection.fetch("select status::text, count(*) from enrichment_queue group by 1")
    return {row["status"]: row["count"] for row in rows}


async def test_a_job_comes_with_what_is_known_of_its_call(given: Given, connections: Connections) -> None:
    agency = await given.agency()
    (call,) = await waiting(given, agency, direction="inbound", end_reason="hangup", ultravox_call_id="u-1")
    (job,) = await claim(hands(connections))
    assert (job.call_id, job.agency_id, job.inbound, job.end_reason) == (call, agency, True, "hangup")
    assert (job.attempts, job.max_attempts, job.wanted, job.ultravox_call_id) == (1, 5, True, "u-1")
    assert job.transcript
    assert "Thursday at ten works." in job.transcript


async def test_a_job_is_claimed_once_however_many_reach_for_it(given: Given, connections: Connections) -> None:
    await waiting(given, await given.agency(), 60)
    workers = [hands(connections, f"worker-{n}") for n in range(6)]
    claims = await asyncio.gather(*(claim(worker, 20) for worker in workers for _ in range(3)))
    taken = Counter(job.id for jobs in claims for job in jobs)
    assert set(taken.values()) == {1}
    # Those who were in each other's way got fewer; whoever asks again gets the rest.
    while jobs := await claim(workers[0], 20):
        taken.update(job.id for job in jobs)
    assert len(taken) == 60
    assert set(taken.values()) == {1}


async def test_a_long_backlog_of_one_agency_does_not_keep_another_waiting(
    given: Given, connections: Connections
) -> None:
    crowded, quiet = await given.agency("crowded"), await given.agency("quiet")
    await waiting(given, crowded, 500)
    await waiting(given, quiet, 3)
    jobs = await claim(hands(connections), 10)
    assert Counter(job.agency_id for job in jobs)[quiet] == 3


async def test_with_one_hand_free_every_agency_gets_its_turn(given: Given, connections: Connections) -> None:
    """Only one job is taken at a time, and there is always somebody who has waited longer."""
    agencies = [await given.agency() for _ in range(4)]
    for agency in agencies:
        await waiting(given, agency, 60)
    queue = hands(connections)
    taken = Counter([(await claim(queue, 1))[0].agency_id for _ in range(80)])
    # 20 each on average; that one of the four gets fewer than 6 happens once in some ten thousand runs.
    assert min(taken[agency] for agency in agencies) >= 6


async def test_the_oldest_of_an_agency_comes_first(given: Given, connections: Connections) -> None:
    calls = [(await waiting(given, agency))[0] for agency in [await given.agency()] for _ in range(3)]
    queue = hands(connections)
    assert [(await claim(queue, 1))[0].call_id for _ in range(3)] == calls


async def test_agencies_may_be_left_alone_for_a_while(given: Given, connections: Connections) -> None:
    closed, open_ = await given.agency(), await given.agency()
    await waiting(given, closed, 2)
    await waiting(given, open_, 2)
    jobs = await claim(hands(connections), leave_alone=[closed])
    assert {job.agency_id for job in jobs} == {open_}
    assert len(jobs) == 2


async def test_an_analysis_its_end_and_the_rollup_are_written_together(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    agency = await given.agency()
    (call,) = await waiting(given, agency)
    queue = hands(connections)
    (job,) = await claim(queue)
    assert await queue.write([Analysed(job, BOOKED)]) == {job.id}
    row = await connection.fetchrow("select * from calls where id = $1", call)
    assert (row["analysis_status"], row["analyzed_by"], row["disposition"]) == (
        "completed",
        "scripted/1",
        "appointment_booked",
    )
    assert (float(row["talk_ratio"]), row["interruptions"], row["is_qualified_lead"]) == (0.6, 1, True)
    assert row["analyzed_at"] == row["updated_at"]
    stats = await connection.fetchrow("select meetings_booked, updated_at from call_stats_daily")
    assert tuple(stats) == (1, row["updated_at"])
    assert await statuses(connection) == {}


async def test_who_lost_a_job_writes_nothing(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    await waiting(given, await given.agency())
    slow, quick = hands(connections, "slow"), hands(connections, "quick")
    (job,) = await claim(slow)
    await connection.execute("update enrichment_queue set locked_until = now() - interval '1 second'")
    (lost,) = await quick.return_lost()
    assert (lost.id, lost.spent) == (job.id, False)
    (again,) = await claim(quick)
    assert again.attempts == 2
    assert await slow.write([Analysed(job, BOOKED)]) == set()
    assert await slow.extend([job.id]) == set()
    assert await connection.fetchval("select analysis_status::text from calls") == "pending"
    assert await quick.write([Analysed(again, BOOKED)]) == {job.id}


async def test_a_job_whose_workers_all_died_is_set_aside_with_its_reason(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    await waiting(given, await given.agency())
    queue = hands(connections, "doomed", lease_seconds=0)
    for attempt in range(1, 6):
        (job,) = await claim(queue)
        assert job.attempts == attempt
        (lost,) = await queue.return_lost()
        assert lost.spent == (attempt == 5)
    assert await claim(queue) == []
    reason = await connection.fetchval("select last_error from enrichment_queue where status = 'failed'")
    assert reason == "its worker (doomed) stopped answering"
    assert await connection.fetchval("select analysis_status::text from calls") == "failed"


async def test_a_job_put_back_waits_and_a_try_that_does_not_count_is_taken_back(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    await waiting(given, await given.agency(), 2)
    queue = hands(connections)
    one, other = await claim(queue)
    outcomes = [
        PutBack(one, "busy", wait_seconds=100, counts=False),
        PutBack(other, "it broke", wait_seconds=100),
    ]
    assert await queue.write(outcomes) == {one.id, other.id}
    rows = await connection.fetch(
        "select last_error, attempts, run_after > now() + interval '90 seconds' as later, locked_by"
        " from enrichment_queue order by last_error"
    )
    assert [tuple(row) for row in rows] == [("busy", 0, True, None), ("it broke", 1, True, None)]
    assert await claim(queue) == []


async def test_words_that_changed_under_the_analysis_are_analysed_again(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    await waiting(given, await given.agency())
    queue = hands(connections)
    (job,) = await claim(queue)
    await connection.execute('update calls set transcript = transcript || \'[{"role": "user", "text": "No."}]\'')
    assert await queue.write([Analysed(job, BOOKED)]) == set()
    assert await queue.write([PutBack(job, "the call changed", counts=False)]) == {job.id}
    (again,) = await claim(queue)
    assert await queue.write([Analysed(again, BOOKED)]) == {job.id}


async def test_a_call_that_somebody_is_writing_is_passed_over_not_waited_for(
    given: Given, connections: Connections, database: Database, connection: asyncpg.Connection
) -> None:
    """Waiting for one writer while holding the calls of others is how circles of waiting begin."""
    first, second = await waiting(given, await given.agency(), 2)
    queue = hands(connections)
    jobs = {job.call_id: job for job in await claim(queue)}
    writer = await asyncpg.connect(database.dsn)
    try:
        async with writer.transaction():
            await writer.execute("update calls set emails_sent = 1 where id = $1", first)
            settled = await queue.write([Analysed(job, BOOKED) for job in jobs.values()])
            assert settled == {jobs[second].id}
            await writer.execute("update calls set emails_sent = 1 where id = $1", second)
    finally:
        await writer.close()
    assert await queue.write([Analysed(jobs[first], BOOKED)]) == {jobs[first].id}
    assert await connection.fetchval("select count(*) from call_stats_drift(null, '2026-01-01', '2026-12-31')") == 0


async def test_fetched_words_queue_the_analysis_and_none_end_the_matter(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    agency = await given.agency()
    spoken = await given.call(agency, **WAITING, ultravox_call_id="spoken")
    silent = await given.call(agency, **WAITING, end_reason="voicemail", ultravox_call_id="silent")
    queue = hands(connections)
    jobs = {job.call_id: job for job in await queue.claim(JobType.TRANSCRIPT, 10)}
    turn = Turn(role="user", text="Hello?", start_ms=10, end_ms=20)  # type: ignore[arg-type]
    outcomes = [
        Fetched(jobs[spoken], Recorded((turn,), has_recording=True)),
        Fetched(jobs[silent], Recorded((), has_recording=False)),
    ]
    assert await queue.write(outcomes) == {job.id for job in jobs.values()}
    rows = await connection.fetch(
        "select transcript_status::text, analysis_status::text, disposition::text, has_recording from calls"
        " order by ultravox_call_id desc"
    )
    assert [tuple(row) for row in rows] == [
        ("completed", "pending", None, True),
        ("skipped", "skipped", "voicemail", False),
    ]
    (job,) = await claim(queue)
    assert (job.call_id, job.transcript) == (
        spoken,
        '[{"role": "user", "text": "Hello?", "end_ms": 20, "start_ms": 10}]',
    )


async def test_a_transcript_that_came_by_another_way_is_not_overwritten(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    call = await given.call(await given.agency(), **WAITING)
    queue = hands(connections)
    (job,) = await queue.claim(JobType.TRANSCRIPT, 10)
    await connection.execute(
        "update calls set transcript = $2::text::jsonb where id = $1", call, '[{"role": "user", "text": "By webhook."}]'
    )
    assert await queue.write([Fetched(job, Recorded((), has_recording=False))]) == {job.id}
    assert "By webhook." in await connection.fetchval("select transcript::text from calls")
    assert await statuses(connection) == {"queued": 1}


async def test_a_job_that_nobody_needs_any_more_goes(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    await waiting(given, await given.agency())
    await connection.execute("update calls set analysis_status = 'completed', disposition = 'conversation'")
    queue = hands(connections)
    (job,) = await claim(queue)
    assert not job.wanted
    assert await queue.write([Unwanted(job)]) == {job.id}
    assert await statuses(connection) == {}


async def test_a_claim_reads_what_it_takes_and_not_the_backlog(given: Given, connection: asyncpg.Connection) -> None:
    for _ in range(3):
        await waiting(given, await given.agency(), 2000)
    await connection.execute("vacuum analyze enrichment_queue")
    plan = await connection.fetch(
        f"explain (analyze, costs off, timing off) {SQL['claim']}", "x", "analysis", 10, 60, []
    )
    text = "\n".join(row[0] for row in plan)
    read = [int(rows) for rows in re.findall(r"on enrichment_queue.*?rows=(\d+)", text)]
    assert max(read) <= 60, text
    assert "enrichment_queue_waiting" in text


AHEAD = """
update enrichment_queue
set run_after = run_after + $1, locked_until = locked_until + $1, updated_at = updated_at + $1
"""


async def test_what_a_clock_that_was_ahead_wrote_waits_no_longer_than_its_wait(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    queue = hands(connections, lease_seconds=60)
    await waiting(given, await given.agency(), 2)
    held, tried = await claim(queue)
    await queue.write([PutBack(tried, "not now", wait_seconds=40)])
    await waiting(given, await given.agency("another"), 1)
    await connection.execute(AHEAD, timedelta(hours=3))
    assert await claim(queue) == []
    assert await queue.correct_times() == 3
    (fresh,) = await claim(queue)
    assert fresh.agency_id != tried.agency_id
    put_back, lease = await connection.fetchrow(
        "select (select extract(epoch from run_after - now()) from enrichment_queue where id = $1)::float8,"
        " (select extract(epoch from locked_until - now()) from enrichment_queue where id = $2)::float8",
        tried.id, held.id,
    )  # fmt: skip
    assert 0 < put_back <= 40
    assert 0 < lease <= 60
    # It is its worker's still, and nobody's who has died.
    assert await queue.extend([held.id]) == {held.id}
    assert await queue.correct_times() == 0


async def test_a_lease_that_was_asked_for_anew_by_a_clock_that_was_ahead_ends_in_time(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    queue = hands(connections, lease_seconds=0.2)
    await waiting(given, await given.agency(), 1)
    (job,) = await claim(queue)
    await queue.extend([job.id])
    await connection.execute(AHEAD, timedelta(days=300))
    assert await queue.return_lost() == []
    await queue.correct_times()
    lost = await until(queue.return_lost)
    assert lost[0].id == job.id
