"""Rollup equals recount after concurrent random inserts, updates and deletes from several connections."""

import asyncio
import copy
import json
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import add, itemgetter
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.agreement import recount
from tests.conftest import Database
from tests.given import NOW, Given, damage, fold
from tests.waiting import until

WRITERS, TRANSACTIONS = 8, 40
DAYS = [NOW.replace(hour=0) - timedelta(days=days) for days in range(6)]
EVER = "'2000-01-01', '2100-01-01'"
DRIFT = f"select count(*) from call_stats_drift(null, {EVER})"
HOURS_DRIFT = f"select count(*) from agency_hours_drift(null, {EVER})"
REPAIR = f"select repair_call_stats(null, {EVER})"

Row = dict[str, Any]
_Hours = dict[tuple[Any, ...], list[int]]
DISPOSITIONS = (
    *(None, "voicemail", "callback_requested", "not_interested", "wrong_number", "dnc_requested"),
    *("gatekeeper_blocked", "no_answer", "conversation", "appointment_booked"),
)


async def assert_it_is_a_recount(connection: asyncpg.Connection) -> None:
    """The rollups are what the calls add up to, by their own account and by another, before a fold and after it."""
    expected = await recount.rollup(connection)
    await _assert_it_is(expected, connection)
    await fold(connection)
    await _assert_it_is(expected, connection)
    assert not await connection.fetchval("select count(*) from call_stats_folded where total_calls <= 0")
    assert not await connection.fetchval(
        "select count(*) from agency_hours_folded where 0 = all (total_calls_by_hour) or 0 > any (total_calls_by_hour)"
    )


async def _assert_it_is(expected: dict[Any, Any], connection: asyncpg.Connection) -> None:
    assert await connection.fetchval(DRIFT) == 0
    assert await connection.fetchval(HOURS_DRIFT) == 0
    rows = await connection.fetch("select * from call_stats_daily")
    hours = await _hours(connection, "call_stats_folded", _key)
    found = {
        _key(row): {
            name: hours[name, *_key(row)] if name in recount.BY_HOUR else row[name]
            for name in next(iter(expected.values()), {})
        }
        for row in rows
    }
    assert len(found) == len(rows)
    assert found == expected
    assert all(counted["total_calls"] > 0 for counted in found.values())
    of_agencies: _Hours = defaultdict(lambda: [0] * 24)
    for (agency, day, *_), counted in expected.items():
        for name in recount.BY_HOUR:
            of_agencies[name, agency, day] = list(map(add, of_agencies[name, agency, day], counted[name]))
    assert _some(await _hours(connection, "agency_hours_folded", itemgetter("agency_id", "stat_date"))) == _some(
        of_agencies
    )


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["agency_id"], row["stat_date"], row["campaign_id"], row["client_id"]


async def _hours(connection: asyncpg.Connection, table: str, key: Callable[[Any], tuple[Any, ...]]) -> _Hours:
    """The hours as the heatmap reads them: what is folded, and the changes that wait."""
    hours: _Hours = defaultdict(lambda: [0] * 24)
    for row in await connection.fetch(f"select * from {table}"):
        for name in recount.BY_HOUR:
            hours[name, *key(row)] = row[name]
    for row in await connection.fetch("select * from pending_call_counts"):
        for name in recount.BY_HOUR:
            hours[name, *key(row)][row["hour"]] += row[name.removesuffix("_by_hour")]
    return hours


def _some(hours: _Hours) -> _Hours:
    """Without those that count nothing."""
    return {key: counted for key, counted in hours.items() if any(counted)}


class Undone(Exception):
    """Rolls a transaction or a savepoint back."""


class Writer:
    """One connection that changes calls of its own, in days, campaigns and clients that all share.

    Only its own calls, campaigns and agencies are ever updated or deleted, so whatever two writers wait for each other
    for is the rollup's.
    """

    def __init__(
        self, connection: asyncpg.Connection, number: int, places: dict[UUID, tuple[list[UUID], list[UUID]]]
    ) -> None:
        self.connection = connection
        self.chance = random.Random(f"writer {number}")  # noqa: S311
        self.number = number
        # What is rolled back with a transaction: where calls may lie, what of that is our own, our calls' keys.
        self.places = copy.deepcopy(places)
        self.own: list[tuple[str, UUID, UUID]] = []
        self.calls: dict[UUID, tuple[UUID, str]] = {}
        self.made = 0

    async def write(self, transactions: int = TRANSACTIONS) -> None:
        """So many transactions, each of several statements; one in five comes to nothing."""
        for _ in range(transactions):
            await self.undoable(self.chance.randint(1, 5), undone=0.2)
            await asyncio.sleep(0)

    async def undoable(self, statements: int, undone: float) -> None:
        """A transaction, or a savepoint within one."""
        before = copy.deepcopy((self.places, self.own, self.calls))
        try:
            async with self.connection.transaction():
                for _ in range(statements):
                    await self.chance.choice(STATEMENTS)(self)
                if self.chance.random() < undone:
                    raise Undone
        except Undone:
            self.places, self.own, self.calls = before

    async def insert_at_once(self) -> None:
        await self._insert(self._new(self.chance.randint(5, 30)))

    async def insert_one_by_one(self) -> None:
        for row in self._new(4):
            await self._insert([row])

    async def copy_in(self) -> None:
        rows = self._new(self.chance.randint(5, 30))
        records = [
            [json.dumps(row[name]) if isinstance(row[name], list) else row[name] for name in row] for row in rows
        ]
        await self.connection.copy_records_to_table("calls", columns=list(rows[0]), records=records)

    async def upsert(self) -> None:
        """Half of them are there already, and change or stay as they are."""
        there = [self.calls[id_] for id_ in self._some(5)]
        rows = self._new(5)
        for agency, name in there:
            rows.append({**self._row(agency), "id": uuid4(), "agency_id": agency, "ultravox_call_id": name})
        self.chance.shuffle(rows)
        columns = [name for name in rows[0] if name not in ("id", "agency_id", "ultravox_call_id")]
        sets = ", ".join(f"{name} = excluded.{name}" for name in columns)
        then = self.chance.choice((f"do update set {sets}", "do nothing"))
        await self._insert(rows, f"on conflict (agency_id, ultravox_call_id) {then}")

    async def merge(self) -> None:
        """New ones, changed ones and deleted ones by one statement."""
        rows = self._changed(6) + self._new(5)
        columns = list(rows[0])
        sets = ", ".join(f"{name} = given.{name}" for name in columns if name != "id")
        await self.connection.execute(
            f"merge into calls using ({_given(columns)}) as given on calls.id = given.id"
            " when matched and given.is_qualified_lead then delete"
            f" when matched then update set {sets}"
            f" when not matched then insert ({', '.join(columns)}) values ({', '.join(f'given.{n}' for n in columns)})",
            _json(rows),
        )
        await self._forget_deleted()

    async def update_at_once(self) -> None:
        await self._update(self._changed(12))

    async def update_one_by_one(self) -> None:
        for row in self._changed(4):
            await self._update([row])

    async def move_by_a_day(self) -> None:
        days = timedelta(days=self.chance.choice((-1, 1)))
        await self.connection.execute(
            "update calls set started_at = started_at + $2 where id = any($1)", self._some(15), days
        )

    async def update_what_does_not_count(self) -> None:
        await self.connection.execute("update calls set summary = 'So it went' where id = any($1)", self._some(5))

    async def delete(self) -> None:
        ids = self._some(8)
        await self.connection.execute("delete from calls where id = any($1)", ids)
        for id_ in ids:
            del self.calls[id_]

    async def delete_what_was_just_made(self) -> None:
        rows = self._new(6)
        await self._insert(rows)
        await self.connection.execute("delete from calls where id = any($1)", [row["id"] for row in rows])
        for row in rows:
            del self.calls[row["id"]]

    async def savepoint(self) -> None:
        await self.undoable(self.chance.randint(1, 3), undone=0.6)

    async def open_a_place(self) -> None:
        """A campaign, a client or an agency of our own, to which calls may come."""
        table = self.chance.choice(("campaigns", "clients", "agencies"))
        id_ = UUID(int=self.chance.getrandbits(128))
        if table == "agencies":
            agency = id_
            await self.connection.execute("insert into agencies (id, name, slug) values ($1, 'A', $2)", id_, str(id_))
            self.places[agency] = ([], [])
        else:
            agency = self.chance.choice(list(self.places))
            await self.connection.execute(
                f"insert into {table} (id, agency_id, name) values ($1, $2, 'Short-lived')", id_, agency
            )
            self.places[agency][table == "campaigns"].append(id_)
        self.own.append((table, agency, id_))
        await self._update(self._changed(10))

    async def close_a_place(self) -> None:
        """Its calls lose their campaign or client, or go with their agency."""
        if not self.own:
            return
        table, agency, id_ = self.chance.choice(self.own)
        await self.connection.execute(f"delete from {table} where id = $1", id_)
        if table == "agencies":
            del self.places[agency]
            self.own = [own for own in self.own if own[1] != agency]
            self.calls = {call: key for call, key in self.calls.items() if key[0] != agency}
        else:
            self.places[agency][table == "campaigns"].remove(id_)
            self.own.remove((table, agency, id_))

    def _some(self, most: int) -> list[UUID]:
        return self.chance.sample(list(self.calls), min(most, len(self.calls)))

    def _new(self, number: int) -> list[Row]:
        rows = []
        for _ in range(number):
            self.made += 1
            row = {
                "id": UUID(int=self.chance.getrandbits(128)),
                "ultravox_call_id": f"{self.number}-{self.made}",
                **self._row(self.chance.choice(list(self.places))),
            }
            self.calls[row["id"]] = (row["agency_id"], row["ultravox_call_id"])
            rows.append(row)
        return rows

    def _changed(self, most: int) -> list[Row]:
        """Calls of ours with every counting column drawn anew, their day, campaign, client and agency included."""
        rows = []
        for id_ in self._some(most):
            row = {
                "id": id_,
                "ultravox_call_id": self.calls[id_][1],
                **self._row(self.chance.choice(list(self.places))),
            }
            self.calls[id_] = (row["agency_id"], row["ultravox_call_id"])
            rows.append(row)
        return rows

    def _row(self, agency: UUID) -> Row:
        chance = self.chance
        clients, campaigns = self.places[agency]
        started = chance.choice(DAYS) + timedelta(seconds=chance.choice((0, 43_200, 86_399)))
        found = [{"text": "No time", "handled": chance.choice((True, False))} for _ in range(chance.randint(0, 2))]

        def ratio() -> Decimal | None:
            return chance.choice((None, Decimal("0.1"), Decimal("0.33333"), Decimal(1)))

        return {
            "agency_id": agency,
            "client_id": chance.choice((None, *clients)),
            "campaign_id": chance.choice((None, *campaigns)),
            "direction": chance.choice(("inbound", "outbound")),
            "status": chance.choice(("completed", "completed", "failed", "in_progress")),
            "started_at": started,
            "joined_at": chance.choice((None, started, started)),
            "duration_seconds": chance.choice((None, 0, 59, 3_600)),
            "disposition": chance.choice(DISPOSITIONS),
            "sentiment": chance.choice((None, "positive", "neutral", "negative")),
            "talk_ratio": ratio(),
            "listen_ratio": ratio(),
            "script_adherence": ratio(),
            "interruptions": chance.choice((None, 0, 3)),
            "objections": found,
            "buying_signals": found[:1],
            "is_qualified_lead": chance.choice((True, False)),
            "issue_resolved": chance.choice((True, False)),
            "escalated": chance.choice((True, False)),
            "emails_sent": chance.randint(0, 2),
            "sms_sent": chance.randint(0, 2),
            "analysis_status": chance.choice(("pending", "completed", "completed", "failed")),
        }

    async def _insert(self, rows: Sequence[Row], conflict: str = "") -> None:
        columns = list(rows[0])
        await self.connection.execute(
            f"insert into calls ({', '.join(columns)}) {_given(columns)} {conflict}", _json(rows)
        )

    async def _update(self, rows: Sequence[Row]) -> None:
        if rows:
            columns = list(rows[0])
            await self.connection.execute(
                f"update calls set {', '.join(f'{name} = given.{name}' for name in columns if name != 'id')}"
                f" from ({_given(columns)}) as given where calls.id = given.id",
                _json(rows),
            )

    async def _forget_deleted(self) -> None:
        rows = await self.connection.fetch("select id from calls where id = any($1)", list(self.calls))
        self.calls = {row["id"]: self.calls[row["id"]] for row in rows}


STATEMENTS: Sequence[Callable[[Writer], Awaitable[None]]] = (
    *(Writer.insert_at_once, Writer.insert_at_once, Writer.insert_one_by_one, Writer.copy_in, Writer.upsert),
    *(Writer.merge, Writer.update_at_once, Writer.update_at_once, Writer.update_one_by_one, Writer.move_by_a_day),
    *(Writer.update_what_does_not_count, Writer.delete, Writer.delete_what_was_just_made, Writer.savepoint),
    *(Writer.savepoint, Writer.open_a_place, Writer.close_a_place),
)


def _given(columns: Iterable[str]) -> str:
    return f"select {', '.join(columns)} from jsonb_populate_recordset(null::calls, $1::text::jsonb)"


def _json(rows: Sequence[Row]) -> str:
    return json.dumps(rows, default=str)


@asynccontextmanager
async def connections(database: Database, number: int) -> AsyncIterator[list[asyncpg.Connection]]:
    """So many connections; one that waits for a lock for long has failed."""
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(number):
            connection = await asyncpg.connect(database.dsn, server_settings={"lock_timeout": "60s"})
            stack.push_async_callback(connection.close)
            opened.append(connection)
        yield opened


@pytest.fixture
async def places(given: Given) -> dict[UUID, tuple[list[UUID], list[UUID]]]:
    """Two agencies that all writers share, each with its clients and campaigns."""
    agencies = [await given.agency() for _ in range(2)]
    return {
        agency: (
            [await given.client(agency) for _ in range(2)],
            [await given.campaign(agency) for _ in range(2)],
        )
        for agency in agencies
    }


async def test_after_eight_connections_wrote_whatever_they_liked_the_rollup_is_a_recount(
    database: Database, connection: asyncpg.Connection, places: dict[UUID, tuple[list[UUID], list[UUID]]]
) -> None:
    async with connections(database, WRITERS) as opened:
        writers = [Writer(each, number, places) for number, each in enumerate(opened)]
        # A deadlock in the rollup would be raised here: there is nothing else that two writers lock.
        await asyncio.gather(*(writer.write() for writer in writers))
    assert await connection.fetchval("select count(*) from calls") == sum(len(writer.calls) for writer in writers)
    assert await connection.fetchval("select count(*) from call_stats_daily") > 100
    await assert_it_is_a_recount(connection)

    # What all of them share goes last: a campaign and a client leave their calls behind, an agency takes them along.
    agency, (clients, campaigns) = next(iter(places.items()))
    for statement, id_ in (
        ("delete from campaigns where id = $1", campaigns[0]),
        ("delete from clients where id = $1", clients[0]),
        ("delete from agencies where id = $1", agency),
    ):
        before = await connection.fetchval("select count(*) from calls")
        await connection.execute(statement, id_)
        await assert_it_is_a_recount(connection)
        left = await connection.fetchval("select count(*) from calls")
        assert (left < before) == statement.startswith("delete from agencies")
    await connection.execute("delete from agencies")
    assert await connection.fetchval("select count(*) from call_stats_daily") == 0


async def test_repairs_mend_what_hands_broke_while_writers_are_writing(
    database: Database, connection: asyncpg.Connection, places: dict[UUID, tuple[list[UUID], list[UUID]]]
) -> None:
    async with connections(database, 7) as opened:
        writers = [Writer(each, number, places) for number, each in enumerate(opened[:4])]
        hands, *menders = opened[4:]

        async def break_things() -> None:
            chance = random.Random(3)  # noqa: S311
            await hands.execute("set call_changes.folding = 'on'")
            for _ in range(40):
                row = "(select ctid from call_stats_folded order by random() limit 1 for update skip locked)"
                await hands.execute(
                    chance.choice(
                        (
                            f"delete from call_stats_folded where ctid = {row}",
                            f"update call_stats_folded set total_calls = total_calls - 1 where ctid = {row}",
                            f"update call_stats_folded set talk_ratio_sum = 7, sms_sent = -1 where ctid = {row}",
                            f"update call_stats_folded set connected_calls_by_hour[13] = 5 where ctid = {row}",
                            "insert into call_stats_folded (agency_id, stat_date, total_calls, emails_sent)"
                            f" values ('{uuid4()}', '2026-02-16', {chance.randint(-1, 3)}, 2)",
                        )
                    )
                )

        async def mend(mender: asyncpg.Connection) -> None:
            for _ in range(5):
                await mender.execute(REPAIR)
                await asyncio.sleep(0.02)

        await asyncio.gather(*(writer.write(5) for writer in writers))
        await asyncio.gather(break_things(), *(writer.write(8) for writer in writers))
        assert await connection.fetchval(DRIFT) > 0
        await asyncio.gather(*(mend(mender) for mender in menders), *(writer.write(8) for writer in writers))
    await assert_it_is_a_recount(connection)


async def test_two_repairs_at_once_post_the_difference_once(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    for day in DAYS:
        await given.calls(agency, 3, started_at=day)
    await fold(connection)
    await connection.execute("update call_stats_folded set total_calls = 9, emails_sent = 4")
    async with connections(database, 4) as opened:
        repaired = await asyncio.gather(*(each.fetchval(REPAIR) for each in opened))
    assert sorted(repaired) == [0, 0, 0, len(DAYS)]
    await assert_it_is_a_recount(connection)


async def test_an_hour_that_was_broken_is_found_and_mended(connection: asyncpg.Connection, given: Given) -> None:
    """By itself, and in a day that has lost its last call."""
    agency = await given.agency()
    await given.calls(agency, 2, started_at=DAYS[0], disposition="appointment_booked")
    await given.calls(agency, 3, started_at=DAYS[1])
    await fold(connection)
    await connection.execute("update call_stats_folded set meetings_booked_by_hour[24] = 1")
    await connection.execute("update call_stats_folded set total_calls_by_hour[1] = 0 where stat_date = $1", DAYS[0])
    (first, second) = await connection.fetch(f"select * from call_stats_drift(null, {EVER}) order by stat_date")
    assert (first["stat_date"], first["total_calls"], first["total_calls_by_hour"]) == (DAYS[1].date(), 0, [0] * 24)
    assert first["meetings_booked_by_hour"] == [0] * 23 + [-1]
    assert second["total_calls_by_hour"] == [2] + [0] * 23
    assert second["connected_calls_by_hour"] == [0] * 24
    await connection.execute("delete from calls where started_at = $1", DAYS[1])
    assert await connection.fetchval(REPAIR) == 2
    await assert_it_is_a_recount(connection)


AGENCY_HOURS_DAMAGE = (
    "delete from agency_hours_folded",
    "update agency_hours_folded set total_calls_by_hour[1] = total_calls_by_hour[1] + 3",
    "update agency_hours_folded set connected_calls_by_hour[24] = -1",
    "update agency_hours_folded set agency_id = gen_random_uuid()",
    "insert into agency_hours_folded select gen_random_uuid(), stat_date, array_fill(0, '{24}'), array_fill(0, '{24}'),"
    " array_fill(-2, '{24}') from agency_hours_folded",
)


@pytest.mark.parametrize("statement", AGENCY_HOURS_DAMAGE)
async def test_damage_of_an_agencys_hours_is_found_and_one_repair_mends_it(
    connection: asyncpg.Connection, given: Given, statement: str
) -> None:
    agency = await given.agency()
    await given.calls(agency, 2, started_at=DAYS[0], disposition="appointment_booked")
    await given.calls(agency, 3, started_at=DAYS[1])
    await fold(connection)
    await damage(connection, statement)
    drifted = await connection.fetchval(HOURS_DRIFT)
    assert drifted > 0
    assert await connection.fetchval(DRIFT) == 0
    async with connection.transaction():
        # What its own transaction has written and not yet folded is no damage.
        await given.call(agency, started_at=DAYS[1])
        assert await connection.fetchval(REPAIR) == drifted
        assert await connection.fetchval(REPAIR) == 0
    await assert_it_is_a_recount(connection)


async def test_a_change_of_no_hour_leaves_the_agencys_hours_untouched(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    client = await given.client(agency)
    await given.calls(agency, 3)
    await fold(connection)
    rows = await connection.fetch("select ctid, xmin, * from agency_hours_folded")
    await connection.execute("update calls set sentiment = 'positive', emails_sent = 2, client_id = $1", client)
    await fold(connection)
    assert await connection.fetch("select ctid, xmin, * from agency_hours_folded") == rows
    await assert_it_is_a_recount(connection)


async def test_a_repair_counts_what_its_own_transaction_wrote_once(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await given.call(agency)
    await fold(connection)
    await connection.execute("update call_stats_folded set sms_sent = 4")
    async with connection.transaction():
        await given.calls(agency, 2)
        assert await connection.fetchval(REPAIR) == 1
        assert await connection.fetchval(REPAIR) == 0
        await given.call(agency, started_at=DAYS[1])
    await assert_it_is_a_recount(connection)


async def test_a_repair_is_right_even_if_the_broken_day_loses_its_last_call_meanwhile(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    leaving = await given.calls(agency, 2)
    await given.calls(agency, 3)
    await fold(connection)
    await connection.execute("update call_stats_folded set total_calls = 2")
    async with connections(database, 1) as (mender,):
        async with mender.transaction():
            await mender.execute(REPAIR)
            await connection.execute("delete from calls where id = any($1)", leaving)
    await assert_it_is_a_recount(connection)
    await connection.execute("delete from calls")
    await assert_it_is_a_recount(connection)


async def test_a_change_of_nothing_that_counts_leaves_the_rollup_untouched(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await given.calls(agency, 2)
    await fold(connection)
    rows = await connection.fetch("select ctid, xmin, * from call_stats_folded")
    await connection.execute("update calls set summary = 'Well', ended_at = now(), has_recording = true")
    await connection.execute("update calls set disposition = disposition where id in (select id from calls limit 1)")
    await connection.execute("update calls set status = 'failed' where false")
    await connection.execute("delete from calls where false")
    await fold(connection)
    assert await connection.fetch("select ctid, xmin, * from call_stats_folded") == rows
    await assert_it_is_a_recount(connection)


async def test_a_transaction_sees_its_own_calls_counted_and_others_see_them_when_it_commits(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    total = "select coalesce(sum(total_calls), 0)::integer from call_stats_daily"
    async with connections(database, 1) as (other,):
        async with connection.transaction():
            await given.calls(agency, 2)
            assert await connection.fetchval(total) == 2
            await fold(connection)
            await given.calls(agency, 3, started_at=DAYS[2])
            assert await connection.fetchval(total) == 5
            await connection.execute("delete from calls where started_at < $1", DAYS[1])
            assert await connection.fetchval(total) == 2
            undone = connection.transaction()
            await undone.start()
            await given.calls(agency, 4)
            await fold(connection)
            assert await connection.fetchval(total) == 6
            await undone.rollback()
            assert await connection.fetchval(total) == 2
            assert await other.fetchval(total) == 0
        assert await other.fetchval(total) == 2
    await assert_it_is_a_recount(connection)


async def test_a_truncate_empties_the_rollup_and_what_its_own_transaction_noted_before(
    connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await given.calls(agency, 3)
    undone = connection.transaction()
    await undone.start()
    await connection.execute("truncate calls cascade")
    await undone.rollback()
    await assert_it_is_a_recount(connection)
    async with connection.transaction():
        await given.calls(agency, 2, started_at=DAYS[1])
        await connection.execute("truncate calls cascade")
        await given.call(agency, started_at=DAYS[2])
    assert await connection.fetchval("select sum(total_calls)::integer from call_stats_daily") == 1
    await assert_it_is_a_recount(connection)
    await connection.execute("truncate calls cascade")
    assert await connection.fetchval("select count(*) from call_stats_daily") == 0


async def test_a_truncate_waits_for_whoever_is_writing(
    database: Database, connection: asyncpg.Connection, given: Given
) -> None:
    agency = await given.agency()
    await given.calls(agency, 3)
    async with connections(database, 1) as (other,):
        writing = other.transaction()
        await writing.start()
        await Given(other).calls(agency, 2, started_at=DAYS[1])
        truncating = asyncio.create_task(connection.execute("truncate calls cascade"))
        waits = "select exists (select from pg_locks where pid = $1 and not granted)"
        await until(lambda: other.fetchval(waits, connection.get_server_pid()))
        assert not truncating.done()
        await writing.commit()
        await truncating
        await Given(other).call(agency, started_at=datetime(2026, 1, 1, tzinfo=UTC))
    await assert_it_is_a_recount(connection)


async def test_a_repair_is_limited_to_the_agency_and_days_it_is_told(
    connection: asyncpg.Connection, given: Given
) -> None:
    ours, theirs = await given.agency(), await given.agency()
    for agency in (ours, theirs):
        for day in DAYS[:3]:
            await given.call(agency, started_at=day)
    await fold(connection)
    await connection.execute("update call_stats_folded set total_calls = 9")
    repaired = "select repair_call_stats($1, $2, $2)"
    assert await connection.fetchval(repaired, ours, DAYS[1].date()) == 1
    right = await connection.fetch("select agency_id, stat_date from call_stats_folded where total_calls = 1")
    assert [tuple(row) for row in right] == [(ours, DAYS[1].date())]
    assert await connection.fetchval(DRIFT) == 5
    assert await connection.fetchval(REPAIR) == 5
    await assert_it_is_a_recount(connection)
