"""Tells what of the phrase files a sentence says."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from enrichment.transcripts import Speaker

_FILES = Path(__file__).with_name("phrases")
_PART = re.compile(r"<([a-z]+)>")
_AGENTS = "agent."


class _Rule:
    """The many ways of saying one thing, and what makes a sentence not mean it after all."""

    def __init__(self, said: Sequence[str], unless: Sequence[str], parts: Mapping[str, str]) -> None:
        self._said = _compiled(said, parts)
        self._unless = _compiled(unless, parts) if unless else None

    def says(self, plain: str) -> bool:
        """Whether a sentence, as `enrichment.sentences.plain` gives it, says it."""
        return bool(self._said.search(plain)) and not (self._unless and self._unless.search(plain))


def _compiled(patterns: Sequence[str], parts: Mapping[str, str]) -> re.Pattern[str]:
    whole = rf"\b(?:{'|'.join(patterns)})(?:\b|(?<=\?))"
    while _PART.search(whole):
        whole = _PART.sub(lambda part: parts[part[1]], whole)
    # Plain text has lost its accents; without the whole of Unicode to think of, matching takes a fifth less time.
    return re.compile(whole, re.ASCII)


def _read() -> Mapping[str, _Rule]:
    """Every rule by its name, `table.rule`; the table is the name of its file, or of the folder around it."""
    parts = tomllib.loads((_FILES / "parts.toml").read_text(encoding="utf-8"))
    files = sorted(file for file in _FILES.rglob("*.toml") if file.stem != "parts")
    return {
        f"{file.stem if file.parent == _FILES else file.parent.name}.{name}": _Rule(
            rule["said"], rule.get("unless", ()), parts
        )
        for file in files
        for name, rule in tomllib.loads(file.read_text(encoding="utf-8")).items()
    }


_RULES = _read()
_BY_SIDE = {
    side: {name: rule for name, rule in _RULES.items() if name.startswith(_AGENTS) is (side is Speaker.AGENT)}
    for side in Speaker
}


def names(table: str) -> Sequence[str]:
    """The names of a table's rules without the table's own."""
    return tuple(name.removeprefix(f"{table}.") for name in _RULES if name.startswith(f"{table}."))


# Greetings, farewells and what an agent was taught to say come back in every call.
@lru_cache(maxsize=20_000)
def told(side: Speaker, plain: str) -> frozenset[str]:
    """The names of all the rules that a side's sentence fulfils."""
    return frozenset(name for name, rule in _BY_SIDE[side].items() if rule.says(plain))
