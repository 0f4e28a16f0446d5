"""The seven endpoints: from a request that may pass to the old JSON."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Protocol

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from resolvers.reader import Reader
from rest_compat.params import Params
from rest_compat.rows import PREFIX, ROWS, Row


class Admitted(Protocol):
    """What a request that may pass is answered with."""

    @property
    def reader(self) -> Reader:
        """Its road to rows."""

    @property
    def today(self) -> date:
        """The UTC day that periods count back from."""


def routes(admit: Callable[[Request], Awaitable[Admitted]]) -> APIRouter:
    """The seven endpoints, for requests that `admit` lets pass."""
    router = APIRouter()
    for row in ROWS:
        router.add_api_route(
            PREFIX + row.name, _endpoint(row, admit), methods=["GET", "HEAD"], name=f"dashboard-{row.name}"
        )
    return router


def _endpoint(row: Row, admit: Callable[[Request], Awaitable[Admitted]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        admitted = await admit(request)
        params = Params(request.query_params, row.periods, row.default_period)
        answer = await row.report(admitted.reader, params.filters(admitted.today), params)
        return Response(orjson.dumps(answer), media_type="application/json")

    return endpoint
