"""Calls that wait for their analysis, and an analyser whose moods a test decides."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from enrichment.analysis import CallAnalysis, Conversation, Disposition, Sentiment, Timings, Understanding
from enrichment.transcripts import Recorded
from tests.given import Given

WAITING: dict[str, Any] = {"analysis_status": "pending", "disposition": None}

BOOKED = CallAnalysis(
    understanding=Understanding(
        disposition=Disposition.APPOINTMENT_BOOKED,
        sentiment=Sentiment.POSITIVE,
        script_adherence=0.8,
        objections=(),
        buying_signals=(),
        is_qualified_lead=True,
        issue_resolved=False,
        escalated=False,
        summary="They agreed to meet.",
    ),
    timings=Timings(talk_ratio=0.6, listen_ratio=0.3, interruptions=1),
    analyzed_by="scripted/1",
)


def words(text: str = "Thursday at ten works.") -> list[dict[str, Any]]:
    """A transcript in which the user says this."""
    return [
        {"role": "agent", "text": "Would Thursday at ten suit you?", "start_ms": 0, "end_ms": 2000},
        {"role": "user", "text": text, "start_ms": 2500, "end_ms": 4000},
    ]


async def waiting(given: Given, agency: UUID, number: int = 1, **columns: Any) -> list[UUID]:
    """Calls that have ended with a transcript."""
    return await given.calls(agency, number, **(WAITING | {"transcript": words()} | columns))


class Scripted:
    """An analyser that answers what the test says; it counts how often each thing was said to it."""

    def __init__(self, answer: Callable[[str], Awaitable[CallAnalysis] | CallAnalysis] = lambda _: BOOKED) -> None:
        self.answer = answer
        self.heard: Counter[str] = Counter()

    async def analyse(self, conversation: Conversation) -> CallAnalysis:
        said = conversation.transcript[-1].text
        self.heard[said] += 1
        answer = self.answer(said)
        return answer if isinstance(answer, CallAnalysis) else await answer

    async def close(self) -> None:
        """Holds nothing."""


class Silent:
    """A platform that is never asked."""

    async def fetch(self, call_id: str, key: str) -> Recorded:
        raise AssertionError(f"asked for {call_id} with {key}")
