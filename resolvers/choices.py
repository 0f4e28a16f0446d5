"""What the filters can be set to: the clients and campaigns that the viewer may see, by name."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import strawberry

from resolvers.filters import Filters
from resolvers.reader import Reader
from resolvers.selection import Wanted
from resolvers.statements import Row, Statement

CLIENTS = Statement("choices_clients", days="none")
CAMPAIGNS = Statement("choices_campaigns", days="none")
MOST = 1_000


@strawberry.type(description="A client that the filters can name.")
class ClientChoice:
    """One client."""

    id: UUID = strawberry.field(description="What `clientId` is set to.")
    name: str = strawberry.field(description="Its name.")


@strawberry.type(description="A campaign that the filters can name.")
class CampaignChoice:
    """One campaign, with or without calls."""

    id: UUID = strawberry.field(description="What `campaignId` is set to.")
    name: str = strawberry.field(description="Its name.")
    client_id: UUID | None = strawberry.field(description="The client it is for.")


@strawberry.type(description="What the filters can be set to.")
class Choices:
    """The answer."""

    clients: list[ClientChoice] = strawberry.field(description=f"The caller's clients by name, {MOST:,} at most.")
    campaigns: list[CampaignChoice] = strawberry.field(description=f"The caller's campaigns by name, {MOST:,} at most.")


async def choices(reader: Reader, filters: Filters, wanted: Wanted) -> Choices:
    """Both lists, each read only if it is wanted."""
    clients, campaigns = await asyncio.gather(
        _rows(reader, CLIENTS, filters, read="clients" in wanted),
        _rows(reader, CAMPAIGNS, filters, read="campaigns" in wanted),
    )
    return Choices(
        clients=[ClientChoice(id=row["id"], name=row["name"]) for row in clients],
        campaigns=[CampaignChoice(id=row["id"], name=row["name"], client_id=row["client_id"]) for row in campaigns],
    )


async def _rows(reader: Reader, statement: Statement, filters: Filters, *, read: bool) -> Sequence[Row]:
    return await reader.read(statement, filters, limit=MOST) if read else ()
