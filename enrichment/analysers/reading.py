"""A call laid out for the analysis: every sentence, and which of the phrase rules it fulfils."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from enrichment.analysers.rules import told
from enrichment.sentences import plain, sentences
from enrichment.transcripts import Speaker, Transcript

_NOISE = re.compile(r"\[[^\]]*\]|\([^)]*\)|\*[^*]*\*")
_WORD = re.compile(r"\w")


class Sentence(NamedTuple):
    """A sentence as it was said and as rules see it; its place in the call and that of its turn."""

    place: int
    turn: int
    said: str
    plain: str


class Reading:
    """A screened transcript being read. A rule is named `table.rule`, a turn by its place in the transcript."""

    def __init__(self, transcript: Transcript) -> None:
        self.sides = tuple(turn.role for turn in transcript)
        self.said: Mapping[Speaker, list[Sentence]] = {side: [] for side in Speaker}
        self._found: dict[str, list[Sentence]] = defaultdict(list)
        place = 0
        for index, turn in enumerate(transcript):
            for text in sentences(turn.text):
                sentence = Sentence(place, index, text, plain(text))
                self.said[turn.role].append(sentence)
                for rule in told(turn.role, sentence.plain):
                    self._found[rule].append(sentence)
                place += 1

    def find(self, rule: str) -> Sequence[Sentence]:
        """The sentences that say it, in their order."""
        return self._found.get(rule, ())

    def places(self, rule: str) -> set[int]:
        """The places of the sentences that say it."""
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
        return max((found[-1].turn for rule in rules if (found := self.find(rule))), default=-1)

    @property
    def user_spoke(self) -> bool:
        """Whether the user's side said a word; a recogniser's remark such as "[noise]" is none."""
        return any(_WORD.search(_NOISE.sub("", sentence.plain)) for sentence in self.said[Speaker.USER])

    def run(self, start: int, side: Speaker) -> range:
        """The next unbroken turns of one side at or after `start`."""
        while start < len(self.sides) and self.sides[start] is not side:
            start += 1
        stop = start
        while stop < len(self.sides) and self.sides[stop] is side:
            stop += 1
        return range(start, stop)
