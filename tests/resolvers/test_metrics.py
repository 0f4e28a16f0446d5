"""What a metric makes of its sums: exact, rounded half away from zero, and nothing where there is nothing to divide."""

from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given as generated
from hypothesis import settings, strategies

from resolvers.metrics import METRICS, TIMESERIES_METRICS, Counter, Quotient, percentage, sums_of
from tests.given import Given
from tests.running import Running

DIGITS = strategies.lists(strategies.integers(0, 9), min_size=1, max_size=100).map(tuple)
QUOTIENTS = sorted(name for name, metric in METRICS.items() if isinstance(metric, Quotient))


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (1, 3, 33.3),
        (2, 3, 66.7),
        (1, 2_000, 0.1),  # 0.05
        (1, 2_001, 0.0),
        (3, 2_000, 0.2),  # 0.15, which no float holds
        (5, 2_000, 0.3),  # 0.25, which rounds to even elsewhere
        (999, 1_000, 99.9),
        (1_999, 2_000, 100.0),  # 99.95
        (0, 7, 0.0),
        (7, 7, 100.0),
        (3, 2, 150.0),
        (0, 0, None),
        (1, 0, None),
    ],
)
def test_a_percentage_has_one_decimal_and_ties_go_up(part: int, whole: int, shown: float | None) -> None:
    assert percentage(part, whole) == shown
    assert METRICS["contact_rate"].value({"connected_calls": part, "total_calls": whole}) == shown


@pytest.mark.parametrize(
    ("seconds", "calls", "shown"),
    [(5, 2, 3), (1, 2, 1), (3, 2, 2), (7, 2, 4), (10, 4, 3), (1, 3, 0), (2, 3, 1), (21_600, 120, 180), (9, 0, None)],
)
def test_a_mean_length_is_whole_seconds_and_half_a_second_counts_as_one(
    seconds: int, calls: int, shown: int | None
) -> None:
    value = METRICS["avg_duration_seconds"].value({"total_duration_seconds": seconds, "completed_calls": calls})
    assert value == shown
    assert not isinstance(value, float)


@pytest.mark.parametrize(
    ("sum_", "calls", "shown"),
    [
        (Decimal("0.00005"), 1, 0.0001),
        (Decimal("0.00015"), 1, 0.0002),
        (Decimal("0.1"), 3, 0.0333),
        (Decimal(2), 3, 0.6667),
        (Decimal("0.00004999999999999"), 1, 0.0),
        (Decimal(0), 5, 0.0),
        (Decimal(0), 0, None),
    ],
)
def test_a_share_has_four_decimals(sum_: Decimal, calls: int, shown: float | None) -> None:
    assert METRICS["avg_talk_ratio"].value({"talk_ratio_sum": sum_, "talk_ratio_calls": calls}) == shown


@pytest.mark.parametrize(
    ("interruptions", "calls", "shown"), [(45, 120, 0.38), (1, 8, 0.13), (3, 8, 0.38), (1, 200, 0.01), (0, 1, 0.0)]
)
def test_interruptions_for_each_call_have_two_decimals(interruptions: int, calls: int, shown: float) -> None:
    sums = {"total_interruptions": interruptions, "completed_calls": calls}
    assert METRICS["avg_interruptions_per_call"].value(sums) == shown


def rounded(exact: Fraction, digits: int) -> int | float:
    """Once, to so many digits, half away from zero."""
    step = 10**digits
    number = floor(abs(exact) * step + Fraction(1, 2)) * (-1 if exact < 0 else 1)
    return number / step if digits else number


@strategies.composite
def sums_and_counts(draw: strategies.DrawFn) -> tuple[int | Decimal, int]:
    """What may be divided: whole and broken numbers of up to 100 digits, many of them a hair beside a tie."""
    count = draw(strategies.integers(1, draw(strategies.sampled_from([3, 10**9, 10**100]))))
    if draw(strategies.booleans()):
        return draw(strategies.integers(-(10**100), 10**100)), count
    places = draw(strategies.integers(0, 99))
    if draw(strategies.booleans()):
        return Decimal((draw(strategies.integers(0, 1)), draw(DIGITS), -places)), count
    count = min(count, 10**9)
    tie = Fraction(2 * draw(strategies.integers(0, 10**9)) + 1, 2 * 10 ** draw(strategies.integers(0, 6))) * count
    beside = tie + draw(strategies.sampled_from([-1, 0, 1])) * Fraction(1, 10 ** (places + 20))
    numerator = beside * 10 ** (places + 20)
    return Decimal((0, tuple(map(int, str(int(numerator)))), -places - 20)), count


@settings(deadline=None)
@generated(sums_and_counts(), strategies.sampled_from(QUOTIENTS))
def test_every_quotient_is_rounded_once_whatever_the_sums(sums_: tuple[int | Decimal, int], name: str) -> None:
    part, count = sums_
    metric = METRICS[name]
    assert isinstance(metric, Quotient)
    sums: dict[str, int | Decimal] = dict.fromkeys(metric.over, 0) | {metric.over[0]: count}
    sums[metric.of] = abs(int(part)) if metric.of in metric.over else part
    divisor = sum(Fraction(sums[each]) for each in metric.over)
    if divisor:
        assert metric.value(sums) == rounded(Fraction(sums[metric.of]) * metric.scale / divisor, metric.digits)


@pytest.mark.parametrize("digits", [28, 29, 37, 100, 10_000])
def test_a_hair_below_a_tie_is_below_it_however_thin(digits: int) -> None:
    below = Decimal((0, (4,) + (9,) * (digits - 1), -digits - 4))
    for sum_, calls, shown in ((below, 1, 0.0), (Decimal("0.00005"), 1, 0.0001), (below, 3, 0.0)):
        assert METRICS["avg_talk_ratio"].value({"talk_ratio_sum": sum_, "talk_ratio_calls": calls}) == shown


@settings(deadline=None)
@generated(strategies.lists(strategies.integers(0, 10**6), min_size=3, max_size=3).filter(any))
def test_the_three_sentiments_are_parts_of_one_whole(calls: list[int]) -> None:
    names = ("positive", "neutral", "negative")
    sums = {f"{name}_sentiment_calls": number for name, number in zip(names, calls, strict=True)}
    shown = [METRICS[f"{name}_sentiment_pct"].value(sums) for name in names]
    assert abs(sum(Fraction(str(each)) for each in shown) - 100) <= Fraction(15, 100)
    assert shown == [percentage(number, sum(calls)) for number in calls]


def test_a_counter_is_its_sum_however_large() -> None:
    assert METRICS["total_calls"].value({"total_calls": 2**53 + 1}) == 2**53 + 1
    assert METRICS["total_calls"].value({"total_calls": Decimal(2**53 + 1)}) == 2**53 + 1
    assert percentage(10**18 - 1, 2 * 10**18) == 50.0


def test_every_metric_is_either_a_counter_or_a_quotient_of_sums_that_it_names() -> None:
    for name, metric in METRICS.items():
        assert metric.name == name
        assert isinstance(metric, Counter | Quotient)
        assert metric.value(dict.fromkeys(metric.sums, 1)) is not None
        assert metric.sentence.endswith(".")
        with pytest.raises(KeyError):
            metric.value({})


def test_the_sums_of_several_metrics_are_each_named_once() -> None:
    assert sums_of(["contact_rate", "overall_conversion_rate", "total_calls"]) == {
        "connected_calls",
        "meetings_booked",
        "total_calls",
    }
    assert sums_of([]) == frozenset()
    assert len(TIMESERIES_METRICS) == len(set(TIMESERIES_METRICS)) == 33


async def test_seconds_beyond_32_bits_pass_both_doors(gateway: Running, given: Given) -> None:
    """Two calls of 2,000,000,000 s, which together are more than an Int of GraphQL may be."""
    agency = await given.agency()
    owner = await given.user(agency)
    await given.calls(agency, 2, duration_seconds=2_000_000_000)
    answer = await gateway.graphql(
        """{ overview { summary { totalDurationSeconds avgDurationSeconds } }
             timeseries { data { totalDurationSeconds } columns { totalDurationSeconds } } }""",
        owner,
    )
    assert answer == {
        "overview": {"summary": {"totalDurationSeconds": 4_000_000_000, "avgDurationSeconds": 2_000_000_000}},
        "timeseries": {
            "data": [{"totalDurationSeconds": 4_000_000_000}],
            "columns": {"totalDurationSeconds": [4_000_000_000]},
        },
    }
    assert (await gateway.rest("overview", owner))["summary"]["total_duration_seconds"] == 4_000_000_000


async def test_ties_are_rounded_up_on_their_whole_way(gateway: Running, given: Given) -> None:
    """One meeting in 2,000 calls is 0.05 %, shown as 0.1; 2.5 s are shown as 3, 0.00005 as 0.0001."""
    agency = await given.agency()
    owner = await given.user(agency)
    await given.calls(agency, 1_998, status="failed", answered=False)
    await given.call(agency, disposition="appointment_booked", duration_seconds=2, talk_ratio=0)
    await given.call(agency, disposition="wrong_number", duration_seconds=3, talk_ratio=Decimal("0.0001"))
    answer = await gateway.rest("overview", owner)
    assert answer["summary"]["overall_conversion_rate"] == 0.1
    assert answer["summary"]["avg_duration_seconds"] == 3
    assert answer["quality"]["avg_talk_ratio"] == 0.0001
