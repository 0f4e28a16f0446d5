"""The funnel: how many calls reach each of the five stages, and the rates between them."""

import strawberry

from resolvers.filters import DateRange, Filters
from resolvers.loaders import Grain
from resolvers.measures import Measured, measured, metric
from resolvers.reader import Reader
from resolvers.scalars import BigInt
from resolvers.selection import Wanted


@measured("The five stages. A stage is never wider than the one before it.")
class FunnelStages(Measured):
    """How many calls reached each stage."""

    total_calls: BigInt
    connected: BigInt = metric("connected_calls")
    conversation: BigInt = metric("conversations_had")
    qualified: BigInt = metric("qualified_leads")
    appointment_booked: BigInt = metric("meetings_booked")


@measured("From each stage to the next.")
class FunnelRates(Measured):
    """The share that each stage passes on."""

    contact_rate: float | None
    connected_to_conversation: float | None
    conversation_to_qualified: float | None
    qualified_to_booked: float | None
    overall_conversion: float | None = metric("overall_conversion_rate")


@strawberry.type(description="From call to appointment.")
class Funnel:
    """The answer."""

    period: DateRange = strawberry.field(description="The days covered.")
    funnel: FunnelStages = strawberry.field(description="The stages.")
    rates: FunnelRates = strawberry.field(description="The rates between them.")


async def funnel(reader: Reader, filters: Filters, wanted: Wanted) -> Funnel:
    """The stages of the range, all from one row."""
    (sums,) = await reader.daily(filters, Grain.RANGE, frozenset().union(*wanted.values()))
    return Funnel(period=DateRange.of(filters), funnel=FunnelStages.of(sums), rates=FunnelRates.of(sums))
