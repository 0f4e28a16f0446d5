"""Batches as they stand, and what each campaign's calls came to."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.given import NOW, Given
from tests.running import Running

BATCHES = """query($status: BatchStatus, $limit: Int! = 25, $offset: Int! = 0, $client: UUID, $campaign: UUID) {
    campaigns(status: $status, limit: $limit, offset: $offset, filters: {clientId: $client, campaignId: $campaign}) {
        activeBatches {
            id agencyId campaignId status totalCalls completedCount failedCount pendingCount inProgressCount progressPct
            createdAt completedAt
        }
        pagination { total limit offset hasMore }
    }
}"""
STATS = """{ campaigns { campaignStats {
    campaignId campaignName totalCalls completedCalls connectedCalls meetingsBooked qualifiedLeads conversationsHad
    avgDurationSeconds contactRate conversionRate
} } }"""


@pytest.fixture
async def agency(given: Given) -> UUID:
    return await given.agency()


@pytest.fixture
async def owner(given: Given, agency: UUID) -> UUID:
    return await given.user(agency)


async def test_a_batch_is_counted_from_its_contacts_and_a_skipped_one_counts_as_failed(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    campaign = await given.campaign(agency)
    contacts = {"completed": 3, "failed": 2, "skipped": 1, "in_progress": 4, "pending": 5, "queued": 1}
    created = datetime(2026, 2, 16, 9, 30, 15, 250_000, tzinfo=UTC)
    batch = await given.batch(
        agency, campaign, contacts, status="completed", created_at=created, completed_at=created + timedelta(hours=1)
    )
    expected = {
        "id": str(batch),
        "agency_id": str(agency),
        "campaign_id": str(campaign),
        "status": "completed",
        "total_calls": 16,
        "completed_count": 3,
        "failed_count": 3,
        "pending_count": 6,
        "in_progress_count": 4,
        "progress_pct": 38,  # 6 of 16 are 37.5
        "created_at": "2026-02-16T09:30:15.250000Z",
        "completed_at": "2026-02-16T10:30:15.250000Z",
    }
    answer = await gateway.rest("campaigns", owner)
    assert answer == {
        "active_batches": [expected],
        "campaign_stats": [],
        "pagination": {"total": 1, "limit": 25, "offset": 0, "has_more": False},
    }
    assert list(answer) == ["active_batches", "campaign_stats", "pagination"]
    assert list(answer["active_batches"][0]) == list(expected)
    graphql = (await gateway.graphql(BATCHES, owner))["campaigns"]
    assert list(graphql["activeBatches"][0].values()) == list((expected | {"status": "COMPLETED"}).values())
    assert graphql["pagination"] == {"total": 1, "limit": 25, "offset": 0, "hasMore": False}


async def test_a_batch_that_is_not_done_has_no_end_and_may_have_no_campaign(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.batch(agency, contacts={"pending": 1}, created_at=NOW)
    (batch,) = (await gateway.rest("campaigns", owner))["active_batches"]
    assert (batch["campaign_id"], batch["completed_at"], batch["progress_pct"]) == (None, None, 0)
    assert batch["created_at"] == "2026-02-16T12:00:00Z"


async def test_a_batch_without_contacts_has_no_progress_in_graphql_and_zero_in_rest(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.batch(agency)
    (batch,) = (await gateway.graphql(BATCHES, owner))["campaigns"]["activeBatches"]
    assert (batch["totalCalls"], batch["progressPct"]) == (0, None)
    (batch,) = (await gateway.rest("campaigns", owner))["active_batches"]
    assert (batch["total_calls"], batch["progress_pct"]) == (0, 0)


async def test_a_contact_that_moves_on_moves_its_batch_at_once(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.batch(agency, contacts={"in_progress": 1, "completed": 1})

    async def progress() -> tuple[int, int, int]:
        (batch,) = (await gateway.rest("campaigns", owner))["active_batches"]
        return batch["in_progress_count"], batch["completed_count"], batch["progress_pct"]

    assert await progress() == (1, 1, 50)
    await given.connection.execute("update campaign_contacts set status = 'completed'")
    assert await progress() == (0, 2, 100)


async def test_the_newest_batch_comes_first_and_of_equally_old_ones_the_lowest_id(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    old = await given.batch(agency, created_at=NOW - timedelta(days=400))
    tied = [await given.batch(agency, created_at=NOW - timedelta(hours=1)) for _ in range(4)]
    new = await given.batch(agency, created_at=NOW)
    batches = (await gateway.rest("campaigns", owner))["active_batches"]
    assert [batch["id"] for batch in batches] == [str(each) for each in (new, *sorted(tied), old)]


async def test_pages_follow_one_another_without_a_gap(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    batches = [str(await given.batch(agency, created_at=NOW - timedelta(hours=hours))) for hours in range(5)]
    for offset, shown, more in (
        (0, 2, True),
        (2, 2, True),
        (3, 2, False),
        (4, 1, False),
        (5, 0, False),
        (99, 0, False),
    ):
        answer = await gateway.rest("campaigns", owner, limit=2, offset=offset)
        assert [batch["id"] for batch in answer["active_batches"]] == batches[offset : offset + shown]
        assert answer["pagination"] == {"total": 5, "limit": 2, "offset": offset, "has_more": more}
        graphql = (await gateway.graphql(BATCHES, owner, limit=2, offset=offset))["campaigns"]
        assert [batch["id"] for batch in graphql["activeBatches"]] == batches[offset : offset + shown]
        assert graphql["pagination"] == {"total": 5, "limit": 2, "offset": offset, "hasMore": more}


async def test_without_batches_the_page_is_empty(gateway: Running, owner: UUID) -> None:
    answer = await gateway.rest("campaigns", owner)
    assert answer["active_batches"] == []
    assert answer["pagination"] == {"total": 0, "limit": 25, "offset": 0, "has_more": False}


async def test_a_limit_above_the_most_is_lowered_and_an_offset_without_end_is_an_empty_page(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.batch(agency)
    assert (await gateway.rest("campaigns", owner, limit=101))["pagination"]["limit"] == 100
    far = await gateway.rest("campaigns", owner, offset=10**17)
    assert far["active_batches"] == []
    assert far["pagination"] == {"total": 1, "limit": 25, "offset": 10**17, "has_more": False}


async def test_a_status_narrows_the_batches_and_their_number(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    statuses = ("pending", "scheduled", "processing", "paused", "completed", "failed", "cancelled")
    for status in statuses:
        await given.batch(agency, status=status)
    await given.batch(agency, status="paused")
    assert (await gateway.rest("campaigns", owner))["pagination"]["total"] == 8
    for status in statuses:
        number = 2 if status == "paused" else 1
        if status != "cancelled":  # the documented statuses, and two more
            answer = await gateway.rest("campaigns", owner, status=status)
            assert [batch["status"] for batch in answer["active_batches"]] == [status] * number
            assert answer["pagination"]["total"] == number
        graphql = (await gateway.graphql(BATCHES, owner, status=status.upper()))["campaigns"]
        assert [batch["status"] for batch in graphql["activeBatches"]] == [status.upper()] * number


async def test_batches_are_narrowed_by_their_campaign_and_by_its_client(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    """A batch has no client of its own, and one without a campaign is nobody's."""
    client, other = await given.client(agency), await given.client(agency)
    campaign, second, others = [await given.campaign(agency, each) for each in (client, client, other)]
    for number, each in enumerate((campaign, second, others, None)):
        for _ in range(1 + number):
            await given.batch(agency, each)

    async def campaigns_of(**params: Any) -> list[Any]:
        answer = await gateway.rest("campaigns", owner, **params)
        assert answer["pagination"]["total"] == len(answer["active_batches"])
        return sorted((batch["campaign_id"] for batch in answer["active_batches"]), key=str)

    assert len(await campaigns_of()) == 10
    assert await campaigns_of(campaign_id=campaign) == [str(campaign)]
    assert await campaigns_of(client_id=other) == [str(others)] * 3
    assert await campaigns_of(client_id=client) == sorted([str(campaign), str(second), str(second)])
    assert await campaigns_of(client_id=other, campaign_id=campaign) == []
    assert await campaigns_of(client_id=uuid4()) == []


async def test_the_period_says_nothing_about_batches(gateway: Running, given: Given, agency: UUID, owner: UUID) -> None:
    campaign = await given.campaign(agency)
    await given.batch(agency, campaign, created_at=NOW - timedelta(days=300))
    await given.call(agency, campaign_id=campaign, started_at=NOW - timedelta(days=29))
    month = await gateway.rest("campaigns", owner)
    today = await gateway.rest("campaigns", owner, period="today")
    assert month["active_batches"] == today["active_batches"] != []
    assert (len(month["campaign_stats"]), today["campaign_stats"]) == (1, [])


async def test_what_a_campaigns_calls_came_to(gateway: Running, given: Given, agency: UUID, owner: UUID) -> None:
    """Of ten calls eight are completed, six connected, four conversations, two qualified and one booked."""
    campaign = await given.campaign(agency, name="Spring")
    for number, call in (
        (1, {"disposition": "appointment_booked", "duration_seconds": 100}),
        (1, {"is_qualified_lead": True, "duration_seconds": 90}),
        (2, {"duration_seconds": 10}),
        (2, {"disposition": "wrong_number", "duration_seconds": 5}),
        (2, {"answered": False, "duration_seconds": 0}),
        (2, {"answered": False, "status": "failed", "disposition": None}),
    ):
        await given.calls(agency, number, campaign_id=campaign, **call)
    expected = {
        "campaign_id": str(campaign),
        "campaign_name": "Spring",
        "total_calls": 10,
        "completed_calls": 8,
        "connected_calls": 6,
        "meetings_booked": 1,
        "qualified_leads": 2,
        "conversations_had": 4,
        "avg_duration_seconds": 28,  # 220 / 8 = 27.5
        "contact_rate": 60.0,
        "conversion_rate": 10.0,
    }
    stats = (await gateway.rest("campaigns", owner))["campaign_stats"]
    assert stats == [expected]
    assert list(stats[0]) == list(expected)
    (graphql,) = (await gateway.graphql(STATS, owner))["campaigns"]["campaignStats"]
    assert list(graphql.values()) == list(expected.values())


async def test_calls_without_a_campaign_are_not_in_the_statistics(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    campaign = await given.campaign(agency)
    await given.call(agency, campaign_id=campaign)
    await given.calls(agency, 5)
    (stats,) = (await gateway.rest("campaigns", owner))["campaign_stats"]
    assert (stats["campaign_id"], stats["total_calls"]) == (str(campaign), 1)


async def test_most_calls_come_first_then_the_name_then_the_id(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    calls = (("Beta", 2), ("Alpha", 2), ("Twin", 1), ("Twin", 1), ("Twin", 1), ("Zulu", 3))
    campaigns = []
    for name, number in calls:
        campaign = await given.campaign(agency, name=name)
        await given.calls(agency, number, campaign_id=campaign)
        campaigns.append(str(campaign))
    twins = sorted(campaigns[2:5])
    expected = [campaigns[5], campaigns[1], campaigns[0], *twins]
    stats = (await gateway.rest("campaigns", owner))["campaign_stats"]
    assert [each["campaign_id"] for each in stats] == expected
    graphql = (await gateway.graphql("{ campaigns { campaignStats { campaignId } } }", owner))["campaigns"]
    assert [each["campaignId"] for each in graphql["campaignStats"]] == expected


async def test_a_campaign_is_one_row_whoever_its_calls_were_for_and_means_are_weighted(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    client = await given.client(agency)
    campaign = await given.campaign(agency, client)
    await given.call(agency, campaign_id=campaign, client_id=client, duration_seconds=100)
    await given.calls(agency, 3, campaign_id=campaign, started_at=NOW - timedelta(days=9), duration_seconds=20)
    (stats,) = (await gateway.rest("campaigns", owner))["campaign_stats"]
    assert (stats["total_calls"], stats["avg_duration_seconds"]) == (4, 40)
    (stats,) = (await gateway.rest("campaigns", owner, client_id=client))["campaign_stats"]
    assert (stats["total_calls"], stats["avg_duration_seconds"]) == (1, 100)


async def test_a_campaign_without_completed_calls_has_no_mean_in_graphql_and_zero_in_rest(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    campaign = await given.campaign(agency)
    await given.call(agency, campaign_id=campaign, status="failed", answered=False)
    (graphql,) = (await gateway.graphql(STATS, owner))["campaigns"]["campaignStats"]
    assert (graphql["avgDurationSeconds"], graphql["contactRate"], graphql["conversionRate"]) == (None, 0.0, 0.0)
    (rest,) = (await gateway.rest("campaigns", owner))["campaign_stats"]
    assert (rest["avg_duration_seconds"], rest["contact_rate"], rest["conversion_rate"]) == (0, 0.0, 0.0)


async def test_a_deleted_campaigns_calls_are_calls_without_one(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    campaign = await given.campaign(agency)
    await given.call(agency, campaign_id=campaign)
    await given.batch(agency, campaign)
    await given.connection.execute("delete from campaigns where id = $1", campaign)
    answer = await gateway.rest("campaigns", owner)
    assert answer["campaign_stats"] == []
    assert [batch["campaign_id"] for batch in answer["active_batches"]] == [None]
    assert (await gateway.rest("overview", owner))["summary"]["total_calls"] == 1


async def test_a_renamed_campaign_shows_its_new_name(gateway: Running, given: Given, agency: UUID, owner: UUID) -> None:
    campaign = await given.campaign(agency, name="Spring")
    await given.call(agency, campaign_id=campaign)
    await given.connection.execute("update campaigns set name = 'Summer' where id = $1", campaign)
    (stats,) = (await gateway.rest("campaigns", owner))["campaign_stats"]
    assert stats["campaign_name"] == "Summer"
