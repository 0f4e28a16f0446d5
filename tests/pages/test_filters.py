"""The filters change every number, stand in the address, and show nobody what is not theirs."""

from datetime import timedelta

import pytest
from playwright.async_api import Locator, expect

from tests.given import NOW, Given, token
from tests.pages.conftest import Office, Visiting
from tests.pages.visit import Visit, entries, figures, rows


async def check(dashboard: Visit, calls: int, address: str) -> None:
    """The view's calls, where each panel counts them, and its address."""
    await expect(dashboard.key_figure("Calls")).to_have_text(str(calls))
    assert dashboard.page.url == f"{dashboard.address}/{address}"
    await expect(dashboard.panel("Funnel").get_by_role("listitem").first).to_contain_text(str(calls))


def client_of(dashboard: Visit) -> Locator:
    """The choice of a client."""
    return dashboard.page.get_by_role("combobox", name="Client")


def campaign_of(dashboard: Visit) -> Locator:
    """The choice of a campaign."""
    return dashboard.page.get_by_role("combobox", name="Campaign")


@pytest.mark.parametrize(
    ("period", "calls", "spelled", "range_of_days"),
    [
        ("Today", 3, "today", "Feb 16, 2026"),
        ("7 days", 10, "7d", "Feb 10 – 16, 2026"),
        ("90 days", 25, "90d", "Nov 19, 2025 – Feb 16, 2026"),
    ],
)
async def test_a_period(dashboard: Visit, period: str, calls: int, spelled: str, range_of_days: str) -> None:
    await dashboard.page.get_by_role("radio", name=period, exact=True).check(force=True)
    await check(dashboard, calls, f"?period={spelled}")
    await expect(dashboard.page.locator("strong", has_text=range_of_days)).to_have_text(range_of_days)
    days = await rows(dashboard.panel("Trend").get_by_role("table"))
    assert sum(int(values[1]) for values in days) == calls


async def test_every_panel_follows_the_period(dashboard: Visit) -> None:
    await dashboard.page.get_by_role("radio", name="Today").check(force=True)
    await check(dashboard, 3, "?period=today")
    assert await rows(dashboard.panel("Trend").get_by_role("table")) == [["Feb 16, 2026", "3", "3", "2"]]
    assert (await figures(dashboard.panel("Quality")))["Script adherence"] == ["80.0%"]
    await expect(dashboard.panel("Campaigns")).not_to_contain_text("Autumn")
    await expect(dashboard.panel("Outcomes").get_by_role("listitem").first).to_contain_text("66.7%")
    await expect(dashboard.panel("Objections and buying signals")).not_to_contain_text("Asks for a price")
    assert (await figures(dashboard.panel("What the numbers rest on")))["Connected calls analysed"] == ["3 of 3"]
    # The heatmap knows no single day, and the batches no days at all.
    await expect(dashboard.panel("Best times to call")).to_contain_text("the last 30 days")
    await expect(dashboard.panel("Batches").get_by_role("listitem")).to_have_count(2)


async def test_a_custom_range_of_one_day(dashboard: Visit) -> None:
    await dashboard.page.get_by_role("radio", name="Custom").check(force=True)
    await dashboard.page.get_by_label("From").fill("2026-01-20")
    await expect(dashboard.key_figure("Calls")).to_have_text("20")  # it has no end yet
    await dashboard.page.get_by_label("to", exact=True).fill("2026-01-20")
    await check(dashboard, 10, "?period=custom&start_date=2026-01-20&end_date=2026-01-20")
    trend = dashboard.panel("Trend")
    assert await rows(trend.get_by_role("table")) == [["Jan 20, 2026", "10", "0", "0"]]
    await expect(dashboard.panel("Best times to call")).to_contain_text("the last 30 days")


async def test_a_custom_range_may_be_left_for_the_period_that_was_before(dashboard: Visit) -> None:
    await dashboard.page.get_by_role("radio", name="Custom").check(force=True)
    await expect(dashboard.page.get_by_label("From")).to_be_visible()
    await dashboard.page.get_by_role("radio", name="30 days").check(force=True)
    await expect(dashboard.page.get_by_label("From")).to_be_hidden()
    await check(dashboard, 20, "")


async def _type_days(dashboard: Visit, field: str, keys: str) -> None:
    """As somebody who knows no calendar to pick from: month, day and year, one key after the other."""
    await dashboard.page.get_by_label(field, exact=True).focus()
    await dashboard.page.keyboard.type(keys, delay=30)


def _days_asked(dashboard: Visit) -> list[tuple[str, str]]:
    filters = [each["filters"] for each in dashboard.questions()]
    return [(each["startDate"], each["endDate"]) for each in filters if each["startDate"]]


async def _steps(dashboard: Visit) -> int:
    """How many of the browser's."""
    return await dashboard.page.evaluate("history.length")


@pytest.mark.parametrize("leave", ["Enter", "Tab", "pause"])
async def test_days_that_are_typed_are_asked_for_once_and_whole(dashboard: Visit, leave: str) -> None:
    steps = await _steps(dashboard)
    await dashboard.page.get_by_role("radio", name="Custom").check(force=True)
    await _type_days(dashboard, "From", "02102026")
    await _type_days(dashboard, "to", "02152026")
    if leave == "Tab":
        # Through what is left of the field, and out of it.
        await dashboard.page.get_by_role("combobox", name="Client").focus()
    elif leave == "Enter":
        await dashboard.page.keyboard.press("Enter")
    await check(dashboard, 7, "?period=custom&start_date=2026-02-10&end_date=2026-02-15")
    assert _days_asked(dashboard) == [("2026-02-10", "2026-02-15")]
    assert await _steps(dashboard) == steps + 1

    # Another beginning, when these days have been left, is another step, and the only one.
    await dashboard.page.get_by_role("combobox", name="Client").focus()
    await _type_days(dashboard, "From", "01202026")
    await dashboard.page.get_by_role("combobox", name="Client").focus()
    await check(dashboard, 17, "?period=custom&start_date=2026-01-20&end_date=2026-02-15")
    assert _days_asked(dashboard)[1:] == [("2026-01-20", "2026-02-15")]
    assert await _steps(dashboard) == steps + 2
    await dashboard.page.go_back()
    await check(dashboard, 7, "?period=custom&start_date=2026-02-10&end_date=2026-02-15")
    await expect(dashboard.page.get_by_label("From")).to_have_value("2026-02-10")
    await dashboard.page.go_back()
    await check(dashboard, 20, "")


async def test_a_slow_typist_gets_no_step_for_each_key(visit: Visiting, office: Office) -> None:
    dashboard = await visit(office.address, token=office.token)
    await dashboard.page.clock.install(time=NOW)
    await dashboard.shown("/?period=custom&start_date=2026-02-01&end_date=2026-02-16")
    steps = await _steps(dashboard)
    await dashboard.page.get_by_label("From", exact=True).focus()
    for key in "02102026":
        await dashboard.page.keyboard.press(key)
        await dashboard.page.clock.run_for(3_000)
    await check(dashboard, 10, "?period=custom&start_date=2026-02-10&end_date=2026-02-16")
    assert all(start >= "1970" for start, _ in _days_asked(dashboard))
    assert await _steps(dashboard) <= steps + 1
    # Its message would come and go with each.
    await expect(dashboard.page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2026-02-10", "2026-02-01", "The range ends before it begins."),
        ("2023-02-10", "2026-02-16", "The range has 1,103 days; at most 1,096 are counted."),
        ("0202-02-10", "2026-02-16", "That is no day of the years 1970 to 2199."),
        ("2026-02-10", "2200-01-01", "That is no day of the years 1970 to 2199."),
    ],
)
async def test_a_mistake_is_said_once_beside_the_days_and_not_asked_for(
    dashboard: Visit, start: str, end: str, words: str
) -> None:
    steps = await _steps(dashboard)
    await dashboard.page.get_by_role("radio", name="Custom").check(force=True)
    await dashboard.page.get_by_label("From").fill(start)
    await dashboard.page.get_by_label("to", exact=True).fill(end)
    await dashboard.page.keyboard.press("Enter")
    said = dashboard.page.get_by_role("alert")
    await expect(said).to_have_text(words)
    for field in ("From", "to"):
        box = dashboard.page.get_by_label(field, exact=True)
        await expect(box).to_have_attribute("aria-invalid", "true")
        await expect(box).to_have_accessible_description(words)
    assert len(dashboard.questions()) == 1
    assert await _steps(dashboard) == steps
    # What was shown before is shown still.
    await check(dashboard, 20, "")

    await dashboard.page.get_by_label("From").fill("2026-02-10")
    await dashboard.page.get_by_label("to", exact=True).fill("2026-02-16")
    await dashboard.page.keyboard.press("Enter")
    await check(dashboard, 10, "?period=custom&start_date=2026-02-10&end_date=2026-02-16")
    await expect(said).to_have_count(0)


async def test_what_is_chosen_before_the_page_is_painted_again_stands(visit: Visiting, office: Office) -> None:
    dashboard = await visit(office.address, token=office.token)
    await dashboard.page.clock.install(time=NOW)
    await dashboard.shown()
    # Nothing is painted, and no timer ends, while the clock stands.
    await dashboard.page.clock.pause_at(NOW + timedelta(minutes=1))
    await dashboard.page.get_by_role("radio", name="Custom").check(force=True)
    await dashboard.page.get_by_label("From").fill("2026-02-10")
    await dashboard.page.get_by_label("to", exact=True).fill("2026-02-16")
    await dashboard.page.clock.resume()
    await check(dashboard, 10, "?period=custom&start_date=2026-02-10&end_date=2026-02-16")


async def test_half_a_day_is_no_mistake_until_it_is_left(dashboard: Visit) -> None:
    await dashboard.page.get_by_role("radio", name="Custom").check(force=True)
    await dashboard.page.get_by_label("to", exact=True).fill("2026-02-16")
    await _type_days(dashboard, "From", "0231")
    await expect(dashboard.page.get_by_role("alert")).to_have_count(0)
    await dashboard.page.get_by_role("combobox", name="Client").focus()
    await expect(dashboard.page.get_by_role("alert")).to_have_text("That is no day of the years 1970 to 2199.")
    assert len(dashboard.questions()) == 1


async def test_a_client_narrows_the_campaigns_that_can_be_chosen(dashboard: Visit, office: Office) -> None:
    client, campaign = client_of(dashboard), campaign_of(dashboard)
    assert await entries(client.get_by_role("option")) == ["All clients", "Acme", "Bolt"]
    await client.select_option("Acme")
    await check(dashboard, 7, f"?client_id={office.known.acme}")
    assert await entries(campaign.get_by_role("option")) == ["All campaigns", "Spring"]
    await expect(dashboard.panel("Campaigns")).not_to_contain_text("Autumn")
    slots = dashboard.panel("Best times to call").get_by_role("list", name="Best times")
    assert await entries(slots.get_by_role("listitem")) == ["Sun 11:00 PM 4", "Mon 10:00 AM 3"]


async def test_a_campaign_by_its_choice_or_its_name(dashboard: Visit, office: Office) -> None:
    await campaign_of(dashboard).select_option("Autumn")
    await check(dashboard, 13, f"?campaign_id={office.known.autumn}")
    await campaign_of(dashboard).select_option("All campaigns")
    await check(dashboard, 20, "")
    await dashboard.panel("Campaigns").get_by_role("button", name="Spring").click()
    await check(dashboard, 7, f"?campaign_id={office.known.spring}")
    await expect(campaign_of(dashboard)).to_have_value(str(office.known.spring))


async def test_back_undoes_each_step_and_forward_takes_it_again(dashboard: Visit, office: Office) -> None:
    await dashboard.page.get_by_role("radio", name="7 days").check(force=True)
    await check(dashboard, 10, "?period=7d")
    await client_of(dashboard).select_option("Bolt")
    await check(dashboard, 3, f"?period=7d&client_id={office.known.bolt}")
    await dashboard.page.go_back()
    await check(dashboard, 10, "?period=7d")
    await expect(client_of(dashboard)).to_have_value("")
    await dashboard.page.go_back()
    await check(dashboard, 20, "")
    await expect(dashboard.page.get_by_role("radio", name="30 days")).to_be_checked()
    await dashboard.page.go_forward()
    await check(dashboard, 10, "?period=7d")


async def test_a_shared_address_shows_the_same(visit: Visiting, office: Office) -> None:
    address = (
        "?period=custom&start_date=2026-02-10&end_date=2026-02-15"
        f"&client_id={office.known.bolt}&campaign_id={office.known.autumn}&metric=connected"
    )
    other = await visit(office.address, token=office.token)
    await other.shown(f"/{address}")
    await check(other, 3, address)
    await expect(other.page.get_by_label("From")).to_have_value("2026-02-10")
    await expect(client_of(other)).to_have_value(str(office.known.bolt))
    await expect(campaign_of(other)).to_have_value(str(office.known.autumn))
    await expect(other.panel("Best times to call").get_by_label("Connected")).to_be_checked()


@pytest.mark.parametrize(
    "address",
    [
        "?period=yesterday&metric=love&page=-3&client_id=1&campaign_id=%3Cscript%3E",
        "?period=custom&start_date=2026-02-16&end_date=2026-02-01",
        "?period=custom&start_date=then",
        "?period=custom&start_date=2026-02-31&end_date=2026-03-40",
        "?period=%00%ff&&==&page=1e9",
    ],
)
async def test_a_bad_address_is_as_the_first_view(visit: Visiting, office: Office, address: str) -> None:
    dashboard = await visit(office.address, token=office.token)
    await dashboard.shown(f"/{address}")
    await expect(dashboard.key_figure("Calls")).to_have_text("20")
    await expect(dashboard.page.get_by_role("radio", name="30 days")).to_be_checked()


async def test_a_range_of_an_address_that_the_gateway_refuses_is_said_once(visit: Visiting, office: Office) -> None:
    dashboard = await visit(office.address, token=office.token)
    await dashboard.shown("/?period=custom&start_date=1926-01-01&end_date=2026-02-16")
    alert = dashboard.page.get_by_role("alert")
    await expect(alert).to_have_text("The range from 1926-01-01 to 2026-02-16 is longer than 1,096 days.")
    await expect(dashboard.page.get_by_label("From")).to_have_accessible_description(await alert.inner_text())
    await expect(dashboard.page.get_by_role("status")).to_have_text("")
    for panel in ("Key figures", "Trend", "Campaigns", "Outcomes"):
        await expect(dashboard.panel(panel)).to_contain_text("There are no numbers to show.")
    # What is of no range is there.
    await expect(dashboard.panel("Best times to call")).to_contain_text("Tue 9:00")
    assert await entries(client_of(dashboard).get_by_role("option")) == ["All clients", "Acme", "Bolt"]
    await dashboard.page.get_by_role("radio", name="7 days").check(force=True)
    await check(dashboard, 10, "?period=7d")
    await expect(dashboard.page.get_by_role("alert")).to_have_count(0)


async def test_what_the_gateway_refuses_leaves_the_numbers_that_are_shown(dashboard: Visit) -> None:
    await dashboard.page.evaluate("""() => {
        history.pushState(null, "", "?period=custom&start_date=1926-01-01&end_date=2026-02-16");
        dispatchEvent(new PopStateEvent("popstate"));
    }""")
    await expect(dashboard.page.get_by_role("alert")).to_contain_text("longer than 1,096 days")
    await expect(dashboard.key_figure("Calls")).to_have_text("20")
    await expect(dashboard.page.locator("strong", has_text="Jan 18 – Feb 16, 2026")).to_be_visible()
    await dashboard.settled()
    assert await dashboard.page.get_by_role("alert").count() == 1
    await dashboard.page.go_back()
    await check(dashboard, 20, "")
    await expect(dashboard.page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("page", [99, 99_999_999_999])
async def test_a_page_of_batches_far_behind_the_last_leads_back(visit: Visiting, office: Office, page: int) -> None:
    dashboard = await visit(office.address, token=office.token)
    await dashboard.shown(f"/?page={page}")
    panel = dashboard.panel("Batches")
    await panel.get_by_role("button", name="Previous").click()
    await expect(panel.get_by_role("listitem")).to_have_count(2)


@pytest.fixture
async def of_acme(visit: Visiting, office: Office) -> Visit:
    """The dashboard of somebody who sees only Acme."""
    viewer = await office.house.given.user(office.known.agency, "client_viewer", office.known.acme)
    return await visit(office.address, token=token(viewer))


async def test_a_client_sees_its_own_numbers_and_choices_only(of_acme: Visit) -> None:
    await of_acme.shown()
    await check(of_acme, 7, "")
    assert await entries(client_of(of_acme).get_by_role("option")) == ["All clients", "Acme"]
    choices = campaign_of(of_acme).get_by_role("option")
    assert await entries(choices) == ["All campaigns", "Spring"]
    for others in ("Bolt", "Autumn", "Asks for a price"):
        await expect(of_acme.page.locator("body")).not_to_contain_text(others)


async def test_anothers_client_in_the_address_shows_a_client_nothing(of_acme: Visit, office: Office) -> None:
    await of_acme.open(f"/?client_id={office.known.bolt}")
    await of_acme.settled()
    await expect(of_acme.page.locator("body")).not_to_contain_text("Autumn")
    assert (await figures(of_acme.panel("Key figures")))["Calls"][0] in ("0", "7")


async def test_another_agencys_campaign_shows_nothing(visit_agency: Visiting, given: Given) -> None:
    one, other = await given.agency(), await given.agency()
    campaign = await given.campaign(other, name="Secret")
    await given.call(other, campaign_id=campaign)
    await given.call(one)
    dashboard = await visit_agency(one)
    await dashboard.shown(f"/?campaign_id={campaign}")
    await expect(dashboard.key_figure("Calls")).to_have_text("0")
    await expect(dashboard.page.locator("body")).not_to_contain_text("Secret")
    await expect(campaign_of(dashboard).locator("option:checked")).to_have_text("Another campaign")
