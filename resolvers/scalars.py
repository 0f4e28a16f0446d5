"""The scalars of the schema, stricter than Python's own parsers."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import NewType
from uuid import UUID

import strawberry
from strawberry.types.scalar import ScalarDefinition

BigInt = NewType("BigInt", int)
"""A count or a sum. What a column of 32 bits holds fits an Int of GraphQL; what it adds up to need not."""
LEAST_BIG, MOST_BIG = -(2**63), 2**63 - 1

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def parse_day(text: object) -> date:
    """A real day written as YYYY-MM-DD.

    Raises:
        ValueError: anything else, the other forms of ISO 8601 included.
    """
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        raise ValueError("a day is written YYYY-MM-DD")
    return date.fromisoformat(text)


def parse_uuid(text: object) -> UUID:
    """An id in the usual form of 8-4-4-4-12 hexadecimal digits.

    Raises:
        ValueError: anything else.
    """
    if not isinstance(text, str) or not _UUID.fullmatch(text):
        raise ValueError("an id is a UUID, like 123e4567-e89b-12d3-a456-426614174000")
    return UUID(text)


def show_time(moment: datetime) -> str:
    """A moment as ISO 8601 in UTC with `Z`."""
    return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def whole(value: object) -> int:
    """A whole number of up to 64 bits, which is what the database adds up to and JSON's writer writes.

    Raises:
        ValueError: anything else, a truth value included.
    """
    if value.__class__ is not int or not LEAST_BIG <= value <= MOST_BIG:
        raise ValueError("a whole number of up to 64 bits is needed")
    return value


def _parse_time(text: object) -> datetime:
    if not isinstance(text, str):
        raise TypeError("a moment is written as ISO 8601")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment needs its offset from UTC")
    return moment


SCALARS: Mapping[object, ScalarDefinition] = {
    date: strawberry.scalar(
        name="Date",
        description="A UTC day, YYYY-MM-DD.",
        serialize=date.isoformat,
        parse_value=parse_day,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment as ISO 8601, in UTC with `Z`.",
        serialize=show_time,
        parse_value=_parse_time,
    ),
    UUID: strawberry.scalar(
        name="UUID",
        description="An id: 8-4-4-4-12 hexadecimal digits.",
        serialize=str,
        parse_value=parse_uuid,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A count or a sum: a whole number of up to 64 bits, shown as a JSON number. Beyond 2^53 - 1 "
        "JavaScript's numbers lose precision.",
        serialize=whole,
        parse_value=whole,
    ),
}
