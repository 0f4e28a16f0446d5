"""Sorts a demo agency's outbound calls into the batches that dialled them, with a contact for everybody on the list."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from database.demo_calls import Call, new_id

AREA_CODES = (206, 213, 303, 312, 404, 415, 503, 512, 602, 615, 617, 646, 702, 713, 720, 786, 816, 919)
ATTEMPTS = 3
# How much of each special batch was dialled, and what became of those who were not called.
SPECIAL = {
    "processing": (130, {"pending": 88, "queued": 24, "skipped": 7}),
    "scheduled": (0, {"pending": 160}),
    "paused": (55, {"pending": 62, "skipped": 3}),
    "failed": (24, {"skipped": 45}),
    "cancelled": (32, {"skipped": 58}),
    "pending": (0, {"pending": 75}),
}


@dataclass(slots=True)
class Batch:
    """A row of `call_batches`: the fields are its columns."""

    id: UUID
    agency_id: UUID
    campaign_id: UUID | None
    status: str
    created_at: datetime
    scheduled_for: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None


@dataclass(slots=True)
class Contact:
    """A row of `campaign_contacts`: the fields are its columns."""

    id: UUID
    batch_id: UUID
    campaign_id: UUID | None
    phone_number: str
    status: str = "pending"
    call_id: UUID | None = None
    attempts: int = 0
    max_attempts: int = ATTEMPTS


@dataclass(slots=True)
class Desk:
    """Where an agency's batches are put together."""

    rng: Random
    now: datetime
    agency_id: UUID
    batches: list[Batch] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)

    def special(self, campaigns: Sequence[list[Call]], ongoing: Iterable[Call]) -> None:
        """One batch of each unfinished status, from the newest calls of the campaigns in turn; takes these calls away.

        The first of them is being dialled now: the calls of this moment are its own.
        """
        for number, (status, (dialled, waiting)) in enumerate(SPECIAL.items()):
            calls = campaigns[number % len(campaigns)]
            campaign_id = calls[-1].campaign_id
            begin = max(0, len(calls) - dialled)
            batch = self._batch(status, campaign_id, calls[begin:])
            del calls[begin:]
            if status == "processing":
                for call in ongoing:
                    call.batch_id = batch.id
                    self.contacts.append(self._contact(batch, "in_progress", call))
            for contact_status, count in waiting.items():
                self.contacts += (self._contact(batch, contact_status) for _ in range(count))

    def finished(self, calls: list[Call], size: tuple[int, int], between: tuple[int, int]) -> None:
        """Completed batches from the newest call back, with calls of no batch between them."""
        end = len(calls)
        while end >= size[0]:
            begin = max(0, end - self.rng.randint(*size))
            self._batch("completed", calls[begin].campaign_id, calls[begin:end])
            end = begin - self.rng.randint(*between)

    def _batch(self, status: str, campaign_id: UUID | None, calls: Sequence[Call]) -> Batch:
        batch = Batch(new_id(self.rng), self.agency_id, campaign_id, status, self.now)
        self.batches.append(batch)
        if calls:
            batch.started_at = calls[0].started_at - timedelta(seconds=self.rng.randint(5, 40))
            batch.created_at = batch.started_at - timedelta(minutes=self.rng.randint(4, 90))
            self._dial(batch, calls)
        else:
            batch.created_at = self.now - timedelta(minutes=self.rng.randint(20, 300))
        if status == "scheduled":
            batch.scheduled_for = self._next_working_day()
        elif status == "completed":
            ends = (call.ended_at for call in calls if call.ended_at)
            batch.completed_at = max(ends) + timedelta(seconds=self.rng.randint(2, 30))
        return batch

    def _dial(self, batch: Batch, calls: Sequence[Call]) -> None:
        """Gives every call its contact; some who were not reached are called again later in the same batch."""
        again: list[Contact] = []
        for call in calls:
            call.batch_id = batch.id
            if again and self.rng.random() < 0.2:
                contact = again.pop(0)
            else:
                contact = self._contact(batch)
                self.contacts.append(contact)
            contact.call_id, contact.status = call.id, call.status
            contact.attempts += 1
            if (call.status == "failed" or call.joined_at is None) and contact.attempts < ATTEMPTS:
                again.append(contact)

    def _contact(self, batch: Batch, status: str = "pending", call: Call | None = None) -> Contact:
        number = f"+1{self.rng.choice(AREA_CODES)}55501{self.rng.randrange(100):02d}"
        contact = Contact(new_id(self.rng), batch.id, batch.campaign_id, number, status)
        if call:
            contact.call_id, contact.attempts = call.id, 1
        return contact

    def _next_working_day(self) -> datetime:
        day = self.now.replace(hour=15, minute=0, second=0, microsecond=0) + timedelta(days=1)
        while day.weekday() > 4:
            day += timedelta(days=1)
        return day
