"""One worker: takes jobs of both types, does several at a time, and writes what became of them."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from uuid import UUID

import asyncpg
import orjson
import structlog

from enrichment.analysis import Analyser, Conversation, Usage
from enrichment.errors import EnrichmentError, NotNow, Unusable
from enrichment.queue import Analysed, Connections, Fetched, Job, JobType, Outcome, PutBack, Queue, Unwanted
from enrichment.transcripts import Recorded, TranscriptSource, read_transcript

log = structlog.get_logger()

FIRST_WAIT_SECONDS = 15.0
"""Before the second try of a job; four times as long before each further one: five tries take about 21 minutes."""
LONGEST_TRANSCRIPT = 1_000_000
"""Characters of JSON; some thirty hours of talk. What is longer is no call."""
CORRECT_SECONDS = 60.0
WRITTEN_TOGETHER = 200
ATTEMPTS_TO_WRITE = 200
_WRITE_PAUSE_SECONDS = 0.1
_PUT_BACK_SECONDS = 2.0
_NOTHING = Recorded((), has_recording=False)
_OPEN = "select exists (select from enrichment_queue where status in ('queued', 'running')) as left_over"
_KEY = "select ultravox_api_key($1) as key"


@dataclass(frozen=True)
class Options:
    """How a worker works. Times are in seconds."""

    analyses: int = 64
    fetches: int = 16
    """Jobs of each type that are held at the same time."""
    lease_seconds: float = 60.0
    """Jobs of a worker that is not heard of for so long return to the queue."""
    poll_seconds: float = 1.0
    stop_seconds: float = 10.0
    """How long jobs under way may go on when the worker is asked to stop."""


@dataclass
class _Lane:
    """The worker's hands for one type of job."""

    job_type: JobType
    most: int
    do: Callable[[Job], Awaitable[Outcome]]
    held: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    until: dict[UUID | None, float] = field(default_factory=dict)
    freed: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self, job_id: UUID) -> None:
        if self.held.pop(job_id, None):
            self.freed.set()

    def rests(self) -> set[UUID | None]:
        """Agencies that are left alone for now; None among them for all."""
        self.until = {agency: until for agency, until in self.until.items() if until > monotonic()}
        return set(self.until)


class Worker:
    """Works until it is told to stop. `done` counts the outcomes so far by their kind."""

    def __init__(
        self, connections: Connections, name: str, analyser: Analyser, source: TranscriptSource, options: Options
    ) -> None:
        self.done: Counter[str] = Counter()
        self._connections = connections
        self._queue = Queue(connections, name, options.lease_seconds)
        self._analyser = analyser
        self._source = source
        self._options = options
        self._outcomes: asyncio.Queue[tuple[_Lane, Outcome, tuple[Usage, ...]]] = asyncio.Queue()
        self._lanes = (
            _Lane(JobType.TRANSCRIPT, options.fetches, self._fetch),
            _Lane(JobType.ANALYSIS, options.analyses, self._analyse),
        )

    async def run(self, stop: asyncio.Event, *, drain: bool = False) -> None:
        """Works until `stop` is set or, to drain, until no job is open; what was begun is ended or put back."""
        try:
            async with asyncio.TaskGroup() as group:
                helpers = [
                    group.create_task(work) for work in (self._write(), self._keep_alive(), self._correct_times())
                ]
                lanes = [group.create_task(self._work(lane, stop)) for lane in self._lanes]
                if drain:
                    helpers.append(group.create_task(self._stop_when_drained(stop)))
                await stop.wait()
                await self._let_end(lanes)
                for task in (*lanes, *helpers):
                    task.cancel()
        except ExceptionGroup as errors:
            # The first to fail has ended the others.
            raise errors.exceptions[0] from None

    async def _work(self, lane: _Lane, stop: asyncio.Event) -> None:
        while not stop.is_set():
            room, rests = lane.most - len(lane.held), lane.rests()
            jobs: list[Job] = []
            # By the quarter: fewer, larger claims, and still something to do while one is under way.
            if room * 4 >= lane.most and None not in rests:
                jobs = await self._queue.claim(lane.job_type, room, [agency for agency in rests if agency])
            for job in jobs:
                lane.held[job.id] = asyncio.create_task(self._do(lane, job))
            if not jobs:
                lane.freed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._options.poll_seconds):
                        await lane.freed.wait()

    async def _do(self, lane: _Lane, job: Job) -> None:
        usage: tuple[Usage, ...] = ()
        try:
            outcome = await lane.do(job) if job.wanted else Unwanted(job)
            if isinstance(outcome, Analysed):
                usage = outcome.analysis.usage
        except NotNow as error:
            usage = error.usage
            if not error.only_this:
                # Each agency has its own platform's key, and all share one model.
                who = job.agency_id if lane.job_type is JobType.TRANSCRIPT else None
                lane.until[who] = max(lane.until.get(who, 0.0), monotonic() + error.retry_after)
            log.warning("not now", job_type=lane.job_type, reason=str(error), retry_after=error.retry_after)
            outcome = PutBack(job, str(error), wait_seconds=error.retry_after, counts=False)
        except Unusable as error:
            usage = error.usage
            outcome = PutBack(job, str(error), aside=True)
        except EnrichmentError as error:
            usage = error.usage
            outcome = _tried(job, str(error))
        except asyncio.CancelledError:
            outcome = PutBack(job, "its worker was stopped", counts=False)
        except Exception as error:
            # One call that nobody thought of must not stop the others. Its words stay out of the reason.
            log.exception("a job failed in an unforeseen way", call_id=str(job.call_id))
            outcome = _tried(job, f"an unforeseen {type(error).__name__}; the worker's log says more")
        if isinstance(outcome, PutBack) and outcome.aside:
            log.error("set aside", call_id=str(job.call_id), job_type=lane.job_type, reason=outcome.reason)
        await self._outcomes.put((lane, outcome, usage))

    async def _analyse(self, job: Job) -> Outcome:
        text = job.transcript or "[]"
        if len(text) > LONGEST_TRANSCRIPT:
            raise Unusable(f"the transcript has {len(text)} characters; {LONGEST_TRANSCRIPT} are the most")
        read = read_transcript(text)
        if read.left_out:
            log.info("left out of a transcript", call_id=str(job.call_id), what=read.words)
        return Analysed(job, await self._analyser.analyse(Conversation(read.transcript, job.inbound, job.end_reason)))

    async def _fetch(self, job: Job) -> Outcome:
        carried = job.transcript not in (None, "[]")
        if carried or job.ultravox_call_id is None:
            return Fetched(job, _NOTHING)
        (row,) = await self._connections.fetch(_KEY, job.agency_id)
        if row["key"] is None:
            return Fetched(job, _NOTHING)
        return Fetched(job, await self._source.fetch(job.ultravox_call_id, row["key"]))

    async def _write(self) -> None:
        """Writes outcomes, as many together as there are; one that cannot be written now is tried again."""
        waiting: list[tuple[_Lane, Outcome, int]] = []
        while True:
            spent: list[tuple[Job, Usage]] = []
            while len(waiting) < WRITTEN_TOGETHER and not (waiting and self._outcomes.empty()):
                lane, outcome, usage = await self._outcomes.get()
                spent += ((outcome.job, each) for each in usage)
                waiting.append((lane, outcome, 0))
            if spent:
                await self._record(spent)
            settled = await self._settle([outcome for _, outcome, _ in waiting])
            left: list[tuple[_Lane, Outcome, int]] = []
            for lane, outcome, tries in waiting:
                again = _again(outcome, tries) if outcome.job.id not in settled else None
                if again and outcome.job.id in lane.held:
                    left.append((lane, again, tries + 1))
                    continue
                if written := settled.get(outcome.job.id):
                    self.done[written] += 1
                lane.release(outcome.job.id)
                self._outcomes.task_done()
            waiting = left
            if left:
                await asyncio.sleep(_WRITE_PAUSE_SECONDS)

    async def _record(self, spent: list[tuple[Job, Usage]]) -> None:
        try:
            await self._queue.record_usage(spent)
        except (asyncpg.PostgresError, orjson.JSONEncodeError) as error:
            if len(spent) > 1:
                for each in spent:
                    await self._record([each])
                return
            ((job, usage),) = spent
            log.error("usage not recorded", call_id=str(job.call_id), error=type(error).__name__, **usage.model_dump())  # noqa: TRY400

    async def _settle(self, outcomes: list[Outcome]) -> dict[UUID, str]:
        """Gives what was written, by job: the outcome's kind."""
        try:
            written = await self._queue.write(outcomes)
            return {each.job.id: type(each).__name__.lower() for each in outcomes if each.job.id in written}
        except (asyncpg.PostgresError, orjson.JSONEncodeError) as error:
            if len(outcomes) > 1:
                # One of them is to blame; alone, the others can be written.
                return {job_id: kind for each in outcomes for job_id, kind in (await self._settle([each])).items()}
            (outcome,) = outcomes
            # Its kind alone: the database's details quote the row.
            log.error("not written", call_id=str(outcome.job.call_id), error=type(error).__name__)  # noqa: TRY400
            if isinstance(outcome, PutBack):
                raise
            return await self._settle(
                [_tried(outcome.job, f"its outcome could not be written: {type(error).__name__}")]
            )

    async def _keep_alive(self) -> None:
        """Asks for more time for what is held, lets go of what is lost, and returns what others have lost."""
        while True:
            await asyncio.sleep(self._options.lease_seconds / 3)
            held = {job_id: lane for lane in self._lanes for job_id in lane.held}
            kept = await self._queue.extend(held) if held else set()
            for job_id in held.keys() - kept:
                lane = held[job_id]
                if task := lane.held.get(job_id):
                    lane.release(job_id)
                    task.cancel()
            for lost in await self._queue.return_lost():
                log.warning("a worker stopped answering", call_id=str(lost.call_id), job_type=lost.job_type)

    async def _correct_times(self) -> None:
        """Looks now and then, as that reads the whole queue, whether jobs would wait until a clock is there again."""
        while True:
            if jobs := await self._queue.correct_times():
                log.warning("the database's clock was ahead and has been set back", jobs=jobs)
            await asyncio.sleep(CORRECT_SECONDS)

    async def _let_end(self, lanes: list[asyncio.Task[None]]) -> None:
        """Lets what is under way end and be written, for a while; then puts it back, if the database is there."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.stop_seconds):
                await asyncio.wait(lanes)
                await asyncio.gather(*self._under_way())
                await self._outcomes.join()
                return
        for task in (*lanes, *self._under_way()):
            task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(_PUT_BACK_SECONDS):
                await asyncio.gather(*self._under_way(), return_exceptions=True)
                await self._outcomes.join()

    def _under_way(self) -> list[asyncio.Task[None]]:
        return [task for lane in self._lanes for task in lane.held.values()]

    async def _stop_when_drained(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await asyncio.sleep(min(0.2, self._options.poll_seconds))
            (row,) = await self._connections.fetch(_OPEN)
            if not row["left_over"] and not any(lane.held for lane in self._lanes):
                stop.set()


def _tried(job: Job, reason: str) -> PutBack:
    """A try that counts: later again, or set aside after the last one."""
    wait = FIRST_WAIT_SECONDS * 4 ** (job.attempts - 1) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads, no secret
    return PutBack(job, reason, wait_seconds=wait, aside=job.attempts >= job.max_attempts)


def _again(outcome: Outcome, tries: int) -> Outcome | None:
    """What to write next of an outcome that could not be written: its call is being written, or is another now."""
    if tries >= ATTEMPTS_TO_WRITE:
        log.warning("an outcome was given up", call_id=str(outcome.job.call_id), outcome=type(outcome).__name__)
        return None
    if tries == ATTEMPTS_TO_WRITE // 2 and not isinstance(outcome, PutBack):
        return PutBack(outcome.job, "its call changed, or was being written all the time", counts=False)
    return outcome
