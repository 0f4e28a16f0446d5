"""Packed answers: who gets them, that they say so to caches, and that what is kept is packed once."""

import asyncio
import gzip
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from gateway import answers, compression
from gateway.kept import Shelf
from gateway.memory import Memory
from tests.conftest import Postgres
from tests.doors import House, furnished
from tests.given import NOW, token
from tests.waiting import PATIENCE

LONG, SHORT = "/functions/v1/dashboard-timeseries", "/functions/v1/dashboard-funnel"
"""An answer that is worth packing and one that is not."""
DAYS = 60
DOCUMENT = "{ timeseries(filters: {period: LAST_90_DAYS}) { data { date totalCalls connectedCalls failedCalls } } }"
PACKED = {"Accept-Encoding": "gzip"}
PLAIN = {"Accept-Encoding": "identity"}

pytestmark = pytest.mark.usefixtures("versions_in_time")


@pytest.fixture(scope="module")
async def house(server: Postgres) -> AsyncIterator[House]:
    """Whose every answer is kept for as long as nothing changes."""
    async with furnished(server, reuse=True, user_cache_seconds=30) as house:
        await on_days(house, DAYS)
        yield house


async def on_days(house: House, days: int) -> None:
    """A call on each of so many days."""
    for day in range(days):
        await house.given.call(house.agency, started_at=NOW - timedelta(days=day), talk_ratio=0.5)


@pytest.fixture
def packings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The thread of each packing."""
    made: list[int] = []
    pack = compression._pack

    def noted(body: bytes) -> bytes:
        made.append(threading.get_ident())
        return pack(body)

    monkeypatch.setattr(compression, "_pack", noted)
    return made


async def ask(house: House, path: str, method: str = "GET", **options: Any) -> httpx2.Response:
    """The owner's request."""
    known = {"Authorization": f"Bearer {token(house.owner)}", **options.pop("headers", {})}
    return await house.gateway.http.request(method, path, headers=known, **options)


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [
        ("gzip", True), ("gzip, deflate, br, zstd", True), ("GZIP", True), ("x-gzip", True), ("*", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True), ("deflate, gzip;q=1.0, *;q=0.5", True), ("br , gzip ; q=0.001", True),
        ("gzip;q=1", True), ("gzip;q=0.5, identity;q=0.5", True), ("identity;q=0, gzip;q=0.1", True),
        ("gzip;Q=0.5", True), ("br, gzip;level=9", True), ("identity;q=0, *", True), ("gzip;q=1.000", True),
        (None, False), ("", False), ("identity", False), ("br", False), ("deflate, zstd", False), ("gzip;q=0", False),
        ("gzip;q=0.000", False), ("gzip; q=0.0, br", False), ("*;q=0", False), ("gzip;q=0, *", False),
        ("gzip;q=0.5, identity;q=0.9", False), ("gzipped", False), ("notgzip", False), ("gzip;q=nonsense", False),
        ("gzip;q=-1", False), ("gzip;q=2", False), ("gzip;q=", False), (";q=1", False), (",,,", False), ("q=1", False),
        (b"\xff\xfe", False), ("gzip;q=1" + "0" * 500, False), ("br," * 10_000 + "gzip", False),
    ],
)  # fmt: skip
async def test_an_answer_is_packed_for_whoever_takes_it_so(
    house: House, accepted: str | bytes | None, is_packed: bool
) -> None:
    known = [("Authorization", f"Bearer {token(house.owner)}")]
    asked = known if accepted is None else [*known, ("Accept-Encoding", accepted)]
    request = house.gateway.http.build_request("GET", LONG, params={"period": "90d"}, headers=known)
    request.headers = httpx2.Headers([("Host", "x"), *asked])
    response = await house.gateway.http.send(request)
    assert response.status_code == 200
    assert ("content-encoding" in response.headers) == is_packed
    assert len(response.json()["data"]) == DAYS
    length = int(response.headers["content-length"])
    assert (length < len(response.content) / 4) if is_packed else (length == len(response.content))


def vary(response: httpx2.Response) -> set[str]:
    """What an answer depends on, each said once."""
    names = [name.strip().lower() for name in response.headers.get("vary", "").split(",")]
    assert len(names) == len(set(names))
    return set(names)


async def test_whatever_is_long_enough_is_packed_and_says_that_it_may_be(house: House) -> None:
    wrong = {"metrics": [f"an_unknown_metric_{'x' * 70}_{number}" for number in range(5)]}
    answers = {
        "rest": lambda headers: ask(house, LONG, params={"period": "90d"}, headers=headers),
        "graphql": lambda headers: ask(house, "/graphql", "POST", json={"query": DOCUMENT}, headers=headers),
        "get": lambda headers: ask(house, "/graphql", params={"query": DOCUMENT}, headers=headers),
        "error": lambda headers: ask(house, LONG, params=wrong, headers=headers),
        "openapi": lambda headers: ask(house, "/openapi.json", headers=headers),
        "schema": lambda headers: ask(house, "/schema.graphql", headers=headers),
    }
    for name, asked in answers.items():
        for _ in range(2):  # computed, and kept
            plain, packed = await asked(PLAIN), await asked(PACKED)
            assert len(plain.content) >= compression.LEAST_BYTES
            assert packed.content == plain.content, name
            assert packed.headers["content-encoding"] == "gzip"
            assert "content-encoding" not in plain.headers
            assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) == len(plain.content)
            assert "accept-encoding" in vary(plain) & vary(packed), name
            assert packed.headers["content-type"] == plain.headers["content-type"]


async def test_what_is_short_is_sent_as_it_is_unless_nothing_else_is_taken(house: House) -> None:
    for path in (SHORT, "/livez", "/nothing"):
        short = await ask(house, path, headers=PACKED)
        assert len(short.content) < compression.LEAST_BYTES
        assert "content-encoding" not in short.headers
        packed = await ask(house, path, headers={"Accept-Encoding": "gzip, identity;q=0"})
        assert packed.headers["content-encoding"] == "gzip"
        assert "accept-encoding" in vary(packed)
        assert packed.content == short.content


async def test_computed_answers_are_packed_too_where_none_is_kept(server: Postgres) -> None:
    async with furnished(server, reuse=False, graphiql=True) as house:
        await on_days(house, 3)
        for path, options in (
            (LONG, {}),
            ("/graphql", {"method": "POST", "json": {"query": "{ __schema { types { name description } } }"}}),
            ("/graphql", {"params": {"query": "{ __schema { types { name description } } }"}}),
        ):
            plain, packed = [await ask(house, path, **options, headers=headers) for headers in (PLAIN, PACKED)]
            assert packed.headers["content-encoding"] == "gzip"
            assert packed.content == plain.content
            assert "accept-encoding" in vary(plain) & vary(packed)


async def test_head_says_what_get_would_send(house: House) -> None:
    for path in (LONG, SHORT, "/openapi.json", "/livez", "/nothing"):
        for headers in (PLAIN, PACKED):
            get, head = [await ask(house, path, method, headers=headers) for method in ("GET", "HEAD")]
            assert head.content == b""
            for name in ("content-length", "content-encoding", "content-type", "etag", "vary"):
                assert head.headers.get(name) == get.headers.get(name), (path, name)


async def test_either_form_is_known_again_by_its_etag(house: House) -> None:
    """One tag names both, so it is a weak one; and whoever has one form need not be sent the other."""
    for path, params in ((LONG, {"period": "90d"}), ("/graphql", {"query": DOCUMENT}), ("/openapi.json", {})):
        for had in (PLAIN, PACKED):
            etag = (await ask(house, path, params=params, headers=had)).headers["etag"]
            assert etag.startswith('W/"')
            for method in ("GET", "HEAD"):
                for headers in (PLAIN, PACKED, {}):
                    for condition in (etag, etag.removeprefix("W/"), f'"a", {etag} , W/"b"', "*"):
                        again = await ask(
                            house, path, method, params=params, headers={**headers, "If-None-Match": condition}
                        )
                        assert (again.status_code, again.content) == (304, b"")
                        assert again.headers["etag"] == etag
                        assert "accept-encoding" in vary(again)
                        assert "content-encoding" not in again.headers
                        assert "content-length" not in again.headers


async def test_what_is_kept_is_packed_once(house: House, packings: list[int]) -> None:
    params = {"period": "90d", "metrics": "total_calls,connected_calls,failed_calls"}
    for headers in (PLAIN, PACKED, PLAIN, PACKED, PACKED):
        response = await ask(house, LONG, params=params, headers=headers)
        assert len(response.json()["data"]) == DAYS
    assert len(packings) == 1
    await asyncio.gather(*(ask(house, LONG, params=params, headers=PACKED) for _ in range(20)))
    for _ in range(3):
        await ask(house, "/openapi.json", headers=PACKED)
        await ask(house, "/graphql", "POST", json={"query": DOCUMENT}, headers=PACKED)
    assert len(packings) <= 3


async def test_what_is_not_sent_is_not_packed(house: House, packings: list[int]) -> None:
    params = {"period": "90d", "metrics": "issues_resolved,escalations"}
    etag = (await ask(house, LONG, params=params, headers=PLAIN)).headers["etag"]
    for method in ("GET", "HEAD"):
        had = await ask(house, LONG, method, params=params, headers={**PACKED, "If-None-Match": etag})
        assert had.status_code == 304
    assert packings == []


_MANY = (
    f"a{number}: timeseries(filters: {{period: LAST_90_DAYS}}) {{ data {{ date smsSent }} }}" for number in range(20)
)
LARGE = f"{{ {' '.join(_MANY)} }}"


async def test_a_large_answer_is_packed_aside_and_once_for_those_who_ask_at_the_same_time(
    house: House, packings: list[int]
) -> None:
    asked: dict[str, Any] = {"method": "POST", "json": {"query": LARGE}}
    plain = await ask(house, "/graphql", **asked, headers=PLAIN)
    assert len(plain.content) > compression.ASIDE_BYTES
    shared = await asyncio.gather(*(ask(house, "/graphql", **asked, headers=PACKED) for _ in range(12)))
    assert all(response.content == plain.content for response in shared)
    (aside,) = packings
    assert aside != threading.get_ident()  # the gateway's own, which is this test's
    await ask(house, LONG, params={"period": "7d"}, headers=PACKED)
    assert packings == [aside, threading.get_ident()]


async def test_one_that_hangs_up_takes_the_packing_from_nobody(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    pack = compression._pack

    def held(body: bytes) -> bytes:
        begun.set()
        go_on.wait(PATIENCE)
        return pack(body)

    asked: dict[str, Any] = {"method": "POST", "json": {"query": f"{LARGE} # packed for two"}}
    plain = await ask(house, "/graphql", **asked, headers=PLAIN)
    monkeypatch.setattr(compression, "_pack", held)
    first, second = [asyncio.create_task(ask(house, "/graphql", **asked, headers=PACKED)) for _ in range(2)]
    assert await asyncio.to_thread(begun.wait, PATIENCE)
    first.cancel()
    assert (await ask(house, SHORT)).status_code == 200  # meanwhile everybody else is answered
    go_on.set()
    assert (await second).content == plain.content


async def test_the_packed_form_counts_in_what_may_be_kept(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Memory] = []

    class Noted(Shelf):
        def __init__(self, max_bytes: int) -> None:
            super().__init__(max_bytes)
            made.append(self.memory)

    monkeypatch.setattr(answers, "Shelf", Noted)
    async with furnished(server, reuse=True, user_cache_seconds=30) as house:
        await on_days(house, 3)
        (kept,) = made
        await ask(house, LONG, headers=PLAIN)
        before = kept.bytes
        packed = await ask(house, LONG, headers=PACKED)
        assert kept.bytes == before + int(packed.headers["content-length"])
        await ask(house, LONG, headers=PACKED)
        assert kept.bytes == before + int(packed.headers["content-length"])
    # Room for the one form, and not for both: it is sent, and not kept.
    async with furnished(server, reuse=True, user_cache_seconds=30, reuse_max_bytes=before) as house:
        await on_days(house, 3)
        kept = made[-1]
        for headers in (PLAIN, PACKED, PLAIN, PACKED):
            assert (await ask(house, LONG, headers=headers)).status_code == 200
            assert kept.bytes <= before


def test_equal_answers_are_packed_alike() -> None:
    """A packed answer tells nothing of when it was packed, and is the same in each process."""
    body = b'{"a": 1}' * 1_000
    packed = {compression._pack(body) for _ in range(3)}
    assert len(packed) == 1
    assert gzip.decompress(packed.pop()) == body


def curl(folder: Path, house: House, path: str, *arguments: str) -> tuple[str, bytes]:
    """The head and the body of what curl was told, as it shows them."""
    head, body = folder / "head", folder / "body"
    address = f"{house.gateway.http.base_url}{path}"
    command = ["curl", "--silent", "--show-error", "--dump-header", head, "--output", body, *arguments, address]
    body.write_bytes(b"")
    done = subprocess.run(
        [*command, "-H", f"Authorization: Bearer {token(house.owner)}"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return head.read_text().lower(), body.read_bytes()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
async def test_curl_takes_it_packed_and_asks_with_the_etag_it_saved(house: House, tmp_path: Path) -> None:
    etags = tmp_path / "etags"
    for path in (f"{LONG}?period=90d", f"/graphql?{urlencode({'query': DOCUMENT})}", "/openapi.json"):
        _, plain = await asyncio.to_thread(curl, tmp_path, house, path)
        for save in (("--compressed",), ()):
            head, body = await asyncio.to_thread(curl, tmp_path, house, path, *save, "--etag-save", str(etags))
            assert ("content-encoding: gzip" in head) == bool(save)
            assert body == plain
            for compare in (("--compressed",), ()):
                arguments = (*compare, "--etag-compare", str(etags))
                head, body = await asyncio.to_thread(curl, tmp_path, house, path, *arguments)
                assert head.startswith("http/1.1 304")
                assert body == b""
