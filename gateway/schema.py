"""The Query root: seven reports and what they rest on, each handed the reader, the filters and the selection."""

from collections.abc import Iterable
from sys import getsizeof
from typing import Annotated, Any

import strawberry
from graphql import ConstValueNode, GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema_converter import CustomGraphQLEnumType

from gateway import timing
from gateway.context import Context
from gateway.plans import PlannedExecutor
from resolvers.campaigns import LIMIT as BATCHES_LIMIT
from resolvers.campaigns import BatchStatus, Campaigns, campaigns
from resolvers.choices import Choices, choices
from resolvers.errors import BadFilter
from resolvers.filters import CampaignsFilters, Filters, HeatmapFilters, ReportFilters
from resolvers.freshness import Freshness, freshness
from resolvers.funnel import Funnel, funnel
from resolvers.heatmap import Heatmap, HeatmapMetric, heatmap
from resolvers.objections import LIMIT as TEXTS_LIMIT
from resolvers.objections import Objections, objections
from resolvers.overview import Overview, overview
from resolvers.profile import Profile, profile
from resolvers.quality import Quality, quality
from resolvers.scalars import SCALARS
from resolvers.selection import Wanted, selected
from resolvers.timeseries import Timeseries, timeseries

Info = strawberry.Info[Context, None]
Narrowed = Annotated[ReportFilters, strawberry.argument(description="Which calls: by default those of seven days.")]
NarrowedMonth = Annotated[
    CampaignsFilters, strawberry.argument(description="Which calls: by default those of thirty days.")
]
NarrowedWeeks = Annotated[
    HeatmapFilters, strawberry.argument(description="Which calls: by default those of thirty days.")
]


def _asked(info: Info, report: type, filters: ReportFilters | HeatmapFilters) -> tuple[Filters, Wanted]:
    with timing.stop("ask"):
        wanted = info.context.plans.once(
            "wanted", info._raw_info.field_nodes, info.variable_values, lambda: _wanted(report, info)
        )
        try:
            return filters.resolve(info.context.today), wanted
        except BadFilter as error:
            raise BadFilter(str(error), f"filters.{error.argument}") from None


def _wanted(report: type, info: Info) -> tuple[Wanted, int]:
    """What is selected of a report, and no less than the bytes that this takes."""
    wanted = selected(report, info.selected_fields)
    return wanted, 1_000 + sum(getsizeof(name) + getsizeof(metrics) for name, metrics in wanted.items())


# A report is nullable so that one that fails leaves the others of the same dashboard standing.
@strawberry.type(
    description="The seven reports, and what they rest on. Every number is of the caller's agency, and of nothing else."
)
class Query:
    """What can be asked."""

    @strawberry.field(description="What the calls of a range came to.")
    async def overview(self, info: Info, filters: Narrowed = ReportFilters()) -> Overview | None:  # noqa: B008
        asked, wanted = _asked(info, Overview, filters)
        return await overview(info.context.reader, asked, wanted)

    @strawberry.field(description="Every metric day by day, as days or as columns.")
    async def timeseries(self, info: Info, filters: Narrowed = ReportFilters()) -> Timeseries | None:  # noqa: B008
        asked, wanted = _asked(info, Timeseries, filters)
        return await timeseries(info.context.reader, asked, wanted)

    @strawberry.field(description="From call to appointment, in five stages.")
    async def funnel(self, info: Info, filters: Narrowed = ReportFilters()) -> Funnel | None:  # noqa: B008
        asked, wanted = _asked(info, Funnel, filters)
        return await funnel(info.context.reader, asked, wanted)

    @strawberry.field(description="Batches right now, and campaigns over a range.")
    async def campaigns(
        self,
        info: Info,
        filters: NarrowedMonth = CampaignsFilters(),  # noqa: B008
        status: Annotated[
            BatchStatus | None, strawberry.argument(description="Only batches with this status; without it, all.")
        ] = None,
        limit: Annotated[int, strawberry.argument(description="Batches on a page, 1 to 100.")] = BATCHES_LIMIT,
        offset: Annotated[int, strawberry.argument(description="Batches to pass over, 0 or more.")] = 0,
    ) -> Campaigns | None:
        asked, wanted = _asked(info, Campaigns, filters)
        return await campaigns(info.context.reader, asked, wanted, status, limit, offset)

    @strawberry.field(description="How calls were led, for the range and day by day.")
    async def quality(self, info: Info, filters: Narrowed = ReportFilters()) -> Quality | None:  # noqa: B008
        asked, wanted = _asked(info, Quality, filters)
        return await quality(info.context.reader, asked, wanted)

    @strawberry.field(description="At which hours of the week calls are made, answered and turned into meetings.")
    async def heatmap(
        self,
        info: Info,
        filters: NarrowedWeeks = HeatmapFilters(),  # noqa: B008
        metric: Annotated[
            HeatmapMetric, strawberry.argument(description="What makes a time a good one.")
        ] = HeatmapMetric.CALLS,
    ) -> Heatmap | None:
        asked, wanted = _asked(info, Heatmap, filters)
        return await heatmap(info.context.reader, asked, wanted, metric)

    @strawberry.field(description="What people object to, how often that is handled, and what signals an interest.")
    async def objections(
        self,
        info: Info,
        filters: Narrowed = ReportFilters(),  # noqa: B008
        limit: Annotated[int, strawberry.argument(description="Texts in each list, 1 to 100.")] = TEXTS_LIMIT,
    ) -> Objections | None:
        asked, wanted = _asked(info, Objections, filters)
        return await objections(info.context.reader, asked, wanted, limit)

    @strawberry.field(
        description="What the numbers rest on: when they changed, were checked, and what is still to come."
    )
    async def freshness(self, info: Info, filters: Narrowed = ReportFilters()) -> Freshness | None:  # noqa: B008
        asked, wanted = _asked(info, Freshness, filters)
        return await freshness(info.context.reader, asked, wanted)

    @strawberry.field(description="What the filters can be set to: the caller's clients and campaigns.")
    async def choices(self, info: Info) -> Choices | None:
        asked, wanted = _asked(info, Choices, ReportFilters())
        return await choices(info.context.reader, asked, wanted)

    @strawberry.field(description="Who is asking: their agency, and their client if they see one only.")
    async def viewer(self, info: Info) -> Profile | None:
        return await profile(info.context.reader, ReportFilters().resolve(info.context.today))


class ListingEnum(CustomGraphQLEnumType):
    """Strawberry's, which says of a value that is none of its own which there are, instead of guessing."""

    def coerce_input_value(self, input_value: str, hide_suggestions: bool = True) -> Any:  # noqa: ARG002
        """The member of a name in a variable."""
        try:
            return super().coerce_input_value(input_value, hide_suggestions=True)
        except GraphQLError as error:
            raise GraphQLError(self._with_values(error), error.nodes) from None

    def coerce_input_literal(self, value_node: ConstValueNode, hide_suggestions: bool = True) -> Any:  # noqa: ARG002
        """The member of a name in a document."""
        try:
            return super().coerce_input_literal(value_node, hide_suggestions=True)
        except GraphQLError as error:
            raise GraphQLError(self._with_values(error), error.nodes) from None

    def _with_values(self, error: GraphQLError) -> str:
        return f"{error.message} There are: {', '.join(self.values)}."


class Schema(strawberry.Schema):
    """Strawberry's, silent: the endpoint logs what nobody expected, once and with the request's id."""

    def process_errors(self, errors: object, execution_context: object = None) -> None:
        """Logs nothing."""


def build_schema(extensions: Iterable[Any] = ()) -> Schema:
    """The schema, with the extensions that each operation passes."""
    passed: list[type[SchemaExtension]] = list(extensions)
    schema = Schema(
        query=Query,
        extensions=passed,
        execution_context_class=PlannedExecutor,
        config=StrawberryConfig(scalar_map=dict(SCALARS)),
    )
    for kind in schema._schema.type_map.values():
        if isinstance(kind, CustomGraphQLEnumType):
            kind.__class__ = ListingEnum  # Strawberry has no way to say of which class its enums are
    return schema
