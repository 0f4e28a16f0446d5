"""The outermost layer: ids, time limits, CORS, timings and log lines, whatever happens inside."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest
from structlog.testing import capture_logs

from gateway.door import Door
from tests.conftest import Database, Postgres
from tests.doors import REPORTS, House, check_error, check_graphql_error, furnished
from tests.given import SECRET, Given, token
from tests.running import running, settings_for
from tests.waiting import LONG, PATIENCE, until, wait_until

PATH = "/functions/v1/dashboard-overview"
TOTAL = "{ overview { summary { totalCalls } } }"
ORIGIN = "https://dashboard.example.com"


@pytest.fixture(scope="module")
async def house(server: Postgres) -> AsyncIterator[House]:
    async with furnished(server) as house:
        yield house


def bearer(user: UUID, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(user)}", **headers}


async def everywhere(house: House, **headers: Any) -> list[httpx2.Response]:
    """Good and bad answers of both doors, and of what belongs to neither."""
    http = house.gateway.http
    known = {**bearer(house.owner), **headers}
    return [
        await http.get(PATH, headers=known),
        await http.get(PATH, headers=headers),
        await http.get(PATH, params={"period": "x"}, headers=known),
        await http.post(PATH, headers=known),
        await http.options(PATH, headers=headers),
        await http.head(PATH, headers=known),
        await http.get("/functions/v1/nothing", headers=headers),
        await http.post("/graphql", json={"query": TOTAL}, headers=known),
        await http.post("/graphql", json={"query": "{"}, headers=known),
        await http.post("/graphql", content=b"x", headers=known),
        await http.post("/graphql", json={}, headers=headers),
        await http.delete("/graphql", headers=headers),
        await http.options("/graphql", headers=headers),
        await http.get("/livez", headers=headers),
    ]


@pytest.mark.parametrize("id_", ["a", "0", "A-b_c.9", "x" * 64, "0f8fad5b-d9cb-469f-a165-70867728950e", "..."])
async def test_a_sane_request_id_is_taken_over(house: House, id_: str) -> None:
    for answer in await everywhere(house, **{"X-Request-Id": id_}):
        assert answer.headers.get_list("x-request-id") == [id_]


@pytest.mark.parametrize(
    "id_",
    [
        None, "", "x" * 65, "a b", "a,b", "a;b", "a\tb", "<script>", '"', "\\n", "%0d%0aSet-Cookie:x=1", "a=b", "a/b",
        "${x}", b"\xff\xfe", "\N{LATIN SMALL LETTER E WITH ACUTE}".encode(), "\N{FULLWIDTH DIGIT ONE}".encode(),
        "a:b", "{}",
    ],
)  # fmt: skip
async def test_any_other_request_id_is_replaced_by_one_of_ours(house: House, id_: str | bytes | None) -> None:
    made = set()
    answers = await everywhere(house, **({} if id_ is None else {"X-Request-Id": id_}))
    for answer in answers:
        (own,) = answer.headers.get_list("x-request-id")
        assert re.fullmatch("[0-9a-f]{32}", own)
        made.add(own)
    assert len(made) == len(answers)


async def test_of_several_request_ids_the_first_counts(house: House) -> None:
    headers = [("X-Request-Id", "first"), ("X-Request-Id", "second")]
    answer = await house.gateway.http.get("/livez", headers=headers)
    assert answer.headers["x-request-id"] == "first"


async def test_every_answer_is_private_and_says_what_took_how_long(house: House) -> None:
    for answer in await everywhere(house):
        kept = "no-cache" if "etag" in answer.headers else "no-store"
        assert answer.headers["cache-control"] == f"private, {kept}"
        assert answer.headers["x-content-type-options"] == "nosniff"
        stops = answer.headers["server-timing"].split(", ")
        assert all(re.fullmatch(r"[a-z]+;dur=\d+\.\d\d", stop) for stop in stops)
        assert stops[-1].startswith("total;")
    await house.given.call(house.agency)  # so that neither is given again
    report, graphql = await house.get("overview"), await house.post(TOTAL)
    for answer, names in ((report, {"pass", "read", "total"}), (graphql, {"pass", "parse", "read", "shape", "total"})):
        times = dict(stop.split(";dur=") for stop in answer.headers["server-timing"].split(", "))
        assert set(times) >= names
        assert 0 < float(times["read"]) <= float(times["total"]) * 4


async def test_timings_of_requests_at_the_same_time_are_kept_apart(house: House) -> None:
    answers = await asyncio.gather(
        *(house.gateway.http.get("/livez") if i % 2 else house.post(TOTAL) for i in range(20))
    )
    for number, answer in enumerate(answers):
        assert ("read;" in answer.headers["server-timing"]) == (number % 2 == 0)


async def test_listed_origins_are_allowed_and_others_are_not(house: House) -> None:
    settings = settings_for(house.database.dsn, cors_origins=f"{ORIGIN}, https://admin.example.com/")
    assert settings.cors_origins == (ORIGIN, "https://admin.example.com")
    async with running(settings) as gateway:
        strict = House(gateway, house.database, house.given, house.agency, house.owner)
        for origin in (ORIGIN, "https://admin.example.com"):
            for answer in await everywhere(strict, Origin=origin):
                assert answer.headers["access-control-allow-origin"] == origin
                assert "Origin" in answer.headers["vary"].split(", ")
        for other in (
            "https://evil.example.org",
            f"{ORIGIN}.evil.org",
            ORIGIN.replace("https", "http"),
            "null",
            "*",
            "",
        ):
            for answer in await everywhere(strict, Origin=other):
                assert "access-control-allow-origin" not in answer.headers
                assert "Origin" in answer.headers["vary"].split(", ")
        for answer in await everywhere(strict):
            assert "access-control-allow-origin" not in answer.headers
            # What a cache keeps for one origin must not be shown to another.
            assert "Origin" in answer.headers["vary"].split(", ")


async def test_no_answer_allows_credentials(house: House) -> None:
    for answer in await everywhere(house, Origin=ORIGIN, Cookie="a=b"):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
        assert "set-cookie" not in answer.headers


async def test_a_request_that_takes_too_long_is_answered_with_503_in_its_doors_shape(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    user = await given.user(await given.agency())
    async with running(settings_for(database.dsn, request_timeout_seconds=2)) as gateway:
        async with connection.transaction():
            await connection.execute("lock table users in access exclusive mode")
            started = time.perf_counter()
            # While the lock is held: without a limit none of them would ever be answered.
            answers = await asyncio.gather(
                *(gateway.get(report, user) for report in REPORTS), gateway.post(TOTAL, user)
            )
            assert time.perf_counter() - started > 1.5
        *old, graphql = answers
        for answer in old:
            check_error(answer, 503)
        check_graphql_error(graphql, 503, "TIMEOUT")
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)

        async def is_answered() -> bool:
            return (await gateway.get("overview", user)).status_code == 200

        await until(is_answered)


async def test_a_body_that_never_comes_is_waited_for_no_longer_than_a_request_may_take(house: House) -> None:
    async with running(settings_for(house.database.dsn, request_timeout_seconds=2)) as gateway:
        url = gateway.http.base_url
        reader, writer = await asyncio.open_connection(url.host, url.port)
        head = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"
        writer.write(f"{head}Authorization: Bearer {token(house.owner)}\r\n\r\n{{".encode())
        async with asyncio.timeout(PATIENCE):
            answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 2" in answer.lower()
        writer.close()


Messages = list[dict[str, Any]]


async def through(
    app: Callable[..., Awaitable[None]], path: str, arrived: float | None = None, **settings: Any
) -> Messages:
    """What the door sends when the application behind it does this."""
    sent: Messages = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    door = Door(app, _nothing, settings_for("postgresql://nobody@nowhere/", **settings))
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [(b"x-request-id", b"id")]}
    scope["state"] = {} if arrived is None else {"arrived": arrived}
    with capture_logs():
        await door(scope, receive, send)
    return sent


async def _nothing(*_: Any) -> None:
    """Is at hand."""


async def _breaks(*_: Any) -> None:
    raise RuntimeError(f"select * from secrets where token = '{SECRET}'")


async def _hangs(*_: Any) -> None:
    await asyncio.sleep(LONG)


async def _begins(send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})


@pytest.mark.parametrize(("app", "status", "code"), [(_breaks, 500, "INTERNAL"), (_hangs, 503, "TIMEOUT")])
async def test_even_what_breaks_everything_else_is_answered_in_its_doors_shape(
    app: Callable[..., Awaitable[None]], status: int, code: str
) -> None:
    for path in (PATH, "/graphql", "/livez"):
        start, body = await through(app, path, request_timeout_seconds=0.1 if app is _hangs else PATIENCE)
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        assert start["status"] == status
        assert headers["access-control-allow-origin"] == "*"
        assert headers["content-type"] == "application/json"
        assert headers["x-request-id"] == "id"
        assert ("retry-after" in headers) == (status == 503)
        answer = json.loads(body["body"])
        if path == "/graphql":
            assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
            assert [error["extensions"]["requestId"] for error in answer["errors"]] == ["id"]
        else:
            assert set(answer) == ({"error"} if status == 503 else {"error", "details"})
        assert "secrets" not in json.dumps(answer)
        assert SECRET not in json.dumps(answer)


async def test_an_answer_that_has_begun_is_not_begun_again() -> None:
    async def breaks_late(_scope: Any, _receive: Any, send: Any) -> None:
        await _begins(send)
        raise RuntimeError("late")

    async def hangs_late(_scope: Any, _receive: Any, send: Any) -> None:
        await _begins(send)
        await asyncio.sleep(LONG)

    for app in (breaks_late, hangs_late):
        sent = await through(app, PATH, request_timeout_seconds=0.1 if app is hangs_late else PATIENCE)
        assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


async def test_a_requests_time_counts_from_its_arrival() -> None:
    """However long it waited until anything was done for it."""

    async def endless(*_: Any) -> None:
        await asyncio.Event().wait()

    arrived = asyncio.get_running_loop().time() - 301
    sent = await through(endless, PATH, arrived, request_timeout_seconds=300)
    assert sent[0]["status"] == 503


async def test_what_is_no_request_is_passed_on() -> None:
    seen = []

    async def app(scope: Any, *_: Any) -> None:
        seen.append(scope["type"])

    await Door(app, _nothing, settings_for("postgresql://nobody@nowhere/"))({"type": "lifespan"}, None, None)
    assert seen == ["lifespan"]


def test_log_lines_are_json_with_the_requests_id_and_never_hold_a_token(empty_database: Database) -> None:
    """A real process over a database without tables, so that good requests fail as nobody expected."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = {
        **{name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "VIRTUAL_ENV")},
        "DATABASE_URL": empty_database.dsn,
        "SUPABASE_JWT_SECRET": SECRET,
        "PORT": str(port),
    }
    command = [sys.executable, "-c", "from gateway.cli import app; app()", "serve"]
    good = token(UUID(int=1))
    bad = good[:-4] + "AAAA"
    known = {"Authorization": f"Bearer {good}"}
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as http:
                wait_until(partial(_answers, http))
                for id_, options in {
                    "refused": {"url": PATH, "headers": {"Authorization": f"Bearer {bad}"}},
                    "broken": {"url": PATH, "headers": known},
                    "in-address": {"url": PATH, "params": {"access_token": good}},
                    "graphql": {"url": "/graphql", "params": {"query": TOTAL}, "headers": known},
                    "injected": {"url": "/functions/v1/x%0a%7B%22event%22%3A%22forged%22%7D%1b%5B31m"},
                }.items():  # fmt: skip
                    headers = {**options.pop("headers", {}), "X-Request-Id": id_}
                    http.get(options.pop("url"), headers=headers, **options)
        finally:
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert out == ""
    lines = [json.loads(line) for line in err.splitlines()]
    requests = {line["request_id"]: line for line in lines if line["event"] == "request"}
    for id_, method, path, status in (
        ("refused", "GET", PATH, 401),
        ("broken", "GET", PATH, 500),
        ("in-address", "GET", PATH, 401),
        ("graphql", "GET", "/graphql", 500),
        ("injected", "GET", '/functions/v1/x\n{"event":"forged"}\x1b[31m', 404),
    ):
        line = requests[id_]
        assert (line["method"], line["path"], line["status"], line["level"]) == (method, path, status, "info")
        assert line["milliseconds"] >= 0
        assert line["timestamp"].endswith("Z")
    failures = [line for line in lines if line["event"] == "unexpected error"]
    assert [(line["request_id"], line["level"]) for line in failures] == [("broken", "error"), ("graphql", "error")]
    assert all("UndefinedTableError" in line["exception"] for line in failures)
    assert {line["event"] for line in lines} == {"request", "unexpected error"}
    for hidden in (good, bad, good.split(".")[1], good.split(".")[2], SECRET, TOTAL):
        assert hidden not in err


def _answers(http: httpx2.Client) -> bool:
    try:
        http.get("/livez")
    except httpx2.HTTPError:
        return False
    return True
