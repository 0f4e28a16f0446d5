"""An agency whose numbers can be told in the head, so that a page can be held to them.

Today is Monday, 16 February 2026. Of thirty days: 20 calls, 6 connected, 5 conversations, 3 qualified, 2 meetings.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tests.given import Given


@dataclass(frozen=True)
class Known:
    """Its ids."""

    agency: UUID
    owner: UUID
    acme: UUID
    bolt: UUID
    spring: UUID
    autumn: UUID


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(f"{text}:00+00:00")


async def known(given: Given) -> Known:
    """Writes its calls and batches."""
    agency = await given.agency()
    acme, bolt = await given.client(agency, "Acme"), await given.client(agency, "Bolt")
    spring, autumn = await given.campaign(agency, acme, "Spring"), await given.campaign(agency, bolt, "Autumn")
    for_acme: dict[str, Any] = {"client_id": acme, "campaign_id": spring}
    for_bolt: dict[str, Any] = {"client_id": bolt, "campaign_id": autumn}

    # Monday, 16 February: two meetings and a qualified lead.
    await given.calls(
        agency, 2, **for_acme, started_at=at("2026-02-16 10:05"), disposition="appointment_booked",
        duration_seconds=120, sentiment="positive", talk_ratio=0.5, script_adherence=0.9, interruptions=1,
        objections=[{"text": "Too expensive", "handled": True}], buying_signals=[{"text": "Asks for a date"}],
        emails_sent=1,
    )  # fmt: skip
    await given.call(
        agency, **for_acme, started_at=at("2026-02-16 10:20"), is_qualified_lead=True, sentiment="neutral",
        talk_ratio=0.4, script_adherence=0.6, interruptions=2, sms_sent=1,
        objections=[{"text": "Too expensive", "handled": False}, {"text": "No time", "handled": False}],
    )  # fmt: skip
    # Sunday, 15 February: nobody answered but one, whose call waits for its analysis.
    await given.calls(agency, 3, **for_acme, started_at=at("2026-02-15 23:30"), answered=False, duration_seconds=0)
    await given.call(
        agency, **for_acme, started_at=at("2026-02-15 23:40"), disposition=None, duration_seconds=0,
        analysis_status="pending", transcript=[{"role": "user", "text": "Hi"}],
    )  # fmt: skip
    # Tuesday, 10 February: two conversations and a voicemail.
    talked: dict[str, Any] = {"duration_seconds": 180, "talk_ratio": 0.6, "script_adherence": 0.6}
    tuesday = {**for_bolt, "started_at": at("2026-02-10 15:00")}
    await given.call(agency, **tuesday, **talked, sentiment="negative", buying_signals=[{"text": "Asks for a price"}])
    await given.call(agency, **tuesday, **talked, disposition="callback_requested")
    await given.call(agency, **tuesday, disposition="voicemail", duration_seconds=0)
    # Tuesday, 20 January: of thirty days, but not of seven. And of ninety only.
    await given.calls(agency, 10, **for_bolt, started_at=at("2026-01-20 09:00"), answered=False, duration_seconds=0)
    await given.calls(agency, 5, started_at=at("2025-12-01 09:00"), answered=False, duration_seconds=0)

    await given.batch(agency, autumn, {"completed": 2}, status="completed", created_at=at("2026-02-10 08:00"))
    await given.batch(agency, spring, {"completed": 3, "failed": 1, "pending": 4}, created_at=at("2026-02-16 09:30"))
    return Known(agency, await given.user(agency), acme, bolt, spring, autumn)
