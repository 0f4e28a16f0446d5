"""What Ultravox kept of a call, asked for with the agency's own key and within what the platform allows that key."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Annotated
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, BeforeValidator, ValidationError

from enrichment.errors import EnrichmentError, NotNow, Unusable
from enrichment.retry_after import retry_after
from enrichment.transcripts import Recorded, Speaker, Transcript, Turn, in_spoken_order

REQUESTS_PER_SECOND = 50.0
"""Of each key: a quarter of the 200 that the platform allows it, for the agency's own programs use it beside us."""
PAGE_SIZE = 100
MAX_PAGES = 100
MAX_BYTES = 16 * 1024 * 1024
"""Of all pages of one call, unpacked."""

REFUSED_SECONDS = 300.0
"""A refused key is mended by people."""
AWAY_SECONDS = 30.0
BUSY_SECONDS = 10.0
"""After a 429 that does not say how long."""
LONGEST_PAUSE_SECONDS = 86_400.0
"""A longer Retry-After is taken for a slip."""

_DURATION = re.compile(r"-?\d{1,12}(\.\d{1,9})?s")
_KEY = re.compile(r"[!-~]+")
_SPEAKERS = {"MESSAGE_ROLE_AGENT": Speaker.AGENT, "MESSAGE_ROLE_USER": Speaker.USER}


@dataclass(frozen=True)
class _Asker:
    """One fetch: whose it is, and when on the loop's clock it must be done."""

    key: str = field(repr=False)
    deadline: float


class Ultravox:
    """A `TranscriptSource`: the calls of agencies that call with Ultravox.

    The times of a turn are the platform's `timespan`, which it measures along the audio that it heard, and not its
    `wallClockTimespan`: what the network delays is no pause of the speakers.
    """

    def __init__(
        self,
        *,
        url: str = "https://api.ultravox.ai",
        timeout_seconds: float = 20.0,
        requests_per_second: float = REQUESTS_PER_SECOND,
    ) -> None:
        """`timeout_seconds` is for a whole fetch; `requests_per_second` is for each key."""
        self._url = str(httpx2.URL(url)).rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._pace = _Pace(requests_per_second)
        self._http = httpx2.AsyncClient(
            # Short enough to tell a platform that is away from one that is slow: the latter meets the fetch's own end.
            timeout=httpx2.Timeout(None, connect=timeout_seconds / 4, pool=timeout_seconds / 4),
            follow_redirects=False,
            # One client serves all agencies: what the platform tells one of them to remember must not reach another.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )

    async def fetch(self, call_id: str, key: str) -> Recorded:
        """What was kept of a call that has ended, and whether it was recorded.

        Raises:
            NotNow: the platform is away, too busy or not ready, refuses the key, or has asked that key to wait.
            Unusable: the platform has no such call.
            EnrichmentError: its answer is late, broken or too long.
        """
        if not _KEY.fullmatch(key):
            # It cannot even be sent; the client would say so by quoting it.
            raise _refused()
        if call_id in ("", ".", ".."):
            # Quoting leaves these as they are, and they would name another place.
            raise _no_such_call()
        call = f"{self._url}/api/calls/{quote(call_id, safe='')}"
        asker = _Asker(key, asyncio.get_running_loop().time() + self._timeout_seconds)
        try:
            async with asyncio.timeout_at(asker.deadline):
                transcript = await self._transcript(call, asker)
                return Recorded(transcript, await self._has_recording(call, asker))
        except httpx2.InvalidURL:
            # No address can hold such an id.
            raise _no_such_call() from None
        except TimeoutError:
            raise EnrichmentError(f"the platform took longer than {self._timeout_seconds:g} s") from None

    async def close(self) -> None:
        """Ends the connections to the platform."""
        await self._http.aclose()

    async def _transcript(self, call: str, asker: _Asker) -> Transcript:
        turns: list[Turn] = []
        room = MAX_BYTES
        address = httpx2.URL(f"{call}/messages?mode=in_call&pageSize={PAGE_SIZE}")
        for _ in range(MAX_PAGES):
            async with self._answer(address, asker) as response:
                if response.status_code == httpx2.codes.NOT_FOUND:
                    raise _no_such_call()
                if response.status_code != httpx2.codes.OK:
                    raise self._fault(response, asker)
                body = await _read(response, room)
            room -= len(body)
            page = _understand(body)
            turns += page.turns()
            if not page.next:
                return in_spoken_order(turns)
            address = _following(address, page.next)
        raise EnrichmentError(f"the call has more than {MAX_PAGES} pages of messages")

    async def _has_recording(self, call: str, asker: _Asker) -> bool:
        # The answer leads to the file or is the file. Neither is wanted: leaving the block unread hangs up.
        async with self._answer(httpx2.URL(f"{call}/recording"), asker) as response:
            match response.status_code:
                case 200 | 302:
                    return True
                case 404:
                    return False
            raise self._fault(response, asker)

    @asynccontextmanager
    async def _answer(self, address: httpx2.URL, asker: _Asker) -> AsyncIterator[httpx2.Response]:
        """An answer whose body is still to be read."""
        await self._pace.turn(asker)
        try:
            async with self._http.stream("GET", address, headers={"X-API-Key": asker.key}) as response:
                yield response
        # Of these errors only the kind is told: they carry the request, and with it the key.
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise NotNow(f"no way to the platform: {type(error).__name__}", retry_after=AWAY_SECONDS) from None
        except httpx2.HTTPError as error:
            raise EnrichmentError(f"the platform's answer broke off: {type(error).__name__}") from None

    def _fault(self, response: httpx2.Response, asker: _Asker) -> EnrichmentError:
        """What an answer that is not the one hoped for means."""
        match response.status_code:
            case 401 | 403:
                return _refused()
            case 429:
                seconds = retry_after(response.headers, BUSY_SECONDS, LONGEST_PAUSE_SECONDS)
                self._pace.close(asker.key, seconds)
                return _asked_to_wait(seconds)
            case 425:
                seconds = retry_after(response.headers, AWAY_SECONDS, LONGEST_PAUSE_SECONDS)
                return NotNow("the call is not ready yet", retry_after=seconds, only_this=True)
            case 502 | 503 | 504 as status:
                seconds = retry_after(response.headers, AWAY_SECONDS, LONGEST_PAUSE_SECONDS)
                return NotNow(f"the platform is away: it answers {status}", retry_after=seconds)
            case status:
                return EnrichmentError(f"the platform answers {status}")


class _Pace:
    """Spaces the requests of each key evenly, and stops those of a key that was asked to wait."""

    def __init__(self, requests_per_second: float) -> None:
        self._space = 1 / requests_per_second
        self._free_at: dict[str, float] = {}
        self._closed_until: dict[str, float] = {}

    async def turn(self, asker: _Asker) -> None:
        """Returns when the asker's next request may go out.

        Raises:
            NotNow: its key was asked to wait, or has so many requests waiting that the fetch would end first.
        """
        self._check_open(asker.key)
        now = asyncio.get_running_loop().time()
        mine = max(now, self._free_at.get(asker.key, now))
        if mine > asker.deadline:
            raise NotNow("too many requests of this agency are waiting", retry_after=mine - now)
        self._free_at[asker.key] = mine + self._space
        if mine > now:
            await asyncio.sleep(mine - now)
            self._check_open(asker.key)

    def close(self, key: str, seconds: float) -> None:
        """Lets no request of this key out for a while."""
        until = asyncio.get_running_loop().time() + seconds
        self._closed_until[key] = max(until, self._closed_until.get(key, until))

    def _check_open(self, key: str) -> None:
        now = asyncio.get_running_loop().time()
        if (remaining := self._closed_until.get(key, now) - now) > 0:
            raise _asked_to_wait(remaining)


def _milliseconds(duration: object) -> int | None:
    """From a protobuf duration such as `12.000500s`. What begins before its call's clock begins with it."""
    if duration is None:
        return None
    if not isinstance(duration, str) or not _DURATION.fullmatch(duration):
        raise ValueError("not a duration")
    return max(0, round(Decimal(duration[:-1]) * 1000))


class _Span(BaseModel):
    start: Annotated[int | None, BeforeValidator(_milliseconds)] = None
    end: Annotated[int | None, BeforeValidator(_milliseconds)] = None


class _Message(BaseModel):
    role: str = ""
    text: str | None = None
    timespan: _Span | None = None


class _Page(BaseModel):
    results: list[_Message]
    next: str | None = None

    def turns(self) -> list[Turn]:
        """What the two sides said; what was said to tools, and nothing at all, are left out."""
        turns = []
        for message in self.results:
            # PostgreSQL's jsonb takes every character but NUL.
            text = (message.text or "").replace("\0", "").strip()
            if text and (speaker := _SPEAKERS.get(message.role)):
                span = message.timespan or _Span()
                turns.append(Turn(role=speaker, text=text, start_ms=span.start, end_ms=span.end))
        return turns


def _understand(body: bytes) -> _Page:
    try:
        return _Page.model_validate_json(body)
    except ValidationError as error:
        # Never the input: it is what was said.
        fault = error.errors(include_input=False, include_context=False, include_url=False)[0]
        where = " ".join(str(part) for part in fault["loc"]) or "the whole"
        raise EnrichmentError(f"the platform's answer is no page of messages: {where}: {fault['msg']}") from None


def _following(page: httpx2.URL, link: str) -> httpx2.URL:
    """The next page's address: of the platform's link only the cursor is used, so that no key is sent elsewhere."""
    try:
        cursor = page.join(link).params.get("cursor")
    except httpx2.InvalidURL:
        cursor = None
    if not cursor:
        raise EnrichmentError("the platform's next page has no cursor")
    return page.copy_set_param("cursor", cursor)


async def _read(response: httpx2.Response, room: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > room:
            raise EnrichmentError(f"the call's messages are longer than {MAX_BYTES} bytes")
    return bytes(body)


def _refused() -> NotNow:
    return NotNow("the agency's key is refused", retry_after=REFUSED_SECONDS)


def _asked_to_wait(seconds: float) -> NotNow:
    return NotNow("the platform asked this agency to wait", retry_after=seconds)


def _no_such_call() -> Unusable:
    return Unusable("the platform has no such call")
