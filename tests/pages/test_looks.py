"""The dashboard fits every window, theme, locale and way to use it, and whatever people name their things."""

import re
from typing import Any

import orjson
import pytest
from playwright.async_api import Locator, Route, expect

from gateway.pages import FOLDER
from tests.given import NOW, Given
from tests.pages.conftest import Office, Visiting, address_of
from tests.pages.supabase import PUBLISHABLE_KEY
from tests.pages.visit import DESKTOP, PHONE, TABLET, Visit, entries, figures, rows
from tests.running import Running, running, settings_for

WINDOWS = pytest.mark.parametrize("window", [PHONE, TABLET, DESKTOP], ids=["phone", "tablet", "desktop"])
ZOOMED = {"width": 320, "height": 256}
"""A desktop's at 400 %."""
SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])
MOST_BYTES = 250_000
"""Of JavaScript, as it is sent."""


async def test_numbers_are_written_as_the_viewers_locale_does(visit_agency: Visiting, given: Given) -> None:
    agency = await given.agency()
    campaign = await given.campaign(agency, name="Frühling")
    await given.calls(agency, 411, campaign_id=campaign, duration_seconds=75)
    await given.calls(agency, 823, campaign_id=campaign, answered=False, duration_seconds=75)
    dashboard = await visit_agency(agency, locale="de-DE")
    await dashboard.shown()
    found = await figures(dashboard.panel("Key figures"))
    assert found["Calls"] == ["1.234", "1.234 completed"]
    assert found["Contact rate"] == ["33,3 %", "411 connected"]
    assert found["Average call"][0] == "1:15 min"
    assert (await rows(dashboard.panel("Trend").get_by_role("table")))[-1][:2] == ["16.02.2026", "1.234"]
    assert (await rows(dashboard.panel("Campaigns").get_by_role("table")))[0][1:4] == ["1.234", "411", "33,3 %"]
    days = await dashboard.panel("Best times to call").locator("tbody th").all_inner_texts()
    assert days == ["Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"]  # a German week begins on Monday


@SCHEMES
async def test_the_theme_is_the_systems_until_the_viewer_chooses(visit: Visiting, office: Office, scheme: Any) -> None:
    other = {"light": "dark", "dark": "light"}[scheme]
    dashboard = await visit(office.address, token=office.token, color_scheme=scheme)
    await dashboard.shown()
    root = dashboard.page.locator("html")
    await expect(root).to_have_attribute("data-theme", scheme)
    before = await dashboard.page.evaluate("getComputedStyle(document.body).backgroundColor")
    await dashboard.page.emulate_media(color_scheme=other)
    await expect(root).to_have_attribute("data-theme", other)
    assert await dashboard.page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    await dashboard.page.emulate_media(color_scheme=scheme)

    await dashboard.page.get_by_role("button", name=f"Use the {other} theme").click()
    await expect(root).to_have_attribute("data-theme", other)
    await dashboard.page.reload()
    await expect(root).to_have_attribute("data-theme", other)
    await expect(dashboard.page.get_by_role("button", name=f"Use the {scheme} theme")).to_be_visible()


async def _focused(dashboard: Visit) -> dict[str, str]:
    return await dashboard.page.evaluate("""() => {
        const at = document.activeElement;
        const label = at.labels?.[0]?.textContent ?? at.getAttribute("aria-label") ?? at.textContent;
        return { name: label, kind: at.type ?? at.tagName };
    }""")


async def test_every_control_is_reached_and_worked_by_the_keyboard(dashboard: Visit) -> None:
    wanted = await dashboard.page.locator(
        "button:enabled, select, input:not([type=radio]), input[type=radio]:checked"
    ).count()
    reached = []
    # A group of radio buttons is one stop, whose arrows choose; a table that scrolls is one too.
    for _ in range(wanted + 1):
        await dashboard.page.keyboard.press("Tab")
        reached.append(await _focused(dashboard))
    kinds = [each["kind"] for each in reached]
    assert (kinds.count("radio"), kinds.count("select-one"), kinds.count("checkbox")) == (2, 2, 8)
    names = " | ".join(each["name"] for each in reached)
    for name in ("30 days", "theme", "Sign out", "Average call", "Contact rate", "Spring", "Autumn"):
        assert name in names

    await dashboard.page.get_by_role("radio", name="30 days").focus()
    await dashboard.page.keyboard.press("ArrowLeft")
    await expect(dashboard.key_figure("Calls")).to_have_text("10")
    trend = dashboard.panel("Trend")
    await trend.get_by_label("Conversations").focus()
    await dashboard.page.keyboard.press("Space")
    await expect(trend.get_by_role("columnheader", name="Conversations")).to_have_count(1)
    heading = dashboard.panel("Campaigns").get_by_role("columnheader", name=re.compile("Campaign"))
    await heading.get_by_role("button").focus()
    await dashboard.page.keyboard.press("Enter")
    await expect(heading).to_have_attribute("aria-sort", "ascending")
    await dashboard.panel("Campaigns").get_by_role("button", name="Spring").focus()
    await dashboard.page.keyboard.press("Enter")
    await expect(dashboard.key_figure("Calls")).to_have_text("7")


async def test_what_is_at_the_keyboard_has_a_ring_around_it(dashboard: Visit) -> None:
    """Also where it is filled with the ring's own colour, as the chosen period is."""
    for _ in range(await dashboard.page.locator("header.top :is(button, select), fieldset").count() + 8):
        await dashboard.page.keyboard.press("Tab")
        ringed = await dashboard.page.evaluate("""() => {
            const at = document.activeElement;
            const around = at.closest(".segments") ?? at.closest(".chips label") ?? at;
            const { outlineStyle, outlineOffset } = getComputedStyle(around);
            return [at.outerHTML, outlineStyle, parseFloat(outlineOffset)];
        }""")
        assert ringed[1:] == ["solid", 2], ringed[0]


async def test_the_pages_of_a_list_are_turned_by_the_keyboard(visit_agency: Visiting, given: Given) -> None:
    agency = await given.agency()
    await given.call(agency)
    for number in range(11):
        await given.batch(agency, created_at=NOW.replace(minute=number))
    dashboard = await visit_agency(agency)
    await dashboard.shown()
    panel = dashboard.panel("Batches")
    await panel.get_by_role("button", name="Next").focus()
    await dashboard.page.keyboard.press("Enter")
    await expect(panel.get_by_role("listitem")).to_have_count(1)


EVIL = "<img src=x onerror=\"document.title='taken'\"> & <b>bold</b>"
LONG = "Donaudampfschifffahrtsgesellschaftskapitänskajütenschlüsselloch" * 3


async def test_names_and_texts_are_shown_as_text(visit_agency: Visiting, given: Given) -> None:
    agency = await given.agency()
    client = await given.client(agency, EVIL)
    campaign = await given.campaign(agency, client, EVIL)
    await given.batch(agency, campaign, {"completed": 1})
    await given.call(
        agency, campaign_id=campaign, client_id=client,
        objections=[{"text": EVIL, "handled": True}], buying_signals=[{"text": EVIL}],
    )  # fmt: skip
    dashboard = await visit_agency(agency)
    await dashboard.shown()
    for panel in ("Campaigns", "Batches", "Objections and buying signals"):
        await expect(dashboard.panel(panel)).to_contain_text(EVIL)
    for choice in ("Client", "Campaign"):
        options = dashboard.page.get_by_role("combobox", name=choice).get_by_role("option")
        assert (await entries(options))[1] == EVIL
    await dashboard.panel("Trend").locator("canvas").hover()
    assert await dashboard.page.locator("img, b").count() == 0
    assert await dashboard.page.title() != "taken"


async def _overflowing(dashboard: Visit) -> list[str]:
    """What is wider than the window, or than the box it is in without being cut or scrolled there."""
    return await dashboard.page.evaluate("""() => {
        const found = [], wide = document.documentElement;
        if (wide.scrollWidth > wide.clientWidth) found.push(`page: ${wide.scrollWidth} > ${wide.clientWidth}`);
        for (const panel of document.querySelectorAll(".panel, .kpi, .top")) {
            if (panel.closest(".unseen")) continue;
            if (panel.scrollWidth > panel.clientWidth + 1)
                found.push(`${panel.className}: ${panel.scrollWidth} > ${panel.clientWidth}`);
        }
        return found;
    }""")


_UNTOLD = """[...document.querySelectorAll(".clipped")]
    .filter(each => each.scrollWidth > each.clientWidth && !each.title.includes(each.textContent))
    .map(each => each.textContent)"""
"""What is cut, and not said in full to who points at it."""
SMALL = ("day", "hour", "progressPct", "avgDurationSeconds")


def _larger(answer: Any, key: str = "") -> Any:
    if isinstance(answer, dict):
        return {name: _larger(value, name) for name, value in answer.items()}
    if isinstance(answer, list):
        return [_larger(value) for value in answer]
    is_count = type(answer) is int and key not in SMALL
    return (98_765_432 if key == "totalDurationSeconds" else 1_234_567) if is_count else answer


async def _millions(route: Route) -> None:
    response = await route.fetch()
    await route.fulfill(response=response, body=orjson.dumps(_larger(await response.json())))


@pytest.mark.parametrize("window", [ZOOMED, PHONE, TABLET, DESKTOP], ids=["zoomed", "phone", "tablet", "desktop"])
async def test_nothing_overflows_with_long_names_and_seven_digits(
    visit_agency: Visiting, given: Given, window: Any
) -> None:
    agency = await given.agency()
    client = await given.client(agency, LONG)
    for number in range(9):
        campaign = await given.campaign(agency, client, f"{LONG} {number}")
        await given.batch(agency, campaign, {"completed": 2, "pending": 1})
        for days in range(3):
            await given.calls(
                agency, 3, campaign_id=campaign, client_id=client, sentiment="positive", talk_ratio=0.5,
                started_at=NOW.replace(day=16 - days), objections=[{"text": f"{LONG} {number}", "handled": True}],
                buying_signals=[{"text": f"{LONG} {number}"}],
            )  # fmt: skip
    dashboard = await visit_agency(agency, viewport=window)
    # Millions of calls are not written for this: the gateway's answer is made larger on its way.
    await dashboard.page.route("**/graphql?*", _millions)
    await dashboard.shown()
    await expect(dashboard.panel("Trend").locator("canvas")).to_be_visible()
    assert len(await dashboard.key_figure("Calls").inner_text()) <= len("1,234,567")
    assert await dashboard.page.evaluate(_UNTOLD) == []
    assert await _overflowing(dashboard) == []
    await dashboard.page.get_by_role("radio", name="Custom").check(force=True)
    assert await _overflowing(dashboard) == []


async def _colours(canvas: Locator, *spans: tuple[float, float]) -> list[int]:
    """Of what is drawn in spans of a chart's width, from 0 to 1, beside its background and the lines of its scale."""
    await expect(canvas).to_be_visible()
    found: list[int] = await canvas.evaluate(
        """(canvas, spans) => {
            const { width, height } = canvas;
            // Read once: the browser warns of more.
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            return spans.map(([start, end]) => {
                const seen = new Set();
                for (let at = 0; at < data.length; at += 4) {
                    const place = ((at / 4) % width) / width;
                    const colour = [...data.slice(at, at + 3)];
                    if (place < start || place > end || data[at + 3] <= 200) continue;
                    if (Math.max(...colour) - Math.min(...colour) > 60) seen.add(colour.join());
                }
                return seen.size;
            });
        }""",
        spans,
    )
    return found


async def test_a_single_day_is_drawn_in_the_middle_of_its_axis(visit: Visiting, office: Office) -> None:
    dashboard = await visit(office.address, token=office.token)
    await dashboard.shown("/?period=today")
    for panel in ("Trend", "Quality"):
        assert await _colours(dashboard.panel(panel).locator("canvas"), (0.25, 0.75)) > [0], panel


async def test_a_day_between_days_without_calls_is_drawn(visit: Visiting, office: Office) -> None:
    """A line needs two ends: one day's average would be none."""
    dashboard = await visit(office.address, token=office.token)
    await dashboard.shown("/?period=custom&start_date=2026-02-08&end_date=2026-02-12")
    trend = dashboard.panel("Trend")
    await trend.get_by_label("Average call").check()
    await expect(trend.get_by_role("table")).to_have_accessible_name("By day: Average call")
    for panel in ("Trend", "Quality"):
        beside, between = await _colours(dashboard.panel(panel).locator("canvas"), (0.15, 0.35), (0.4, 0.65))
        assert (beside, between > 0) == (0, True), panel


@WINDOWS
@SCHEMES
async def test_axe_finds_no_barrier_on_the_dashboard(visit: Visiting, office: Office, scheme: Any, window: Any) -> None:
    dashboard = await visit(office.address, token=office.token, color_scheme=scheme, viewport=window)
    await dashboard.shown()
    await expect(dashboard.panel("Trend").locator("canvas")).to_be_visible()
    assert await dashboard.barriers() == []
    await dashboard.page.get_by_role("radio", name="Custom").check(force=True)
    await dashboard.page.get_by_label("From").fill("2026-02-10")
    await dashboard.page.get_by_label("to", exact=True).fill("2026-02-01")
    await expect(dashboard.page.get_by_role("alert")).to_be_visible()
    assert await dashboard.barriers() == []


@pytest.mark.parametrize("window", [PHONE, DESKTOP], ids=["phone", "desktop"])
@SCHEMES
async def test_axe_finds_no_barrier_before_there_are_numbers(
    gateway: Running, visit: Visiting, visit_agency: Visiting, given: Given, scheme: Any, window: Any
) -> None:
    look = {"color_scheme": scheme, "viewport": window}
    signing_in = await visit(address_of(gateway), **look)
    signing_in.expected.append("status of 401")
    await signing_in.open()
    await signing_in.page.get_by_label("Token").fill("nonsense")
    await signing_in.page.get_by_role("button", name="Sign in").click()
    await expect(signing_in.page.get_by_role("main")).to_contain_text("not valid")
    await expect(signing_in.page.get_by_role("button", name="Sign in")).to_be_enabled()
    assert await signing_in.barriers() == []

    new = await visit_agency(await given.agency(), **look)
    await new.shown()
    assert await new.barriers() == []
    assert not await new.is_overflowing()

    away = await visit(address_of(gateway), token="whatever", **look)
    away.expected.append("status of 503")
    body = '{"errors": [{"message": "The database is away", "extensions": {"code": "UNAVAILABLE"}}]}'
    await away.page.route("**/graphql?*", lambda route: route.fulfill(status=503, body=body))
    await away.open()
    await expect(away.page.get_by_role("status")).to_contain_text("The database is away. Asking again by itself.")
    assert await away.barriers() == []


async def test_axe_finds_no_barrier_where_one_signs_in_with_a_password(visit: Visiting, office: Office) -> None:
    settings = settings_for(
        office.house.database.dsn, supabase_url="http://127.0.0.1:9", supabase_publishable_key=PUBLISHABLE_KEY
    )
    async with running(settings) as gateway:
        page = await visit(address_of(gateway))
        await page.open()
        await expect(page.page.get_by_label("Password")).to_be_visible()
        assert await page.barriers() == []


async def test_the_dashboards_javascript_is_light(visit: Visiting, office: Office) -> None:
    """All that is loaded, charts included, even where one signs in with Supabase."""
    settings = settings_for(
        office.house.database.dsn, supabase_url="http://127.0.0.1:9", supabase_publishable_key=PUBLISHABLE_KEY
    )
    async with running(settings) as gateway:
        signing_in = await visit(address_of(gateway))
        await signing_in.open()
        await expect(signing_in.page.get_by_label("Password")).to_be_visible()
    dashboard = await visit(office.address, token=office.token)
    await dashboard.shown()
    await expect(dashboard.panel("Trend").locator("canvas")).to_be_visible()
    loaded = {name for each in (signing_in, dashboard) for name in _scripts(each)}
    assert len(loaded) > 2
    assert sum((FOLDER / "assets" / f"{name}.gz").stat().st_size for name in loaded) < MOST_BYTES
    for response in dashboard.answered:
        if response.url.endswith(".js"):
            assert (await response.all_headers())["content-encoding"] == "gzip"


def _scripts(visit: Visit) -> set[str]:
    return {url.rpartition("/")[2] for response in visit.answered if (url := response.url).endswith(".js")}
