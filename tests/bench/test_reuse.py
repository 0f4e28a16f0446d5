"""The reader who knows what was written: it notices a server that answers with what it knew before."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from bench.data import SECRET, Agency, Size, fill
from bench.reuse import KNOWN_AFTER, REQUESTS, WRITES_PER_SECOND, Log, judge, truthful
from tests.conftest import Database
from tests.listening import Serve, listening
from tests.running import Running, running, settings_for

SECONDS = 1.0


@pytest.fixture
async def agency(database: Database) -> Agency:
    """An agency with a few calls and batches."""
    return (await fill(database.dsn, {"agency": Size(calls=60, days=30, batches=3)}))["agency"]


def _gateway(database: Database) -> AbstractAsyncContextManager[Running]:
    settings = settings_for(database.dsn, supabase_jwt_secret=SECRET)
    return running(settings, lambda: datetime.now(UTC))


async def test_a_gateway_misses_nothing(database: Database, agency: Agency) -> None:
    async with _gateway(database) as gateway:
        log = await truthful(gateway.http.base_url.port or 0, database.dsn, agency, SECONDS)
    assert log.answers > 0
    assert len(log.committed) == log.begun > SECONDS * WRITES_PER_SECOND / 2
    assert (log.missing, log.ahead) == (0, 0)


async def test_a_server_that_repeats_itself_is_found_out(database: Database, agency: Agency) -> None:
    async with _gateway(database) as gateway:
        headers = {"Authorization": f"Bearer {agency.token}", "Content-Type": "application/json"}
        said = {
            request: (await gateway.http.post("/graphql", content=request, headers=headers)).content
            for request in REQUESTS
        }
    async with listening(_repeating(said)) as address:
        log = await truthful(urlsplit(address).port or 0, database.dsn, agency, SECONDS)
    assert log.missing > 0
    assert log.oldest > KNOWN_AFTER


def _repeating(said: Mapping[bytes, bytes]) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split()[0])
                answer = said[await reader.readexactly(length)]
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(answer), answer))
        except asyncio.IncompleteReadError:
            writer.close()

    return serve


@pytest.mark.parametrize(
    ("told", "missing", "ahead"),
    [
        ([3, 3], 0, 0),  # all there is
        ([3, 2], 0, 0),  # the third was committed just now
        ([3, 1], 1, 0),  # one figure does not know the second
        ([0, 0], 1, 0),
        ([4, 3], 0, 0),  # the fourth is under way
        ([5, 3], 0, 1),
    ],
)
def test_an_answer_is_judged_by_its_oldest_figure(told: list[int], missing: int, ahead: int) -> None:
    log = Log(begun=4, committed=[1.0, 2.0, 3.0])
    judge(log, 3.0 + KNOWN_AFTER / 2, told)
    assert (log.answers, log.missing, log.ahead) == (1, missing, ahead)


def test_the_age_of_what_was_missed_is_counted_from_its_commit() -> None:
    log = Log(begun=3, committed=[1.0, 2.0, 3.0])
    judge(log, 2.5, [1])
    judge(log, 2.2, [1])
    assert log.oldest == 0.5
