"""Works out who spoke how long, and over whom, from the times in a transcript alone."""

from bisect import bisect_left
from collections.abc import Iterable

from enrichment.analysis import Timings
from enrichment.transcripts import Speaker, Transcript

Stretch = tuple[int, int]
"""A time in which one side speaks without a pause: its start and its end, in milliseconds."""

_UNKNOWN = Timings(talk_ratio=None, listen_ratio=None, interruptions=None)


def measure(transcript: Transcript) -> Timings:
    """The timings of a call, its shares rounded to four decimals, half up.

    All three are None if the times do not tell: a turn lacks one, ends before it starts, or the call takes no time.
    """
    spoken: dict[Speaker, list[Stretch]] = {side: [] for side in Speaker}
    for turn in transcript:
        if turn.start_ms is None or turn.end_ms is None or turn.end_ms < turn.start_ms:
            return _UNKNOWN
        spoken[turn.role].append((turn.start_ms, turn.end_ms))
    everything = [*spoken[Speaker.AGENT], *spoken[Speaker.USER]]
    if not everything:
        return _UNKNOWN
    span = max(end for _, end in everything) - min(start for start, _ in everything)
    if not span:
        return _UNKNOWN
    agent, user = (_joined(spoken[side]) for side in (Speaker.AGENT, Speaker.USER))
    return Timings(
        talk_ratio=_share(agent, span),
        listen_ratio=_share(user, span),
        interruptions=_starts_inside(spoken[Speaker.AGENT], user) + _starts_inside(spoken[Speaker.USER], agent),
    )


def _joined(turns: Iterable[Stretch]) -> list[Stretch]:
    """The turns in order of time, those that overlap made one; those that only touch stay two."""
    joined: list[Stretch] = []
    for start, end in sorted(turns):
        if joined and start < joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _share(stretches: Iterable[Stretch], span: int) -> float:
    """Their part of the span. Whole numbers until the last step, so that a half is a half."""
    length = sum(end - start for start, end in stretches)
    return (20_000 * length + span) // (2 * span) / 10_000


def _starts_inside(turns: list[Stretch], others: list[Stretch]) -> int:
    """How many of the turns start after one of the other side's stretches started and before it ended."""
    before = [bisect_left(others, (start,)) - 1 for start, _ in turns]
    return sum(index >= 0 and start < others[index][1] for index, (start, _) in zip(before, turns, strict=True))
