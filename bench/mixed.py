"""Thousands of different requests: other documents, filters and users."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import asyncpg

from bench.contenders import DAILY, OVERVIEW, body
from bench.data import SECRET, Agency
from gateway.tokens import mint

USERS = 3_000
Asked = tuple[str, bytes]
"""A token and a body."""

_FIELDS = {
    "overview": ("summary", ("totalCalls", "contactRate", "meetingsBooked", "qualifiedLeads", "avgDurationSeconds")),
    "funnel": ("funnel", ("totalCalls", "connected", "conversation", "qualified", "appointmentBooked")),
    "timeseries": ("data", ("date", "totalCalls", "connectedCalls", "meetingsBooked", "avgTalkRatio", "smsSent")),
    "quality": ("trend", ("date", "avgTalkRatio", "interruptions", "completedCalls", "sentimentPositivePct")),
}


@dataclass(frozen=True)
class Mixed:
    """Draws requests of one agency's owner or, where users differ, of its members."""

    owner: str
    members: Sequence[str]

    @classmethod
    async def of(cls, dsn: str, agency: Agency) -> "Mixed":
        """Gives the agency so many members more."""
        connection = await asyncpg.connect(dsn)
        rows = await connection.fetch(
            "insert into users (id, agency_id, role) select gen_random_uuid(), $1, 'agency_member'"
            " from generate_series(1, $2) returning id",
            agency.id,
            USERS,
        )
        await connection.close()
        return cls(agency.token, [mint(SECRET, row["id"], expires_in=timedelta(hours=6)) for row in rows])

    def document(self, random: Random) -> Asked:
        """A document that was hardly ever asked before: other reports, fields, names and values."""
        parts = []
        for report in random.sample(sorted(_FIELDS), random.randint(1, 3)):
            inner, fields = _FIELDS[report]
            chosen = " ".join(random.sample(fields, random.randint(1, len(fields))))
            period = random.choice(("TODAY", "LAST_7_DAYS", "LAST_30_DAYS", "LAST_90_DAYS"))
            parts.append(
                f"a{random.randrange(10**6)}: {report}(filters: {{period: {period}}}) {{ {inner} {{ {chosen} }} }}"
            )
        return self.owner, body(f"{{ {' '.join(parts)} }}")

    def filters(self, random: Random) -> Asked:
        """A known document about other days and another campaign, which there is not."""
        first = datetime.now(UTC).date() - timedelta(days=random.randrange(90))
        last = first + timedelta(days=random.randrange(30))
        days = {"period": "CUSTOM", "startDate": str(first), "endDate": str(last)}
        filters = days | {"campaignId": str(UUID(int=random.getrandbits(128)))}
        return self.owner, body(DAILY, filters=filters, campaignsFilters=filters)

    def user(self, random: Random) -> Asked:
        """A known question of one of the members."""
        return random.choice(self.members), body(OVERVIEW, filters={"period": "LAST_30_DAYS"})

    def all(self, random: Random) -> Asked:
        """A document or filters, of one of the members."""
        return random.choice(self.members), random.choice((self.document, self.filters))(random)[1]
