"""Decides how a call ended and what came of it."""

from collections.abc import Sequence

from enrichment.analysers.reading import Reading
from enrichment.analysers.rules import names
from enrichment.analysis import BuyingSignal, Disposition
from enrichment.transcripts import Speaker

_FAREWELLS = 2
"""So many of the user's turns may follow on what ended the call."""

_HARDLY_A_REPLY = 3
"""So many words after a mailbox has spoken are the mailbox still ("Beep.", "Thank you, goodbye.")."""


def disposition(call: Reading, end_reason: str | None, *, support: bool) -> Disposition:
    """How the call ended: the first that holds, in the order of what must not be got wrong.

    Somebody who called for `support` is offered nothing that they could agree to, turn down or keep others from.
    """
    # An agent that grants a wish tells that it was uttered, in whatever words.
    if call.find("outcome.dnc") or (call.user_spoke and _ended_with(call, "agent.removes") >= 0):
        return Disposition.DNC_REQUESTED
    wrong = ("outcome.wrong_number", "agent.apologises_for_number")
    if call.user_spoke and not support and _ended_with(call, *wrong) >= 0:
        return Disposition.WRONG_NUMBER
    if _is_voicemail(call, end_reason):
        return Disposition.VOICEMAIL
    if not call.user_spoke:
        return Disposition.NO_ANSWER
    if not support and _is_booked(call):
        return Disposition.APPOINTMENT_BOOKED
    if not support and _is_blocked(call):
        return Disposition.GATEKEEPER_BLOCKED
    refused, called_back = -1 if support else _ended_with(call, "outcome.refuses"), _callback(call)
    if called_back > refused:
        return Disposition.CALLBACK_REQUESTED
    if not support:
        refused = max(refused, _last_denial(call))
    # Who listens again after a refusal has not ended the call with it.
    return Disposition.NOT_INTERESTED if refused > call.last_turn("outcome.comes_round") else Disposition.CONVERSATION


def _ended_with(call: Reading, *rules: str) -> int:
    """The last turn that says one of these; -1 if the call went on after it, which makes it no more than a remark."""
    return _if_final(call, call.last_turn(*rules))


def _if_final(call: Reading, turn: int) -> int:
    """The turn, if no more than farewells follow it; else -1."""
    return turn if call.sides[turn + 1 :].count(Speaker.USER) <= _FAREWELLS else -1


def _last_denial(call: Reading) -> int:
    """The last of the user's closing turns that denies something, where that cannot be but the offer; -1 if none does.

    A date, a question or a fault of theirs is denied without turning the offer down.
    """
    about_else = call.last("agent.offers_meeting", "agent.asks", "agent.fixes")
    remarks = [f"{table}.{name}" for table in ("objections", "signals") for name in names(table)]
    told = call.last("outcome.pushes_back", "booking.withdraws", *remarks)
    closing = [turn for turn, side in enumerate(call.sides) if side is Speaker.USER][-_FAREWELLS:]
    denied = (
        turn
        for turn in closing
        if turn in call.last("outcome.denies") and turn not in told and turn - 1 not in about_else
    )
    return max(denied, default=-1)


def _is_voicemail(call: Reading, end_reason: str | None) -> bool:
    """Whether the user's side is a machine: the platform says so, or it speaks like one and nobody comes after it."""
    if end_reason and ("voicemail" in end_reason.lower() or "machine" in end_reason.lower()):
        return True
    greeting = call.run(0, Speaker.USER)
    spoken = [one for one in call.said[Speaker.USER] if len(one.plain.split()) > _HARDLY_A_REPLY]
    # Whoever speaks first and then no more may be a machine: its words, or the agent's, tell.
    fell_silent = greeting.start == 0 and bool(spoken) and all(one.turn in greeting for one in spoken)
    if fell_silent and (call.find("outcome.perhaps_machine") or call.find("agent.leaves_message")):
        return True
    mailbox = call.last_turn("outcome.machine")
    return mailbox >= 0 and all(one.turn <= mailbox for one in spoken)


def _is_blocked(call: Reading) -> bool:
    """Whether the user keeps the agent from somebody else, by what either of them says, and does not give in later."""
    denies = call.last("outcome.denies")
    refused = (
        reply
        for turn in call.last("agent.seeks_another")
        for reply in call.run(turn + 1, Speaker.USER)
        if reply in denies
    )
    blocked = _if_final(call, max(call.last_turn("outcome.blocks"), *refused, -1))
    return blocked > call.last_turn("outcome.connects")


def _is_booked(call: Reading) -> bool:
    """Whether the user agreed to a time that either side named, and did not take it back later."""
    offers, confirms = call.last("agent.offers_meeting"), call.last("agent.confirms_meeting")
    offers_callback, asks_callback = call.last("agent.offers_callback"), call.last("outcome.callback")
    yes, agrees = call.last("booking.accepts", "booking.agrees"), call.last("booking.agrees")
    no, takes_back = call.last("booking.declines"), call.last("booking.withdraws", "outcome.refuses")
    proposes, settles = call.last("booking.proposes"), call.last("agent.names_time")
    doubts = {*call.last("outcome.denies", "outcome.refuses", "outcome.pushes_back")}
    doubts |= {sentence.turn for sentence in call.said[Speaker.USER] if "?" in sentence.said}

    booked = offered = just_offered = asked = proposed = about_callback = False
    for turn, side in enumerate(call.sides):
        if side is Speaker.AGENT:
            about_callback = turn not in offers and (about_callback or turn in offers_callback)
            if about_callback:
                offered = proposed = False
            elif turn in offers or turn in confirms:
                offered, just_offered, asked = True, True, asked or turn in offers
            booked = booked or (proposed and (turn in confirms or turn in settles))
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
            # What answers an offer and is no doubt, an agent that confirms after it has heard as a yes.
            taken = asked and offered and turn not in doubts
            proposed = (proposed and turn not in no) or taken or proposes.get(turn, -1) > refusal
        just_offered = asked = False
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
    return max(_ended_with(call, "outcome.callback", "agent.promises_callback"), *agreed, -1)


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
