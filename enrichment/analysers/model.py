"""Understands calls by asking a model over the OpenAI protocol, and holds its answer against the call."""

import asyncio
import json
import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
import orjson
from openai import APIConnectionError, APIStatusError, AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam
from openai.types.shared_params import ResponseFormatJSONSchema
from pydantic import ValidationError

from enrichment.analysers.completion import ANSWER, COMPLAINT, Choice, Complaint, Completion, Failure, TooMuch, bound
from enrichment.analysis import (
    BuyingSignal,
    CallAnalysis,
    Conversation,
    Disposition,
    Objection,
    Understanding,
    Usage,
)
from enrichment.errors import EnrichmentError, NotNow, Unusable
from enrichment.retry_after import retry_after
from enrichment.screening import screen
from enrichment.timings import measure
from enrichment.transcripts import Speaker, Transcript

Found = TypeVar("Found", Objection, BuyingSignal)

INSTRUCTIONS = Path(__file__).with_name("instructions.md").read_text("utf-8")
INSTRUCTIONS_VERSION = 1
"""Part of `analyzed_by`: it grows whenever the instructions change."""
CONNECT_SECONDS = 5.0
BUSY_SECONDS = 30.0
"""How long a server that is away or busy is left alone, if it does not say itself."""
SETUP_SECONDS = 300.0
"""The same for what a person has to put right."""
MAX_TOKENS = 8000
"""Of an answer: enough for the longest that validates, and a bound for what one that runs on costs."""

_LONGEST_WAIT_SECONDS = 3600.0
_REQUESTS = 2
_BUSY = {
    429: "the model's server is asked too often, or the account has reached its limit",
    **dict.fromkeys((502, 503, 504, 529), "the model is away or overloaded"),
}
_SETUP = {
    **dict.fromkeys((400, 413, 422), "the model is not known, or not to be asked like this: see ANALYSER_MODEL"),
    401: "the model's server refuses the key: see ANALYSER_API_KEY",
    402: "the account at the model's server has no credit left: see whose ANALYSER_API_KEY is",
    403: "the key may not use the model: see ANALYSER_API_KEY and ANALYSER_MODEL",
    404: "the model's server has no such model: see ANALYSER_MODEL, then ANALYSER_URL",
}


class ModelAnalyser:
    """Asks `model` at `url`, the base address of a server that speaks the OpenAI protocol.

    A request may take `timeout_seconds` in all, and an analysis two requests. The prices, in US dollars for a million
    tokens, are for servers that do not tell what a request cost. A server that needs no key takes any word for one.
    """

    def __init__(
        self,
        *,
        url: str,
        key: str,
        model: str,
        timeout_seconds: float,
        input_usd_per_million: float | None = None,
        output_usd_per_million: float | None = None,
    ) -> None:
        self._model = model
        self._timeout_seconds = timeout_seconds
        self._prices: tuple[Decimal, Decimal] | None = None
        if input_usd_per_million is not None and output_usd_per_million is not None:
            self._prices = Decimal(str(input_usd_per_million)), Decimal(str(output_usd_per_million))
        # OpenRouter says what a request cost when asked to; other servers refuse a field they do not know.
        self._extra = {"usage": {"include": True}} if urlsplit(url).hostname == "openrouter.ai" else None
        self._client = AsyncOpenAI(
            base_url=url,
            api_key=key,
            max_retries=0,  # The queue tries again, so that a waiting job holds no worker.
            timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
            # Unpacked nobody can say how long an answer is before it is all there.
            default_headers={"Accept-Encoding": "identity"},
            # A redirect would carry what people said to an address that nobody set.
            http_client=httpx2.AsyncClient(follow_redirects=False, event_hooks={"response": [bound]}),
        )
        # Taken from OPENAI_ORG_ID and OPENAI_PROJECT_ID otherwise, and told to whatever server is at `url`.
        self._client.organization = self._client.project = None

    async def analyse(self, conversation: Conversation) -> CallAnalysis:
        """The analysis of a conversation; an answer that does not hold is sent back to the model once.

        Raises:
            NotNow: the server is away, busy, or refuses the key or the model; the reason names the setting.
            Unusable: the server refuses this conversation.
            EnrichmentError: the model refused or failed, took too long, or gave no answer that holds.
        """
        transcript = screen(conversation.transcript)
        messages: list[ChatCompletionMessageParam] = [
            {"role": "system", "content": INSTRUCTIONS},
            {"role": "user", "content": _document(conversation, transcript)},
        ]
        usage: tuple[Usage, ...] = ()
        fault = ""
        for _ in range(_REQUESTS):
            completion = await self._ask(messages, usage)
            usage += self._usage(completion)
            if not completion.choices:
                raise EnrichmentError("the model's server answered without an answer of the model", usage=usage)
            choice = completion.choices[0]
            if choice.error is not None:
                raise _refusal(choice.error.code or 500, choice.error, {}, usage)
            if choice.message.refusal or choice.finish_reason == "content_filter":
                raise EnrichmentError("the model refused to analyse this call", usage=usage)
            try:
                understanding = _understanding(choice, transcript)
            except _Fault as found:
                fault = str(found)
                messages += [
                    # Some servers take no empty message.
                    {"role": "assistant", "content": choice.message.words or "(nothing)"},
                    {"role": "user", "content": f"This answer cannot be used: {fault}. Give the whole answer again."},
                ]
            else:
                return CallAnalysis(
                    understanding=understanding,
                    timings=measure(conversation.transcript),
                    analyzed_by=f"{self._named(completion)} instructions/{INSTRUCTIONS_VERSION}",
                    usage=usage,
                )
        raise EnrichmentError(f"the model's answer does not hold, asked {_REQUESTS} times: {fault}", usage=usage)

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()

    async def _ask(self, messages: list[ChatCompletionMessageParam], usage: tuple[Usage, ...]) -> "Completion":
        """One request. `usage` is of those before it, which its failure has to tell.

        What failed is never chained or quoted: the SDK's errors hold the key, the messages and the answer.
        """
        try:
            # The SDK's own limits are for each read: a server that sends a byte a second would keep us forever.
            async with asyncio.timeout(self._timeout_seconds):
                response = await self._client.chat.completions.with_raw_response.create(
                    model=self._model,
                    messages=messages,
                    response_format=_FORMAT,
                    temperature=0,
                    max_tokens=MAX_TOKENS,
                    extra_body=self._extra,
                )
        except TimeoutError:
            raise EnrichmentError(f"the model took over {self._timeout_seconds:g} seconds", usage=usage) from None
        except APIStatusError as error:
            raise _refusal(error.status_code, error.body, error.response.headers, usage) from None
        except APIConnectionError as error:
            if isinstance(error.__cause__, TooMuch):
                raise EnrichmentError(str(error.__cause__), usage=usage) from None
            if isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout):
                reason = "the model's server cannot be reached: see ANALYSER_URL if this lasts"
                raise NotNow(reason, retry_after=BUSY_SECONDS, usage=usage) from None
            raise EnrichmentError("the model's server hung up on us", usage=usage) from None
        try:
            # Read by ourselves: the SDK lets pass whatever a server that is only similar to OpenAI's sends.
            answer = ANSWER.validate_json(response.http_response.content)
        except ValidationError:
            reason = "the model's server answered with something else than a chat completion"
            raise EnrichmentError(reason, usage=usage) from None
        if isinstance(answer, Failure):
            raise _refusal(answer.error.code or 500, answer.error, response.http_response.headers, usage)
        return answer

    def _named(self, completion: "Completion") -> str:
        return completion.model or self._model

    def _usage(self, completion: "Completion") -> tuple[Usage, ...]:
        spent = completion.usage
        if spent is None:
            return ()
        cost = spent.cost
        if cost is None and self._prices:
            input_price, output_price = self._prices
            cost = (spent.prompt_tokens * input_price + spent.completion_tokens * output_price) / 1_000_000
        return (
            Usage(
                model=self._named(completion),
                input_tokens=spent.prompt_tokens,
                output_tokens=spent.completion_tokens,
                cost_usd=cost,
            ),
        )


def _document(conversation: Conversation, transcript: Transcript) -> str:
    """The call as JSON, in which no words can look like anything but a value."""
    document = {
        "direction": "inbound" if conversation.inbound else "outbound",
        "end_reason": conversation.end_reason,
        "turns": [{"speaker": turn.role, "text": turn.text} for turn in transcript if turn.text.strip()],
    }
    # Some servers read marks such as <|im_end|> as the end of a message wherever they stand.
    return orjson.dumps(document).decode().replace("<", "\\u003c")


def _strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema in the part of JSON Schema that servers hold their models to; bounds are checked afterwards."""
    kept: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in ("properties", "$defs"):
            kept[keyword] = {name: _strict(inner) for name, inner in value.items()}
        elif keyword == "anyOf":
            kept[keyword] = [_strict(inner) for inner in value]
        elif keyword == "items":
            kept[keyword] = _strict(value)
        elif keyword in ("type", "enum", "$ref", "required", "additionalProperties"):
            kept[keyword] = value
    return kept


_FORMAT: ResponseFormatJSONSchema = {
    "type": "json_schema",
    "json_schema": {"name": "understanding", "strict": True, "schema": _strict(Understanding.model_json_schema())},
}


_DECODER = json.JSONDecoder()
_MOST_BRACES = 50
_THOUGHTS = re.compile(r"\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
_MARKS = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u0060\u00b4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    }
)


class _Fault(Exception):
    """Why an answer does not hold: the field and what is wrong with it, but nothing of its content."""


def _understanding(choice: Choice, transcript: Transcript) -> Understanding:
    """The answer, held against the transcript that the model has read."""
    if choice.finish_reason == "length":
        raise _Fault("it was cut off for its length")
    try:
        understanding = Understanding.model_validate_json(_object_in(choice.message.words), strict=True)
    except ValidationError as error:
        raise _Fault(_described(error)) from None
    spoken = {turn.role for turn in transcript if turn.text.strip()}
    if understanding.disposition is Disposition.APPOINTMENT_BOOKED and spoken != set(Speaker):
        raise _Fault("disposition: an appointment needs two sides that speak")
    heard = [_folded(turn.text) for turn in transcript if turn.role is Speaker.USER]

    def held(finding: Found) -> Found:
        """Without its quote, if these are not words of one of the user's turns."""
        words = _folded(finding.quote)
        return finding if words and any(words in turn for turn in heard) else finding.model_copy(update={"quote": ""})

    found = {"objections": understanding.objections, "buying_signals": understanding.buying_signals}
    return understanding.model_copy(update={name: tuple(map(held, findings)) for name, findings in found.items()})


def _object_in(words: str) -> str:
    """The one JSON object of an answer, without the thoughts, the fence and the words that may stand around it.

    Of several, or of none, nobody can say which is meant: then it is the whole.
    """
    words = _THOUGHTS.sub("", words, count=1).strip()
    objects, place = [], words.find("{")
    for _ in range(_MOST_BRACES):
        if place < 0:
            break
        try:
            _, end = _DECODER.raw_decode(words, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            objects.append(words[place:end])
        place = words.find("{", end)
    return objects[0] if len(objects) == 1 else words


def _described(error: ValidationError) -> str:
    fault = error.errors(include_input=False, include_url=False)[0]
    # The name of a field that was not asked for is the model's own words.
    place = fault["loc"][:-1] if fault["type"] == "extra_forbidden" else fault["loc"]
    return f"{' '.join(str(part) for part in place) or 'the whole'}: {fault['msg']}"


def _folded(text: str) -> str:
    """Words in one spelling: models write other quotation marks, dashes and spaces than those that they read."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(_MARKS).casefold().split())


def _refusal(status: int, body: object, headers: Mapping[str, str], usage: tuple[Usage, ...]) -> EnrichmentError:
    """What an HTTP status other than success means for the job."""
    complaint = COMPLAINT.validate_python(body) or Complaint()
    if status == 403 and "flagged_input" in (complaint.metadata or {}):
        return EnrichmentError("the model refused to analyse this call (403)", usage=usage)
    if status in (400, 413, 422) and not complaint.is_about_setup:
        reason = f"the model's server does not take this call ({status}), perhaps for its length"
        return Unusable(reason, usage=usage)
    if status in _BUSY:
        wait = retry_after(headers, BUSY_SECONDS, _LONGEST_WAIT_SECONDS)
        return NotNow(f"{_BUSY[status]} ({status})", retry_after=wait, usage=usage)
    if status == 408 or status >= 500:
        return EnrichmentError(f"the model's server failed ({status})", usage=usage)
    reason = _SETUP.get(status, "the model's server is not at this address: see ANALYSER_URL")
    return NotNow(f"{reason} ({status})", retry_after=SETUP_SECONDS, usage=usage)
