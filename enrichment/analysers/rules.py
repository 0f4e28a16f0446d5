"""Finds in a speech what the phrase files say people say."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from enrichment.analysers.speech import Sentence, Speech

_FILES = Path(__file__).with_name("phrases")
_PART = re.compile(r"<([a-z]+)>")


class Rule:
    """The many ways of saying one thing, and what makes a sentence not mean it after all."""

    def __init__(self, said: Sequence[str], unless: Sequence[str], parts: Mapping[str, str]) -> None:
        self._said = _compiled(said, parts)
        self._unless = _compiled(unless, parts) if unless else None

    def find(self, speech: Speech) -> Iterator[Sentence]:
        """The sentences that say it, in their order."""
        seen = -1
        for match in self._said.finditer(speech.text):
            place = speech.place_at(match.start())
            if place > seen:
                seen = place
                sentence = speech.sentences[place]
                if self._unless is None or not self._unless.search(sentence.plain):
                    yield sentence


def _compiled(patterns: Sequence[str], parts: Mapping[str, str]) -> re.Pattern[str]:
    whole = rf"\b(?:{'|'.join(patterns)})(?:\b|(?<=\?))"
    while _PART.search(whole):
        whole = _PART.sub(lambda part: parts[part[1]], whole)
    return re.compile(whole, re.MULTILINE | re.ASCII)


def read_rules() -> Mapping[str, Mapping[str, Rule]]:
    """Every rule, by the name of its file and its own."""
    tables = {file.stem: tomllib.loads(file.read_text(encoding="utf-8")) for file in _FILES.glob("*.toml")}
    parts = tables.pop("parts")
    return {
        table: {name: Rule(rule["said"], rule.get("unless", ()), parts) for name, rule in rules.items()}
        for table, rules in tables.items()
    }
