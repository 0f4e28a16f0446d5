"""The campaigns report: how batches get on right now, and what each campaign's calls came to."""

import asyncio
import datetime
from enum import Enum
from typing import Any
from uuid import UUID

import strawberry

from resolvers.errors import BadFilter
from resolvers.filters import Filters
from resolvers.loaders import Grain
from resolvers.measures import Measured, measured, metric, plain
from resolvers.reader import Reader
from resolvers.scalars import BigInt
from resolvers.selection import Wanted
from resolvers.statements import Row, Statement

BATCHES = Statement("batches", days="none")
LIMIT, MOST = 25, 100
FARTHEST = 2**31 - 1


@strawberry.enum(description="Where a batch stands.")
class BatchStatus(Enum):
    """As the database spells it."""

    PENDING = strawberry.enum_value("pending", description="Made, and not begun.")
    SCHEDULED = strawberry.enum_value("scheduled", description="To begin at a set time.")
    PROCESSING = strawberry.enum_value("processing", description="Its contacts are being called.")
    PAUSED = strawberry.enum_value("paused", description="Stopped for now.")
    COMPLETED = strawberry.enum_value("completed", description="Done with all its contacts.")
    FAILED = strawberry.enum_value("failed", description="Ended by an error.")
    CANCELLED = strawberry.enum_value("cancelled", description="Called off.")


@strawberry.type(description="A batch of calls, counted live from its contacts.")
class Batch:
    """How far a batch has got."""

    id: UUID = strawberry.field(description="The batch.")
    agency_id: UUID = strawberry.field(description="Its agency: the caller's own.")
    campaign_id: UUID | None = strawberry.field(description="The campaign it dials for.")
    status: BatchStatus = strawberry.field(description="Where it stands.")
    total_calls: BigInt = strawberry.field(description="Contacts in it.")
    completed_count: BigInt = strawberry.field(description="Contacts that were reached or used up.")
    failed_count: BigInt = strawberry.field(description="Contacts that failed or were skipped.")
    pending_count: BigInt = strawberry.field(description="Contacts still to be called.")
    in_progress_count: BigInt = strawberry.field(description="Contacts being called now.")
    progress_pct: int | None = strawberry.field(
        description="Completed and failed, of all contacts; null while it has none. Unit: percent, whole."
    )
    created_at: datetime.datetime = strawberry.field(description="When it was made.")
    completed_at: datetime.datetime | None = strawberry.field(description="When it ended.")


@measured("What a campaign's calls came to in the range.")
class CampaignStats(Measured):
    """One campaign that has calls in the range."""

    campaign_id: UUID = plain("The campaign.")
    campaign_name: str = plain("Its name.")
    total_calls: BigInt
    completed_calls: BigInt
    connected_calls: BigInt
    meetings_booked: BigInt
    qualified_leads: BigInt
    conversations_had: BigInt
    avg_duration_seconds: int | None
    contact_rate: float | None
    conversion_rate: float | None = metric("overall_conversion_rate")


@strawberry.type(description="Which batches are shown.")
class Pagination:
    """Speaks of the batches; the campaigns' statistics are always complete."""

    total: BigInt = strawberry.field(description="Batches on all pages.")
    limit: int = strawberry.field(description="Batches on a page, at most.")
    offset: int = strawberry.field(description="Batches before this page.")
    has_more: bool = strawberry.field(description="Whether batches follow after this page.")


@strawberry.type(description="Batches right now, and campaigns over a range.")
class Campaigns:
    """The answer."""

    active_batches: list[Batch] = strawberry.field(description="One page of batches, newest first.")
    campaign_stats: list[CampaignStats] = strawberry.field(
        description="The campaigns that have calls in the range, most calls first; calls without one are left out."
    )
    pagination: Pagination = strawberry.field(description="Which batches are shown.")


async def campaigns(
    reader: Reader,
    filters: Filters,
    wanted: Wanted,
    status: BatchStatus | None = None,
    limit: int = LIMIT,
    offset: int = 0,
) -> Campaigns:
    """A page of batches and the range's campaigns, each read only if it is wanted.

    Raises:
        BadFilter: a limit outside 1 to 100, or an offset below 0.
    """
    if not 1 <= limit <= MOST:
        raise BadFilter(f"limit must be 1 to {MOST}, not {limit}", "limit")
    if offset < 0:
        raise BadFilter(f"offset must be 0 or more, not {offset}", "offset")
    stats, batches = await asyncio.gather(
        _stats(reader, filters, wanted), _batches(reader, filters, wanted, status, limit, offset)
    )
    total = BigInt(batches[0]["total"] if batches else 0)
    page = [row for row in batches if row["id"] is not None]
    return Campaigns(
        active_batches=[_batch(row) for row in page],
        campaign_stats=[
            CampaignStats.of(row, campaign_id=row["campaign_id"], campaign_name=row["campaign_name"]) for row in stats
        ],
        pagination=Pagination(total=total, limit=limit, offset=offset, has_more=offset + len(page) < total),
    )


async def _stats(reader: Reader, filters: Filters, wanted: Wanted) -> list[Row]:
    if "campaign_stats" not in wanted:
        return []
    rows = await reader.daily(filters, Grain.CAMPAIGN, wanted["campaign_stats"] | {"total_calls"})
    return sorted(
        (row for row in rows if row["campaign_id"] is not None),
        key=lambda row: (-row["total_calls"], row["campaign_name"], row["campaign_id"]),
    )


async def _batches(
    reader: Reader, filters: Filters, wanted: Wanted, status: BatchStatus | None, limit: int, offset: int
) -> list[Row]:
    if not wanted.keys() & {"active_batches", "pagination"}:
        return []
    narrowed: dict[str, Any] = {"status": status.value} if status else {}
    return [*await reader.read(BATCHES, filters, limit=limit, offset=min(offset, FARTHEST), **narrowed)]


def _batch(row: Row) -> Batch:
    return Batch(
        id=row["id"],
        agency_id=row["agency_id"],
        campaign_id=row["campaign_id"],
        status=BatchStatus(row["status"]),
        total_calls=row["total_calls"],
        completed_count=row["completed_count"],
        failed_count=row["failed_count"],
        pending_count=row["pending_count"],
        in_progress_count=row["in_progress_count"],
        progress_pct=row["progress_pct"],
        created_at=row["created_at"],
        completed_at=row["completed_at"],
    )
