"""The pool's connections: in hand while they are used again and again, and back with asyncpg's pool a moment later."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from gateway import db
from gateway.db import Pool
from tests.conftest import Database
from tests.running import settings_for
from tests.waiting import LONG, until

BACKEND = "select pg_backend_pid() as pid"


@pytest.fixture
async def pool(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pool]:
    monkeypatch.setattr(db, "_IN_HAND_SECONDS", LONG)
    pool = Pool(settings_for(database.dsn, database_pool_size=2))
    await pool.open()
    yield pool
    await pool.close()


def given_back(pool: Pool) -> int:
    """Connections that asyncpg has to give."""
    assert isinstance(pool._pool, asyncpg.Pool)
    return pool._pool.get_idle_size()


async def test_a_connection_is_used_again_and_given_back_a_moment_later(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    backends = {(await pool.fetch(BACKEND))[0]["pid"] for _ in range(5)}
    assert (len(backends), given_back(pool)) == (1, 0)
    monkeypatch.setattr(db, "_IN_HAND_SECONDS", 0.05)
    pool._let_go(pool._pool)
    await until(lambda: given_back(pool))
    assert {(await pool.fetch(BACKEND))[0]["pid"]} == backends
    assert not given_back(pool)
    await until(lambda: given_back(pool))


async def test_no_more_connections_than_set_however_many_ask(pool: Pool) -> None:
    rows = await asyncio.gather(*(pool.fetch(f"{BACKEND}, pg_sleep(0.01)") for _ in range(20)))
    assert len({row["pid"] for (row,) in rows}) == 2


async def test_a_connection_that_has_ended_in_hand_is_not_used(pool: Pool) -> None:
    ((first,),) = await pool.fetch(BACKEND)
    await pool._in_hand[0].close()
    ((second,),) = await pool.fetch(BACKEND)
    assert second != first
    assert pool._losses == 0  # nothing had to be tried again
