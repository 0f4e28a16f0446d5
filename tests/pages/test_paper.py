"""What colours say is there on paper, without a printer's backgrounds, and where the system gives its own colours."""

from typing import Any

import pytest
from PIL import Image, ImageChops
from playwright.async_api import Locator, Page, expect

from tests.given import NOW, Given, token
from tests.pages.conftest import Office, Visiting, address_of
from tests.pages.pixels import PAPERS, Box, Sheet, box_of, coloured, filled, printed, seen, share_of, squeezed
from tests.pages.visit import DESKTOP, PHONE, Visit
from tests.running import Running

PAPER = pytest.mark.parametrize("paper", PAPERS)
SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])
FUNNEL = (1, 0.3, 0.25, 0.15, 0.1)
"""Of 20 calls: connected, conversations, qualified leads, meetings."""
_FRAME = """panels => panels.map((panel, place) => {
    const colour = [255, 15 * (place % 7), 255 - 30 * Math.floor(place / 7)];
    panel.style.border = `3px solid rgb(${colour})`;
    return [panel.querySelector("h2, dt").textContent, colour];
})"""
"""Gives each panel a frame of a colour of its own, which printers leave."""


async def _ready(dashboard: Visit) -> None:
    """With its charts, which are drawn a moment after their numbers are there."""
    for panel in ("Trend", "Quality"):
        await expect(dashboard.panel(panel).locator("canvas")).to_be_visible()


@pytest.fixture
async def full(gateway: Running, visit: Visiting, given: Given) -> Visit:
    """The dashboard of an agency that has as much as any panel shows at once."""
    agency = await given.agency("Full & Co")
    client = await given.client(agency, "Acme")
    for number in range(14):
        campaign = await given.campaign(agency, client, f"Campaign with a name of some length, number {number}")
        await given.batch(agency, campaign, {"completed": 2, "failed": 1, "pending": 1})
        await given.calls(
            agency, 2, campaign_id=campaign, client_id=client, sentiment="positive", talk_ratio=0.5,
            started_at=NOW.replace(day=16 - number % 5), objections=[{"text": f"Objection {number}", "handled": True}],
            buying_signals=[{"text": f"Signal {number}"}],
        )  # fmt: skip
    opened = await visit(address_of(gateway), token=token(await given.user(agency)))
    await opened.shown()
    await _ready(opened)
    return opened


def _frame_of(sheets: list[Sheet], colour: tuple[int, int, int]) -> tuple[Sheet, Box]:
    """The one sheet that a frame is on, and where."""
    found = [(sheet, box) for sheet in sheets if (box := box_of(sheet.image, colour))]
    assert len(found) == 1, f"{colour} is on {len(found)} sheets"
    return found[0]


def _differ(one: Image.Image, other: Image.Image) -> int:
    """How many pixels of two images are of another colour, beyond how edges are smoothed."""
    assert one.size == other.size
    return sum(ImageChops.difference(one, other).convert("L").histogram()[8:])


@PAPER
async def test_every_panel_is_whole_on_one_sheet(full: Visit, paper: str) -> None:
    frames = await full.page.locator("main .panel").evaluate_all(_FRAME)
    sheets = await printed(full.page, paper)
    for name, colour in frames:
        sheet, (left, top, right, bottom) = _frame_of(sheets, tuple(colour))
        # With its upper and its lower edge: one that is cut has not both.
        for edge in (top + 2, bottom - 3):
            line = sheet.image.crop((left + 20, edge, right - 20, edge + 1))
            assert share_of(line, tuple(colour)) > 0.9, name
    # Little is left of a report that is cut to fit.
    assert len(sheets) <= 4


@PAPER
async def test_nothing_is_wider_than_its_panel_on_paper(full: Visit, paper: str) -> None:
    frames = await full.page.locator("main .panel").evaluate_all(_FRAME)
    sheets = await printed(full.page, paper)
    for sheet in sheets:
        boxes = [box for _, colour in frames if (box := box_of(sheet.image, tuple(colour)))]
        beside = sheet.image.copy()
        for left, top, right, bottom in boxes:
            beside.paste((255, 255, 255), (left - 1, top - 1, right + 1, bottom + 1))
        if sheet is sheets[0]:  # the head
            beside.paste((255, 255, 255), (0, 0, beside.width, min(top for _, top, _, _ in boxes)))
        assert ImageChops.invert(beside).getbbox() is None


@PAPER
async def test_paper_says_whose_numbers_these_are_of_when_and_has_nothing_to_press(
    visit: Visiting, office: Office, paper: str
) -> None:
    dashboard = await visit(office.address, token=office.token, timezone_id="Asia/Kathmandu")
    await dashboard.page.clock.set_fixed_time(NOW)
    await dashboard.shown(f"/?period=7d&client_id={office.known.acme}&campaign_id={office.known.spring}")
    await _ready(dashboard)
    first, *others = await printed(dashboard.page, paper)
    name = await office.house.given.connection.fetchval("select name from agencies where id = $1", office.known.agency)
    for words in (f"Agency {name}", "Feb 10 – 16, 2026", "Client Acme", "Campaign Spring", "Feb 16, 2026, 5:45 PM"):
        assert squeezed(words) in squeezed(first.words), words
    everything = squeezed("".join(sheet.words for sheet in (first, *others)))
    for words in ("30 days", "Custom", "All clients", "Sign out", "Previous", "arrow keys"):
        assert squeezed(words) not in everything, words
    # Of what can be chosen in a panel, what is chosen: it says what the panel shows. The rest are other panels' words.
    assert (everything.count("Averagecall"), everything.count("Meetings")) == (2, 3)


@SCHEMES
async def test_bars_and_the_week_are_on_paper_with_their_colours(visit: Visiting, office: Office, scheme: Any) -> None:
    dashboard = await visit(office.address, token=office.token, color_scheme=scheme)
    await dashboard.shown()
    await _ready(dashboard)
    frames = dict(await dashboard.page.locator("main .panel").evaluate_all(_FRAME))
    sheets = await printed(dashboard.page, "A4")
    for panel, least in (
        ("Funnel", 3000),
        ("Best times to call", 3000),
        ("Quality", 3000),
        ("Batches", 500),
        ("Objections and buying signals", 2000),
        ("Outcomes", 2000),
        ("What the numbers rest on", 3000),
    ):
        sheet, (left, top, right, bottom) = _frame_of(sheets, tuple(frames[panel]))
        assert coloured(sheet.image.crop((left + 8, top + 8, right - 8, bottom - 8))) > least, panel
    # Ten calls, four, three and none have each a shade of their own.
    sheet, box = _frame_of(sheets, tuple(frames["Best times to call"]))
    shades = sheet.image.crop(box).getcolors(100_000)
    assert shades
    blues = [(r, g, b) for number, (r, g, b) in shades if number > 300 and b > r + 8]  # type: ignore[misc]
    assert len(blues) >= 4, shades


async def test_a_dark_page_is_printed_as_a_light_one(visit: Visiting, office: Office) -> None:
    sheets = []
    for scheme in ("light", "dark"):
        dashboard = await visit(office.address, token=office.token, color_scheme=scheme)
        await dashboard.page.clock.set_fixed_time(NOW)
        await dashboard.shown()
        await _ready(dashboard)
        sheets.append(await printed(dashboard.page, "A4"))
        root = dashboard.page.locator("html")
        await expect(root).to_have_attribute("data-theme", scheme)
    assert [sheet.words for sheet in sheets[0]] == [sheet.words for sheet in sheets[1]]
    for light, dark in zip(*sheets, strict=True):
        assert _differ(light.image, dark.image) == 0


@pytest.mark.parametrize("window", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_after_printing_the_page_is_as_it_was(visit: Visiting, office: Office, window: Any) -> None:
    dashboard = await visit(office.address, token=office.token, viewport=window, color_scheme="dark")
    await dashboard.page.clock.set_fixed_time(NOW)
    await dashboard.shown()
    await _ready(dashboard)
    before = [await seen(dashboard.panel(panel)) for panel in ("Trend", "Best times to call", "Quality")]
    await printed(dashboard.page, "Letter")
    after = [await seen(dashboard.panel(panel)) for panel in ("Trend", "Best times to call", "Quality")]
    for one, other in zip(before, after, strict=True):
        assert _differ(one, other) == 0


async def test_a_chart_fits_a_page_that_is_narrowed_by_its_medium(visit: Visiting, office: Office) -> None:
    """As a preview narrows it, in which nobody says that it prints."""
    dashboard = await visit(office.address, token=office.token)
    await dashboard.shown()
    await _ready(dashboard)
    await dashboard.page.emulate_media(media="print")
    await dashboard.page.set_viewport_size({"width": 600, "height": 800})
    for panel in ("Trend", "Quality"):
        canvas = dashboard.panel(panel).locator("canvas")
        outer, inner = await dashboard.panel(panel).bounding_box(), await canvas.bounding_box()
        assert outer
        assert inner
        assert inner["x"] + inner["width"] <= outer["x"] + outer["width"]


async def _fills(bars: Locator) -> list[float]:
    return [filled(await seen(bar)) for bar in await bars.all()]


async def _forced(visit: Visiting, office: Office, scheme: Any) -> Visit:
    dashboard = await visit(office.address, token=office.token, color_scheme=scheme, forced_colors="active")
    await dashboard.shown()
    await _ready(dashboard)
    return dashboard


@SCHEMES
async def test_bars_are_as_long_as_their_numbers_in_the_systems_own_colours(
    visit: Visiting, office: Office, scheme: Any
) -> None:
    dashboard = await _forced(visit, office, scheme)
    assert await _fills(dashboard.panel("Funnel").locator(".funnel-bar")) == pytest.approx(FUNNEL, abs=0.03)
    outcomes = await _fills(dashboard.panel("Outcomes").locator(".bar"))
    assert outcomes[:2] + outcomes[6:7] == pytest.approx([2 / 13, 2 / 13, 1], abs=0.06)
    objections = await _fills(dashboard.panel("Objections and buying signals").locator(".bar"))
    assert objections == pytest.approx([1, 1 / 3, 1, 1 / 2], abs=0.06)
    done = await _fills(dashboard.panel("What the numbers rest on").locator(".progress-bar"))
    assert done == pytest.approx([5 / 6], abs=0.03)


def _ink(cell: Image.Image) -> float:
    """How much of a cell is not its background, which is at its upper end."""
    inner = cell.crop((4, 4, cell.width - 4, cell.height - 4))
    paper = inner.getpixel((inner.width // 2, 0))
    assert isinstance(paper, tuple)
    return 1 - share_of(inner, (paper[0], paper[1], paper[2]))


@SCHEMES
async def test_the_week_has_its_levels_in_the_systems_own_colours(visit: Visiting, office: Office, scheme: Any) -> None:
    dashboard = await _forced(visit, office, scheme)
    week = dashboard.panel("Best times to call").locator("td[title]")
    slots = ("Monday 9:00 AM", "Tuesday 3:00 PM", "Sunday 11:00 PM", "Tuesday 9:00 AM")
    empty, three, four, full = [await seen(week.and_(dashboard.page.locator(f"[title^='{slot}']"))) for slot in slots]
    inks = _ink(empty), _ink(three), _ink(four)
    assert (inks[0], inks[1] > 0.2, inks[2] > inks[1] + 0.1) == (0, True, True), inks
    # Ten are the most: all of it is filled.
    middle = full.width // 2, full.height // 2
    assert full.getpixel(middle) != empty.getpixel(middle)


@SCHEMES
async def test_what_is_chosen_is_seen_in_the_systems_own_colours(visit: Visiting, office: Office, scheme: Any) -> None:
    dashboard = await _forced(visit, office, scheme)

    async def background(label: Locator) -> Any:
        return (await seen(label)).getpixel((4, 8))

    for chosen, other in (("30 days", "90 days"), ("Calls", "Meetings")):
        places = [
            dashboard.page.locator(".segments label", has_text=words).locator("span").first for words in (chosen, other)
        ]
        assert await background(places[0]) != await background(places[1])
    chips = dashboard.panel("Trend").locator(".chips label")
    on, off = chips.filter(has_text="Connected"), chips.filter(has_text="Completed")
    assert (coloured(await seen(on)) > 20, coloured(await seen(off)) > 20) == (True, False)
    # What the page alone would choose, it does not offer.
    await expect(dashboard.page.get_by_role("button", name="theme")).to_have_count(0)


@SCHEMES
async def test_lines_of_a_chart_stand_out_from_the_systems_background(
    visit: Visiting, office: Office, scheme: Any
) -> None:
    """Whatever theme the viewer has chosen for other times."""
    dashboard = await visit(office.address, token=office.token, color_scheme=scheme)
    await dashboard.shown()
    other = {"light": "dark", "dark": "light"}[scheme]
    await dashboard.page.get_by_role("button", name=f"Use the {other} theme").click()
    await dashboard.page.emulate_media(forced_colors="active", color_scheme=scheme)
    await expect(dashboard.page.locator("html")).to_have_attribute("data-theme", scheme)
    await _ready(dashboard)
    await _check_contrast(dashboard.page)


async def _check_contrast(page: Page) -> None:
    """Of the names of colours in the style sheet that charts are drawn with, on the panel's background: WCAG's 3:1."""
    ratios = await page.evaluate("""() => {
        const probe = document.body.appendChild(document.createElement("span"));
        probe.style.setProperty("forced-color-adjust", "none");
        const light = name => {
            probe.style.color = `var(${name})`;
            const [r, g, b] = getComputedStyle(probe).color.match(/[\\d.]+/g).map(each => {
                const part = each / 255;
                return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const paper = light("--panel");
        const names = ["--ink", "--ink-2", "--line-quiet", ...[1, 2, 3, 4, 5, 6].map(each => `--line-${each}`)];
        return Object.fromEntries(names.map(name => {
            const [low, high] = [light(name), paper].sort((one, other) => one - other);
            return [name, (high + 0.05) / (low + 0.05)];
        }));
    }""")
    assert {name: ratio for name, ratio in ratios.items() if ratio < 3} == {}
