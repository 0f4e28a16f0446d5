"""The ways in: the demo's token, one that is pasted, and Supabase's e-mail and password. No token leaves its tab."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Route, expect

from tests.conftest import Database
from tests.given import Given, token
from tests.pages.conftest import Office, Visiting, address_of
from tests.pages.supabase import EMAIL, PASSWORD, PUBLISHABLE_KEY, Supabase, supabase
from tests.pages.visit import REFRESH_MS, Visit
from tests.running import Running, running, settings_for
from tests.waiting import until

REFUSED = "status of 40[01]"
"""What the browser itself says of an answer that it was to expect."""


async def kept(visit: Visit) -> dict[str, Any]:
    """Where the browser keeps what of this page."""
    return {
        "local": await visit.page.evaluate("({...localStorage})"),
        "session": await visit.page.evaluate("({...sessionStorage})"),
        "cookies": await visit.page.context.cookies(),
    }


async def check_token_is_of_this_tab(visit: Visit) -> None:
    """It is in the session's storage and nowhere else, and the address has no word of it."""
    found = await kept(visit)
    assert "eyJ" in str(found["session"])
    assert found["local"] == {}
    assert found["cookies"] == []
    assert "eyJ" not in visit.page.url


async def test_a_pasted_token(visit: Visiting, office: Office) -> None:
    dashboard = await visit(office.address)
    await dashboard.open()
    await expect(dashboard.page.get_by_role("main")).to_contain_text("Sign in to see your numbers.")
    assert dashboard.questions() == []
    await dashboard.page.get_by_label("Token").fill(f"Bearer {office.token} ")
    await dashboard.page.get_by_role("button", name="Sign in").click()
    await expect(dashboard.key_figure("Calls")).to_have_text("20")
    await check_token_is_of_this_tab(dashboard)

    await dashboard.page.reload()
    await expect(dashboard.key_figure("Calls")).to_have_text("20")
    other = await dashboard.page.context.new_page()
    await other.goto(dashboard.address)
    await expect(other.get_by_label("Token")).to_be_visible()

    await dashboard.page.get_by_role("button", name="Sign out").click()
    await expect(dashboard.page.get_by_label("Token")).to_be_visible()
    await expect(dashboard.page.locator("body")).not_to_contain_text("Spring")
    assert (await kept(dashboard))["session"] == {}


@pytest.mark.parametrize(
    ("pasted", "why"),
    [
        ("nonsense", "The access token is not valid"),
        (token(uuid4(), expires_in=timedelta(hours=-1)), "The access token has expired"),
    ],
    ids=["nonsense", "expired"],
)
async def test_a_token_that_does_not_count_is_refused_with_the_reason(
    visit: Visiting, office: Office, pasted: str, why: str
) -> None:
    dashboard = await visit(office.address)
    dashboard.expected.append(REFUSED)
    await dashboard.open()
    await dashboard.page.get_by_label("Token").fill(pasted)
    await dashboard.page.get_by_role("button", name="Sign in").click()
    await expect(dashboard.page.get_by_role("main")).to_contain_text(why)
    await expect(dashboard.page.get_by_role("button", name="Sign in")).to_be_enabled()
    # And the way in is still open.
    await dashboard.page.get_by_label("Token").fill(office.token)
    await dashboard.page.get_by_role("button", name="Sign in").click()
    await expect(dashboard.key_figure("Calls")).to_have_text("20")


async def test_a_user_whom_the_platform_does_not_know_is_told_and_can_leave(visit: Visiting, office: Office) -> None:
    dashboard = await visit(office.address)
    dashboard.expected.append("status of 403")
    await dashboard.open()
    await dashboard.page.get_by_label("Token").fill(token(uuid4()))
    await dashboard.page.get_by_role("button", name="Sign in").click()
    await expect(dashboard.page.get_by_role("status")).to_contain_text("This user is not known to the platform")
    await dashboard.page.get_by_role("button", name="Sign out").click()
    await expect(dashboard.page.get_by_label("Token")).to_be_visible()


async def test_a_token_that_expires_while_one_looks_on_asks_to_sign_in_again(visit: Visiting, office: Office) -> None:
    dashboard = await visit(office.address, token=office.token)
    dashboard.expected.append(REFUSED)
    await dashboard.page.clock.install()
    await dashboard.shown()
    # Nobody waits an hour here: what is sent from now on is an older token of the same user.
    older = token(office.known.owner, expires_in=timedelta(hours=-1))

    async def later(route: Route) -> None:
        await route.continue_(headers={**route.request.headers, "authorization": f"Bearer {older}"})

    await dashboard.page.route("**/graphql?*", later)
    await dashboard.page.clock.fast_forward(REFRESH_MS)
    await expect(dashboard.page.get_by_role("main")).to_contain_text("The access token has expired")
    await expect(dashboard.page.get_by_label("Token")).to_be_visible()
    await expect(dashboard.page.locator("body")).not_to_contain_text("Spring")


async def _demo(given: Given, database: Database, expires_in: timedelta) -> Any:
    agency = await given.agency()
    await given.calls(agency, 3)
    handed_out = token(await given.user(agency), expires_in=expires_in)
    return running(settings_for(database.dsn, page_token=handed_out))


async def test_the_demos_token_needs_no_signing_in_and_is_kept_nowhere(
    visit: Visiting, given: Given, database: Database
) -> None:
    async with await _demo(given, database, timedelta(hours=1)) as gateway:
        dashboard = await visit(address_of(gateway))
        await dashboard.shown()
        await expect(dashboard.key_figure("Calls")).to_have_text("3")
        await expect(dashboard.page.get_by_role("button", name="Sign out")).to_be_hidden()
        assert await kept(dashboard) == {"local": {}, "session": {}, "cookies": []}


async def test_an_expired_demo_token_is_said_in_clear_words(visit: Visiting, given: Given, database: Database) -> None:
    async with await _demo(given, database, timedelta(hours=-1)) as gateway:
        dashboard = await visit(address_of(gateway))
        dashboard.expected.append(REFUSED)
        await dashboard.open()
        await expect(dashboard.page.get_by_role("status")).to_contain_text("The access token has expired")
        await expect(dashboard.page.get_by_role("status")).to_contain_text("restart the demo for a new one")
        await expect(dashboard.page.get_by_label("Token")).to_be_hidden()


@pytest.fixture
async def project(office: Office) -> AsyncIterator[Supabase]:
    """The Supabase project of the known agency's owner."""
    async with supabase(office.known.owner) as listening:
        yield listening


@pytest.fixture
async def signed_up(office: Office, project: Supabase) -> AsyncIterator[Running]:
    """A gateway that takes this project's tokens."""
    settings = settings_for(
        office.house.database.dsn, supabase_url=project.url, supabase_publishable_key=PUBLISHABLE_KEY,
        supabase_jwt_secret=None, request_timeout_seconds=60,
    )  # fmt: skip
    async with running(settings) as gateway:
        yield gateway


async def _sign_in(visit: Visit, password: str = PASSWORD) -> None:
    await visit.page.get_by_label("E-mail").fill(EMAIL)
    await visit.page.get_by_label("Password").fill(password)
    await visit.page.get_by_role("button", name="Sign in").click()


async def test_supabase_lets_in_whoever_knows_the_password(
    signed_up: Running, visit: Visiting, project: Supabase
) -> None:
    dashboard = await visit(address_of(signed_up), issuer=project.url)
    dashboard.expected.append(REFUSED)
    await dashboard.open()
    await _sign_in(dashboard, "wrong")
    await expect(dashboard.page.get_by_role("alert")).to_have_text("Invalid login credentials")
    await _sign_in(dashboard)
    await expect(dashboard.key_figure("Calls")).to_have_text("20")
    assert project.asked == ["password", "password"]
    await check_token_is_of_this_tab(dashboard)
    assert PASSWORD not in str(await kept(dashboard))

    await dashboard.page.reload()
    await expect(dashboard.key_figure("Calls")).to_have_text("20")
    await dashboard.page.get_by_role("button", name="Sign out").click()
    await expect(dashboard.page.get_by_label("Password")).to_be_visible()
    assert "eyJ" not in str(await kept(dashboard))
    assert project.asked == ["password", "password", "logout"]


async def test_supabase_renews_a_token_before_it_is_used_when_it_has_expired(
    signed_up: Running, visit: Visiting, project: Supabase
) -> None:
    dashboard = await visit(address_of(signed_up), issuer=project.url)
    await dashboard.open()
    # One that is used up as it is handed out: it is not even shown to the gateway.
    project.lasts = timedelta(seconds=5)
    await dashboard.page.get_by_label("E-mail").wait_for()
    await _sign_in(dashboard)
    await expect(dashboard.key_figure("Calls")).to_have_text("20")
    project.lasts = timedelta(hours=1)
    await dashboard.page.reload()
    await expect(dashboard.key_figure("Calls")).to_have_text("20")
    assert project.asked[0] == "password"
    assert "refresh_token" in project.asked
    assert {status for status in dashboard.statuses() if status != 304} == {200}


async def test_a_token_that_only_the_viewers_slow_clock_finds_good_is_renewed(
    signed_up: Running, visit: Visiting, project: Supabase
) -> None:
    dashboard = await visit(address_of(signed_up), issuer=project.url)
    dashboard.expected.append(REFUSED)
    await dashboard.page.clock.install()
    await dashboard.open()
    await dashboard.page.get_by_label("E-mail").wait_for()
    await _sign_in(dashboard)
    await expect(dashboard.key_figure("Calls")).to_have_text("20")
    older, refused = token(uuid4(), expires_in=timedelta(hours=-1)), []

    async def later(route: Route) -> None:
        headers = {**route.request.headers}
        if not refused:
            refused.append(headers["authorization"])
            headers["authorization"] = f"Bearer {older}"
        await route.continue_(headers=headers)

    await dashboard.page.route("**/graphql?*", later)
    await dashboard.page.clock.fast_forward(REFRESH_MS)
    await until(lambda: len(dashboard.statuses()) >= 3)
    await expect(dashboard.key_figure("Calls")).to_have_text("20")
    await expect(dashboard.page.get_by_label("Password")).to_have_count(0)
    assert dashboard.statuses()[1:] in ([401, 304], [401, 200])
    assert project.asked == ["password", "refresh_token"]


async def test_a_session_that_cannot_be_renewed_asks_to_sign_in_again(
    signed_up: Running, visit: Visiting, project: Supabase
) -> None:
    dashboard = await visit(address_of(signed_up), issuer=project.url)
    dashboard.expected.append(REFUSED)
    await dashboard.open()
    project.lasts = timedelta(seconds=-60)
    project.refresh_tokens = _Forgetful()
    await _sign_in(dashboard)
    await expect(dashboard.page.get_by_role("main")).to_contain_text("Sign in to see your numbers.")
    await expect(dashboard.page.get_by_role("button", name="Sign in")).to_be_enabled()


class _Forgetful(set[str]):
    """Of sessions that were ended elsewhere."""

    def add(self, _: str) -> None:
        """Keeps none."""
