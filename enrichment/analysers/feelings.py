"""Tells how the person on the other side felt about the call."""

from textblob.en import sentiment as read_sentiment

from enrichment.analysers.reading import Reading
from enrichment.analysis import Sentiment

# A plain sign ("you made my day", "stop wasting my time") counts 1. The dictionary only knows single words, of which
# talk about prices and faults is full, so a whole sentence of them counts less. The end of a call tells most. The
# numbers are the ones that were right most often on the "dev" calls of tests/enrichment/corpus.jsonl.
_WEIGHT_OF_WORDS = 0.25
_LAST_SENTENCES = 2
_WEIGHT_OF_LAST = 2.0
_POSITIVE_FROM = 1.25
_NEGATIVE_FROM = -1.5


def sentiment(call: Reading) -> Sentiment:
    """How the user's side felt over the whole call; neutral where it gives no clear sign."""
    pleased, annoyed = call.places("feelings.positive"), call.places("feelings.negative")
    end = len(call.user.sentences) - _LAST_SENTENCES
    feeling = 0.0
    for place, _, said, _ in call.user.sentences:
        polarity, _ = read_sentiment(said)
        signs = (place in pleased) - (place in annoyed)
        feeling += (signs + _WEIGHT_OF_WORDS * polarity) * (_WEIGHT_OF_LAST if place >= end else 1)
    if feeling > _POSITIVE_FROM:
        return Sentiment.POSITIVE
    return Sentiment.NEGATIVE if feeling < _NEGATIVE_FROM else Sentiment.NEUTRAL
