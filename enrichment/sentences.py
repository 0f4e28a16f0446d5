"""Cuts what was said into sentences and brings their many spellings down to one."""

import re
import unicodedata

# A full stop after a title ends no sentence. No database takes NUL, so it ends one rather than reach a quote.
_END = re.compile(r"(?<!\bMr\.)(?<!\bMs\.)(?<!\bDr\.)(?<!\bMrs\.)(?<=[.!?\u2026])[\"'\u201d\u2019)]*\s+|[\n\x00]")

_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'"})
_UNSPOKEN = re.compile("[\u0300-\u036f\u00ad\u200b-\u200f\u2060\u2600-\u27bf\ufe0f\ufeff\U0001f000-\U0001faff]")
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
    ("'s ", " is "),
)
# What a recogniser of speech writes when it leaves out the apostrophe, and the sounds of somebody thinking.
_SHORT = {
    "arent": "are not ", "cant": "cannot ", "couldnt": "could not ", "didnt": "did not ", "doesnt": "does not ",
    "dont": "do not ", "hasnt": "has not ", "havent": "have not ", "im": "i am ", "isnt": "is not ", "ive": "i have ",
    "shouldnt": "should not ", "thats": "that is ", "theyre": "they are ", "wasnt": "was not ", "weve": "we have ",
    "werent": "were not ", "whats": "what is ", "wont": "will not ", "wouldnt": "would not ", "youre": "you are ",
    "er": "", "erm": "", "hm": "", "hmm": "", "uh": "", "uhm": "", "um": "",
}  # fmt: skip
_SHORT_WORD = re.compile(rf"\b({'|'.join(_SHORT)})\b(?:,? |(?=\W|$))")


def sentences(text: str) -> list[str]:
    """The sentences of one turn, each a verbatim part of it."""
    return [sentence for part in _END.split(text) if (sentence := part.strip())]


def plain(text: str) -> str:
    """The text in small letters, contractions written out, without what nobody says on purpose or hears."""
    if not text.isascii():
        text = _UNSPOKEN.sub("", unicodedata.normalize("NFKD", text)).translate(_APOSTROPHES)
    text = " ".join(text.lower().split())
    if "'" in text:
        for short, long in _CONTRACTIONS:
            text = text.replace(short, long)
    return _SHORT_WORD.sub(lambda found: _SHORT[found[1]], text)
