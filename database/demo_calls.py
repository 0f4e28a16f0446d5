"""Invents the calls of one campaign: what the platform records of each, and the story that its transcript will tell."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple
from uuid import UUID

from database.demo_plan import DAYS, RHYTHMS, Campaign, Client
from database.demo_scripts import OBJECTIONS, SIGNALS, Remark

# Younger calls are left to `ongoing`: whatever is older has ended before now.
SETTLED = timedelta(minutes=15)
LONGEST_SECONDS = 720
FAILING = 0.095
"""The share of calls that fail on an ordinary day."""
# A day of trouble with the line, and the first weeks, which were brought over from the platform's history.
INCIDENT_DAY = 66
HISTORICAL_DAYS = 20
# How much likelier than on average a conversation of that hour (UTC) leads to a meeting.
HOUR_OF_DAY = {13: 1.25, 14: 1.4, 15: 1.35, 16: 1.2, 17: 0.85, 18: 0.75, 21: 0.85, 22: 0.7, 23: 0.6}


@dataclass(slots=True)
class Story:
    """How a call that was answered goes. None of it is stored: the analysis has to find it in the transcript.

    `talk` and `listen` are the shares of the call in which the agent and the other side speak. `skipped` are steps of
    the script that the agent leaves out.
    """

    disposition: str
    sentiment: str = "neutral"
    talk: float = 0.5
    listen: float = 0.3
    interruptions: int = 0
    objections: list[tuple[Remark, bool]] = field(default_factory=list)
    signals: list[Remark] = field(default_factory=list)
    skipped: frozenset[str] = frozenset()
    resolved: bool = False
    escalated: bool = False


@dataclass(slots=True)
class Call:
    """A row of `calls` as the platform writes it: the fields are its columns, but for the story."""

    id: UUID
    agency_id: UUID
    client_id: UUID | None
    campaign_id: UUID | None
    ultravox_call_id: str
    direction: str
    started_at: datetime
    created_at: datetime
    updated_at: datetime
    batch_id: UUID | None = None
    source: str = "webhook"
    status: str = "completed"
    joined_at: datetime | None = None
    ended_at: datetime | None = None
    duration_seconds: int | None = None
    end_reason: str | None = None
    has_recording: bool = False
    transcript: list[dict[str, object]] | None = None
    emails_sent: int = 0
    sms_sent: int = 0
    story: Story | None = field(default=None, metadata={"column": False})


class Outcome(NamedTuple):
    """How calls of one disposition go: talking seconds (median, spread), how often each thing happens."""

    seconds: float
    spread: float
    sentiment: tuple[float, float, float] = (0, 0, 0)
    objections: tuple[float, ...] = (1,)
    handled: float = 0
    signals: tuple[float, ...] = (1,)
    email: float = 0
    sms: float = 0
    agent_hangs_up: float = 0.2


OUTCOMES = {
    "no_answer": Outcome(0, 0),
    "voicemail": Outcome(27, 0.35, sms=0.2, agent_hangs_up=0.95),
    "wrong_number": Outcome(24, 0.35, (0, 0.88, 0.12)),
    "gatekeeper_blocked": Outcome(44, 0.45, (0.04, 0.8, 0.16), (0.7, 0.3), 0.1),
    "dnc_requested": Outcome(30, 0.45, (0, 0.22, 0.78), (0.6, 0.4), 0.05, agent_hangs_up=0.1),
    "not_interested": Outcome(74, 0.5, (0.05, 0.52, 0.43), (0.2, 0.5, 0.23, 0.07), 0.34, email=0.06),
    "callback_requested": Outcome(95, 0.45, (0.28, 0.63, 0.09), (0.55, 0.36, 0.09), 0.62, (0.62, 0.3, 0.08), 0.18, 0.4),
    "conversation": Outcome(
        160, 0.5, (0.42, 0.48, 0.1), (0.46, 0.36, 0.14, 0.04), 0.66, (0.45, 0.36, 0.15, 0.04), 0.3, 0.1, 0.4
    ),
    "appointment_booked": Outcome(
        265, 0.35, (0.84, 0.15, 0.01), (0.4, 0.4, 0.2), 0.93, (0.04, 0.34, 0.4, 0.22), 0.88, 0.45, 0.7
    ),
}
CONVERSATIONS = ("conversation", "callback_requested", "not_interested")
# What the agent may leave out of its script.
STEPS = ("purpose", "questions", "goodbye")
TALKED = (*CONVERSATIONS, "appointment_booked", "gatekeeper_blocked", "dnc_requested")


def new_id(rng: Random) -> UUID:
    return UUID(int=rng.getrandbits(128), version=4)


def pick(rng: Random, weights: dict[str, float]) -> str:
    return rng.choices(tuple(weights), tuple(weights.values()))[0]


@dataclass(frozen=True, slots=True)
class Caller:
    """One campaign at work: knows whose calls these are and how they tend to end."""

    rng: Random
    agency_id: UUID
    client_id: UUID | None
    campaign_id: UUID | None
    campaign: Campaign
    client: Client
    historical: bool

    def calls(self, first_midnight: datetime, now: datetime) -> Iterator[Call]:
        """The campaign's settled calls, day by day."""
        rng, rhythm = self.rng, RHYTHMS[self.campaign.rhythm]
        for day in range(self.campaign.first_day, self.campaign.last_day + 1):
            midnight = first_midnight + timedelta(days=day)
            growth = 0.84 + 0.32 * day / DAYS
            starting = min(1.0, 0.4 + 0.15 * (day - self.campaign.first_day))
            expected = self.campaign.volume * rhythm.weekdays[midnight.weekday()] * growth * starting
            for hour in sorted(
                rng.choices(range(24), rhythm.hours, k=int(expected * rng.gauss(1, 0.09) + rng.random()))
            ):
                started_at = midnight + timedelta(hours=hour, milliseconds=rng.randrange(3_600_000))
                call = self.call(started_at, failing=0.3 if day == INCIDENT_DAY else FAILING)
                if self.historical and day < HISTORICAL_DAYS:
                    call.source = "historical_sync"
                if started_at <= now - SETTLED:
                    yield call

    def ongoing(self, now: datetime, count: int) -> list[Call]:
        """Calls of this moment: the first is still ringing, the others are being held."""
        calls = [self._dial(now - timedelta(seconds=2 if n == 0 else self.rng.randint(20, 200))) for n in range(count)]
        for n, call in enumerate(calls):
            call.status = "initiated" if n == 0 else "in_progress"
            if n > 0:
                call.joined_at = call.updated_at = call.started_at + timedelta(seconds=self.rng.randint(4, 18))
        return calls

    def call(self, started_at: datetime, *, failing: float = FAILING) -> Call:
        """One whole call, to its end, with its story if anybody answered."""
        call = self._dial(started_at)
        self._end(call, started_at.hour, failing)
        return call

    def _dial(self, started_at: datetime) -> Call:
        inbound = RHYTHMS[self.campaign.rhythm].inbound
        return Call(
            new_id(self.rng),
            self.agency_id,
            self.client_id,
            self.campaign_id,
            str(new_id(self.rng)),
            "inbound" if inbound else "outbound",
            started_at,
            created_at=started_at,
            updated_at=started_at,
        )

    def _end(self, call: Call, hour: int, failing: float) -> None:
        rng = self.rng
        disposition = pick(rng, RHYTHMS[self.campaign.rhythm].dispositions)
        if disposition in CONVERSATIONS and rng.random() < self.campaign.booking * HOUR_OF_DAY.get(hour, 1.0):
            disposition = "appointment_booked"
        outcome = OUTCOMES[disposition]
        ringing = rng.randint(1, 3) if call.direction == "inbound" else rng.randint(4, 19)
        talking = int(min(LONGEST_SECONDS, max(9.0, rng.lognormvariate(0, outcome.spread) * outcome.seconds)))
        if rng.random() < failing:
            call.status = "failed"
            call.end_reason = pick(rng, {"connection_error": 0.55, "system_error": 0.3, "timeout": 0.15})
            joined, talking = rng.random() < 0.05, min(talking, 20)
        else:
            call.end_reason = "agent_hangup" if rng.random() < outcome.agent_hangs_up else "hangup"
            joined = disposition != "no_answer"
        if joined:
            call.joined_at = call.started_at + timedelta(seconds=ringing)
        else:
            ringing, talking = (rng.randint(20, 45) if call.status == "completed" else rng.randint(1, 12)), 0
            call.end_reason = "unjoined" if call.status == "completed" else call.end_reason
        call.duration_seconds = ringing + talking
        call.ended_at = call.updated_at = call.started_at + timedelta(seconds=call.duration_seconds)
        if call.status == "completed" and joined:
            call.has_recording = rng.random() < 0.97
            call.emails_sent = int(rng.random() < outcome.email)
            call.sms_sent = int(rng.random() < outcome.sms)
            call.story = self._story(disposition, outcome)

    def _story(self, disposition: str, outcome: Outcome) -> Story:
        rng = self.rng
        story = Story(disposition)
        if sum(outcome.sentiment):
            story.sentiment = rng.choices(("positive", "neutral", "negative"), outcome.sentiment)[0]
        gloomy = story.sentiment == "negative"
        story.talk = min(0.75, max(0.2, rng.gauss(0.53 if gloomy else 0.46, 0.075)))
        story.listen = (1 - story.talk) * rng.uniform(0.78, 0.97)
        if disposition in TALKED:
            missed = 0.3 if gloomy else 0.16
            story.skipped = frozenset(step for step in STEPS if rng.random() < missed)
            story.interruptions = min(9, int(rng.expovariate(0.6 if gloomy else 1.1)))
            rare = 0.25 if self.campaign.rhythm == "support" else 1.0
            story.objections = [
                (remark, rng.random() < outcome.handled * remark.ease)
                for remark in self._remarks(OBJECTIONS, outcome.objections, rare)
            ]
            story.signals = self._remarks(SIGNALS, outcome.signals, rare)
        if RHYTHMS[self.campaign.rhythm].inbound and disposition == "conversation":
            story.resolved = rng.random() < (0.35 if gloomy else 0.78)
            story.escalated = rng.random() < (0.04 if story.resolved else 0.42)
        return story

    def _remarks(self, remarks: tuple[Remark, ...], counts: tuple[float, ...], rare: float) -> list[Remark]:
        """Some of the remarks, the first ones more often, none twice."""
        count = self.rng.choices(range(len(counts)), counts)[0]
        if not count or self.rng.random() > rare:
            return []
        chosen: dict[Remark, None] = {}
        while len(chosen) < count:
            chosen[remarks[int(self.rng.random() ** 1.7 * len(remarks))]] = None
        return list(chosen)
