"""Who spoke how long, and over whom."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment.analysis import Timings
from enrichment.timings import measure
from enrichment.transcripts import Speaker, Transcript, Turn

NOTHING_KNOWN = Timings(talk_ratio=None, listen_ratio=None, interruptions=None)


def agent(start: int | None, end: int | None) -> Turn:
    return Turn(role=Speaker.AGENT, text="Good morning.", start_ms=start, end_ms=end)


def user(start: int | None, end: int | None) -> Turn:
    return Turn(role=Speaker.USER, text="Good morning.", start_ms=start, end_ms=end)


def test_a_pause_counts_for_nobody() -> None:
    assert measure((agent(0, 400), user(500, 800), agent(900, 1000))) == Timings(
        talk_ratio=0.5, listen_ratio=0.3, interruptions=0
    )


def test_speaking_at_once_counts_for_both_and_the_later_one_interrupts() -> None:
    assert measure((agent(0, 600), user(500, 1000))) == Timings(talk_ratio=0.6, listen_ratio=0.5, interruptions=1)


def test_a_span_begins_with_the_first_word_not_with_the_clock() -> None:
    assert measure((agent(9_000, 9_250), user(9_250, 10_000))) == Timings(
        talk_ratio=0.25, listen_ratio=0.75, interruptions=0
    )


def test_overlapping_turns_of_one_side_count_once() -> None:
    assert measure((agent(0, 500), agent(400, 800), user(800, 1000))).talk_ratio == 0.8


def test_starting_together_or_on_the_last_word_is_no_interruption() -> None:
    assert measure((agent(0, 500), user(0, 300), user(500, 1000))).interruptions == 0


def test_a_turn_that_starts_inside_two_turns_of_the_other_side_interrupts_once() -> None:
    assert measure((agent(0, 500), agent(100, 600), user(300, 1000))).interruptions == 1


def test_a_half_is_rounded_up() -> None:
    assert measure((agent(0, 1), user(1, 20_000))).talk_ratio == 0.0001  # exactly 0.00005
    assert measure((agent(0, 3), user(3, 8_000))).talk_ratio == 0.0004  # 0.000375


@pytest.mark.parametrize(
    "transcript",
    [
        (),
        (agent(0, 500), user(None, 900)),
        (agent(0, 500), user(600, None)),
        (agent(0, 500), user(900, 600)),
        (agent(700, 700), user(700, 700)),
    ],
    ids=["nothing said", "no start", "no end", "ends before it starts", "takes no time"],
)
def test_times_that_do_not_tell_give_no_timings(transcript: Transcript) -> None:
    assert measure(transcript) == NOTHING_KNOWN


@st.composite
def turns(draw: st.DrawFn) -> Turn:
    start = draw(st.integers(0, 30))
    return Turn(role=draw(st.sampled_from(Speaker)), text="", start_ms=start, end_ms=start + draw(st.integers(0, 12)))


def counted(transcript: Transcript) -> Timings:
    """The timings by counting every millisecond."""
    spoken = {
        side: {ms for turn in transcript if turn.role is side for ms in range(turn.start_ms or 0, turn.end_ms or 0)}
        for side in Speaker
    }
    first = min(turn.start_ms or 0 for turn in transcript)
    span = max(turn.end_ms or 0 for turn in transcript) - first
    if span == 0:
        return NOTHING_KNOWN

    def share(side: Speaker) -> float:
        exact = Decimal(len(spoken[side])) / span
        return float(exact.quantize(Decimal("0.0001"), ROUND_HALF_UP))

    return Timings(
        talk_ratio=share(Speaker.AGENT),
        listen_ratio=share(Speaker.USER),
        interruptions=sum(
            any(
                other.role is not turn.role and (other.start_ms or 0) < (turn.start_ms or 0) < (other.end_ms or 0)
                for other in transcript
            )
            for turn in transcript
        ),
    )


@given(st.lists(turns(), min_size=1, max_size=12).map(tuple))
def test_timings_are_what_counting_every_millisecond_gives(transcript: Transcript) -> None:
    assert measure(transcript) == counted(transcript)
