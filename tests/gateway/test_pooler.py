"""Behind a real PgBouncer that shares out transactions, all seven reports give the right numbers through both doors."""

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import UUID

import asyncpg
import pytest
from structlog.testing import capture_logs

from enrichment.connections import Connections
from enrichment.schedule import Schedule
from enrichment.worker import Options, Worker
from tests.conftest import Database
from tests.enrichment.scenes import Scripted, Silent, waiting
from tests.given import NOW, Given
from tests.running import Running, running, settings_for
from tests.waiting import PATIENCE, until

# Debian keeps it where ordinary users do not look.
PGBOUNCER = shutil.which("pgbouncer", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))
pytestmark = pytest.mark.skipif(
    PGBOUNCER is None, reason="no pgbouncer on this machine (Debian: apt install pgbouncer)"
)

SERVER_CONNECTIONS = 2
"""Fewer than the gateway has of its own, so that these share them."""
PARAMETERS = "application_name,default_transaction_read_only,statement_timeout,timezone,jit,extra_float_digits"

DASHBOARD = """{
    overview { summary { totalCalls connectedCalls contactRate totalDurationSeconds } }
    timeseries { data { date totalCalls } columns { date totalCalls } }
    funnel { funnel { totalCalls connected } rates { contactRate } }
    campaigns { activeBatches { status totalCalls progressPct createdAt } campaignStats { campaignName totalCalls } }
    quality { quality { avgTalkRatio sentimentDistribution { positivePct } } trend { date completedCalls } }
    heatmap(metric: CONNECTED) { heatmap { day hour totalCalls } bestTimes { label metricValue } }
    objections { summary { callsAnalyzed } objections { objection count handlingRate } buyingSignals { signal count } }
}"""
KNOWN: dict[str, Any] = {
    "overview": {
        "summary": {"totalCalls": 3, "connectedCalls": 1, "contactRate": 33.3, "totalDurationSeconds": 180},
    },
    "timeseries": {
        "data": [{"date": "2026-02-15", "totalCalls": 1}, {"date": "2026-02-16", "totalCalls": 2}],
        "columns": {"date": ["2026-02-15", "2026-02-16"], "totalCalls": [1, 2]},
    },
    "funnel": {"funnel": {"totalCalls": 3, "connected": 1}, "rates": {"contactRate": 33.3}},
    "campaigns": {
        "activeBatches": [
            {"status": "PROCESSING", "totalCalls": 4, "progressPct": 50, "createdAt": "2026-02-16T12:00:00Z"}
        ],
        "campaignStats": [{"campaignName": "Spring", "totalCalls": 3}],
    },
    "quality": {
        "quality": {"avgTalkRatio": 0.25, "sentimentDistribution": {"positivePct": 100.0}},
        "trend": [{"date": "2026-02-15", "completedCalls": 1}, {"date": "2026-02-16", "completedCalls": 2}],
    },
    "heatmap": {
        "heatmap": [{"day": 0, "hour": 11, "totalCalls": 1}, {"day": 1, "hour": 11, "totalCalls": 2}],
        "bestTimes": [{"label": "Monday 11:00", "metricValue": 1}],
    },
    "objections": {
        "summary": {"callsAnalyzed": 3},
        "objections": [{"objection": "Too expensive", "count": 1, "handlingRate": 100.0}],
        "buyingSignals": [{"signal": "Asks for a date", "count": 1}],
    },
}
REPORTS = tuple(KNOWN)


@asynccontextmanager
async def pgbouncer(dsn: str, **settings: str) -> AsyncIterator[str]:
    """A PgBouncer in transaction mode before this server; gives the address of the same database behind it."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    host = query.get("host") or parts.hostname or "127.0.0.1"
    port = query.get("port") or str(parts.port or 5432)
    user = unquote(parts.username or "postgres")
    password = f" password='{unquote(parts.password)}'" if parts.password else ""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        own_port = listener.getsockname()[1]
    options = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(own_port),
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": "transaction",
        "default_pool_size": str(SERVER_CONNECTIONS),
        "server_lifetime": "5",
    } | settings
    with tempfile.TemporaryDirectory(prefix="gateway-pooler-") as folder:
        Path(folder).chmod(0o711)
        written = Path(folder, "pgbouncer.ini")
        written.write_text(
            f"[databases]\n* = host={host} port={port} user={user}{password}\n[pgbouncer]\n"
            + "".join(f"{name} = {value}\n" for name, value in options.items())
        )
        # PgBouncer refuses to run as root; it runs as the one who may enter the server's socket folder.
        owner = Path(host).stat() if host.startswith("/") else Path("/").stat()
        ids: dict[str, Any] = {}
        if os.geteuid() == 0:
            ids = {"user": owner.st_uid or 65534, "group": owner.st_gid or 65534, "extra_groups": []}
            os.chown(written, ids["user"], ids["group"])
        log = Path(folder, "log")
        with log.open("wb") as output:
            process = subprocess.Popen([str(PGBOUNCER), str(written)], stdout=output, stderr=output, **ids)
        address = f"postgresql://{user}@127.0.0.1:{own_port}{parts.path}"
        try:
            await _answers(address, process, log)
            yield address
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait)


async def _answers(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    async def answers() -> bool:
        try:
            connection = await asyncpg.connect(address, statement_cache_size=0)
        except (OSError, asyncpg.PostgresError):
            assert process.poll() is None, log.read_text()
            return False
        await connection.close()
        return True

    await until(answers)


@pytest.fixture
async def owner(given: Given) -> UUID:
    """An owner whose agency made three calls, one of them answered and with findings, one of them a day before."""
    agency = await given.agency()
    campaign = await given.campaign(agency, name="Spring")
    await given.call(
        agency,
        campaign_id=campaign,
        talk_ratio=0.25,
        sentiment="positive",
        objections=[{"text": "Too expensive", "handled": True}],
        buying_signals=[{"text": "Asks for a date"}],
    )
    await given.call(agency, campaign_id=campaign, answered=False)
    await given.call(agency, campaign_id=campaign, answered=False, started_at=NOW - timedelta(hours=25))
    await given.batch(agency, campaign, {"completed": 2, "pending": 2}, created_at=NOW)
    return await given.user(agency)


async def test_all_seven_reports_are_right_through_both_doors_under_concurrency(
    database: Database, gateway: Running, owner: UUID
) -> None:
    expected = {report: await gateway.rest(report, owner) for report in REPORTS}
    assert await gateway.graphql(DASHBOARD, owner) == KNOWN
    assert expected["overview"]["summary"]["contact_rate"] == 33.3
    async with pgbouncer(database.dsn) as address:
        settings = settings_for(address, database_pooler="transaction", database_pool_size=6)
        async with running(settings) as behind:

            async def ask(number: int) -> None:
                if number % 8 == 7:
                    assert await behind.graphql(DASHBOARD, owner) == KNOWN
                else:
                    report = REPORTS[number % 8]
                    assert await behind.rest(report, owner) == expected[report]
                    assert await behind.graphql(_one(report), owner) == {report: KNOWN[report]}

            for _ in range(3):
                await asyncio.gather(*(ask(number) for number in range(32)))
            assert (await behind.http.get("/readyz")).status_code == 200


def _one(report: str) -> str:
    """The dashboard's document with only this section."""
    return "{" + next(line for line in DASHBOARD.splitlines() if line.strip().startswith(report)) + "}"


async def test_enum_arguments_and_custom_days_pass_the_pooler(database: Database, owner: UUID) -> None:
    async with pgbouncer(database.dsn) as address:
        async with running(settings_for(address, database_pooler="transaction")) as behind:
            batches = await asyncio.gather(
                *(behind.rest("campaigns", owner, status=status) for status in ("processing", "completed") * 8)
            )
            assert [len(each["active_batches"]) for each in batches] == [1, 0] * 8
            custom = {"period": "custom", "start_date": "2026-02-15", "end_date": "2026-02-15"}
            answers = await asyncio.gather(*(behind.rest("funnel", owner, **custom) for _ in range(16)))
            assert [each["funnel"]["total_calls"] for each in answers] == [1] * 16


async def test_reads_are_read_only_in_utc_and_limited_in_time_whatever_the_server_connection_was_left_with(
    database: Database, connection: asyncpg.Connection, owner: UUID
) -> None:
    """Another program's `set` stays in a shared connection; the gateway's transactions bring their own."""
    async with pgbouncer(database.dsn, default_pool_size="1") as address:
        spoiling = await asyncpg.connect(address, statement_cache_size=0)
        await spoiling.execute("set timezone = 'Asia/Tokyo'")
        await spoiling.execute("set statement_timeout = 0")
        await spoiling.close()
        settings = settings_for(address, database_pooler="transaction", request_timeout_seconds=10)
        async with running(settings) as behind:
            assert await behind.graphql(DASHBOARD, owner) == KNOWN
            async with connection.transaction():
                await connection.execute("lock table calls in access exclusive mode")
                response = await behind.post("{ freshness { waitingCalls } }", owner)
                assert response.status_code == 503
                # The one server connection is free again: the statement ended on the server as well.
                assert (await behind.get("overview", owner)).status_code == 200
            assert (await behind.post("{ freshness { waitingCalls } }", owner)).status_code == 200


async def test_terminated_server_connections_are_hidden_by_one_retry(
    database: Database, connection: asyncpg.Connection, owner: UUID
) -> None:
    async with pgbouncer(database.dsn) as address:
        async with running(settings_for(address, database_pooler="transaction")) as behind:
            for _ in range(3):
                await asyncio.gather(*(behind.rest("overview", owner) for _ in range(8)))
                await connection.execute(
                    "select pg_terminate_backend(pid, 60000) from pg_stat_activity"
                    " where datname = current_database() and pid <> pg_backend_pid()"
                )
                assert await behind.graphql(DASHBOARD, owner) == KNOWN


@pytest.mark.parametrize("startup_parameters", ["refused", "ignored"])
async def test_without_the_setting_the_pooler_means_refusals_and_never_a_number(
    database: Database, owner: UUID, startup_parameters: str
) -> None:
    """Where the server is shared, a statement prepared by one process may be run by another in place of its own."""
    options = {"ignore_startup_parameters": PARAMETERS} if startup_parameters == "ignored" else {}
    async with pgbouncer(database.dsn, **options) as address:
        async with running(settings_for(address, database_pooler="none")) as behind:

            async def ask(number: int) -> None:
                report = REPORTS[number % 7]
                rest = await behind.get(report, owner)
                assert (rest.status_code, rest.json().keys()) == (503, {"error"})
                assert rest.headers["retry-after"]
                graphql = await behind.post(_one(report), owner)
                assert graphql.status_code == 503
                assert graphql.json().get("data") is None
                assert [error["extensions"]["code"] for error in graphql.json()["errors"]] == ["UNAVAILABLE"]

            await asyncio.gather(*(ask(number) for number in range(28)))
            assert (await behind.http.get("/readyz")).status_code == 503
            assert (await behind.http.get("/livez")).status_code == 200


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
async def test_a_worker_does_its_work_behind_the_pooler(
    database: Database, given: Given, connection: asyncpg.Connection, isolation: str
) -> None:
    """Whatever the database's default is, of which no session behind a pooler can be told otherwise."""
    name = await connection.fetchval("select current_database()")
    await connection.execute(f"alter database {name} set default_transaction_isolation = '{isolation}'")
    await waiting(given, await given.agency(), 120)
    async with pgbouncer(database.dsn) as address:
        workers = [Connections(address, size=3, pooled=True) for _ in range(2)]
        for each in workers:
            await each.open()
        done = await asyncio.gather(
            *(
                _drained(Worker(each, f"worker-{number}", Scripted(), Silent(), Options(poll_seconds=0.05)))
                for number, each in enumerate(workers)
            )
        )
        with capture_logs() as logs:
            schedule = asyncio.create_task(Schedule(workers[0], tick_seconds=3600).run())
            await until(lambda: logs)
            schedule.cancel()
        for each in workers:
            await each.close()
    assert [(each["event"], each["status"]) for each in logs] == [("recounted", "completed")]
    assert await connection.fetchval("select count(*) from call_changes") == 0
    assert sum(done) == 120
    assert await connection.fetchval("select sum(meetings_booked) from call_stats_daily") == 120


async def _drained(worker: Worker) -> int:
    async with asyncio.timeout(PATIENCE):
        await worker.run(asyncio.Event(), drain=True)
    return worker.done["analysed"]
