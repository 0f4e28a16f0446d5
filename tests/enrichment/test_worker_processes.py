"""The whole path with real worker processes: from a call to both doors, through kills, once a slot."""

import asyncio

import asyncpg
import pytest

from tests.conftest import Database
from tests.enrichment.processes import run, workers
from tests.enrichment.scenes import WAITING, waiting
from tests.given import Given, fold
from tests.running import Running
from tests.waiting import PATIENCE, until

# Said by nobody of the corpus: a call that was booked, with an objection that was handled and a question of interest.
CALL = [
    ("agent", "Hello Linda, this is Ava from Brightline Solar. I am calling because of your interest in solar."),
    ("user", "Hi Ava. Yes, our power bill is a nightmare. What would it cost per month?"),
    ("agent", "About ninety dollars. May I ask how large the roof is?"),
    ("user", "Quite large. But that is too expensive for us."),
    ("agent", "I understand. Most people save more than that from the first month on."),
    ("user", "Okay, that makes sense."),
    ("agent", "Shall I book a visit of our specialist on Thursday at ten?"),
    ("user", "Thursday at ten works for me. Thank you so much, that is great!"),
    ("agent", "Wonderful, you are booked for Thursday at ten. Goodbye!"),
]
WORDS = [
    {"role": role, "text": text, "start_ms": 5000 * place, "end_ms": 5000 * place + 4000}
    for place, (role, text) in enumerate(CALL)
]


async def test_from_an_inserted_call_to_the_seven_reports_of_both_doors(
    database: Database, given: Given, connection: asyncpg.Connection, gateway: Running
) -> None:
    agency = await given.agency()
    user = await given.user(agency)
    campaign = await given.campaign(agency, name="Solar")
    call = await given.call(agency, **WAITING, campaign_id=campaign, transcript=WORDS)
    freshness = "freshness { waitingCalls analyzedPct }"
    before = await gateway.graphql(f"{{ overview {{ summary {{ meetingsBooked }} }} {freshness} }}", user)
    assert before["overview"]["summary"] == {"meetingsBooked": 0}
    assert before["freshness"] == {"waitingCalls": 1, "analyzedPct": 0.0}

    async def analysed() -> bool:
        return await connection.fetchval("select analysis_status = 'completed' from calls where id = $1", call)

    with workers(database.dsn) as some:
        some.start()
        await until(analysed)
        assert some.stop() == [0]

    overview = await gateway.rest("overview", user)
    assert overview["summary"]["meetings_booked"] == 1
    assert overview["summary"]["positive_sentiment_pct"] == 100.0
    assert overview["quality"]["objection_handling_rate"] == 100.0
    # Nine turns of four seconds, the agent's five, in the 44 seconds from the first word to the last.
    assert (overview["quality"]["avg_talk_ratio"], overview["quality"]["avg_listen_ratio"]) == (0.4545, 0.3636)
    (day,) = (await gateway.rest("timeseries", user))["data"]
    assert (day["meetings_booked"], day["total_buying_signals"]) == (1, overview["quality"]["total_buying_signals"])
    assert (await gateway.rest("funnel", user))["funnel"] == {
        "total_calls": 1,
        "connected": 1,
        "conversation": 1,
        "qualified": 1,
        "appointment_booked": 1,
    }
    (stats,) = (await gateway.rest("campaigns", user))["campaign_stats"]
    assert (stats["campaign_name"], stats["meetings_booked"]) == ("Solar", 1)
    assert (await gateway.rest("quality", user))["quality"]["sentiment_distribution"]["positive"] == 1
    (slot,) = (await gateway.rest("heatmap", user, metric="meetings_booked"))["best_times"]
    assert slot["metric_value"] == 1
    found = await gateway.rest("objections", user)
    assert [row["objection"] for row in found["objections"]] == ["Too expensive"]
    assert "Asked about pricing" in [row["signal"] for row in found["buying_signals"]]

    answer = await gateway.graphql(
        f"""{{
            overview {{ summary {{ meetingsBooked positiveSentimentPct }} quality {{ avgTalkRatio avgListenRatio }} }}
            timeseries {{ data {{ meetingsBooked totalBuyingSignals }} }}
            funnel {{ funnel {{ qualified appointmentBooked }} }}
            campaigns {{ campaignStats {{ campaignName meetingsBooked }} }}
            quality {{ quality {{ sentimentDistribution {{ positive }} }} }}
            heatmap(metric: MEETINGS_BOOKED) {{ bestTimes {{ metricValue }} }}
            objections {{ objections {{ objection handled }} buyingSignals {{ signal }} }}
            {freshness}
        }}""",
        user,
    )
    assert answer["overview"] == {
        "summary": {"meetingsBooked": 1, "positiveSentimentPct": 100.0},
        "quality": {"avgTalkRatio": 0.4545, "avgListenRatio": 0.3636},
    }
    assert answer["timeseries"]["data"] == [{"meetingsBooked": 1, "totalBuyingSignals": day["total_buying_signals"]}]
    assert answer["funnel"]["funnel"] == {"qualified": 1, "appointmentBooked": 1}
    assert answer["campaigns"]["campaignStats"] == [{"campaignName": "Solar", "meetingsBooked": 1}]
    assert answer["quality"]["quality"]["sentimentDistribution"] == {"positive": 1}
    assert answer["heatmap"]["bestTimes"] == [{"metricValue": 1}]
    assert answer["objections"]["objections"] == [{"objection": "Too expensive", "handled": 1}]
    assert {"signal": "Asked about pricing"} in answer["objections"]["buyingSignals"]
    assert answer["freshness"] == {"waitingCalls": 0, "analyzedPct": 100.0}


async def test_workers_that_are_killed_under_load_lose_nothing_and_do_nothing_twice(
    database: Database, given: Given, connection: asyncpg.Connection
) -> None:
    total = 1000
    for agency in [await given.agency() for _ in range(4)]:
        await waiting(given, agency, total // 4, transcript=WORDS)
    # Five are spent by the workers that are killed; a busy machine may spend some more.
    await connection.execute("update enrichment_queue set max_attempts = 10")
    # Who tells how often each call was analysed in effect: a rolled-back effect is none.
    await connection.execute("create table effects (call_id uuid)")
    await connection.execute(
        "create function note_effect() returns trigger language plpgsql as"
        " $$ begin insert into effects values (new.id); return null; end $$"
    )
    await connection.execute(
        "create trigger note_effect after update on calls for each row"
        " when (new.analysis_status = 'completed') execute function note_effect()"
    )

    async def done() -> int:
        return await connection.fetchval("select count(*) from calls where analysis_status = 'completed'")

    lost = 0
    with workers(database.dsn, WORKER_LEASE_SECONDS="5", WORKER_CONCURRENCY="16") as some:
        for threshold in (1, 150, 300, 450, 600):
            for _ in range(3 - len(some.alive)):
                some.start()

            async def have_done_so_many(enough: int = threshold) -> bool:
                return await done() >= enough

            await until(have_done_so_many)
            some.kill()
            lost += await connection.fetchval("select count(*) from enrichment_queue where status = 'running'")
        some.start()
        some.start()

        async def drained() -> bool:
            return not await connection.fetchval("select count(*) from enrichment_queue")

        await until(drained)
    assert lost > 0, "no worker was killed with jobs in its hands"
    effects = await connection.fetch("select count(*) as times from effects group by call_id")
    assert [row["times"] for row in effects] == [1] * total
    assert await done() == total
    assert await connection.fetchval("select sum(meetings_booked) from call_stats_daily") == total
    assert await connection.fetchval("select count(*) from call_stats_drift(null, '2000-01-01', '2100-01-01')") == 0


async def test_damage_is_found_by_reconcile_and_repaired_once_by_two_workers_schedules(
    database: Database, given: Given, connection: asyncpg.Connection
) -> None:
    agency = await given.agency("Solar Callers")
    now = await connection.fetchval("select now()")
    await given.calls(agency, 3, started_at=now)
    assert run(database.dsn, "reconcile").returncode == 0
    await fold(connection)
    await connection.execute("update call_stats_folded set total_calls = 7, meetings_booked = 1")
    found = run(database.dsn, "reconcile", "--days", "2", COLUMNS="200")
    assert found.returncode == 1
    assert f"{now:%Y-%m-%d}" in found.stdout
    assert "Solar Callers" in found.stdout
    assert "meetings_booked 1, total_calls 4" in found.stdout

    async def recounted() -> bool:
        return await connection.fetchval("select count(*) from cron_job_logs where status = 'completed'") > 0

    async def both_have_asked() -> bool:
        return await connection.fetchval(
            "select calls >= 2 from pg_stat_user_functions where funcname = 'recount_call_stats'"
        )

    own = await connection.fetchval("select current_database()")
    await connection.execute(f"alter database {own} set track_functions = 'all'")
    with workers(database.dsn) as some:
        some.start()
        some.start()
        await until(recounted)
        await until(both_have_asked)
        assert some.stop() == [0, 0]
    (log,) = await connection.fetch("select * from cron_job_logs")
    assert (log["job"], log["status"], log["rows"], log["rows_repaired"]) == ("recount_call_stats", "completed", 1, 1)
    assert run(database.dsn, "reconcile").stdout.strip() == "no drift in the last 7 days"


@pytest.mark.parametrize("number", [2, 15])
async def test_a_worker_ends_in_good_order_on_both_signals(
    database: Database, given: Given, connection: asyncpg.Connection, number: int
) -> None:
    await waiting(given, await given.agency(), 2000, transcript=WORDS)

    async def begun() -> bool:
        return await connection.fetchval("select exists (select from calls where analysis_status = 'completed')")

    with workers(database.dsn) as some:
        worker = some.start()
        await until(begun)
        worker.send_signal(number)
        assert await asyncio.to_thread(worker.wait, PATIENCE) == 0
    assert await connection.fetchval("select count(*) from enrichment_queue where status = 'running'") == 0
