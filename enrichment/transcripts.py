"""What was said in a call, and where it comes from when the call does not carry it."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from math import isfinite
from operator import itemgetter
from typing import Annotated, Any, Protocol

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


class LeftOut(StrEnum):
    """What a stored transcript may hold that is of no use."""

    NO_TURNS = "things that are no turns"
    OTHERS = "turns of tools and the like"
    UNKNOWN = "turns of nobody knows whom"
    SILENT = "turns without words"
    PARTIAL = "turns that the next one begins with"
    TIMES = "times that are none"


@dataclass(frozen=True)
class Read:
    """A stored transcript as it can be used, and how much of what else there was is left out."""

    transcript: Transcript
    left_out: Mapping[LeftOut, int]

    @property
    def words(self) -> str:
        """What is left out, for people."""
        return ", ".join(f"{number} {what}" for what, number in self.left_out.items())


LONGEST_MS = 7 * 24 * 3600 * 1000
"""No turn of a call is later."""

_TRANSCRIPT = TypeAdapter(Transcript)
# What platforms and models' providers call the two sides, and what else they note between them.
_SIDES = {
    **dict.fromkeys(("agent", "assistant", "bot", "ai", "model", "robot"), Speaker.AGENT),
    **dict.fromkeys(("user", "human", "customer", "caller", "callee", "client", "contact", "lead"), Speaker.USER),
}
_OTHERS = re.compile("system|developer|tool|function|event|action|observation|node|dtmf")
_ROLES, _WORDS = ("role", "speaker"), ("text", "content", "message", "transcript")
_MILLISECONDS, _SECONDS = ("start_ms", "end_ms"), (("start", "end"), ("start_time", "end_time"))


def read_transcript(stored: str | bytes) -> Read:
    """The turns of `calls.transcript`, which is JSON: whatever of it can be used, in the order in which it was said.

    Raises:
        Unusable: it is no list, or nothing in it can be used; the reason says what there is instead.
    """
    left_out = Counter[LeftOut]()
    try:
        turns = _TRANSCRIPT.validate_json(stored)
    except ValidationError:
        turns = tuple(_turns(_listed(stored), left_out))
    read = Read(tuple(_whole(in_spoken_order(turns), left_out)), left_out)
    if left_out and not read.transcript:
        raise Unusable(f"nothing in the transcript was said by one of the two sides: {read.words}")
    return read


def in_spoken_order(turns: Iterable[Turn]) -> Transcript:
    """By their beginnings; a turn without one stays behind the turn that it came after."""
    timed = []
    latest = 0
    for turn in turns:
        latest = latest if turn.start_ms is None else turn.start_ms
        timed.append((latest, turn))
    return tuple(turn for _, turn in sorted(timed, key=itemgetter(0)))


def _listed(stored: str | bytes) -> list[Any]:
    try:
        items = json.loads(stored, parse_int=float)  # Python reads no integer of thousands of digits
    except (ValueError, RecursionError):
        raise Unusable("the transcript is no JSON that can be read") from None
    if not isinstance(items, list):
        raise Unusable("the transcript is not a list of turns")
    return items


def _turns(items: Sequence[Any], left_out: Counter[LeftOut]) -> Iterable[Turn]:
    """What can be read of a list in which not all is as it should be."""
    objects = [item for item in items if isinstance(item, dict)]
    if len(objects) < len(items):
        left_out[LeftOut.NO_TURNS] = len(items) - len(objects)
    # Whoever writes fractions of a millisecond means seconds.
    is_in_seconds = any(_is_fraction(item.get(name)) for item in objects for name in _MILLISECONDS)
    for item in objects:
        role = _first(item, _ROLES)
        name = role.strip().lower().removeprefix("message_role_") if isinstance(role, str) else ""
        words = _spoken(_first(item, _WORDS))
        if (side := _SIDES.get(name)) is None:
            left_out[LeftOut.OTHERS if _OTHERS.match(name) else LeftOut.UNKNOWN] += 1
        elif not words:
            left_out[LeftOut.SILENT] += 1
        else:
            given = [item.get(name) for name in _MILLISECONDS]
            unit = 1000 if is_in_seconds else 1
            if given == [None, None]:
                given = [_first(item, names) for names in zip(*_SECONDS, strict=True)]
                unit = 1000
            start, end = (_milliseconds(value, unit) for value in given)
            if lost := given.count(None) - [start, end].count(None):
                left_out[LeftOut.TIMES] -= lost
            yield Turn(role=side, text=words, start_ms=start, end_ms=end)


def _first(item: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((value for name in names if (value := item.get(name)) is not None), None)


def _spoken(content: Any) -> str:
    """A text, or the texts of a list of parts, as models' providers have it."""
    if isinstance(content, list):
        texts = (part.get("text") if isinstance(part, dict) else part for part in content)
        content = " ".join(text for text in texts if isinstance(text, str))
    return content.strip() if isinstance(content, str) else ""


def _milliseconds(value: Any, unit: int) -> int | None:
    """None for what is no time. What begins before its call's clock begins with it."""
    if not isinstance(value, float) or not isfinite(value) or value * unit > LONGEST_MS:
        return None
    return max(0, round(value * unit))


def _is_fraction(value: Any) -> bool:
    return isinstance(value, float) and isfinite(value) and not value.is_integer()


def _whole(turns: Transcript, left_out: Counter[LeftOut]) -> Iterable[Turn]:
    """The turns without those that are the beginning of the next one: a platform may tell one while it is spoken."""
    for turn, following in zip_longest(turns, turns[1:]):
        if following is not None and _is_beginning(turn, following):
            left_out[LeftOut.PARTIAL] += 1
        else:
            yield turn


def _is_beginning(turn: Turn, following: Turn) -> bool:
    return (
        turn.role is following.role
        and turn.start_ms == following.start_ms
        and len(turn.text) < len(following.text)
        and following.text.casefold().startswith(turn.text.casefold().rstrip(" .…-"))
    )


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
