"""Every value and control is reached with the keyboard and the finger, and a change is said to who does not see it."""

import re
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.given import NOW, Given, token
from tests.pages.conftest import Office, Visiting, address_of
from tests.pages.visit import DESKTOP, PHONE, REFRESH_MS, TABLET, Visit, tidy
from tests.running import Running

LEAST = 24
"""Pixels, of the smaller side of what a finger hits: WCAG 2.2, 2.5.8."""
NARROW = {"width": 320, "height": 640}
"""As wide as a desktop's window at 400 %."""
BETWEEN = {"width": 804, "height": 900}
"""A little wider than where the week is turned."""
BESIDE = {"width": 1124, "height": 900}
"""A little wider than where panels stand beside one another."""
_TOO_SMALL = f"""() => {{
    const found = [];
    for (const each of document.querySelectorAll("button, select, input, a[href], [tabindex]")) {{
        // A box or a button of a group is worked by all of its label.
        const target = each.matches("[type=radio], [type=checkbox]") ? each.closest("label") : each;
        const {{ width, height }} = target.getBoundingClientRect();
        if (width === 0 && height === 0) continue;
        if (width < {LEAST} || height < {LEAST})
            found.push(`${{each.outerHTML.slice(0, 120)}}: ${{width}} x ${{height}}`);
    }}
    return found;
}}"""


@pytest.fixture
async def busy(given: Given) -> str:
    """A token of an agency whose lists have several pages, and whose campaigns have short names."""
    agency = await given.agency()
    for number in range(14):
        campaign = await given.campaign(agency, name="I" if number else "A longer name of a campaign")
        await given.batch(agency, campaign, {"completed": 2, "pending": 1})
        await given.calls(agency, 2, campaign_id=campaign, objections=[{"text": "No", "handled": True}])
    return token(await given.user(agency))


@pytest.mark.parametrize(
    "window", [NARROW, PHONE, TABLET, BETWEEN, BESIDE, DESKTOP], ids=lambda window: str(window["width"])
)
async def test_whatever_can_be_hit_is_as_large_as_a_finger_needs_it(
    gateway: Running, visit: Visiting, busy: str, window: Any
) -> None:
    dashboard = await visit(address_of(gateway), token=busy, viewport=window)
    await dashboard.shown()
    await expect(dashboard.panel("Trend").locator("canvas")).to_be_visible()
    await dashboard.page.get_by_role("radio", name="Custom").check(force=True)
    await expect(dashboard.page.get_by_label("From")).to_be_visible()
    assert await dashboard.panel("Best times to call").locator("td[tabindex]").count() == 7 * 24
    assert await dashboard.panel("Batches").get_by_role("button").count() == 2
    assert await dashboard.page.evaluate(_TOO_SMALL) == []
    assert not await dashboard.is_overflowing()


async def test_what_stands_in_the_way_is_hit_too(gateway: Running, visit: Visiting) -> None:
    signing_in = await visit(address_of(gateway), viewport=PHONE)
    await signing_in.open()
    await expect(signing_in.page.get_by_label("Token")).to_be_visible()
    assert await signing_in.page.evaluate(_TOO_SMALL) == []
    away = await visit(address_of(gateway), token="whatever", viewport=PHONE)
    away.expected.append("status of 503")
    await away.page.route("**/graphql?*", lambda route: route.fulfill(status=503, body="{}"))
    await away.open()
    await expect(away.page.get_by_role("button", name="Try again")).to_be_visible()
    assert await away.page.evaluate(_TOO_SMALL) == []


def _week(dashboard: Visit) -> Locator:
    return dashboard.panel("Best times to call")


async def _at(dashboard: Visit) -> str:
    """What the cell at the keyboard says."""
    said: str = await dashboard.page.evaluate("document.activeElement.title")
    return tidy(said)


async def test_the_hours_of_the_week_are_gone_along_with_the_arrow_keys(dashboard: Visit) -> None:
    week = _week(dashboard)
    # One stop of the keyboard's, which Tab comes to and leaves.
    await expect(week.locator("td[tabindex='0']")).to_have_count(1)
    await week.get_by_label("Calls", exact=True).focus()
    await dashboard.page.keyboard.press("Tab")
    assert await _at(dashboard) == "Sunday 12:00 AM: 0"
    steps = {
        "ArrowRight": "Sunday 1:00 AM: 0",
        "ArrowDown": "Monday 1:00 AM: 0",
        "End": "Monday 11:00 PM: 0",
        "ArrowUp": "Sunday 11:00 PM: 4",
        "Home": "Sunday 12:00 AM: 0",
        "ArrowLeft": "Sunday 12:00 AM: 0",
        "PageDown": "Saturday 12:00 AM: 0",
        "PageUp": "Sunday 12:00 AM: 0",
        "Control+End": "Saturday 11:00 PM: 0",
        "Control+Home": "Sunday 12:00 AM: 0",
    }
    for key, said in steps.items():
        await dashboard.page.keyboard.press(key)
        assert await _at(dashboard) == said, key
    for key in ("ArrowDown", "ArrowDown", *["ArrowRight"] * 9):
        await dashboard.page.keyboard.press(key)
    assert await _at(dashboard) == "Tuesday 9:00 AM: 10"
    await expect(week).to_contain_text("Tuesday 9:00 AM: 10 calls")
    await expect(week.locator("td:focus")).to_have_css("outline-style", "solid")
    # It stays where it was left.
    await dashboard.page.keyboard.press("Tab")
    await expect(week.locator("td:focus")).to_have_count(0)
    await dashboard.page.keyboard.press("Shift+Tab")
    assert await _at(dashboard) == "Tuesday 9:00 AM: 10"
    # So does the page, whose own keys these are.
    assert await dashboard.page.evaluate("document.activeElement.closest('main') !== null")


async def test_on_a_phone_days_stand_side_by_side_and_keys_go_as_they_are_seen(visit: Visiting, office: Office) -> None:
    dashboard = await visit(office.address, token=office.token, viewport=PHONE)
    await dashboard.shown()
    week = _week(dashboard)
    assert await week.locator("thead th").all_inner_texts() == ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    await week.locator("td[tabindex='0']").focus()
    for key in ("ArrowRight", "ArrowRight", *["ArrowDown"] * 9):
        await dashboard.page.keyboard.press(key)
    assert await _at(dashboard) == "Tuesday 9:00 AM: 10"


async def test_what_an_hour_is_called_is_its_name_and_not_said_twice(dashboard: Visit) -> None:
    session = await dashboard.page.context.new_cdp_session(dashboard.page)
    await session.send("Accessibility.enable")
    tree = await session.send("Accessibility.getFullAXTree")
    cells = [node for node in tree["nodes"] if node.get("role", {}).get("value") == "gridcell"]
    named = [node for node in cells if tidy(node["name"].get("value", "")) == "Tuesday 9:00 AM: 10"]
    assert len(named) == 1
    assert "description" not in named[0]


@pytest.mark.parametrize("metric", [("Calls", "10 calls"), ("Connected", "2 connected"), ("Meetings", "1 meeting")])
async def test_a_tap_on_an_hour_shows_what_it_has(
    visit_agency: Visiting, given: Given, metric: tuple[str, str]
) -> None:
    agency = await given.agency()
    at = NOW.replace(hour=9)
    await given.calls(agency, 8, started_at=at, answered=False)
    await given.call(agency, started_at=at)
    await given.call(agency, started_at=at, disposition="appointment_booked")
    dashboard = await visit_agency(agency, viewport=PHONE, has_touch=True, is_mobile=True)
    await dashboard.shown()
    week = _week(dashboard)
    name, said = metric
    if name != "Calls":
        await week.locator("label", has_text=name).tap()
        await dashboard.settled()
    await week.locator("td[title^='Monday 9:00 AM']").tap()
    await expect(week).to_contain_text(f"Monday 9:00 AM: {said}")


async def test_pointing_at_an_hour_shows_what_it_has(dashboard: Visit) -> None:
    week = _week(dashboard)
    await week.locator("td[title^='Tuesday 9:00 AM']").hover()
    await expect(week).to_contain_text("Tuesday 9:00 AM: 10 calls")
    await dashboard.panel("Funnel").hover()
    await expect(week).not_to_contain_text("10 calls")


def _chart(dashboard: Visit, panel: str) -> Locator:
    return dashboard.panel(panel).get_by_role("slider", name=f"{panel} by day")


async def test_the_days_of_a_chart_are_gone_along_with_the_arrow_keys(dashboard: Visit) -> None:
    chart = _chart(dashboard, "Trend")
    await expect(chart.locator("canvas")).to_be_visible()
    await dashboard.panel("Trend").get_by_label("Agent’s talk share").focus()
    await dashboard.page.keyboard.press("Tab")
    await expect(chart).to_be_focused()
    tip = chart.locator(".tip")
    steps = (
        (None, "Feb 16, 2026", "Calls 3, Connected 3, Meetings 2"),
        ("ArrowLeft", "Feb 15, 2026", "Calls 4, Connected 1, Meetings 0"),
        ("ArrowDown", "Feb 14, 2026", "Calls 0, Connected 0, Meetings 0"),
        ("Home", "Jan 18, 2026", "Calls 0, Connected 0, Meetings 0"),
        ("ArrowLeft", "Jan 18, 2026", "Calls 0, Connected 0, Meetings 0"),
        ("ArrowRight", "Jan 19, 2026", "Calls 0, Connected 0, Meetings 0"),
        ("ArrowUp", "Jan 20, 2026", "Calls 10, Connected 0, Meetings 0"),
        ("PageUp", "Jan 27, 2026", "Calls 0, Connected 0, Meetings 0"),
        ("PageDown", "Jan 20, 2026", "Calls 10, Connected 0, Meetings 0"),
        ("End", "Feb 16, 2026", "Calls 3, Connected 3, Meetings 2"),
    )
    for key, day, values in steps:
        if key:
            await dashboard.page.keyboard.press(key)
        await expect(chart).to_have_attribute("aria-valuetext", f"{day}: {values}")
        await expect(tip).to_contain_text(day)
        for each in values.split(", "):
            await expect(tip).to_contain_text(re.sub(r" (\S+)$", r"\1", each))
    await dashboard.page.keyboard.press("Escape")
    await expect(tip).to_be_hidden()
    await dashboard.page.keyboard.press("ArrowLeft")
    await expect(tip).to_be_visible()
    await dashboard.page.keyboard.press("Tab")
    await expect(tip).to_be_hidden()


async def test_a_day_without_a_value_is_gone_to_as_well(dashboard: Visit) -> None:
    """Of the quality, most days have none."""
    chart = _chart(dashboard, "Quality")
    await expect(chart.locator("canvas")).to_be_visible()
    await chart.focus()
    await dashboard.page.keyboard.press("Home")
    await expect(chart).to_have_attribute(
        "aria-valuetext", "Jan 18, 2026: Interruptions –, Positive sentiment –, Script adherence –"
    )
    await expect(chart.locator(".tip")).to_contain_text("Jan 18, 2026")


async def test_a_tap_on_a_chart_shows_the_day(visit: Visiting, office: Office) -> None:
    dashboard = await visit(office.address, token=office.token, viewport=PHONE, has_touch=True, is_mobile=True)
    await dashboard.shown()
    chart = _chart(dashboard, "Trend")
    await expect(chart.locator("canvas")).to_be_visible()
    box = await chart.bounding_box()
    assert box
    await chart.tap(position={"x": box["width"] - 12, "y": box["height"] / 2})
    await expect(chart.locator(".tip")).to_contain_text("Feb 16, 2026Calls3")


async def test_new_numbers_leave_the_day_at_the_keyboard_in_sight(visit_agency: Visiting, given: Given) -> None:
    agency = await given.agency()
    await given.call(agency)
    dashboard = await visit_agency(agency)
    await dashboard.page.clock.install(time=NOW)
    await dashboard.shown()
    chart = _chart(dashboard, "Trend")
    await expect(chart.locator("canvas")).to_be_visible()
    await chart.focus()
    await dashboard.page.keyboard.press("End")
    await expect(chart.locator(".tip")).to_contain_text("Calls1")
    await given.call(agency)
    await dashboard.page.clock.run_for(REFRESH_MS)
    await expect(chart).to_have_attribute("aria-valuetext", re.compile("Calls 2"))
    await expect(chart.locator(".tip")).to_contain_text("Calls2")


_LISTEN = """() => {
    window.heard = [];
    for (const region of document.querySelectorAll("[aria-live]"))
        new MutationObserver(() => { if (region.textContent.trim()) window.heard.push(region.textContent.trim()); })
            .observe(region, { childList: true, characterData: true, subtree: true });
}"""


async def _heard(dashboard: Visit) -> list[str]:
    said: list[str] = await dashboard.page.evaluate("window.heard.splice(0)")
    return [tidy(each) for each in said]


async def test_other_numbers_are_announced_once_and_refreshed_ones_never(visit_agency: Visiting, given: Given) -> None:
    agency = await given.agency()
    client = await given.client(agency, "Acme")
    campaign = await given.campaign(agency, client, "Spring")
    await given.calls(agency, 2, started_at=NOW.replace(day=12))
    await given.call(agency, client_id=client, campaign_id=campaign)
    dashboard = await visit_agency(agency)
    await dashboard.page.clock.install(time=NOW)
    await dashboard.shown()
    await dashboard.page.evaluate(_LISTEN)

    await dashboard.page.get_by_role("radio", name="7 days").check(force=True)
    await expect(dashboard.page.locator("[aria-live]", has_text="3 calls")).to_have_count(1)
    assert await _heard(dashboard) == ["Feb 10 – 16, 2026: 3 calls."]
    await dashboard.page.get_by_role("radio", name="Today").check(force=True)
    await expect(dashboard.page.locator("[aria-live]", has_text="1 call.")).to_have_count(1)
    assert await _heard(dashboard) == ["Feb 16, 2026: 1 call."]
    await dashboard.page.get_by_role("combobox", name="Campaign").select_option("Spring")
    await expect(dashboard.page.locator("[aria-live]", has_text="Spring")).to_have_count(1)
    assert await _heard(dashboard) == ["Feb 16, 2026, Spring: 1 call."]

    await given.call(agency, client_id=client, campaign_id=campaign)
    await dashboard.page.clock.run_for(REFRESH_MS)
    await expect(dashboard.key_figure("Calls")).to_have_text("2")
    await _week(dashboard).get_by_label("Connected").check(force=True)
    await dashboard.settled()
    assert await _heard(dashboard) == []
    await dashboard.page.go_back()
    await dashboard.page.go_back()
    await expect(dashboard.page.locator("[aria-live]", has_text="Feb 16, 2026: 2 calls.")).to_have_count(1)
    assert await _heard(dashboard) == ["Feb 16, 2026: 2 calls."]


async def test_nothing_moves_for_who_wants_no_motion(visit: Visiting, office: Office) -> None:
    moving = """() => [...document.querySelectorAll("*")].flatMap(each => ["", "::before"].map(part => {
        const { animationName, transitionDuration, transitionProperty } = getComputedStyle(each, part || null);
        const moves = animationName !== "none" || transitionDuration.split(", ").some(each => parseFloat(each) > 0);
        return moves ? `${each.className}${part}: ${animationName} ${transitionProperty} ${transitionDuration}` : "";
    })).filter(Boolean)"""
    still = await visit(office.address, token=office.token, reduced_motion="reduce")
    await still.shown()
    assert await still.page.evaluate(moving) == []
    other = await visit(office.address, token=office.token, reduced_motion="no-preference")
    await other.shown()
    assert await other.page.evaluate(moving) != []


async def test_one_of_a_kind_is_one(visit_agency: Visiting, given: Given) -> None:
    agency = await given.agency()
    found: dict[str, Any] = {"objections": [{"text": "No", "handled": True}], "buying_signals": [{"text": "Yes"}]}
    await given.call(agency, emails_sent=1, sms_sent=1, **found)
    dashboard = await visit_agency(agency)
    await dashboard.shown()
    await expect(dashboard.panel("Outcomes")).to_contain_text("1 e-mail, 1 SMS sent")
    await expect(dashboard.panel("Objections and buying signals")).to_contain_text(
        "1 objection, 100.0% handled · 1 signal"
    )
    text = await dashboard.page.locator("body").inner_text()
    assert re.findall(r"\b1 (?:e-mails|objections|signals|calls|meetings|days)\b", text) == []


async def test_what_is_cut_for_the_pointer_is_whole_for_the_finger(visit_agency: Visiting, given: Given) -> None:
    long = "We have been very happy with what we have had for many, many years"
    agency = await given.agency()
    campaign = await given.campaign(agency, name=long)
    await given.batch(agency, campaign, {"completed": 1})
    await given.call(agency, campaign_id=campaign, objections=[{"text": long, "handled": True}])
    dashboard = await visit_agency(agency, viewport=PHONE, has_touch=True, is_mobile=True)
    await dashboard.shown()
    cut = """each => each.filter(one => one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight + 1)
        .map(one => one.textContent)"""
    assert await dashboard.page.locator(".clipped").count() == 3
    assert await dashboard.page.locator(".clipped").evaluate_all(cut) == []
