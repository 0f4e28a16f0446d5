"""What is served to browsers: pages with their policies, packed files, and what a page is told before it can ask."""

import asyncio
import gzip
import http.client
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway import pages
from tests.conftest import Database
from tests.running import running, settings_for

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PROJECT = "https://project.supabase.co"
SCRIPT = b"console.log('a script, long enough to be packed');\n" * 40
DASHBOARD_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
EXPLORER_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; worker-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


pytestmark = pytest.mark.usefixtures("built")


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as `web/build.py` leaves it, with a file beside it that is nobody's business."""
    folder = tmp_path / "gateway" / "web"
    assets = folder / "assets"
    assets.mkdir(parents=True)
    (folder / "dashboard.html").write_text("<title>The dashboard</title>")
    (folder / "explorer.html").write_text("<title>The explorer</title>")
    (assets / "page-1a2b.js").write_bytes(SCRIPT)
    (assets / "page-1a2b.js.gz").write_bytes(gzip.compress(SCRIPT))
    (assets / "picture-3c4d.png").write_bytes(b"\x89PNG not really")
    (folder.parent / "settings.py").write_text("SECRET = 'not for you'")
    monkeypatch.setattr(pages, "FOLDER", folder)
    return folder


@asynccontextmanager
async def served(database: Database, **settings: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A gateway with these settings; its client takes nothing packed unless it says so."""
    async with running(settings_for(database.dsn, **settings)) as gateway:
        gateway.http.headers["Accept-Encoding"] = "identity"
        yield gateway.http


@pytest.fixture
async def browser(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """Asks a gateway with both pages."""
    async with served(database, graphiql=True) as browser:
        yield browser


@pytest.mark.parametrize(
    ("path", "title", "policy"),
    [("/", "The dashboard", DASHBOARD_POLICY), ("/graphql", "The explorer", EXPLORER_POLICY)],
)
async def test_a_page_is_asked_for_anew_each_time_and_may_load_nothing_of_others(
    browser: httpx2.AsyncClient, path: str, title: str, policy: str
) -> None:
    page = await browser.get(path, headers=BROWSER)
    assert page.status_code == 200
    assert title in page.text
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"] == policy
    assert page.headers["cache-control"] == "no-cache"
    assert page.headers["referrer-policy"] == "no-referrer"
    head = await browser.head(path, headers=BROWSER)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(page.content))
    assert head.headers["content-security-policy"] == policy


async def test_the_issuer_may_be_asked_by_the_dashboard_only_where_viewers_sign_in_there(
    database: Database,
) -> None:
    for settings, connect in (
        ({}, "connect-src 'self';"),
        ({"supabase_url": PROJECT}, "connect-src 'self';"),
        ({"supabase_publishable_key": "sb_publishable_1"}, "connect-src 'self';"),
        ({"supabase_url": PROJECT, "supabase_publishable_key": "sb_publishable_1"}, f"connect-src 'self' {PROJECT};"),
        (
            {"supabase_url": "http://127.0.0.1:54321/base/", "supabase_publishable_key": "sb_publishable_1"},
            "connect-src 'self' http://127.0.0.1:54321;",
        ),
    ):
        async with served(database, graphiql=True, **settings) as browser:
            assert connect in (await browser.get("/")).headers["content-security-policy"]
            explorer = await browser.get("/graphql", headers=BROWSER)
            assert explorer.headers["content-security-policy"] == EXPLORER_POLICY


async def test_files_are_kept_for_good_and_packed_only_for_who_takes_that(browser: httpx2.AsyncClient) -> None:
    for accepted, encoding in (("identity", None), ("br", None), ("gzip, deflate, br", "gzip"), ("gzip;q=0", None)):
        answer = await browser.get("/assets/page-1a2b.js", headers={"Accept-Encoding": accepted})
        assert answer.status_code == 200
        assert answer.headers.get("content-encoding") == encoding
        assert answer.content == SCRIPT  # the client unpacks it
        assert (int(answer.headers["content-length"]) < len(SCRIPT)) == (encoding == "gzip")
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.headers["content-type"].startswith(("text/javascript", "application/javascript"))
    picture = await browser.get("/assets/picture-3c4d.png", headers={"Accept-Encoding": "gzip"})
    assert (picture.content, picture.headers["content-type"]) == (b"\x89PNG not really", "image/png")
    assert "content-encoding" not in picture.headers


async def test_a_file_that_is_there_already_is_not_sent_again(browser: httpx2.AsyncClient) -> None:
    for accepted in ("identity", "gzip"):
        headers = {"Accept-Encoding": accepted}
        first = await browser.get("/assets/page-1a2b.js", headers=headers)
        again = await browser.get("/assets/page-1a2b.js", headers={**headers, "If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


async def test_head_of_a_file_is_get_without_the_body(browser: httpx2.AsyncClient) -> None:
    for accepted in ("identity", "gzip"):
        headers = {"Accept-Encoding": accepted}
        got = await browser.get("/assets/page-1a2b.js", headers=headers)
        head = await browser.head("/assets/page-1a2b.js", headers=headers)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == got.headers["content-length"]


@pytest.mark.parametrize("accepted", ["identity", "gzip"])
@pytest.mark.parametrize(
    "path",
    [
        "/assets/../../settings.py", "/assets/%2e%2e/%2e%2e/settings.py", "/assets/..%2f..%2fsettings.py",
        "/assets/%2e%2e%2fdashboard.html", "/assets//etc/passwd", "/assets/%2fetc%2fpasswd",
        "/assets/..%5c..%5csettings.py", "/assets/", "/assets", "/assets/absent.js",
        "/dashboard.html", "/settings.py", "/web/dashboard.html",
    ],
)  # fmt: skip
async def test_nothing_but_the_built_files_is_served(browser: httpx2.AsyncClient, path: str, accepted: str) -> None:
    # Its own client would tidy the path.
    connection = http.client.HTTPConnection(browser.base_url.host, browser.base_url.port or 80)

    def ask() -> tuple[int, str, str]:
        connection.request("GET", path, headers={"Accept-Encoding": accepted})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Cache-Control", ""), answer.read().decode(errors="replace")

    status, kept, text = await asyncio.to_thread(ask)
    connection.close()
    assert status == 404
    assert "not for you" not in text
    assert "root:" not in text
    assert "immutable" not in kept


async def test_a_page_is_told_how_to_sign_in_and_no_token_unless_one_is_set(database: Database) -> None:
    told = {"token": None, "supabase": None}
    signing = {"url": f"{PROJECT}/", "publishableKey": "sb_publishable_1"}
    for settings, expected in (
        ({}, told),
        ({"supabase_url": PROJECT}, told),
        ({"supabase_url": PROJECT, "supabase_publishable_key": "sb_publishable_1"}, {**told, "supabase": signing}),
        ({"page_token": "given.to.all"}, {**told, "token": "given.to.all"}),
    ):
        async with served(database, **settings) as browser:
            answer = await browser.get("/page.json")
            assert answer.json() == expected
            assert answer.headers["cache-control"] == "private, no-store"
    fields = type(settings_for(database.dsn)).model_fields
    assert fields["page_token"].default.get_secret_value() == ""
    assert "given.to.all" not in str(settings_for(database.dsn, page_token="given.to.all"))


async def test_what_a_page_is_told_is_not_for_the_pages_of_others(database: Database) -> None:
    async with served(database, page_token="given.to.all") as browser:
        for site in ("cross-site", "same-site", "nonsense"):
            answer = await browser.get("/page.json", headers={"Sec-Fetch-Site": site, "Origin": "https://evil.example"})
            assert answer.status_code == 403
            assert "given.to.all" not in answer.text
        for site in ("same-origin", "none"):
            assert (await browser.get("/page.json", headers={"Sec-Fetch-Site": site})).status_code == 200
        # A browser that says nothing of the site still says the origin.
        answer = await browser.get("/page.json", headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403


async def test_the_dashboard_is_on_unless_it_is_switched_off(database: Database) -> None:
    assert type(settings_for(database.dsn)).model_fields["dashboard"].default is True
    async with served(database) as browser:
        assert "The dashboard" in (await browser.get("/")).text
        assert (await browser.post("/")).status_code == 405
    async with served(database, dashboard=False, graphiql=True) as browser:
        assert (await browser.get("/")).status_code == 404
        assert "The explorer" in (await browser.get("/graphql", headers=BROWSER)).text


async def test_where_the_pages_were_not_built_it_is_said_how_to_and_the_api_serves(
    database: Database, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "FOLDER", built / "absent")
    async with served(database, graphiql=True) as browser:
        for path in ("/", "/graphql"):
            answer = await browser.get(path, headers=BROWSER)
            assert answer.status_code == 404
            assert answer.headers["content-type"].startswith("text/plain")
            assert "python web/build.py" in answer.text
            assert "The API is at /graphql" in answer.text
        assert (await browser.get("/assets/page-1a2b.js")).status_code == 404
        assert (await browser.post("/graphql", json={"query": "{__typename}"})).status_code == 401
        assert (await browser.get("/livez")).status_code == 200
