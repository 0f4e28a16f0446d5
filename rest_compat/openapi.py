"""What OpenAPI says of the seven endpoints beyond their answers: parameters, errors, the token."""

from collections.abc import Collection, Sequence
from typing import Any

from fastapi.security import HTTPBearer

from resolvers.metrics import METRICS, TIMESERIES_METRICS
from rest_compat import shapes
from rest_compat.params import OFFSET_MOST

BEARER = HTTPBearer(scheme_name="bearer", bearerFormat="JWT", description="A Supabase access token.", auto_error=False)
"""Describes the token; whether it counts is judged elsewhere."""

METRICS_WORDS = "\n".join(f"- `{name}`: {METRICS[name].sentence}" for name in TIMESERIES_METRICS)

METRICS_PARAMETER: dict[str, Any] = {
    "name": "metrics",
    "in": "query",
    "description": f"The metrics wanted, separated by commas; all 33 without it.\n\n{METRICS_WORDS}",
    "style": "form",
    "explode": False,
    "schema": {"type": "array", "minItems": 1, "items": {"type": "string", "enum": list(TIMESERIES_METRICS)}},
}


def choice(name: str, accepted: Collection[str], words: str, default: str | None = None) -> dict[str, Any]:
    """A parameter with one of a few values."""
    schema: dict[str, Any] = {"type": "string", "enum": list(accepted)}
    if default:
        schema["default"] = default
    return {"name": name, "in": "query", "description": words, "schema": schema}


def limit(default: int, most: int, words: str) -> dict[str, Any]:
    """How many, at most."""
    return {
        "name": "limit",
        "in": "query",
        "description": f"{words}. More than {most} is lowered to {most}.",
        "schema": {"type": "integer", "minimum": 1, "default": default},
    }


OFFSET: dict[str, Any] = {
    "name": "offset",
    "in": "query",
    "description": "Batches to pass over.",
    "schema": {"type": "integer", "format": "int64", "minimum": 0, "maximum": OFFSET_MOST, "default": 0},
}


def operation(periods: Sequence[str], default: str, extras: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The shared parameters and an endpoint's own."""
    shared = [choice("period", periods, "Which UTC days; `Nd` is N days, today included.", default)]
    if "custom" in periods:
        shared += [
            {
                "name": name,
                "in": "query",
                "description": f"{words} day as YYYY-MM-DD; read, and required, with `period=custom` only.",
                "schema": {"type": "string", "format": "date"},
            }
            for name, words in (("start_date", "First"), ("end_date", "Last"))
        ]
    shared += [
        {"name": name, "in": "query", "description": words, "schema": {"type": "string", "format": "uuid"}}
        for name, words in (("campaign_id", "Only this campaign's calls."), ("client_id", "Only this client's calls."))
    ]
    return {"parameters": [*shared, *extras]}


def responses(shape: Any) -> dict[int | str, dict[str, Any]]:
    """The answer and every error, all JSON."""
    retry = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    return {
        200: {"model": shape, "description": "The report."},
        400: {"model": shapes.Error, "description": "A parameter is not what it may be."},
        401: {"model": shapes.Error, "description": "The bearer token is missing or invalid."},
        403: {"model": shapes.Error, "description": "The user is unknown, or has no agency."},
        405: {"model": shapes.Error, "description": "The method is not GET."},
        429: {"model": shapes.Error, "description": "Too many requests.", "headers": retry},
        500: {"model": shapes.ServerError, "description": "Anything else."},
        503: {"model": shapes.Error, "description": "The database is away or too slow.", "headers": retry},
    }
