"""Builders: facts go in as raw calls; what a test does not mention is filled in."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from gateway.tokens import mint

SECRET = "a-secret-of-the-tests-that-is-long-enough"
NOW = datetime(2026, 2, 16, 12, 0, tzinfo=UTC)
"""The day on which tests ask: `7d` begins on 2026-02-10, `30d` on 2026-01-18."""

_numbers = count(1)


def token(user: UUID, *, expires_in: timedelta = timedelta(hours=1)) -> str:
    """A user's valid token."""
    return mint(SECRET, user, expires_in=expires_in)


async def fold(connection: asyncpg.Connection) -> None:
    """Has all that was written counted into the rollups' tables, where it can be damaged."""
    assert await connection.fetchval("select try_fold_call_changes()")
    assert await connection.fetchval("select count(*) from call_changes") == 0


async def damage(connection: asyncpg.Connection, statement: str, *values: object) -> None:
    """Writes into the rollups' tables, where rows that no fold writes are passed over otherwise."""
    async with connection.transaction():
        await connection.execute("set local call_changes.folding = 'on'")
        await connection.execute(statement, *values)


class Given:
    """Writes facts through the real insert path."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection

    async def agency(self, name: str = "Agency") -> UUID:
        """An agency."""
        return await self._insert("agencies", name=name, slug=f"agency-{next(_numbers)}")

    async def user(
        self,
        agency: UUID | None,
        role: str = "agency_owner",
        client: UUID | None = None,
        *,
        user_id: UUID | None = None,
    ) -> UUID:
        """A user, ready to have a token minted."""
        return await self._insert("users", id=user_id or uuid4(), agency_id=agency, role=role, client_id=client)

    async def client(self, agency: UUID, name: str = "Client") -> UUID:
        """A client of an agency."""
        return await self._insert("clients", agency_id=agency, name=name)

    async def campaign(self, agency: UUID, client: UUID | None = None, name: str = "Campaign") -> UUID:
        """A campaign."""
        return await self._insert("campaigns", agency_id=agency, client_id=client, name=name, type="sdr")

    async def batch(
        self,
        agency: UUID,
        campaign: UUID | None = None,
        contacts: Mapping[str, int] | None = None,
        **columns: Any,
    ) -> UUID:
        """A batch, with so many contacts of each status."""
        batch = await self._insert(
            "call_batches", **{"agency_id": agency, "campaign_id": campaign, "status": "processing"} | columns
        )
        for status, number in (contacts or {}).items():
            await self.connection.execute(
                "insert into campaign_contacts (batch_id, campaign_id, phone_number, status)"
                " select $1, $2, '+1555' || i, $3 from generate_series(1, $4) i",
                batch,
                campaign,
                status,
                number,
            )
        return batch

    async def call(self, agency: UUID, **columns: Any) -> UUID:
        """A call: completed, answered and a conversation, unless told otherwise."""
        (call,) = await self.calls(agency, 1, **columns)
        return call

    async def calls(self, agency: UUID, number: int, **columns: Any) -> list[UUID]:
        """So many alike, inserted by one statement."""
        started = columns.pop("started_at", NOW - timedelta(hours=1))
        answered = columns.pop("answered", True)
        given = {
            "agency_id": agency,
            "direction": "outbound",
            "source": "webhook",
            "status": "completed",
            "started_at": started,
            "joined_at": started if answered else None,
            "disposition": "conversation" if answered else "no_answer",
            "duration_seconds": 60,
            "analysis_status": "completed",
            **columns,
        }
        rows = await self.connection.fetch(
            f"insert into calls ({', '.join(given)}) select {_places(given)} from generate_series(1, {number})"
            " returning id",
            *_values(given),
        )
        return [row["id"] for row in rows]

    async def _insert(self, table: str, **columns: Any) -> UUID:
        return await self.connection.fetchval(
            f"insert into {table} ({', '.join(columns)}) values ({_places(columns)}) returning id", *_values(columns)
        )


_JSON = ("objections", "buying_signals", "transcript")


def _places(columns: Mapping[str, Any]) -> str:
    return ", ".join(
        f"${place}{'::text::jsonb' if name in _JSON else ''}" for place, name in enumerate(columns, start=1)
    )


def _values(columns: Mapping[str, Any]) -> Sequence[Any]:
    return [json.dumps(value) if name in _JSON else value for name, value in columns.items()]
