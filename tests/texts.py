"""When two texts are the same text, said once more in Python: what the database's own functions are held against."""

import hashlib
import unicodedata
from uuid import UUID

WHITE_SPACE = frozenset(
    map(
        chr,
        [*range(0x9, 0xE), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000],
    )
)
"""Unicode's property of this name. Python's own `str.split` parts words at four control characters more."""

# Of these the full folding is several letters and `lower` says nothing; the simple folding has one letter for each.
_SIMPLE = {"\u1fd3": "\u0390", "\u1fe3": "\u03b0", "\ufb05": "\ufb06"}


def spelling(written: str) -> str:
    """What is shown of a text: one space for each run of white space, none at either end, and NFC."""
    words = "".join(" " if letter in WHITE_SPACE else letter for letter in written).split(" ")
    return unicodedata.normalize("NFC", " ".join(filter(None, words)))


def simple_folding(letter: str) -> str:
    """The one letter that a letter folds to in CaseFolding.txt, status C or S; itself where it has none."""
    for folded in (_SIMPLE.get(letter, ""), letter.casefold(), letter.lower()):
        if len(folded) == 1:
            return folded
    return letter


def folded(spelled: str) -> str:
    """A spelling without its cases."""
    return unicodedata.normalize("NFC", "".join(map(simple_folding, spelled)))


def key(spelled: str) -> UUID:
    """The same for two spellings of one text."""
    return UUID(bytes=hashlib.sha256(folded(spelled).encode()).digest()[:16])
