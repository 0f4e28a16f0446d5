"""What stands on the page while there are no numbers, when they change, and when they cannot be had."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from playwright.async_api import Route, expect

from database.embedded import embedded
from database.migrate import migrate
from tests.given import NOW, Given, token
from tests.pages.conftest import Office, Visiting, address_of
from tests.pages.known import at
from tests.pages.visit import REFRESH_MS, Visit, rows
from tests.running import Running, running, settings_for
from tests.waiting import PATIENCE

PANELS = (
    "Key figures", "Trend", "Funnel", "Best times to call", "Quality", "Campaigns", "Batches",
    "Objections and buying signals", "Outcomes", "What the numbers rest on",
)  # fmt: skip


async def test_skeletons_stand_where_the_panels_will_be(visit: Visiting, office: Office) -> None:
    dashboard = await visit(office.address, token=office.token)
    answered = asyncio.Event()

    async def late(route: Route) -> None:
        await answered.wait()
        await route.continue_()

    await dashboard.page.route("**/graphql?*", late)
    await dashboard.open()
    await expect(dashboard.page.locator("main[aria-busy=true]")).to_be_visible()
    await expect(dashboard.page.locator("section[aria-busy=true]")).to_have_count(len(PANELS))
    answered.set()
    await dashboard.settled()
    await expect(dashboard.page.locator("[aria-busy=true]")).to_have_count(0)
    for panel in PANELS:
        await expect(dashboard.panel(panel)).to_be_visible()


async def test_a_new_agency_is_told_what_comes_and_then_sees_it_come(visit_agency: Visiting, given: Given) -> None:
    agency = await given.agency()
    dashboard = await visit_agency(agency)
    await dashboard.page.clock.install()
    await dashboard.shown()
    await expect(dashboard.page.get_by_role("heading", name="No calls yet")).to_be_visible()
    await given.call(agency)
    await dashboard.page.clock.fast_forward(REFRESH_MS)
    await expect(dashboard.key_figure("Calls")).to_have_text("1")


async def test_a_range_without_calls_is_empty_and_not_new(visit: Visiting, office: Office) -> None:
    dashboard = await visit(office.address, token=office.token)
    await dashboard.shown("/?period=custom&start_date=2026-02-01&end_date=2026-02-02")
    await expect(dashboard.key_figure("Calls")).to_have_text("0")
    await expect(dashboard.key_figure("Contact rate")).to_have_text("–")
    for panel in ("Trend", "Funnel", "Quality", "Campaigns", "Objections and buying signals", "Outcomes"):
        await expect(dashboard.panel(panel).locator("canvas, table, ol, ul.outcomes")).to_have_count(0)
        await expect(dashboard.panel(panel).get_by_role("paragraph")).to_contain_text("days")
        # Nothing is said of nothing, and nothing is there to choose.
        await expect(dashboard.panel(panel).locator("header")).to_have_text(panel)
    for panel in ("Trend", "Funnel", "Quality"):
        await expect(dashboard.panel(panel).get_by_role("paragraph")).to_have_text("No calls on these days.")


@pytest.mark.parametrize("first", ["2016-02-16 10:00", "2026-01-17 23:59", "2026-02-17 00:00"])
async def test_an_agency_whose_calls_are_of_other_days_is_not_new(
    visit_agency: Visiting, given: Given, first: str
) -> None:
    """Though it has neither campaigns nor batches, and nothing that waits."""
    agency = await given.agency()
    await given.call(agency, started_at=at(first))
    dashboard = await visit_agency(agency)
    await dashboard.shown()
    await expect(dashboard.panel("Trend").get_by_role("paragraph")).to_have_text("No calls on these days.")
    await expect(dashboard.panel("Best times to call").get_by_role("paragraph")).to_have_text("No calls on these days.")
    await expect(dashboard.page.locator("body")).not_to_contain_text("No calls yet")
    await dashboard.page.get_by_role("radio", name="Today").check(force=True)
    await dashboard.settled()
    await expect(dashboard.panel("Best times to call").get_by_role("paragraph")).to_have_text(
        "No calls in the last 30 days."
    )


async def test_an_agency_that_has_made_ready_is_shown_its_batches_and_that_there_are_no_calls_yet(
    visit_agency: Visiting, given: Given
) -> None:
    other = await given.agency()
    await given.call(other)
    agency = await given.agency()
    campaign = await given.campaign(agency, name="Spring")
    await given.batch(agency, campaign, {"pending": 2}, status="scheduled")
    dashboard = await visit_agency(agency)
    await dashboard.shown()
    await expect(dashboard.panel("Batches")).to_contain_text("Scheduled")
    for panel in ("Trend", "Funnel", "Quality", "Best times to call"):
        await expect(dashboard.panel(panel).get_by_role("paragraph")).to_have_text("No calls yet.")
    # Of one campaign it is not known.
    await dashboard.page.get_by_role("combobox", name="Campaign").select_option("Spring")
    await expect(dashboard.panel("Trend").get_by_role("paragraph")).to_have_text("No calls on these days.")


async def test_a_clients_user_is_new_until_that_client_has_calls(
    gateway: Running, visit: Visiting, given: Given
) -> None:
    agency = await given.agency()
    await given.call(agency)
    client = await given.client(agency)
    viewer = token(await given.user(agency, "client_viewer", client))
    dashboard = await visit(address_of(gateway), token=viewer)
    await dashboard.page.clock.install()
    await dashboard.shown()
    await expect(dashboard.page.get_by_role("heading", name="No calls yet")).to_be_visible()
    await given.call(agency, client_id=client)
    await dashboard.page.clock.fast_forward(REFRESH_MS)
    await expect(dashboard.key_figure("Calls")).to_have_text("1")


async def _changed(route: Route, change: Callable[[dict[str, Any]], None]) -> None:
    response = await route.fetch()
    if response.status != 200:  # unchanged
        await route.fulfill(response=response)
        return
    body = await response.json()
    change(body)
    await route.fulfill(response=response, body=orjson.dumps(body))


async def test_one_report_that_fails_leaves_the_others_standing(visit: Visiting, office: Office) -> None:
    dashboard = await visit(office.address, token=office.token)

    def fail(body: dict[str, Any]) -> None:
        body["data"]["objections"] = body["data"]["overview"] = None
        body["errors"] = [
            {"message": f"{name} took too long", "path": [name], "extensions": {"code": "TIMEOUT"}}
            for name in ("overview", "objections")
        ]

    await dashboard.page.route("**/graphql?*", lambda route: _changed(route, fail))
    await dashboard.shown()
    await expect(dashboard.panel("Objections and buying signals").get_by_role("alert")).to_have_text(
        "objections took too long"
    )
    for panel in ("Key figures", "Outcomes"):
        await expect(dashboard.panel(panel).get_by_role("alert")).to_have_text("overview took too long")
    await expect(dashboard.panel("Trend").locator("canvas")).to_be_visible()
    # The range is overview's; without it the days are those from the first call to the last.
    days = await rows(dashboard.panel("Trend").get_by_role("table"))
    assert (days[0][:2], days[-1][:2]) == (["Jan 20, 2026", "10"], ["Feb 16, 2026", "3"])
    await expect(dashboard.panel("Funnel").get_by_role("listitem").first).to_contain_text("20")
    await expect(dashboard.panel("Campaigns")).to_contain_text("Spring")


async def test_what_several_reports_share_is_said_once(visit: Visiting, office: Office) -> None:
    dashboard = await visit(office.address, token=office.token)
    slow = ("overview", "timeseries", "funnel", "quality", "objections")

    def fail(body: dict[str, Any]) -> None:
        body["data"] |= dict.fromkeys((*slow, "freshness"))
        body["errors"] = [
            {"message": "The answer took too long", "path": [name], "extensions": {"code": "TIMEOUT"}} for name in slow
        ]
        body["errors"] += [{"message": "Of its own", "path": ["freshness"], "extensions": {"code": "INTERNAL"}}]

    await dashboard.page.route("**/graphql?*", lambda route: _changed(route, fail))
    await dashboard.shown()
    await expect(dashboard.page.get_by_role("status")).to_contain_text("The answer took too long.")
    await expect(dashboard.page.get_by_role("alert")).to_have_text(["Of its own"])
    for panel in ("Key figures", "Trend", "Funnel", "Quality", "Objections and buying signals", "Outcomes"):
        await expect(dashboard.panel(panel).get_by_role("paragraph")).to_have_text("There are no numbers to show.")
    await expect(dashboard.panel("Campaigns")).to_contain_text("Spring")
    await dashboard.page.unroute("**/graphql?*")
    await dashboard.page.get_by_role("status").get_by_role("button", name="Try again").click()
    await expect(dashboard.key_figure("Calls")).to_have_text("20")
    await expect(dashboard.page.get_by_role("status")).to_have_text("")


BROKEN = {
    "timeseries": ("Key figures", "Trend"),
    "heatmap": ("Best times to call",),
    "campaigns": ("Campaigns", "Batches"),
    "running": ("Campaigns",),
    "objections": ("Objections and buying signals", "What the numbers rest on"),
}
"""The panels that cannot be drawn when a report is nonsense."""


def _nonsense(value: Any) -> Any:
    """The same with a number for each list and nothing for each object that lies deeper."""
    if not isinstance(value, dict):
        return 5 if isinstance(value, list) else value
    return {key: None if isinstance(each, dict) else _nonsense(each) for key, each in value.items()}


@pytest.mark.parametrize("report", BROKEN)
async def test_a_panel_that_cannot_be_drawn_takes_no_other_along(visit: Visiting, office: Office, report: str) -> None:
    dashboard = await visit(office.address, token=office.token)
    dashboard.expected.append("is not a function|is not iterable|undefined|null")

    def spoil(body: dict[str, Any]) -> None:
        body["data"][report] = _nonsense(body["data"][report])

    await dashboard.page.route("**/graphql?*", lambda route: _changed(route, spoil))
    await dashboard.shown()
    for panel in PANELS:
        alert = dashboard.panel(panel).get_by_role("alert")
        if panel in BROKEN[report]:
            await expect(alert).to_contain_text("This cannot be drawn: ")
        else:
            await expect(alert).to_have_count(0)
    whole = next(panel for panel in ("Outcomes", "Funnel") if panel not in BROKEN[report])
    await expect(dashboard.panel(whole).get_by_role("listitem").first).to_be_visible()
    # It is tried again when that is asked for, and with other numbers.
    retry = dashboard.panel(BROKEN[report][0]).get_by_role("button", name="Try again")
    await retry.click()
    await expect(dashboard.panel(BROKEN[report][0]).get_by_role("alert")).to_contain_text("This cannot be drawn: ")
    await dashboard.page.unroute("**/graphql?*")
    await dashboard.page.get_by_role("radio", name="90 days").check(force=True)
    await expect(dashboard.key_figure("Calls")).to_have_text("25")
    await expect(dashboard.page.get_by_role("alert")).to_have_count(0)


async def test_numbers_are_there_where_their_charts_cannot_be_fetched(visit: Visiting, office: Office) -> None:
    dashboard = await visit(office.address, token=office.token)
    dashboard.expected.append("Failed to fetch|ERR_FAILED|dynamically imported")
    await dashboard.page.route("**/assets/echarts-*.js", lambda route: route.abort())
    await dashboard.shown()
    for panel in ("Trend", "Quality"):
        await expect(dashboard.panel(panel).get_by_role("alert")).to_contain_text("these are its numbers")
        await expect(dashboard.panel(panel).get_by_role("table")).to_be_visible()
    assert (await rows(dashboard.panel("Trend").get_by_role("table")))[-1] == ["Feb 16, 2026", "3", "3", "2"]
    assert not await dashboard.is_overflowing()
    await expect(dashboard.panel("Funnel").get_by_role("listitem").first).to_contain_text("20")


@pytest.mark.parametrize("kind", ["localStorage", "sessionStorage"])
async def test_a_browser_that_keeps_nothing_shows_everything(visit: Visiting, office: Office, kind: str) -> None:
    settings = settings_for(office.house.database.dsn, page_token=office.token, request_timeout_seconds=60)
    async with running(settings) as gateway:
        dashboard = await visit(address_of(gateway))
        await dashboard.page.add_init_script(
            f"Object.defineProperty(window, {kind!r}, {{ get() {{ throw new DOMException('no', 'SecurityError'); }} }})"
        )
        await dashboard.shown()
        await expect(dashboard.key_figure("Calls")).to_have_text("20")
        await dashboard.page.get_by_role("button", name="Use the dark theme").click()
        await expect(dashboard.page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_a_theme_that_nobody_knows_is_the_systems(visit: Visiting, office: Office) -> None:
    dashboard = await visit(office.address, token=office.token, color_scheme="dark")
    await dashboard.page.add_init_script("localStorage.setItem('theme', 'purple')")
    await dashboard.shown()
    await expect(dashboard.page.locator("html")).to_have_attribute("data-theme", "dark")
    await expect(dashboard.page.get_by_role("button", name="Use the light theme")).to_be_visible()


async def test_what_did_not_change_is_not_sent_again(visit_agency: Visiting, given: Given) -> None:
    agency = await given.agency()
    await given.call(agency)
    dashboard = await visit_agency(agency, timezone_id="UTC")
    await dashboard.page.clock.install(time=NOW)
    await dashboard.shown()
    said = dashboard.page.get_by_text("UTC days")
    await expect(said).to_contain_text("refreshed 12:00 PM · checked 12:00 PM")

    for _ in range(4):
        async with dashboard.page.expect_response("**/graphql?*") as response:
            await dashboard.page.clock.fast_forward(REFRESH_MS)
        first, asked = dashboard.answered[-1], await (await response.value).request.all_headers()
        assert (await response.value).status == 304, first.url
        assert asked["if-none-match"]
    await expect(said).to_contain_text("refreshed 12:00 PM · checked 12:01 PM")

    await given.calls(agency, 2)
    await dashboard.page.clock.fast_forward(REFRESH_MS)
    await expect(dashboard.key_figure("Calls")).to_have_text("3")
    await expect(said).to_contain_text("refreshed 12:01 PM · checked 12:01 PM")
    assert dashboard.statuses() == [200, 304, 304, 304, 304, 200]


async def _turn(dashboard: Visit, state: str) -> None:
    """The tab is left or come back to."""
    turn = """value => {
        Object.defineProperty(document, "visibilityState", { value, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    await dashboard.page.evaluate(turn, state)


async def test_nobody_is_asked_while_nobody_looks(visit_agency: Visiting, given: Given) -> None:
    agency = await given.agency()
    await given.call(agency)
    dashboard = await visit_agency(agency)
    await dashboard.page.clock.install()
    await dashboard.shown()
    await _turn(dashboard, "hidden")
    await given.call(agency)
    await dashboard.page.clock.run_for(10 * REFRESH_MS)
    assert len(dashboard.questions()) == 1
    await _turn(dashboard, "visible")
    await expect(dashboard.key_figure("Calls")).to_have_text("2")
    assert len(dashboard.questions()) == 2


async def test_tabs_that_are_switched_quickly_ask_no_more_often(visit_agency: Visiting, given: Given) -> None:
    agency = await given.agency()
    await given.call(agency)
    dashboard = await visit_agency(agency)
    await dashboard.page.clock.install(time=NOW)
    held = asyncio.Event()

    async def hold(route: Route) -> None:
        await held.wait()
        await route.continue_()

    await dashboard.page.route("**/graphql?*", hold)
    async with dashboard.page.expect_request("**/graphql?*"):
        await dashboard.open()
    for state in ("hidden", "visible") * 5:  # while the first answer is awaited
        await _turn(dashboard, state)
    assert len(dashboard.questions()) == 1
    held.set()
    await dashboard.settled()

    # From here on no time passes by itself.
    async with dashboard.page.expect_response("**/graphql?*"):
        await dashboard.page.clock.pause_at(NOW.replace(hour=13))
    asked = len(dashboard.questions())
    for state in ("hidden", "visible") * 5:
        await _turn(dashboard, state)
        await dashboard.page.clock.run_for(100)
    assert len(dashboard.questions()) == asked
    for _ in range(60):
        await dashboard.page.clock.run_for(4 * REFRESH_MS / 60)
    # An answer that comes late puts off the next question.
    assert asked < len(dashboard.questions()) <= asked + 4


async def test_a_gateway_that_never_answers_is_asked_again_in_the_end(visit: Visiting, office: Office) -> None:
    dashboard = await visit(office.address, token=office.token)
    dashboard.expected.append("ERR_FAILED|ERR_ABORTED")
    await dashboard.page.clock.install()
    held = asyncio.Event()

    async def hold(_: Route) -> None:
        await held.wait()

    await dashboard.page.route("**/graphql?*", hold)
    async with dashboard.page.expect_request("**/graphql?*"):
        await dashboard.open()
    await dashboard.page.clock.fast_forward(65_000)
    await expect(dashboard.page.get_by_role("status")).to_contain_text("The gateway does not answer.")
    await dashboard.page.unroute("**/graphql?*")
    await dashboard.page.clock.fast_forward(REFRESH_MS)
    await expect(dashboard.key_figure("Calls")).to_have_text("20")
    held.set()


async def test_a_gateway_that_is_gone_is_said_and_its_return_noticed(visit: Visiting, office: Office) -> None:
    dashboard = await visit(office.address, token=office.token)
    dashboard.expected.append("ERR_CONNECTION_REFUSED|ERR_FAILED")
    await dashboard.page.clock.install()
    await dashboard.page.route("**/graphql?*", lambda route: route.abort("connectionrefused"))
    await dashboard.open()
    status = dashboard.page.get_by_role("status")
    await expect(status).to_contain_text("The gateway does not answer. Asking again by itself.")
    await dashboard.page.unroute("**/graphql?*")
    await status.get_by_role("button", name="Try again").click()
    await expect(dashboard.key_figure("Calls")).to_have_text("20")
    await expect(status).to_have_text("")


async def test_a_page_that_cannot_start_says_so_and_tries_again(visit: Visiting, office: Office) -> None:
    dashboard = await visit(office.address, token=office.token)
    dashboard.expected.append("status of 503")
    await dashboard.page.route("**/page.json", lambda route: route.fulfill(status=503, body="away"))
    await dashboard.open()
    await expect(dashboard.page.get_by_role("alert")).to_contain_text("could not be started")
    await dashboard.page.unroute("**/page.json")
    await dashboard.page.get_by_role("button", name="Try again").click()
    await expect(dashboard.key_figure("Calls")).to_have_text("20")


class Outage:
    """A PostgreSQL that is stopped and started again at one address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: Any = None
        self.dsn = f"postgresql://postgres@/gateway?host={folder / 'at'}&port=5432"

    async def start(self) -> None:
        """Each start has a socket folder of its own; the address leads to the newest."""
        self._server = embedded(self._folder / "data", durable=False)
        started = await asyncio.to_thread(self._server.__enter__)
        (self._folder / "new").symlink_to(started.socket_dir)
        (self._folder / "new").rename(self._folder / "at")

    async def stop(self) -> None:
        """Ends it as an operator does."""
        if self._server:
            await asyncio.to_thread(self._server.__exit__, None, None, None)
        self._server = None


@pytest.fixture
async def outage() -> AsyncIterator[Outage]:
    """It runs, with the gateway's tables."""
    with tempfile.TemporaryDirectory(prefix="gateway-pages-") as folder:
        Path(folder).chmod(0o711)
        server = Outage(Path(folder))
        await server.start()
        try:
            connection = await asyncpg.connect(server.dsn.replace("/gateway?", "/postgres?"))
            await connection.execute("create database gateway")
            await connection.close()
            await asyncio.to_thread(migrate, server.dsn)
            yield server
        finally:
            await server.stop()


async def test_the_last_numbers_stay_while_the_database_is_away(outage: Outage, visit: Visiting) -> None:
    connection = await asyncpg.connect(outage.dsn)
    given = Given(connection)
    agency = await given.agency()
    await given.calls(agency, 3)
    owner = await given.user(agency)
    await connection.close()
    async with running(settings_for(outage.dsn, log_level="error")) as gateway:
        dashboard = await visit(address_of(gateway), token=token(owner))
        dashboard.expected.append("status of 503")
        await dashboard.page.clock.install()
        await dashboard.shown()
        await outage.stop()
        status = dashboard.page.get_by_role("status")
        async with dashboard.page.expect_response(lambda response: response.status == 503):
            await dashboard.page.clock.fast_forward(REFRESH_MS)
        await expect(status).to_contain_text("These are the last numbers; asking again by itself.")
        await expect(dashboard.key_figure("Calls")).to_have_text("3")

        await outage.start()
        await _until_gone(dashboard, status.get_by_role("button").count)
        await expect(dashboard.key_figure("Calls")).to_have_text("3")
        await dashboard.settled()


async def _until_gone(dashboard: Visit, count: Callable[[], Awaitable[int]]) -> None:
    """The page asks again after a few of its seconds, each time that it was refused."""
    async with asyncio.timeout(PATIENCE):
        while await count():
            async with dashboard.page.expect_response("**/graphql?*"):
                await dashboard.page.clock.run_for(5_000)
            await dashboard.page.evaluate("new Promise(requestAnimationFrame)")


async def test_a_dashboard_opened_during_an_outage_fills_itself(outage: Outage, visit: Visiting) -> None:
    connection = await asyncpg.connect(outage.dsn)
    given = Given(connection)
    agency = await given.agency()
    await given.call(agency)
    owner = await given.user(agency)
    await connection.close()
    async with running(settings_for(outage.dsn, log_level="error")) as gateway:
        await outage.stop()
        dashboard = await visit(address_of(gateway), token=token(owner))
        dashboard.expected.append("status of 503")
        await dashboard.page.clock.install()
        await dashboard.open()
        status = dashboard.page.get_by_role("status")
        await expect(status).to_contain_text("Asking again by itself.")
        await expect(dashboard.page.get_by_role("main")).to_contain_text("There are no numbers to show yet.")
        await outage.start()
        await _until_gone(dashboard, status.get_by_role("button").count)
        await expect(dashboard.key_figure("Calls")).to_have_text("1")
