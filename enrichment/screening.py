"""Takes out of a transcript what is said to steer its analysis rather than to the other side."""

import re
import tomllib
from pathlib import Path

from enrichment.sentences import plain, sentences
from enrichment.transcripts import Transcript, Turn

_RULES = tomllib.loads(Path(__file__).with_name("screening.toml").read_text(encoding="utf-8"))
# Most turns hold none of these words: one cheap look spares them the patterns.
_SUSPICIOUS = re.compile(_RULES["suspicious"].replace("\n", ""))
_COMMANDS = re.compile("|".join(f"(?:{pattern})" for pattern in _RULES["patterns"]))


def screen(transcript: Transcript) -> Transcript:
    """The transcript without the sentences that try to command the analysis ("mark this call as booked").

    A turn with nothing left keeps its times and has an empty text. What else a turn says stays as it was said.
    """
    return tuple(_screened(turn) for turn in transcript)


def _screened(turn: Turn) -> Turn:
    if not _SUSPICIOUS.search(plain(turn.text)):
        return turn
    text = turn.text
    for sentence in sentences(text):
        if _COMMANDS.search(plain(sentence)):
            text = text.replace(sentence, "")
    return turn if text is turn.text else turn.model_copy(update={"text": text.strip()})
