"""Seven rows: a name, the parameters taken beside the shared ones, the report and its old shape."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from resolvers.campaigns import LIMIT as BATCHES_LIMIT
from resolvers.campaigns import MOST as BATCHES_MOST
from resolvers.campaigns import BatchStatus, Campaigns, campaigns
from resolvers.filters import Filters, HeatmapPeriod, Period
from resolvers.funnel import Funnel, funnel
from resolvers.heatmap import Heatmap, HeatmapMetric, heatmap
from resolvers.objections import LIMIT as TEXTS_LIMIT
from resolvers.objections import MOST as TEXTS_MOST
from resolvers.objections import Objections, objections
from resolvers.overview import Overview, overview
from resolvers.quality import Quality, quality
from resolvers.reader import Reader
from resolvers.selection import everything
from resolvers.timeseries import Timeseries, timeseries
from rest_compat import shapes
from rest_compat.params import Params

PREFIX = "/functions/v1/dashboard-"
STATUSES = tuple(status for status in BatchStatus if status is not BatchStatus.CANCELLED)
Report = Callable[[Reader, Filters, Params], Awaitable[Any]]


@dataclass(frozen=True)
class Row:
    """One endpoint."""

    name: str
    report: Report
    answer: type
    """What the report answers."""
    shape: Any
    summary: str
    periods: type[Enum] = Period
    default_period: str = "7d"
    extras: tuple[str, ...] = ()
    """Parameters of its own, as `openapi.EXTRAS` describes them."""


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
    Row("overview", _overview, Overview, shapes.Overview, "What the calls of a range came to"),
    Row("timeseries", _timeseries, Timeseries, shapes.Timeseries, "Every metric day by day", extras=("metrics",)),
    Row("funnel", _funnel, Funnel, shapes.Funnel, "From call to appointment"),
    Row(
        "campaigns",
        _campaigns,
        Campaigns,
        shapes.Campaigns,
        "Batches right now, and campaigns over a range",
        default_period="30d",
        extras=("status", "batches", "offset"),
    ),
    Row("quality", _quality, Quality, shapes.Quality, "How calls were led"),
    Row(
        "heatmap",
        _heatmap,
        Heatmap,
        shapes.Heatmap,
        "The best times to call",
        periods=HeatmapPeriod,
        default_period="30d",
        extras=("metric",),
    ),
    Row("objections", _objections, Objections, shapes.Objections, "Objections and buying signals", extras=("texts",)),
)
