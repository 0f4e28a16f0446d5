"""Writes down a demo call: who said what and when, as its story goes."""

from itertools import groupby
from random import Random

from database.demo_calls import Call, Story
from database.demo_plan import Client
from database.demo_scripts import (
    ACCEPTED,
    CLOSINGS,
    FAREWELLS,
    FIRST_NAMES,
    MAILBOXES,
    MESSAGES,
    MOODS,
    OPENINGS,
    PITCHES,
    QUESTIONS,
    UNMOVED,
)

MILLISECONDS_A_TURN = 9000
MOST_TURNS = 24
INTERRUPTED_BY = (300, 900)

Line = tuple[str, str]
Turn = dict[str, object]


def transcribe(rng: Random, call: Call, client: Client) -> list[Turn]:
    """The turns of a call that was answered and has ended."""
    if not call.joined_at or not call.ended_at or not call.story:
        raise ValueError("nothing was said in this call")
    milliseconds = int((call.ended_at - call.joined_at).total_seconds()) * 1000
    names = {"company": client.name, "offer": client.offer, "name": rng.choice(FIRST_NAMES)}
    if call.story.disposition == "voicemail":
        lines = [("user", rng.choice(MAILBOXES)), ("agent", rng.choice(MESSAGES))]
    else:
        lines = _talk(rng, call.story, inbound=call.direction == "inbound", turns=milliseconds // MILLISECONDS_A_TURN)
    merged = [(role, " ".join(text for _, text in same)) for role, same in groupby(lines, lambda line: line[0])]
    return _timed(rng, [(role, text.format_map(names)) for role, text in merged], milliseconds, call.story)


def _talk(rng: Random, story: Story, *, inbound: bool, turns: int) -> list[Line]:
    short = story.disposition in ("dnc_requested", "gatekeeper_blocked", "wrong_number")
    ending = "resolved" if story.resolved else "escalated" if story.escalated else story.disposition
    beginning = _exchange(rng.choice(OPENINGS[inbound]))
    if not inbound and not short and "purpose" not in story.skipped:
        beginning += _exchange(rng.choice(PITCHES))
    end = [line for exchange in rng.choice(CLOSINGS[ending]) for line in _exchange(exchange)]
    if story.sentiment == "positive":
        end.insert(0, ("user", rng.choice(MOODS["positive"])))
    elif story.sentiment == "negative":
        first, last = rng.sample(MOODS["negative"], 2)
        beginning.append(("user", first))
        end.append(("user", last))
    if "goodbye" not in story.skipped:
        end += _exchange(rng.choice(FAREWELLS))

    middle = [_objection(rng, remark.quotes, remark.answer, handled=handled) for remark, handled in story.objections]
    middle += [[("user", rng.choice(remark.quotes)), ("agent", remark.answer)] for remark in story.signals]
    questions = (min(MOST_TURNS, turns) - len(beginning) - len(end)) // 2 - len(middle)
    if questions > 0 and not short and "questions" not in story.skipped:
        middle += map(_exchange, rng.sample(QUESTIONS[inbound], min(questions, len(QUESTIONS[inbound]))))
    rng.shuffle(middle)
    return [*beginning, *(line for lines in middle for line in lines), *end]


def _objection(rng: Random, quotes: tuple[str, ...], answer: str, *, handled: bool) -> list[Line]:
    quote = rng.choice(quotes)
    if handled:
        return [("user", quote), ("agent", answer), ("user", rng.choice(ACCEPTED)), ("agent", "Good.")]
    unmoved = rng.choice(UNMOVED[rng.random() < 0.3]).replace("{quote}", quote)
    return [("user", quote), ("agent", answer), ("user", unmoved), ("agent", "I understand.")]


def _exchange(texts: tuple[str, str]) -> list[Line]:
    return [("agent", texts[0]), ("user", texts[1])]


def _timed(rng: Random, lines: list[Line], milliseconds: int, story: Story) -> list[Turn]:
    """Each side speaks for its share of the call, its longer lines for longer; pauses take the rest."""
    shares = {"agent": story.talk, "user": story.listen}
    letters = {role: sum(len(text) for speaker, text in lines if speaker == role) for role in shares}
    pause = milliseconds * (1 - story.talk - story.listen) / (len(lines) + 1)
    interrupting = set(rng.sample(range(1, len(lines)), min(story.interruptions, len(lines) - 1)))
    turns: list[Turn] = []
    clock = pause
    for place, (role, text) in enumerate(lines):
        begin = clock
        if place in interrupting:
            # Not so early that a whole short turn is spoken over.
            before = clock - pause
            length = before - float(str(turns[-1]["start_ms"]))
            begin = before - min(rng.randint(*INTERRUPTED_BY), length / 2)
        end = clock + milliseconds * shares[role] * len(text) / letters[role]
        turns.append({"role": role, "text": text, "start_ms": int(begin), "end_ms": int(end)})
        clock = end + pause
    return turns
