"""The hand-written floor: an ASGI handler, a statement a section, rows to dicts to JSON.

HANDLER=raw reads heatmap and objections from the calls, HANDLER=rollups with the gateway's own statements.
"""

import asyncio
import os
from typing import Any

import asyncpg
import orjson

from bench.servers.running import run
from bench.servers.sections import SECTIONS, Answer, Asked, shape_heatmap, shape_objections
from bench.servers.tokens import Passes, days_of, open_pool, today
from bench.statements import statements_of

LABELS = {"LAST_7_DAYS": "7d", "LAST_30_DAYS": "30d", "LAST_90_DAYS": "90d"}
_BORROWED = {
    "heatmap": (
        "query ($filters: HeatmapFilters!) { heatmap(filters: $filters) "
        "{ heatmap { day hour totalCalls connectedCalls meetingsBooked } bestTimes { day } } }",
        shape_heatmap,
    ),
    "objections": (
        "query ($filters: ReportFilters!) { objections(filters: $filters, limit: 10) { "
        "summary { callsAnalyzed totalObjections objectionHandlingRate totalBuyingSignals } "
        "objections { objection count handled handlingRate percentage } buyingSignals { signal count percentage } } }",
        shape_objections,
    ),
}


class Handler:
    """The application."""

    def __init__(self, raw: bool) -> None:
        self._raw = raw
        self._borrowed: dict[tuple[str, Asked], Any] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request, or the server's start and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        request = orjson.loads(body)
        authorization = next(value for name, value in scope["headers"] if name == b"authorization").decode()
        asked = Asked(
            await self._passes.agency(authorization), *days_of(request["period"], today()), LABELS[request["period"]]
        )
        names = request["sections"]
        answers = await asyncio.gather(*(self._section(name, asked, authorization) for name in names))
        answer = orjson.dumps({"data": dict(zip(names, answers, strict=True))}, default=str, option=orjson.OPT_UTC_Z)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _section(self, name: str, asked: Asked, authorization: str) -> Answer:
        if self._raw or name not in _BORROWED:
            return await SECTIONS[name](self._pool, asked)
        document, shape = _BORROWED[name]
        if (name, asked) not in self._borrowed:
            period = next(period for period, label in LABELS.items() if label == asked.label)
            heard = await statements_of(
                os.environ["DATABASE_URL"],
                os.environ["SUPABASE_JWT_SECRET"],
                authorization,
                document,
                {"filters": {"period": period}},
            )
            (self._borrowed[name, asked],) = heard.statements
        sql, arguments = self._borrowed[name, asked]
        answer: Answer = shape(await self._pool.fetch(sql, *arguments))
        return answer

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        self._pool: asyncpg.Pool = await open_pool()
        self._passes = Passes(self._pool)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._pool.close()
        await send({"type": "lifespan.shutdown.complete"})


if __name__ == "__main__":
    run(Handler(raw=os.environ.get("HANDLER", "raw") == "raw"))
