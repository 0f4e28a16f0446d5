"""Whoever is compared gives the gateway's own answer; whoever does not is found out before anything is timed."""

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest

from bench.contenders import ARIADNE, BY_HAND, FIXED, GATEWAY, HANDLER, HANDLER_ROLLUPS, STRAWBERRY, contenders
from bench.data import Agency, Size, fill
from bench.serving import Contender, Measured, all_started, check_equal, measure
from tests.conftest import Database

SMALL = Size(calls=600, days=40, clients=2, campaigns=5, batches=12)


@pytest.fixture
async def agency(database: Database) -> Agency:
    """An agency of a few hundred calls, beside another that nobody may count."""
    # Until tomorrow, so that 30 days end with a day of calls even if midnight passes meanwhile.
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    made = await fill(database.dsn, {"agency": SMALL, "other": Size(calls=100, days=10)}, tomorrow)
    return made["agency"]


async def _checked(measured: list[Contender], dsn: str, agency: Agency) -> Any:
    """The gateway's dashboard, which all of them answer alike."""

    def check() -> Any:
        with ExitStack() as stack:
            started = all_started(stack, measured, dsn, agency)
            for question in ("full", "overview"):
                check_equal(started, question)
            return started[0].data("full")

    return await asyncio.to_thread(check)


async def test_every_python_contender_answers_as_the_gateway(database: Database, agency: Agency) -> None:
    measured = [GATEWAY, HANDLER, HANDLER_ROLLUPS, STRAWBERRY, ARIADNE]
    assert {one.name for one in measured} <= {one.name for one in contenders()}
    data = await _checked(measured, database.dsn, agency)
    # And no section of what they agree about is empty.
    assert data["overview"]["summary"]["totalCalls"] == SMALL.calls * 30 // SMALL.days
    assert len(data["timeseries"]["data"]) == len(data["quality"]["trend"]) == 30
    assert data["funnel"]["funnel"]["appointmentBooked"] > 0
    assert len(data["campaigns"]["campaignStats"]) == SMALL.campaigns
    assert len(data["campaigns"]["activeBatches"]) == 10
    assert data["campaigns"]["pagination"] == {"total": SMALL.batches, "hasMore": True}
    assert len(data["heatmap"]["bestTimes"]) == 5
    assert len(data["objections"]["objections"]) == len(data["objections"]["buyingSignals"]) == 10


async def test_another_answer_is_found_out(database: Database, agency: Agency) -> None:
    shorter = {name: body.replace(b"LAST_30_DAYS", b"LAST_7_DAYS") for name, body in BY_HAND.items()}
    with pytest.raises(RuntimeError, match="handler answers full otherwise"):
        await _checked([GATEWAY, replace(HANDLER, bodies=shorter)], database.dsn, agency)


async def test_a_round_measures_everyone_beside_the_same_database(database: Database, agency: Agency) -> None:
    def run() -> dict[str, list[Measured]]:
        with ExitStack() as stack:
            started = all_started(stack, [HANDLER, FIXED], database.dsn, agency)
            return measure(started, "full", psutil.Process(), rounds=2, seconds=0.3, concurrency=2)

    measured = await asyncio.to_thread(run)
    assert {name: len(rounds) for name, rounds in measured.items()} == {HANDLER.name: 2, FIXED.name: 2}
    assert all(one.load.answers > 0 and one.server_ms >= 0 for rounds in measured.values() for one in rounds)
