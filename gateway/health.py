"""Whether the process lives, and whether it can answer: for whoever restarts it and whoever sends it traffic."""

from pathlib import Path

import asyncpg
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.db import Pool
from gateway.errors import RETRY_AFTER_SECONDS
from resolvers.errors import Unavailable

_READY = (Path(__file__).parent / "sql" / "ready.sql").read_text("utf-8")


def health(pool: Pool) -> list[Route]:
    """`GET /livez` and `GET /readyz`, without a token."""

    async def livez(_: Request) -> Response:
        return Response(b'{"status":"alive"}', media_type="application/json")

    async def readyz(_: Request) -> Response:
        reason = await _unready(pool)
        if reason is None:
            return Response(b'{"status":"ready"}', media_type="application/json")
        return Response(
            orjson.dumps({"status": "not ready", "error": reason}),
            status_code=503,
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            media_type="application/json",
        )

    return [
        Route("/livez", livez, methods=["GET"], include_in_schema=False),
        Route("/readyz", readyz, methods=["GET"], include_in_schema=False),
    ]


async def _unready(pool: Pool) -> str | None:
    try:
        (row,) = await pool.fetch(_READY)
    except Unavailable as error:
        return str(error)
    except asyncpg.PostgresError:
        return "the database has not the tables that are needed; run `gateway migrate`, or ask `gateway doctor`"
    return "row security hides the rows from this role; ask `gateway doctor`" if row["hidden"] else None
