"""The old door's errors and manners: statuses, shapes, headers on every answer, and numbers that are numbers."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
import pytest
from structlog.testing import capture_logs

from tests.conftest import Database, Postgres
from tests.doors import REPORTS, House, check_error, check_manners, furnished
from tests.given import SECRET, Given, token
from tests.running import Running, running, settings_for
from tests.waiting import until

PATHS = [f"/functions/v1/dashboard-{report}" for report in REPORTS]
ORIGIN = {"Origin": "https://dashboard.example.com"}


@pytest.fixture(scope="module")
async def house(server: Postgres) -> AsyncIterator[House]:
    async with furnished(server) as house:
        await house.given.call(house.agency, campaign_id=await house.given.campaign(house.agency))
        await house.given.batch(house.agency, contacts={"completed": 1, "pending": 2})
        yield house


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    """What is logged meanwhile, and not printed."""
    with capture_logs() as entries:
        yield entries


def bearer(user: UUID, **options: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(user, **options)}"}


async def ask(house: House, paths: Sequence[str], method: str = "GET", **options: Any) -> list[httpx2.Response]:
    """The same request to several paths at once."""
    return await asyncio.gather(*(house.gateway.http.request(method, path, **options) for path in paths))


async def test_without_a_token_that_counts_all_seven_answer_401(house: House) -> None:
    for headers in ({}, {"Authorization": "Bearer garbage"}, bearer(house.owner, expires_in=timedelta(hours=-1))):
        for response in await ask(house, PATHS, headers={**headers, **ORIGIN}):
            check_error(response, 401)
            assert response.headers["www-authenticate"] == "Bearer"


async def test_who_a_caller_is_comes_before_what_is_asked(house: House) -> None:
    response = await house.gateway.http.get(PATHS[0], params={"period": "nonsense"})
    check_error(response, 401)


async def test_a_user_without_a_row_or_an_agency_or_a_needed_client_gets_403(house: House) -> None:
    homeless = await house.given.user(None)
    clientless = await house.given.user(house.agency, role="client_viewer")
    for user, about in ((UUID(int=1), "not known"), (homeless, "agency"), (clientless, "client")):
        for response in await ask(house, PATHS, headers={**bearer(user), **ORIGIN}):
            assert about in check_error(response, 403)


@pytest.mark.parametrize(
    "path",
    [
        "/functions/v1/dashboard-overview//", "/functions/v1/dashboard-", "/functions/v1/dashboard-sales",
        "/functions/v1/Dashboard-Overview", "/functions/v1/overview", "/functions/v1/", "/functions/v1",
        "/functions/v2/dashboard-overview", "/functions/v1//dashboard-overview", "/functions/v1/dashboard-overview%20",
        "/functions/v1/dashboard-overview/x", "/functions/v1/dashboard_overview",
        "/dashboard-overview", "/functions/v1/%2e%2e/livez", "/functions/v1/\N{SNOWMAN}",
    ],
)  # fmt: skip
async def test_what_is_no_function_gets_404_with_or_without_a_token(house: House, path: str) -> None:
    for headers in ({}, bearer(house.owner)):
        words = check_error(await house.gateway.http.get(path, headers=headers), 404)
        assert all(report in words for report in REPORTS)
    check_error(await house.gateway.http.post(path, headers=headers, json={}), 404)


@pytest.mark.parametrize(
    ("paths", "named"),
    [
        (
            ("/healthz", "/health", "/health/live", "/readiness", "/livez/x", "/_ping", "/HEALTHZ"),
            ("/livez", "/readyz"),
        ),
        (("/metrics", "/metrics/", "/api/prometheus"), ("Server-Timing", "/livez", "/readyz")),
        (("/graphiql", "/api/graphql", "/graphql//", "/graphql/v1", "/GraphQL", "/playground"), ("/graphql",)),
        (("/docs", "/redoc", "/openapi.yaml", "/swagger.json", "/schema"), ("/openapi.json", "/schema.graphql")),
        (
            ("/nothing", "/v2/calls", "/%00", "/\N{SNOWMAN}", "/wp-login.php"),
            ("/graphql", "/functions/v1/", "/openapi.json"),
        ),
    ],
)
async def test_where_nothing_is_it_is_said_what_there_is(
    house: House, paths: Sequence[str], named: Sequence[str]
) -> None:
    for path in paths:
        for method in ("GET", "POST"):
            words = check_error(await house.gateway.http.request(method, path), 404)
            assert all(name in words for name in named), (path, words)


async def test_a_slash_at_the_end_means_nothing(house: House) -> None:
    known = bearer(house.owner)
    for method in ("GET", "HEAD"):
        plain, slashed = [
            await ask(house, [f"{path}{end}" for path in PATHS], method, headers=known) for end in ("", "/")
        ]
        for without, with_ in zip(plain, slashed, strict=True):
            assert with_.status_code == 200
            assert with_.content == without.content
            assert with_.headers["etag"] == without.headers["etag"]
    for path in ("/livez/", "/readyz/", "/openapi.json/"):
        assert (await house.gateway.http.get(path)).status_code == 200
    for response in await ask(house, [f"{path}/?period=1d" for path in PATHS], headers=known):
        assert "7d, 30d" in check_error(response, 400)
    for response in await ask(house, [f"{path}/" for path in PATHS], "POST", headers=known):
        assert "{ method: 'GET' }" in check_error(response, 405)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
async def test_other_methods_get_405_with_allow_and_words_that_help(house: House, method: str) -> None:
    for headers in ({}, {**bearer(house.owner), **ORIGIN}):
        for response in await ask(house, PATHS, method, headers=headers):
            assert "{ method: 'GET' }" in check_error(response, 405)
            assert response.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_a_wrong_method_elsewhere_is_told_nothing_of_supabase_js(house: House) -> None:
    for path in ("/livez", "/readyz", "/openapi.json"):
        assert check_error(await house.gateway.http.post(path), 405) == "Only GET is answered here."


async def test_the_post_that_supabase_js_sends_by_default_is_told_how_to_ask(house: House) -> None:
    for body in (b"", b"{}", b"x" * 200_000):
        response = await house.gateway.http.post(PATHS[0], content=body, headers=bearer(house.owner))
        assert "functions.invoke(" in check_error(response, 405)


async def test_who_asks_too_often_gets_429_and_is_told_when_to_return(server: Postgres) -> None:
    async with furnished(server, rate_limit="2/minute") as house:
        neighbour = await house.given.user(house.agency)
        for _ in range(2):
            assert (await house.get("overview")).status_code == 200
        for path in PATHS:
            response = await house.gateway.http.get(path, headers={**bearer(house.owner), **ORIGIN})
            words = check_error(response, 429)
            seconds = int(response.headers["retry-after"])
            assert 1 <= seconds <= 120
            assert f"{seconds} s" in words
        assert (await house.gateway.get("funnel", neighbour)).status_code == 200
        # Nobody can use up another's share without a token.
        assert (await house.gateway.http.get(PATHS[0])).status_code == 401


async def test_after_the_seconds_it_names_the_user_may_ask_again(server: Postgres) -> None:
    async with furnished(server, rate_limit="1/second") as house:
        answers = await asyncio.gather(*(house.get("funnel") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200, 429}
        await asyncio.sleep(max(int(answer.headers.get("retry-after", 0)) for answer in answers))
        assert (await house.get("funnel")).status_code == 200


async def test_a_database_that_is_away_gives_503_with_retry_after() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with running(settings_for(f"postgresql://nobody:a-password@127.0.0.1:{port}/calls")) as gateway:
        for path in PATHS:
            response = await gateway.http.get(path, headers={**bearer(UUID(int=1)), **ORIGIN})
            words = check_error(response, 503)
            assert int(response.headers["retry-after"]) >= 1
            assert not any(hidden in words for hidden in ("a-password", "nobody", str(port), "127.0.0.1", "asyncpg"))


async def test_a_database_that_is_too_slow_gives_503_with_retry_after(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    user = await given.user(await given.agency())
    async with running(settings_for(database.dsn, request_timeout_seconds=2, reuse=False)) as gateway:
        async with connection.transaction():
            await connection.execute("lock table calls, call_stats_daily, call_batches in access exclusive mode")
            answers = await asyncio.gather(*(gateway.get(report, user) for report in REPORTS))
        for response in answers:
            assert "took" in check_error(response, 503)
            assert int(response.headers["retry-after"]) >= 1

        async def is_answered() -> bool:
            return (await gateway.get("overview", user)).status_code == 200

        await until(is_answered)


LOST: Mapping[str, str] = {"campaigns": "call_batches", "heatmap": "agency_hours_folded"}
"""The table whose loss makes a report fail."""


@pytest.mark.parametrize("report", REPORTS)
async def test_what_nobody_expected_gives_500_with_the_part_and_the_request_id_and_nothing_more(
    gateway: Running, connection: asyncpg.Connection, given: Given, logs: list[Any], report: str
) -> None:
    user = await given.user(await given.agency())
    table = LOST.get(report, "call_stats_folded")
    await connection.execute(f"drop table {table} cascade")
    headers = {**bearer(user), **ORIGIN, "X-Request-Id": "my-request.1"}
    response = await gateway.http.get(f"/functions/v1/dashboard-{report}", headers=headers)
    check_error(response, 500)
    assert response.json()["details"] == f"dashboard-{report} failed; request id my-request.1"
    assert response.headers["x-request-id"] == "my-request.1"
    told = response.text.lower()
    for hidden in (table, "select", "relation", "does not exist", "traceback", "asyncpg", ".py", SECRET, str(user)):
        assert hidden not in told
    (failure,) = [entry for entry in logs if entry["log_level"] == "error"]
    assert failure["part"] == f"dashboard-{report}"
    assert isinstance(failure["exc_info"], asyncpg.UndefinedTableError)


async def test_a_failure_of_the_lookup_of_the_user_is_a_500_too(
    gateway: Running, connection: asyncpg.Connection, given: Given, logs: list[Any]
) -> None:
    user = await given.user(await given.agency())
    await connection.execute("drop table users cascade")
    response = await gateway.get("overview", user)
    check_error(response, 500)
    assert response.headers["x-request-id"] in response.json()["details"]
    assert "users" not in response.text
    assert len([entry for entry in logs if entry["log_level"] == "error"]) == 1


async def test_every_answer_is_json_with_cors_headers_with_and_without_an_origin(house: House) -> None:
    paths = [*PATHS, "/functions/v1/nothing", "/livez", "/readyz", "/openapi.json"]
    for origin in ({}, ORIGIN, {"Origin": "null"}, {"Origin": "https://evil.example.org"}):
        for headers in (origin, {**bearer(house.owner), **origin}):
            for response in await ask(house, paths, headers=headers):
                check_manners(response)
                assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        ORIGIN,
        {
            **ORIGIN,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization,x-client-info,apikey,content-type,x-region",
        },
        {"Authorization": "Bearer garbage"},
    ],
)
async def test_options_answers_the_preflight_without_a_token(house: House, headers: dict[str, str]) -> None:
    for response in await ask(house, [*PATHS, "/functions/v1/nothing"], "OPTIONS", headers=headers):
        assert response.status_code == 204
        assert response.content == b""
        check_manners(response)
        assert response.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
        assert int(response.headers["access-control-max-age"]) > 0


async def test_head_is_get_without_the_body(house: House) -> None:
    changing = {"date", "x-request-id", "server-timing"}
    for path, params, headers in (
        *((path, {"period": "30d"}, bearer(house.owner)) for path in PATHS),
        (PATHS[0], {"period": "nonsense"}, bearer(house.owner)),
        (PATHS[0], {}, {}),
        (PATHS[0], {}, bearer(UUID(int=1))),
        ("/functions/v1/nothing", {}, {}),
    ):
        get, head = await asyncio.gather(
            *(house.gateway.http.request(method, path, params=params, headers=headers) for method in ("GET", "HEAD"))
        )
        assert head.status_code == get.status_code
        assert head.content == b""
        assert head.headers["content-length"] == str(len(get.content))
        assert [item for item in head.headers.items() if item[0] not in changing] == [
            item for item in get.headers.items() if item[0] not in changing
        ]


def numbers(answer: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each value that is no text, by its path."""
    if isinstance(answer, dict):
        for key, value in answer.items():
            yield from numbers(value, f"{path}.{key}")
    elif isinstance(answer, list):
        for value in answer:
            yield from numbers(value, f"{path}[]")
    else:
        yield path, answer


TEXTS = {
    "start_date", "end_date", "label", "date", "id", "agency_id", "campaign_id", "campaign_name", "status",
    "created_at", "completed_at", "metric", "objection", "signal",
}  # fmt: skip


def _refuse_constant(text: str) -> Any:
    raise AssertionError(f"{text} is not JSON")


@pytest.mark.parametrize("report", REPORTS)
async def test_numbers_are_json_numbers(house: House, report: str) -> None:
    response = await house.get(report, period="30d")
    answer = json.loads(response.text, parse_constant=_refuse_constant)
    for path, value in numbers(answer):
        name = path.rpartition(".")[2]
        if name in TEXTS:
            assert value is None or isinstance(value, str), path
        elif name == "has_more":
            assert isinstance(value, bool), path
        else:
            assert type(value) in (int, float), path


async def test_dividing_by_zero_gives_0(house: House) -> None:
    nobody = await house.given.user(await house.given.agency())
    answers = {report: await house.gateway.rest(report, nobody) for report in REPORTS}
    for report, answer in answers.items():
        shown = dict(numbers(answer))
        measured = {
            path: value
            for path, value in shown.items()
            if path.rpartition(".")[2] not in TEXTS | {"has_more"} and path != ".pagination.limit"
        }
        assert measured == dict.fromkeys(measured, 0), report
    assert answers["overview"]["summary"]["contact_rate"] == 0
    assert answers["quality"]["quality"]["sentiment_distribution"]["positive_pct"] == 0
    assert answers["funnel"]["rates"]["qualified_to_booked"] == 0


async def test_calls_of_which_nothing_is_known_give_0_and_not_null(house: House) -> None:
    agency = await house.given.agency()
    await house.given.call(
        agency,
        campaign_id=await house.given.campaign(agency),
        status="failed",
        answered=False,
        disposition=None,
        duration_seconds=None,
    )
    await house.given.batch(agency)
    user = await house.given.user(agency)
    for report in REPORTS:
        answer = await house.gateway.rest(report, user)
        for path, value in numbers(answer):
            assert value is not None or path in (".active_batches[].campaign_id", ".active_batches[].completed_at")
    campaigns = await house.gateway.rest("campaigns", user)
    assert campaigns["active_batches"][0]["progress_pct"] == 0
    assert campaigns["campaign_stats"][0]["avg_duration_seconds"] == 0


async def test_ties_round_half_away_from_zero(house: House) -> None:
    """Figures whose exact value ends in a 5 behind the last place; half to even would give the lower one."""
    agency = await house.given.agency()
    user = await house.given.user(agency)
    campaign = await house.given.campaign(agency)
    common = {"campaign_id": campaign, "duration_seconds": 2, "sentiment": "neutral", "disposition": "no_answer"}
    quiet = {**common, "answered": False, "talk_ratio": Decimal("0.1234"), "script_adherence": Decimal("0.0001")}
    said = {"text": "Price", "quote": "…"}
    await house.given.calls(agency, 14, **quiet, objections=[{**said, "handled": False}])
    await house.given.call(
        agency,
        **{**quiet, "interruptions": 2, "objections": [{**said, "handled": True}]},
        buying_signals=[{"text": f"Signal {number}", "quote": "…"} for number in range(16)],
    )
    # 1 of 16 is 6.25 %.
    await house.given.call(
        agency,
        **{**common, "disposition": "appointment_booked", "sentiment": "positive", "duration_seconds": 10},
        talk_ratio=Decimal("0.1242"), script_adherence=Decimal("0.0009"), objections=[{**said, "handled": False}],
    )  # fmt: skip
    await house.given.batch(agency, campaign, contacts={"completed": 1, "pending": 7})  # 12.5 %
    await house.given.batch(agency, campaign, contacts={"completed": 1, "pending": 199})  # 0.5 %

    overview = await house.gateway.rest("overview", user)
    summary, quality = overview["summary"], overview["quality"]
    assert (summary["contact_rate"], summary["overall_conversion_rate"]) == (6.3, 6.3)
    assert summary["positive_sentiment_pct"] == 6.3
    assert summary["neutral_sentiment_pct"] == 93.8  # 93.75
    assert summary["avg_duration_seconds"] == 3  # 40 / 16 = 2.5
    assert quality["avg_interruptions_per_call"] == 0.13  # 2 / 16 = 0.125
    assert quality["objection_handling_rate"] == 6.3
    assert quality["avg_talk_ratio"] == 0.1235  # (15 * 0.1234 + 0.1242) / 16 = 0.12345
    assert quality["avg_script_adherence"] == 0.0002  # (15 * 0.0001 + 0.0009) / 16 = 0.00015
    assert quality["avg_listen_ratio"] == 0

    day = (await house.gateway.rest("timeseries", user))["data"][0]
    assert (day["avg_duration_seconds"], day["avg_talk_ratio"], day["avg_script_adherence"]) == (3, 0.1235, 0.0002)
    assert (await house.gateway.rest("funnel", user))["rates"]["contact_rate"] == 6.3
    trend = (await house.gateway.rest("quality", user))["trend"][0]
    assert (trend["avg_duration_seconds"], trend["sentiment_positive_pct"]) == (3, 6.3)
    campaigns = await house.gateway.rest("campaigns", user)
    assert sorted(batch["progress_pct"] for batch in campaigns["active_batches"]) == [1, 13]
    stats = campaigns["campaign_stats"][0]
    assert (stats["contact_rate"], stats["conversion_rate"], stats["avg_duration_seconds"]) == (6.3, 6.3, 3)
    objections = await house.gateway.rest("objections", user)
    assert objections["summary"]["objection_handling_rate"] == 6.3
    assert objections["objections"] == [
        {"objection": "Price", "count": 16, "handled": 1, "handling_rate": 6.3, "percentage": 100}
    ]
    assert objections["buying_signals"][0] == {"signal": "Signal 0", "count": 1, "percentage": 6.3}
