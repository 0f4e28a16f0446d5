"""An answer is given again while nothing of its agency's data has changed: never an old one, never somebody else's."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from traceback import walk_tb
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest

from gateway import answers
from gateway.answers import Answers
from gateway.db import Pool
from gateway.deadlines import Deadline
from gateway.kept import Shelf
from gateway.versions import Versions
from resolvers.errors import Unavailable
from tests.conftest import Database, Postgres
from tests.doors import REPORTS, House, check_error, check_graphql_error, check_manners, furnished
from tests.given import NOW, Given, token
from tests.running import running, settings_for
from tests.waiting import LONG, counted, until

TOTAL = "{ overview(filters: {period: LAST_30_DAYS}) { summary { totalCalls } } }"
EVERYTHING = """{
    overview { summary { totalCalls } } campaigns { activeBatches { id completedCount } campaignStats { campaignName } }
    objections { summary { callsAnalyzed } objections { objection } } freshness { lastCheckedAt waitingCalls }
}"""
PATH = "/functions/v1/dashboard-overview"


@pytest.fixture(scope="module")
async def house(server: Postgres) -> AsyncIterator[House]:
    async with furnished(server, reuse=True) as house:
        yield house


pytestmark = pytest.mark.usefixtures("versions_in_time")


@dataclass
class Asker:
    """A user who asks one document again and again."""

    house: House
    user: UUID

    async def ask(self, query: str = TOTAL) -> tuple[Any, bool]:
        """The data, and whether it was given again."""
        response = await self.house.gateway.post(query, self.user)
        assert response.status_code == 200
        return response.json().get("data"), "reuse;" in response.headers["server-timing"]


@pytest.fixture
async def asker(house: House) -> Asker:
    """The owner of an agency that is this test's own."""
    return Asker(house, await house.given.user(await house.given.agency()))


async def agency_of(asker: Asker) -> UUID:
    agency: UUID = await asker.house.given.connection.fetchval("select agency_id from users where id = $1", asker.user)
    return agency


async def test_the_same_question_is_answered_once_by_either_door(asker: Asker) -> None:
    await asker.house.given.calls(await agency_of(asker), 3)
    first, again = await asker.ask(), await asker.ask()
    assert first == ({"overview": {"summary": {"totalCalls": 3}}}, False)
    assert again == (first[0], True)
    for report in REPORTS:
        fresh, same = [await asker.house.gateway.get(report, asker.user) for _ in range(2)]
        assert ("reuse;" in fresh.headers["server-timing"], "reuse;" in same.headers["server-timing"]) == (False, True)
        assert fresh.content == same.content
        check_manners(same)
        assert fresh.headers["x-request-id"] != same.headers["x-request-id"]


async def test_every_kind_of_change_shows_at_once(asker: Asker) -> None:
    given, agency = asker.house.given, await agency_of(asker)
    client = await given.client(agency)
    campaign = await given.campaign(agency, client, "Spring")
    batch = await given.batch(agency, campaign, {"pending": 2})
    call = await given.call(agency, campaign_id=campaign, objections=[{"text": "Too dear", "handled": False}])
    run = given.connection.execute
    seen, _ = await asker.ask(EVERYTHING)
    changes: list[tuple[Callable[[], Awaitable[Any]], bool]] = [
        (lambda: given.call(agency, campaign_id=campaign), True),
        (lambda: run("update calls set campaign_id = null where id <> $1 and agency_id = $2", call, agency), False),
        (lambda: run("update calls set objections = '[]' where id = $1", call), True),
        (lambda: run("update calls set analysis_status = 'pending' where id = $1", call), True),
        (lambda: run("update campaign_contacts set status = 'completed' where batch_id = $1", batch), True),
        (lambda: run("update campaigns set name = 'Summer' where id = $1", campaign), True),
        (lambda: run("update clients set name = 'Globex' where id = $1", client), False),
        (lambda: given.batch(agency), True),
        (lambda: run("delete from campaign_contacts where batch_id = $1", batch), True),
        (lambda: run("delete from calls where id = $1", call), True),
        (lambda: run("insert into cron_job_logs (job, status, started_at, finished_at) values ('recount_call_stats', "
                     "'completed', now(), now() + $1)", timedelta(seconds=uuid4().int % 1000)), True),
    ]  # fmt: skip
    for change, shows in changes:
        assert (await asker.ask(EVERYTHING)) == (seen, True)
        await change()
        now, reused = await asker.ask(EVERYTHING)
        assert not reused
        assert (now != seen) is shows
        seen = now


async def test_a_change_of_another_agency_takes_nothing_away(asker: Asker) -> None:
    given = asker.house.given
    elsewhere = await given.agency()
    await asker.ask()
    await given.calls(elsewhere, 2)
    assert (await asker.ask())[1] is True


async def test_nothing_is_shared_between_agencies_roles_or_clients(asker: Asker) -> None:
    given, agency, house = asker.house.given, await agency_of(asker), asker.house
    ours, theirs = await given.client(agency), await given.client(agency)
    await given.calls(agency, 3, client_id=ours)
    await given.calls(agency, 5, client_id=theirs)
    other = await given.agency()
    await given.calls(other, 11)
    users = [
        (asker.user, 8),
        (await given.user(agency, "client_admin", ours), 3),
        (await given.user(agency, "client_viewer", theirs), 5),
        (await given.user(other), 11),
        (await given.user(agency, "agency_member"), 8),
    ]
    for _ in range(2):
        for user, total in users:
            for get in (False, True):
                if get:
                    answer = (await house.gateway.rest("overview", user, period="30d"))["summary"]["total_calls"]
                else:
                    answer = (await house.gateway.graphql(TOTAL, user))["overview"]["summary"]["totalCalls"]
                assert answer == total
    # A colleague of the same role is given what was answered before; a user who moves is not.
    colleague = Asker(house, await given.user(agency))
    await asker.ask()
    assert await colleague.ask() == ({"overview": {"summary": {"totalCalls": 8}}}, True)
    await given.connection.execute("update users set agency_id = $2 where id = $1", colleague.user, other)
    assert (await colleague.ask())[0] == {"overview": {"summary": {"totalCalls": 11}}}


async def test_what_is_asked_otherwise_is_answered_otherwise(asker: Asker) -> None:
    await asker.house.given.calls(await agency_of(asker), 2)
    document = "query A($f: ReportFilters!) { overview(filters: $f) { period { label } } } query B { __typename }"
    for period, label in (("TODAY", "today"), ("LAST_7_DAYS", "7d"), ("TODAY", "today")):
        answer = await asker.house.gateway.post(
            document, asker.user, variables={"f": {"period": period}}, operationName="A"
        )
        assert answer.json()["data"]["overview"]["period"]["label"] == label
    assert (await asker.house.gateway.post(document, asker.user, operationName="B")).json() == {
        "data": {"__typename": "Query"}
    }
    for accept in ("application/json", "application/graphql-response+json"):
        for _ in range(2):
            response = await asker.house.gateway.post(TOTAL, asker.user, headers={"Accept": accept})
            assert response.headers["content-type"] == accept
    wrong = {"Authorization": f"Bearer {token(asker.user)}", "Content-Type": "text/plain"}
    good = await asker.house.gateway.post(TOTAL, asker.user)
    refused = await asker.house.gateway.http.post("/graphql", content=good.request.content, headers=wrong)
    assert refused.status_code == 415


async def test_an_answer_with_an_error_is_not_kept(asker: Asker) -> None:
    half = "{ overview { summary { totalCalls } } quality(filters: {period: CUSTOM}) { period { startDate } } }"
    for query in (half, "{ nothing }", "{"):
        for _ in range(2):
            response = await asker.house.gateway.post(query, asker.user)
            assert "errors" in response.json()
            assert "reuse;" not in response.headers["server-timing"]
    for _ in range(2):
        check_error(await asker.house.gateway.get("overview", asker.user, period="x"), 400)


async def test_those_who_ask_at_the_same_time_share_one_computation(
    asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    fetch = Pool.fetch

    async def slowly(self: Pool, sql: str, *values: object) -> Any:
        if "call_stats_parts" in sql:
            read.append(sql)
            await asyncio.sleep(0.2)
        return await fetch(self, sql, *values)

    monkeypatch.setattr(Pool, "fetch", slowly)
    asked = await asyncio.gather(*(asker.ask() for _ in range(30)))
    assert len(read) == 1
    assert {str(data) for data, _ in asked} == {"{'overview': {'summary': {'totalCalls': 0}}}"}


async def test_one_whose_computation_fails_leaves_the_others_to_theirs(
    asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, failed = Pool.fetch, asyncio.Event()

    async def failing_once(self: Pool, sql: str, *values: object) -> Any:
        if "call_stats_parts" in sql and not failed.is_set():
            await asyncio.sleep(0.2)
            failed.set()
            raise RuntimeError("of one reader only")
        return await fetch(self, sql, *values)

    monkeypatch.setattr(Pool, "fetch", failing_once)
    answered = await asyncio.gather(*(asker.house.gateway.post(TOTAL, asker.user) for _ in range(5)))
    assert sum("errors" in response.json() for response in answered) == 1


async def test_nothing_that_many_wait_for_keeps_what_each_of_them_was_doing(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that several raise keeps every frame of every raise, and with them tokens and bodies."""
    async with furnished(server, reuse=True) as house:
        assert (await house.get("funnel")).status_code == 200  # the version is known
        fetch = Pool.fetch

        async def away(self: Pool, sql: str, *values: object) -> Any:
            if "call_stats_parts" not in sql:
                return await fetch(self, sql, *values)
            await asyncio.sleep(0.05)
            raise Unavailable("away")

        monkeypatch.setattr(Pool, "fetch", away)
        for _ in range(5):
            answered = await asyncio.gather(*(house.post(TOTAL) for _ in range(20)))
            assert {response.status_code for response in answered} == {503}
        alive = [each for each in gc.get_objects() if isinstance(each, Unavailable)]
        assert max((sum(1 for _ in walk_tb(each.__traceback__)) for each in alive), default=0) < 40


async def test_a_computation_that_takes_too_long_is_given_up_by_each_for_himself(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with furnished(server, reuse=True) as house:
        fetch, begun = Pool.fetch, asyncio.Event()

        async def slowly(self: Pool, sql: str, *values: object) -> Any:
            if "call_stats_parts" in sql and not begun.is_set():
                begun.set()
                await asyncio.sleep(LONG)
            return await fetch(self, sql, *values)

        monkeypatch.setattr(Pool, "fetch", slowly)
        limits, sharing = list[Deadline](), counted(monkeypatch, Answers, "_shared")
        begin = Deadline.__enter__
        monkeypatch.setattr(Deadline, "__enter__", lambda self: (limits.append(self), begin(self)))
        first = asyncio.create_task(house.get("overview"))
        await begun.wait()
        second = asyncio.create_task(house.get("overview"))
        await until(lambda: len(sharing) == 2)
        limits[0]._deadlines.open.pop(limits[0])
        limits[0].miss()
        check_error(await first, 503)
        assert (await second).status_code == 200


async def test_a_new_day_is_a_new_question(database: Database, given: Given) -> None:
    agency = await given.agency()
    owner = await given.user(agency)
    moment = [NOW]

    def now() -> datetime:
        return moment[0]

    async with running(settings_for(database.dsn, reuse=True), now) as gateway:
        for day in range(3):
            moment[0] = NOW + timedelta(days=day)
            period = (await gateway.rest("overview", owner, period="7d"))["period"]
            assert period["end_date"] == moment[0].date().isoformat()


async def test_a_get_is_told_when_nothing_has_changed(asker: Asker) -> None:
    http, known = asker.house.gateway.http, {"Authorization": f"Bearer {token(asker.user)}"}
    for path, params in ((PATH, {"period": "30d"}), ("/graphql", {"query": TOTAL})):
        first = await http.get(path, params=params, headers=known)
        etag = first.headers["etag"]
        assert first.headers["cache-control"] == "private, no-cache"
        assert {"authorization", "accept"} <= {name.strip().lower() for name in first.headers["vary"].split(",")}
        for condition in (etag, f'"other", {etag}', etag.removeprefix("W/"), "*"):
            for method in ("GET", "HEAD"):
                same = await http.request(method, path, params=params, headers={**known, "If-None-Match": condition})
                assert (same.status_code, same.content) == (304, b"")
                assert same.headers["etag"] == etag
                assert "content-length" not in same.headers
                assert same.headers["access-control-allow-origin"] == "*"
        await asker.house.given.call(await agency_of(asker))
        changed = await http.get(path, params=params, headers={**known, "If-None-Match": etag})
        assert changed.status_code == 200
        assert changed.headers["etag"] != etag
    assert "etag" not in (await asker.house.gateway.post(TOTAL, asker.user)).headers
    check_error(await http.get(PATH, headers={"If-None-Match": "*"}), 401)


async def test_a_get_has_an_etag_without_reuse_as_well(server: Postgres) -> None:
    async with furnished(server, reuse=False) as house:
        first = await house.get("overview")
        known = {"Authorization": f"Bearer {token(house.owner)}", "If-None-Match": first.headers["etag"]}
        assert (await house.gateway.http.get(PATH, headers=known)).status_code == 304
        again = [await house.post(TOTAL) for _ in range(2)]
        assert all("reuse;" not in response.headers["server-timing"] for response in again)


async def test_a_get_has_an_etag_where_the_version_of_the_data_cannot_be_had(
    asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(*_: Any, **__: Any) -> None:
        return None

    monkeypatch.setattr(Versions, "of", unknown)
    for report in REPORTS:
        first = await asker.house.gateway.get(report, asker.user)
        known = {"Authorization": f"Bearer {token(asker.user)}", "If-None-Match": first.headers["etag"]}
        again = await asker.house.gateway.http.get(f"/functions/v1/dashboard-{report}", headers=known)
        assert again.status_code == 304
        assert "reuse;" not in again.headers["server-timing"]


async def test_memory_is_bounded(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Shelf] = []

    class Noted(Shelf):
        def __init__(self, max_bytes: int) -> None:
            super().__init__(max_bytes)
            made.append(self)

    monkeypatch.setattr(answers, "Shelf", Noted)
    async with furnished(server, reuse=True, reuse_max_bytes=20_000) as house:
        (shelf,) = made
        first = "{ a0: overview { summary { totalCalls } } }"
        for number in range(40):
            await house.post(first.replace("a0", f"a{number}"))
            assert 0 < shelf.memory.bytes <= 20_000
        assert "reuse;" not in (await house.post(first)).headers["server-timing"]
        assert "reuse;" in (await house.post(first)).headers["server-timing"]
        large = "{ " + " ".join(f"a{number}: __typename" for number in range(25)) + " " * 30_000 + "}"
        for _ in range(2):
            assert "reuse;" not in (await house.post(large)).headers["server-timing"]


async def test_what_is_given_again_counts_as_a_request(server: Postgres) -> None:
    async with furnished(server, reuse=True, rate_limit="3/hour", user_cache_seconds=30) as house:
        assert [(await house.get("overview")).status_code for _ in range(5)] == [200, 200, 200, 429, 429]


async def test_no_answer_misses_a_commit_that_is_older_than_it_may_be(server: Postgres) -> None:
    """A writer notes when each of its calls was committed; what a reader is shown must hold all of those."""
    seconds = 0.05
    async with furnished(server, reuse=True, reuse_seconds=seconds, user_cache_seconds=30) as house:
        committed: list[float] = []
        done = asyncio.Event()
        reused = 0

        async def write() -> None:
            connection = await asyncpg.connect(house.database.dsn)
            for number in range(150):
                await Given(connection).call(house.agency)
                committed.append(time.monotonic())
                await asyncio.sleep(0.005)
                if number % 15 == 0:
                    before = reused
                    await until(lambda seen=before: reused > seen)
            await connection.close()
            done.set()

        async def read() -> int:
            nonlocal reused
            asked = 0
            while not done.is_set():
                due = sum(moment <= time.monotonic() - seconds for moment in committed)
                response: httpx2.Response = await house.post(TOTAL)
                asked += 1
                reused += "reuse;" in response.headers["server-timing"]
                assert response.json()["data"]["overview"]["summary"]["totalCalls"] >= due
            return asked

        _, *asked = await asyncio.gather(write(), *(read() for _ in range(4)))
        assert sum(asked) > 50


async def test_what_is_at_hand_counts_as_a_request_and_is_refused_in_its_doors_words(server: Postgres) -> None:
    async with furnished(server, reuse=True, reuse_seconds=60, rate_limit="6/hour") as house:
        answers = [await house.post(TOTAL) for _ in range(3)] + [await house.get("overview") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200] * 6
        assert all("reuse;" in answers[number].headers["server-timing"] for number in (1, 2, 4, 5))
        check_error(await house.get("overview"), 429)
        check_graphql_error(await house.post(TOTAL), 429, "RATE_LIMITED")
