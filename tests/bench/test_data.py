"""The data that is measured: the same every time, settled, counted and in the shares that were asked for."""

import asyncpg
import pytest

from bench.contenders import DASHBOARD, VARIABLES
from bench.data import SECRET, Size, fill
from bench.statements import statements_of
from tests.conftest import Database

_FACTS = "select md5(string_agg(c::text, '' order by c.id)) from (select {} from calls as c where agency_id = $1) as c"
_COLUMNS = "id, started_at, status, joined_at, disposition, sentiment, objections, buying_signals, campaign_id"


async def test_the_same_name_and_size_give_the_same_calls(database: Database, connection: asyncpg.Connection) -> None:
    seen = []
    for _ in range(2):
        agency = (await fill(database.dsn, {"agency": Size(calls=50, days=5)}))["agency"]
        seen.append(await connection.fetchval(_FACTS.format(_COLUMNS), agency.id))
        await connection.execute("delete from agencies where id = $1", agency.id)
    assert seen[0] == seen[1] is not None


async def test_everything_is_settled_and_counted(database: Database, connection: asyncpg.Connection) -> None:
    made = await fill(database.dsn, {"one": Size(calls=90, days=30), "copy": Size(like="one")})
    for agency in made.values():
        assert await connection.fetchval("select count(*) from calls where agency_id = $1", agency.id) == 90
        counted = "select sum(total_calls) from call_stats_daily where agency_id = $1"
        assert await connection.fetchval(counted, agency.id) == 90
    assert await connection.fetchval("select count(*) from call_stats_drift(null, '2020-01-01', '2100-01-01')") == 0
    assert (
        await connection.fetchval("select count(*) from calls where analysis_status in ('pending', 'processing')") == 0
    )
    assert await connection.fetchval("select count(*) from enrichment_queue") == 0
    # No call points at a campaign of another agency, though no foreign key has looked.
    strays = (
        "select count(*) from calls as c join campaigns as p on p.id = c.campaign_id where p.agency_id <> c.agency_id"
    )
    assert await connection.fetchval(strays) == 0


async def test_an_agency_may_be_larger_than_what_is_made_one_by_one(
    database: Database, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.data.STANDARD", Size(calls=40))
    agency = (await fill(database.dsn, {"large": Size(calls=120, days=10)}))["large"]
    assert await connection.fetchval("select count(*) from calls where agency_id = $1", agency.id) == 120


async def test_the_statements_of_a_document_are_heard_with_their_arguments(
    database: Database, connection: asyncpg.Connection
) -> None:
    agency = (await fill(database.dsn, {"agency": Size(calls=30, days=10)}))["agency"]
    heard = await statements_of(database.dsn, SECRET, f"Bearer {agency.token}", DASHBOARD, VARIABLES)
    assert heard.data["overview"]["summary"]["totalCalls"] == 30
    assert heard.session["default_transaction_read_only"] == "on"
    assert heard.statements
    for sql, arguments in heard.statements:
        assert agency.id in arguments
        assert await connection.fetch(sql, *arguments)
