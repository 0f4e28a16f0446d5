"""A closed-loop load of HTTP/1.1 requests in a process of its own, quick enough not to be what is measured.

Each connection sends its next request when it has the answer to the one before. Every answer's status is checked, and
its body where the one to expect is given: what is wrong is counted, never timed as if it were right.
"""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import cast

import orjson
import uvloop


@dataclass(frozen=True)
class Job:
    """What to send, in turn, and to where. An expected body of None is any, with status 200 and without errors."""

    port: int
    requests: Sequence[str]
    expected: Sequence[str | None]
    concurrency: int
    seconds: float


@dataclass(frozen=True)
class Load:
    """What came back. `wrong` answers are among the `answers`; the first is kept, to be shown."""

    answers: int
    wrong: int
    first_wrong: str
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


def load(job: Job) -> Load:
    """Runs a job in a process of its own and waits for its end."""
    command = [sys.executable, "-m", "bench.load"]
    done = subprocess.run(command, input=orjson.dumps(asdict(job)), stdout=subprocess.PIPE, check=True)
    return Load(**orjson.loads(done.stdout))


def request(path: str, token: str, body: bytes) -> str:
    """A POST of JSON as it is sent, the body's length included."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head + body.decode()


class _Connection(asyncio.Protocol):
    """One client: a request, its whole answer, the next request."""

    def __init__(self, run: "_Run", first: int) -> None:
        self._run = run
        self._place = first
        self._received = b""
        self._length = -1  # of the whole answer, once its head is there
        self._body_at = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received = self._received + data if self._received else data
        if self._length < 0:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            self._body_at = end + 4
            self._length = self._body_at + _content_length(self._received[:end])
        if len(self._received) >= self._length:
            now = perf_counter()
            self._run.note(self._place, now - self._sent, self._received, self._body_at)
            self._received, self._length = b"", -1
            if now < self._run.deadline:
                self._place = (self._place + self._run.job.concurrency) % len(self._run.requests)
                self._send()
            else:
                self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._run.left(self._length >= 0 or perf_counter() < self._run.deadline)

    def _send(self) -> None:
        self._sent = perf_counter()
        self._transport.write(self._run.requests[self._place])


def _content_length(head: bytes) -> int:
    head = head.lower()
    at = head.find(b"content-length:")
    if at < 0:
        raise ValueError(f"an answer without Content-Length: {head!r}")
    return int(head[at + 15 : (head + b"\r\n").find(b"\r\n", at)])


class _Run:
    """What the connections share."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.requests = [text.encode() for text in job.requests]
        self.expected = [None if text is None else text.encode() for text in job.expected]
        self.taken: list[float] = []
        self.wrong = 0
        self.first_wrong = ""
        self.open = job.concurrency
        self.done = asyncio.get_running_loop().create_future()
        self.deadline = perf_counter() + job.seconds

    def note(self, place: int, seconds: float, answer: bytes, body_at: int) -> None:
        self.taken.append(seconds)
        expected = self.expected[place]
        good = answer.startswith(b"HTTP/1.1 200") and (
            b'"errors":' not in answer[body_at : body_at + 12] if expected is None else answer[body_at:] == expected
        )
        if not good:
            self.wrong += 1
            self.first_wrong = self.first_wrong or answer[:2000].decode(errors="replace")

    def left(self, early: bool) -> None:
        if early:
            self.wrong += 1
            self.first_wrong = self.first_wrong or "the connection was closed before its answer"
        self.open -= 1
        if not self.open:
            self.done.set_result(None)


async def _run(job: Job) -> Load:
    loop = asyncio.get_running_loop()
    run = _Run(job)
    started = perf_counter()
    for number in range(job.concurrency):
        await loop.create_connection(
            lambda number=number: _Connection(run, number % len(job.requests)), "127.0.0.1", job.port
        )
    await run.done
    seconds = perf_counter() - started
    taken = sorted(run.taken) or [0.0]
    return Load(
        answers=len(run.taken),
        wrong=run.wrong,
        first_wrong=run.first_wrong,
        seconds=seconds,
        p50_ms=taken[len(taken) // 2] * 1000,
        p99_ms=taken[len(taken) * 99 // 100] * 1000,
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(asdict(uvloop.run(_run(Job(**orjson.loads(sys.stdin.buffer.read())))))))
