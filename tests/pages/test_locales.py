"""Whatever languages a browser says that its viewer reads, the page shows everything, and its dates can be read."""

import re
from itertools import pairwise
from typing import Any

import pytest
from playwright.async_api import expect

from tests.given import NOW, Given, token
from tests.pages.conftest import Office, Visiting, address_of
from tests.pages.test_states import PANELS
from tests.pages.visit import PHONE, Visit, entries, rows
from tests.running import Running


async def _check_whole(dashboard: Visit) -> None:
    await expect(dashboard.key_figure("Calls")).to_have_text("20")
    for panel in PANELS:
        await expect(dashboard.panel(panel)).to_be_visible()
    for panel in ("Trend", "Quality"):
        await expect(dashboard.panel(panel).locator("canvas")).to_be_visible()
    await expect(dashboard.panel("Best times to call").locator("td[title]")).to_have_count(7 * 24)
    await expect(dashboard.page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    "languages",
    ['["C"]', '["POSIX"]', '["en-US@posix"]', '[""]', "[undefined]", "[]", "undefined", '["tlh", "de_DE.UTF-8"]'],
)
async def test_a_language_that_is_none_leaves_the_page_whole(visit: Visiting, office: Office, languages: str) -> None:
    dashboard = await visit(office.address, token=office.token)
    # `undefined` is an old browser's.
    told = "[undefined]" if languages == "undefined" else languages
    await dashboard.page.add_init_script(
        f"""(() => {{
            const told = {told};
            Object.defineProperty(Navigator.prototype, "language", {{ get: () => told[0] }});
            Object.defineProperty(Navigator.prototype, "languages", {{ get: () => {languages} }});
        }})()"""
    )
    await dashboard.shown()
    await _check_whole(dashboard)
    days = await rows(dashboard.panel("Trend").get_by_role("table"))
    assert "2026" in days[-1][0]


@pytest.mark.parametrize(
    "locale",
    ["ar", "ar-EG", "fa-IR", "he-IL", "ur-PK", "th-TH", "ja-JP-u-ca-japanese", "hi-IN-u-nu-deva", "bn-BD", "de-CH"],
)
async def test_days_are_of_our_calendar_and_digits_in_any_locale(visit: Visiting, office: Office, locale: str) -> None:
    dashboard = await visit(office.address, token=office.token, locale=locale)
    await dashboard.shown()
    await _check_whole(dashboard)
    text: str = await dashboard.page.evaluate(
        "document.body.innerText + [...document.querySelectorAll('[title], [aria-valuetext]')]"
        ".map(each => each.title + each.getAttribute('aria-valuetext')).join()"
    )
    assert [letter for letter in text if letter.isdigit() and letter not in "0123456789"] == []
    assert "2026" in await dashboard.page.locator(".status strong").inner_text()
    # No other calendar's year: Persian, Buddhist, Islamic, Hebrew, Japanese.
    assert re.findall(r"\b(?:14\d\d|25\d\d|57\d\d)\b", text) == []


@pytest.mark.parametrize("locale", ["ar-EG", "fa-IR", "he-IL"])
async def test_a_range_of_days_reads_from_right_to_left_as_a_whole(
    visit: Visiting, office: Office, locale: str
) -> None:
    """The first day stands right of the last one, and no part of either in between."""
    dashboard = await visit(office.address, token=office.token, locale=locale)
    await dashboard.shown("/?period=7d")
    places: list[Any] = await dashboard.page.locator(".status strong").evaluate("""strong => {
        const [text] = strong.childNodes, found = [];
        for (const { index, 0: digits } of text.data.matchAll(/[0-9]+/g)) {
            const range = document.createRange();
            range.setStart(text, index);
            range.setEnd(text, index + digits.length);
            const { left, right } = range.getBoundingClientRect();
            found.push([digits, left, right]);
        }
        return found;
    }""")
    digits = [each for each, *_ in places]
    assert (digits[0], "2026" in digits) == ("10", True)
    for (one, left, _), (other, _, right) in pairwise(places):
        assert right <= left, (one, other)


ARABIC = "حملة الربيع"
EVIL = "\u202eevil\u2069\u202e"


@pytest.mark.parametrize("window", [PHONE, None], ids=["phone", "desktop"])
async def test_names_that_read_the_other_way_turn_nothing_around_them(
    gateway: Running, visit: Visiting, given: Given, window: Any
) -> None:
    agency = await given.agency(ARABIC)
    for name in (ARABIC, EVIL, ARABIC * 12):
        client = await given.client(agency, name)
        campaign = await given.campaign(agency, client, name)
        await given.batch(agency, campaign, {"completed": 1})
        await given.call(
            agency, campaign_id=campaign, client_id=client, started_at=NOW,
            objections=[{"text": name, "handled": True}], buying_signals=[{"text": name}],
        )  # fmt: skip
    dashboard = await visit(
        address_of(gateway), token=token(await given.user(agency)), **({"viewport": window} if window else {})
    )
    await dashboard.shown()
    await expect(dashboard.panel("Campaigns")).to_contain_text(ARABIC)
    loose: list[str] = await dashboard.page.evaluate("""() => {
        const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
        while (walk.nextNode()) {
            const text = walk.currentNode.data, around = walk.currentNode.parentElement;
            if (!/[\\u0600-\\u06ff\\u202a-\\u202e]/.test(text)) continue;
            const isApart = around.closest("[dir=auto], bdi") || /^\\u2068[^\\u2066-\\u2069]*\\u2069$/.test(text);
            if (!isApart || /[\\u202a-\\u202e]/.test(text)) found.push(text);
        }
        for (const each of document.querySelectorAll("[title], [aria-label]"))
            for (const text of [each.title, each.getAttribute("aria-label") ?? ""]) {
                const outside = text.replace(/\\u2068[^\\u2066-\\u2069]*\\u2069/g, "");
                if (/[\\u0600-\\u06ff\\u202a-\\u202e]/.test(outside)) found.push(text);
            }
        return found;
    }""")
    assert loose == []
    assert not await dashboard.is_overflowing()
    choices = dashboard.page.get_by_role("combobox", name="Campaign").get_by_role("option")
    assert any(ARABIC in choice for choice in await entries(choices))
    await dashboard.page.get_by_role("combobox", name="Campaign").select_option(index=1)
    await dashboard.settled()
    await expect(dashboard.key_figure("Calls")).to_have_text("1")
