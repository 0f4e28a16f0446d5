"""One side of a call as its sentences, laid out so that a pattern passes over all of them at once."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from enrichment.sentences import plain, sentences
from enrichment.transcripts import Speaker, Transcript


class Sentence(NamedTuple):
    """A sentence: its place in the speech, its turn's place in the transcript, its words as said and as matched."""

    place: int
    turn: int
    said: str
    plain: str


class Speech:
    """All that one side says, sentence by sentence."""

    def __init__(self, transcript: Transcript, side: Speaker) -> None:
        said = [(index, said) for index, turn in enumerate(transcript) if turn.role is side
                for said in sentences(turn.text)]  # fmt: skip
        self.sentences: Sequence[Sentence] = [
            Sentence(place, turn, text, plain(text)) for place, (turn, text) in enumerate(said)
        ]
        self.text = "\n".join(sentence.plain for sentence in self.sentences)
        """The plain sentences, one a line. No pattern reaches beyond a line."""
        self._ends = list(accumulate(len(sentence.plain) + 1 for sentence in self.sentences))

    def place_at(self, offset: int) -> int:
        """The place of the sentence that `text` holds at this offset."""
        return bisect_right(self._ends, offset)
