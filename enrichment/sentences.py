"""Cuts what was said into sentences and brings their many spellings down to one."""

import re
import unicodedata

# A full stop after a title or an initial ends no sentence.
_END = re.compile(r"(?<!\bMr\.)(?<!\bMs\.)(?<!\bDr\.)(?<!\bMrs\.)(?<=[.!?…])[\"'”’)]*\s+|\s*\n\s*")

_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'"})
_UNSPOKEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_CONTRACTIONS = (
    ("won't", "will not"),
    ("can't", "cannot"),
    ("let's", "let us"),
    ("n't", " not"),
    ("'re", " are"),
    ("'ve", " have"),
    ("'ll", " will"),
    ("'m ", " am "),
    ("'d ", " would "),
    ("can not", "cannot"),
)
# What a recogniser of speech writes when it leaves out the apostrophe.
_BARE = {
    "arent": "are not", "cant": "cannot", "couldnt": "could not", "didnt": "did not", "doesnt": "does not",
    "dont": "do not", "hasnt": "has not", "havent": "have not", "im": "i am", "isnt": "is not", "ive": "i have",
    "shouldnt": "should not", "thats": "that's", "theyre": "they are", "wasnt": "was not", "werent": "were not",
    "weve": "we have", "whats": "what's", "wont": "will not", "wouldnt": "would not", "youre": "you are",
}  # fmt: skip
_BARE_WORD = re.compile(rf"\b(?:{'|'.join(_BARE)})\b")


def sentences(text: str) -> list[str]:
    """The sentences of one turn, each a verbatim part of it."""
    return [sentence for sentence in _END.split(text.strip()) if sentence]


def plain(text: str) -> str:
    """The text in small letters, contractions written out, and without characters that nobody hears."""
    if not text.isascii():
        text = _UNSPOKEN.sub("", unicodedata.normalize("NFKC", text)).translate(_APOSTROPHES)
    text = text.lower()
    if "'" in text:
        for short, long in _CONTRACTIONS:
            text = text.replace(short, long)
    return _BARE_WORD.sub(lambda bare: _BARE[bare[0]], text)
