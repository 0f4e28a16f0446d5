"""Two agencies with the same campaign names: nothing that can be sent shows a foreign number, through either door.

Our counters are multiples of seven and theirs are not, names, texts and ids carry their owner, and what is answered
beside the other agency is held against what was answered before it existed, byte for byte.
"""

import asyncio
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import jwt
import pytest

from resolvers.viewer import Role
from tests.agreement import recount
from tests.agreement.recount import REPORTS, Question, Recount, in_order, new, old, selection, snaked
from tests.given import NOW, SECRET, Given, damage, fold
from tests.running import Running

DOORS = ("rest", "graphql")
CLIENT_ROLES = (Role.CLIENT_ADMIN, Role.CLIENT_VIEWER)
TYPES = {"campaigns": "CampaignsFilters", "heatmap": "HeatmapFilters"}
NO_COUNTERS = {"day", "hour", "limit", "offset", "total", "avg_duration_seconds", "progress_pct"}
Narrowed = Mapping[str, UUID]


@dataclass
class Agency:
    """One of the two, with everything that must not be seen from the other."""

    marker: str
    id: UUID
    clients: dict[str, UUID] = field(default_factory=dict)
    campaigns: dict[str, UUID] = field(default_factory=dict)
    batches: list[UUID] = field(default_factory=list)
    users: dict[Role, UUID] = field(default_factory=dict)

    def secrets(self) -> Iterator[str]:
        """What tells that a body is about this agency."""
        yield self.marker.lower()
        for id_ in (self.id, *self.clients.values(), *self.campaigns.values(), *self.batches, *self.users.values()):
            yield str(id_)
            yield id_.hex


async def build(given: Given, marker: str, size: int) -> Agency:
    """An agency whose every count is a multiple of `size`."""
    agency = Agency(marker, await given.agency(marker))
    agency.clients = {name: await given.client(agency.id, name) for name in ("Acme", "Globex")}
    agency.campaigns = {
        "Spring": await given.campaign(agency.id, agency.clients["Acme"], "Spring"),
        "Autumn": await given.campaign(agency.id, agency.clients["Globex"], "Autumn"),
        "Own": await given.campaign(agency.id, agency.clients["Acme"], f"Launch of {marker}"),
    }
    for role in Role:
        client = agency.clients["Acme"] if role in CLIENT_ROLES else None
        agency.users[role] = await given.user(agency.id, role.value, client)
    for campaign, status in product([*agency.campaigns.values(), None], ("processing", "failed")):
        contacts = {"completed": size * 3, "failed": size, "skipped": size, "queued": size, "in_progress": size}
        agency.batches.append(
            await given.batch(agency.id, campaign, contacts, status=status, created_at=NOW - timedelta(hours=1))
        )
    objections = [
        {"text": "Too expensive", "handled": True, "quote": marker},
        {"text": f"We are with {marker}", "handled": False},
    ]
    kinds: Sequence[dict[str, Any]] = (
        {"disposition": "appointment_booked", "sentiment": "positive", "objections": objections},
        {"disposition": "conversation", "is_qualified_lead": True, "buying_signals": [{"text": f"Asked {marker}"}]},
        {"answered": False, "disposition": "voicemail", "direction": "inbound", "talk_ratio": None},
        {"status": "failed", "answered": False, "disposition": None, "sentiment": "negative"},
    )
    owners = [("Acme", "Spring"), ("Globex", "Autumn"), ("Acme", "Own"), ("Globex", None), (None, None)]
    for days, (client_name, campaign_name) in product((0, 1, 20, 60), owners):
        for hours, kind in enumerate(kinds):
            await given.calls(
                agency.id,
                size,
                **{
                    "started_at": NOW - timedelta(days=days, hours=hours + 1),
                    "client_id": agency.clients[client_name] if client_name else None,
                    "campaign_id": agency.campaigns[campaign_name] if campaign_name else None,
                    "duration_seconds": size * 9 + hours,
                    "talk_ratio": 0.5,
                    "interruptions": 1,
                    "emails_sent": 1,
                    "sms_sent": 2,
                    "escalated": True,
                    "issue_resolved": True,
                    "summary": marker,
                    **kind,
                },
            )
    return agency


class Outside:
    """What can be sent by users of two agencies. Every body is searched for what the other agency owns."""

    def __init__(self, gateway: Running, connection: asyncpg.Connection) -> None:
        self.gateway = gateway
        self.connection = connection
        self.recount = Recount(connection)
        self.ours: Agency
        self.theirs: Agency
        self.before: dict[tuple[object, ...], bytes] = {}
        """Our answers while there was nobody else."""

    def own_filters(self) -> dict[str, Narrowed]:
        """Everything of ours that can be narrowed to."""
        clients, campaigns = self.ours.clients, self.ours.campaigns
        return {
            "nothing": {},
            "a campaign": {"campaign_id": campaigns["Spring"]},
            "a client": {"client_id": clients["Acme"]},
            "the other client": {"client_id": clients["Globex"]},
            "a campaign of the client": {"campaign_id": campaigns["Own"], "client_id": clients["Acme"]},
            "a campaign of another client": {"campaign_id": campaigns["Autumn"], "client_id": clients["Acme"]},
        }

    async def ask(
        self,
        door: str,
        report: str,
        user: UUID,
        narrowed: Narrowed | None = None,
        *,
        claims: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
        status: int = 200,
    ) -> bytes:
        """A report's whole body; its status must be as told."""
        sent = {**(headers or {}), "Authorization": f"Bearer {signed(user, **(claims or {}))}"}
        ids = {key: str(value) for key, value in (narrowed or {}).items()}
        if door == "rest":
            response = await self.gateway.http.get(
                f"/functions/v1/dashboard-{report}",
                params={"period": "90d", **ids, **(parameters or {})},
                headers=sent,
            )
        else:
            response = await self.gateway.http.post(
                "/graphql",
                params=dict(parameters or {}),
                json={
                    "query": document(report),
                    "variables": {"filters": graphql_filters(narrowed)},
                    **(parameters or {}),
                },
                headers=sent,
            )
        assert response.status_code == status, response.text
        return self.searched(response, user)

    def searched(self, response: httpx2.Response, user: UUID) -> bytes:
        """The body of an answer to a user, in which and around which there is nothing of the other agency."""
        other = self.theirs if user in self.ours.users.values() else self.ours
        told = f"{response.headers} {response.text}".lower()
        for secret in other.secrets():
            assert secret not in told
        return response.content

    async def sweep(
        self, agency: Agency, filters: Mapping[str, Narrowed], roles: Sequence[Role] = tuple(Role)
    ) -> dict[tuple[object, ...], bytes]:
        """Each role's answer to every report through both doors, narrowed in each of these ways."""
        asked = list(product(roles, DOORS, REPORTS, filters))
        bodies = await gather(
            self.ask(door, report, agency.users[role], filters[name]) for role, door, report, name in asked
        )
        return dict(zip(asked, bodies, strict=True))

    async def counted(self, agency: Agency, report: str, narrowed: Narrowed, own_client: UUID | None) -> Any:
        """The recount of what `ask` asks for."""
        first, last = recount.days_of("90d", NOW.date())
        question = Question(
            agency.id, first, last, "90d", narrowed.get("campaign_id"), narrowed.get("client_id"), own_client
        )
        return await getattr(self.recount, report)(question)


async def gather(asked: Iterator[Any]) -> list[Any]:
    """Runs them, a few at a time."""
    few = asyncio.Semaphore(16)

    async def one(each: Any) -> Any:
        async with few:
            return await each

    return await asyncio.gather(*(one(each) for each in asked))


def signed(user: UUID | str, secret: str = SECRET, **claims: Any) -> str:
    """A token with claims of one's own choice."""
    genuine = {
        "sub": str(user),
        "aud": "authenticated",
        "role": "authenticated",
        "exp": datetime.now(UTC) + timedelta(hours=1),
    }
    return jwt.encode({**genuine, **claims}, secret, algorithm="HS256")


def document(report: str) -> str:
    """The whole report, narrowed by a variable."""
    kind = TYPES.get(report, "ReportFilters")
    return f"query ($filters: {kind}!) {{ {report}(filters: $filters) {{ {selection(report)} }} }}"


def graphql_filters(narrowed: Narrowed | None = None) -> dict[str, str]:
    """The same filters as REST's."""
    names = {"campaign_id": "campaignId", "client_id": "clientId"}
    return {"period": "LAST_90_DAYS", **{names[key]: str(value) for key, value in (narrowed or {}).items()}}


def literal(narrowed: Narrowed | None = None) -> str:
    """The same filters, written into a document."""
    values = graphql_filters(narrowed)
    return (
        "{" + ", ".join(f"{key}: {values[key] if key == 'period' else json.dumps(values[key])}" for key in values) + "}"
    )


def counters(answer: Any, key: str = "") -> Iterator[int]:
    """Every number of an old answer that counts something."""
    if isinstance(answer, Mapping):
        for name, value in answer.items():
            yield from counters(value, name)
    elif isinstance(answer, list):
        for value in answer:
            yield from counters(value, key)
    elif isinstance(answer, int) and not isinstance(answer, bool) and key not in NO_COUNTERS:
        yield answer


@pytest.fixture(scope="module")
async def outside(shared_gateway: Running, shared_connection: asyncpg.Connection) -> Outside:
    """Both agencies, and our answers from the time before theirs."""
    both = Outside(shared_gateway, shared_connection)
    given = Given(shared_connection)
    both.ours = await build(given, "Kestrel", 7)
    both.theirs = Agency("Osprey", uuid4())
    both.before = await both.sweep(both.ours, both.own_filters())
    both.theirs = await build(given, "Osprey", 11)
    return both


async def test_the_other_agency_changes_no_answer_of_ours(outside: Outside) -> None:
    after = await outside.sweep(outside.ours, outside.own_filters())
    assert len(after) == 6 * 2 * 7 * 6
    assert after == outside.before


async def test_our_counters_are_multiples_of_seven_and_theirs_are_not(outside: Outside) -> None:
    for report in REPORTS:
        ours = json.loads(await outside.ask("rest", report, outside.ours.users[Role.AGENCY_OWNER]))
        assert any(counters(ours))
        assert [count for count in counters(ours) if count % 7] == [], report
        theirs = json.loads(await outside.ask("rest", report, outside.theirs.users[Role.AGENCY_OWNER]))
        assert any(count % 7 for count in counters(theirs)), report
        assert [count for count in counters(theirs) if count % 11] == [], report


async def test_each_agency_sees_its_own_names_and_texts(outside: Outside) -> None:
    for agency in (outside.ours, outside.theirs):
        user = agency.users[Role.AGENCY_OWNER]
        for door in DOORS:
            campaigns = (await outside.ask(door, "campaigns", user)).decode()
            assert f"Launch of {agency.marker}" in campaigns
            assert '"Spring"' in campaigns
            assert all(str(batch) in campaigns for batch in agency.batches)
            objections = (await outside.ask(door, "objections", user)).decode()
            assert f"We are with {agency.marker}" in objections
            assert f"Asked {agency.marker}" in objections


async def test_what_both_agencies_see_is_a_recount_of_their_own_calls(outside: Outside) -> None:
    for agency, report in product((outside.ours, outside.theirs), REPORTS):
        whole = await outside.counted(agency, report, {}, None)
        part = await outside.counted(agency, report, {}, agency.clients["Acme"])
        bodies = await gather(outside.ask(door, report, agency.users[role]) for role, door in product(Role, DOORS))
        for role, rest, graphql in zip(Role, map(json.loads, bodies[::2]), map(json.loads, bodies[1::2]), strict=True):
            expected = part if role in CLIENT_ROLES else whole
            assert in_order(rest) == in_order(old(expected))
            assert in_order(snaked(graphql["data"][report])) == in_order(new(expected))


async def test_a_foreign_id_gives_byte_for_byte_what_an_unknown_id_gives(outside: Outside) -> None:
    ours, theirs = outside.ours, outside.theirs
    foreign: dict[str, Narrowed] = {
        "their campaign": {"campaign_id": theirs.campaigns["Spring"]},
        "their client": {"client_id": theirs.clients["Acme"]},
        "their campaign, our client": {
            "campaign_id": theirs.campaigns["Spring"],
            "client_id": ours.clients["Acme"],
        },
        "our campaign, their client": {
            "campaign_id": ours.campaigns["Spring"],
            "client_id": theirs.clients["Acme"],
        },
        "their batch and agency": {"campaign_id": theirs.batches[0], "client_id": theirs.id},
    }
    of_ours = {*ours.clients.values(), *ours.campaigns.values()}
    unknown = {
        name: {key: id_ if id_ in of_ours else uuid4() for key, id_ in narrowed.items()}
        for name, narrowed in foreign.items()
    }
    answers = await outside.sweep(ours, foreign)
    to_unknown = await outside.sweep(ours, unknown, (Role.AGENCY_OWNER, Role.CLIENT_VIEWER))
    for (role, *asked), body in answers.items():
        seen = Role.CLIENT_VIEWER if role in CLIENT_ROLES else Role.AGENCY_OWNER
        assert body == to_unknown[seen, *asked]
        if asked[0] == "rest":
            assert set(counters(json.loads(body))) <= {0}


def forged(theirs: Agency) -> dict[str, Any]:
    """What a caller might hope is read, pointing at the other agency in every spelling."""
    names = ("agency_id", "agencyId", "agency", "x-agency-id", "tenant_id", "organization_id")
    return {
        **dict.fromkeys(names, str(theirs.id)),
        **dict.fromkeys(("user_id", "userId", "uid", "x-user-id"), str(theirs.users[Role.AGENCY_OWNER])),
        **dict.fromkeys(("user_role", "x-role", "x-hasura-role", "app_role"), "admin"),
        "own_client": str(theirs.clients["Acme"]),
    }


async def test_headers_that_name_the_other_agency_change_nothing(outside: Outside) -> None:
    theirs = outside.theirs
    headers = {
        **forged(theirs),
        "client_id": str(theirs.clients["Acme"]),
        "x-client-id": str(theirs.clients["Acme"]),
        "role": "admin",
        "sub": str(theirs.users[Role.ADMIN]),
        "apikey": signed(theirs.users[Role.ADMIN]),
        "x-forwarded-user": str(theirs.users[Role.ADMIN]),
        "user_metadata": json.dumps({"agency_id": str(theirs.id)}),
        "app_metadata": json.dumps({"agency_id": str(theirs.id), "role": "admin"}),
        "cookie": f"sb-access-token={signed(theirs.users[Role.ADMIN])}; agency_id={theirs.id}",
    }
    await unchanged(outside, headers=headers)


async def test_parameters_that_name_the_other_agency_change_nothing(outside: Outside) -> None:
    theirs = outside.theirs
    parameters = {
        **forged(theirs),
        "role": "admin",
        "sub": str(theirs.users[Role.ADMIN]),
        "access_token": signed(theirs.users[Role.ADMIN]),
        "apikey": signed(theirs.users[Role.ADMIN]),
        "user_metadata": json.dumps({"agency_id": str(theirs.id)}),
        "app_metadata": json.dumps({"agency_id": str(theirs.id), "role": "admin"}),
        "clientId": str(theirs.clients["Acme"]),
        "campaignId": str(theirs.campaigns["Spring"]),
    }
    await unchanged(outside, parameters=parameters)


async def test_signed_claims_that_name_the_other_agency_change_nothing(outside: Outside) -> None:
    theirs = outside.theirs
    metadata = {**forged(theirs), "role": "admin", "client_id": str(theirs.clients["Acme"]), "sub": str(uuid4())}
    claims = {
        **forged(theirs),
        "client_id": str(theirs.clients["Acme"]),
        "user_metadata": metadata,
        "app_metadata": {**metadata, "claims": metadata},
        "email": f"owner@{theirs.marker}.example",
    }
    await unchanged(outside, claims=claims)


async def unchanged(outside: Outside, **forgery: Any) -> None:
    """Asks everything as `before` with a forgery beside it."""
    filters = outside.own_filters()
    asked = list(product(Role, DOORS, REPORTS, ("nothing", "a client")))
    bodies = await gather(
        outside.ask(door, report, outside.ours.users[role], filters[name], **forgery)
        for role, door, report, name in asked
    )
    for key, body in zip(asked, bodies, strict=True):
        assert body == outside.before[key], key


@pytest.mark.parametrize("door", DOORS)
async def test_a_token_that_only_claims_to_be_one_of_theirs_is_refused_without_a_number(
    outside: Outside, door: str
) -> None:
    ours = outside.ours.users[Role.AGENCY_OWNER]
    victim = outside.theirs.users[Role.AGENCY_OWNER]
    genuine = signed(victim)
    head, body, signature = genuine.split(".")
    ours_head, _, ours_signature = signed(ours).split(".")
    tokens = [
        signed(victim, "another-secret-that-is-long-enough-for-hs256"),
        jwt.encode({"sub": str(victim), "aud": "authenticated", "role": "authenticated"}, None, algorithm="none"),
        f"{head}.{body}.{ours_signature}",
        f"{head}.{body}.",
        f"{ours_head}.{body}.{signature[::-1]}",
        signed(ours, role="service_role"),
        signed(ours, role="admin"),
        signed(ours, role="agency_owner"),
        signed(f"{ours}' or agency_id = '{outside.theirs.id}"),
        signed([str(ours), str(victim)]),  # type: ignore[arg-type]
    ]
    for token in tokens:
        headers = {"Authorization": f"Bearer {token}"}
        if door == "rest":
            response = await outside.gateway.http.get("/functions/v1/dashboard-overview", headers=headers)
        else:
            response = await outside.gateway.http.post(
                "/graphql", json={"query": "{ overview { summary { totalCalls } } }"}, headers=headers
            )
        assert response.status_code == 401, response.text
        answer = outside.searched(response, ours)
        outside.searched(response, victim)
        assert set(json.loads(answer)) == {"error" if door == "rest" else "errors"}


def _nameless(text: str, id_: UUID) -> str:
    """An error without what the caller typed, which may be repeated, and without its request's id."""
    return re.sub(r'"requestId":"\w+"', '"requestId":""', text.replace(str(id_), "<id>"))


async def test_no_filter_knows_an_agency_and_the_refusal_tells_nothing_of_it(outside: Outside) -> None:
    user = outside.ours.users[Role.AGENCY_OWNER]
    for report, name in product(("overview", *TYPES), ("agencyId", "agency_id", "agency", "role", "ownClient")):
        refused = []
        for value in (outside.theirs.id, uuid4()):
            for arguments in (f'filters: {{{name}: "{value}"}}', f'{name}: "{value}"'):
                response = await outside.gateway.post(f"{{ {report}({arguments}) {{ __typename }} }}", user)
                assert response.json().get("data") is None
                # What the caller typed may be repeated; nothing else may differ.
                refused.append(_nameless(response.text, value))
        assert refused[:2] == refused[2:]
        for secret in outside.theirs.secrets():
            assert not any(secret in text.lower() for text in refused)


async def test_an_error_says_of_a_foreign_id_what_it_says_of_an_unknown_one(outside: Outside) -> None:
    user = outside.ours.users[Role.AGENCY_OWNER]
    theirs, unknown = outside.theirs.campaigns["Own"], uuid4()

    async def told(id_: UUID) -> list[str]:
        wrong = {
            "overview": {"campaign_id": id_, "period": "custom"},
            "timeseries": {"campaign_id": id_, "metrics": "agency_id"},
            "campaigns": {"campaign_id": id_, "limit": 0},
            "quality": {"campaign_id": f"{id_}x"},
            "heatmap": {"campaign_id": id_, "metric": "agency"},
            "objections": {"campaign_id": [id_, id_]},
            "funnel": {"client_id": f"'{id_}'"},
        }
        answers = [await outside.gateway.get(report, user, **params) for report, params in wrong.items()]
        documents = [
            f'{{ overview(filters: {{campaignId: "{id_}x"}}) {{ summary {{ totalCalls }} }} }}',
            f'{{ overview(filters: {{campaignId: "{id_}", period: CUSTOM}}) {{ summary {{ totalCalls }} }} }}',
            f'{{ campaigns(filters: {{campaignId: "{id_}"}}, limit: 0) {{ pagination {{ total }} }} }}',
            f'{{ objections(filters: {{campaignId: "{id_}"}}, limit: 101) {{ summary {{ totalObjections }} }} }}',
        ]
        answers += [await outside.gateway.post(query, user) for query in documents]
        assert [answer.status_code for answer in answers[:7]] == [400] * 7
        assert all("errors" in answer.json() for answer in answers[7:])
        return [_nameless(answer.text, id_) for answer in answers]

    about_theirs = await told(theirs)
    assert about_theirs == await told(unknown)
    for secret in outside.theirs.secrets():
        assert not any(secret in text.lower() for text in about_theirs)


async def test_aliases_and_fragments_in_one_document_show_each_report_as_it_is_alone(outside: Outside) -> None:
    filters: dict[str, Narrowed] = {
        "mine": {},
        "theirs": {"campaign_id": outside.theirs.campaigns["Spring"]},
        "nobodys": {"campaign_id": uuid4()},
        "hers": {"client_id": outside.theirs.clients["Acme"]},
    }
    for role, reports in product(Role, (REPORTS[:3], REPORTS[3:5], REPORTS[5:])):
        user = outside.ours.users[role]
        fragments = [f"fragment all_{report} on {report.title()} {{ {selection(report)} }}" for report in reports]
        fields = [
            f"{name}_{report}: {report}(filters: {literal(narrowed)}) {{ ...all_{report} }}"
            for report in reports
            for name, narrowed in filters.items()
        ]
        whole = f"query {{ ...everything }} fragment everything on Query {{ {' '.join(fields)} }} {' '.join(fragments)}"
        response = await outside.gateway.post(whole, user)
        outside.searched(response, user)
        answer = response.json()
        assert "errors" not in answer, answer
        for report in reports:
            alone = json.loads(outside.before[role, "graphql", report, "nothing"])["data"][report]
            assert answer["data"][f"mine_{report}"] == alone
            for name in ("theirs", "hers"):
                assert answer["data"][f"{name}_{report}"] == answer["data"][f"nobodys_{report}"]


async def test_variables_of_every_make_show_no_foreign_number(outside: Outside) -> None:
    user = outside.ours.users[Role.AGENCY_OWNER]
    query = """query ($agency_id: UUID, $campaign: UUID, $client: UUID, $filters: ReportFilters!) {
        whole: overview(filters: $filters) { summary { totalCalls } }
        parts: overview(filters: {period: LAST_90_DAYS, campaignId: $campaign, clientId: $client}) {
            summary { totalCalls } }
        again: funnel(filters: {period: LAST_90_DAYS, campaignId: $agency_id}) { funnel { totalCalls } }
        skipped: overview(filters: {period: LAST_90_DAYS}) @skip(if: true) { summary { totalCalls } }
    }"""
    theirs = outside.theirs
    for campaign, client in product(
        (None, theirs.campaigns["Spring"], outside.ours.campaigns["Spring"]), (None, theirs.clients["Acme"])
    ):
        variables = {
            "filters": graphql_filters(),
            "campaign": campaign and str(campaign),
            "client": client and str(client),
            "agency_id": str(theirs.id),
            "agency": str(theirs.id),
            "role": "admin",
        }
        response = await outside.gateway.post(
            query,
            user,
            variables=variables,
            extensions={"agency_id": str(theirs.id), "role": "admin"},
            agency_id=str(theirs.id),
            headers={"x-agency-id": str(theirs.id)},
        )
        outside.searched(response, user)
        answer = response.json()["data"]
        narrowed = {"campaign_id": campaign, "client_id": client}
        expected = await outside.counted(
            outside.ours, "funnel", {key: id_ for key, id_ in narrowed.items() if id_ is not None}, None
        )
        everything = await outside.counted(outside.ours, "funnel", {}, None)
        assert answer == {
            "whole": {"summary": {"totalCalls": everything["funnel"]["total_calls"]}},
            "parts": {"summary": {"totalCalls": expected["funnel"]["total_calls"]}},
            "again": {"funnel": {"totalCalls": 0}},
        }


async def test_graphql_by_get_is_the_same_door(outside: Outside) -> None:
    narrowings = {"nothing": {}, "a client": {"client_id": outside.ours.clients["Acme"]}}

    async def got(role: Role, report: str, name: str) -> bytes:
        user = outside.ours.users[role]
        variables = {"filters": graphql_filters(narrowings[name]), "agency_id": str(outside.theirs.id)}
        response = await outside.gateway.http.get(
            "/graphql",
            params={**forged(outside.theirs), "query": document(report), "variables": json.dumps(variables)},
            headers={"Authorization": f"Bearer {signed(user)}"},
        )
        return outside.searched(response, user)

    asked = list(product(Role, REPORTS, narrowings))
    for (role, report, name), body in zip(asked, await gather(got(*each) for each in asked), strict=True):
        assert body == outside.before[role, "graphql", report, name]


async def test_a_client_user_sees_the_own_client_and_an_empty_report_for_any_other(outside: Outside) -> None:
    ours, theirs = outside.ours, outside.theirs
    elsewhere: dict[str, Narrowed] = {
        "the other client of the agency": {"client_id": ours.clients["Globex"]},
        "a client of the other agency": {"client_id": theirs.clients["Acme"]},
        "nobody's client": {"client_id": uuid4()},
        "its own campaign as another client": {
            "campaign_id": ours.campaigns["Spring"],
            "client_id": ours.clients["Globex"],
        },
    }
    foreign_campaigns: dict[str, Narrowed] = {
        "the other client's campaign": {"campaign_id": ours.campaigns["Autumn"]},
        "a campaign of the other agency": {"campaign_id": theirs.campaigns["Spring"]},
        "nobody's campaign": {"campaign_id": uuid4()},
    }
    for role, door, report in product(CLIENT_ROLES, DOORS, REPORTS):
        user = ours.users[role]
        own = outside.before[Role.AGENCY_OWNER, door, report, "a client"]
        assert outside.before[role, door, report, "nothing"] == own
        assert outside.before[role, door, report, "a client"] == own
        assert own != outside.before[Role.AGENCY_OWNER, door, report, "nothing"]
        for filters in (elsewhere, foreign_campaigns):
            bodies = set(await gather(outside.ask(door, report, user, narrowed) for narrowed in filters.values()))
            assert len(bodies) == 1
            if door == "rest":
                assert set(counters(json.loads(bodies.pop()))) <= {0}


async def test_what_stands_only_in_the_agencys_own_table_is_read_for_who_sees_the_whole_agency_and_asks_for_it(
    outside: Outside,
) -> None:
    planted = "Known to the agency alone"
    await damage(
        outside.connection,
        "insert into agency_findings_folded (agency_id, stat_date, kind, text, text_key, count, handled)"
        " values ($1, $2, 'objection', $3, text_key($3), 100000, 0)",
        outside.ours.id,
        NOW.date(),
        planted,
    )
    # Written behind the triggers' backs.
    await outside.connection.execute("select raise_data_version($1)", outside.ours.id)
    try:
        for role, door, (name, narrowed) in product(Role, DOORS, outside.own_filters().items()):
            body = await outside.ask(door, "objections", outside.ours.users[role], narrowed)
            assert (planted.encode() in body) == (name == "nothing" and role not in CLIENT_ROLES)
    finally:
        await outside.connection.execute("delete from agency_findings_folded where text = $1", planted)
        await outside.connection.execute("select raise_data_version($1)", outside.ours.id)


async def test_hours_of_the_agency_alone_are_read_for_who_sees_the_whole_agency_and_asks_for_it(
    outside: Outside,
) -> None:
    planted = 987654
    plant = "update agency_hours_folded set total_calls_by_hour[5] = total_calls_by_hour[5] + $2 where agency_id = $1"
    await fold(outside.connection)
    await outside.connection.execute(plant, outside.ours.id, planted)
    # Written behind the triggers' backs.
    await outside.connection.execute("select raise_data_version($1)", outside.ours.id)
    try:
        for role, door, (name, narrowed) in product(Role, DOORS, outside.own_filters().items()):
            body = await outside.ask(door, "heatmap", outside.ours.users[role], narrowed)
            shown = max(counters(json.loads(body)), default=0) >= planted
            assert shown == (name == "nothing" and role not in CLIENT_ROLES)
    finally:
        await outside.connection.execute(plant, outside.ours.id, -planted)
        await outside.connection.execute("select raise_data_version($1)", outside.ours.id)


async def test_a_client_user_whose_client_is_gone_sees_nothing_and_not_everything(outside: Outside) -> None:
    given = Given(outside.connection)
    client = await given.client(outside.ours.id, "Brief")
    users = [await given.user(outside.ours.id, role.value, client) for role in CLIENT_ROLES]
    assert [(await outside.gateway.get("overview", user)).status_code for user in users] == [200, 200]
    await outside.connection.execute("delete from clients where id = $1", client)
    for user, report in product(users, REPORTS):
        rest = await outside.gateway.get(report, user)
        graphql = await outside.gateway.post(document(report), user, variables={"filters": graphql_filters()})
        assert (rest.status_code, graphql.status_code) == (403, 403)
        assert list(rest.json()) == ["error"]
        assert list(graphql.json()) == ["errors"]


async def test_users_of_both_agencies_at_the_same_time_each_get_their_own(outside: Outside) -> None:
    chance = random.Random(11)  # noqa: S311
    keys = list(product(Role, DOORS, REPORTS))
    alone = await gather(outside.ask(door, report, outside.theirs.users[role]) for role, door, report in keys)
    theirs = dict(zip(keys, alone, strict=True))
    asked = [(agency, *key) for agency in ("ours", "theirs") for key in keys] * 3
    chance.shuffle(asked)
    bodies = await asyncio.gather(
        *(outside.ask(door, report, getattr(outside, agency).users[role]) for agency, role, door, report in asked)
    )
    for (agency, role, door, report), body in zip(asked, bodies, strict=True):
        expected = outside.before[role, door, report, "nothing"] if agency == "ours" else theirs[role, door, report]
        assert body == expected


async def test_a_user_who_moves_to_another_agency_sees_the_new_one_only(outside: Outside) -> None:
    given, ours, theirs = Given(outside.connection), outside.ours, outside.theirs
    mover = await given.user(ours.id, "agency_admin")
    for report in REPORTS:
        assert await body_of(outside, report, mover) == outside.before[Role.AGENCY_ADMIN, "rest", report, "nothing"]
    await outside.connection.execute("update users set agency_id = $2 where id = $1", mover, theirs.id)
    for report in REPORTS:
        expected = await body_of(outside, report, theirs.users[Role.AGENCY_ADMIN])
        assert await body_of(outside, report, mover) == expected
        assert expected != outside.before[Role.AGENCY_ADMIN, "rest", report, "nothing"]
    await outside.connection.execute(
        "update users set role = 'client_viewer', client_id = $2 where id = $1", mover, theirs.clients["Acme"]
    )
    for report in REPORTS:
        assert await body_of(outside, report, mover) == await body_of(outside, report, theirs.users[Role.CLIENT_VIEWER])
    await outside.connection.execute("delete from users where id = $1", mover)
    response = await outside.gateway.get("overview", mover)
    assert response.status_code == 403


async def body_of(outside: Outside, report: str, user: UUID) -> bytes:
    return (await outside.gateway.get(report, user, period="90d")).content


async def test_a_row_cannot_point_at_a_row_of_the_other_agency(outside: Outside) -> None:
    given, ours, theirs = Given(outside.connection), outside.ours, outside.theirs
    for attempt in (
        given.call(ours.id, client_id=theirs.clients["Acme"]),
        given.call(ours.id, campaign_id=theirs.campaigns["Spring"]),
        given.call(ours.id, batch_id=theirs.batches[0]),
        given.campaign(ours.id, theirs.clients["Acme"]),
        given.batch(ours.id, theirs.campaigns["Spring"]),
        given.user(ours.id, "client_viewer", theirs.clients["Acme"]),
    ):
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await attempt


async def test_anything_of_the_other_agency_in_a_body_would_be_noticed(outside: Outside) -> None:
    theirs = outside.theirs
    for leak in (theirs.marker, str(theirs.batches[0]), theirs.campaigns["Spring"].hex.upper(), str(theirs.id)):
        with pytest.raises(AssertionError):
            outside.searched(httpx2.Response(200, text=f"... {leak} ..."), outside.ours.users[Role.ADMIN])
    own = httpx2.Response(200, text=f"... {outside.ours.marker} {outside.ours.id} ...")
    assert outside.searched(own, outside.ours.users[Role.ADMIN]) == own.content
