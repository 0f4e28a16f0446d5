"""How long a server asks to wait, in whichever way it says so."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)


def retry_after(headers: Mapping[str, str], default: float, longest: float) -> float:
    """Seconds from now, by `Retry-After` as a number or a date (RFC 9110, section 10.2.3) or by `Retry-After-Ms`.

    Args:
        headers: an answer's; their names in any case.
        default: for an answer that does not say, or not so that it can be read.
        longest: a longer wait is taken for a slip.

    Returns:
        At least a second, lest a moment that has just passed makes us hammer the server.
    """
    milliseconds, asked = headers.get("retry-after-ms", "").strip(), headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(milliseconds):
        seconds = float(milliseconds) / 1000
    elif _NUMBER.fullmatch(asked):
        seconds = float(asked)
    elif (until := _date(asked)) is not None:
        # From the moment that it was said, by the clock of who says it, if that can be read: ours may be another's.
        seconds = (until - (_date(headers.get("date", "")) or datetime.now(UTC))).total_seconds()
    else:
        return default
    return min(max(seconds, 1.0), longest)


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else None
