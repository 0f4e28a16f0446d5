"""What the filters can be set to, for who may see what."""

from typing import Any
from uuid import UUID

from tests.given import Given
from tests.running import Running

ALL = "{ choices { clients { id name } campaigns { id name clientId } } }"


async def ask(gateway: Running, user: UUID, query: str = ALL) -> Any:
    return (await gateway.graphql(query, user))["choices"]


async def test_clients_and_campaigns_come_by_name(gateway: Running, given: Given) -> None:
    agency = await given.agency()
    zoo, ark = await given.client(agency, "Zoo"), await given.client(agency, "Ark")
    spring = await given.campaign(agency, zoo, "Spring")
    autumn = await given.campaign(agency, None, "Autumn")
    assert await ask(gateway, await given.user(agency)) == {
        "clients": [{"id": str(ark), "name": "Ark"}, {"id": str(zoo), "name": "Zoo"}],
        "campaigns": [
            {"id": str(autumn), "name": "Autumn", "clientId": None},
            {"id": str(spring), "name": "Spring", "clientId": str(zoo)},
        ],
    }


async def test_another_agencys_are_never_among_them(gateway: Running, given: Given) -> None:
    other = await given.agency()
    await given.campaign(other, await given.client(other))
    own = await given.user(await given.agency())
    assert await ask(gateway, own) == {"clients": [], "campaigns": []}


async def test_a_clients_user_sees_that_client_and_its_campaigns(gateway: Running, given: Given) -> None:
    agency = await given.agency()
    own, other = await given.client(agency, "Own"), await given.client(agency, "Other")
    await given.campaign(agency, own, "Ours")
    await given.campaign(agency, other, "Theirs")
    await given.campaign(agency, None, "Nobody's")
    found = await ask(gateway, await given.user(agency, "client_viewer", own))
    assert [client["name"] for client in found["clients"]] == ["Own"]
    assert [campaign["name"] for campaign in found["campaigns"]] == ["Ours"]


async def test_a_new_campaign_is_among_them_at_once(gateway: Running, given: Given) -> None:
    agency = await given.agency()
    user = await given.user(agency)
    assert (await ask(gateway, user))["campaigns"] == []
    await given.campaign(agency, name="New")
    assert [campaign["name"] for campaign in (await ask(gateway, user))["campaigns"]] == ["New"]
