"""What was said in a call, and where it comes from when the call does not carry it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from enrichment.errors import Unusable

# The one character that PostgreSQL does not take.
Spoken = Annotated[str, AfterValidator(lambda text: text.replace("\0", ""))]
Milliseconds = Annotated[int, Field(ge=0)]


class Speaker(StrEnum):
    """Who speaks."""

    AGENT = "agent"
    USER = "user"


class Turn(BaseModel):
    """One side's words, and when they were said, in milliseconds from a common beginning; None where not known."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    role: Speaker
    text: Spoken
    start_ms: Milliseconds | None = None
    end_ms: Milliseconds | None = None


Transcript = tuple[Turn, ...]

_TRANSCRIPT = TypeAdapter(Transcript)


def read_transcript(stored: str | bytes) -> Transcript:
    """The turns of `calls.transcript`, which is JSON.

    Raises:
        Unusable: it is not a list of turns; the reason says which turn and why.
    """
    try:
        return _TRANSCRIPT.validate_json(stored)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        where = " ".join(str(part) for part in fault["loc"]) or "the whole"
        raise Unusable(f"the transcript is not a list of turns: {where}: {fault['msg']}") from None


@dataclass(frozen=True)
class Recorded:
    """What a platform kept of a call. An empty transcript means that nothing was said."""

    transcript: Transcript
    has_recording: bool


class TranscriptSource(Protocol):
    """A platform that keeps what was said in its calls."""

    async def fetch(self, call_id: str, key: str) -> Recorded:
        """What was kept of the call with the platform's id `call_id`, asked for with the agency's own key.

        Raises:
            NotNow: the platform is away, too busy, or refuses the key.
            Unusable: the platform has no such call.
            EnrichmentError: its answer could not be understood.
        """
        ...
