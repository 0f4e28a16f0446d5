"""Tells how the person on the other side felt about the call."""

from functools import lru_cache

from textblob.en import sentiment as read_sentiment

from enrichment.analysers.reading import Reading
from enrichment.analysis import Sentiment
from enrichment.transcripts import Speaker

# A plain sign ("you made my day", "stop wasting my time") counts 1. The dictionary only knows single words, of which
# talk about prices and faults is full, so a whole sentence of them counts less. The end of a call tells most. The
# numbers are the ones that were right most often on tests/enrichment/corpus_dev.jsonl.
_WEIGHT_OF_WORDS = 0.25
_LAST_SENTENCES = 2
_WEIGHT_OF_LAST = 2.0
_POSITIVE_FROM = 1.25
_NEGATIVE_FROM = -1.5


def sentiment(call: Reading) -> Sentiment:
    """How the user's side felt over the whole call; neutral where it gives no clear sign."""
    pleased, annoyed = call.places("feelings.positive"), call.places("feelings.negative")
    spoken = call.said[Speaker.USER]
    end = len(spoken) - _LAST_SENTENCES
    feeling = 0.0
    for index, sentence in enumerate(spoken):
        signs = (sentence.place in pleased) - (sentence.place in annoyed)
        feeling += (signs + _WEIGHT_OF_WORDS * _polarity(sentence.said)) * (_WEIGHT_OF_LAST if index >= end else 1)
    if feeling > _POSITIVE_FROM:
        return Sentiment.POSITIVE
    return Sentiment.NEGATIVE if feeling < _NEGATIVE_FROM else Sentiment.NEUTRAL


@lru_cache(maxsize=20_000)
def _polarity(sentence: str) -> float:
    """What its words alone tell: from -1, bad, to 1, good."""
    polarity, _ = read_sentiment(sentence)
    return float(polarity)
