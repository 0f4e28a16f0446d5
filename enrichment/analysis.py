"""What is understood of a call: the facts that the reports count, each checked before it is written."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from enrichment.transcripts import Transcript

# PostgreSQL's text and jsonb take every character but NUL.
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120, pattern=r"^[^\x00]*$")]
Quote = Annotated[str, StringConstraints(strip_whitespace=True, max_length=600, pattern=r"^[^\x00]*$")]
Summary = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1200, pattern=r"^[^\x00]*$")]
Share = Annotated[float, Field(ge=0, le=1)]
"""From 0 to 1."""


class Disposition(StrEnum):
    """How a call ended, in the words of `calls.disposition`."""

    VOICEMAIL = "voicemail"
    CALLBACK_REQUESTED = "callback_requested"
    NOT_INTERESTED = "not_interested"
    WRONG_NUMBER = "wrong_number"
    DNC_REQUESTED = "dnc_requested"
    GATEKEEPER_BLOCKED = "gatekeeper_blocked"
    NO_ANSWER = "no_answer"
    CONVERSATION = "conversation"
    APPOINTMENT_BOOKED = "appointment_booked"


class Sentiment(StrEnum):
    """How the person who was called felt about the call."""

    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"


class _Checked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Objection(_Checked):
    """Something that speaks against the offer: its short name, the caller's own words, whether it was answered well."""

    text: Text
    handled: bool
    quote: Quote


class BuyingSignal(_Checked):
    """Something that speaks for the offer: its short name and the caller's own words."""

    text: Text
    quote: Quote


class Understanding(_Checked):
    """What the words of a call tell. `script_adherence` is None where there was no script to follow."""

    disposition: Disposition
    sentiment: Sentiment
    script_adherence: Share | None
    objections: tuple[Objection, ...]
    buying_signals: tuple[BuyingSignal, ...]
    is_qualified_lead: bool
    issue_resolved: bool
    escalated: bool
    summary: Summary


class Timings(_Checked):
    """What the clock tells, exactly; None where the transcript has no times.

    `talk_ratio` and `listen_ratio` are the time in which the agent, or the other side, speaks, over the time from the
    first word to the last. Both leave out pauses and both count time in which the two speak at once, so they need not
    add up to 1. `interruptions` counts turns that begin while the other side is still speaking.
    """

    talk_ratio: Share | None
    listen_ratio: Share | None
    interruptions: Annotated[int, Field(ge=0)] | None


class Usage(_Checked):
    """What asking a model once has used, by the provider's own account. `cost_usd` is None where it is not known."""

    model: str
    input_tokens: Annotated[int, Field(ge=0)]
    output_tokens: Annotated[int, Field(ge=0)]
    cost_usd: Annotated[Decimal, Field(ge=0)] | None


class CallAnalysis(_Checked):
    """The whole of an analysis. `analyzed_by` names what said so, with its version, as in `embedded/1`."""

    understanding: Understanding
    timings: Timings
    analyzed_by: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    usage: tuple[Usage, ...] = ()


@dataclass(frozen=True)
class Conversation:
    """A call as an analyser sees it: what was said, and what was known before."""

    transcript: Transcript
    inbound: bool = False
    end_reason: str | None = None


class Analyser(Protocol):
    """Understands calls."""

    async def analyse(self, conversation: Conversation) -> CallAnalysis:
        """The analysis of a conversation in which something was said.

        Raises:
            NotNow: what it relies on is away, busy or refuses us.
            EnrichmentError: this try failed; `usage` says what it cost.
        """
        ...

    async def close(self) -> None:
        """Gives back what it holds, such as connections."""
        ...
