"""Every panel of the dashboard shows the numbers of the known agency, as tests/pages/known.py tells them."""

import re

import pytest
from playwright.async_api import Locator, expect

from tests.given import NOW, Given
from tests.pages.conftest import Office, Visiting
from tests.pages.known import at
from tests.pages.visit import REFRESH_MS, Visit, entries, figures, rows, tidy


async def test_the_key_figures(dashboard: Visit) -> None:
    assert await figures(dashboard.panel("Key figures")) == {
        "Calls": ["20", "20 completed"],
        "Contact rate": ["30.0%", "6 connected"],
        "Conversations": ["5", "25.0% of calls"],
        "Qualified leads": ["3", "15.0% of calls"],
        "Meetings booked": ["2", "66.7% of qualified"],
        "Conversion": ["10.0%", "of all calls"],
        "Average call": ["33 s", "11:00 min in all"],
        "Positive sentiment": ["50.0%", "25.0% negative"],
    }


async def test_each_key_figure_has_the_line_of_its_days(dashboard: Visit) -> None:
    lines = dashboard.panel("Key figures").locator("dl > div polyline")
    drawn = await lines.evaluate_all("lines => lines.map(line => line.points.length)")
    # All thirty days of what is counted; of what is divided, the days that have it.
    calls, contacts, talks, leads, meetings, conversion, lasted, liked = drawn
    assert (calls, talks, leads, meetings) == (30, 30, 30, 30)
    assert (contacts, conversion, lasted, liked) == (4, 4, 4, 2)


async def test_the_trend_has_every_day_and_the_chosen_metrics(dashboard: Visit) -> None:
    panel = dashboard.panel("Trend")
    table = panel.get_by_role("table")
    days = {day: values for day, *values in await rows(table)}
    assert list(days)[:2] + list(days)[-1:] == ["Jan 18, 2026", "Jan 19, 2026", "Feb 16, 2026"]
    assert len(days) == 30
    # Calls, connected, meetings.
    assert {day: values for day, values in days.items() if values != ["0", "0", "0"]} == {
        "Jan 20, 2026": ["10", "0", "0"],
        "Feb 10, 2026": ["3", "2", "0"],
        "Feb 15, 2026": ["4", "1", "0"],
        "Feb 16, 2026": ["3", "3", "2"],
    }
    await expect(panel.locator("canvas")).to_be_visible()

    await panel.get_by_label("Conversations").check()
    await panel.get_by_label("Connected").uncheck()
    assert (await rows(table))[-1] == ["Feb 16, 2026", "3", "3", "2"]
    assert await table.locator("thead th").all_inner_texts() == ["Day", "Calls", "Conversations", "Meetings"]


async def test_a_metric_of_another_unit_stands_alone_and_one_is_always_shown(dashboard: Visit) -> None:
    panel = dashboard.panel("Trend")
    await panel.get_by_label("Average call").check()
    await expect(panel.get_by_label("Calls", exact=True)).not_to_be_checked()
    found = {day: value for day, value in await rows(panel.get_by_role("table")) if value != "–"}
    assert found == {
        "Jan 20, 2026": "0 s",
        "Feb 10, 2026": "2:00 min",
        "Feb 15, 2026": "0 s",
        "Feb 16, 2026": "1:40 min",
    }
    await panel.get_by_label("Average call").press("Space")
    # At once, and not only when the page draws itself anew.
    await expect(panel.get_by_label("Average call")).to_be_checked(timeout=REFRESH_MS / 3)


async def test_the_funnel_and_the_rate_of_each_step(dashboard: Visit) -> None:
    panel = dashboard.panel("Funnel")
    assert [sorted(each.split(" ", 1)) for each in await entries(panel.get_by_role("listitem"))] == [
        sorted(each.split(" ", 1))
        for each in (
            "Calls 20",
            "30.0% Connected 6",
            "83.3% Conversation 5",
            "60.0% Qualified 3",
            "66.7% Appointment booked 2",
        )
    ]
    await expect(panel).to_contain_text("10.0% from first to last")


SPRING = ["Spring", "7", "4", "57.1%", "2", "28.6%"]
AUTUMN = ["Autumn", "13", "2", "15.4%", "0", "0.0%"]


async def _campaigns(dashboard: Visit) -> list[list[str]]:
    found = await rows(dashboard.panel("Campaigns").get_by_role("table"))
    # A campaign's running batch is beside its name.
    return [[re.sub(r" ?\d+%$", "", name), *rest] for name, *rest in found]


@pytest.mark.parametrize(
    ("column", "first", "direction"),
    [
        ("Campaign", AUTUMN, "ascending"),
        ("Calls", SPRING, "ascending"),  # it is sorted by calls already, the most first
        ("Connected", SPRING, "descending"),
        ("Contact rate", SPRING, "descending"),
        ("Meetings", SPRING, "descending"),
        ("Conversion", SPRING, "descending"),
    ],
)
async def test_campaigns_are_sorted_by_each_column_both_ways(
    dashboard: Visit, column: str, first: list[str], direction: str
) -> None:
    panel = dashboard.panel("Campaigns")
    second = AUTUMN if first is SPRING else SPRING
    assert await _campaigns(dashboard) == [AUTUMN, SPRING]
    heading = panel.get_by_role("columnheader", name=re.compile(f"^([↑↓] )?{column}$"))
    button = heading.get_by_role("button")
    await button.click()
    await expect(heading).to_have_attribute("aria-sort", direction)
    assert await _campaigns(dashboard) == [first, second]
    await button.click()
    await expect(heading).not_to_have_attribute("aria-sort", direction)
    assert await _campaigns(dashboard) == [second, first]


async def test_campaigns_beyond_twelve_are_on_another_page(visit_agency: Visiting, given: Given) -> None:
    agency = await given.agency()
    for number in range(1, 15):
        campaign = await given.campaign(agency, name=f"Number {number}")
        await given.calls(agency, number, campaign_id=campaign)
    dashboard = await visit_agency(agency)
    await dashboard.shown()
    panel = dashboard.panel("Campaigns")
    pages = panel.get_by_role("navigation", name="Pages of campaigns")
    assert [row[0] for row in await _campaigns(dashboard)] == [f"Number {number}" for number in range(14, 2, -1)]
    await expect(pages).to_contain_text("1–12 of 14")
    await pages.get_by_role("button", name="Next").click()
    await expect(pages).to_contain_text("13–14 of 14")
    assert [row[0] for row in await _campaigns(dashboard)] == ["Number 2", "Number 1"]
    await expect(pages.get_by_role("button", name="Next")).to_be_disabled()
    await pages.get_by_role("button", name="Previous").click()
    await expect(pages).to_contain_text("1–12 of 14")


async def test_batches_show_how_far_they_are(dashboard: Visit) -> None:
    panel = dashboard.panel("Batches")
    spring, autumn = await entries(panel.get_by_role("listitem"))
    assert (spring.split()[:3], autumn.split()[:3]) == (["Spring", "Running", "50%"], ["Autumn", "Completed", "100%"])
    assert (spring.endswith(" 1 failed of 8"), autumn.endswith("% of 2")) == (True, True)
    bar = panel.get_by_role("progressbar", name="Batch of Spring, Feb 16, 2026, 9:30 AM")
    await expect(bar).to_have_attribute("aria-valuenow", "50")
    # The running one is beside its campaign too.
    beside = dashboard.panel("Campaigns").get_by_role("progressbar", name="Running batches of Spring")
    await expect(beside).to_have_attribute("aria-valuenow", "50")


async def test_batches_beyond_ten_are_on_another_page_of_the_address(visit_agency: Visiting, given: Given) -> None:
    agency = await given.agency()
    await given.call(agency)
    for number in range(12):
        campaign = await given.campaign(agency, name=f"Number {number}")
        await given.batch(agency, campaign, created_at=NOW.replace(minute=number))
    dashboard = await visit_agency(agency)
    await dashboard.shown()
    panel = dashboard.panel("Batches")
    names = [each.split(" Running")[0] for each in await entries(panel.get_by_role("listitem"))]
    assert names == [f"Number {number}" for number in range(11, 1, -1)]
    await panel.get_by_role("button", name="Next").click()
    await expect(panel.get_by_role("listitem")).to_have_count(2)
    assert dashboard.page.url.endswith("/?page=2")
    await expect(panel).to_contain_text("11–12 of 12")
    await dashboard.page.go_back()
    await expect(panel.get_by_role("listitem")).to_have_count(10)


async def test_a_campaign_shows_how_far_it_is_whichever_batches_are_looked_at(
    visit_agency: Visiting, given: Given
) -> None:
    agency = await given.agency()
    campaign = await given.campaign(agency, name="Long ago begun")
    await given.call(agency, campaign_id=campaign)
    await given.batch(agency, campaign, {"completed": 1, "pending": 3}, created_at=NOW.replace(hour=1))
    for number in range(10):
        await given.batch(agency, campaign, {"completed": 1}, status="completed", created_at=NOW.replace(minute=number))
    dashboard = await visit_agency(agency)
    await dashboard.shown()
    await expect(dashboard.panel("Batches")).not_to_contain_text("Running")
    bar = dashboard.panel("Campaigns").get_by_role("progressbar", name="Running batches of Long ago begun")
    await expect(bar).to_have_attribute("aria-valuenow", "25")


async def test_quality_with_sentiment_and_its_days(dashboard: Visit) -> None:
    panel = dashboard.panel("Quality")
    assert await figures(panel) == {
        "Average call": ["33 s"],
        "Agent’s talk share": ["52.0%"],
        "Script adherence": ["72.0%"],
        "Objections handled": ["50.0%"],
    }
    sentiment = panel.get_by_role("list", name="Sentiment").get_by_role("listitem")
    assert await entries(sentiment) == ["Positive 2 50.0%", "Neutral 1 25.0%", "Negative 1 25.0%"]
    # Interruptions, positive sentiment, script adherence; on the same days as the trend.
    days = await rows(panel.get_by_role("table"))
    assert len(days) == 30
    assert [day for day in days if day[1:] != ["–", "–", "–"]] == [
        ["Jan 20, 2026", "0", "–", "–"],
        ["Feb 10, 2026", "0", "0.0%", "60.0%"],
        ["Feb 15, 2026", "0", "–", "–"],
        ["Feb 16, 2026", "4", "66.7%", "80.0%"],
    ]


async def _week(panel: Locator) -> dict[str, str]:
    """What the week's slots say that say anything."""
    titles: list[str] = await panel.locator("td[title]").evaluate_all("cells => cells.map(cell => cell.title)")
    assert len(titles) == 7 * 24
    slots = dict(tidy(title).rsplit(": ", 1) for title in titles)
    return {slot: value for slot, value in slots.items() if value != "0"}


@pytest.mark.parametrize(
    ("zone", "slots", "best"),
    [
        (
            "UTC",
            {"Sunday 11:00 PM": "4", "Monday 10:00 AM": "3", "Tuesday 9:00 AM": "10", "Tuesday 3:00 PM": "3"},
            ["Tue 9:00 AM 10", "Sun 11:00 PM 4", "Mon 10:00 AM 3", "Tue 3:00 PM 3"],
        ),
        (  # 5:45 ahead: Sunday night is Monday morning, and hours begin at a quarter to.
            "Asia/Kathmandu",
            {"Monday 4:45 AM": "4", "Monday 3:45 PM": "3", "Tuesday 2:45 PM": "10", "Tuesday 8:45 PM": "3"},
            ["Tue 2:45 PM 10", "Mon 4:45 AM 4", "Mon 3:45 PM 3", "Tue 8:45 PM 3"],
        ),
        (  # 5 hours behind, in winter.
            "America/New_York",
            {"Sunday 6:00 PM": "4", "Monday 5:00 AM": "3", "Tuesday 4:00 AM": "10", "Tuesday 10:00 AM": "3"},
            ["Tue 4:00 AM 10", "Sun 6:00 PM 4", "Mon 5:00 AM 3", "Tue 10:00 AM 3"],
        ),
        (  # 11 hours behind: Tuesday morning is Monday night.
            "Pacific/Pago_Pago",
            {"Sunday 12:00 PM": "4", "Sunday 11:00 PM": "3", "Monday 10:00 PM": "10", "Tuesday 4:00 AM": "3"},
            ["Mon 10:00 PM 10", "Sun 12:00 PM 4", "Sun 11:00 PM 3", "Tue 4:00 AM 3"],
        ),
    ],
)
async def test_the_week_is_shown_in_the_viewers_own_zone(
    visit: Visiting, office: Office, zone: str, slots: dict[str, str], best: list[str]
) -> None:
    dashboard = await visit(office.address, token=office.token, timezone_id=zone)
    await dashboard.page.clock.set_fixed_time(NOW)
    await dashboard.shown()
    panel = dashboard.panel("Best times to call")
    assert await _week(panel) == slots
    assert await entries(panel.get_by_role("list", name="Best times").get_by_role("listitem")) == best
    # Which of a zone's names it is called by is the browser's choice.
    name = await dashboard.page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")
    await expect(panel).to_contain_text(f"Hours of {name}")


async def test_a_saturday_night_becomes_a_sunday_morning(visit_agency: Visiting, given: Given) -> None:
    """The week ends where it begins: 14 February 2026 is a Saturday."""
    agency = await given.agency()
    await given.call(agency, started_at=at("2026-02-14 23:00"))
    dashboard = await visit_agency(agency, timezone_id="Asia/Kathmandu")
    await dashboard.shown()
    assert await _week(dashboard.panel("Best times to call")) == {"Sunday 4:45 AM": "1"}


async def test_the_week_by_another_metric_is_another_address(dashboard: Visit) -> None:
    panel = dashboard.panel("Best times to call")
    best = panel.get_by_role("list", name="Best times").get_by_role("listitem")
    await panel.get_by_label("Meetings").check(force=True)
    await expect(best).to_have_count(1)
    assert await entries(best) == ["Mon 10:00 AM 2"]
    assert await _week(panel) == {"Monday 10:00 AM": "2"}
    assert dashboard.page.url.endswith("/?metric=meetings_booked")


async def test_objections_and_buying_signals(dashboard: Visit) -> None:
    panel = dashboard.panel("Objections and buying signals")
    objections, signals = await panel.get_by_role("table").all()
    assert await rows(objections) == [["Too expensive", "3", "66.7%"], ["No time", "1", "0.0%"]]
    assert await rows(signals) == [["Asks for a date", "2", "66.7%"], ["Asks for a price", "1", "33.3%"]]
    await expect(panel).to_contain_text("4 objections, 50.0% handled · 3 signals")


async def test_outcomes(dashboard: Visit) -> None:
    panel = dashboard.panel("Outcomes")
    assert await entries(panel.get_by_role("listitem")) == [
        "Appointment booked 2 10.5%",
        "Conversation 2 10.5%",
        "Callback requested 1 5.3%",
        "Not interested 0 0.0%",
        "Gatekeeper 0 0.0%",
        "Voicemail 1 5.3%",
        "No answer 13 68.4%",
        "Wrong number 0 0.0%",
        "Asked not to be called 0 0.0%",
    ]
    await expect(panel).to_contain_text("2 e-mails, 1 SMS sent")


async def test_what_the_numbers_rest_on(dashboard: Visit, office: Office) -> None:
    panel = dashboard.panel("What the numbers rest on")
    found = await figures(panel)
    changed = found.pop("Last change of a count")
    assert found == {
        "Connected calls analysed": ["5 of 6"],
        "Calls analysed in all": ["19"],
        "Waiting for analysis": ["1"],
        "Last compared with the calls": ["–"],
    }
    await expect(panel).to_contain_text("83.3% of connected calls analysed")
    await expect(panel.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "83")
    told = await office.house.gateway.graphql(
        "{ freshness(filters: {period: LAST_30_DAYS}) { lastChangedAt } }", office.known.owner
    )
    written = await dashboard.page.evaluate(
        "at => new Intl.DateTimeFormat(undefined, {dateStyle: 'medium', timeStyle: 'short'}).format(new Date(at))",
        told["freshness"]["lastChangedAt"],
    )
    assert changed == [tidy(written)]
