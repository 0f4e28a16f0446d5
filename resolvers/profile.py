"""Who is asking, as they are shown to themselves: their agency and, if they see one only, their client."""

import datetime
from uuid import UUID

import strawberry

from resolvers.filters import Filters
from resolvers.reader import Reader
from resolvers.statements import Statement

VIEWER = Statement("viewer", days="none")


@strawberry.type(description="The agency that all numbers are of.")
class ViewerAgency:
    """The agency."""

    id: UUID = strawberry.field(description="Its id.")
    name: str = strawberry.field(description="Its name.")
    first_call_at: datetime.datetime | None = strawberry.field(
        description="When the first of the calls that the caller may see began; null while there is none."
    )


@strawberry.type(description="The one client that a client role sees.")
class ViewerClient:
    """The client."""

    id: UUID = strawberry.field(description="Its id.")
    name: str = strawberry.field(description="Its name.")


@strawberry.type(name="Viewer", description="Who is asking.")
class Profile:
    """The answer."""

    agency: ViewerAgency = strawberry.field(description="The caller's agency.")
    client: ViewerClient | None = strawberry.field(
        description="The caller's client; null for who sees the whole agency."
    )


async def profile(reader: Reader, filters: Filters) -> Profile | None:
    """None where the agency, or the client that the viewer is narrowed to, has just been deleted."""
    (row,) = await reader.read(VIEWER, filters)
    viewer = reader.viewer
    if row["agency_name"] is None or (viewer.client_id and row["client_name"] is None):
        return None
    return Profile(
        agency=ViewerAgency(id=viewer.agency_id, name=row["agency_name"], first_call_at=row["first_call_at"]),
        client=ViewerClient(id=viewer.client_id, name=row["client_name"]) if viewer.client_id else None,
    )
