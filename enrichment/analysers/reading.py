"""A call laid out for the rules: both sides' speech, and what of the phrase rules each of them says."""

import re
from collections.abc import Mapping, Sequence

from enrichment.analysers.rules import read_rules
from enrichment.analysers.speech import Sentence, Speech
from enrichment.transcripts import Speaker, Transcript

_RULES = read_rules()
_NOISE = re.compile(r"\[[^\]]*\]|\([^)]*\)|\*[^*]*\*")
_WORD = re.compile(r"\w")


class Reading:
    """A screened transcript being read. A rule is named `table.rule`; a turn by its place in the transcript."""

    def __init__(self, transcript: Transcript) -> None:
        self.sides = tuple(turn.role for turn in transcript)
        self.agent = Speech(transcript, Speaker.AGENT)
        self.user = Speech(transcript, Speaker.USER)
        self._found: dict[str, Sequence[Sentence]] = {}

    def find(self, rule: str) -> Sequence[Sentence]:
        """The sentences that say it, in their order."""
        found = self._found.get(rule)
        if found is None:
            table, _, name = rule.partition(".")
            speech = self.agent if table == "agent" else self.user
            found = self._found[rule] = tuple(_RULES[table][name].find(speech))
        return found

    def places(self, rule: str) -> set[int]:
        """The places, in its speech, of the sentences that say it."""
        return {sentence.place for sentence in self.find(rule)}

    def last(self, *rules: str) -> Mapping[int, int]:
        """The turns that say one of these, each with the place of the last sentence in it that does."""
        last: dict[int, int] = {}
        for rule in rules:
            for sentence in self.find(rule):
                last[sentence.turn] = max(sentence.place, last.get(sentence.turn, -1))
        return last

    def last_turn(self, *rules: str) -> int:
        """The last turn that says one of these; -1 if none does."""
        return max(self.last(*rules), default=-1)

    @property
    def user_spoke(self) -> bool:
        """Whether the user's side said a word; a recogniser's remark such as "[noise]" is none."""
        return bool(_WORD.search(_NOISE.sub("", self.user.text)))

    def run(self, start: int, side: Speaker) -> range:
        """The next unbroken turns of one side at or after `start`."""
        while start < len(self.sides) and self.sides[start] is not side:
            start += 1
        stop = start
        while stop < len(self.sides) and self.sides[stop] is side:
            stop += 1
        return range(start, stop)


def names(table: str) -> Sequence[str]:
    """The names of a table's rules, in the file's order."""
    return tuple(_RULES[table])
