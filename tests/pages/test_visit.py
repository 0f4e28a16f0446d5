"""A visit hears of whatever goes wrong on a page; that it heard nothing is worth something."""

import pytest
from playwright.async_api import Browser, expect

from tests.pages.conftest import Office
from tests.pages.visit import visiting
from tests.waiting import until


@pytest.mark.parametrize(
    ("script", "heard"),
    [
        ("new Image().src = 'http://127.0.0.2:9/track.gif'", "CSP: img-src"),
        ("fetch('http://127.0.0.2:9/').catch(() => {})", "CSP: connect-src"),
        ("document.body.append(Object.assign(document.createElement('script'), { text: '1' }))", "CSP: script-src"),
        ("console.error('I am not well')", "console: I am not well"),
        ("setTimeout(() => { throw new Error('lost') })", "page: lost"),
        ("window.open('http://127.0.0.2:9/')", "asked elsewhere: http://127.0.0.2:9/"),
        ("location.href = 'http://127.0.0.2:9/'", "asked elsewhere: http://127.0.0.2:9/"),
    ],
)
async def test_what_goes_wrong_on_a_page_fails_its_visit(
    browser: Browser, office: Office, script: str, heard: str
) -> None:
    with pytest.raises(pytest.fail.Exception, match=heard):
        await _visit(browser, office, script, heard)


async def _visit(browser: Browser, office: Office, script: str, heard: str) -> None:
    async with visiting(browser, office.address, token=office.token) as visit:
        await visit.shown()
        await visit.page.evaluate(f"() => {{ {script} }}")
        await until(lambda: any(heard in fault for fault in visit.faults()))


async def test_what_a_test_expects_does_not(browser: Browser, office: Office) -> None:
    async with visiting(browser, office.address, token=office.token) as visit:
        visit.expected.append("not well")
        await visit.shown()
        await visit.page.evaluate("console.error('I am not well')")
        await expect(visit.key_figure("Calls")).to_have_text("20")
