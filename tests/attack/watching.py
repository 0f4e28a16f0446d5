"""Clients that keep asking a gateway for its reports, and know which state of the data they may be shown."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from uuid import UUID

import asyncpg
import httpx2

from gateway.settings import Settings
from tests.given import Given, token
from tests.running import Running, settings_for
from tests.waiting import until

ROUNDS = int(os.environ.get("HISTORY_ROUNDS") or (20 if os.environ.get("CI") == "true" else 8))
"""How often a history is lost: 8 times, and 20 where CI is true, unless HISTORY_ROUNDS tells otherwise."""
CLIENTS = 4
BOUND = Settings.model_fields["reuse_seconds"].default
"""A commit shows in every answer to a request that began so many seconds after it."""
REPORTS = ("overview", "timeseries", "funnel", "campaigns", "quality", "heatmap", "objections")
DOCUMENT = """{
    overview { summary { totalCalls } } campaigns { campaignStats { campaignName totalCalls } }
    heatmap { heatmap { totalCalls } } objections { summary { totalObjections } }
}"""
QUESTIONS = (*REPORTS, "get", "post")
"""The legacy reports, and GraphQL asked in both ways."""


def as_shipped(dsn: str, **given: Any) -> Settings:
    """Settings of a gateway that gives answers again, as it does unless it is told otherwise."""
    return settings_for(
        dsn,
        **{
            "reuse": True,
            "reuse_seconds": BOUND,
            "user_cache_seconds": Settings.model_fields["user_cache_seconds"].default,
            "log_level": "error",
            **given,
        },
    )


@dataclass
class Books:
    """An agency whose reports all show one number, that of its calls."""

    agency: UUID
    user: UUID
    campaign: UUID

    @classmethod
    async def open(cls, connection: asyncpg.Connection) -> "Books":
        given = Given(connection)
        agency = await given.agency()
        return cls(agency, await given.user(agency), await given.campaign(agency, name="Campaign 0"))

    async def add(self, connection: asyncpg.Connection, calls: int) -> int:
        """By one commit so many more, or fewer; gives how many there are."""
        async with connection.transaction():
            if calls > 0:
                found = [{"text": "No time", "handled": True}]
                await Given(connection).calls(self.agency, calls, campaign_id=self.campaign, objections=found)
            else:
                some = "select id from calls where agency_id = $1 limit $2"
                await connection.execute(f"delete from calls where id in ({some})", self.agency, -calls)
            number = await connection.fetchval("select count(*) from calls where agency_id = $1", self.agency)
            name = f"Campaign {number}"
            await connection.execute("update campaigns set name = $2 where id = $1", self.campaign, name)
        return number


def shown(question: str, body: Any) -> frozenset[int]:
    """The numbers of calls that an answer tells: one, if it is of one state of the data."""
    if question in ("get", "post"):
        data = body["data"]
        return frozenset(
            {
                data["overview"]["summary"]["totalCalls"],
                data["objections"]["summary"]["totalObjections"],
                sum(slot["totalCalls"] for slot in data["heatmap"]["heatmap"]),
                *_of_campaigns(
                    (each["campaignName"], each["totalCalls"]) for each in data["campaigns"]["campaignStats"]
                ),
            }
        )
    told = {
        "overview": lambda: {body["summary"]["total_calls"]},
        "timeseries": lambda: {sum(day["total_calls"] for day in body["data"])},
        "funnel": lambda: {body["funnel"]["total_calls"]},
        "campaigns": lambda: _of_campaigns((c["campaign_name"], c["total_calls"]) for c in body["campaign_stats"]),
        "quality": lambda: {sum(day["completed_calls"] for day in body["trend"])},
        "heatmap": lambda: {sum(slot["total_calls"] for slot in body["heatmap"])},
        "objections": lambda: {body["summary"]["total_objections"]},
    }
    return frozenset(told[question]())


def _of_campaigns(stats: Iterable[tuple[str | None, int]]) -> set[int]:
    """The numbers in names and of calls; -1, which is never right, for a campaign that a restore has not loaded yet."""
    return {number for name, calls in stats for number in (int(name.split()[1]) if name else -1, calls)}


@dataclass
class Crowd:
    """What the clients were told, and what was wrong about it."""

    gateway: Running
    user: UUID
    faults: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    reused: int = 0
    going: bool = True
    _token: str = ""
    _may_ask: asyncio.Event = field(default_factory=asyncio.Event)
    _asking: int = 0
    _state: int = 0
    _known: int | None = None
    _may_fail: bool = False
    _since: float = 0.0
    _answered: Counter[tuple[int, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._token = token(self.user)
        self._may_ask.set()

    def anything_goes(self, *, even_errors: bool = False) -> None:
        """What the data are is about to change: what is told meanwhile may be old or new.

        And, while there are no tables or nothing is in them, that something is wrong or nobody known.
        """
        self._state += 1
        self._known = None
        self._may_fail = even_errors

    def from_now(self, number: int) -> None:
        """This has been committed: whoever asks when the bound is over is shown it and nothing else."""
        self._state += 1
        self._known, self._since = number, monotonic() + BOUND
        self._may_fail = False
        self._answered.clear()

    async def are_told(self, times: int = 2) -> None:
        """Waits until each client has had each answer so many times."""

        def are_all() -> bool:
            assert not self.faults, self.faults[:5]
            return all(self._answered[client, question] >= times for client in range(CLIENTS) for question in QUESTIONS)

        await until(are_all)

    async def see(self, books: Books, connection: asyncpg.Connection, *commits: int) -> None:
        """Commits of so many calls more or fewer; each shows, and stays at hand."""
        for calls in commits:
            self.anything_goes()
            self.from_now(await books.add(connection, calls))
            await self.are_told()

    async def see_another_history(
        self,
        books: Books,
        connection: asyncpg.Connection,
        lose: Callable[[], Awaitable[asyncpg.Connection]],
        *,
        at_once: bool,
        even_errors: bool = False,
    ) -> asyncpg.Connection:
        """Three commits, which are lost, and in their place three others: as large, so that a version that counted
        would be one that was shown. The clients ask all the time, or, where it is done at once, not until the end.

        `lose` sets the data back to what they are now, and gives a connection to where they are then.
        """
        number = self._known
        assert number is not None
        await self.see(books, connection, 1, 1, 1)
        if at_once:
            await self.fall_silent()
        self.anything_goes(even_errors=even_errors)
        connection = await lose()
        if at_once:
            for _ in range(3):
                number = await books.add(connection, -1)
            self.from_now(number)
            self._may_ask.set()
            await self.are_told()
        else:
            self.from_now(number)
            await self.are_told()
            await self.see(books, connection, -1, -1, -1)
        return connection

    async def fall_silent(self) -> None:
        """Nobody asks until told otherwise."""
        self._may_ask.clear()
        await until(lambda: not self._asking)

    async def client(self, number: int) -> None:
        """Asks one question after the other, and says which answers it has."""
        has: dict[str, dict[str, frozenset[int]]] = {question: {} for question in QUESTIONS}
        while self.going:
            for question in QUESTIONS[number:] + QUESTIONS[:number]:
                await self._may_ask.wait()
                self._asking += 1
                await self._ask(number, question, has[question])
                self._asking -= 1
                await asyncio.sleep(0.002)

    async def _ask(self, client: int, question: str, has: dict[str, frozenset[int]]) -> None:
        began, state, may_fail = monotonic(), self._state, self._may_fail
        tags = {"If-None-Match": ", ".join(list(has)[-5:])} if has and question != "post" else {}
        try:
            answer = await self._answer(question, {"Authorization": f"Bearer {self._token}", **tags})
        except httpx2.HTTPError as error:
            self.faults.append(f"{question}: {error!r}")
            return
        self.statuses[answer.status_code] += 1
        may_fail = may_fail or self._may_fail
        if answer.status_code == 304:
            numbers = has[answer.headers["etag"]]
        elif answer.status_code == 200:
            if "errors" in (body := answer.json()):
                # Of sections that are read one by one some may have met a database that was away.
                codes = {error["extensions"]["code"] for error in body["errors"]}
                if not codes <= {"UNAVAILABLE", "TIMEOUT"} and not may_fail:
                    self.faults.append(f"{question}: {answer.text}")
                return
            numbers = shown(question, body)
            if "etag" in answer.headers:
                has.pop(answer.headers["etag"], None)
                has[answer.headers["etag"]] = numbers
        else:
            if answer.status_code != 503 and not (answer.status_code in (403, 500) and may_fail):
                self.faults.append(f"{question}: {answer.status_code} {answer.text}")
            return
        self.reused += "reuse;" in answer.headers.get("server-timing", "")
        if state == self._state and self._known is not None and began >= self._since:
            if numbers != {self._known}:
                self.faults.append(f"{question}: {answer.status_code} shows {set(numbers)}, and not {self._known}")
            self._answered[client, question] += 1

    async def _answer(self, question: str, headers: dict[str, str]) -> httpx2.Response:
        http = self.gateway.http
        if question == "post":
            return await http.post("/graphql", json={"query": DOCUMENT}, headers=headers)
        if question == "get":
            return await http.get("/graphql", params={"query": DOCUMENT}, headers=headers)
        return await http.get(f"/functions/v1/dashboard-{question}", headers=headers)


@asynccontextmanager
async def crowded(gateway: Running, user: UUID) -> AsyncIterator[Crowd]:
    """Lets the clients ask until the block ends."""
    crowd = Crowd(gateway, user)
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(crowd.client(number))
        try:
            yield crowd
        finally:
            crowd.going = False
            crowd._may_ask.set()
    assert not crowd.faults, crowd.faults[:5]
