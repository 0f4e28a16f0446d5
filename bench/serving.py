"""Runs contenders beside one another: checks that they answer the same, then measures them in turns."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx2
import orjson
import psutil

from bench.data import SECRET, Agency
from bench.load import Job, Load, load, request
from database.embedded import Server
from gateway.settings import Settings

READY_SECONDS = 60.0
Question = str
"""What is asked: `full` for the whole dashboard, `overview` for that section alone."""


def graphql_data(answer: Any) -> Any:
    """The data of a GraphQL answer; errors are none."""
    if "errors" in answer:
        raise ValueError(f"{answer['errors']}")
    return answer["data"]


@dataclass(frozen=True)
class Contender:
    """Something that answers dashboards: a command that serves on PORT from DATABASE_URL, and how to ask it.

    `bodies` has the JSON body of each question; `shaped` turns the JSON of its answer into the data of the gateway's. A
    contender whose `shaped` is None answers something else, and is not compared: a floor.
    """

    name: str
    command: Sequence[str]
    bodies: Mapping[Question, bytes]
    path: str = "/graphql"
    shaped: Callable[[Any], Any] | None = graphql_data
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None


@dataclass(frozen=True)
class Measured:
    """What one contender did in one round."""

    load: Load
    server_ms: float
    postgres_ms: float


class Started:
    """A contender that is running, for one agency's owner."""

    def __init__(self, contender: Contender, process: subprocess.Popen[bytes], port: int, token: str) -> None:
        self.contender = contender
        self.port = port
        self._process = psutil.Process(process.pid)
        self.token = token

    def ask(self, question: Question) -> bytes:
        """The bytes of one answer."""
        response = httpx2.post(
            f"http://127.0.0.1:{self.port}{self.contender.path}",
            content=self.contender.bodies[question],
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
                "Accept": "application/json",
            },
            timeout=60,
        )
        if response.status_code != 200:
            raise RuntimeError(f"{self.contender.name} answers {response.status_code}: {response.text[:2000]}")
        return response.content

    def data(self, question: Question) -> Any:
        """One answer in the gateway's shape; None of a floor, which answers something else."""
        shaped = self.contender.shaped
        return None if shaped is None else comparable(shaped(orjson.loads(self.ask(question))))

    def job(self, question: Question, concurrency: int, seconds: float) -> Job:
        """A load of one question, whose answer is to be the one that is given now.

        Raises:
            ValueError: that has errors. A server may answer at first, and then no more: by a compiler that comes later.
        """
        text = request(self.contender.path, self.token, self.contender.bodies[question])
        answer = self.ask(question)
        if self.contender.shaped is not None:
            self.contender.shaped(orjson.loads(answer))
        return Job(self.port, [text], [answer.decode()], concurrency, seconds)

    def load(self, job: Job) -> Load:
        """Runs a job.

        Raises:
            RuntimeError: an answer was wrong.
        """
        done = load(job)
        if done.wrong:
            raise RuntimeError(f"{self.contender.name}: {done.wrong} wrong answers, the first: {done.first_wrong}")
        return done

    def cpu_seconds(self) -> float:
        """Of its whole tree of processes."""
        return cpu_seconds(self._process)

    def rss_bytes(self) -> int:
        """Resident memory of its whole tree of processes."""
        return sum(process.memory_info().rss for process in [self._process, *self._process.children(recursive=True)])


@contextmanager
def started(contender: Contender, dsn: str, agency: Agency) -> Iterator[Started]:
    """Serves until the block ends; ready when its port answers."""
    port = _free_port()
    # The gateway's settings are its defaults, whatever they are where this is run.
    environment = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields} | {
        "DATABASE_URL": dsn,
        "PORT": str(port),
        "SUPABASE_JWT_SECRET": SECRET,
        **contender.environment,
    }
    process = subprocess.Popen(contender.command, env=environment, cwd=contender.cwd, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{contender.name} does not start")
            time.sleep(0.02)
        yield Started(contender, process, port, agency.token)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def check_equal(contenders: Sequence[Started], question: Question) -> None:
    """Nobody is measured before all give the answer of the first, and give it again: some compile for the second time.

    Raises:
        RuntimeError: somebody does not; the message names what differs first.
    """
    expected = None
    for contender in (*contenders, *contenders):
        data = contender.data(question)
        if data is None:
            continue
        expected = expected if expected is not None else data
        if (where := difference(expected, data)) is not None:
            raise RuntimeError(f"{contender.contender.name} answers {question} otherwise: {where}")


def measure(
    contenders: Sequence[Started],
    question: Question,
    database: psutil.Process,
    *,
    rounds: int,
    seconds: float,
    concurrency: int,
) -> dict[str, list[Measured]]:
    """Rounds over all contenders (A B C A B C …), so that what else the machine does meets all alike."""
    for contender in contenders:
        contender.load(
            contender.job(question, concurrency, seconds / 2)
        )  # warm: pools, prepared statements, compiled plans
    measured: dict[str, list[Measured]] = {contender.contender.name: [] for contender in contenders}
    for _ in range(rounds):
        for contender in contenders:
            job = contender.job(question, concurrency, seconds)
            before = contender.cpu_seconds(), cpu_seconds(database)
            done = contender.load(job)
            after = contender.cpu_seconds(), cpu_seconds(database)
            each = 1000 / done.answers
            measured[contender.contender.name].append(
                Measured(done, (after[0] - before[0]) * each, (after[1] - before[1]) * each)
            )
    return measured


def all_started(stack: ExitStack, contenders: Sequence[Contender], dsn: str, agency: Agency) -> list[Started]:
    """Every contender at once, each idle but when it is its turn."""
    return [stack.enter_context(started(contender, dsn, agency)) for contender in contenders]


def postmaster(server: Server) -> psutil.Process:
    """PostgreSQL's first process, whose children are all others."""
    return psutil.Process(int((server.data_dir / "postmaster.pid").read_text().split()[0]))


def cpu_seconds(process: psutil.Process) -> float:
    """What a process and its children have used, those that have ended included."""
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + getattr(times, "children_user", 0) + getattr(times, "children_system", 0)
    return total


def comparable(value: Any, key: str = "") -> Any:
    """An answer without what may differ between two ways of writing the same: how a moment is spelled."""
    if isinstance(value, dict):
        return {name: comparable(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [comparable(inner, key) for inner in value]
    if isinstance(value, str) and key.endswith("At"):
        return datetime.fromisoformat(value)
    return value


def difference(one: Any, other: Any, at: str = "") -> str | None:
    """Where two answers differ first, in words; None when they do not. Numbers are compared as numbers."""
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return f"{at or 'the root'} has {sorted(one.keys() ^ other.keys())} on one side only"
        return next((found for key in one if (found := difference(one[key], other[key], f"{at}.{key}"))), None)
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return f"{at} has {len(one)} and {len(other)} entries"
        pairs = enumerate(zip(one, other, strict=True))
        return next((found for place, pair in pairs if (found := difference(*pair, f"{at}[{place}]"))), None)
    return None if one == other else f"{at} is {one!r} and {other!r}"


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
