"""The queue as a worker sees it: a job is claimed for a while and ends in the transaction that writes its outcome."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol
from uuid import UUID, uuid4

import asyncpg
import orjson

from enrichment.analysis import CallAnalysis, Usage
from enrichment.statements import SQL
from enrichment.transcripts import Recorded


class JobType(StrEnum):
    """What is to be done for a call."""

    TRANSCRIPT = "transcript"
    ANALYSIS = "analysis"


@dataclass(frozen=True)
class Job:
    """A piece of work that is this worker's for a while, and what is known of its call."""

    id: UUID
    agency_id: UUID
    call_id: UUID
    attempts: int
    max_attempts: int
    ultravox_call_id: str | None
    inbound: bool
    end_reason: str | None
    wanted: bool
    transcript: str | None
    transcript_hash: int | None


@dataclass(frozen=True)
class Outcome:
    """What became of a job, and the file in `sql/` that writes it."""

    job: Job
    statement: ClassVar[str]

    def row(self) -> dict[str, object]:
        """What that file takes of it."""
        return {"job_id": self.job.id}


@dataclass(frozen=True)
class Unwanted(Outcome):
    """Nobody needs the job done any more."""

    statement = "drop_unwanted"


@dataclass(frozen=True)
class Analysed(Outcome):
    """The call was understood."""

    analysis: CallAnalysis
    statement = "finish_analyses"

    def row(self) -> dict[str, object]:
        """The facts, by the names of their columns."""
        return {
            "job_id": self.job.id,
            "transcript_hash": self.job.transcript_hash,
            "analyzed_by": self.analysis.analyzed_by,
            **self.analysis.understanding.model_dump(mode="json"),
            **self.analysis.timings.model_dump(mode="json"),
        }


@dataclass(frozen=True)
class Fetched(Outcome):
    """The call's words were fetched; no words when there are none to be had."""

    recorded: Recorded
    statement = "finish_transcripts"

    def row(self) -> dict[str, object]:
        """The turns as they are stored."""
        turns = [turn.model_dump(mode="json") for turn in self.recorded.transcript]
        return {"job_id": self.job.id, "transcript": turns, "has_recording": self.recorded.has_recording}


@dataclass(frozen=True)
class PutBack(Outcome):
    """The job was not done: it waits for another try (`counts`: this one was one), or is set aside."""

    reason: str
    wait_seconds: float = 0.0
    counts: bool = True
    aside: bool = False
    statement = "put_back"

    def row(self) -> dict[str, object]:
        """The reason, and when to try again."""
        return {
            "job_id": self.job.id,
            "reason": self.reason[:1000].replace("\0", ""),
            "wait_seconds": self.wait_seconds,
            "counts": self.counts,
            "aside": self.aside,
        }


@dataclass(frozen=True)
class Lost:
    """A job whose worker stopped answering; `spent` when that was its last try."""

    id: UUID
    call_id: UUID
    job_type: JobType
    attempts: int
    spent: bool


class Connections(Protocol):
    """Where statements are run."""

    async def fetch(self, sql: str, *values: object) -> Sequence[asyncpg.Record]:
        """The rows of one statement, which is a transaction of its own."""
        ...


class Queue:
    """One worker's hands on `enrichment_queue`. `worker` names it; no two that are alive share a name."""

    def __init__(self, connections: Connections, worker: str, lease_seconds: float) -> None:
        self._connections = connections
        self._worker = worker
        self._lease_seconds = lease_seconds

    async def claim(self, job_type: JobType, most: int, leave_alone: Collection[UUID] = ()) -> list[Job]:
        """At most so many jobs that are due, fairly shared between the agencies that have any."""
        rows = await self._connections.fetch(
            SQL["claim"], self._worker, job_type, most, self._lease_seconds, list(leave_alone)
        )
        return [Job(**row) for row in rows]

    async def extend(self, jobs: Collection[UUID]) -> set[UUID]:
        """Asks for more time; gives the jobs that are still this worker's."""
        rows = await self._connections.fetch(SQL["extend"], self._worker, list(jobs), self._lease_seconds)
        return {row["id"] for row in rows}

    async def return_lost(self) -> list[Lost]:
        """Puts jobs of workers that stopped answering back into the queue."""
        return [Lost(**row) for row in await self._connections.fetch(SQL["return_lost"])]

    async def correct_times(self) -> int:
        """Brings back the times of jobs that a clock wrote which was ahead; gives their number."""
        return len(await self._connections.fetch(SQL["correct_times"]))

    async def write(self, outcomes: Sequence[Outcome]) -> set[UUID]:
        """Writes what became of jobs; gives those that are settled now.

        A job is left out when it is not this worker's any more, when its call's words changed under the analysis,
        and when somebody else is writing its call at this moment.
        """
        settled: set[UUID] = set()
        by_statement: dict[str, list[Outcome]] = {}
        for outcome in outcomes:
            by_statement.setdefault(outcome.statement, []).append(outcome)
        for statement, alike in by_statement.items():
            text = orjson.dumps([outcome.row() for outcome in alike], default=str).decode()
            settled |= {row["id"] for row in await self._connections.fetch(SQL[statement], self._worker, text)}
        return settled

    async def record_usage(self, spent: Iterable[tuple[Job, Usage]]) -> None:
        """Writes what requests to models have used, of use or not."""
        rows = [
            {"id": uuid4(), "agency_id": job.agency_id, "call_id": job.call_id, **usage.model_dump(mode="json")}
            for job, usage in spent
        ]
        await self._connections.fetch(SQL["record_usage"], orjson.dumps(rows, default=str).decode())
