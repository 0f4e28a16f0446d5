"""The GraphQL endpoint: GraphQL over HTTP as its specification says, for both of its media types."""

from functools import lru_cache
from typing import Any

import orjson
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send
from strawberry.types import ExecutionResult

from gateway import timing
from gateway.context import Context, Gate
from gateway.documents import Checked, Documents
from gateway.errors import (
    BadRequest,
    TooLarge,
    WrongMethod,
    document_error,
    graphql_error,
    headers_of,
    status_of,
    whole_request,
)
from gateway.memory import Memory
from gateway.operations import Operations
from gateway.pages import Pages
from gateway.persisted import PERSISTED, persisted
from gateway.schema import Schema
from gateway.settings import Settings
from gateway.turns import Slices
from resolvers.errors import Unavailable

PATH = "/graphql"
JSON = "application/json"
RESPONSE_JSON = "application/graphql-response+json"
ALLOWED = "GET, HEAD, POST, OPTIONS"
LONGEST_REMEMBERED = 200
"""Bytes of an Accept header: a browser's are fewer."""

_KINDS = (
    ("query", str, "a GraphQL document as a string"),
    ("variables", dict, "an object"),
    ("extensions", dict, "an object"),
    ("operationName", str, "a string"),
)


class GraphQLEndpoint:
    """Answers one request at a time; holds nothing of any of them."""

    def __init__(self, schema: Schema, gate: Gate, pages: Pages, settings: Settings) -> None:
        memory = Memory(settings.graphql_remembered_bytes)
        self._schema = schema
        self._documents = Documents(schema._schema, settings, memory)
        slices = Slices(settings.burst_limit)
        self._operations = Operations(schema, memory, slices, suggests=settings.introspection)
        self._gate = gate
        self._pages = pages
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As an ASGI application, so that every method comes here and is answered in GraphQL's own words."""
        headers = scope["state"]["headers"]
        media_type = _media_type(headers.get(b"accept", b""))
        try:
            if scope["method"] not in ("GET", "HEAD", "POST"):
                raise WrongMethod(f"{scope['method']} is not answered here; use POST, or GET with ?query=", ALLOWED)
            if self._wants_explorer(scope):
                await self._pages.explorer()(scope, receive, send)
                return
            context = await self._gate.admit(scope)
            with timing.stop("parse"):
                asked = await self._asked(scope, receive)
                extensions = asked.get("extensions") or {}
                if (named := extensions.get(PERSISTED)) is None:
                    checked = await self._documents.of(asked["query"], context.viewer)
                else:
                    checked = await persisted(named, asked.get("query"), self._documents, context.viewer)
            result = await self._execute(checked, asked, context, scope["method"])
        except Exception as error:  # noqa: BLE001  every error of a whole request is worded in one place
            scope["state"]["has_errors"] = True
            status, more, body = status_of(error), headers_of(error), whole_request(error, scope["state"]["request_id"])
        else:
            if result.errors:
                scope["state"]["has_errors"] = True
            status, more, body = _shaped(result, media_type, scope["state"]["request_id"])
            if extensions.get("cost") is True and checked.cost is not None:
                cost = {"requested": checked.cost, "limit": self._settings.graphql_max_cost}
                body["extensions"] = {"cost": cost}
        with timing.stop("shape"):
            content = orjson.dumps(body)
        started = {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-length", b"%d" % len(content)),
                (b"content-type", media_type.encode()),
                *((name.lower().encode(), value.encode()) for name, value in more.items()),
            ],
        }
        await send(started)
        await send({"type": "http.response.body", "body": content})

    def _wants_explorer(self, scope: Scope) -> bool:
        return (
            self._settings.graphiql
            and scope["method"] in ("GET", "HEAD")
            and not {"query", "extensions"} & QueryParams(scope["query_string"]).keys()
            and b"text/html" in scope["state"]["headers"].get(b"accept", b"")
        )

    async def _asked(self, scope: Scope, receive: Receive) -> dict[str, Any]:
        """The four parameters of a GraphQL request, checked for their kinds."""
        if scope["method"] == "POST":
            content_type: bytes = scope["state"]["headers"].get(b"content-type", b"")
            if content_type.partition(b";")[0].strip().lower() != JSON.encode():
                raise HTTPException(415, f"the body's Content-Type must be {JSON}; forms and files are not taken")
            asked = _json(await self._body(receive), "the body")
            if not isinstance(asked, dict):
                raise BadRequest("the body must be one JSON object; a batch is not answered: send one request each")
        else:
            asked = dict(QueryParams(scope["query_string"]))
            for name in ("variables", "extensions"):
                if asked.get(name):
                    asked[name] = _json(asked[name], name)
        for name, kind, words in _KINDS:
            if asked.get(name) is not None and not isinstance(asked[name], kind):
                raise BadRequest(f"`{name}` must be {words}")
        if not (asked.get("query") or "").strip() and not (asked.get("extensions") or {}).get(PERSISTED):
            raise BadRequest("`query` is missing: it must be a GraphQL document as a string")
        return asked

    async def _body(self, receive: Receive) -> bytes:
        most, body, more = self._settings.graphql_max_body_bytes, b"", True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise BadRequest("the body ended early")  # nobody hears it, and nothing of ours failed
            body += message.get("body", b"")
            if len(body) > most:
                raise TooLarge(f"the body is larger than {most:,} bytes")
            more = message.get("more_body", False)
        return body

    async def _execute(self, checked: Checked, asked: dict[str, Any], context: Context, method: str) -> ExecutionResult:
        name = asked.get("operationName") or None
        if checked.errors or checked.document is None:
            if checked.other_kind and method != "POST":
                raise WrongMethod(f"a {checked.other_kind} is not answered here", ALLOWED)  # as the specification says
            return ExecutionResult(data=None, errors=list(checked.errors))
        if not checked.has_operation(name):
            words = "the document has no such operation; name one of several with `operationName`"
            return ExecutionResult(data=None, errors=[document_error(BadRequest.code, words)])
        answer = await self._operations.answer(checked, asked, context)
        if answer is not None:
            return answer
        context.document = checked.document
        return await self._schema.execute(
            checked.text, variable_values=asked.get("variables"), operation_name=name, context_value=context
        )


def _shaped(result: ExecutionResult, media_type: str, request_id: str) -> tuple[int, dict[str, str], dict[str, Any]]:
    """The status, the headers that go with it, and the body."""
    if not result.errors and result.data is not None:
        return 200, {}, {"data": result.data}
    errors = result.errors or []
    body: dict[str, Any] = {"errors": [graphql_error(error, request_id) for error in errors]} if errors else {}
    if result.data is None:
        # Nothing was executed: reports are nullable, so that none of them can take the others with it.
        return 400 if media_type == RESPONSE_JSON else 200, {}, body
    away = next((error.original_error for error in errors if isinstance(error.original_error, Unavailable)), None)
    if away and not any(result.data.values()):
        # Nothing was answered, the database being away: said where proxies can see it. An answer with `data` would
        # have to be a 200.
        return status_of(away), headers_of(away), body
    return 200, {}, {**body, "data": result.data}


def _json(text: bytes | str, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"{what} is not JSON: {error}") from None


def _media_type(accept: bytes) -> str:
    """The media type that the client likes best; plain JSON for one that does not say."""
    return (_liked if len(accept) <= LONGEST_REMEMBERED else _liked.__wrapped__)(accept)


@lru_cache(maxsize=100)
def _liked(accept: bytes) -> str:
    liked = {JSON: 0.0, RESPONSE_JSON: 0.0}
    for entry in accept.decode("latin-1").split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        if name in liked:
            try:
                liked[name] = float(quality)
            except ValueError:
                liked[name] = 0.0
    return RESPONSE_JSON if liked[RESPONSE_JSON] > 0 and liked[RESPONSE_JSON] >= liked[JSON] else JSON
