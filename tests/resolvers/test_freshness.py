"""What the numbers rest on: two clocks, what waits, and how far the analysis has got."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from tests.given import NOW, Given, fold
from tests.running import Running

ALL = """query ($campaign: UUID, $client: UUID) {
    freshness(filters: {campaignId: $campaign, clientId: $client}) {
        period { startDate endDate } lastChangedAt lastCheckedAt
        waitingCalls connectedCalls analyzedConnectedCalls analyzedPct
    }
}"""
WAITING: dict[str, Any] = {
    "analysis_status": "pending",
    "disposition": None,
    "transcript": [{"role": "user", "text": "Hi"}],
}


async def ask(gateway: Running, user: UUID, query: str = ALL, **variables: Any) -> Any:
    return (await gateway.graphql(query, user, **variables))["freshness"]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_of_three_people_who_answered_two_are_understood(gateway: Running, given: Given) -> None:
    agency = await given.agency()
    await given.calls(agency, 2)
    await given.call(agency, **WAITING)
    await given.call(agency, disposition="voicemail")
    await given.call(agency, answered=False)
    found = await ask(gateway, await given.user(agency))
    assert (found["connectedCalls"], found["analyzedConnectedCalls"], found["analyzedPct"]) == (3, 2, 66.7)
    assert found["waitingCalls"] == 1
    assert found["period"] == {"startDate": "2026-02-10", "endDate": "2026-02-16"}


async def test_a_call_under_way_or_with_nothing_to_analyse_does_not_wait(gateway: Running, given: Given) -> None:
    agency = await given.agency()
    await given.call(agency, **WAITING, status="in_progress")
    await given.call(agency, **(WAITING | {"joined_at": None}))
    await given.call(agency, **WAITING, status="failed")
    assert (await ask(gateway, await given.user(agency)))["waitingCalls"] == 0


async def test_an_idle_agency_is_not_stale(gateway: Running, given: Given, connection: asyncpg.Connection) -> None:
    """Nothing has changed for long, and it was checked just now."""
    agency = await given.agency()
    await given.call(agency)
    await fold(connection)
    await connection.execute("update call_stats_folded set updated_at = $1", NOW - timedelta(days=3))
    before = datetime.now(UTC)
    await connection.execute("select recount_call_stats()")
    found = await ask(gateway, await given.user(agency))
    assert moment(found["lastChangedAt"]) == NOW - timedelta(days=3)
    assert before <= moment(found["lastCheckedAt"]) <= datetime.now(UTC)


async def test_without_calls_nothing_changed_and_without_a_check_none_is_claimed(
    gateway: Running, given: Given
) -> None:
    found = await ask(gateway, await given.user(await given.agency()))
    assert (found["lastChangedAt"], found["lastCheckedAt"], found["analyzedPct"]) == (None, None, None)
    assert (found["waitingCalls"], found["connectedCalls"]) == (0, 0)


async def test_a_check_that_failed_is_none(gateway: Running, given: Given, connection: asyncpg.Connection) -> None:
    await connection.execute(
        "insert into cron_job_logs (job, status, finished_at) values ('recount_call_stats', 'failed', now())"
    )
    assert (await ask(gateway, await given.user(await given.agency())))["lastCheckedAt"] is None


async def test_it_is_about_the_range_the_campaign_and_the_client_asked_for(gateway: Running, given: Given) -> None:
    agency = await given.agency()
    client = await given.client(agency)
    campaign = await given.campaign(agency, client)
    await given.call(agency, **WAITING, client_id=client, campaign_id=campaign)
    await given.call(agency, **WAITING, client_id=client)
    await given.call(agency, **WAITING)
    await given.call(agency, **WAITING, started_at=NOW - timedelta(days=20))
    user = await given.user(agency)
    assert (await ask(gateway, user))["waitingCalls"] == 3
    assert (await ask(gateway, user, client=str(client)))["waitingCalls"] == 2
    assert (await ask(gateway, user, campaign=str(campaign)))["waitingCalls"] == 1


async def test_other_agencies_and_other_clients_are_not_seen(gateway: Running, given: Given) -> None:
    agency, other = await given.agency(), await given.agency()
    ours, theirs = await given.client(agency), await given.client(agency)
    await given.call(other, **WAITING)
    await given.call(agency, **WAITING, client_id=theirs)
    viewer = await given.user(agency, "client_viewer", ours)
    for variables in ({}, {"client": str(theirs)}):
        found = await ask(gateway, viewer, **variables)
        assert (found["waitingCalls"], found["connectedCalls"], found["lastChangedAt"]) == (0, 0, None)


async def test_only_what_is_asked_for_is_read(gateway: Running, given: Given, connection: asyncpg.Connection) -> None:
    """The clocks do not need the calls, which may be many."""
    user = await given.user(await given.agency())
    await connection.execute("alter table calls rename to calls_away")
    assert await ask(gateway, user, "{ freshness { lastCheckedAt lastChangedAt } }") == {
        "lastCheckedAt": None,
        "lastChangedAt": None,
    }
    await connection.execute("alter view call_stats_parts rename to call_stats_away")
    assert await ask(gateway, user, "{ freshness { period { startDate } } }") == {"period": {"startDate": "2026-02-10"}}
