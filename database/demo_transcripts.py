"""Writes down a demo call: who said what and when, in keeping with its length, its outcome and who spoke how much."""

from itertools import groupby
from random import Random

from database.demo_calls import Call
from database.demo_plan import Client
from database.demo_scripts import CLOSINGS, FIRST_NAMES, OBJECTIONS, OPENINGS, PITCHES, QUESTIONS, SIGNALS

MILLISECONDS_A_TURN = 9000
MOST_TURNS = 30
ANSWERS = {quote: remark.answer for remark in OBJECTIONS + SIGNALS for quote in remark.quotes}

Line = tuple[str, str]


def transcribe(rng: Random, call: Call, client: Client) -> list[dict[str, object]]:
    """The turns of a call that was joined, has ended and was understood."""
    if not call.joined_at or not call.ended_at or call.talk_ratio is None or call.listen_ratio is None:
        raise ValueError("nothing was said in this call")
    milliseconds = int((call.ended_at - call.joined_at).total_seconds()) * 1000
    names = {"company": client.name, "offer": client.offer, "name": rng.choice(FIRST_NAMES)}
    lines = [(role, text.format_map(names)) for role, text in _lines(rng, call, milliseconds)]
    return _timed(lines, milliseconds, {"agent": float(call.talk_ratio), "user": float(call.listen_ratio)})


def _lines(rng: Random, call: Call, milliseconds: int) -> list[Line]:
    inbound, disposition = call.direction == "inbound", str(call.disposition)
    cut_short = disposition in ("dnc_requested", "gatekeeper_blocked")
    beginning = _exchange(rng.choice(OPENINGS[inbound]))
    if not inbound and not cut_short:
        beginning += _exchange(rng.choice(PITCHES))
    if inbound and disposition == "conversation":
        disposition = "resolved" if call.issue_resolved else "escalated" if call.escalated else disposition
    end = [line for exchange in CLOSINGS[disposition] for line in _exchange(exchange)]

    quotes = [str(finding["quote"]) for finding in call.objections + call.buying_signals]
    middle = [[("user", quote), ("agent", ANSWERS[quote])] for quote in quotes]
    turns = min(MOST_TURNS, milliseconds // MILLISECONDS_A_TURN)
    questions = (turns - len(beginning) - len(end)) // 2 - len(quotes)
    if questions > 0 and not cut_short:
        middle += map(_exchange, rng.sample(QUESTIONS[inbound], min(questions, len(QUESTIONS[inbound]))))
    rng.shuffle(middle)

    said = [*beginning, *(line for lines in middle for line in lines), *end]
    return [(role, " ".join(text for _, text in lines)) for role, lines in groupby(said, lambda line: line[0])]


def _exchange(texts: tuple[str, str]) -> list[Line]:
    return [("agent", texts[0]), ("user", texts[1])]


def _timed(lines: list[Line], milliseconds: int, shares: dict[str, float]) -> list[dict[str, object]]:
    """Each side speaks for its share of the call, its longer lines for longer; pauses take the rest."""
    letters = {role: sum(len(text) for speaker, text in lines if speaker == role) for role in shares}
    pause = milliseconds * (1 - sum(shares.values())) / (len(lines) + 1)
    turns: list[dict[str, object]] = []
    clock = pause
    for role, text in lines:
        end = clock + milliseconds * shares[role] * len(text) / letters[role]
        turns.append({"role": role, "text": text, "start_ms": int(clock), "end_ms": int(end)})
        clock = end + pause
    return turns
