"""The issuer's keys: rotated, removed, away, slow or wrong, and what each of it means for who is let in."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from structlog.testing import capture_logs

from gateway import keys
from gateway.keys import KeySet
from tests.conftest import Postgres
from tests.doors import House, check_error, check_graphql_error, furnished
from tests.given import token
from tests.issuer import (
    Answer,
    Issuer,
    answering,
    claims,
    dripping,
    hanging,
    issuing,
    private_key,
    public_jwk,
    resetting,
)
from tests.running import Running, running, settings_for
from tests.waiting import LONG, PATIENCE, until

PATH = "/functions/v1/dashboard-overview"


@pytest.fixture(scope="module")
async def house(server: Postgres) -> AsyncIterator[House]:
    async with furnished(server) as house:
        yield house


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with issuing() as issuer:
        issuer.add("first", "ES256")
        yield issuer


@dataclass
class Clock:
    """Time as `gateway.keys` tells it, moved by hand."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """It stands still until it is moved; waiting for the issuer stays real."""
    clock = Clock()
    monkeypatch.setattr(keys, "monotonic", clock)
    monkeypatch.setattr(keys, "TIMEOUT_SECONDS", PATIENCE)
    return clock


@pytest.fixture
def misbehaving(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Has the issuer fail in a way of FAULTS, or no more; one that never ends its answer is soon given up."""

    def misbehave(fault: str | None) -> None:
        issuer.misbehave = FAULTS[fault] if fault else None
        monkeypatch.setattr(keys, "TIMEOUT_SECONDS", 0.3 if fault in ("hangs", "drips") else PATIENCE)

    return misbehave


@pytest.fixture
async def gateway(house: House, issuer: Issuer) -> AsyncIterator[Running]:
    """A gateway that has not asked the issuer for anything yet."""
    async with running(settings_for(house.database.dsn, supabase_jwks_url=issuer.url)) as gateway:
        yield gateway


async def ask(gateway: Running, bearer: str) -> httpx2.Response:
    return await gateway.http.get(PATH, headers={"Authorization": f"Bearer {bearer}"})


async def status(gateway: Running, bearer: str) -> int:
    answer = await ask(gateway, bearer)
    if answer.status_code != 200:
        check_error(answer, answer.status_code)
    return answer.status_code


async def becomes(expected: int, asking: Callable[[], Awaitable[int]]) -> None:
    """A refresh goes on behind the requests' backs."""

    async def has_become() -> bool:
        return await asking() == expected

    await until(has_become)


async def test_all_three_algorithms_count_at_the_same_time_with_and_without_a_key_id(
    house: House, issuer: Issuer, gateway: Running
) -> None:
    issuer.add("rsa", "RS256")
    bearers = [token(house.owner), *(issuer.token(key, house.owner) for key in issuer.keys)]
    for algorithm, key in issuer.keys.values():
        bearers.append(jwt.encode(claims(house.owner), key, algorithm))
    assert await asyncio.gather(*(status(gateway, bearer) for bearer in bearers * 3)) == [200] * 15
    assert issuer.requests == 1


async def test_a_token_without_a_key_id_is_tried_with_each_key_of_its_algorithm(
    house: House, issuer: Issuer, gateway: Running
) -> None:
    issuer.add("second", "ES256", 1)
    issuer.add("rsa", "RS256")
    nameless = public_jwk(private_key("ES256", 2))
    issuer.extra.append(nameless)
    for number in (0, 1, 2):
        bearer = jwt.encode(claims(house.owner), private_key("ES256", number), "ES256")
        assert await status(gateway, bearer) == 200
    stranger = jwt.encode(claims(house.owner), private_key("ES256", 3), "ES256")
    assert await status(gateway, stranger) == 401


async def test_the_keys_are_asked_for_when_they_are_needed_and_not_again_while_they_are_fresh(
    house: House, issuer: Issuer, gateway: Running, clock: Clock
) -> None:
    assert await status(gateway, token(house.owner)) == 200
    assert issuer.requests == 0
    for _ in range(3):
        assert await status(gateway, issuer.token("first", house.owner)) == 200
        clock.now += keys.FRESH_SECONDS / 4
    assert issuer.requests == 1
    clock.now += keys.FRESH_SECONDS
    assert await status(gateway, issuer.token("first", house.owner)) == 200
    await until(lambda: issuer.requests == 2)


def test_keys_are_kept_no_longer_than_supabase_asks_for() -> None:
    assert keys.FRESH_SECONDS <= 600


async def test_a_new_key_counts_as_soon_as_the_issuer_may_be_asked_again(
    house: House, issuer: Issuer, gateway: Running, clock: Clock
) -> None:
    assert await status(gateway, issuer.token("first", house.owner)) == 200
    issuer.add("second", "RS256")
    assert await status(gateway, issuer.token("second", house.owner)) == 401
    assert issuer.requests == 1
    clock.now += keys.PAUSE_SECONDS
    assert await status(gateway, issuer.token("second", house.owner)) == 200
    assert await status(gateway, issuer.token("first", house.owner)) == 200
    assert issuer.requests == 2


async def test_a_removed_key_counts_until_the_refresh_and_never_after_it(
    house: House, issuer: Issuer, gateway: Running, clock: Clock
) -> None:
    old = issuer.token("first", house.owner)
    assert await status(gateway, old) == 200
    del issuer.keys["first"]
    issuer.add("second", "ES256", 1)
    clock.now += keys.FRESH_SECONDS - 1
    assert await status(gateway, old) == 200
    assert issuer.requests == 1
    clock.now += 2
    await becomes(401, lambda: status(gateway, old))
    assert issuer.requests == 2
    assert await status(gateway, issuer.token("second", house.owner)) == 200
    clock.now += keys.PAUSE_SECONDS
    assert await status(gateway, old) == 401


async def test_a_key_whose_id_is_taken_over_by_another_no_longer_counts(
    house: House, issuer: Issuer, gateway: Running, clock: Clock
) -> None:
    old = issuer.token("first", house.owner)
    assert await status(gateway, old) == 200
    issuer.add("first", "ES256", 1)
    clock.now += keys.FRESH_SECONDS + 1
    await becomes(401, lambda: status(gateway, old))
    assert await status(gateway, issuer.token("first", house.owner)) == 200


FAULTS: dict[str, Answer] = {
    "500": answering(500, b'{"keys": []}'),
    "404": answering(404, b"not found"),
    "204": answering(204, b""),
    "hangs up": resetting,
    "hangs": hanging,
    "drips": dripping,
    "empty": answering(200, b""),
    "garbage": answering(200, b"\x00\xff\xfe garbage"),
    "html": answering(200, b"<html>Sign in</html>"),
    "null": answering(200, b"null"),
    "list": answering(200, b"[]"),
    "text": answering(200, b'"keys"'),
    "no keys": answering(200, b'{"message": "Invalid API key"}'),
    "null keys": answering(200, b'{"keys": null}'),
    "keys are a number": answering(200, b'{"keys": 5}'),
    "nested without end": answering(200, b'{"keys":' + b"[" * 50_000),
    "not http": lambda writer: _say(writer, b"SSH-2.0-OpenSSH\r\n\r\n"),
}


async def _say(writer: asyncio.StreamWriter, text: bytes) -> None:
    writer.write(text)


@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_the_issuer_answers_there_are_keys_or_it_is_away(
    issuer: Issuer, clock: Clock, misbehaving: Callable[[str | None], None], fault: str
) -> None:
    async def known() -> list[str | None] | None:
        found = await asked.candidates("first", "ES256")
        return None if found is None else [key.key_id for key in found]

    for good_first in (False, True):
        asked = KeySet(issuer.url)
        with capture_logs() as logs:
            if good_first:
                misbehaving(None)
                assert await known() == ["first"]
            misbehaving(fault)
            for _ in range(2):
                clock.now += keys.FRESH_SECONDS * 10
                assert await known() == (["first"] if good_first else None)
                assert await asked.candidates("unknown", "ES256") == ([] if good_first else None)
                await asyncio.sleep(0.01)
        await asked.close()
        assert {(entry["log_level"], entry["url"]) for entry in logs} == {("warning", issuer.url)}
        misbehaving(None)
        clock.now += keys.PAUSE_SECONDS
        assert await known() == ["first"]


@pytest.mark.parametrize("fault", ["500", "hangs", "nested without end"])
async def test_an_issuer_that_fails_at_the_start_makes_its_tokens_wait_and_no_others(
    house: House,
    issuer: Issuer,
    gateway: Running,
    clock: Clock,
    misbehaving: Callable[[str | None], None],
    fault: str,
) -> None:
    misbehaving(fault)
    bearer = issuer.token("first", house.owner)
    headers = {"Authorization": f"Bearer {bearer}"}
    with capture_logs() as logs:
        answer = await ask(gateway, bearer)
        graphql = await gateway.http.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert check_error(answer, 503) == check_graphql_error(graphql, 503, "UNAVAILABLE")
    assert int(answer.headers["retry-after"]) >= 1
    assert int(graphql.headers["retry-after"]) >= 1
    # What hangs may be given up before it was heard; that it was tried once is what is told.
    assert issuer.requests in ((0, 1) if fault == "hangs" else (1,))
    (warning,) = [entry for entry in logs if entry["log_level"] != "info"]
    assert (warning["log_level"], warning["url"]) == ("warning", issuer.url)
    assert await status(gateway, token(house.owner)) == 200
    misbehaving(None)
    clock.now += keys.PAUSE_SECONDS
    assert await status(gateway, bearer) == 200


@pytest.mark.parametrize("fault", ["500", "hangs", "nested without end"])
async def test_an_issuer_that_fails_later_is_not_missed(
    house: House,
    issuer: Issuer,
    gateway: Running,
    clock: Clock,
    misbehaving: Callable[[str | None], None],
    fault: str,
) -> None:
    bearer = issuer.token("first", house.owner)
    assert await status(gateway, bearer) == 200
    misbehaving(fault)
    with capture_logs():
        for _ in range(3):
            clock.now += keys.FRESH_SECONDS * 10
            assert await status(gateway, bearer) == 200
        stranger = jwt.encode(claims(house.owner), private_key("ES256", 5), "ES256", {"kid": "unknown"})
        assert await status(gateway, stranger) == 401  # when the fetch that it waited for has failed
    misbehaving(None)
    issuer.add("second", "ES256", 1)
    clock.now += keys.PAUSE_SECONDS
    assert await status(gateway, issuer.token("second", house.owner)) == 200


@pytest.mark.usefixtures("clock")
async def test_an_issuer_that_nobody_reaches_is_away(house: House) -> None:
    async with issuing() as gone:
        gone.add("first", "ES256")
    settings = settings_for(house.database.dsn, supabase_jwks_url=gone.url)
    async with running(settings) as gateway:
        with capture_logs():
            assert await status(gateway, gone.token("first", house.owner)) == 503
        assert await status(gateway, token(house.owner)) == 200


async def test_an_issuer_without_keys_lets_nobody_in_and_is_not_away(
    house: House, issuer: Issuer, gateway: Running, clock: Clock
) -> None:
    bearer = issuer.token("first", house.owner)
    kept, issuer.keys = issuer.keys, {}
    assert await status(gateway, bearer) == 401
    assert await status(gateway, token(house.owner)) == 200
    issuer.keys = kept
    clock.now += keys.PAUSE_SECONDS
    assert await status(gateway, bearer) == 200
    issuer.keys = {}
    clock.now += keys.FRESH_SECONDS + 1
    await becomes(401, lambda: status(gateway, bearer))


async def test_unknown_key_ids_cost_one_fetch_a_pause(
    house: House, issuer: Issuer, gateway: Running, clock: Clock
) -> None:
    assert await status(gateway, issuer.token("first", house.owner)) == 200
    for fetches in (2, 3):
        clock.now += keys.PAUSE_SECONDS
        for number in range(10):
            bearer = jwt.encode(claims(house.owner), private_key("ES256", 5), "ES256", {"kid": f"id-{number}"})
            assert await status(gateway, bearer) == 401
            clock.now += keys.PAUSE_SECONDS / 20
        assert issuer.requests == fetches


async def test_many_unknown_key_ids_at_once_wait_for_the_same_fetch(
    house: House, issuer: Issuer, gateway: Running, clock: Clock
) -> None:
    async def slowly(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        await answering(200, orjson.dumps(issuer.published))(writer)

    issuer.misbehave = slowly
    known = [issuer.token("first", house.owner)] * 10
    unknown = [
        jwt.encode(claims(house.owner), private_key("ES256", 5), "ES256", {"kid": f"id-{number}"})
        for number in range(40)
    ]
    answers = await asyncio.gather(*(status(gateway, bearer) for bearer in [*known, *unknown]))
    assert answers == [200] * 10 + [401] * 40
    assert issuer.requests == 1
    clock.now += keys.PAUSE_SECONDS
    assert set(await asyncio.gather(*(status(gateway, bearer) for bearer in unknown))) == {401}
    assert issuer.requests == 2


@pytest.mark.usefixtures("clock")
async def test_an_issuer_that_is_away_is_not_hammered(house: House, issuer: Issuer, gateway: Running) -> None:
    issuer.misbehave = FAULTS["500"]
    bearer = issuer.token("first", house.owner)
    with capture_logs():
        assert set(await asyncio.gather(*(status(gateway, bearer) for _ in range(20)))) == {503}
        assert {await status(gateway, bearer) for _ in range(5)} == {503}
    assert issuer.requests == 1


async def test_a_hanging_issuer_keeps_nobody_else_waiting(
    house: House, issuer: Issuer, gateway: Running, clock: Clock
) -> None:
    bearer = issuer.token("first", house.owner)
    assert await status(gateway, bearer) == 200
    hung_enough = asyncio.Event()

    async def hanging_for_long(writer: asyncio.StreamWriter) -> None:
        await hung_enough.wait()
        await resetting(writer)

    issuer.misbehave = hanging_for_long
    clock.now += keys.FRESH_SECONDS + 1
    stranger = jwt.encode(claims(house.owner), private_key("ES256", 5), "ES256", {"kid": "unknown"})
    with capture_logs():
        waiting = [asyncio.create_task(status(gateway, stranger)) for _ in range(5)]
        await until(lambda: issuer.requests == 2)
        for asked in (
            gateway.http.get("/livez"),
            gateway.http.options(PATH),
            ask(gateway, token(house.owner)),
            ask(gateway, bearer),
        ):
            assert (await asked).status_code in (200, 204)
        assert not any(task.done() for task in waiting)
        hung_enough.set()
        assert set(await asyncio.gather(*waiting)) == {401}


async def test_a_gateway_stops_although_its_issuer_hangs(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "TIMEOUT_SECONDS", LONG)
    issuer.misbehave = hanging
    asked = KeySet(issuer.url)
    waiting = asyncio.create_task(asked.candidates("first", "ES256"))
    await until(lambda: issuer.requests)
    async with asyncio.timeout(PATIENCE):
        await asked.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_a_caller_who_goes_away_does_not_end_the_fetch_for_the_others(issuer: Issuer) -> None:
    has_gone = asyncio.Event()

    async def slowly(writer: asyncio.StreamWriter) -> None:
        await has_gone.wait()
        await answering(200, orjson.dumps(issuer.published))(writer)

    issuer.misbehave = slowly
    asked = KeySet(issuer.url)
    gone, stays = (asyncio.create_task(asked.candidates("first", "ES256")) for _ in range(2))
    await until(lambda: issuer.requests)
    gone.cancel()
    await asyncio.wait({gone})
    has_gone.set()
    assert [key.key_id for key in await stays or ()] == ["first"]
    assert issuer.requests == 1


async def test_redirects_are_not_followed(house: House, issuer: Issuer, gateway: Running, clock: Clock) -> None:
    async with issuing() as elsewhere:
        elsewhere.add("theirs", "ES256", 5)
        for code in (301, 302, 303, 307, 308):
            issuer.misbehave = answering(code, orjson.dumps(elsewhere.published), Location=elsewhere.url)
            with capture_logs():
                assert await status(gateway, elsewhere.token("theirs", house.owner)) == 503
            clock.now += keys.PAUSE_SECONDS
        assert issuer.requests == 5
        assert elsewhere.requests == 0


def _oct(secret: str, **entries: Any) -> dict[str, Any]:
    return {"kty": "oct", "k": base64.urlsafe_b64encode(secret.encode()).rstrip(b"=").decode(), **entries}


async def test_keys_of_another_kind_or_purpose_are_never_used(house: House, issuer: Issuer, gateway: Running) -> None:
    secret = "a-secret-that-somebody-published-by-mistake"
    issuer.add("good", "RS256", 1)
    rsa, other = private_key("RS256"), private_key("ES256", 1)
    p384, okp = ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()
    okp_jwk = jwt.algorithms.OKPAlgorithm.to_jwk(okp.public_key(), as_dict=True)
    issuer.extra = [
        _oct(secret, kid="oct", alg="HS256", use="sig"),
        _oct(secret, kid="oct-es", alg="ES256", use="sig"),
        _oct(secret, kid="oct-bare"),
        public_jwk(rsa, kid="enc", alg="RS256", use="enc"),
        public_jwk(rsa, kid="oaep", alg="RSA-OAEP", use="enc"),
        public_jwk(rsa, kid="rs512", alg="RS512", use="sig"),
        public_jwk(other, kid="ecdh", alg="ECDH-ES"),
        public_jwk(other, kid="ec-enc", use="enc"),
        public_jwk(p384, kid="p384", use="sig"),
        {**okp_jwk, "kid": "okp", "use": "sig"},
        {"kty": "EC", "crv": "P-256", "kid": "broken", "x": "AAAA", "y": "AAAA"},
        {"kty": "RSA", "kid": "broken-rsa"},
        {"kid": "nothing"}, {}, None, 5, "key", [], {"kty": []},
    ]  # fmt: skip
    payload = claims(house.owner)
    for key, algorithm, key_id in (
        (secret, "HS256", "oct"), (secret, "HS256", "oct-es"), (secret, "HS256", "oct-bare"), (secret, "HS256", None),
        (rsa, "RS256", "enc"), (rsa, "RS256", "oaep"), (rsa, "RS256", "rs512"), (rsa, "RS512", "rs512"),
        (rsa, "RS256", None), (other, "ES256", "ecdh"), (other, "ES256", "ec-enc"), (other, "ES256", None),
        (p384, "ES384", "p384"), (okp, "EdDSA", "okp"),
    ):  # fmt: skip
        bearer = jwt.encode(payload, key, algorithm, {"kid": key_id} if key_id else None)
        assert await status(gateway, bearer) == 401, (algorithm, key_id)
    # What is published behind them counts all the same.
    for key_id in issuer.keys:
        algorithm, key = issuer.keys[key_id]
        assert await status(gateway, issuer.token(key_id, house.owner)) == 200
        assert await status(gateway, jwt.encode(payload, key, algorithm)) == 200
    assert issuer.requests <= 2
