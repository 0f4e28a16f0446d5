"""Whether the process lives, and whether it can answer: for whoever restarts it and whoever sends it traffic."""

from pathlib import Path

import asyncpg
import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.db import Pool
from gateway.errors import RETRY_AFTER_SECONDS
from resolvers.errors import Unavailable

log = structlog.get_logger()

NOT_ADDED_UP = "changes of calls are not being added up; ask `gateway doctor`"

_SQL = Path(__file__).parent / "sql"
_READY = (_SQL / "ready.sql").read_text("utf-8")
_FAILING_FOLDS = (_SQL / "failing_folds.sql").read_text("utf-8")


def health(pool: Pool) -> list[Route]:
    """`GET /livez` and `GET /readyz`, without a token; so what went wrong in the database is logged and not shown."""
    failing = False

    async def livez(_: Request) -> Response:
        return Response(b'{"status":"alive"}', media_type="application/json")

    async def readyz(_: Request) -> Response:
        nonlocal failing
        reason = await _unready(pool)
        if reason is not None:
            return Response(
                orjson.dumps({"status": "not ready", "error": reason}),
                status_code=503,
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
                media_type="application/json",
            )
        error = await _failing_folds(pool)
        if error is not None and not failing:
            log.warning("folds.failing", error=error)
        failing = error is not None
        warnings = {"warnings": [NOT_ADDED_UP]} if failing else {}
        return Response(orjson.dumps({"status": "ready", **warnings}), media_type="application/json")

    return [
        Route("/livez", livez, methods=["GET"], include_in_schema=False),
        Route("/readyz", readyz, methods=["GET"], include_in_schema=False),
    ]


async def _unready(pool: Pool) -> str | None:
    try:
        (row,) = await pool.fetch(_READY)
    except Unavailable as error:
        return str(error)
    except asyncpg.PostgresError as error:
        log.error("database.refuses", error=str(error))  # noqa: TRY400 - the database's words say it all
        return "the database refuses what it is asked; ask `gateway doctor`"
    if row["elsewhere"]:
        return "this role does not look into the schema public, where the tables are; ask `gateway doctor`"
    if row["missing"]:
        return "the database has not the tables that are needed; run `gateway migrate`, or ask `gateway doctor`"
    return "row security hides the rows from this role; ask `gateway doctor`" if row["hidden"] else None


async def _failing_folds(pool: Pool) -> str | None:
    """Why changes are not added up; None where they are, or where that cannot be read, which hinders no report."""
    try:
        rows = await pool.fetch(_FAILING_FOLDS)
    except (Unavailable, asyncpg.PostgresError):
        return None
    return str(rows[0]["error"]) if rows else None
