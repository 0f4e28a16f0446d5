"""Which days a period means, and what is no question at all."""

from datetime import date, timedelta
from uuid import uuid4

import pytest

from resolvers.errors import BadFilter
from resolvers.filters import (
    LONGEST_RANGE_DAYS,
    CampaignsFilters,
    DateRange,
    Filters,
    HeatmapFilters,
    HeatmapPeriod,
    Period,
    ReportFilters,
)

TODAY = date(2026, 2, 16)


@pytest.mark.parametrize(
    ("period", "first"),
    [
        (Period.TODAY, date(2026, 2, 16)),
        (Period.LAST_7_DAYS, date(2026, 2, 10)),
        (Period.LAST_30_DAYS, date(2026, 1, 18)),
        (Period.LAST_90_DAYS, date(2025, 11, 19)),
    ],
)
def test_a_period_is_that_many_days_counting_today(period: Period, first: date) -> None:
    filters = Filters.of(period, today=TODAY)
    assert (filters.period, filters.first_day, filters.last_day) == (period, first, TODAY)
    assert DateRange.of(filters) == DateRange(start_date=first, end_date=TODAY)


def test_periods_pass_over_the_leap_day() -> None:
    assert Filters.of(Period.LAST_7_DAYS, today=date(2028, 3, 2)).first_day == date(2028, 2, 25)
    assert Filters.of(Period.LAST_7_DAYS, today=date(2027, 3, 2)).first_day == date(2027, 2, 24)


def test_a_custom_period_is_its_days_both_included_whatever_today_is() -> None:
    start, end = date(2024, 2, 29), date(2030, 1, 1)
    filters = Filters.of(Period.CUSTOM, today=TODAY, start_date=start, end_date=start)
    assert (filters.first_day, filters.last_day) == (start, start)
    future = Filters.of(Period.CUSTOM, today=TODAY, start_date=end, end_date=end)
    assert (future.first_day, future.last_day) == (end, end)


def test_the_longest_custom_period_is_1096_days() -> None:
    longest = Filters.of(
        Period.CUSTOM, today=TODAY, start_date=TODAY - timedelta(days=LONGEST_RANGE_DAYS - 1), end_date=TODAY
    )
    assert (longest.last_day - longest.first_day).days + 1 == LONGEST_RANGE_DAYS == 1_096
    with pytest.raises(BadFilter, match="longer than 1,096 days"):
        Filters.of(Period.CUSTOM, today=TODAY, start_date=longest.first_day - timedelta(days=1), end_date=TODAY)
    with pytest.raises(BadFilter, match="longer than"):
        Filters.of(Period.CUSTOM, today=TODAY, start_date=date.min, end_date=date.max)


@pytest.mark.parametrize(("start", "end"), [(None, None), (TODAY, None), (None, TODAY)])
def test_a_custom_period_needs_both_its_days(start: date | None, end: date | None) -> None:
    with pytest.raises(BadFilter, match="both"):
        Filters.of(Period.CUSTOM, today=TODAY, start_date=start, end_date=end)


def test_a_custom_period_does_not_run_backwards() -> None:
    with pytest.raises(BadFilter, match="2026-02-16 lies after the end date 2026-02-15"):
        Filters.of(Period.CUSTOM, today=TODAY, start_date=TODAY, end_date=TODAY - timedelta(days=1))


def test_days_given_with_another_period_are_not_read_where_the_caller_is_lenient() -> None:
    filters = Filters.of(Period.TODAY, today=TODAY, start_date=date(2020, 1, 1), end_date=date(2019, 1, 1))
    assert (filters.first_day, filters.last_day) == (TODAY, TODAY)


@pytest.mark.parametrize(
    "given", [{"start_date": TODAY}, {"end_date": TODAY}, {"start_date": TODAY, "end_date": TODAY}]
)
def test_days_given_with_another_period_are_refused_where_the_caller_is_strict(given: dict[str, date]) -> None:
    with pytest.raises(BadFilter, match="period: CUSTOM only"):
        ReportFilters(**given).resolve(TODAY)
    assert ReportFilters(period=Period.CUSTOM, start_date=TODAY, end_date=TODAY).resolve(TODAY).first_day == TODAY


def test_what_is_not_said_is_seven_days_and_thirty_for_campaigns_and_the_heatmap() -> None:
    assert ReportFilters().resolve(TODAY).first_day == date(2026, 2, 10)
    assert CampaignsFilters().resolve(TODAY).first_day == date(2026, 1, 18)
    assert HeatmapFilters().resolve(TODAY).first_day == date(2026, 1, 18)


def test_the_heatmaps_periods_are_those_of_whole_weeks_and_more() -> None:
    assert {period.name for period in HeatmapPeriod} == {"LAST_7_DAYS", "LAST_30_DAYS", "LAST_90_DAYS"}
    for period in HeatmapPeriod:
        filters = HeatmapFilters(period=period).resolve(TODAY)
        assert filters == Filters.of(Period[period.name], today=TODAY)


def test_campaign_and_client_are_handed_on_and_equal_questions_are_equal() -> None:
    campaign, client = uuid4(), uuid4()
    for kind in (ReportFilters, CampaignsFilters, HeatmapFilters):
        filters = kind(campaign_id=campaign, client_id=client).resolve(TODAY)
        assert (filters.campaign_id, filters.client_id) == (campaign, client)
    one, same = (Filters.of(Period.TODAY, today=TODAY, campaign_id=campaign) for _ in range(2))
    assert one == same
    assert hash(one) == hash(same)
    assert one != Filters.of(Period.TODAY, today=TODAY, client_id=campaign)
