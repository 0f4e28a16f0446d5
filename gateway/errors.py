"""How every error is worded for the outside, in the old JSON and in GraphQL; nothing else words them."""

from collections.abc import Mapping
from typing import Any

import structlog
from graphql import GraphQLError, GraphQLSyntaxError
from starlette.exceptions import HTTPException

from resolvers.errors import AnalyticsError, BadFilter, TimedOut, Unavailable

log = structlog.get_logger()

RETRY_AFTER_SECONDS = 2
OLD_ALLOWED = "GET, HEAD, OPTIONS"


class SettingsError(Exception):
    """The program cannot start as it is set up; the message says what is missing and what to do."""


class Unauthenticated(AnalyticsError):
    """No token, or one that does not count."""

    code = "UNAUTHENTICATED"


class Forbidden(AnalyticsError):
    """A known user who may see nothing."""

    code = "FORBIDDEN"


class TooManyRequests(AnalyticsError):
    """The user's share is used up."""

    code = "RATE_LIMITED"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"too many requests; try again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


class BadRequest(AnalyticsError):
    """A request that is no GraphQL request."""

    code = "BAD_REQUEST"


class TooLarge(AnalyticsError):
    """A body beyond the limit."""

    code = "BODY_TOO_LARGE"


class TooCostly(AnalyticsError):
    """A document beyond one of the limits."""

    code = "TOO_COSTLY"


class WrongMethod(AnalyticsError):
    """A method that the path does not take."""

    code = "METHOD_NOT_ALLOWED"

    def __init__(self, message: str, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


_STATUS: Mapping[str, int] = {
    BadFilter.code: 400,
    BadRequest.code: 400,
    TooCostly.code: 400,
    Unauthenticated.code: 401,
    Forbidden.code: 403,
    WrongMethod.code: 405,
    TooLarge.code: 413,
    TooManyRequests.code: 429,
    Unavailable.code: 503,
    TimedOut.code: 503,
}


def status_of(error: BaseException) -> int:
    """The HTTP status of an error that stops a whole request."""
    if isinstance(error, HTTPException):
        return error.status_code
    return _STATUS[error.code] if isinstance(error, AnalyticsError) else 500


def headers_of(error: BaseException) -> dict[str, str]:
    """The headers that go with its status."""
    match error:
        case Unauthenticated():
            return {"WWW-Authenticate": "Bearer"}
        case WrongMethod():
            return {"Allow": error.allow}
        case TooManyRequests():
            return {"Retry-After": str(error.retry_after_seconds)}
        case Unavailable():
            return {"Retry-After": str(RETRY_AFTER_SECONDS)}
        case HTTPException(status_code=405):
            return {"Allow": OLD_ALLOWED}
        case HTTPException():
            return dict(error.headers or {})
    return {}


def old_json(error: BaseException, request_id: str, part: str) -> dict[str, str]:
    """`{error}`, and for what nobody expected `{error, details}` with the part that failed and the request's id."""
    match error:
        case AnalyticsError():
            return {"error": _sentence(str(error))}
        case HTTPException(status_code=404):
            return {
                "error": "No such function. The seven are dashboard-overview, -timeseries, -funnel, -campaigns, "
                "-quality, -heatmap and -objections, below /functions/v1/."
            }
        case HTTPException(status_code=405):
            return {
                "error": "Only GET is answered here. With supabase-js: "
                "functions.invoke('dashboard-overview?period=30d', { method: 'GET' })."
            }
        case HTTPException():
            return {"error": _sentence(str(error.detail))}
    _log_unexpected(error, part)
    return {"error": "Something went wrong on our side.", "details": f"{part} failed; request id {request_id}"}


def graphql_error(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """An entry of `errors`, with a stable `extensions.code`; what nobody expected is logged and not shown."""
    original = error.original_error
    while isinstance(original, GraphQLError):
        original = original.original_error
    shown = error.formatted
    entry: dict[str, Any] = {key: value for key, value in shown.items() if key in ("message", "locations", "path")}
    match original:
        case AnalyticsError():
            entry["message"] = _sentence(str(original))
            code = original.code
        case None if isinstance(error, GraphQLSyntaxError):
            code = "GRAPHQL_PARSE_FAILED"
        case None | ValueError() | TypeError() if original is None or _is_in_document(error):
            # Found by validation, or by coercing a literal or a variable: worded by graphql-core.
            code = str((error.extensions or {}).get("code", "GRAPHQL_VALIDATION_FAILED"))
        case _:
            part = ".".join(str(step) for step in error.path or ()) or "the request"
            _log_unexpected(original, part)
            entry["message"] = f"Something went wrong on our side; request id {request_id}."
            code = AnalyticsError.code
    entry["extensions"] = {"code": code}
    return entry


def _is_in_document(error: GraphQLError) -> bool:
    """Whether a scalar refused a value: located in the document, and not on the way to a field's answer."""
    return error.path is None and bool(error.nodes)


def whole_request(error: BaseException, request_id: str) -> dict[str, Any]:
    """A GraphQL answer for a request that never came to be executed."""
    if isinstance(error, AnalyticsError | HTTPException):
        message = _sentence(str(error.detail if isinstance(error, HTTPException) else error))
        code = error.code if isinstance(error, AnalyticsError) else BadRequest.code
    else:
        _log_unexpected(error, "the request")
        message, code = f"Something went wrong on our side; request id {request_id}.", AnalyticsError.code
    return {"errors": [{"message": message, "extensions": {"code": code}}]}


def _log_unexpected(error: BaseException, part: str) -> None:
    log.error("unexpected error", part=part, exc_info=error)


def _sentence(text: str) -> str:
    word = text.partition(" ")[0]
    # A name (`start_date`, `startDate`) is spelled as it is.
    return text[:1].upper() + text[1:] if word.islower() and "_" not in word else text
