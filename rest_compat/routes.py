"""Seven rows: a path, the parameters it takes beside the shared ones, its report and its old shape."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

import orjson
from fastapi import APIRouter, Security
from starlette.requests import Request
from starlette.responses import Response

from resolvers.campaigns import LIMIT as BATCHES_LIMIT
from resolvers.campaigns import MOST as BATCHES_MOST
from resolvers.campaigns import BatchStatus, Campaigns, campaigns
from resolvers.filters import Filters, HeatmapPeriod
from resolvers.funnel import Funnel, funnel
from resolvers.heatmap import Heatmap, HeatmapMetric, heatmap
from resolvers.objections import LIMIT as TEXTS_LIMIT
from resolvers.objections import MOST as TEXTS_MOST
from resolvers.objections import Objections, objections
from resolvers.overview import Overview, overview
from resolvers.quality import Quality, quality
from resolvers.reader import Reader
from resolvers.selection import everything
from resolvers.timeseries import timeseries
from rest_compat import openapi, shapes
from rest_compat.params import PERIODS, Params

PREFIX = "/functions/v1/dashboard-"
HEATMAP_PERIODS = tuple(str(period.value) for period in HeatmapPeriod)
STATUSES = tuple(status for status in BatchStatus if status is not BatchStatus.CANCELLED)


class Admitted(Protocol):
    """What a request that may pass is answered with."""

    @property
    def reader(self) -> Reader:
        """Its road to rows."""

    @property
    def today(self) -> date:
        """The UTC day that periods count back from."""


Report = Callable[[Reader, Filters, Params], Awaitable[Any]]


@dataclass(frozen=True)
class Row:
    """One endpoint."""

    name: str
    report: Report
    shape: Any
    summary: str
    periods: tuple[str, ...] = PERIODS
    default_period: str = "7d"
    extras: tuple[dict[str, Any], ...] = ()


async def _overview(reader: Reader, filters: Filters, _: Params) -> Any:
    return shapes.shaped(shapes.Overview, await overview(reader, filters, everything(Overview)))


async def _timeseries(reader: Reader, filters: Filters, params: Params) -> Any:
    metrics = params.metrics()
    answer = await timeseries(reader, filters, {"data": frozenset(metrics)})
    return shapes.shaped(shapes.Timeseries, answer, only=metrics)


async def _funnel(reader: Reader, filters: Filters, _: Params) -> Any:
    return shapes.shaped(shapes.Funnel, await funnel(reader, filters, everything(Funnel)))


async def _campaigns(reader: Reader, filters: Filters, params: Params) -> Any:
    status = params.enum("status", BatchStatus, STATUSES)
    limit, offset = params.limit(BATCHES_LIMIT, BATCHES_MOST), params.offset()
    answer = await campaigns(reader, filters, everything(Campaigns), status, limit, offset)
    return shapes.shaped(shapes.Campaigns, answer)


async def _quality(reader: Reader, filters: Filters, _: Params) -> Any:
    return shapes.shaped(shapes.Quality, await quality(reader, filters, everything(Quality)))


async def _heatmap(reader: Reader, filters: Filters, params: Params) -> Any:
    metric = params.enum("metric", HeatmapMetric, tuple(HeatmapMetric)) or HeatmapMetric.CALLS
    return shapes.shaped(shapes.Heatmap, await heatmap(reader, filters, everything(Heatmap), metric))


async def _objections(reader: Reader, filters: Filters, params: Params) -> Any:
    limit = params.limit(TEXTS_LIMIT, TEXTS_MOST)
    return shapes.shaped(shapes.Objections, await objections(reader, filters, everything(Objections), limit))


ROWS = (
    Row("overview", _overview, shapes.Overview, "What the calls of a range came to"),
    Row("timeseries", _timeseries, shapes.Timeseries, "Every metric day by day", extras=(openapi.METRICS_PARAMETER,)),
    Row("funnel", _funnel, shapes.Funnel, "From call to appointment"),
    Row(
        "campaigns",
        _campaigns,
        shapes.Campaigns,
        "Batches right now, and campaigns over a range",
        default_period="30d",
        extras=(
            openapi.choice("status", [str(status.value) for status in STATUSES], "Only batches with this status."),
            openapi.limit(BATCHES_LIMIT, BATCHES_MOST, "Batches on a page"),
            openapi.OFFSET,
        ),
    ),
    Row("quality", _quality, shapes.Quality, "How calls were led"),
    Row(
        "heatmap",
        _heatmap,
        shapes.Heatmap,
        "The best times to call",
        periods=HEATMAP_PERIODS,
        default_period="30d",
        extras=(
            openapi.choice(
                "metric", [str(metric.value) for metric in HeatmapMetric], "What makes a time a good one.", "calls"
            ),
        ),
    ),
    Row(
        "objections",
        _objections,
        shapes.Objections,
        "Objections and buying signals",
        extras=(openapi.limit(TEXTS_LIMIT, TEXTS_MOST, "Texts in each list"),),
    ),
)


def routes(admit: Callable[[Request], Awaitable[Admitted]]) -> APIRouter:
    """The seven endpoints, for requests that `admit` lets pass."""
    router = APIRouter(dependencies=[Security(openapi.BEARER)])
    for row in ROWS:
        endpoint = _endpoint(row, admit)
        router.add_api_route(
            PREFIX + row.name,
            endpoint,
            methods=["GET"],
            name=f"dashboard-{row.name}",
            operation_id=f"dashboard_{row.name}",
            summary=row.summary,
            responses=openapi.responses(row.shape),
            openapi_extra=openapi.operation(row.periods, row.default_period, row.extras),
        )
        router.add_api_route(PREFIX + row.name, endpoint, methods=["HEAD"], include_in_schema=False)
    return router


def _endpoint(row: Row, admit: Callable[[Request], Awaitable[Admitted]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        admitted = await admit(request)
        params = Params(request.query_params, row.periods, row.default_period)
        answer = await row.report(admitted.reader, params.filters(admitted.today), params)
        return Response(orjson.dumps(answer), media_type="application/json")

    return endpoint
