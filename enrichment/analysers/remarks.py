"""Collects what the user says for and against the offer, and how the agent meets it."""

from enrichment.analysers.reading import Reading, Sentence
from enrichment.analysers.rules import names
from enrichment.analysis import BuyingSignal, Objection
from enrichment.transcripts import Speaker

_LONGEST_QUOTE = 600


def objections(call: Reading) -> tuple[Objection, ...]:
    """What the user said against the offer, in the order it came up."""
    raised = {name: found for name in names("objections") if (found := call.find(f"objections.{name}"))}
    return tuple(
        Objection(text=name, handled=_is_handled(call, name, found[0].turn), quote=_quote(found[0]))
        for name, found in sorted(raised.items(), key=lambda item: item[1][0].place)
    )


def buying_signals(call: Reading) -> tuple[BuyingSignal, ...]:
    """What the user said for the offer, in the order it came up."""
    given = {name: found for name in names("signals") if (found := call.find(f"signals.{name}"))}
    return tuple(
        BuyingSignal(text=name, quote=_quote(found[0]))
        for name, found in sorted(given.items(), key=lambda item: item[1][0].place)
    )


def _quote(sentence: Sentence) -> str:
    return sentence.said[:_LONGEST_QUOTE].strip()


def _is_handled(call: Reading, name: str, raised: int) -> bool:
    """Whether the agent spoke to what was raised in a turn, and the user let it rest after that."""
    answer = call.run(raised + 1, Speaker.AGENT)
    empty, ignoring = call.places("agent.acknowledges"), call.places("agent.ignores")
    told = [
        sentence for sentence in call.said[Speaker.AGENT] if sentence.turn in answer and sentence.place not in empty
    ]
    if not told or any(sentence.turn == told[0].turn and sentence.place in ignoring for sentence in told):
        return False
    if any(sentence.turn >= answer.stop for sentence in call.find(f"objections.{name}")):
        return False
    resists = call.last("outcome.pushes_back", "outcome.refuses", "outcome.dnc")
    content = call.last("outcome.comes_round")
    return all(resists.get(turn, -1) <= content.get(turn, -1) for turn in call.run(answer.stop, Speaker.USER))
