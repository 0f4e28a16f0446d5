"""The memory of one gateway process under thousands of different documents, filters and users."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import asyncpg

from bench.contenders import DAILY, GRAPHQL, OVERVIEW, REUSING, body
from bench.data import SECRET, STANDARD, Agency, fill, new_database, postgres
from bench.load import Job, request
from bench.serving import Started, started
from bench.tables import Table, figure
from gateway.tokens import mint

USERS, DIFFERENT, SECONDS, CONCURRENCY = 3_000, 6_000, 10, 8
_MB = 2**20
_FIELDS = {
    "overview": ("summary", ("totalCalls", "contactRate", "meetingsBooked", "qualifiedLeads", "avgDurationSeconds")),
    "funnel": ("funnel", ("totalCalls", "connected", "conversation", "qualified", "appointmentBooked")),
    "timeseries": ("data", ("date", "totalCalls", "connectedCalls", "meetingsBooked", "avgTalkRatio", "smsSent")),
    "quality": ("trend", ("date", "avgTalkRatio", "interruptions", "completedCalls", "sentimentPositivePct")),
}
_Ask = Callable[[Random], tuple[str, bytes]]
"""Draws a token and a body."""


def main() -> list[Table]:
    """Takes about two minutes."""
    with postgres() as server:
        dsn = asyncio.run(new_database(server, "bench"))
        agency = asyncio.run(fill(dsn, {"agency": STANDARD}))["agency"]
        tokens = [mint(SECRET, user, expires_in=timedelta(hours=1)) for user in asyncio.run(_users(dsn, agency))]

        def document(random: Random) -> tuple[str, bytes]:
            return agency.token, body(_document(random))

        def filters(random: Random) -> tuple[str, bytes]:
            return agency.token, body(DAILY, **_filters(random))

        def user(random: Random) -> tuple[str, bytes]:
            return random.choice(tokens), body(OVERVIEW, filters={"period": "LAST_30_DAYS"})

        def mixed(random: Random) -> tuple[str, bytes]:
            (_, asked), token = random.choice((document, filters))(random), random.choice(tokens)
            return token, asked

        stages: dict[str, tuple[int, _Ask]] = {
            "the same dashboard again and again": (1, lambda _: (agency.token, GRAPHQL["full"])),
            "different documents": (DIFFERENT, document),
            "different campaigns and days": (DIFFERENT, filters),
            "different users": (USERS, user),
            "all of it mixed": (DIFFERENT, mixed),
            "mixed again, all new": (DIFFERENT, mixed),
            "and again": (DIFFERENT, mixed),
        }
        random = Random(4)
        with started(REUSING, dsn, agency) as gateway:
            gateway.ask("full")
            rows = [("one dashboard answered", "", "", figure(gateway.rss_bytes() / _MB))]
            for name, (number, ask) in stages.items():
                answers = _asked(gateway, [ask(random) for _ in range(number)])
                rows.append((name, f"{number:,}", f"{answers:,}", figure(gateway.rss_bytes() / _MB)))
    note = (
        f"Resident memory of one gateway process with default settings; {SECONDS} s a stage, {CONCURRENCY} at a time."
    )
    return [Table("Memory", ("after", "different requests", "answers", "MB"), rows, [note])]


def _asked(gateway: Started, asked: list[tuple[str, bytes]]) -> int:
    requests = [request("/graphql", *one) for one in asked]
    return gateway.load(Job(gateway.port, requests, [None] * len(requests), CONCURRENCY, SECONDS)).answers


def _document(random: Random) -> str:
    """A document that was hardly ever asked before: other reports, fields, names and values."""
    parts = []
    for report in random.sample(sorted(_FIELDS), random.randint(1, 3)):
        inner, fields = _FIELDS[report]
        chosen = " ".join(random.sample(fields, random.randint(1, len(fields))))
        period = random.choice(("TODAY", "LAST_7_DAYS", "LAST_30_DAYS", "LAST_90_DAYS"))
        parts.append(
            f"a{random.randrange(10**6)}: {report}(filters: {{period: {period}}}) {{ {inner} {{ {chosen} }} }}"
        )
    return f"{{ {' '.join(parts)} }}"


def _filters(random: Random) -> dict[str, object]:
    first = datetime.now(UTC).date() - timedelta(days=random.randrange(90))
    days = {"period": "CUSTOM", "startDate": str(first), "endDate": str(first + timedelta(days=random.randrange(30)))}
    filters = days | {"campaignId": str(UUID(int=random.getrandbits(128)))}
    return {"filters": filters, "campaignsFilters": filters}


async def _users(dsn: str, agency: Agency) -> list[UUID]:
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(
        "insert into users (id, agency_id, role) select gen_random_uuid(), $1, 'agency_member'"
        " from generate_series(1, $2) returning id",
        agency.id,
        USERS,
    )
    await connection.close()
    return [row["id"] for row in rows]
