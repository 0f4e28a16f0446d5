"""Understands a call without asking anybody: phrase rules, a dictionary of feelings, and the clock."""

from collections.abc import Sequence

from enrichment.analysers.feelings import sentiment
from enrichment.analysers.outcome import disposition, is_escalated, is_qualified_lead, is_resolved
from enrichment.analysers.reading import Reading
from enrichment.analysers.remarks import buying_signals, objections
from enrichment.analysis import BuyingSignal, CallAnalysis, Conversation, Disposition, Objection, Understanding
from enrichment.screening import screen
from enrichment.timings import measure

_STEPS = ("agent.introduced", "agent.purpose", "agent.asks", "agent.next_step", "agent.goodbye")
_NOBODY_THERE = frozenset({Disposition.NO_ANSWER, Disposition.VOICEMAIL})

_OUTCOMES = {
    Disposition.VOICEMAIL: "Reached a mailbox.",
    Disposition.CALLBACK_REQUESTED: "Asked to be called again.",
    Disposition.NOT_INTERESTED: "Turned the offer down.",
    Disposition.WRONG_NUMBER: "The number does not belong to the person who was to be reached.",
    Disposition.DNC_REQUESTED: "Asked not to be called again.",
    Disposition.GATEKEEPER_BLOCKED: "Was not put through to the person who was to be reached.",
    Disposition.NO_ANSWER: "Nobody answered.",
    Disposition.CONVERSATION: "Talked with the agent; no appointment was made.",
    Disposition.APPOINTMENT_BOOKED: "Agreed to an appointment.",
}


class EmbeddedAnalyser:
    """An Analyser that needs no network and no key. The same call always gives the same analysis."""

    analyzed_by = "embedded/1"

    async def analyse(self, conversation: Conversation) -> CallAnalysis:
        """The analysis, worked out at once: a few milliseconds in which nothing else runs. It never fails."""
        return CallAnalysis(
            understanding=_understand(conversation),
            timings=measure(conversation.transcript),
            analyzed_by=self.analyzed_by,
        )

    async def close(self) -> None:
        """Holds nothing that could be given back."""


def _understand(conversation: Conversation) -> Understanding:
    call = Reading(screen(conversation.transcript))
    support = conversation.inbound and bool(call.find("agent.fixes") or call.find("agent.hands_over"))
    ended = disposition(call, conversation.end_reason, support=support)
    # A machine has no opinion, and a caller with a fault complains about what they have, not about an offer.
    against, signals = ((), ()) if support or ended in _NOBODY_THERE else (objections(call), buying_signals(call))
    resolved, escalated = is_resolved(call), is_escalated(call)
    return Understanding(
        disposition=ended,
        sentiment=sentiment(call),
        script_adherence=None if ended in _NOBODY_THERE else _adherence(call),
        objections=against,
        buying_signals=signals,
        is_qualified_lead=is_qualified_lead(call, ended, signals),
        issue_resolved=resolved,
        escalated=escalated,
        summary=_summary(ended, against, signals, resolved=resolved, escalated=escalated),
    )


def _adherence(call: Reading) -> float:
    """The share of the script's steps that the agent took."""
    return sum(bool(call.find(step)) for step in _STEPS) / len(_STEPS)


def _summary(
    ended: Disposition,
    against: Sequence[Objection],
    signals: Sequence[BuyingSignal],
    *,
    resolved: bool,
    escalated: bool,
) -> str:
    """One or two sentences made of the other facts alone, so that nothing anybody says can speak through them."""
    if escalated:
        outcome = "Had a matter that was handed to a colleague."
    elif resolved:
        outcome = "Had a matter that was solved during the call."
    else:
        outcome = _OUTCOMES[ended]
    details = []
    if against:
        details.append(f'objected "{against[0].text}"' + (", which was answered" if against[0].handled else ""))
    if signals:
        details.append(f"showed interest ({', '.join(signal.text for signal in signals)})")
    return f"{outcome} They {' and '.join(details)}." if details else outcome
