"""Decides how a call ended and what came of it."""

from collections.abc import Sequence

from enrichment.analysers.reading import Reading
from enrichment.analysis import BuyingSignal, Disposition
from enrichment.transcripts import Speaker

_HARDLY_A_REPLY = 3
"""So many words after a mailbox has spoken are the mailbox still ("Beep.", "Thank you, goodbye.")."""


def disposition(call: Reading, end_reason: str | None) -> Disposition:
    """How the call ended: the first that holds, in the order of what must not be got wrong."""
    # An agent that grants a wish tells that it was uttered, in whatever words.
    answered = call.user_spoke
    if call.find("outcome.dnc") or (answered and call.find("agent.removes")):
        return Disposition.DNC_REQUESTED
    if call.find("outcome.wrong_number") or (answered and call.find("agent.apologises_for_number")):
        return Disposition.WRONG_NUMBER
    if _is_voicemail(call, end_reason):
        return Disposition.VOICEMAIL
    if not call.user_spoke:
        return Disposition.NO_ANSWER
    if _is_booked(call):
        return Disposition.APPOINTMENT_BOOKED
    if _is_blocked(call):
        return Disposition.GATEKEEPER_BLOCKED
    refused, called_back = call.last_turn("outcome.refuses"), _callback(call)
    if called_back > refused:
        return Disposition.CALLBACK_REQUESTED
    # Who listens again after a refusal has not ended the call with it.
    return Disposition.NOT_INTERESTED if refused > call.last_turn("outcome.comes_round") else Disposition.CONVERSATION


def _is_voicemail(call: Reading, end_reason: str | None) -> bool:
    """Whether the user's side is a machine: the platform says so, or it speaks like one and nobody comes after it."""
    if end_reason and ("voicemail" in end_reason.lower() or "machine" in end_reason.lower()):
        return True
    greeting = call.run(0, Speaker.USER)
    spoken = [sentence for sentence in call.user.sentences if len(sentence.plain.split()) > _HARDLY_A_REPLY]
    if call.find("outcome.perhaps_machine") and greeting.start == 0:
        return all(sentence.turn in greeting for sentence in spoken)
    mailbox = call.last_turn("outcome.machine")
    return mailbox >= 0 and all(sentence.turn <= mailbox for sentence in spoken)


def _is_blocked(call: Reading) -> bool:
    """Whether the user keeps the agent from somebody else, by what either of them says, and does not give in later."""
    denies = call.last("outcome.denies")
    refused = (
        reply
        for turn in call.last("agent.seeks_another")
        for reply in call.run(turn + 1, Speaker.USER)
        if reply in denies
    )
    return max(call.last_turn("outcome.blocks"), *refused, -1) > call.last_turn("outcome.connects")


def _is_booked(call: Reading) -> bool:
    """Whether the user agreed to a time that either side named, and did not take it back later."""
    offers, confirms = call.last("agent.offers_meeting"), call.last("agent.confirms_meeting")
    offers_callback, asks_callback = call.last("agent.offers_callback"), call.last("outcome.callback")
    yes, agrees = call.last("booking.accepts", "booking.agrees"), call.last("booking.agrees")
    no, takes_back = call.last("booking.declines"), call.last("booking.withdraws", "outcome.refuses")
    proposes = call.last("booking.proposes")

    denies, refused = call.last("outcome.denies"), call.last("outcome.refuses", "outcome.pushes_back")

    booked = offered = just_offered = proposed = about_callback = False
    for turn, side in enumerate(call.sides):
        if side is Speaker.AGENT:
            about_callback = turn not in offers and (about_callback or turn in offers_callback)
            if about_callback:
                offered = proposed = False
            elif turn in offers or turn in confirms:
                booked = booked or (proposed and turn in confirms)
                offered = just_offered = True
            continue
        # A turn may say several things ("No. Well, Thursday. Yes."): the last one counts.
        refusal = max(no.get(turn, -1), takes_back.get(turn, -1))
        if turn in asks_callback:
            about_callback, offered, proposed = True, False, False
        elif offered and (yes if just_offered else agrees).get(turn, -1) > refusal:
            booked = True
        elif turn in takes_back:
            booked = offered = proposed = False
        elif offered and turn in no:
            booked = offered = False
        if not about_callback:
            # Whatever else is said to an offer and is no denial, an agent that then confirms has taken for a yes.
            taken = offered and just_offered and turn not in denies and turn not in refused
            proposed = (proposed and turn not in no) or taken or proposes.get(turn, -1) > refusal
        just_offered = False
    return booked


def _callback(call: Reading) -> int:
    """The last turn in which the user asked to be called again, or let the agent promise it; -1 if they did not."""
    yes, no = call.last("booking.accepts", "booking.agrees", "booking.proposes"), call.last("booking.declines")
    agreed = (
        reply
        for turn in call.last("agent.offers_callback")
        for reply in call.run(turn + 1, Speaker.USER)
        if yes.get(reply, -1) > no.get(reply, -1)
    )
    return max(call.last_turn("outcome.callback", "agent.promises_callback"), *agreed, -1)


def is_qualified_lead(call: Reading, ended: Disposition, signals: Sequence[BuyingSignal]) -> bool:
    """Whether the user booked, or has a need and one of budget, authority and timing."""
    if ended is Disposition.APPOINTMENT_BOOKED:
        return True
    shown = {signal.text for signal in signals}
    need = "Mentioned current pain" in shown or call.find("lead.need")
    means = "Shared budget" in shown or call.find("lead.authority") or call.find("lead.timing")
    return bool(need and means)


def is_resolved(call: Reading) -> bool:
    """Whether the user, asked about a fault or told that it is mended, says so, and does not complain after that."""
    confirms, complains = call.last("support.resolved"), call.last("support.unresolved")
    replies = {reply for turn in call.last("agent.fixes") for reply in call.run(turn + 1, Speaker.USER)}
    confirmed = max((place for turn, place in confirms.items() if turn in replies), default=-1)
    return confirmed > max(complains.values(), default=-1)


def is_escalated(call: Reading) -> bool:
    """Whether the agent hands the matter to somebody else, or offers to and the user accepts."""
    accepts = call.last("booking.accepts", "booking.agrees")
    return bool(call.find("agent.hands_over")) or any(
        reply in accepts for turn in call.last("agent.offers_handover") for reply in call.run(turn + 1, Speaker.USER)
    )
