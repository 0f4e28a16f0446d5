"""What is selected of a report, through everything that GraphQL allows between a query and its fields."""

from typing import Any

import pytest
import strawberry
from strawberry.schema.config import StrawberryConfig

from resolvers.campaigns import Campaigns
from resolvers.filters import DateRange
from resolvers.funnel import Funnel
from resolvers.heatmap import Heatmap
from resolvers.measures import metrics_shown
from resolvers.metrics import TIMESERIES_METRICS
from resolvers.objections import Objections
from resolvers.overview import Overview
from resolvers.quality import Quality
from resolvers.scalars import SCALARS
from resolvers.selection import Wanted, everything, selected
from resolvers.timeseries import Timeseries
from tests.given import Given
from tests.running import Running

REPORTS = (Overview, Timeseries, Funnel, Campaigns, Quality, Heatmap, Objections)


def wanted(document: str, **variables: Any) -> dict[str, set[str]]:
    """What is found to be selected of the report that this document asks for."""
    found: list[Wanted] = []

    @strawberry.type
    class Query:
        @strawberry.field
        def overview(self, info: strawberry.Info) -> Overview | None:
            found.append(selected(Overview, info.selected_fields))
            return None

        @strawberry.field
        def quality(self, info: strawberry.Info) -> Quality | None:
            found.append(selected(Quality, info.selected_fields))
            return None

    schema = strawberry.Schema(query=Query, config=StrawberryConfig(scalar_map=dict(SCALARS)))
    result = schema.execute_sync(document, variable_values=variables)
    assert result.errors is None
    (only,) = found
    return {name: set(metrics) for name, metrics in only.items()}


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("summary { totalCalls }", {"summary": {"total_calls"}}),
        ("summary { totalCalls contactRate }", {"summary": {"total_calls", "contact_rate"}}),
        ("summary { any: totalCalls other: totalCalls }", {"summary": {"total_calls"}}),
        ("summary { totalCalls } summary { failedCalls }", {"summary": {"total_calls", "failed_calls"}}),
        ("one: summary { totalCalls } two: summary { failedCalls }", {"summary": {"total_calls", "failed_calls"}}),
        ("period { label }", {"period": set()}),
        ("summary { __typename }", {"summary": set()}),
        ("__typename", {}),
        ("dispositionBreakdown { voicemail }", {"disposition_breakdown": {"voicemail_calls"}}),
        (
            "quality { totalObjectionsEncountered } toolUsage { smsSent }",
            {"quality": {"objections_encountered"}, "tool_usage": {"sms_sent"}},
        ),
        ("... { summary { totalCalls } }", {"summary": {"total_calls"}}),
        ("... on Overview { summary { ... on OverviewSummary { ... { totalCalls } } } }", {"summary": {"total_calls"}}),
        ("summary { totalCalls failedCalls @skip(if: true) }", {"summary": {"total_calls"}}),
        ("summary { totalCalls failedCalls @skip(if: false) }", {"summary": {"total_calls", "failed_calls"}}),
        ("summary { totalCalls failedCalls @include(if: false) }", {"summary": {"total_calls"}}),
        ("summary { failedCalls @include(if: true) @skip(if: true) totalCalls }", {"summary": {"total_calls"}}),
        ("summary @skip(if: true) { totalCalls } toolUsage { smsSent }", {"tool_usage": {"sms_sent"}}),
        ("toolUsage { smsSent } ... @include(if: false) { summary { totalCalls } }", {"tool_usage": {"sms_sent"}}),
    ],
)
def test_what_is_selected_of_the_overview(selection: str, expected: dict[str, set[str]]) -> None:
    assert wanted(f"{{ overview {{ {selection} }} }}") == expected


def test_fragments_are_followed_however_deep_and_may_be_skipped() -> None:
    document = """
        query($with: Boolean = true, $without: Boolean!) {
            overview { ...parts ...more @skip(if: $without) summary { failedCalls @include(if: $with) } }
        }
        fragment parts on Overview { summary { ...figures } }
        fragment figures on OverviewSummary { totalCalls ...rates }
        fragment rates on OverviewSummary { contactRate }
        fragment more on Overview { toolUsage { smsSent } }
    """
    figures = {"total_calls", "contact_rate", "failed_calls"}
    assert wanted(document, without=True) == {"summary": figures}
    assert wanted(document, without=False) == {"summary": figures, "tool_usage": {"sms_sent"}}
    assert wanted(document, without=True, **{"with": False}) == {"summary": {"total_calls", "contact_rate"}}


def test_a_report_asked_for_in_two_places_is_selected_in_both() -> None:
    document = "{ overview { summary { totalCalls } } overview { toolUsage { smsSent } } }"
    assert wanted(document) == {"summary": {"total_calls"}, "tool_usage": {"sms_sent"}}


def test_metrics_of_nested_types_belong_to_the_part_that_holds_them() -> None:
    document = (
        "{ quality { quality { avgTalkRatio sentimentDistribution { positivePct } } trend { date interruptions } } }"
    )
    assert wanted(document) == {
        "quality": {"avg_talk_ratio", "positive_sentiment_pct"},
        "trend": {"total_interruptions"},
    }


@pytest.mark.parametrize("report", REPORTS)
def test_everything_is_every_part_with_all_the_metrics_it_shows(report: type) -> None:
    whole = everything(report)
    assert frozenset().union(*whole.values()) == metrics_shown(report)
    assert whole.get("period", frozenset()) == frozenset()


def test_everything_of_the_timeseries_is_its_33_metrics_in_either_shape() -> None:
    whole = everything(Timeseries)
    assert whole["data"] == whole["columns"] == frozenset(TIMESERIES_METRICS)
    assert set(whole) == {"period", "data", "columns"}


def test_a_type_without_metrics_shows_none() -> None:
    assert metrics_shown(DateRange) == frozenset()


async def test_every_way_to_select_has_its_numbers_in_the_answer(gateway: Running, given: Given) -> None:
    """What is selected and not read would fail; so each way is asked for with calls there."""
    agency = await given.agency()
    owner = await given.user(agency)
    await given.calls(agency, 2, sms_sent=1)
    document = """
        query($yes: Boolean = true, $no: Boolean! = false, $unset: Boolean! = true) {
            overview {
                __typename
                figures: summary { ...figures sent: totalCalls }
                summary { failedCalls @skip(if: $yes) meetingsBooked @include(if: $unset) }
                ... on Overview @include(if: $yes) { toolUsage { smsSent } }
                ... @skip(if: $yes) { quality { avgTalkRatio } }
                ...parts @include(if: $no)
            }
            again: overview { quality { __typename totalInterruptions } }
        }
        fragment figures on OverviewSummary { completedCalls }
        fragment parts on Overview { dispositionBreakdown { voicemail } }
    """
    assert await gateway.graphql(document, owner) == {
        "overview": {
            "__typename": "Overview",
            "figures": {"completedCalls": 2, "sent": 2},
            "summary": {"meetingsBooked": 0},
            "toolUsage": {"smsSent": 2},
        },
        "again": {"quality": {"__typename": "OverviewQuality", "totalInterruptions": 0}},
    }
