"""How calls were led: the range's figures and the trend of its days."""

import asyncio
import gc
from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest

from resolvers.errors import Unavailable
from resolvers.filters import Filters, Period
from resolvers.quality import Quality, quality
from resolvers.reader import Reader
from resolvers.selection import everything
from resolvers.statements import Row
from resolvers.viewer import Role, Viewer
from tests.given import NOW, Given
from tests.running import Running

EVERYTHING = """{ quality {
    period { startDate endDate }
    quality {
        avgDurationSeconds avgTalkRatio avgListenRatio avgScriptAdherence totalInterruptions avgInterruptionsPerCall
        objectionHandlingRate totalBuyingSignals
        sentimentDistribution { positive neutral negative positivePct neutralPct negativePct }
    }
    trend {
        date avgDurationSeconds avgTalkRatio avgScriptAdherence sentimentPositivePct interruptions completedCalls
    }
} }"""


@pytest.fixture
async def agency(given: Given) -> UUID:
    return await given.agency()


@pytest.fixture
async def owner(given: Given, agency: UUID) -> UUID:
    return await given.user(agency)


async def test_every_figure_of_four_calls_on_two_days(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    """Three on the first day, one on the second: the range is not the mean of its days."""
    before = NOW - timedelta(days=1)
    await given.calls(agency, 2, started_at=before, duration_seconds=30, sentiment="positive", talk_ratio=0.2)
    await given.call(agency, started_at=before, duration_seconds=60, sentiment="negative", interruptions=1)
    await given.call(
        agency,
        duration_seconds=200,
        sentiment="neutral",
        talk_ratio=0.8,
        listen_ratio=0.2,
        script_adherence=0.5,
        interruptions=2,
        objections=[{"text": "No time", "handled": True}, {"text": "Too expensive", "handled": False}],
        buying_signals=[{"text": "Asks for a date"}],
    )
    expected = {
        "period": {"start_date": "2026-02-10", "end_date": "2026-02-16"},
        "quality": {
            "avg_duration_seconds": 80,  # 320 / 4
            "avg_talk_ratio": 0.4,  # 1.2 / 3
            "avg_listen_ratio": 0.2,
            "avg_script_adherence": 0.5,
            "total_interruptions": 3,
            "avg_interruptions_per_call": 0.75,
            "objection_handling_rate": 50.0,
            "total_buying_signals": 1,
            "sentiment_distribution": {
                "positive": 2,
                "neutral": 1,
                "negative": 1,
                "positive_pct": 50.0,
                "neutral_pct": 25.0,
                "negative_pct": 25.0,
            },
        },
        "trend": [
            {
                "date": "2026-02-15",
                "avg_duration_seconds": 40,
                "avg_talk_ratio": 0.2,
                "avg_script_adherence": 0,
                "sentiment_positive_pct": 66.7,
                "interruptions": 1,
                "completed_calls": 3,
            },
            {
                "date": "2026-02-16",
                "avg_duration_seconds": 200,
                "avg_talk_ratio": 0.8,
                "avg_script_adherence": 0.5,
                "sentiment_positive_pct": 0.0,
                "interruptions": 2,
                "completed_calls": 1,
            },
        ],
    }
    answer = await gateway.rest("quality", owner)
    assert answer == expected
    assert list(answer["quality"]) == list(expected["quality"])
    assert list(answer["trend"][0]) == list(expected["trend"][0])
    graphql = (await gateway.graphql(EVERYTHING, owner))["quality"]
    assert graphql["quality"] == {
        "avgDurationSeconds": 80,
        "avgTalkRatio": 0.4,
        "avgListenRatio": 0.2,
        "avgScriptAdherence": 0.5,
        "totalInterruptions": 3,
        "avgInterruptionsPerCall": 0.75,
        "objectionHandlingRate": 50.0,
        "totalBuyingSignals": 1,
        "sentimentDistribution": {
            "positive": 2,
            "neutral": 1,
            "negative": 1,
            "positivePct": 50.0,
            "neutralPct": 25.0,
            "negativePct": 25.0,
        },
    }
    assert [list(day.values()) for day in graphql["trend"]] == [
        ["2026-02-15", 40, 0.2, None, 66.7, 1, 3],
        ["2026-02-16", 200, 0.8, 0.5, 0.0, 2, 1],
    ]


async def test_sentiment_percentages_are_of_the_calls_that_have_a_sentiment(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    await given.call(agency, sentiment="positive")
    await given.calls(agency, 9)
    distribution = (await gateway.rest("quality", owner))["quality"]["sentiment_distribution"]
    assert (distribution["positive"], distribution["positive_pct"], distribution["negative_pct"]) == (1, 100.0, 0.0)


async def test_without_calls_the_trend_is_empty_and_nothing_is_divided(gateway: Running, owner: UUID) -> None:
    graphql = (await gateway.graphql(EVERYTHING, owner))["quality"]
    assert graphql["trend"] == []
    distribution = graphql["quality"].pop("sentimentDistribution")
    assert list(distribution.values()) == [0, 0, 0, None, None, None]
    assert graphql["quality"] == {
        "avgDurationSeconds": None,
        "avgTalkRatio": None,
        "avgListenRatio": None,
        "avgScriptAdherence": None,
        "totalInterruptions": 0,
        "avgInterruptionsPerCall": None,
        "objectionHandlingRate": None,
        "totalBuyingSignals": 0,
    }
    rest = await gateway.rest("quality", owner)
    assert rest["trend"] == []
    assert set(rest["quality"].pop("sentiment_distribution").values()) == {0}
    assert set(rest["quality"].values()) == {0}


async def test_the_trend_has_the_days_that_have_calls_oldest_first(
    gateway: Running, given: Given, agency: UUID, owner: UUID
) -> None:
    for days_ago in (1, 5, 3):
        await given.call(agency, started_at=NOW - timedelta(days=days_ago))
    await given.call(agency, status="failed", answered=False)
    answer = await gateway.graphql("{ quality { trend { date completedCalls avgDurationSeconds } } }", owner)
    assert [list(day.values()) for day in answer["quality"]["trend"]] == [
        ["2026-02-11", 1, 60],
        ["2026-02-13", 1, 60],
        ["2026-02-15", 1, 60],
        ["2026-02-16", 0, None],
    ]


class Away:
    """A database that cannot be reached."""

    async def fetch(self, *_: object) -> Sequence[Row]:
        raise Unavailable("away")


async def test_when_the_database_is_away_nothing_is_left_behind_for_the_log(caplog: pytest.LogCaptureFixture) -> None:
    reader = Reader(Viewer(uuid4(), uuid4(), Role.AGENCY_OWNER), Away())
    with pytest.raises(Unavailable):
        await quality(reader, Filters.of(Period.TODAY, today=date(2026, 2, 16)), everything(Quality))
    await asyncio.sleep(0)
    gc.collect()
    assert [record.getMessage() for record in caplog.records] == []
