"""What an answer is kept by: the version of its agency's data, which is told once, or not at all, and its age."""

import asyncio
from typing import Any

import httpx2
import pytest

from gateway import answers
from gateway.db import Pool
from resolvers.errors import Unavailable
from tests.conftest import Postgres
from tests.doors import REPORTS, furnished
from tests.given import fold, token
from tests.waiting import PATIENCE

pytestmark = pytest.mark.usefixtures("versions_in_time")
PATH = "/functions/v1/dashboard-overview"


@pytest.mark.parametrize("seconds", [0, 30], ids=["asked for", "at hand"])
async def test_no_answer_is_given_again_for_longer_than_it_may_be_whatever_its_version(
    server: Postgres, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    clock = [0.0]
    monkeypatch.setattr(answers, "monotonic", lambda: clock[0])
    given = {"reuse_seconds": seconds, "user_cache_seconds": seconds, "reuse_max_age_seconds": 60}
    async with furnished(server, reuse=True, **given) as house:
        known = {"Authorization": f"Bearer {token(house.owner)}"}
        await house.given.call(house.agency)
        await fold(house.given.connection)

        async def asked(headers: dict[str, str]) -> tuple[httpx2.Response, bool]:
            response = await house.gateway.http.get(PATH, headers={**known, **headers})
            return response, "reuse;" in response.headers["server-timing"]

        first, _ = await asked({})
        has_it = {"If-None-Match": first.headers["etag"]}
        # Not as changes are meant to be made: no version tells of it.
        await house.given.connection.execute("update call_stats_folded set total_calls = 7")
        clock[0] = 59.9
        same, again = await asked(has_it)
        assert (same.status_code, again) == (304, True)
        clock[0] = 60.0
        changed, again = await asked(has_it)
        assert (changed.status_code, again) == (200, False)
        assert changed.json()["summary"]["total_calls"] == 7
        clock[0] = 119.9
        assert (await asked({"If-None-Match": changed.headers["etag"]}))[0].status_code == 304


async def test_the_version_is_told_once_for_an_answer(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told a second time it could be late, or not at all, and would have refused what can be answered."""
    async with furnished(server, reuse=True) as house:
        fetch, told = Pool.fetch, [0]

        async def once(self: Pool, sql: str, *values: object) -> Any:
            told[0] += "data_versions" in sql
            if "data_versions" in sql and told[0] > 1:
                raise Unavailable("not again")
            return await fetch(self, sql, *values)

        monkeypatch.setattr(Pool, "fetch", once)
        for report in REPORTS:
            told[0] = 0
            assert (await house.get(report)).status_code == 200


async def test_without_versions_everything_is_answered_and_nothing_kept(server: Postgres) -> None:
    async with furnished(server, reuse=True) as house:
        await house.given.connection.execute("alter table data_versions rename to elsewhere")
        for response in [await house.get("overview") for _ in range(2)] + [
            await house.post("{ overview { summary { totalCalls } } }") for _ in range(2)
        ]:
            assert response.status_code == 200
            assert "reuse;" not in response.headers["server-timing"]


async def test_a_version_that_takes_long_is_not_waited_for_by_who_has_to_read_in_any_case(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A far database: the numbers are read beside the version, and what is kept is kept under a version before."""
    async with furnished(server, reuse=True) as house:
        fetch, told, patient = Pool.fetch, asyncio.Event(), [0]

        async def far(self: Pool, sql: str, *values: object) -> Any:
            if "data_versions" in sql:
                patient[0] += 1
                await told.wait()
            return await fetch(self, sql, *values)

        async def asked(report: str) -> tuple[int, bool]:
            response = await house.get(report)
            return response.json()["summary"]["total_calls"], "reuse;" in response.headers["server-timing"]

        told.set()
        assert [await asked("overview") for _ in range(2)] == [(0, False), (0, True)]
        monkeypatch.setattr(Pool, "fetch", far)
        monkeypatch.setattr(answers, "SOON_SECONDS", 0.01)
        told.clear()
        assert (await house.get("funnel")).status_code == 200  # while nobody tells the version
        assert patient == [1]
        told.set()
        assert "reuse;" in (await house.get("funnel")).headers["server-timing"]
        # What was kept under an older version than its data's is never given again.
        await house.given.call(house.agency)
        told.clear()
        first = (await house.get("quality")).json()
        told.set()
        monkeypatch.setattr(answers, "SOON_SECONDS", PATIENCE)
        again = await house.get("quality")
        assert "reuse;" not in again.headers["server-timing"]
        assert first == again.json()
        assert await asked("overview") == (1, False)
        assert await asked("overview") == (1, True)


async def test_versions_may_be_of_any_size(server: Postgres) -> None:
    async with furnished(server, reuse=True) as house:
        for version in (2**62 - 1, 2**62 - 2, 1, 2**61):
            raised = "insert into data_versions (agency_id, version) values ($1, $2)"
            await house.given.connection.execute(raised, house.agency, version)
            reused = ["reuse;" in (await house.get("overview")).headers["server-timing"] for _ in range(2)]
            assert reused == [False, True]
