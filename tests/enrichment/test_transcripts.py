"""Reading a stored transcript: what can be used of it is used, and what was left out is said."""

import json
from typing import Any

import pytest

from enrichment.errors import Unusable
from enrichment.timings import measure
from enrichment.transcripts import LONGEST_MS, LeftOut, Read, read_transcript


def read(*turns: Any) -> Read:
    return read_transcript(json.dumps(turns))


def said(found: Read) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in found.transcript]


def times(found: Read) -> list[tuple[int | None, int | None]]:
    return [(turn.start_ms, turn.end_ms) for turn in found.transcript]


HELLO = {"role": "user", "text": "Hello?"}


@pytest.mark.parametrize("role", ["agent", "assistant", "Bot", "ai", "MESSAGE_ROLE_AGENT", " model "])
def test_the_agent_by_its_names(role: str) -> None:
    assert said(read({"role": role, "text": "Hi"}, HELLO)) == [("agent", "Hi"), ("user", "Hello?")]


@pytest.mark.parametrize("role", ["user", "human", "Customer", "caller", "MESSAGE_ROLE_USER", "lead"])
def test_the_other_side_by_its_names(role: str) -> None:
    assert said(read({"role": role, "text": "Hi"})) == [("user", "Hi")]


@pytest.mark.parametrize(
    "role", ["tool", "system", "function", "tool_call_result", "developer", "MESSAGE_ROLE_TOOL_CALL"]
)
def test_what_is_said_to_tools_is_left_out_and_the_call_is_not(role: str) -> None:
    found = read(HELLO, {"role": role, "text": '{"slot": 3}'}, {"role": "agent", "text": "Tuesday, then."})
    assert said(found) == [("user", "Hello?"), ("agent", "Tuesday, then.")]
    assert found.left_out == {LeftOut.OTHERS: 1}


@pytest.mark.parametrize(
    ("turn", "what"),
    [
        ({"role": "parrot", "text": "Hi"}, LeftOut.UNKNOWN),
        ({"text": "Hi"}, LeftOut.UNKNOWN),
        ({"role": 5, "text": "Hi"}, LeftOut.UNKNOWN),
        ({"role": "agent"}, LeftOut.SILENT),
        ({"role": "agent", "text": None}, LeftOut.SILENT),
        ({"role": "agent", "text": 5}, LeftOut.SILENT),
        ({"role": "agent", "content": [{"type": "image"}]}, LeftOut.SILENT),
        ("Hi", LeftOut.NO_TURNS),
        (None, LeftOut.NO_TURNS),
        ([HELLO], LeftOut.NO_TURNS),
    ],
)
def test_one_turn_that_cannot_be_used_takes_no_other_along(turn: Any, what: LeftOut) -> None:
    found = read(turn, HELLO)
    assert said(found) == [("user", "Hello?")]
    assert found.left_out == {what: 1}
    assert found.words == f"1 {what}"
    with pytest.raises(Unusable, match=f"^nothing in the transcript was said by one of the two sides: 1 {what}$"):
        read(turn)


@pytest.mark.parametrize(
    "words",
    [
        {"text": "Hi there"}, {"content": "Hi there"}, {"message": " Hi there "}, {"text": None, "content": "Hi there"},
        {"content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "there"}]}, {"content": ["Hi", "there"]},
    ],
)  # fmt: skip
def test_words_by_the_names_that_they_come_under(words: Any) -> None:
    assert said(read({"speaker": "bot", **words})) == [("agent", "Hi there")]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"start_ms": -120, "end_ms": 900}, (0, 900)),
        ({"start_ms": 100, "end_ms": None}, (100, None)),
        ({"start_ms": 1.5, "end_ms": 2.25}, (1_500, 2_250)),
        ({"start": 1, "end": 2.25}, (1_000, 2_250)),
        ({"start_time": 1, "end_time": 2}, (1_000, 2_000)),
        ({"start_ms": 700.0, "end_ms": 900.0}, (700, 900)),
    ],
)
def test_times_that_are_told_in_another_way(given: Any, expected: tuple[int | None, int | None]) -> None:
    found = read({"role": "assistant", "text": "Hi", **given})
    assert times(found) == [expected]
    assert found.left_out == {}


@pytest.mark.parametrize("time", ["noon", True, [1], {"s": 1}, 10**30, LONGEST_MS + 1])
def test_a_time_that_is_none_loses_that_time_only(time: Any) -> None:
    found = read({"role": "assistant", "text": "Hi", "start_ms": time, "end_ms": 900})
    assert times(found) == [(None, 900)]
    assert found.left_out == {LeftOut.TIMES: 1}


@pytest.mark.parametrize("digits", ["1e400", "9" * 5_000, "-" + "9" * 5_000])
def test_numbers_that_no_machine_counts_are_no_times(digits: str) -> None:
    found = read_transcript(f'[{{"role": "agent", "text": "Hi", "start_ms": {digits}, "end_ms": 900}}]')
    assert times(found) == [(None, 900)]


def test_seconds_measure_as_milliseconds_do() -> None:
    turns = [("agent", 0, 4_200), ("user", 3_900, 7_000), ("agent", 7_100, 9_000)]
    exact = read(*({"role": role, "text": "Hm", "start_ms": start, "end_ms": end} for role, start, end in turns))
    rough = read(
        *({"role": role, "text": "Hm", "start_ms": start / 1000, "end_ms": end / 1000} for role, start, end in turns)
    )
    assert measure(exact.transcript) == measure(rough.transcript)
    assert measure(exact.transcript).interruptions == 1


def test_turns_are_in_the_order_in_which_they_were_said() -> None:
    found = read(
        {"role": "user", "text": "Second", "start_ms": 500, "end_ms": 900},
        {"role": "user", "text": "Behind it"},
        {"role": "agent", "text": "First", "start_ms": 0, "end_ms": 400},
    )
    assert [words for _, words in said(found)] == ["First", "Second", "Behind it"]


def test_a_turn_that_is_told_while_it_is_spoken_counts_once() -> None:
    found = read(
        {"role": "user", "text": "I would", "start_ms": 500, "end_ms": 700},
        {"role": "user", "text": "I would like…", "start_ms": 500, "end_ms": 900},
        {"role": "user", "text": "I would like to book.", "start_ms": 500, "end_ms": 1_500},
        {"role": "agent", "text": "I would", "start_ms": 1_600, "end_ms": 1_800},
    )
    assert [words for _, words in said(found)] == ["I would like to book.", "I would"]
    assert found.left_out == {LeftOut.PARTIAL: 2}


def test_who_says_the_same_again_has_said_it_twice() -> None:
    again = [
        {"role": "user", "text": text, "start_ms": start} for text, start in (("Hello", 0), ("Hello, you?", 9_000))
    ]
    assert len(read(*again).transcript) == 2
    assert len(read(HELLO, HELLO).transcript) == 2


@pytest.mark.parametrize("stored", ["{}", '"Hi"', "5", "null", "", "[", "[" * 100_000 + "]" * 100_000])
def test_what_is_no_list_is_said_to_be_none(stored: str) -> None:
    with pytest.raises(Unusable, match=r"^the transcript is "):
        read_transcript(stored)


def test_nothing_said_is_nothing_left_out() -> None:
    assert read_transcript("[]") == Read((), {})
