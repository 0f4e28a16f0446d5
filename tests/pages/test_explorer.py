"""The explorer in a real browser: our own files, our own schema, the examples, and a token that stays in its tab."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, Request, expect

from tests.conftest import Postgres
from tests.doors import REPORTS, House, furnished
from tests.given import token
from tests.pages.visit import PHONE
from tests.running import running, settings_for
from tests.waiting import PATIENCE, until

EXAMPLES = Path(__file__).parents[2] / "web" / "src" / "explorer" / "examples"
VARIABLES = json.loads((EXAMPLES / "variables.json").read_text("utf-8"))
VIOLATIONS = """document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} forbids ${event.blockedURI}`))"""

_IS_KEPT = """(() => {
  const kept = (name) => localStorage.getItem(`graphiql:${name}`);
  const { tabs, activeTabIndex } = JSON.parse(kept("tabState"));
  const { title, query, variables } = tabs[activeTabIndex];
  return title === "Quality" && query === kept("query") && variables === kept("variables");
})()"""
"""GraphiQL keeps each a moment after it has changed; the parts of one tab that it finds at odds become two."""


@pytest.fixture(scope="module")
async def house(server: Postgres) -> AsyncIterator[House]:
    """A gateway as in production, but for the explorer: no introspection, and no token given away."""
    async with furnished(server, graphiql=True, introspection=False, request_timeout_seconds=60) as house:
        for _ in range(3):
            await house.given.call(house.agency)
        yield house


@dataclass
class Tab:
    """An opened explorer, with all that it asked for and complained of."""

    page: Page
    asked: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def questions(self) -> list[Request]:
        return [request for request in self.asked if request.method == "POST"]

    async def is_ready(self) -> None:
        await expect(self.page.locator(".graphiql-query-editor .view-line").first).to_be_visible()

    async def titles(self) -> list[str]:
        """Of the editor's tabs, from the left."""
        return await self.page.locator(".graphiql-tab-button").all_text_contents()

    async def is_at(self, title: str) -> None:
        await expect(self.page.locator(".graphiql-tab-active .graphiql-tab-button")).to_have_text(title)

    async def writes(self, document: str) -> None:
        """Replaces the document; the editor closes brackets by itself, which is one too many here."""
        await self.page.locator(".graphiql-query-editor .view-line").first.click()
        await self.page.keyboard.press("Control+a")
        await self.page.keyboard.insert_text(document)
        await self.page.keyboard.press("Control+Shift+End")
        await self.page.keyboard.press("Delete")

    async def run(self) -> None:
        await self.page.get_by_role("button", name="Execute query").click()

    async def shows(self, text: str) -> None:
        """Waits until the answer has this in it."""
        await expect(self.page.locator(".result-window")).to_contain_text(text)

    async def fills_in(self, pasted: str) -> None:
        await self.page.get_by_label("Token").fill(pasted)


@asynccontextmanager
async def opened(browser: Browser, address: str, **context: object) -> AsyncIterator[Tab]:
    """The explorer in a browser without a past. Whatever it asks of another host, or complains of, is a failure."""
    pages = await browser.new_context(**{"viewport": {"width": 1360, "height": 900}, "locale": "en-US", **context})
    pages.set_default_timeout(PATIENCE * 1_000)
    await pages.add_init_script(VIOLATIONS)
    tab = Tab(await pages.new_page())
    pages.on("request", lambda request: tab.asked.append(request))  # noqa: PLW0108  it marks what it is given
    pages.on("console", lambda said: tab.complaints.append(f"{said.type}: {said.text}"))
    pages.on("weberror", lambda error: tab.complaints.append(str(error.error)))
    await tab.page.goto(f"{address}/graphql")
    await tab.is_ready()
    yield tab
    await pages.close()
    ours = urlsplit(address).netloc
    foreign = [each.url for each in tab.asked if urlsplit(each.url).netloc not in (ours, "")]
    assert foreign == []
    assert tab.complaints == []


@pytest.fixture
async def tab(browser: Browser, house: House) -> AsyncIterator[Tab]:
    """The explorer, to which nobody has given a token yet."""
    async with opened(browser, _address(house)) as tab:
        yield tab


async def test_the_first_example_is_answered_with_the_token_that_a_demo_gives_away(
    browser: Browser, house: House
) -> None:
    secret = token(house.owner)
    settings = settings_for(house.database.dsn, graphiql=True, page_token=secret)
    async with running(settings) as demo, opened(browser, str(demo.http.base_url).rstrip("/")) as tab:
        assert await tab.page.get_by_label("Token").input_value() == secret
        assert await tab.page.title() == "Calls — GraphQL explorer"
        await tab.run()
        await tab.shows('"totalCalls": 3')
        assert [json.loads(each.post_data)["variables"] for each in tab.questions] == [VARIABLES["overview"]]
        size = await tab.page.evaluate("[document.querySelector('.graphiql-container').offsetHeight, innerHeight]")
        assert size[0] > 0.9 * size[1]


async def test_every_example_is_answered(house: House) -> None:
    assert list(VARIABLES) == [*REPORTS, "freshness"]
    assert {path.stem for path in EXAMPLES.glob("*.graphql")} == set(VARIABLES)
    for name, variables in VARIABLES.items():
        document = (EXAMPLES / f"{name}.graphql").read_text("utf-8")
        assert document.startswith("# ")
        data = await house.gateway.graphql(document, house.owner, **variables)
        assert list(data) == [name]
        assert data[name]


async def test_each_example_opens_in_a_tab_with_its_variables(tab: Tab, house: House) -> None:
    await tab.fills_in(token(house.owner))
    for name, variables in VARIABLES.items():
        await tab.page.locator(".examples button", has_text=name).click()
        await tab.is_at(name.capitalize())
        await tab.run()
        await tab.shows(f'"{name}": {{')
        asked = json.loads(tab.questions[-1].post_data)
        assert (asked["variables"], asked["operationName"]) == (variables, name.capitalize())
    # A second time it is only shown again.
    await tab.page.locator(".examples button", has_text="funnel").click()
    await tab.is_at("Funnel")
    assert await tab.titles() == [name.capitalize() for name in VARIABLES]


async def test_the_documentation_is_there_before_any_token_and_without_introspection(tab: Tab) -> None:
    await tab.page.get_by_role("button", name="Show Documentation Explorer").click()
    docs = tab.page.get_by_role("region", name="Documentation Explorer")
    await docs.get_by_role("link", name="Query", exact=True).click()
    await expect(docs).to_contain_text("Every number is of the caller's agency, and of nothing else.")
    await docs.get_by_role("link", name="objections", exact=True).click()
    await expect(docs).to_contain_text("What people object to, how often that is handled")
    assert tab.questions == []


async def test_a_mistake_is_underlined_and_a_field_is_offered_by_the_schema_of_the_page(tab: Tab) -> None:
    editor = tab.page.locator(".graphiql-query-editor")
    await tab.writes("{ overview { summary { totalKalls } } }")
    await expect(editor.locator(".squiggly-error")).to_be_visible()
    await tab.writes("{ overview { summary { meetingsB } } }")
    for _ in range(len(" } } }")):
        await tab.page.keyboard.press("ArrowLeft")
    await tab.page.keyboard.press("Control+Space")
    await expect(tab.page.locator(".suggest-widget")).to_contain_text("meetingsBooked")


async def test_prettify_works_from_our_own_files(tab: Tab) -> None:
    editor = tab.page.locator(".graphiql-query-editor")
    await tab.writes("{ choices { clients { id } } }")
    await tab.page.get_by_role("button", name="Prettify query").click()
    await expect(editor.locator(".view-line")).to_have_count(8)


async def test_without_a_token_it_says_so_and_asks_nothing(tab: Tab, house: House) -> None:
    await expect(tab.page.locator("output")).to_have_text("No token: paste one, and queries are answered.")
    await tab.run()
    await tab.shows("No token")
    assert tab.questions == []
    await tab.fills_in("not a token")
    await expect(tab.page.locator("output")).to_have_text("This is not an access token.")
    await tab.fills_in(token(house.owner, expires_in=timedelta(hours=-1)))
    await expect(tab.page.locator("output")).to_contain_text("Expired")
    await tab.run()
    await tab.shows("Expired")
    assert tab.questions == []


async def test_a_token_is_taken_as_a_header_shows_it_and_stays_in_its_tab(tab: Tab, house: House) -> None:
    secret = token(house.owner)
    await tab.fills_in(f"  Bearer {secret}\n")
    await expect(tab.page.locator("output")).to_contain_text("kept in this tab only")
    await tab.run()
    await tab.shows('"totalCalls": 3')
    assert tab.questions[-1].headers["authorization"] == f"Bearer {secret}"
    await tab.page.reload()
    await tab.is_ready()
    assert await tab.page.get_by_label("Token").input_value() == secret
    assert await tab.page.evaluate("JSON.stringify(sessionStorage)") == json.dumps(
        {"token": secret}, separators=(",", ":")
    )
    # GraphiQL keeps tabs and history for good; no token may be among them.
    kept = await tab.page.evaluate("JSON.stringify(localStorage)")
    assert "totalCalls" in kept
    assert secret not in kept
    assert await tab.page.context.cookies() == []
    other = await tab.page.context.new_page()
    await other.goto(tab.page.url)
    await expect(other.locator("output")).to_contain_text("No token")
    await tab.fills_in("")
    await tab.page.reload()
    await expect(tab.page.locator("output")).to_contain_text("No token")


async def test_what_was_asked_is_in_the_history_and_tabs_come_back_as_they_were_left(tab: Tab, house: House) -> None:
    await tab.fills_in(token(house.owner))
    await tab.page.locator(".examples button", has_text="quality").click()
    await tab.run()
    await tab.shows('"quality": {')
    # Not by Playwright's own waiting, which evaluates in the page what its policy forbids.
    await until(lambda: tab.page.evaluate(_IS_KEPT))

    async def is_noted() -> bool:
        if "query Quality" in await tab.page.evaluate("localStorage.getItem('graphiql:queries') ?? ''"):
            return True
        # Nor does GraphiQL note a question whose answer is there before it has looked.
        await tab.run()
        return False

    await until(is_noted)
    await tab.page.reload()
    await tab.is_ready()
    assert await tab.titles() == ["Overview", "Quality"]
    await tab.page.get_by_role("button", name="Show History").click()
    await expect(tab.page.get_by_role("region", name="History")).to_contain_text("Quality")


@pytest.mark.parametrize(("scheme", "background"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(26, 31, 41)")])
async def test_it_is_light_or_dark_as_the_system_is(
    browser: Browser, house: House, scheme: str, background: str
) -> None:
    async with opened(browser, _address(house), color_scheme=scheme) as tab:
        assert await tab.page.evaluate("getComputedStyle(document.body).backgroundColor") == background


async def test_on_a_phone_the_answer_stands_below_the_question(browser: Browser, house: House) -> None:
    async with opened(browser, _address(house), viewport=PHONE) as tab:
        question = await tab.page.locator(".graphiql-editors").bounding_box()
        answer = await tab.page.locator(".graphiql-response").bounding_box()
        assert question
        assert answer
        assert min(question["width"], answer["width"]) > 0.7 * PHONE["width"]
        assert answer["y"] >= question["y"] + question["height"] > question["y"] + 250
        assert answer["height"] > 150


def _address(house: House) -> str:
    return str(house.gateway.http.base_url).rstrip("/")
