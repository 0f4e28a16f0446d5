"""Who asks: the one thing that decides which rows may be read."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from uuid import UUID


class Role(StrEnum):
    """A user's role in their agency."""

    AGENCY_OWNER = "agency_owner"
    AGENCY_ADMIN = "agency_admin"
    AGENCY_MEMBER = "agency_member"
    CLIENT_ADMIN = "client_admin"
    CLIENT_VIEWER = "client_viewer"
    ADMIN = "admin"

    @property
    def sees_one_client(self) -> bool:
        """Whether this role sees only its own client's numbers."""
        return self in (Role.CLIENT_ADMIN, Role.CLIENT_VIEWER)


@dataclass(frozen=True)
class Viewer:
    """A user whose token was checked. `client_id` is set exactly when the role sees one client only."""

    user_id: UUID
    agency_id: UUID
    role: Role
    client_id: UUID | None = None

    def __post_init__(self) -> None:
        if self.role.sees_one_client != (self.client_id is not None):
            raise ValueError("a client role sees one client, every other role the whole agency")

    @cached_property
    def scope(self) -> str:
        """What those who are shown the same have in common: agency, role and, if they see only one, client."""
        return f"{self.agency_id} {self.role} {self.client_id}"
