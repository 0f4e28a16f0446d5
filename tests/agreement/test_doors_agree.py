"""For random facts and filters REST equals GraphQL equals a recount from raw calls in plain SQL, for all seven."""

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

from tests.agreement import recount
from tests.agreement.recount import Question, Recount, in_order, new, old, selection, snaked
from tests.given import NOW
from tests.running import Running

TODAY = NOW.date()
# Around the ends of the four periods, and far outside of all.
DAYS = (-500, -91, -90, -89, -88, -31, -30, -29, -28, -8, -7, -6, -5, -3, -1, 0, 0, 0, 1)
TIMES = (time(0), time(0, 0, 0, 1), time(23, 59, 59, 999_999), time(11, 30), time(12), time(12, 59, 59), time(17, 15))
DISPOSITIONS = (
    *("voicemail", "callback_requested", "not_interested", "wrong_number", "dnc_requested"),
    *("gatekeeper_blocked", "no_answer", "conversation", "appointment_booked"),
)
# The same words in several cases and spacings, words that sort by case, and what is no text at all.
TEXTS = (
    *("Too expensive", "too expensive", " TOO  expensive ", "Too\texpensive\n", "No time", "no time", "NO TIME "),
    *("Zu teuer für uns", "ZU TEUER FÜR UNS", "apple", "Banana", "cherry pie", "", "   ", None),
)
RATIOS = [Decimal(text) for text in ("0", "1", "0.5", "0.00005", "0.12345", "0.33333", "0.66665")]
CONTACTS = ("pending", "queued", "in_progress", "completed", "failed", "skipped")
STATUSES = ("pending", "scheduled", "processing", "paused", "completed", "failed")
PERIODS = {
    "today": "TODAY",
    "7d": "LAST_7_DAYS",
    "30d": "LAST_30_DAYS",
    "90d": "LAST_90_DAYS",
    "custom": "CUSTOM",
}
NAMES = ("Spring", "spring", "Autumn", "Ärger", "Spring")
Whose = tuple[str, int] | None

COLUMNS = selection("timeseries").partition("data { date ")[2].removesuffix("}")
DOCUMENT = f"""
query ($filters: ReportFilters!, $month: CampaignsFilters!, $weeks: HeatmapFilters!, $metric: HeatmapMetric!,
       $status: BatchStatus, $limit: Int!, $offset: Int!, $texts: Int!) {{
    overview(filters: $filters) {{ {selection("overview")} }}
    timeseries(filters: $filters) {{ {selection("timeseries")} columns {{ date {COLUMNS} }} }}
    funnel(filters: $filters) {{ {selection("funnel")} }}
    campaigns(filters: $month, status: $status, limit: $limit, offset: $offset) {{ {selection("campaigns")} }}
    quality(filters: $filters) {{ {selection("quality")} }}
    heatmap(filters: $weeks, metric: $metric) {{ {selection("heatmap")} }}
    objections(filters: $filters, limit: $texts) {{ {selection("objections")} }}
}}
"""


@dataclass(frozen=True)
class Facts:
    """One agency's, its clients and campaigns by number; a call is a kind of call and how often it was made."""

    clients: int
    campaigns: Sequence[tuple[str, int | None]]
    batches: Sequence[Mapping[str, Any]]
    calls: Sequence[tuple[Mapping[str, Any], int]]
    campaigns_are_alike: bool
    """Whether a call of one campaign was made in all of them, so that only names and ids tell them apart."""


@dataclass(frozen=True)
class Asked:
    """One question in the words of both doors."""

    period: str
    start: date
    days: int
    heatmap_period: str
    campaign: Whose
    client: Whose
    sees_one_client: bool
    metric: str | None
    metrics: Sequence[str] | None
    status: str | None
    limit: int | None
    offset: int | None
    texts: int | None
    loud: bool
    """Whether ids are written in capitals, and dates sent that are not to be read."""


@dataclass
class Written:
    """Facts that are in the database, under these ids."""

    agency: UUID
    owner: UUID
    viewer: UUID
    clients: list[UUID] = field(default_factory=list)
    campaigns: list[UUID] = field(default_factory=list)
    batches: list[UUID] = field(default_factory=list)


_ids = random.Random(2026)  # noqa: S311  the same ids in each run


def _id() -> UUID:
    return UUID(int=_ids.getrandbits(128), version=4)


def some_facts(chance: random.Random, most_kinds: int) -> Facts:
    """An agency's facts. They are drawn at random and not by hypothesis, which would rather try little ones."""

    def whom() -> int | None:
        return chance.choice((None, 0, 0, 1, 1, 2))

    return Facts(
        clients=chance.randint(0, 2),
        campaigns=[(chance.choice(NAMES), whom()) for _ in range(chance.choice((0, 2, 3, 4)))],
        batches=[
            {
                "campaign": whom(),
                "status": chance.choice((*STATUSES, "cancelled")),
                "created_at": NOW - chance.choice((0, 0, 1, 2)) * timedelta(days=50, microseconds=120),
                "ended": chance.random() < 0.5,
                "contacts": {status: chance.choice((0, 0, 1, 2, 5)) for status in CONTACTS},
            }
            for _ in range(chance.randint(0, 9))
        ],
        calls=[
            ({"client": whom(), "campaign": whom(), **_some_call(chance)}, chance.choice((1, 1, 2, 3, 7)))
            for _ in range(chance.randint(0, most_kinds))
        ],
        campaigns_are_alike=chance.random() < 0.6,
    )


def _some_call(chance: random.Random) -> dict[str, Any]:
    def found(*keys: str) -> str:
        """Objections or buying signals, as JSON; some without a text, some handled in words that do not count."""
        given = {"text": lambda: chance.choice(TEXTS), "handled": lambda: chance.choice((True, False, "true", [True]))}
        all_ = [{key: given[key]() for key in keys if chance.random() < 0.9} for _ in range(chance.randint(0, 4))]
        return json.dumps(all_)

    def ratio() -> Decimal | None:
        return chance.choice((None, *RATIOS, Decimal(chance.randint(0, 10_000)) / 10_000))

    return {
        "direction": chance.choice(("inbound", "outbound", "outbound")),
        "status": chance.choice(("completed", "completed", "completed", "failed", "initiated", "in_progress")),
        "started_at": datetime.combine(TODAY + timedelta(days=chance.choice(DAYS)), chance.choice(TIMES), UTC),
        "answered": chance.random() < 0.7,
        "duration_seconds": chance.choice((None, 0, 1, 29, 30, 31, 60, 181, 3_599, 86_399)),
        "analysis_status": chance.choice(("completed", "completed", "pending", "failed", "skipped")),
        "disposition": chance.choice((None, *DISPOSITIONS, *DISPOSITIONS[-2:] * 2, *DISPOSITIONS[1:3])),
        "sentiment": chance.choice((None, "positive", "neutral", "negative")),
        "talk_ratio": ratio(),
        "listen_ratio": ratio(),
        "script_adherence": ratio(),
        "interruptions": chance.choice((None, 0, 1, 3)),
        "objections": found("text", "handled"),
        "buying_signals": found("text"),
        "is_qualified_lead": chance.random() < 0.4,
        "issue_resolved": chance.random() < 0.4,
        "escalated": chance.random() < 0.4,
        "emails_sent": chance.choice((0, 0, 1, 7)),
        "sms_sent": chance.choice((0, 0, 2, 5)),
    }


def facts(most_kinds: int) -> st.SearchStrategy[Facts]:
    """Facts of one agency."""
    return st.randoms(use_true_random=True).map(lambda chance: some_facts(chance, most_kinds))


# Weighted towards what shows something: a question that finds no call finds no fault.
whose: st.SearchStrategy[Whose] = st.sampled_from(
    (*(None,) * 10, ("own", 0), ("own", 1), ("own", 2), ("other", 0), ("unknown", 0))
)
questions = st.builds(
    Asked,
    period=st.sampled_from(("90d", "custom", "30d", "90d", "custom", "30d", "7d", "today")),
    start=st.sampled_from(DAYS).map(lambda day: TODAY + timedelta(days=day)),
    days=st.sampled_from((91, 1096, 30, 7, 2, 1)),
    heatmap_period=st.sampled_from(("90d", "30d", "7d")),
    campaign=whose,
    client=whose,
    sees_one_client=st.sampled_from((False, False, False, False, True)),
    metric=st.sampled_from(("calls", "connected", "meetings_booked", None)),
    metrics=st.one_of(st.none(), st.lists(st.sampled_from(recount.METRICS), min_size=1, max_size=6)),
    status=st.sampled_from((*(None,) * 12, *STATUSES)),
    limit=st.sampled_from((2, None, 3, 1, 1_000)),
    offset=st.sampled_from((None, None, None, 1, 2, 10**12)),
    texts=st.sampled_from((None, 5, 2, 1, 101)),
    loud=st.booleans(),
)


async def write(connection: asyncpg.Connection, agencies: Sequence[Facts]) -> list[Written]:
    """Puts agencies' facts into the database, a table at a time."""
    rows: dict[str, list[dict[str, Any]]] = {
        table: []
        for table in ("agencies", "clients", "users", "campaigns", "call_batches", "campaign_contacts", "calls")
    }
    written = []
    for facts_ in agencies:
        ids = Written(_id(), _id(), _id())
        written.append(ids)
        rows["agencies"].append({"id": ids.agency, "name": "Agency", "slug": str(ids.agency)})
        # The client of the user who sees one is always there, and the first.
        for number in range(facts_.clients + 1):
            ids.clients.append(_id())
            rows["clients"].append({"id": ids.clients[-1], "agency_id": ids.agency, "name": f"Client {number}"})
        rows["users"] += [
            {"id": ids.owner, "agency_id": ids.agency, "role": "agency_owner", "client_id": None},
            {"id": ids.viewer, "agency_id": ids.agency, "role": "client_viewer", "client_id": ids.clients[0]},
        ]
        for name, client in facts_.campaigns:
            ids.campaigns.append(_id())
            rows["campaigns"].append(
                {"id": ids.campaigns[-1], "agency_id": ids.agency, "client_id": _of(ids.clients, client), "name": name}
            )
        for batch in facts_.batches:
            ids.batches.append(_id())
            rows["call_batches"].append(
                {
                    "id": ids.batches[-1],
                    "agency_id": ids.agency,
                    "campaign_id": _of(ids.campaigns, batch["campaign"]),
                    "status": batch["status"],
                    "created_at": batch["created_at"],
                    "completed_at": batch["created_at"] + timedelta(hours=1) if batch["ended"] else None,
                }
            )
            rows["campaign_contacts"] += [
                {"id": _id(), "batch_id": ids.batches[-1], "phone_number": "+15550100", "status": status}
                for status, number in batch["contacts"].items()
                for _ in range(number)
            ]
        for kind, times in facts_.calls:
            columns = {**kind}
            started, answered = columns["started_at"], columns.pop("answered")
            campaign = _of(ids.campaigns, columns.pop("campaign"))
            columns |= {
                "agency_id": ids.agency,
                "client_id": _of(ids.clients, columns.pop("client")),
                "joined_at": started + timedelta(seconds=9) if answered else None,
            }
            rows["calls"] += [
                {"id": _id(), **columns, "campaign_id": one}
                for one in (ids.campaigns if campaign and facts_.campaigns_are_alike else (campaign,))
                for _ in range(times)
            ]
    async with connection.transaction():
        for table, records in rows.items():
            if records:
                names = list(records[0])
                await connection.copy_records_to_table(
                    table, columns=names, records=[[record[name] for name in names] for record in records]
                )
    return written


def _of(ids: Sequence[UUID], number: int | None) -> UUID | None:
    return ids[number] if number is not None and number < len(ids) else None


def _meant(whose_: Whose, own: Sequence[UUID], other: Sequence[UUID]) -> UUID | None:
    if whose_ is None:
        return None
    kind, number = whose_
    ids = {"own": own, "other": other, "unknown": ()}[kind]
    return ids[number % len(ids)] if ids else _id()


@hypothesis.settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    database=None,
    # Each try is a dozen real requests: shrinking a failure would take minutes. Add Phase.shrink to have it done.
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@hypothesis.given(ours=facts(most_kinds=25), others=facts(most_kinds=4), asked=questions)
async def test_rest_equals_graphql_equals_a_recount_of_the_calls(
    shared_connection: asyncpg.Connection, shared_gateway: Running, ours: Facts, others: Facts, asked: Asked
) -> None:
    own, other = await write(shared_connection, [ours, others])
    campaign = _meant(asked.campaign, own.campaigns, other.campaigns)
    client = _meant(asked.client, own.clients, other.clients)
    user = own.viewer if asked.sees_one_client else own.owner
    end = asked.start + timedelta(days=asked.days - 1)

    def question(period: str) -> Question:
        first, last = recount.days_of(period, TODAY, asked.start, end)
        own_client = own.clients[0] if asked.sees_one_client else None
        return Question(own.agency, first, last, period, campaign, client, own_client)

    limit, offset, texts = min(asked.limit or 25, 100), asked.offset or 0, min(asked.texts or 10, 100)
    counted = Recount(shared_connection)
    expected = {
        "overview": await counted.overview(question(asked.period)),
        "timeseries": await counted.timeseries(question(asked.period)),
        "funnel": await counted.funnel(question(asked.period)),
        "campaigns": await counted.campaigns(question(asked.period), asked.status, limit, offset),
        "quality": await counted.quality(question(asked.period)),
        "heatmap": await counted.heatmap(question(asked.heatmap_period), asked.metric or "calls"),
        "objections": await counted.objections(question(asked.period), texts),
    }

    async def rest() -> None:
        ids = _without_none(campaign_id=campaign, client_id=client)
        shared = {
            "period": asked.period,
            **{key: str(id_).upper() if asked.loud else str(id_) for key, id_ in ids.items()},
        }
        if asked.period == "custom" or asked.loud:
            shared |= {"start_date": str(asked.start), "end_date": str(end)}
        extras: dict[str, dict[str, Any]] = {
            "timeseries": {"metrics": asked.metrics and ",".join(asked.metrics)},
            "campaigns": {"status": asked.status, "limit": asked.limit, "offset": asked.offset},
            "heatmap": {"period": asked.heatmap_period, "metric": asked.metric},
            "objections": {"limit": asked.texts},
        }
        wanted = dict(expected)
        if asked.metrics is not None:
            wanted["timeseries"] = await counted.timeseries(question(asked.period), asked.metrics)
        answers = await asyncio.gather(
            *(
                shared_gateway.rest(report, user, **shared | _without_none(**extras.get(report, {})))
                for report in recount.REPORTS
            )
        )
        for report, answer in zip(recount.REPORTS, answers, strict=True):
            assert in_order(answer) == in_order(old(wanted[report])), report

    async def graphql() -> None:
        ids = {"campaignId": campaign and str(campaign), "clientId": client and str(client)}
        filters: dict[str, Any] = {"period": PERIODS[asked.period], **ids}
        if asked.period == "custom":
            filters |= {"startDate": str(asked.start), "endDate": str(end)}
        answer = await shared_gateway.graphql(
            DOCUMENT,
            user,
            filters=filters,
            month=filters,
            weeks={"period": PERIODS[asked.heatmap_period], **ids},
            metric=(asked.metric or "calls").upper(),
            status=asked.status and asked.status.upper(),
            limit=limit,
            offset=min(offset, 2**31 - 1),
            texts=texts,
        )
        columns = answer["timeseries"].pop("columns")
        assert columns == {name: [day[name] for day in answer["timeseries"]["data"]] for name in columns}, (
            "the columns are the days turned on their side"
        )
        wanted = {**expected}
        if offset > 2**31 - 1:  # GraphQL's Int ends there; a page beyond every batch all the same
            pagination = expected["campaigns"]["pagination"]
            wanted["campaigns"] = {**expected["campaigns"], "pagination": {**pagination, "offset": 2**31 - 1}}
        for report in recount.REPORTS:
            assert in_order(snaked(answer[report])) == in_order(new(wanted[report])), report

    await rest()
    await graphql()


def _without_none(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
