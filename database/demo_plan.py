"""Who the demo is about: agencies, their people, clients and campaigns, and when each kind of campaign calls."""

from typing import NamedTuple
from uuid import NAMESPACE_DNS, UUID, uuid5

DAYS = 90


class Rhythm(NamedTuple):
    """When calls happen (UTC), and how the ones that went through end before anything is booked."""

    inbound: bool
    hours: tuple[float, ...]
    weekdays: tuple[float, ...]
    dispositions: dict[str, float]


class Client(NamedTuple):
    """A company an agency calls for, and what it offers."""

    name: str
    offer: str


class Campaign(NamedTuple):
    """Calls on a mid-week day, the share of conversations that end in a meeting, first and last day of the ninety."""

    name: str | None
    rhythm: str
    client: str | None
    volume: float
    booking: float
    first_day: int = 0
    last_day: int = DAYS - 1

    @property
    def type(self) -> str:
        return "sdr" if self.rhythm == "outreach" else "cs"


class Agency(NamedTuple):
    """A tenant of the demo. A campaign without a name stands for calls to the agency's own line."""

    name: str
    slug: str
    clients: tuple[Client, ...]
    campaigns: tuple[Campaign, ...]
    roles: tuple[str, ...]

    @property
    def established(self) -> bool:
        return len(self.clients) > 1


class DemoUser(NamedTuple):
    """A person of the demo, whose id is the `sub` of a token made for them."""

    id: UUID
    email: str
    role: str
    agency: str | None
    client: str | None


# From 8 in New York to 4 in the afternoon in Los Angeles, with lunch in the middle of the continent.
OFFICE_HOURS = (*[0.0] * 13, 0.45, 1.0, 1.3, 1.25, 0.8, 0.7, 1.0, 1.15, 1.05, 0.75, 0.4)
ROUND_THE_CLOCK = (
    *(0.3, 0.25, 0.2, 0.15, 0.12, 0.1, 0.1, 0.1, 0.12, 0.15, 0.25, 0.4),
    *(0.7, 1.0, 1.2, 1.25, 1.2, 1.05, 1.0, 1.1, 1.05, 0.9, 0.65, 0.45),
)
OFFICE_DAYS = (0.9, 1.08, 1.12, 1.06, 0.82, 0.11, 0.04)
EVERY_DAY = (1.1, 1.05, 1.0, 0.98, 0.95, 0.5, 0.42)

RHYTHMS = {
    "outreach": Rhythm(
        False,
        OFFICE_HOURS,
        OFFICE_DAYS,
        {
            "no_answer": 0.33,
            "voicemail": 0.27,
            "conversation": 0.115,
            "not_interested": 0.11,
            "callback_requested": 0.065,
            "gatekeeper_blocked": 0.055,
            "wrong_number": 0.035,
            "dnc_requested": 0.02,
        },
    ),
    "care": Rhythm(
        False,
        OFFICE_HOURS,
        OFFICE_DAYS,
        {
            "no_answer": 0.27,
            "voicemail": 0.24,
            "conversation": 0.31,
            "callback_requested": 0.08,
            "not_interested": 0.05,
            "wrong_number": 0.035,
            "dnc_requested": 0.015,
        },
    ),
    "support": Rhythm(
        True,
        ROUND_THE_CLOCK,
        EVERY_DAY,
        {"conversation": 0.86, "callback_requested": 0.08, "wrong_number": 0.04, "not_interested": 0.02},
    ),
}

STAFF = ("agency_owner", "agency_admin", "agency_member", "admin")
ROLES = (*STAFF, "client_admin", "client_viewer")

AGENCIES = (
    Agency(
        "Northwind Voice",
        "northwind",
        (
            Client("Brightline Solar", "rooftop solar"),
            Client("Cobalt Payroll", "payroll"),
            Client("Fernwood Dental", "dental cover"),
            Client("Summit Fleet", "fleet tracking"),
        ),
        (
            Campaign("New Customer Outreach", "outreach", "Brightline Solar", 84, 0.060),
            Campaign("Trial Follow-up", "outreach", "Cobalt Payroll", 56, 0.072),
            Campaign("Win-back", "outreach", "Brightline Solar", 48, 0.038, 18),
            Campaign("Renewals", "care", "Summit Fleet", 40, 0.030),
            Campaign("Fleet Managers West", "outreach", "Summit Fleet", 64, 0.048, 34),
            Campaign("Clinic Introductions", "outreach", "Fernwood Dental", 44, 0.055, 9),
            Campaign("Partner Recruiting", "outreach", None, 22, 0.045, 26),
            Campaign("Trade Show Leads", "outreach", "Cobalt Payroll", 90, 0.066, 40, 61),
            Campaign("Customer Support", "support", "Brightline Solar", 26, 0.008),
            Campaign("Patient Line", "support", "Fernwood Dental", 17, 0.010, 9),
            Campaign(None, "support", None, 3, 0.0),
        ),
        ROLES,
    ),
    Agency(
        "Harbor & Pine",
        "harborpine",
        (
            Client("Lakeside Insurance", "business insurance"),
            Client("Meridian Software", "inventory software"),
            Client("Oakridge Home Services", "home maintenance"),
        ),
        (
            Campaign("New Customer Outreach", "outreach", "Lakeside Insurance", 72, 0.046),
            Campaign("Demo Requests", "outreach", "Meridian Software", 46, 0.078),
            Campaign("Renewals", "care", "Lakeside Insurance", 34, 0.028, 5),
            Campaign("Spring Tune-up", "outreach", "Oakridge Home Services", 40, 0.052, 47),
            Campaign("Dormant Accounts", "outreach", "Meridian Software", 30, 0.034, 15, 70),
            Campaign("Customer Support", "support", "Oakridge Home Services", 20, 0.012),
        ),
        ROLES,
    ),
    Agency(
        "Sprout Studio",
        "sprout",
        (Client("Juniper Yoga", "yoga for offices"),),
        (Campaign("New Customer Outreach", "outreach", "Juniper Yoga", 7, 0.05, DAYS - 6),),
        ("agency_owner",),
    ),
)

_MAILBOXES = {
    "agency_owner": "owner",
    "agency_admin": "admin",
    "agency_member": "member",
    "client_admin": "client.admin",
    "client_viewer": "client.viewer",
    "admin": "platform",
}
_NAMESPACE = uuid5(NAMESPACE_DNS, "voice-analytics-gateway.example")


def demo_user_id(slug: str, role: str) -> UUID:
    """The id of the demo's person of that role at that agency, the same in every demo."""
    return uuid5(_NAMESPACE, f"{slug}/{role}")


DEMO_USERS = (
    *(
        DemoUser(
            demo_user_id(agency.slug, role),
            f"{_MAILBOXES[role]}@{agency.slug}.example",
            role,
            agency.slug,
            agency.clients[0].name if role.startswith("client_") else None,
        )
        for agency in AGENCIES
        for role in agency.roles
    ),
    DemoUser(demo_user_id("nowhere", "agency_member"), "newcomer@nowhere.example", "agency_member", None, None),
)
DEMO_OWNER_ID = demo_user_id("northwind", "agency_owner")
