"""Unicode's simple case folding as SQL: `python -m database.casefolding` prints the table of migration 0010 anew.

The table stays as it was released, because stored keys were made by it: foldings that a younger Unicode adds are a
migration of their own, which makes these keys anew.
"""

import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import fill, indent
from typing import NamedTuple

MIGRATION = Path(__file__).parent / "migrations" / "0010_texts.sql"
UNICODE = "16.0"
"""The version of the table. What Python 3.11, which knows 14.0, lacks of it is named below."""

# Letters that fold to another one although `casefold` makes several of each, and `lower` none.
_NEITHER_WAY = {0x1FD3: 0x0390, 0x1FE3: 0x03B0, 0xFB05: 0xFB06}

# Letters of 15.0 to 16.0.
_YOUNGER = {
    0x1C89: 0x1C8A,
    0xA7CB: 0x0264,
    0xA7CC: 0xA7CD,
    0xA7DA: 0xA7DB,
    0xA7DC: 0x019B,
    **{code: code + 0x20 for code in range(0x10D50, 0x10D66)},
}


class Run(NamedTuple):
    """Code points from `first` to `last`, each `step` after the one before, that all fold to the one `offset` away."""

    first: int
    last: int
    step: int
    offset: int


def knows_more() -> bool:
    """Whether this Python's Unicode is younger than the table's, so that it would print another table."""
    return _numbers(unicodedata.unidata_version) > _numbers(UNICODE)


def foldings() -> Mapping[int, int]:
    """What each code point beyond ASCII folds to, if it does: status C or S in CaseFolding.txt, never F or T."""
    found = {code: _folding(chr(code)) for code in range(128, sys.maxunicode + 1)}
    return {code: to for code, to in (found | _NEITHER_WAY | _YOUNGER).items() if to != code}


def runs(pairs: Iterable[tuple[int, int]]) -> list[Run]:
    """The pairs as runs, in the order of code points."""
    found: list[Run] = []
    for code, to in sorted(pairs):
        if found:
            run = found[-1]
            # Capitals stand one after another, or each before its small letter; the second of a run tells which.
            steps = (1, 2) if run.first == run.last else (run.step,)
            if to - code == run.offset and code - run.last in steps:
                found[-1] = Run(run.first, code, code - run.last, run.offset)
                continue
        found.append(Run(code, code, 1, to - code))
    return found


def printed() -> str:
    """The migration's whole text, with the table between its markers as the code has it now."""
    table = runs(foldings().items())
    columns = []
    for place, name in enumerate(Run._fields):
        numbers = fill(", ".join(str(run[place]) for run in table), 100)
        columns.append(f"    '{{\n{indent(numbers, ' ' * 8)}\n    }}'::integer[] as {name}s")
    text = "\n".join([f"-- Unicode {UNICODE}", "select", ",\n".join(columns)])
    return re.sub(
        r"( *)-- casefolding: printed from the code\n.*?\n *-- /casefolding",
        lambda found: indent(f"-- casefolding: printed from the code\n{text}\n-- /casefolding", found[1]),
        MIGRATION.read_text("utf-8"),
        flags=re.DOTALL,
    )


def _folding(letter: str) -> int:
    return next((ord(folded) for folded in (letter.casefold(), letter.lower()) if len(folded) == 1), ord(letter))


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")][:2]


if __name__ == "__main__":
    if knows_more():
        sys.exit(f"This Python knows Unicode {unicodedata.unidata_version}, and the table is of {UNICODE}.")
    MIGRATION.write_text(printed(), "utf-8")
