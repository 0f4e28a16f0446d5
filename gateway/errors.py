"""How every error is worded for the outside, in the old JSON and in GraphQL; nothing else words them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from graphql import GraphQLError, SourceLocation
from starlette.exceptions import HTTPException
from strawberry.utils.str_converters import to_camel_case

from gateway import missing
from resolvers.errors import AnalyticsError, BadFilter, TimedOut, Unavailable

log = structlog.get_logger()

RETRY_AFTER_SECONDS = 2
OLD_ALLOWED = "GET, HEAD, OPTIONS"
LONGEST_MESSAGE, MOST_LOCATIONS = 1_000, 5
"""Characters of a message and places of a fault that are shown: what was sent is not sent back whole."""

_IN_VARIABLE = re.compile(r"Variable '(\$\w+)' has invalid value(?: at ([^:]+))?:")
_FUNCTIONS = "/functions/"
_IN_SUPABASE_JS = " With supabase-js: functions.invoke('dashboard-overview?period=30d', { method: 'GET' })."


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


class PersistedQueryNotFound(AnalyticsError):
    """A hash under which no document is remembered: the client sends it again, with the document."""

    code = "PERSISTED_QUERY_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotFound")  # the very word that clients look for


class PersistedQueryNotSupported(AnalyticsError):
    """A way to persist documents that is not known here: the client gives it up."""

    code = "PERSISTED_QUERY_NOT_SUPPORTED"

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotSupported")


class WrongHash(AnalyticsError):
    """A document beside a hash that is not its own."""

    code = "PERSISTED_QUERY_HASH_MISMATCH"

    def __init__(self) -> None:
        super().__init__("provided sha does not match query")  # word for word as other servers say it


class WrongMethod(AnalyticsError):
    """A method that the path does not take, or by which no operation of this kind may come."""

    code = "METHOD_NOT_ALLOWED"

    def __init__(self, message: str, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


_STATUS: Mapping[str, int] = {
    BadFilter.code: 400,
    BadRequest.code: 400,
    TooCostly.code: 400,
    # As Apollo Server answers: the first of them is no fault, but half of a dialogue.
    PersistedQueryNotFound.code: 200,
    PersistedQueryNotSupported.code: 200,
    WrongHash.code: 400,
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


def old_json(error: BaseException, request_id: str, path: str) -> dict[str, str]:
    """`{error}`, and for what nobody expected `{error, details}` with the part that failed and the request's id."""
    match error:
        case AnalyticsError():
            return {"error": _sentence(str(error))}
        case HTTPException(status_code=404):
            return {"error": missing.words(path)}
        case HTTPException(status_code=405):
            return {"error": "Only GET is answered here." + (_IN_SUPABASE_JS if path.startswith(_FUNCTIONS) else "")}
        case HTTPException():
            return {"error": _sentence(str(error.detail))}
    part = path.rpartition("/")[2]
    _log_unexpected(error, part)
    return {"error": "Something went wrong on our side.", "details": f"{part} failed; request id {request_id}"}


def document_error(
    code: str, words: str, locations: Sequence[SourceLocation] | None = None, **extensions: object
) -> GraphQLError:
    """A fault of a document that can be remembered without the document."""
    error = GraphQLError(_shortened(_sentence(words)), extensions={**extensions, "code": code})
    error.locations = list(locations[:MOST_LOCATIONS]) if locations else None
    return error


def graphql_error(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """An entry of `errors`, with a stable `extensions.code`; what nobody expected is logged and not shown."""
    original = error.original_error
    while isinstance(original, GraphQLError):
        original = original.original_error
    entry: dict[str, Any] = {"message": _shortened(error.message)}
    if error.locations:
        entry["locations"] = [place.formatted for place in error.locations[:MOST_LOCATIONS]]
    if error.path:
        entry["path"] = error.path
    match original:
        case AnalyticsError():
            entry["message"] = _shortened(_sentence(str(original)))
            entry["extensions"] = _extensions(original, request_id)
        case None | ValueError() | TypeError() if original is None or _is_in_document(error):
            # Found by validation, or by coercing a literal or a variable: worded by graphql-core.
            known = {"code": "GRAPHQL_VALIDATION_FAILED", **(error.extensions or {})}
            if found := _IN_VARIABLE.match(error.message):
                known["argument"] = f"{found[1]}{found[2] or ''}"
            entry["extensions"] = {**known, "requestId": request_id}
        case _:
            part = ".".join(str(step) for step in error.path or ()) or "the request"
            _log_unexpected(original, part)
            entry["message"] = f"Something went wrong on our side; request id {request_id}."
            entry["extensions"] = {"code": AnalyticsError.code, "requestId": request_id}
    return entry


def _is_in_document(error: GraphQLError) -> bool:
    """Whether a scalar refused a value: located in the document, and not on the way to a field's answer."""
    return error.path is None and bool(error.nodes)


def whole_request(error: BaseException, request_id: str) -> dict[str, Any]:
    """A GraphQL answer for a request that never came to be executed."""
    if isinstance(error, AnalyticsError | HTTPException):
        words = str(error.detail if isinstance(error, HTTPException) else error)
        message = words if isinstance(error, WrongHash) else _shortened(_sentence(words))
    else:
        _log_unexpected(error, "the request")
        message = f"Something went wrong on our side; request id {request_id}."
    return {"errors": [{"message": message, "extensions": _extensions(error, request_id)}]}


def _extensions(error: BaseException, request_id: str) -> dict[str, Any]:
    """What a program may want to know of an error: its code, the argument at fault, when to ask again, the request."""
    code = BadRequest.code if isinstance(error, HTTPException) else AnalyticsError.code
    shown: dict[str, Any] = {"code": error.code if isinstance(error, AnalyticsError) else code}
    if isinstance(error, BadFilter) and error.argument:
        shown["argument"] = to_camel_case(error.argument)
    if seconds := headers_of(error).get("Retry-After"):
        shown["retryAfter"] = int(seconds)
    return {**shown, "requestId": request_id}


def _log_unexpected(error: BaseException, part: str) -> None:
    log.error("unexpected error", part=part, exc_info=error)


def _sentence(text: str) -> str:
    word = text.partition(" ")[0]
    # A name (`start_date`, `startDate`) is spelled as it is.
    return text[:1].upper() + text[1:] if word.islower() and "_" not in word else text


def _shortened(text: str) -> str:
    """Both ends of a long text: an echo in a message stands in its middle."""
    if len(text) <= LONGEST_MESSAGE:
        return text
    return f"{text[: LONGEST_MESSAGE // 2]} … {text[3 - LONGEST_MESSAGE // 2 :]}"
