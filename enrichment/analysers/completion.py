"""A chat completion as servers that speak the OpenAI protocol send it, or what they say instead, and no more of it than
that."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Annotated, Any, cast

import httpx2
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from enrichment.analysis import Text

MOST_BYTES = 2 * 1024 * 1024
"""Of a server's answer: some fifty times the longest that validates."""
MOST_TOKENS = 10**9
"""Of one request; a server that tells of more does not count tokens."""


def _or_none(value: object, read: ValidatorFunctionWrapHandler) -> object:
    try:
        return read(value)
    except ValidationError:
        return None


_IfUsable = WrapValidator(_or_none)
"""For what servers add in their own ways: anything else than expected counts as absent."""


Tokens = Annotated[int, Field(ge=0, le=MOST_TOKENS)]


class _Spent(BaseModel):
    prompt_tokens: Tokens
    completion_tokens: Tokens
    cost: Annotated[Annotated[Decimal, Field(ge=0, le=MOST_TOKENS)] | None, _IfUsable] = None


class _Part(BaseModel):
    text: Annotated[str, _IfUsable] | None = None


class _Message(BaseModel):
    content: str | list[_Part | str] | None = None
    refusal: str | None = None

    @property
    def words(self) -> str:
        """Its text, or the texts of its parts."""
        if isinstance(self.content, list):
            return "".join(part if isinstance(part, str) else part.text or "" for part in self.content)
        return self.content or ""


class Complaint(BaseModel):
    """What a server says of a request that it refuses."""

    code: Annotated[int | None, _IfUsable] = None
    param: Annotated[str | None, _IfUsable] = None
    message: Annotated[str | None, _IfUsable] = None
    metadata: Annotated[dict[str, Any] | None, _IfUsable] = None

    @property
    def is_about_setup(self) -> bool:
        """Whether no call would be taken, for the model or for what we ask of it."""
        # OpenRouter tells an unknown model by these words only.
        return self.param in ("model", "response_format", "temperature", "max_tokens") or (
            "not a valid model" in (self.message or "")
        )


class Choice(BaseModel):
    """What the model says, and how it came to its end."""

    message: _Message
    finish_reason: str | None = None
    error: Annotated[Complaint | None, _IfUsable] = None
    """OpenRouter's, where the model failed half way."""


class Completion(BaseModel):
    """A model's answer."""

    choices: tuple[Choice, ...]
    model: Annotated[Text | None, _IfUsable] = None
    usage: Annotated[_Spent | None, _IfUsable] = None


class Failure(BaseModel):
    """OpenRouter's answer, with status 200, when it fails after the model has begun."""

    error: Complaint


ANSWER: TypeAdapter[Completion | Failure] = TypeAdapter(Completion | Failure)
COMPLAINT: TypeAdapter[Complaint | None] = TypeAdapter(Annotated[Complaint | None, _IfUsable])


class TooMuch(httpx2.TransportError):
    """An answer that is read no further."""


class _Counted(httpx2.AsyncByteStream):
    """An answer's body, up to a bound."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for chunk in self._stream:
            read += len(chunk)
            if read > MOST_BYTES:
                raise TooMuch(f"the model's server answered with more than {MOST_BYTES:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


async def bound(response: httpx2.Response) -> None:
    """Has a client read no more of an answer than `MOST_BYTES`, and nothing that is packed.

    Raises:
        TooMuch: it is packed; or, as it is read, too long.
    """
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise TooMuch("the model's server packed its answer, which it was asked not to do")
    response.stream = _Counted(cast("httpx2.AsyncByteStream", response.stream))
