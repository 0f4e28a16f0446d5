"""Alive is about the process, ready about its database."""

import asyncpg

from tests.conftest import Database
from tests.running import Running, running, settings_for


async def test_a_gateway_on_a_good_database_is_alive_and_ready(gateway: Running) -> None:
    assert (await gateway.http.get("/livez")).json() == {"status": "alive"}
    assert (await gateway.http.get("/readyz")).json() == {"status": "ready"}


async def test_without_its_tables_it_is_alive_but_not_ready(empty_database: Database) -> None:
    async with running(settings_for(empty_database.dsn)) as gateway:
        assert (await gateway.http.get("/livez")).status_code == 200
        answer = await gateway.http.get("/readyz")
    assert answer.status_code == 503
    assert "gateway migrate" in answer.json()["error"]


async def test_a_role_that_row_security_shuts_out_is_not_ready(
    database: Database, connection: asyncpg.Connection
) -> None:
    role = f"reader_of_{connection.get_server_pid()}"
    await connection.execute(f"create role {role}; grant select on all tables in schema public to {role}")
    try:
        dsn = f"{database.dsn}{'&' if '?' in database.dsn else '?'}options=-c%20role%3D{role}"
        async with running(settings_for(dsn)) as gateway:
            answer = await gateway.http.get("/readyz")
        assert answer.status_code == 503
        assert "row security" in answer.json()["error"]
    finally:
        await connection.execute(f"drop owned by {role}; drop role {role}")
