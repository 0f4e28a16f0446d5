"""The peers answer what the gateway answers, or measuring them would prove nothing.

Runs where `make bench-peers` has installed them; the packages are too many to fetch for a test.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx2
import pytest

from bench import peers
from bench.contenders import GATEWAY
from bench.data import Agency
from bench.serving import Started, difference, started
from tests.conftest import Database
from tests.given import Given, token
from tests.waiting import PATIENCE

pytestmark = pytest.mark.skipif(not peers.installed(), reason="the peers are not installed; `make bench-peers` does it")

DISPOSITIONS = (
    "conversation", "appointment_booked", "callback_requested", "not_interested", "voicemail", "wrong_number",
    "dnc_requested", "gatekeeper_blocked", "no_answer",
)  # fmt: skip
OBJECTIONS = ("Too expensive", "  too   EXPENSIVE ", "no time", "", "Nicht jetzt", "äußerst teuer")


@contextmanager
def side_by_side(database: Database, agency: Agency) -> Iterator[tuple[Started, list[Started]]]:
    """The gateway and every peer, on one database and for one user."""
    with ExitStack() as stack:
        gateway, *others = (
            stack.enter_context(started(each, database.dsn, agency)) for each in (GATEWAY, *peers.peers())
        )
        yield gateway, others


async def some_calls(given: Given, agency: UUID, client: UUID) -> None:
    """Calls of 40 days, with and without campaigns, findings and values, and the batches that dialled them."""
    now = datetime.now(UTC)
    campaigns = [
        await given.campaign(agency, client, name="Spring"),
        await given.campaign(agency, None, name="autumn"),
        None,
    ]
    for campaign in campaigns:
        await given.batch(agency, campaign, {"completed": 3, "failed": 1, "pending": 2}, created_at=now)
    await given.batch(agency, campaigns[0], status="paused")
    for number in range(90):
        found = [
            {"text": OBJECTIONS[(number + more) % len(OBJECTIONS)], "handled": number % 2 == 0, "quote": "Well."}
            for more in range(number % 4)
        ]
        await given.call(
            agency,
            started_at=now - timedelta(days=number % 40, hours=number % 23),
            client_id=client if number % 3 == 0 else None,
            campaign_id=campaigns[number % 3],
            disposition=DISPOSITIONS[number % 9],
            status="failed" if number % 11 == 0 else "completed",
            analysis_status="pending" if number % 13 == 0 else "completed",
            duration_seconds=7 * number,
            sentiment=("positive", "neutral", "negative", None)[number % 4],
            talk_ratio=None if number % 5 == 0 else number / 91,
            script_adherence=None if number % 7 == 0 else number / 97,
            interruptions=number % 3,
            objections=found,
            buying_signals=[{"text": one["text"], "quote": "Yes."} for one in found[1:]],
            is_qualified_lead=number % 5 == 0,
            emails_sent=number % 2,
            sms_sent=number % 3,
        )


@pytest.mark.parametrize("sees", ["everything", "one client", "nothing yet"])
async def test_every_peer_gives_the_gateways_answer(database: Database, given: Given, sees: str) -> None:
    agency, other = await given.agency(), await given.agency()
    client = await given.client(agency)
    await some_calls(given, agency, client)
    await given.calls(other, 5, started_at=datetime.now(UTC))
    if sees == "one client":
        user = await given.user(agency, "client_viewer", client)
    else:
        user = await given.user(agency if sees == "everything" else await given.agency())
    with side_by_side(database, Agency(agency, user)) as (gateway, others):
        for question in ("full", "overview"):
            expected = gateway.data(question)
            assert (expected["overview"]["summary"]["totalCalls"] > 0) == (sees != "nothing yet")
            for peer in others:
                # More than once: a JIT compiles on the second request, PostgreSQL keeps a plan after the fifth.
                for _ in range(7):
                    where = difference(expected, peer.data(question))
                    assert where is None, f"{peer.contender.name}: {where}"


async def test_no_peer_answers_a_stranger(database: Database, given: Given) -> None:
    agency = await given.agency()
    user = await given.user(agency)
    with side_by_side(database, Agency(agency, user)) as (_, others):
        for peer in others:
            assert answer_to(peer, token(user)).status_code == 401, "the tests' secret is not the benchmarks'"
            unknown = answer_to(peer, Agency(agency, uuid4()).token)
            assert unknown.status_code == 403 or unknown.json() == {"data": {"viewer": None}}


def answer_to(peer: Started, bearer: str) -> httpx2.Response:
    """What a peer says to the overview's question with this token."""
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json", "Accept": "application/json"}
    body = peer.contender.bodies["overview"]
    return httpx2.post(
        f"http://127.0.0.1:{peer.port}{peer.contender.path}", content=body, headers=headers, timeout=PATIENCE
    )
