"""Strawberry as it comes: FastAPI's router, types and resolvers as its guide shows them, a statement a section.

The statements are the hand-written handler's. Nothing is cached: neither documents nor tokens nor users.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import strawberry
from fastapi import FastAPI, Request
from strawberry.fastapi import GraphQLRouter
from strawberry.schema.config import StrawberryConfig

from bench.servers import sections
from bench.servers.plain_strawberry_types import (
    Batch,
    BestTime,
    BuyingSignal,
    Campaigns,
    CampaignsFilters,
    CampaignStats,
    DispositionBreakdown,
    Funnel,
    FunnelRates,
    FunnelStages,
    Heatmap,
    HeatmapFilters,
    HeatmapSlot,
    Objection,
    Objections,
    ObjectionsSummary,
    Overview,
    OverviewPeriod,
    OverviewSummary,
    Pagination,
    Quality,
    QualityDay,
    QualitySummary,
    ReportFilters,
    SentimentDistribution,
    Timeseries,
    TimeseriesDay,
    ToolUsage,
)
from bench.servers.running import run
from bench.servers.sections import SQL, Asked, Row
from bench.servers.tokens import agency_of, days_of, open_pool, today
from resolvers.campaigns import BatchStatus
from resolvers.choices import Choices
from resolvers.freshness import Freshness
from resolvers.heatmap import HeatmapMetric
from resolvers.profile import Profile
from resolvers.scalars import SCALARS, BigInt

T = TypeVar("T")


def _of(cls: type[T], row: Row) -> T:
    """A type filled from the row's columns of the same names."""
    return cls(**{name: row[name] for name in cls.__annotations__})


def _asked(info: strawberry.Info, filters: Any) -> Asked:
    return Asked(info.context["agency"], *days_of(filters.period.name, today()), filters.period.value)


@strawberry.type
class Query:
    @strawberry.field
    async def overview(self, info: strawberry.Info, filters: ReportFilters) -> Overview:
        asked = _asked(info, filters)
        row = await info.context["pool"].fetchrow(SQL["overview"], asked.agency, asked.first_day, asked.last_day)
        return Overview(
            period=OverviewPeriod(start_date=asked.first_day, end_date=asked.last_day, label=asked.label),
            summary=_of(OverviewSummary, row),
            disposition_breakdown=_of(DispositionBreakdown, row),
            tool_usage=_of(ToolUsage, row),
        )

    @strawberry.field
    async def timeseries(self, info: strawberry.Info, filters: ReportFilters) -> Timeseries:
        asked = _asked(info, filters)
        rows = await info.context["pool"].fetch(SQL["timeseries"], asked.agency, asked.first_day, asked.last_day)
        return Timeseries(data=[_of(TimeseriesDay, row) for row in rows])

    @strawberry.field
    async def funnel(self, info: strawberry.Info, filters: ReportFilters) -> Funnel:
        asked = _asked(info, filters)
        row = await info.context["pool"].fetchrow(SQL["funnel"], asked.agency, asked.first_day, asked.last_day)
        return Funnel(funnel=_of(FunnelStages, row), rates=_of(FunnelRates, row))

    @strawberry.field
    async def campaigns(
        self,
        info: strawberry.Info,
        filters: CampaignsFilters,
        # Named by a part of the document that is left out whenever this is measured.
        status: BatchStatus | None = None,
        limit: int = 25,
        offset: int = 0,
    ) -> Campaigns:
        asked, pool = _asked(info, filters), info.context["pool"]
        batches, stats = await asyncio.gather(
            pool.fetch(SQL["batches"], asked.agency, limit),
            pool.fetch(SQL["campaigns"], asked.agency, asked.first_day, asked.last_day),
        )
        total = batches[0]["total"] if batches else 0
        return Campaigns(
            active_batches=[_of(Batch, row) for row in batches],
            campaign_stats=[_of(CampaignStats, row) for row in stats],
            pagination=Pagination(total=total, has_more=total > len(batches)),
        )

    @strawberry.field
    async def quality(self, info: strawberry.Info, filters: ReportFilters) -> Quality:
        asked = _asked(info, filters)
        rows = await info.context["pool"].fetch(SQL["quality"], asked.agency, asked.first_day, asked.last_day)
        whole, *days = rows
        return Quality(
            quality=QualitySummary(
                avg_duration_seconds=whole["avg_duration_seconds"],
                avg_talk_ratio=whole["avg_talk_ratio"],
                avg_script_adherence=whole["avg_script_adherence"],
                objection_handling_rate=whole["objection_handling_rate"],
                sentiment_distribution=_of(SentimentDistribution, whole),
            ),
            trend=[_of(QualityDay, day) for day in days],
        )

    @strawberry.field
    async def heatmap(
        self, info: strawberry.Info, filters: HeatmapFilters, metric: HeatmapMetric = HeatmapMetric.CALLS
    ) -> Heatmap:
        asked = _asked(info, filters)
        rows = await info.context["pool"].fetch(SQL["heatmap"], asked.agency, asked.first_day, asked.last_day)
        best = sorted(rows, key=lambda row: -row["total_calls"])[: sections.BEST]
        return Heatmap(
            heatmap=[_of(HeatmapSlot, row) for row in rows],
            best_times=[
                BestTime(
                    day=row["day"],
                    hour=row["hour"],
                    metric_value=row["total_calls"],
                    label=f"{sections.WEEKDAYS[row['day']]} {row['hour']:02}:00",
                )
                for row in best
            ],
        )

    @strawberry.field
    async def objections(self, info: strawberry.Info, filters: ReportFilters, limit: int = 10) -> Objections:
        asked = _asked(info, filters)
        rows = await info.context["pool"].fetch(SQL["objections"], asked.agency, asked.first_day, asked.last_day, limit)
        shaped = sections.shape_objections(rows)
        summary = shaped["summary"]
        return Objections(
            summary=ObjectionsSummary(
                calls_analyzed=summary["callsAnalyzed"],
                total_objections=summary["totalObjections"],
                objection_handling_rate=summary["objectionHandlingRate"],
                total_buying_signals=summary["totalBuyingSignals"],
            ),
            objections=[
                Objection(
                    objection=text["objection"],
                    count=text["count"],
                    handled=text["handled"],
                    handling_rate=text["handlingRate"],
                    percentage=text["percentage"],
                )
                for text in shaped["objections"]
            ],
            buying_signals=[BuyingSignal(**text) for text in shaped["buyingSignals"]],
        )

    # In the document, and left out of it by a directive whenever this is measured.
    @strawberry.field
    def freshness(self, filters: ReportFilters) -> Freshness | None:
        return None

    @strawberry.field
    def choices(self) -> Choices | None:
        return None

    @strawberry.field
    def viewer(self) -> Profile | None:
        return None


async def _context(request: Request) -> dict[str, Any]:
    pool = request.app.state.pool
    return {"pool": pool, "agency": await agency_of(pool, request.headers["authorization"])}


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.pool = await open_pool()
    yield
    await app.state.pool.close()


def build_app() -> FastAPI:
    """The application."""
    app = FastAPI(lifespan=_lifespan)
    # Freshness is the gateway's own type, and with it the scalar of its counts.
    schema = strawberry.Schema(Query, config=StrawberryConfig(scalar_map={BigInt: SCALARS[BigInt]}))
    app.include_router(GraphQLRouter(schema, context_getter=_context), prefix="/graphql")
    return app


if __name__ == "__main__":
    run(build_app())
