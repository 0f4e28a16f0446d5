"""How often an analyser is right about calls whose facts people have written down."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from enrichment.analysis import Analyser, CallAnalysis, Conversation
from enrichment.transcripts import read_transcript

_NOTHING_TO_FOLLOW = frozenset({"voicemail", "no_answer"})
_NEAR = 0.2 + 1e-9
"""One of the five steps more or less."""


@dataclass(frozen=True)
class Case:
    """A call and what people say is true of it."""

    conversation: Conversation
    labels: Mapping[str, Any]

    @property
    def script_adherence(self) -> float | None:
        """The share of the script's steps that the agent took; None where there was nobody to follow it with."""
        if self.labels["disposition"] in _NOTHING_TO_FOLLOW:
            return None
        steps = self.labels["script_steps"].values()
        return sum(steps) / len(steps)

    def share(self, part: str) -> float | None:
        """The label `part`, in milliseconds, as a share of the call's span, to four decimals."""
        if self.labels[part] is None or not self.labels["span_ms"]:
            return None
        exact = Decimal(self.labels[part]) / self.labels["span_ms"]
        return float(exact.quantize(Decimal("0.0001"), ROUND_HALF_UP))


def read_cases(split: str) -> Sequence[Case]:
    """The corpus' cases of one split, "dev" or "held"."""
    corpus = Path(__file__).with_name(f"corpus_{split}.jsonl")
    lines = (json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines())
    return [
        Case(
            Conversation(
                transcript=read_transcript(json.dumps(line["transcript"])).transcript,
                inbound=line["inbound"],
                end_reason=line["end_reason"],
            ),
            line["labels"],
        )
        for line in lines
    ]


class _Share:
    """How many of those asked about were right."""

    def __init__(self) -> None:
        self.right = self.asked = 0

    def add(self, right: bool) -> None:
        self.right += right
        self.asked += 1

    @property
    def value(self) -> float:
        return self.right / self.asked if self.asked else 1.0


class _Names:
    """Found names against true ones, over all cases together; the value is F1."""

    def __init__(self) -> None:
        self.both = self.total = 0

    def add(self, found: Iterable[str], true: Iterable[str]) -> None:
        have, want = Counter(found), Counter(true)
        self.both += (have & want).total()
        self.total += have.total() + want.total()

    @property
    def value(self) -> float:
        return 2 * self.both / self.total if self.total else 1.0


async def score(analyser: Analyser, cases: Sequence[Case]) -> dict[str, float]:
    """The share of right answers by field, 0 to 1.

    `objections` and `buying_signals` are F1 over names; `objections_handled` asks about the objections found by their
    right name; `script_adherence` is right within one step of five.
    """
    shares = {
        name: _Share()
        for name in (
            "disposition", "sentiment", "objections_handled", "is_qualified_lead", "issue_resolved", "escalated",
            "script_adherence", "talk_ratio", "listen_ratio", "interruptions",
        )
    }  # fmt: skip
    objections, signals = _Names(), _Names()
    for case in cases:
        analysis = await analyser.analyse(case.conversation)
        for name, right in _answers(analysis, case):
            shares[name].add(right)
        found = analysis.understanding
        objections.add((one.text for one in found.objections), (one["text"] for one in case.labels["objections"]))
        signals.add((one.text for one in found.buying_signals), (one["text"] for one in case.labels["buying_signals"]))
    return {
        **{name: share.value for name, share in shares.items()},
        "objections": objections.value,
        "buying_signals": signals.value,
    }


def _answers(analysis: CallAnalysis, case: Case) -> Iterable[tuple[str, bool]]:
    found, labels = analysis.understanding, case.labels
    for name in ("disposition", "sentiment", "is_qualified_lead", "issue_resolved", "escalated"):
        yield name, getattr(found, name) == labels[name]
    handled = {one["text"]: one["handled"] for one in labels["objections"]}
    for objection in found.objections:
        if objection.text in handled:
            yield "objections_handled", objection.handled is handled[objection.text]
    expected, adherence = case.script_adherence, found.script_adherence
    near = adherence is expected if expected is None or adherence is None else abs(adherence - expected) <= _NEAR
    yield "script_adherence", near
    yield "talk_ratio", analysis.timings.talk_ratio == case.share("talk_ms")
    yield "listen_ratio", analysis.timings.listen_ratio == case.share("listen_ms")
    yield "interruptions", analysis.timings.interruptions == labels["interruptions"]
