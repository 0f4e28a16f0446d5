"""Jobs are there for calls: none refuses one, none outlives one, and none is missing that can be made."""

from contextlib import suppress
from uuid import UUID

import asyncpg
import pytest

from enrichment import desk
from enrichment.connections import Connections
from enrichment.queue import JobType, Queue
from enrichment.worker import _tried
from tests.attack.sessions import PENDING, assert_all_is_right, session
from tests.conftest import Database
from tests.given import Given

JOBS = "select call_id, agency_id, status::text from enrichment_queue order by call_id"
CLAIMED = "update enrichment_queue set status = 'running', locked_by = 'a worker', locked_until = now()"
ISOLATIONS = ("repeatable read", "serializable")
GOING = (
    "delete from calls",
    "truncate calls cascade",
    "delete from agencies",
    "with gone as (delete from calls returning *) insert into calls select * from gone",
    "merge into calls as c using agencies as a on a.id = c.agency_id when matched then delete",
)


@pytest.fixture
async def worker(database: Database):
    """A worker's hands on the queue."""
    connections = Connections(database.dsn)
    await connections.open()
    yield Queue(connections, "another worker", 60)
    await connections.close()


async def _jobs(connection: asyncpg.Connection) -> list[tuple[UUID, UUID, str]]:
    return [tuple(row) for row in await connection.fetch(JOBS)]


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("going", GOING)
async def test_jobs_that_a_worker_has_touched_meanwhile_refuse_no_deletion(
    database: Database, connection: asyncpg.Connection, given: Given, worker: Queue, going: str, isolation: str
) -> None:
    await given.calls(await given.agency(), 5, **PENDING)
    async with session(database) as other:
        await other.execute(f"begin isolation level {isolation}")
        await other.fetchval("select count(*) from agencies")
        assert len(await worker.claim(JobType.ANALYSIS, 3)) == 3
        await other.execute(going)
        await other.execute("commit")
    kept = await connection.fetchval("select count(*) from calls")
    assert kept == (5 if "insert" in going else 0)
    # What is left without a call goes, whoever meets it first.
    await connection.execute("update enrichment_queue set locked_until = now() - interval '1 second'")
    await worker.return_lost()
    assert len(await worker.claim(JobType.ANALYSIS, 10)) == kept
    assert len(await _jobs(connection)) == kept
    await assert_all_is_right(connection)


async def test_jobs_without_a_call_are_dropped_by_a_claim_and_keep_no_other_from_it(
    connection: asyncpg.Connection, given: Given, worker: Queue
) -> None:
    agency = await given.agency()
    (call,) = await given.calls(agency, 1, **PENDING)
    await connection.execute(
        "insert into enrichment_queue (agency_id, call_id, job_type, run_after)"
        " select $1::uuid, gen_random_uuid(), 'analysis', now() - interval '1 hour' from generate_series(1, 30)",
        agency,
    )
    claimed = []
    for _ in range(8):
        claimed += await worker.claim(JobType.ANALYSIS, 5)
    assert [job.call_id for job in claimed] == [call]
    assert await _jobs(connection) == [(call, agency, "running")]


@pytest.mark.parametrize("status", ["failed", "running"])
async def test_jobs_without_a_call_that_no_claim_meets_go_with_those_that_are_lost(
    connection: asyncpg.Connection, given: Given, worker: Queue, status: str
) -> None:
    agency = await given.agency()
    (call,) = await given.calls(agency, 1, **PENDING)
    await connection.execute(CLAIMED)
    await connection.execute(
        "insert into enrichment_queue (agency_id, call_id, job_type, status, locked_by, locked_until)"
        " values ($1, gen_random_uuid(), 'analysis', $2, 'a worker', now())",
        agency,
        status,
    )
    assert [lost.call_id for lost in await worker.return_lost()] == [call]
    assert await _jobs(connection) == [(call, agency, "queued")]


@pytest.mark.parametrize(
    "damage",
    ["attempts = 2147483647", "max_attempts = 2147483647", "max_attempts = 0", "attempts = -2147483648"],
)
async def test_a_number_of_tries_that_cannot_be_counted_on_stops_no_other_agencys_jobs(
    connection: asyncpg.Connection, given: Given, worker: Queue, damage: str
) -> None:
    """It is refused with words, or works."""
    ((sick,), (well,)) = [await given.calls(await given.agency(), 1, **PENDING) for _ in range(2)]
    with suppress(asyncpg.CheckViolationError):
        await connection.execute(f"update enrichment_queue set {damage} where call_id = $1", sick)
    claimed = {job.call_id: job for job in await worker.claim(JobType.ANALYSIS, 10)}
    assert claimed.keys() == {sick, well}
    reason = "the model is away"
    outcomes = [_tried(job, reason) for job in claimed.values()]
    assert await worker.write(outcomes) == {job.id for job in claimed.values()}
    assert (await connection.fetchval("select last_error from enrichment_queue where call_id = $1", sick)) == reason


@pytest.mark.parametrize("isolation", ["read committed", *ISOLATIONS])
@pytest.mark.parametrize("status", ["queued", "running", "failed"])
@pytest.mark.parametrize("many", ["", " limit 1"])
async def test_a_call_that_goes_and_comes_back_by_one_statement_is_analysed(
    connection: asyncpg.Connection, given: Given, isolation: str, status: str, many: str
) -> None:
    """Whichever of the two is told to the triggers first."""
    agency = await given.agency()
    await given.calls(agency, 3, **PENDING)
    await connection.execute("update enrichment_queue set status = $1", status)
    async with connection.transaction():
        await connection.execute(f"set transaction isolation level {isolation}")
        await connection.execute(
            f"with gone as (delete from calls returning *) insert into calls select * from gone{many}"
        )
    calls = [row[0] for row in await connection.fetch("select id from calls order by id")]
    assert len(calls) == (1 if many else 3)
    jobs = await _jobs(connection)
    assert [call for call, _, _ in jobs] == calls
    assert {status for _, _, status in jobs} <= {"queued", "running"}
    await assert_all_is_right(connection)


@pytest.mark.parametrize("isolation", ["read committed", *ISOLATIONS])
async def test_a_call_that_moves_to_another_agency_takes_its_job_along(
    connection: asyncpg.Connection, given: Given, worker: Queue, isolation: str
) -> None:
    ours, theirs = await given.agency(), await given.agency()
    (call,) = await given.calls(ours, 1, **PENDING)
    async with connection.transaction():
        await connection.execute(f"set transaction isolation level {isolation}")
        await connection.execute("update calls set agency_id = $1", theirs)
    assert await _jobs(connection) == [(call, theirs, "queued")]
    (job,) = await worker.claim(JobType.ANALYSIS, 1)
    assert (job.agency_id, job.wanted) == (theirs, True)


async def test_a_call_that_moved_past_the_triggers_is_analysed_where_it_is(
    connection: asyncpg.Connection, given: Given, worker: Queue
) -> None:
    ours, theirs = await given.agency(), await given.agency()
    (call,) = await given.calls(ours, 1, **PENDING)
    async with connection.transaction():
        await connection.execute("set local session_replication_role = replica")
        await connection.execute("update calls set agency_id = $1", theirs)
    (job,) = await worker.claim(JobType.ANALYSIS, 1)
    assert (job.call_id, job.agency_id, job.wanted) == (call, theirs, True)
    assert await _jobs(connection) == [(call, theirs, "running")]


async def test_a_call_that_is_renamed_is_analysed_under_its_new_name(
    connection: asyncpg.Connection, given: Given, worker: Queue
) -> None:
    agency = await given.agency()
    await given.calls(agency, 1, **PENDING)
    await connection.execute("update calls set id = gen_random_uuid()")
    call = await connection.fetchval("select id from calls")
    assert [job.call_id for job in await worker.claim(JobType.ANALYSIS, 10)] == [call]
    assert await _jobs(connection) == [(call, agency, "running")]


async def test_calls_that_came_past_the_triggers_are_queued_or_settled_when_they_are_asked_for(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    """As those of a subscription, or of a load with session_replication_role = replica."""
    agency = await given.agency()
    (known,) = await given.calls(agency, 1, **PENDING)
    async with connection.transaction():
        await connection.execute("set local session_replication_role = replica")
        (heard,) = await given.calls(agency, 1, **PENDING)
        (unheard,) = await given.calls(agency, 1, **PENDING | {"transcript": []}, ultravox_call_id="u")
        for unjoined in ({"status": "failed"}, {"answered": False}):
            await given.calls(agency, 1, **PENDING | {"end_reason": "no-answer"} | unjoined)
        await given.call(agency, status="in_progress", **PENDING)
    assert [call for call, _, _ in await _jobs(connection)] == [known]
    connections = Connections(database.dsn)
    await connections.open()

    async def asked(*, only_set_aside: bool = False) -> int:
        return await desk.reanalyse(
            connections,
            agency=None,
            from_day=None,
            to_day=None,
            only_set_aside=only_set_aside,
            progress=lambda _: None,
        )

    assert await asked(only_set_aside=True) == 0
    assert await asked() == 2
    assert [call for call, _, _ in await _jobs(connection)] == sorted((known, heard, unheard))
    assert await asked() == 0
    await connections.close()
    settled = await connection.fetch("select status, analysis_status, disposition from calls order by 1, 2, 3")
    assert [tuple(row) for row in settled] == [
        ("in_progress", "pending", None),
        ("completed", "pending", None),
        ("completed", "pending", None),
        ("completed", "pending", None),
        ("completed", "skipped", "no_answer"),
        ("failed", "skipped", None),
    ]
    await assert_all_is_right(connection)


async def test_many_calls_of_a_kept_snapshot_are_queued(connection: asyncpg.Connection, given: Given) -> None:
    agency = await given.agency()
    async with connection.transaction(isolation="repeatable_read"):
        await given.calls(agency, 1000, **PENDING)
    assert await connection.fetchval("select count(*) from enrichment_queue where status = 'queued'") == 1000
