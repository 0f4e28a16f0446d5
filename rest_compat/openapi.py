"""The OpenAPI document of the seven endpoints, made from their rows."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from resolvers.campaigns import LIMIT as BATCHES_LIMIT
from resolvers.campaigns import MOST as BATCHES_MOST
from resolvers.objections import LIMIT as TEXTS_LIMIT
from resolvers.objections import MOST as TEXTS_MOST
from rest_compat.params import OFFSET_MOST
from rest_compat.rows import PREFIX, ROWS, Row
from rest_compat.schemas import Schema, reference, schemas

DESCRIPTION = """\
The dashboard's seven reports for clients of the legacy endpoints. GraphQL answers the same reports at `/graphql`.

- **Whose numbers.** Each number is of the caller's agency, which the access token alone decides; an id of another
  agency finds nothing.
- **Numbers.** Percentages run from 0 to 100 with one decimal, ratios from 0 to 1 with four; ties round half away from
  zero. Where there is nothing to divide by, the number is 0.
- **Days** are UTC days.
- **Parameters.** An empty parameter counts as absent, an unknown one is ignored, and one that is given twice is
  refused, unless it is a list. A slash at the end of a path means nothing.
- **Errors** are `{"error": "…"}`, and say what is wrong and what is accepted. `X-Request-Id` names the request in the
  server's log.
- **Again.** An answer has an `ETag`; with `If-None-Match` it is sent again only if it has changed. With
  `Accept-Encoding: gzip` answers of 1,000 bytes and more come packed.
"""


def document() -> dict[str, Any]:
    """The whole document, in an order that is always the same."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Voice analytics gateway",
            "version": version("voice-analytics-gateway"),
            "description": DESCRIPTION,
            "contact": {"name": "Whoever runs this gateway"},
            "license": {"name": "MIT", "url": "https://opensource.org/license/mit"},
        },
        "servers": [{"url": "/", "description": "This gateway."}],
        "security": [{"bearer": []}],
        "tags": [{"name": "reports", "description": "What the calls of an agency came to."}],
        "paths": {PREFIX + row.name: _path(row) for row in ROWS},
        "components": {
            "schemas": schemas(),
            "parameters": _SHARED,
            "headers": _HEADERS,
            "responses": _RESPONSES,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A Supabase access token.",
                }
            },
        },
    }


def _path(row: Row) -> dict[str, Any]:
    common = {"tags": ["reports"], "summary": row.summary, "description": _words(row)}
    ok = {"description": "The report.", "headers": _named("ETag", "Cache-Control", "Vary", *_ALWAYS)}
    content = {"schema": reference(row.shape.__name__), "example": _examples()[row.name]}
    return {
        "parameters": _parameters(row),
        "get": {
            "operationId": f"dashboard_{row.name}",
            **common,
            "responses": {"200": {**ok, "content": {"application/json": content}}, **_references(_OF_GET)},
        },
        "head": {
            "operationId": f"dashboard_{row.name}_head",
            **common,
            "summary": f"{row.summary}: the headers alone",
            "responses": {"200": ok, **_references(_OF_HEAD)},
        },
    }


def _words(row: Row) -> str:
    words = (row.answer.__strawberry_definition__.description or "").rstrip(".")  # type: ignore[attr-defined]
    return f"{words}. Without parameters: of the last {row.default_period.removesuffix('d')} days, today included."


def _parameters(row: Row) -> list[Schema]:
    period = _query("period", "Which days.", {**reference(row.periods.__name__), "default": row.default_period})
    dates = ["start_date", "end_date"] if "custom" in {member.value for member in row.periods} else []
    shared = [*dates, "campaign_id", "client_id"]
    headers = ["If-None-Match", "X-Request-Id"]
    return [
        period,
        *({"$ref": f"#/components/parameters/{name}"} for name in shared),
        *(EXTRAS[name] for name in row.extras),
        *({"$ref": f"#/components/parameters/{name}"} for name in headers),
    ]


def _query(name: str, description: str, schema: Schema, **more: Any) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema, **more}


def _limit(default: int, most: int, words: str) -> Schema:
    return _query(
        "limit",
        f"{words}. More than {most} is lowered to {most}.",
        {"type": "integer", "format": "int64", "minimum": 1, "default": default},
    )


EXTRAS: Mapping[str, Schema] = {
    "metrics": _query(
        "metrics",
        "The metrics wanted, separated by commas or each in a parameter of its own; all 33 without any.",
        {"type": "array", "items": reference("MetricName")},
        style="form",
        explode=False,
    ),
    "status": _query("status", "Only batches with this status.", reference("BatchStatusFilter")),
    "batches": _limit(BATCHES_LIMIT, BATCHES_MOST, "Batches on a page"),
    "offset": _query(
        "offset",
        "Batches to pass over.",
        {"type": "integer", "format": "int64", "minimum": 0, "maximum": OFFSET_MOST, "default": 0},
    ),
    "metric": _query("metric", "What makes a time a good one.", {**reference("HeatmapMetric"), "default": "calls"}),
    "texts": _limit(TEXTS_LIMIT, TEXTS_MOST, "Texts in each list"),
}
"""What single endpoints take, under the names that their rows give."""

_DAY: Schema = {"type": "string", "format": "date", "examples": ["2026-02-16"]}
_ID: Schema = {"type": "string", "format": "uuid"}
_SHARED: Mapping[str, Schema] = {
    "start_date": _query("start_date", "First day; read, and required, with `period=custom` only.", _DAY),
    "end_date": _query("end_date", "Last day, included; read, and required, with `period=custom` only.", _DAY),
    "campaign_id": _query("campaign_id", "Only this campaign's calls.", _ID),
    "client_id": _query("client_id", "Only this client's calls.", _ID),
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` of the answer at hand.",
        "schema": {"type": "string"},
    },
    "X-Request-Id": {
        "name": "X-Request-Id",
        "in": "header",
        "description": "A name for this request: up to 64 letters, digits, dots, dashes and underscores.",
        "schema": {"type": "string"},
    },
}


def _header(description: str, kind: str = "string", **more: Any) -> Schema:
    return {"description": description, "required": True, "schema": {"type": kind, **more}}


_ALWAYS = ("X-Request-Id", "Server-Timing")
_HEADERS: Mapping[str, Schema] = {
    "ETag": _header("Names this answer, packed or not.", examples=['W/"4f0d6b9c2a7e51c8b3d0a9f6e7c81b25"']),
    "Cache-Control": _header("It may be kept by the caller alone, and given again only after asking."),
    "Vary": _header("The headers of the request that the answer depends on."),
    "X-Request-Id": _header("The request's name in the server's log: the caller's, or one of the server's."),
    "Server-Timing": _header("What took how many milliseconds."),
    "Retry-After": _header("Seconds to wait.", "integer", minimum=1),
    "WWW-Authenticate": _header("How to say who asks: `Bearer`."),
    "Allow": _header("The methods that are answered."),
}


def _named(*names: str) -> dict[str, Schema]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _error(description: str, example: Mapping[str, str], *headers: str) -> dict[str, Any]:
    schema = reference("ServerError" if "details" in example else "Error")
    return {
        "description": description,
        "headers": _named(*headers, *_ALWAYS),
        "content": {"application/json": {"schema": schema, "example": example}},
    }


_RESPONSES: Mapping[str, Any] = {
    "NotModified": {
        "description": "The answer is still the one that `If-None-Match` names.",
        "headers": _named("ETag", "Cache-Control", "Vary", *_ALWAYS),
    },
    "BadRequest": _error(
        "A parameter is not what it may be.",
        {"error": "Period '1d' is not known; accepted: today, 7d, 30d, 90d, custom"},
    ),
    "Unauthorized": _error(
        "The bearer token is missing or invalid.",
        {"error": "The access token has expired"},
        "WWW-Authenticate",
    ),
    "Forbidden": _error("The user is unknown, or has no agency.", {"error": "This user belongs to no agency"}),
    "NotFound": _error("There is no such function.", {"error": "No such function. The seven are …"}),
    "MethodNotAllowed": _error("The method is not GET.", {"error": "Only GET is answered here."}, "Allow"),
    "TooManyRequests": _error("Too many requests.", {"error": "Too many requests; try again in 20 s"}, "Retry-After"),
    "ServerError": _error(
        "Anything else.",
        {
            "error": "Something went wrong on our side.",
            "details": "dashboard-overview failed; request id 2f6b1a1e4c0d4d0f9a3e5b7c8d9e0f1a",
        },
    ),
    "Unavailable": _error(
        "The database is away or too slow.", {"error": "The answer took longer than 10 s"}, "Retry-After"
    ),
    "ErrorOfHead": {"description": "As for GET, without a body.", "headers": _named(*_ALWAYS)},
}
_OF_GET: Mapping[str, str] = {
    "304": "NotModified",
    "400": "BadRequest",
    "401": "Unauthorized",
    "403": "Forbidden",
    "404": "NotFound",
    "405": "MethodNotAllowed",
    "429": "TooManyRequests",
    "500": "ServerError",
    "503": "Unavailable",
}
_OF_HEAD: Mapping[str, str] = {"304": "NotModified", "4XX": "ErrorOfHead", "5XX": "ErrorOfHead"}


def _references(responses: Mapping[str, str]) -> dict[str, Schema]:
    return {status: {"$ref": f"#/components/responses/{name}"} for status, name in responses.items()}


@cache
def _examples() -> Mapping[str, Any]:
    examples: Mapping[str, Any] = orjson.loads((Path(__file__).parent / "examples.json").read_bytes())
    return examples
