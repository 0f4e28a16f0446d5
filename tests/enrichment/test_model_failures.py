"""Whatever a model's server does instead of answering is told apart: wait, try again, or set the call aside."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from enrichment.analysers.completion import MOST_BYTES
from enrichment.errors import EnrichmentError, NotNow, Unusable
from tests.enrichment.model_server import (
    FACTS,
    MODEL,
    ONCE,
    WHOLE,
    Answer,
    ModelServer,
    completion,
    dripping,
    failed,
    failing,
    hanging,
    resetting,
    saying,
    sending,
    serving_models,
)
from tests.waiting import PATIENCE

BROKEN_OFF = {
    "index": 0,
    "message": {"role": "assistant", "content": "{"},
    "error": {"code": 520, "message": "price is"},
}


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with serving_models() as server:
        yield server


@pytest.mark.parametrize(
    "refusing",
    [
        saying(None, refusal="I will not talk about the price is too high."),
        saying(None, finish_reason="content_filter"),
        saying(WHOLE, finish_reason="content_filter"),
    ],
)
async def test_a_refusal_is_not_asked_again(server: ModelServer, refusing: Answer) -> None:
    server.script = [refusing]
    error = await failed(server)
    assert type(error) is EnrichmentError
    assert str(error) == "the model refused to analyse this call"
    assert error.usage == (ONCE,)
    assert len(server.requests) == 1


async def test_a_call_that_moderation_flagged_is_a_refusal(server: ModelServer) -> None:
    server.script = [failing(403, code=403, metadata={"reasons": ["x"], "flagged_input": "the price is too high"})]
    error = await failed(server)
    assert type(error) is EnrichmentError
    assert "refused to analyse this call" in str(error)


@pytest.mark.parametrize(
    ("status", "stated", "seconds", "word"),
    [
        (429, {"Retry-After": "7"}, 7, "asked too often"),
        (429, {"Retry-After": "1.5"}, 1.5, "limit"),
        (429, {}, 30, "asked too often"),
        (429, {"Retry-After": "soon"}, 30, "asked too often"),
        (429, {"Retry-After": "0"}, 1, "asked too often"),
        (429, {"Retry-After": "99999999"}, 3600, "asked too often"),
        (429, {"Retry-After-Ms": "2500", "Retry-After": "9"}, 2.5, "asked too often"),
        (429, {"Retry-After": "Tue, 01 Dec 2026 10:00:40 GMT", "Date": "Tue, 01 Dec 2026 10:00:00 GMT"}, 40, "limit"),
        (429, {"Retry-After": "Tue, 01 Dec 2026 09:00:00 GMT", "Date": "Tue, 01 Dec 2026 10:00:00 GMT"}, 1, "limit"),
        (502, {}, 30, "away"),
        (503, {"Retry-After": "12"}, 12, "away"),
        (504, {}, 30, "away"),
        (529, {}, 30, "overloaded"),
        (402, {}, 300, "ANALYSER_API_KEY"),
        (403, {"Retry-After": "1"}, 300, "ANALYSER_API_KEY"),
        (405, {}, 300, "ANALYSER_URL"),
        (307, {"Location": "http://127.0.0.1:1/v1/chat/completions"}, 300, "ANALYSER_URL"),
    ],
)
async def test_a_server_that_cannot_now_is_left_alone(
    server: ModelServer, status: int, stated: dict[str, str], seconds: float, word: str
) -> None:
    server.otherwise = failing(status, message="the price is too high", headers=stated)
    error = await failed(server)
    assert isinstance(error, NotNow)
    assert error.retry_after == seconds
    assert word in str(error)
    assert f"({status})" in str(error)
    assert error.usage == ()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("wrong", "setting"),
    [({"key": "sk-a-wrong-key"}, "ANALYSER_API_KEY"), ({"model": "vendor/model-9"}, "ANALYSER_MODEL")],
)
async def test_a_wrong_setting_is_named(server: ModelServer, wrong: dict[str, str], setting: str) -> None:
    error = await failed(server, **wrong)
    assert isinstance(error, NotNow)
    assert (error.retry_after, f"see {setting}" in str(error)) == (300, True)


@pytest.mark.parametrize(
    "complaint",
    [
        {"param": "max_tokens", "code": "unsupported_parameter"},
        {"param": "response_format"},
        {"message": f"{MODEL} is not a valid model ID", "code": 400},
    ],
)
async def test_a_bad_request_that_blames_the_model_names_its_setting(
    server: ModelServer, complaint: dict[str, Any]
) -> None:
    server.script = [failing(400, **complaint)]
    error = await failed(server)
    assert isinstance(error, NotNow)
    assert (error.retry_after, "see ANALYSER_MODEL" in str(error)) == (300, True)


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize(
    "body", [b'{"error": {"param": "messages", "message": "price is"}}', b'{"error": 7}', b"[", b""]
)
async def test_a_call_the_server_does_not_take_is_unusable(server: ModelServer, status: int, body: bytes) -> None:
    server.script = [sending(status, body)]
    error = await failed(server)
    assert type(error) is Unusable
    assert f"does not take this call ({status})" in str(error)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (failing(500, message="the price is"), "failed (500)"),
        (failing(524), "failed (524)"),
        (failing(408), "failed (408)"),
        (hanging, "took over 3 seconds"),
        (dripping, "took over 3 seconds"),
        (sending(200, completion(WHOLE), short_by=40), "hung up"),
        (resetting, "hung up"),
        (sending(200, completion(WHOLE)[:-40]), "something else than a chat completion"),
        (sending(200, b"<html>the price is</html>"), "something else than a chat completion"),
        (sending(200, b""), "something else than a chat completion"),
        (sending(200, b" " * (MOST_BYTES + 1)), f"answered with more than {MOST_BYTES:,} bytes"),
        (sending(500, b" " * (MOST_BYTES + 1)), f"answered with more than {MOST_BYTES:,} bytes"),
        (sending(200, gzip.compress(completion(WHOLE)), {"Content-Encoding": "gzip"}), "packed its answer"),
        (sending(200, completion(None, choices=[BROKEN_OFF], usage=None)), "failed (520)"),
        (sending(200, completion(WHOLE, choices=[], usage={})), "without an answer of the model"),
        (sending(200, b'{"error": {"code": "odd", "message": "the price is"}}'), "failed (500)"),
    ],
)
async def test_a_failure_counts_as_a_try(server: ModelServer, answer: Answer, reason: str) -> None:
    server.script = [answer]
    async with asyncio.timeout(PATIENCE):
        error = await failed(server, timeout_seconds=3 if answer in (hanging, dripping) else PATIENCE)
    assert type(error) is EnrichmentError
    assert reason in str(error)
    assert error.usage == ()
    assert len(server.requests) == 1


async def test_a_failure_inside_an_answer_is_read_by_its_code(server: ModelServer) -> None:
    server.script = [sending(200, b'{"error": {"code": 429, "message": "price is"}}', {"Retry-After": "4"})]
    error = await failed(server)
    assert isinstance(error, NotNow)
    assert error.retry_after == 4


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    error = await failed(ModelServer(saying(FACTS), url=address))
    assert isinstance(error, NotNow)
    assert (error.retry_after, "ANALYSER_URL" in str(error)) == (30, True)


@pytest.mark.parametrize(
    ("second", "kind"),
    [(failing(429), NotNow), (failing(500), EnrichmentError), (hanging, EnrichmentError), (failing(400), Unusable),
     (resetting, EnrichmentError), (sending(200, b""), EnrichmentError),
     (saying(None, refusal="No."), EnrichmentError)],
)  # fmt: skip
async def test_the_first_answer_is_paid_for_whatever_becomes_of_the_second(
    server: ModelServer, second: Answer, kind: type[EnrichmentError]
) -> None:
    server.script = [saying("nonsense"), second]
    error = await failed(server, timeout_seconds=3 if second is hanging else PATIENCE)
    assert type(error) is kind
    assert error.usage[0] == ONCE
    assert len(server.requests) == 2
