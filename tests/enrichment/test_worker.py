"""A worker does every job once, sets aside what cannot be done, and is stopped by nothing but being told to."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from time import monotonic
from typing import Any

import asyncpg
from structlog.testing import capture_logs

from enrichment import worker as module
from enrichment.analysis import CallAnalysis, Usage
from enrichment.connections import Connections
from enrichment.errors import EnrichmentError, NotNow, Unusable
from enrichment.queue import JobType, Queue
from enrichment.statements import SQL
from enrichment.transcripts import Recorded, TranscriptSource, Turn
from enrichment.worker import Options, Worker
from tests.conftest import Database
from tests.enrichment.scenes import BOOKED, WAITING, Scripted, Silent, waiting, words
from tests.given import Given
from tests.waiting import LONG, PATIENCE, until

QUICK = Options(analyses=8, fetches=4, lease_seconds=30, poll_seconds=0.05, stop_seconds=1)
SPENT = Usage(model="a-model", input_tokens=100, output_tokens=20, cost_usd=Decimal("0.002"))


def worker(
    connections: Connections,
    analyser: Scripted | None = None,
    source: TranscriptSource | None = None,
    *,
    name: str = "one",
    options: Options = QUICK,
) -> Worker:
    return Worker(connections, name, analyser or Scripted(), source or Silent(), options)


async def drained(worker: Worker) -> Counter[str]:
    async with asyncio.timeout(PATIENCE):
        await worker.run(asyncio.Event(), drain=True)
    return worker.done


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE):
            await task


async def jobs(connection: asyncpg.Connection) -> list[tuple[Any, ...]]:
    rows = await connection.fetch("select status::text, attempts, last_error from enrichment_queue order by created_at")
    return [tuple(row) for row in rows]


async def test_every_call_that_waits_is_analysed_once(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    for agency in [await given.agency() for _ in range(3)]:
        await waiting(given, agency, 40)
    analyser = Scripted()
    done = await drained(worker(connections, analyser))
    assert done == {"analysed": 120}
    assert analyser.heard.total() == 120
    assert await connection.fetchval("select sum(meetings_booked) from call_stats_daily") == 120
    assert await jobs(connection) == []


async def test_a_poisonous_call_is_set_aside_with_its_reason_and_the_rest_goes_on(
    given: Given, connections: Connections, connection: asyncpg.Connection, monkeypatch: Any
) -> None:
    monkeypatch.setattr(module, "FIRST_WAIT_SECONDS", 0.001)

    def moody(said: str) -> CallAnalysis:
        match said:
            case "poison":
                raise EnrichmentError("the model's answer made no sense")
            case "bug":
                raise KeyError("secret words of the caller")
        return BOOKED

    agency = await given.agency()
    for said in ("poison", "bug", "fine"):
        await waiting(given, agency, transcript=words(said))
    (broken,) = await waiting(given, agency, transcript=[{"role": "parrot", "text": "hello"}])
    analyser = Scripted(moody)
    assert (await drained(worker(connections, analyser)))["analysed"] == 1
    assert analyser.heard == {"poison": 5, "bug": 5, "fine": 1}
    assert await jobs(connection) == [
        ("failed", 5, "the model's answer made no sense"),
        ("failed", 5, "an unforeseen KeyError; the worker's log says more"),
        (
            "failed",
            1,
            "nothing in the transcript was said by one of the two sides: 1 turns of nobody knows whom",
        ),
    ]
    states = await connection.fetch("select analysis_status::text, count(*) from calls group by 1 order by 1")
    assert [tuple(row) for row in states] == [("completed", 1), ("failed", 3)]
    assert await connection.fetchval("select analysis_status::text from calls where id = $1", broken) == "failed"


async def test_tries_are_spaced_further_and_further(given: Given, connections: Connections) -> None:
    waits = [
        module._tried(job, "it broke").wait_seconds
        for job in [await _job(given, connections, attempts) for attempts in (1, 2, 3, 4)]
    ]
    for wait, expected in zip(waits, (15, 60, 240, 960), strict=True):
        assert 0.8 * expected <= wait <= 1.2 * expected


async def _job(given: Given, connections: Connections, attempts: int) -> Any:
    await waiting(given, await given.agency())
    await given.connection.execute("update enrichment_queue set attempts = $1 where status = 'queued'", attempts - 1)
    (job,) = await Queue(connections, "x", 30).claim(JobType.ANALYSIS, 1)
    return job


async def test_a_model_that_is_away_costs_no_tries_and_is_left_alone_until_it_may_be_back(
    given: Given, connections: Connections, connection: asyncpg.Connection, monkeypatch: Any
) -> None:
    away, later = True, [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: monotonic() + later[0])

    def answer(_: str) -> CallAnalysis:
        if away:
            raise NotNow("the model is away", retry_after=LONG, usage=(SPENT,))
        return BOOKED

    await waiting(given, await given.agency(), 30)
    analyser = Scripted(answer)

    async def some_put_back() -> bool:
        return bool(await connection.fetchval("select count(*) from enrichment_queue where last_error is not null"))

    async def all_done() -> bool:
        return not await connection.fetchval("select count(*) from enrichment_queue")

    async with working(worker(connections, analyser)):
        await until(some_put_back)
        assert await connection.fetchval("select max(attempts) from enrichment_queue where status = 'queued'") == 0
        # Eight were under way when it was found to be away; the other 22 were not even tried.
        assert analyser.heard.total() == 8
        away, later[0] = False, LONG
        await connection.execute(
            "update enrichment_queue set run_after = run_after - $1 * interval '1 second' where status = 'queued'", LONG
        )
        await until(all_done)
    assert analyser.heard.total() == 38
    assert await connection.fetchval("select count(*) from analysis_usage") == 8


async def test_what_asking_has_cost_is_kept_whatever_came_of_it(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    def answer(said: str) -> CallAnalysis:
        if said == "refuse":
            raise Unusable("refused", usage=(SPENT, SPENT))
        return BOOKED.model_copy(update={"usage": (SPENT,)})

    agency = await given.agency()
    await waiting(given, agency, 2)
    await waiting(given, agency, transcript=words("refuse"))
    await drained(worker(connections, Scripted(answer)))
    row = await connection.fetchrow(
        "select count(*), count(distinct call_id), sum(input_tokens), sum(output_tokens), sum(cost_usd), min(model)"
        " from analysis_usage where agency_id = $1",
        agency,
    )
    assert tuple(row) == (4, 3, 400, 80, Decimal("0.008"), "a-model")


async def test_what_cannot_be_recorded_of_a_cost_is_said_and_stops_nothing(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    def answer(said: str) -> CallAnalysis:
        spent = SPENT.model_copy(update={"input_tokens": 2**63}) if said == "dear" else SPENT
        return BOOKED.model_copy(update={"usage": (spent,)})

    agency = await given.agency()
    for said in ("dear", "cheap", "cheap"):
        await waiting(given, agency, transcript=words(said))
    with capture_logs() as logs:
        assert (await drained(worker(connections, Scripted(answer))))["analysed"] == 3
    assert [entry["input_tokens"] for entry in logs if entry["event"] == "usage not recorded"] == [2**63]
    assert await connection.fetchval("select count(*) from analysis_usage") == 2


async def test_a_cost_counts_once_though_its_statement_is_run_twice(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    """As when the reply to a commit is lost."""

    class Twice(Connections):
        async def fetch(self, sql: str, *values: object, **more: Any) -> list[asyncpg.Record]:
            if sql == SQL["record_usage"]:
                await connections.fetch(sql, *values, **more)
            return await connections.fetch(sql, *values, **more)

    await waiting(given, await given.agency(), 3)
    answer = BOOKED.model_copy(update={"usage": (SPENT,)})
    await drained(worker(Twice("postgresql://"), Scripted(lambda _: answer)))
    assert await connection.fetchval("select count(*) from analysis_usage") == 3


class Platform:
    """A platform that keeps some calls of some keys."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def fetch(self, call_id: str, key: str) -> Recorded:
        self.asked.append((call_id, key))
        if key == "closed":
            raise NotNow("the key is refused", retry_after=60)
        return Recorded((Turn(role="user", text="Thursday works."),), has_recording=True)  # type: ignore[arg-type]


async def test_transcripts_are_fetched_with_the_agencys_own_key_and_then_analysed(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    ours, theirs, keyless = [await given.agency() for _ in range(3)]
    for agency, key in ((ours, "our-key"), (theirs, "their-key")):
        await connection.execute("insert into agency_keys (agency_id, ultravox_api_key) values ($1, $2)", agency, key)
    for agency, call in ((ours, "a"), (theirs, "b"), (keyless, "c")):
        await given.call(agency, **WAITING, ultravox_call_id=call)
    await given.call(ours, **WAITING)
    platform = Platform()
    done = await drained(worker(connections, source=platform))
    assert sorted(platform.asked) == [("a", "our-key"), ("b", "their-key")]
    assert done == {"fetched": 4, "analysed": 2}
    rows = await connection.fetch(
        "select transcript_status::text, analysis_status::text, has_recording, disposition::text, count(*) from calls"
        " group by 1, 2, 3, 4 order by 1"
    )
    assert [tuple(row) for row in rows] == [
        ("completed", "completed", True, "appointment_booked", 2),
        ("skipped", "skipped", False, None, 2),
    ]


async def test_one_agencys_refused_key_does_not_hold_up_the_others(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    closed, open_ = await given.agency(), await given.agency()
    for agency, key in ((closed, "closed"), (open_, "open")):
        await connection.execute("insert into agency_keys (agency_id, ultravox_api_key) values ($1, $2)", agency, key)
        for number in range(20):
            await given.call(agency, **WAITING, ultravox_call_id=f"{key}-{number}")
    platform = Platform()

    async def others_done() -> bool:
        return await connection.fetchval("select count(*) from calls where analysis_status = 'completed'") == 20

    async with working(worker(connections, source=platform)):
        await until(others_done)
    refused = [call for call, key in platform.asked if key == "closed"]
    assert len(refused) <= QUICK.fetches
    assert await connection.fetchval("select max(attempts) from enrichment_queue where agency_id = $1", closed) == 0


async def test_two_workers_share_the_work_and_do_nothing_twice(given: Given, connections: Connections) -> None:
    for agency in [await given.agency() for _ in range(2)]:
        await waiting(given, agency, 150)
    analyser = Scripted()
    workers = [worker(connections, analyser, name=name) for name in ("one", "two")]
    counts = await asyncio.gather(*map(drained, workers))
    assert sum(counts, Counter()) == {"analysed": 300}
    assert analyser.heard.total() == 300


async def test_a_worker_that_is_stopped_gives_back_what_it_could_not_end(
    given: Given, connections: Connections, connection: asyncpg.Connection, monkeypatch: Any
) -> None:
    monkeypatch.setattr(module, "_PUT_BACK_SECONDS", PATIENCE)

    async def endless(_: str) -> CallAnalysis:
        await asyncio.sleep(LONG)
        return BOOKED

    await waiting(given, await given.agency(), 3)
    analyser = Scripted(endless)
    options = Options(analyses=8, poll_seconds=0.05, stop_seconds=0.2)

    async def begun() -> bool:
        return analyser.heard.total() == 3

    async with working(worker(connections, analyser, options=options)):
        await until(begun)
    assert await jobs(connection) == [("queued", 0, "its worker was stopped")] * 3


async def test_a_long_analysis_keeps_its_job_by_asking_for_more_time(given: Given, connections: Connections) -> None:
    async def slow(_: str) -> CallAnalysis:
        await asyncio.sleep(7)
        return BOOKED

    await waiting(given, await given.agency())
    options = Options(analyses=2, lease_seconds=5, poll_seconds=0.05)
    analyser = Scripted(slow)
    workers = [worker(connections, analyser, name=name, options=options) for name in ("one", "two")]
    await asyncio.gather(*map(drained, workers))
    assert analyser.heard.total() == 1


async def test_a_worker_lets_go_of_a_job_that_is_another_ones_now(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    async def endless(_: str) -> CallAnalysis:
        await asyncio.sleep(LONG)
        return BOOKED

    await waiting(given, await given.agency())
    analyser = Scripted(endless)
    slow = worker(connections, analyser, options=Options(lease_seconds=3, poll_seconds=0.05))

    async def begun() -> bool:
        return analyser.heard.total() == 1

    async def let_go() -> bool:
        return not any(lane.held for lane in slow._lanes)

    async with working(slow):
        await until(begun)
        await connection.execute(
            "update enrichment_queue set locked_by = 'another', locked_until = now() + interval '1 hour'"
        )
        await until(let_go)
    assert await connection.fetchval("select locked_by from enrichment_queue") == "another"


async def test_an_outcome_that_cannot_be_written_sets_only_its_own_job_aside(
    given: Given, connections: Connections, connection: asyncpg.Connection, monkeypatch: Any
) -> None:
    monkeypatch.setattr(module, "FIRST_WAIT_SECONDS", 0.001)
    await connection.execute("alter table calls add constraint short check (length(summary) < 50)")

    def answer(said: str) -> CallAnalysis:
        understanding = BOOKED.understanding
        if said == "long":
            understanding = understanding.model_copy(update={"summary": "x" * 60})
        return BOOKED.model_copy(update={"understanding": understanding})

    agency = await given.agency()
    await waiting(given, agency, 20)
    await waiting(given, agency, transcript=words("long"))
    done = await drained(worker(connections, Scripted(answer)))
    assert done["analysed"] == 20
    assert await jobs(connection) == [("failed", 5, "its outcome could not be written: CheckViolationError")]


async def test_a_call_locked_by_somebody_else_is_written_when_it_is_free(
    given: Given, connections: Connections, database: Database, connection: asyncpg.Connection
) -> None:
    first, *_ = await waiting(given, await given.agency(), 5)
    writer = await asyncpg.connect(database.dsn)
    analyser = Scripted()

    async def others_done() -> bool:
        return await connection.fetchval("select count(*) from calls where analysis_status = 'completed'") == 4

    async def all_done() -> bool:
        return not await connection.fetchval("select count(*) from enrichment_queue")

    async with working(worker(connections, analyser)):
        async with writer.transaction():
            await writer.execute("select from calls where id = $1 for update", first)
            await until(others_done)
        await until(all_done)
    await writer.close()
    assert analyser.heard.total() == 5


async def test_a_call_whose_words_change_while_it_is_analysed_is_analysed_again(
    given: Given, connections: Connections, connection: asyncpg.Connection, monkeypatch: Any
) -> None:
    monkeypatch.setattr(module, "ATTEMPTS_TO_WRITE", 4)

    async def answer(said: str) -> CallAnalysis:
        if said == "first":
            await connection.execute("update calls set transcript = jsonb_set(transcript, '{1,text}', '\"second\"')")
        return BOOKED.model_copy(update={"analyzed_by": f"scripted/{said}"})

    await waiting(given, await given.agency(), transcript=words("first"))
    analyser = Scripted(answer)
    await drained(worker(connections, analyser))
    assert analyser.heard == {"first": 1, "second": 1}
    assert await connection.fetchval("select analyzed_by from calls") == "scripted/second"


async def test_a_database_that_goes_away_is_waited_for(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    await waiting(given, await given.agency(), 5)

    async def all_done() -> bool:
        return not await connection.fetchval("select count(*) from enrichment_queue")

    async with working(worker(connections)):
        await until(all_done)
        for _ in range(3):
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
            await waiting(given, await given.agency(), 5)
            await until(all_done)
    assert await connection.fetchval("select sum(meetings_booked) from call_stats_daily") == 20


async def test_a_worker_whose_database_is_away_still_stops_when_it_is_told_to() -> None:
    nowhere = Connections("postgresql://nobody@127.0.0.1:1/nothing")
    await nowhere.open()
    stop = asyncio.Event()
    running = asyncio.create_task(worker(nowhere, options=Options(stop_seconds=0.2)).run(stop))
    await asyncio.sleep(0.3)
    assert not running.done()
    stop.set()
    async with asyncio.timeout(PATIENCE):
        await running
    await nowhere.close()


async def test_a_transcript_of_unbelievable_length_is_refused_unread(
    given: Given, connections: Connections, connection: asyncpg.Connection, monkeypatch: Any
) -> None:
    monkeypatch.setattr(module, "LONGEST_TRANSCRIPT", 500)
    await waiting(given, await given.agency(), transcript=words("so " * 200))
    analyser = Scripted()
    await drained(worker(connections, analyser))
    assert not analyser.heard
    ((status, attempts, reason),) = await jobs(connection)
    assert (status, attempts) == ("failed", 1)
    assert "500 are the most" in reason


async def test_a_worker_does_what_was_queued_while_the_clock_was_ahead(
    given: Given, connections: Connections, connection: asyncpg.Connection
) -> None:
    await waiting(given, await given.agency(), 3)
    await connection.execute("update enrichment_queue set run_after = now() + '3 h', updated_at = now() + '3 h'")
    assert (await drained(worker(connections)))["analysed"] == 3


async def test_the_whole_queue_is_looked_through_for_such_times_as_the_worker_begins_and_not_with_each_lease(
    connections: Connections, monkeypatch: Any
) -> None:
    asked: Counter[str] = Counter()
    fetch = connections.fetch

    async def counting(sql: str, *values: object) -> list[asyncpg.Record]:
        asked[next(name for name, each in SQL.items() if each == sql)] += 1
        return await fetch(sql, *values)

    monkeypatch.setattr(connections, "fetch", counting)
    async with working(worker(connections, options=Options(lease_seconds=0.3, poll_seconds=0.05))):
        await until(lambda: asked["return_lost"] >= 5)
    assert {name: times for name, times in asked.items() if name not in ("claim", "return_lost")} == {
        "correct_times": 1
    }
