"""Who is asking is shown themselves, and nobody else."""

from typing import Any
from uuid import UUID

from tests.given import Given
from tests.pages.known import at
from tests.running import Running

ALL = "{ viewer { agency { id name firstCallAt } client { id name } } }"


async def ask(gateway: Running, user: UUID) -> Any:
    return (await gateway.graphql(ALL, user))["viewer"]


async def test_an_agencys_user_is_shown_the_agency_and_when_its_first_call_began(
    gateway: Running, given: Given
) -> None:
    other = await given.agency("Other")
    await given.call(other, started_at=at("2020-01-01 10:00"))
    agency = await given.agency("Own")
    await given.client(agency, "Acme")
    await given.client(agency, "Bolt")
    user = await given.user(agency)
    assert await ask(gateway, user) == {
        "agency": {"id": str(agency), "name": "Own", "firstCallAt": None},
        "client": None,
    }
    for day in ("2026-02-16 10:05", "2021-03-04 05:06", "2025-01-01 00:00"):
        await given.call(agency, started_at=at(day))
    assert (await ask(gateway, user))["agency"]["firstCallAt"] == "2021-03-04T05:06:00Z"


async def test_a_clients_user_is_shown_that_client_and_its_own_first_call(gateway: Running, given: Given) -> None:
    agency = await given.agency("Agency")
    own, other = await given.client(agency, "Own"), await given.client(agency, "Other")
    await given.call(agency, client_id=other, started_at=at("2020-01-01 10:00"))
    await given.call(agency, started_at=at("2020-01-01 10:00"))
    user = await given.user(agency, "client_viewer", own)
    shown = {"agency": {"id": str(agency), "name": "Agency"}, "client": {"id": str(own), "name": "Own"}}
    found = await ask(gateway, user)
    assert found["agency"].pop("firstCallAt") is None
    assert found == shown
    await given.call(agency, client_id=own, started_at=at("2026-02-01 08:00"))
    assert (await ask(gateway, user))["agency"]["firstCallAt"] == "2026-02-01T08:00:00Z"


async def test_a_new_name_is_shown_at_once(gateway: Running, given: Given) -> None:
    """An answer is given again while nothing of the agency has changed; its name is of it."""
    agency = await given.agency("Old name")
    user = await given.user(agency)
    assert (await ask(gateway, user))["agency"]["name"] == "Old name"
    await given.connection.execute("update agencies set name = 'New name' where id = $1", agency)
    assert (await ask(gateway, user))["agency"]["name"] == "New name"
