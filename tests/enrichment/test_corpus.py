"""The labelled corpus is sound: what it says can be read, and its two halves have no wording in common."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from enrichment.analysis import BuyingSignal, Disposition, Objection, Sentiment
from enrichment.transcripts import Speaker, Transcript, read_transcript

Call = dict[str, Any]

_STEPS = {"introduced", "stated_purpose", "asked_questions", "proposed_next_step", "said_goodbye"}
_SPLITS = ("dev", "held")
_CALLS: list[Call] = [
    json.loads(line)
    for split in _SPLITS
    for line in Path(__file__).with_name(f"corpus_{split}.jsonl").read_text("utf-8").splitlines()
]


def _turns(call: Call) -> Transcript:
    return read_transcript(json.dumps(call["transcript"])).transcript


def _said_by_users(call: Call) -> list[str]:
    return [turn.text for turn in _turns(call) if turn.role is Speaker.USER]


def test_every_call_can_be_read_and_every_label_is_one_of_ours() -> None:
    assert len({call["id"] for call in _CALLS}) == len(_CALLS)
    for call in _CALLS:
        labels = call["labels"]
        assert call["split"] in _SPLITS
        assert _turns(call)
        assert Disposition(labels["disposition"])
        assert Sentiment(labels["sentiment"])
        assert set(labels["script_steps"]) == _STEPS
        flags = [labels[name] for name in ("is_qualified_lead", "issue_resolved", "escalated")]
        assert all(isinstance(flag, bool) for flag in [*flags, *labels["script_steps"].values(), call["inbound"]])


def test_every_objection_and_signal_is_quoted_word_for_word() -> None:
    for call in _CALLS:
        labels, said = call["labels"], _said_by_users(call)
        found = [Objection(**each) for each in labels["objections"]] + [
            BuyingSignal(**each) for each in labels["buying_signals"]
        ]
        assert all(each.quote and any(each.quote in text for text in said) for each in found), call["id"]
        assert len({(type(each), each.text) for each in found}) == len(found), call["id"]


def test_each_half_has_enough_of_every_disposition() -> None:
    counts = Counter((call["split"], call["labels"]["disposition"]) for call in _CALLS)
    assert all(counts[split, disposition] >= 10 for split in _SPLITS for disposition in Disposition)


def test_the_halves_share_no_longer_utterance() -> None:
    dev, held = ({t.casefold() for c in _CALLS if c["split"] == s for t in _said_by_users(c)} for s in _SPLITS)
    assert not {text for text in dev & held if len(text) > 25}
