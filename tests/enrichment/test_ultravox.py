"""Transcripts from Ultravox: what is taken of an answer, what each refusal means, and how much is asked of it."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import orjson
import pytest

from enrichment import ultravox
from enrichment.errors import EnrichmentError, NotNow, Unusable
from enrichment.transcripts import Speaker, Turn
from enrichment.ultravox import Ultravox
from tests.enrichment.ultravox_server import Platform, playing, said
from tests.issuer import Answer, answering, dripping, hanging, resetting
from tests.waiting import PATIENCE, until

KEY = "Zk9Ht7Lm.wX7pN9fM3kLj6tRq2bGhA8yE5cZvD4sT"
OTHER_KEY = "Qw3Er5Ty.aS1dF2gH3jK4lZ5xC6vB7nM8qW9eR0tY"
CALL = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
SECRET = "my card number is 4111"
PATH = f"/api/calls/{CALL}"


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with playing() as platform:
        platform.keep(KEY, CALL, [said("agent", "Hello?", "0.5s", "1s")], recorded=True)
        yield platform


@asynccontextmanager
async def asking(platform: Platform, **settings: Any) -> AsyncIterator[Ultravox]:
    source = Ultravox(**{"url": platform.url, "timeout_seconds": PATIENCE, "requests_per_second": 1000, **settings})
    try:
        yield source
    finally:
        await source.close()


@pytest.fixture
async def source(platform: Platform) -> AsyncIterator[Ultravox]:
    async with asking(platform) as source:
        yield source


async def failure(fetching: Awaitable[object]) -> EnrichmentError:
    """How it fails, having told neither the key nor what was said."""
    with pytest.raises(EnrichmentError) as caught:
        await fetching
    told = repr(caught.value) + "".join(traceback.format_exception(caught.value))
    assert KEY not in told
    assert SECRET not in told
    return caught.value


def page(*messages: object, **rest: Any) -> Answer:
    return answering(200, orjson.dumps({"results": messages, "next": None, **rest}))


async def test_a_call_is_its_turns_and_whether_it_was_recorded(platform: Platform, source: Ultravox) -> None:
    platform.recorded.clear()
    platform.keep(KEY, CALL, [said("agent", "Hello?", "0s", "1.25s"), said("user", " Hi. ", "1.5s", "12.000500s")])
    recorded = await source.fetch(CALL, KEY)
    assert recorded.transcript == (
        Turn(role=Speaker.AGENT, text="Hello?", start_ms=0, end_ms=1250),
        Turn(role=Speaker.USER, text="Hi.", start_ms=1500, end_ms=12_000),
    )
    assert not recorded.has_recording
    platform.recorded.add(CALL)
    assert (await source.fetch(CALL, KEY)).has_recording


async def test_all_stages_are_asked_for_with_the_agencys_key(platform: Platform, source: Ultravox) -> None:
    await source.fetch(CALL, KEY)
    assert platform.targets == [f"{PATH}/messages?mode=in_call&pageSize=100", f"{PATH}/recording"]
    assert {asked.key for asked in platform.requests} == {KEY}


async def test_every_page_is_read(platform: Platform, source: Ultravox) -> None:
    pages = [[said("user", f"{number}", f"{number}s", f"{number + 1}s")] for number in range(5)]
    platform.keep(KEY, CALL, *pages)
    transcript = (await source.fetch(CALL, KEY)).transcript
    assert [turn.text for turn in transcript] == ["0", "1", "2", "3", "4"]
    assert len(platform.requests) == 6


async def test_only_words_of_the_two_sides_are_kept(platform: Platform, source: Ultravox) -> None:
    platform.messages = page(
        said("tool_call", '{"slot":"noon"}', "1s", "2s", toolName="book"),
        said("tool_result", "booked", "2s", "3s"),
        said("unspecified", "who said this", "3s", "4s"),
        said("narrator", "a role of the future", "3s", "4s"),
        said("user", "", "4s", "5s"),
        said("agent", " \n\0", "5s", "6s"),
        {"role": "MESSAGE_ROLE_AGENT", "text": None},
        {"role": "MESSAGE_ROLE_AGENT"},
        {},
        said("user", "Noon\0 is fine.", "7s", "8s"),
    )
    (turn,) = (await source.fetch(CALL, KEY)).transcript
    assert turn == Turn(role=Speaker.USER, text="Noon is fine.", start_ms=7000, end_ms=8000)


async def test_turns_stand_in_the_order_they_were_spoken_in(platform: Platform, source: Ultravox) -> None:
    platform.keep(
        KEY,
        CALL,
        [said("agent", "second", "2s", "9s"), said("user", "third, typed at some time")],
        [said("user", "first", "1.999s", "2.5s"), said("agent", "fourth", "2s", "3s")],
    )
    transcript = (await source.fetch(CALL, KEY)).transcript
    assert [turn.text.split(",")[0] for turn in transcript] == ["first", "second", "third", "fourth"]


@pytest.mark.parametrize(
    ("duration", "milliseconds"),
    [("3.4s", 3400), ("0s", 0), ("12.000500s", 12_000), ("0.0016s", 2), ("-0.2s", 0), ("999999999999s", 10**15 - 1000)],
)
async def test_times_are_milliseconds_of_the_calls_own_clock(
    platform: Platform, source: Ultravox, duration: str, milliseconds: int
) -> None:
    platform.messages = page(said("user", "Hi.", duration, duration))
    (turn,) = (await source.fetch(CALL, KEY)).transcript
    assert (turn.start_ms, turn.end_ms) == (milliseconds, milliseconds)


@pytest.mark.parametrize("times", [{}, {"timespan": None}, {"timespan": {}}, {"timespan": {"start": None}}])
async def test_times_that_are_missing_are_not_known(
    platform: Platform, source: Ultravox, times: dict[str, Any]
) -> None:
    platform.messages = page(said("user", "Hi.", **times))
    (turn,) = (await source.fetch(CALL, KEY)).transcript
    assert (turn.start_ms, turn.end_ms) == (None, None)


async def test_a_call_in_which_nothing_was_said_has_an_empty_transcript(platform: Platform, source: Ultravox) -> None:
    platform.messages = page()
    assert (await source.fetch(CALL, KEY)).transcript == ()


async def test_a_recording_is_neither_followed_nor_downloaded(platform: Platform, source: Ultravox) -> None:
    assert (await source.fetch(CALL, KEY)).has_recording
    assert not [target for target in platform.targets if target.startswith("/files")]

    # Sent without an end, it would keep whoever reads it.
    platform.recording = dripping
    assert (await source.fetch(CALL, KEY)).has_recording


async def test_only_the_cursor_of_a_next_page_is_followed_wherever_it_points(
    platform: Platform, source: Ultravox
) -> None:
    async with playing() as stranger:
        for elsewhere in (
            f"{stranger.url}{PATH}/messages?cursor=1",
            f"https://127.0.0.1:{stranger.url.rsplit(':', 1)[1]}/messages?cursor=1",
            "?cursor=1",
        ):
            platform.keep(KEY, CALL, [said("user", "Hi.")], [said("agent", "Hello.")])
            platform.once.append(page(said("user", "Hi."), next=elsewhere))
            assert [turn.text for turn in (await source.fetch(CALL, KEY)).transcript] == ["Hi.", "Hello."]
        assert not stranger.requests


async def test_a_next_page_without_a_cursor_is_an_error(platform: Platform, source: Ultravox) -> None:
    for nowhere in (f"{platform.url}{PATH}/messages", "file:///etc/passwd", "\0"):
        platform.messages = page(said("user", "Hi."), next=nowhere)
        assert "cursor" in str(await failure(source.fetch(CALL, KEY)))


async def test_a_redirect_is_not_followed(platform: Platform, source: Ultravox) -> None:
    async with playing() as stranger:
        platform.messages = answering(302, b"", Location=f"{stranger.url}{PATH}/messages")
        assert type(await failure(source.fetch(CALL, KEY))) is EnrichmentError
        assert not stranger.requests


async def test_pages_without_end_are_given_up(
    platform: Platform, source: Ultravox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ultravox, "MAX_PAGES", 3)
    platform.messages = page(said("user", "again"), next=f"{platform.url}{PATH}/messages?cursor=0")
    error = await failure(source.fetch(CALL, KEY))
    assert type(error) is EnrichmentError
    assert "3 pages" in str(error)
    assert len(platform.requests) == 3


@pytest.mark.parametrize("pages", [1, 4])
async def test_messages_without_end_are_given_up(
    platform: Platform, source: Ultravox, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    monkeypatch.setattr(ultravox, "MAX_BYTES", 4000)
    platform.keep(KEY, CALL, *[[said("user", "x" * (4400 // pages))]] * pages)
    error = await failure(source.fetch(CALL, KEY))
    assert type(error) is EnrichmentError
    assert "4000 bytes" in str(error)


@pytest.mark.parametrize("where", ["messages", "recording"])
@pytest.mark.parametrize(
    ("answer", "retry_after"),
    [
        (answering(401, b""), 300),
        (answering(403, b'{"detail":"Forbidden."}'), 300),
        (answering(425, b""), 30),
        (answering(429, b""), 10),
        (answering(429, b"", **{"Retry-After": "soon"}), 10),
        (answering(429, b"", **{"Retry-After": f"Wed, 21 Oct {'9' * 20} 07:28:00 GMT"}), 10),
        (answering(429, b"", **{"Retry-After": "7"}), 7),
        (answering(429, b"", **{"Retry-After": "0"}), 1),
        (answering(429, b"", **{"Retry-After": "9" * 400}), 86_400),
        (answering(429, b"", **{"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), 1),
        (answering(429, b"", **{"Retry-After": "Wed, 21 Oct 2015 07:28:00 -0000"}), 10),
        # By the platform's clock, where that differs from ours.
        (
            answering(
                429,
                b"",
                **{"Date": "Wed, 21 Oct 2015 07:00:00 GMT", "Retry-After": "Wed, 21 Oct 2015 07:00:40 GMT"},
            ),
            40,
        ),
        (answering(502, b""), 30),
        (answering(503, b"", **{"Retry-After": "120"}), 120),
        (answering(504, b""), 30),
    ],
)
async def test_what_is_not_the_calls_fault_is_tried_again_later(
    platform: Platform, source: Ultravox, where: str, answer: Answer, retry_after: float
) -> None:
    setattr(platform, where, answer)
    error = await failure(source.fetch(CALL, KEY))
    assert isinstance(error, NotNow)
    assert error.retry_after == retry_after


@pytest.mark.parametrize("said", [{}, {"Date": "today"}, {"Date": "Wed, 21 Oct 2015 07:00:00 -0000"}])
async def test_a_date_to_wait_for_counts_from_now_where_no_other_can_be_read(
    platform: Platform, source: Ultravox, said: dict[str, str]
) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    platform.once = [answering(429, b"", **{"Retry-After": until}, **said)]
    error = await failure(source.fetch(CALL, KEY))
    assert isinstance(error, NotNow)
    assert 3000 < error.retry_after <= 3600


@pytest.mark.parametrize("where", ["messages", "recording"])
@pytest.mark.parametrize("answer", [answering(500, b""), answering(400, b""), answering(204, b""), resetting])
async def test_an_answer_that_says_nothing_is_a_failed_try(
    platform: Platform, source: Ultravox, where: str, answer: Answer
) -> None:
    setattr(platform, where, answer)
    assert type(await failure(source.fetch(CALL, KEY))) is EnrichmentError


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Sign in</html>",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'{"messages":[]}',
        b'{"results":null}',
        b'{"results":[],"next":7}',
        b'{"results":["' + SECRET.encode() + b'"]}',
        b'{"results":[{"role":"MESSAGE_ROLE_USER","text":["' + SECRET.encode() + b'"]}]}',
        b'{"results":[{"timespan":{"start":"' + SECRET.encode() + b'"}}]}',
        b'{"results":[{"timespan":{"start":3.4}}]}',
        b'{"results":[{"timespan":{"start":"PT3S"}}]}',
        b'{"results":' + b"[" * 100_000,
        b'{"results":[{"role":"MESSAGE_ROLE_USER","text":"' + SECRET.encode(),
    ],
)
async def test_an_answer_of_another_shape_is_a_failed_try(platform: Platform, source: Ultravox, body: bytes) -> None:
    platform.messages = answering(200, body)
    assert type(await failure(source.fetch(CALL, KEY))) is EnrichmentError


async def test_an_answer_that_breaks_off_is_a_failed_try(platform: Platform, source: Ultravox) -> None:
    async def breaking_off(writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n{"results":[')

    platform.messages = breaking_off
    assert type(await failure(source.fetch(CALL, KEY))) is EnrichmentError


@pytest.mark.parametrize("slowly", [hanging, dripping])
async def test_a_fetch_ends_in_time_however_slow_the_answer_is(platform: Platform, slowly: Answer) -> None:
    platform.messages = slowly
    async with asking(platform, timeout_seconds=4) as source:
        error = await failure(source.fetch(CALL, KEY))
    assert type(error) is EnrichmentError
    assert "4 s" in str(error)


async def test_a_platform_that_is_away_is_tried_again_later() -> None:
    async with playing() as platform:
        pass
    async with asking(platform) as source:
        error = await failure(source.fetch(CALL, KEY))
    assert isinstance(error, NotNow)
    assert error.retry_after == 30


async def test_a_platform_that_lets_nobody_in_is_tried_again_later(platform: Platform) -> None:
    # It never answers a handshake, so there is no connection to ask on.
    async with asking(platform, url=platform.url.replace("http:", "https:"), timeout_seconds=8) as source:
        error = await failure(source.fetch(CALL, KEY))
    assert isinstance(error, NotNow)
    assert error.retry_after == 30
    assert not platform.requests


async def test_a_call_the_platform_does_not_know_is_unusable(source: Ultravox) -> None:
    error = await failure(source.fetch("00000000-0000-4000-8000-000000000000", KEY))
    assert isinstance(error, Unusable)
    assert str(error) == "the platform has no such call"


async def test_a_call_of_another_agency_is_unusable(platform: Platform, source: Ultravox) -> None:
    platform.keep(OTHER_KEY, "theirs", [said("user", SECRET)], recorded=True)
    assert isinstance(await failure(source.fetch("theirs", KEY)), Unusable)
    assert (await source.fetch("theirs", OTHER_KEY)).transcript[0].text == SECRET


@pytest.mark.parametrize(
    ("call_id", "quoted"),
    [
        ("../../x", "..%2F..%2Fx"),
        ("a/b?c", "a%2Fb%3Fc"),
        ("a#b", "a%23b"),
        ("a%2fb", "a%252fb"),
        (" \r\nX-Evil: 1", "%20%0D%0AX-Evil%3A%201"),
        ("//evil.example", "%2F%2Fevil.example"),
        ("@evil.example:1", "%40evil.example%3A1"),
        ("…", "%E2%80%A6"),
    ],
)
async def test_a_call_id_stays_in_its_place_in_the_path(
    platform: Platform, source: Ultravox, call_id: str, quoted: str
) -> None:
    platform.keep(KEY, call_id, [said("user", "Hi.")], recorded=True)
    recorded = await source.fetch(call_id, KEY)
    assert recorded.transcript[0].text == "Hi."
    assert recorded.has_recording
    assert [target.split("?")[0] for target in platform.targets] == [
        f"/api/calls/{quoted}/messages",
        f"/api/calls/{quoted}/recording",
    ]


@pytest.mark.parametrize("call_id", ["", ".", "..", "x" * 100_000])
async def test_a_call_id_that_no_address_can_hold_is_not_asked_for(
    platform: Platform, source: Ultravox, call_id: str
) -> None:
    assert isinstance(await failure(source.fetch(call_id, KEY)), Unusable)
    assert not platform.requests


@pytest.mark.parametrize("key", ["", f"{KEY}\r\nX-Evil: 1", f" {KEY}", f"{KEY}é"])
async def test_a_key_that_no_header_can_hold_is_refused_unsent(platform: Platform, source: Ultravox, key: str) -> None:
    error = await failure(source.fetch(CALL, key))
    assert isinstance(error, NotNow)
    assert (str(error), error.retry_after) == ("the agency's key is refused", 300)
    assert not platform.requests


async def test_what_the_platform_tells_one_agency_to_remember_reaches_no_other(
    platform: Platform, source: Ultravox
) -> None:
    platform.keep(OTHER_KEY, CALL, [said("user", "Hi.")])
    platform.once = [answering(200, b'{"results":[]}', **{"Set-Cookie": "session=first; Path=/"})]
    await source.fetch(CALL, KEY)
    await source.fetch(CALL, OTHER_KEY)
    assert [asked.key for asked in platform.requests] == [KEY, KEY, OTHER_KEY, OTHER_KEY]
    assert not [asked for asked in platform.requests if "cookie" in asked.headers]


async def test_neither_key_nor_words_reach_the_log(
    platform: Platform, source: Ultravox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    platform.keep(KEY, CALL, [said("user", SECRET)])
    await source.fetch(CALL, KEY)
    platform.recording = answering(500, SECRET.encode())
    await failure(source.fetch(CALL, KEY))
    assert KEY not in caplog.text
    assert SECRET not in caplog.text


async def test_a_key_that_was_asked_to_wait_sends_nothing_until_then(platform: Platform, source: Ultravox) -> None:
    platform.once = [answering(429, b"", **{"Retry-After": "60"})]
    await failure(source.fetch(CALL, KEY))
    for _ in range(3):
        error = await failure(source.fetch(CALL, KEY))
        assert isinstance(error, NotNow)
        assert 0 < error.retry_after <= 60
    assert len(platform.requests) == 1

    source._pace._closed_until[KEY] -= 60  # a minute later
    await source.fetch(CALL, KEY)
    assert len(platform.requests) == 3


async def test_a_shorter_wait_does_not_end_a_longer_one(platform: Platform, source: Ultravox) -> None:
    async def late(writer: asyncio.StreamWriter) -> None:
        await until(lambda: len(platform.requests) == 2)
        await answering(429, b"", **{"Retry-After": "2"})(writer)

    platform.once = [late, answering(429, b"", **{"Retry-After": "500"})]
    await asyncio.gather(failure(source.fetch(CALL, KEY)), failure(source.fetch(CALL, KEY)))
    error = await failure(source.fetch(CALL, KEY))
    assert isinstance(error, NotNow)
    assert error.retry_after > 400


async def test_fetches_that_wait_for_their_turn_learn_that_the_key_must_wait(platform: Platform) -> None:
    platform.once = [answering(429, b"", **{"Retry-After": "60"})]
    async with asking(platform, requests_per_second=0.5) as source:
        errors = await asyncio.gather(*(failure(source.fetch(CALL, KEY)) for _ in range(3)))
    assert all(isinstance(error, NotNow) for error in errors)
    assert len(platform.requests) == 1


async def test_a_key_does_not_wait_for_another(platform: Platform, source: Ultravox) -> None:
    platform.keep(OTHER_KEY, CALL, [said("user", "Hi.")])
    platform.once = [answering(429, b"", **{"Retry-After": "60"})]
    await failure(source.fetch(CALL, KEY))
    assert (await source.fetch(CALL, OTHER_KEY)).transcript[0].text == "Hi."
    assert isinstance(await failure(source.fetch(CALL, KEY)), NotNow)


async def test_many_fetches_at_once_stay_within_each_keys_limit(platform: Platform) -> None:
    limit = 20
    platform.keep(OTHER_KEY, CALL, [said("user", "Hi.")])
    async with asking(platform, requests_per_second=limit) as source:
        began = asyncio.get_running_loop().time()
        fetched = await asyncio.gather(*(source.fetch(CALL, key) for key in (KEY, OTHER_KEY) for _ in range(10)))
    assert len(fetched) == 20
    for key in (KEY, OTHER_KEY):
        came = sorted(asked.at - began for asked in platform.requests if asked.key == key)
        assert len(came) == 20
        # However late each may come, none comes before its turn: never more than the limit lets through by then.
        assert all(at >= number / limit - 0.01 for number, at in enumerate(came))


async def test_a_fetch_whose_turn_would_come_too_late_is_put_off_at_once(platform: Platform) -> None:
    async with asking(platform, requests_per_second=0.01, timeout_seconds=50) as source:
        error = await failure(source.fetch(CALL, KEY))
    assert isinstance(error, NotNow)
    assert 50 < error.retry_after <= 100
    assert len(platform.requests) == 1
