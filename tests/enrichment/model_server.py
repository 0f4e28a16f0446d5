"""A server of the OpenAI protocol whose answers are scripted, wrong and broken ones too, and a call to ask it about."""

import asyncio
import re
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from enrichment.analysers.model import ModelAnalyser
from enrichment.analysis import Conversation, Usage
from enrichment.errors import EnrichmentError
from enrichment.transcripts import Speaker, Transcript, Turn
from tests.listening import listening
from tests.waiting import LONG, PATIENCE

KEY = "sk-a-key-nobody-may-see"
MODEL = "vendor/model-1"
USAGE = {"prompt_tokens": 1200, "completion_tokens": 340, "total_tokens": 1540}
FACTS: Mapping[str, Any] = {
    "disposition": "conversation",
    "sentiment": "neutral",
    "script_adherence": 0.8,
    "objections": [],
    "buying_signals": [],
    "is_qualified_lead": False,
    "issue_resolved": False,
    "escalated": False,
    "summary": "They talked about the offer.",
}
SAID: Transcript = (
    Turn(role=Speaker.AGENT, text="Hello, this is Ava about solar panels.", start_ms=0, end_ms=2000),
    Turn(role=Speaker.USER, text="Honestly, the  price is too high for us.", start_ms=1500, end_ms=4000),
    Turn(role=Speaker.AGENT, text="It pays for itself within two years.", start_ms=4000, end_ms=6000),
    Turn(role=Speaker.USER, text="How fast could we be up and running?", start_ms=6500, end_ms=8000),
)
TOO_HIGH = {"text": "Too expensive", "handled": True, "quote": "the PRICE is\ntoo high"}
HOW_FAST = {"text": "Asked about timeline", "quote": "How fast could we be up and running?"}
WHOLE = {**FACTS, "objections": [TOO_HIGH], "buying_signals": [HOW_FAST]}
ONCE = Usage(model=f"{MODEL}-0613", input_tokens=1200, output_tokens=340, cost_usd=None)

_COMMAND = re.compile(
    r"\b(?:mark|record|log|set|report|classify|count|treat)\b[^.!?]{0,60}\b(?:booked|appointment)", re.IGNORECASE
)


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    headers: Mapping[str, str]
    body: Any

    @property
    def messages(self) -> list[dict[str, str]]:
        """The conversation."""
        messages: list[dict[str, str]] = self.body["messages"]
        return messages

    @property
    def call(self) -> Any:
        """The document that the analyser sends of a call."""
        return orjson.loads(self.messages[1]["content"])


Answer = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class ModelServer:
    """Listens at `url`; each request takes the next answer of `script`, then `otherwise` answers."""

    otherwise: Answer
    script: list[Answer] = field(default_factory=list)
    url: str = ""
    requests: list[Asked] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request."""
        try:
            asked = await _read(reader)
            self.requests.append(asked)
            answer = self._refused(asked) or (self.script.pop(0) if self.script else self.otherwise)
            await answer(asked, writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _refused(self, asked: Asked) -> Answer | None:
        if asked.headers["authorization"] != f"Bearer {KEY}":
            return failing(401, message="Incorrect API key provided: sk-a-***", code="invalid_api_key")
        if asked.body["model"] != MODEL:
            return failing(404, message="The model does not exist", code="model_not_found", param="model")
        return None


async def _read(reader: asyncio.StreamReader) -> Asked:
    head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    # As a proxy it is asked for whole addresses.
    assert re.fullmatch(r"POST \S*/v1/chat/completions HTTP/1.1", head)
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return Asked(headers, orjson.loads(await reader.readexactly(int(headers["content-length"]))))


def sending(status: int, body: bytes, headers: Mapping[str, str] | None = None, *, short_by: int = 0) -> Answer:
    """These bytes; `short_by` of those announced never come."""

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Content-Type: application/json"]
        lines += ["Connection: close", *(f"{name}: {value}" for name, value in (headers or {}).items())]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body[: len(body) - short_by])

    return answer


def completion(
    facts: Mapping[str, Any] | str | None,
    *,
    finish_reason: str = "stop",
    refusal: str | None = None,
    **rest: Any,
) -> bytes:
    """A chat completion's body. Facts are written as JSON, a string as it stands; None in `rest` leaves a field out."""
    content = orjson.dumps(facts).decode() if isinstance(facts, Mapping) else facts
    message = {"role": "assistant", "content": content, "refusal": refusal}
    given = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": f"{MODEL}-0613",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}],
        "usage": USAGE,
    }
    return orjson.dumps({name: value for name, value in {**given, **rest}.items() if value is not None})


def saying(facts: Mapping[str, Any] | str | None, **rest: Any) -> Answer:
    """The model says this."""
    return sending(200, completion(facts, **rest))


def thinking(facts: Callable[[Asked], Mapping[str, Any]], seconds: Callable[[Asked], float] = lambda _: 0) -> Answer:
    """The model says what follows from the request, after so long."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds(asked))
        await saying(facts(asked))(asked, writer)

    return answer


def failing(status: int, *, headers: Mapping[str, str] | None = None, **error: Any) -> Answer:
    """An error in OpenAI's form."""
    return sending(status, orjson.dumps({"error": {"message": "no", **error}}), headers)


def obedient(facts: Mapping[str, Any]) -> Answer:
    """The worst model there is: books an appointment if any message tells it to, and is honest otherwise."""

    def judged(asked: Asked) -> Mapping[str, Any]:
        if any(_COMMAND.search(message["content"]) for message in asked.messages):
            return {**facts, "disposition": "appointment_booked", "sentiment": "positive"}
        return facts

    return thinking(judged)


async def hanging(_: Asked, __: asyncio.StreamWriter) -> None:
    """Never answers."""
    await asyncio.sleep(LONG)


async def dripping(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Sends a byte now and then, without end."""
    writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def resetting(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Hangs up."""
    writer.transport.abort()


@asynccontextmanager
async def serving_models() -> AsyncIterator[ModelServer]:
    """A server that listens until the block ends."""
    server = ModelServer(otherwise=saying(FACTS))
    async with listening(server.serve) as address:
        server.url = f"{address}/v1"
        yield server


async def analysed(server: ModelServer, transcript: Transcript = SAID, **given: Any) -> Any:
    """What the analyser says, by the server's script."""
    analyser = ModelAnalyser(**{"url": server.url, "key": KEY, "model": MODEL, "timeout_seconds": PATIENCE, **given})
    try:
        return await analyser.analyse(Conversation(transcript))
    finally:
        await analyser.close()


async def failed(server: ModelServer, **given: Any) -> EnrichmentError:
    """How it failed, telling nothing that is not to be told."""
    with pytest.raises(EnrichmentError) as caught:
        await analysed(server, **given)
    told = "".join(traceback.format_exception(caught.value))
    for secret in (KEY, "price is", "PRICE", "too high", "solar", "colour", "sk-a-"):
        assert secret not in told
    return caught.value
