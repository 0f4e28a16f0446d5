"""What a report is asked for: a range of UTC days and, within the viewer's own, a campaign and a client."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from typing import TypeVar
from uuid import UUID

import strawberry
from strawberry.types.base import get_object_definition
from strawberry.utils.str_converters import to_camel_case

from resolvers.errors import BadFilter

T = TypeVar("T")

LONGEST_RANGE_DAYS = 1096


@strawberry.enum(description="A range of UTC days that ends today, or a range of one's own.")
class Period(Enum):
    """Valued as the legacy endpoints spell it."""

    TODAY = strawberry.enum_value("today", description="Today so far.")
    LAST_7_DAYS = strawberry.enum_value("7d", description="Seven days, today included.")
    LAST_30_DAYS = strawberry.enum_value("30d", description="Thirty days, today included.")
    LAST_90_DAYS = strawberry.enum_value("90d", description="Ninety days, today included.")
    CUSTOM = strawberry.enum_value("custom", description="From `startDate` to `endDate`, both included.")


@strawberry.enum(description="The ranges of days that the heatmap is made for.")
class HeatmapPeriod(Enum):
    """A subset of Period: below a week, weekdays cannot be compared."""

    LAST_7_DAYS = strawberry.enum_value("7d", description="Seven days, today included.")
    LAST_30_DAYS = strawberry.enum_value("30d", description="Thirty days, today included.")
    LAST_90_DAYS = strawberry.enum_value("90d", description="Ninety days, today included.")


DAYS = {Period.TODAY: 1, Period.LAST_7_DAYS: 7, Period.LAST_30_DAYS: 30, Period.LAST_90_DAYS: 90}


@dataclass(frozen=True)
class Filters:
    """One resolved question: `first_day` to `last_day`, both included, as UTC days."""

    period: Period
    first_day: date
    last_day: date
    campaign_id: UUID | None = None
    client_id: UUID | None = None

    @classmethod
    def of(
        cls,
        period: Period,
        *,
        today: date,
        start_date: date | None = None,
        end_date: date | None = None,
        campaign_id: UUID | None = None,
        client_id: UUID | None = None,
    ) -> "Filters":
        """Resolves a period against `today` (UTC). Dates are read with `Period.CUSTOM` only.

        Raises:
            BadFilter: a custom period without both dates, back to front, or longer than 1,096 days.
        """
        if period is Period.CUSTOM:
            if start_date is None or end_date is None:
                missing = "start_date" if start_date is None else "end_date"
                raise BadFilter("a custom period needs both a start date and an end date, as YYYY-MM-DD", missing)
            if start_date > end_date:
                raise BadFilter(f"the start date {start_date} lies after the end date {end_date}", "start_date")
            if (end_date - start_date).days + 1 > LONGEST_RANGE_DAYS:
                raise BadFilter(
                    f"the range from {start_date} to {end_date} is longer than {LONGEST_RANGE_DAYS:,} days",
                    "start_date",
                )
            first, last = start_date, end_date
        else:
            first, last = today - timedelta(days=DAYS[period] - 1), today
        return cls(period, first, last, campaign_id, client_id)


@strawberry.type(description="The days that an answer covers, both ends included, as UTC days.")
class DateRange:
    """What an answer says of its own range."""

    start_date: date = strawberry.field(description="First day.")
    end_date: date = strawberry.field(description="Last day.")

    @classmethod
    def of(cls, filters: Filters) -> "DateRange":
        """The range these filters resolved to."""
        return cls(start_date=filters.first_day, end_date=filters.last_day)


def narrowing(description: str) -> Callable[[type[T]], type[T]]:
    """Makes a class an input type that is built straight from its values: leaves, which are coerced by then."""

    def decorate(cls: type[T]) -> type[T]:
        made = strawberry.input(cls, description=description)
        definition = get_object_definition(made, strict=True)
        names = {to_camel_case(field.python_name): field.python_name for field in definition.fields}
        definition.from_input = lambda kind, value, _: kind(**{names[name]: given for name, given in value.items()})
        return made

    return decorate


@narrowing("What most reports can be narrowed by. Everything is limited to the caller's agency.")
class ReportFilters:
    """The shared input; the other two differ in what the documentation makes them differ in."""

    period: Period = strawberry.field(default=Period.LAST_7_DAYS, description="Which days.")
    start_date: date | None = strawberry.field(default=None, description="First day; with `period: CUSTOM` only.")
    end_date: date | None = strawberry.field(default=None, description="Last day; with `period: CUSTOM` only.")
    campaign_id: UUID | None = strawberry.field(default=None, description="Only this campaign's calls.")
    client_id: UUID | None = strawberry.field(default=None, description="Only this client's calls.")

    def resolve(self, today: date) -> Filters:
        """The days meant, counted from `today` (UTC).

        Raises:
            BadFilter: dates without `period: CUSTOM`, or what `Filters.of` refuses.
        """
        if self.period is not Period.CUSTOM and (self.start_date or self.end_date):
            raise BadFilter("startDate and endDate go with period: CUSTOM only", "period")
        return Filters.of(
            self.period,
            today=today,
            start_date=self.start_date,
            end_date=self.end_date,
            campaign_id=self.campaign_id,
            client_id=self.client_id,
        )


@narrowing("As ReportFilters, with thirty days as the default.")
class CampaignsFilters(ReportFilters):
    """The campaigns report compares over a month unless told otherwise."""

    period: Period = strawberry.field(
        default=Period.LAST_30_DAYS, description="Which days. Applies to the campaigns' statistics, not to the batches."
    )


@narrowing("What the heatmap can be narrowed by.")
class HeatmapFilters:
    """The heatmap compares weekdays, so it takes whole weeks and more."""

    period: HeatmapPeriod = strawberry.field(default=HeatmapPeriod.LAST_30_DAYS, description="Which days.")
    campaign_id: UUID | None = strawberry.field(default=None, description="Only this campaign's calls.")
    client_id: UUID | None = strawberry.field(default=None, description="Only this client's calls.")

    def resolve(self, today: date) -> Filters:
        """The days meant, counted from `today` (UTC)."""
        period = Period(self.period.value)
        return Filters.of(period, today=today, campaign_id=self.campaign_id, client_id=self.client_id)
