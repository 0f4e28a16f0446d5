"""The metric catalogue: what every number means, in what unit, and how it follows from the counters.

A counter is what `call_counts` (in the migrations) says one call adds; nothing here defines one anew. Everything else
is one sum over another, divided after adding up, so an answer is never an average of averages.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation
from functools import cached_property
from typing import Literal

Unit = Literal["calls", "seconds", "percent", "share", "per call", "count"]
Number = int | float
Sums = Mapping[str, int | Decimal]
"""What the counters of a set of calls add up to, by the counter's name."""

_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[InvalidOperation, DivisionByZero, Inexact])
"""Decimals of any length, unrounded: a ratio may have thousands of digits, and Python's own context keeps 28."""
_multiply_and_add, _cut = _EXACT.fma, _EXACT.divide_int  # which cuts towards zero


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A definition. `sums` names the columns of `call_counts` that its value follows from."""

    name: str
    sentence: str
    unit: Unit

    @property
    def sums(self) -> tuple[str, ...]:
        """The columns to add up."""
        raise NotImplementedError

    def value(self, sums: Sums) -> Number | None:
        """The measure for what the columns add up to; None where there is nothing to divide by."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Counter(Metric):
    """Adds up over calls."""

    unit: Unit = "calls"

    @property
    def sums(self) -> tuple[str, ...]:
        return (self.name,)

    def value(self, sums: Sums) -> int:
        return int(sums[self.name])


@dataclass(frozen=True, kw_only=True)
class Quotient(Metric):
    """One sum over another. `over` may name several counters, which are added first."""

    of: str
    over: tuple[str, ...]
    digits: int
    scale: int = 1

    @property
    def sums(self) -> tuple[str, ...]:
        return (self.of, *self.over)

    @cached_property
    def _tens(self) -> int:
        return int(10**self.digits)

    @cached_property
    def _units(self) -> int:
        """Of the last digit shown, in a whole."""
        return self.scale * self._tens

    @cached_property
    def _half_units(self) -> Decimal:
        """Of half the last digit shown, in a whole."""
        return Decimal(2 * self._units)

    def value(self, sums: Sums) -> Number | None:
        part, divisor = sums[self.of], sums[self.over[0]]
        if len(self.over) > 1:
            divisor = sum([sums[name] for name in self.over])
        if not divisor:
            return None
        if part.__class__ is int and divisor.__class__ is int and part >= 0 and divisor > 0:
            # Half up, in whole numbers: many times faster.
            rounded: int = (2 * part * self._units + divisor) // (2 * divisor)
        else:
            rounded = _rounded(Decimal(part), int(divisor), self._half_units)
        # Of two whole numbers this is the float nearest to the decimal.
        return rounded / self._tens if self.digits else rounded


def _rounded(part: Decimal, count: int, half_units: Decimal) -> int:
    """What each has, in units: rounded once, ties away from zero, with nothing inexact before."""
    half = -count if part.is_signed() else count
    return int(_cut(_multiply_and_add(part, half_units, half), 2 * count))


@dataclass(frozen=True, kw_only=True)
class Percentage(Quotient):
    """A part of a whole, 0 to 100, one decimal."""

    unit: Unit = "percent"
    digits: int = 1
    scale: int = 100


@dataclass(frozen=True, kw_only=True)
class Mean(Quotient):
    """A mean over calls; `over` is its weight, the number of calls that have a value."""


def _share(name: str, sentence: str, counter: str) -> Mean:
    return Mean(name=name, sentence=sentence, unit="share", of=f"{counter}_sum", over=(f"{counter}_calls",), digits=4)


SENTIMENTS = ("positive_sentiment_calls", "neutral_sentiment_calls", "negative_sentiment_calls")

_CATALOGUE: tuple[Metric, ...] = (
    # The 33 of the timeseries, in the documented order.
    Counter(name="total_calls", sentence="Calls placed or received."),
    Counter(name="completed_calls", sentence="Calls that ended with status `completed`."),
    Counter(name="failed_calls", sentence="Calls that ended with status `failed`."),
    Counter(
        name="connected_calls",
        sentence="Calls that a person answered: someone joined, and it was neither voicemail nor no answer.",
    ),
    Counter(
        name="conversations_had",
        sentence="Connected calls that became a conversation: a conversation, an appointment, a requested callback "
        "or a declined offer.",
    ),
    Counter(name="meetings_booked", sentence="Conversations that ended with an appointment."),
    Counter(name="qualified_leads", sentence="Conversations with a qualified lead, booked meetings included."),
    Counter(name="total_duration_seconds", sentence="Length of the completed calls together.", unit="seconds"),
    Mean(
        name="avg_duration_seconds",
        sentence="Mean length of a completed call.",
        unit="seconds",
        of="total_duration_seconds",
        over=("completed_calls",),
        digits=0,
    ),
    Counter(name="inbound_calls", sentence="Calls that came in."),
    Counter(name="outbound_calls", sentence="Calls that went out."),
    Counter(name="positive_sentiment_calls", sentence="Calls whose analysis found a positive sentiment."),
    Counter(name="neutral_sentiment_calls", sentence="Calls whose analysis found a neutral sentiment."),
    Counter(name="negative_sentiment_calls", sentence="Calls whose analysis found a negative sentiment."),
    Counter(name="objections_encountered", sentence="Objections raised in calls.", unit="count"),
    Counter(name="issues_resolved", sentence="Calls in which the caller's issue was resolved."),
    Counter(name="escalations", sentence="Calls that were escalated to a person."),
    Counter(name="voicemail_calls", sentence="Calls that reached a voicemail."),
    Counter(name="callback_requested_calls", sentence="Calls in which a callback was requested."),
    Counter(name="not_interested_calls", sentence="Calls in which the offer was declined."),
    Counter(name="wrong_number_calls", sentence="Calls that reached a wrong number."),
    Counter(name="dnc_requested_calls", sentence="Calls in which the person asked not to be called again."),
    Counter(name="gatekeeper_blocked_calls", sentence="Calls that a gatekeeper did not put through."),
    Counter(name="no_answer_calls", sentence="Calls that nobody answered."),
    Counter(name="conversation_calls", sentence="Calls with the disposition `conversation`."),
    _share("avg_talk_ratio", "Mean share of a completed call in which the agent talks, 0 to 1.", "talk_ratio"),
    _share("avg_listen_ratio", "Mean share of a completed call in which the agent listens, 0 to 1.", "listen_ratio"),
    Counter(name="total_interruptions", sentence="Interruptions in calls.", unit="count"),
    _share("avg_script_adherence", "Mean adherence of completed calls to their script, 0 to 1.", "script_adherence"),
    Counter(name="total_objections_handled", sentence="Objections that were handled.", unit="count"),
    Counter(name="total_buying_signals", sentence="Buying signals noticed in calls.", unit="count"),
    Counter(name="emails_sent", sentence="E-mails sent during calls.", unit="count"),
    Counter(name="sms_sent", sentence="Text messages sent during calls.", unit="count"),
    # What follows from them.
    Percentage(
        name="contact_rate", sentence="Connected calls, of all calls.", of="connected_calls", over=("total_calls",)
    ),
    Percentage(
        name="overall_conversion_rate",
        sentence="Booked meetings, of all calls.",
        of="meetings_booked",
        over=("total_calls",),
    ),
    Percentage(
        name="connected_to_conversation",
        sentence="Conversations, of connected calls.",
        of="conversations_had",
        over=("connected_calls",),
    ),
    Percentage(
        name="conversation_to_qualified",
        sentence="Qualified leads, of conversations.",
        of="qualified_leads",
        over=("conversations_had",),
    ),
    Percentage(
        name="qualified_to_booked",
        sentence="Booked meetings, of qualified leads.",
        of="meetings_booked",
        over=("qualified_leads",),
    ),
    Percentage(
        name="positive_sentiment_pct",
        sentence="Calls with a positive sentiment, of calls with any.",
        of="positive_sentiment_calls",
        over=SENTIMENTS,
    ),
    Percentage(
        name="neutral_sentiment_pct",
        sentence="Calls with a neutral sentiment, of calls with any.",
        of="neutral_sentiment_calls",
        over=SENTIMENTS,
    ),
    Percentage(
        name="negative_sentiment_pct",
        sentence="Calls with a negative sentiment, of calls with any.",
        of="negative_sentiment_calls",
        over=SENTIMENTS,
    ),
    Mean(
        name="avg_interruptions_per_call",
        sentence="Interruptions for each completed call.",
        unit="per call",
        of="total_interruptions",
        over=("completed_calls",),
        digits=2,
    ),
    Percentage(
        name="objection_handling_rate",
        sentence="Objections handled, of those encountered.",
        of="total_objections_handled",
        over=("objections_encountered",),
    ),
)

METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _CATALOGUE}
TIMESERIES_METRICS = tuple(METRICS)[:33]
"""The names that the timeseries reports, in the documented order."""


def sums_of(metrics: Iterable[str]) -> frozenset[str]:
    """The columns to add up for these metrics."""
    return frozenset(name for metric in metrics for name in METRICS[metric].sums)


_ANY_PERCENTAGE = Percentage(name="", sentence="", of="part", over=("whole",))


def percentage(part: int, whole: int) -> float | None:
    """A part of a whole as every percentage is shown; None where there is no whole."""
    value = _ANY_PERCENTAGE.value({"part": part, "whole": whole})
    return None if value is None else float(value)
