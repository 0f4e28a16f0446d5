"""Who is let in: every token that counts and every one that does not, through both doors."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import hypothesis
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import strategies as st

from gateway import auth
from gateway.auth import LEEWAY_SECONDS, Authenticator
from gateway.db import Pool
from gateway.errors import Unauthenticated
from gateway.keys import KeySet
from tests.conftest import Postgres
from tests.doors import House, check_error, check_graphql_error, furnished
from tests.given import SECRET, token
from tests.issuer import Issuer, claims, issuing, private_key, public_jwk
from tests.running import Running, running, settings_for

PATH = "/functions/v1/dashboard-overview"
DOCUMENT = {"query": "{ overview { summary { totalCalls } } }"}


@pytest.fixture(scope="module")
async def issuer() -> AsyncIterator[Issuer]:
    """With a key of each kind."""
    async with issuing() as issuer:
        issuer.add("ec", "ES256")
        issuer.add("rsa", "RS256")
        yield issuer


@pytest.fixture(scope="module")
async def house(server: Postgres, issuer: Issuer) -> AsyncIterator[House]:
    """It takes the shared secret and the issuer's keys; its agency has three calls, one of them of a client."""
    async with furnished(server, supabase_jwks_url=issuer.url) as house:
        await house.given.calls(house.agency, 2)
        await house.given.call(house.agency, client_id=await house.given.client(house.agency))
        yield house


@pytest.fixture(scope="module")
async def authenticator(house: House, issuer: Issuer) -> AsyncIterator[Authenticator]:
    """One by itself, which knows no database: a token is judged without."""
    keys = KeySet(issuer.url)
    yield Authenticator(house.gateway.settings, keys, None)
    await keys.close()


def _part(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=lambda moment: int(moment.timestamp()))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def crafted(header: Any, payload: Any, secret: str | bytes = SECRET, digest: str = "sha256") -> str:
    """A token as an attacker makes it: anything as header and payload, signed with any secret as HMAC."""
    signed = f"{_part(header)}.{_part(payload)}"
    key = secret.encode() if isinstance(secret, str) else secret
    signature = hmac.new(key, signed.encode(), getattr(hashlib, digest)).digest()
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def hs256(user: UUID, *, header: Mapping[str, Any] | None = None, **changed: Any) -> str:
    """A user's token with the shared secret; None removes a claim."""
    return crafted({"alg": "HS256", "typ": "JWT", **(header or {})}, claims(user, **changed))


async def refused(
    at: House | Running, authorization: str | bytes | None, status: int = 401, code: str = "UNAUTHENTICATED"
) -> str:
    """Both doors refuse, each in its own shape, in the same words."""
    http = at.http if isinstance(at, Running) else at.gateway.http
    headers = {} if authorization is None else {"Authorization": authorization}
    rest, graphql = await asyncio.gather(
        http.get(PATH, headers=headers), http.post("/graphql", json=DOCUMENT, headers=headers)
    )
    words = check_error(rest, status)
    assert check_graphql_error(graphql, status, code) == words
    for answer in (rest, graphql):
        assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)
    return words


async def accepted(at: House | Running, bearer: str, calls: int = 3, **headers: str) -> None:
    """Both doors let in, to that many calls."""
    http = at.http if isinstance(at, Running) else at.gateway.http
    headers = {"Authorization": f"Bearer {bearer}", **headers}
    rest, graphql = await asyncio.gather(
        http.get(PATH, headers=headers), http.post("/graphql", json=DOCUMENT, headers=headers)
    )
    assert rest.status_code == 200, rest.text
    assert rest.json()["summary"]["total_calls"] == calls
    assert graphql.json() == {"data": {"overview": {"summary": {"totalCalls": calls}}}}


async def test_tokens_of_all_three_algorithms_count_at_the_same_time(house: House, issuer: Issuer) -> None:
    for bearer in (token(house.owner), hs256(house.owner), *(issuer.token(key, house.owner) for key in issuer.keys)):
        await accepted(house, bearer)


async def test_without_a_bearer_token_nobody_is_let_in(house: House) -> None:
    good = token(house.owner)
    for header in (None, "", "Bearer", good, f"Basic {good}", f"Token {good}", f"JWT {good}", f"Bearer:{good}",
                   f"Bearer{good}", f"Bearer\t{good}", f"Bearer, Bearer {good}"):  # fmt: skip
        words = await refused(house, header)
        assert words.startswith("The Authorization header")
        assert "Bearer <access token>" in words


async def test_the_scheme_may_be_in_lower_case(house: House) -> None:
    for scheme in ("bearer", "BEARER"):
        answer = await house.gateway.http.get(PATH, headers={"Authorization": f"{scheme} {token(house.owner)}"})
        assert answer.status_code == 200


async def test_a_token_elsewhere_than_in_the_header_does_not_count(house: House) -> None:
    good = token(house.owner)
    for options in (
        {"params": {"access_token": good, "token": good, "apikey": good}},
        {"headers": {"apikey": good, "X-Authorization": f"Bearer {good}", "Cookie": f"sb-access-token={good}"}},
    ):
        check_error(await house.gateway.http.get(PATH, **options), 401)


async def test_garbage_is_refused(house: House) -> None:
    good = token(house.owner)
    head, body, signature = good.split(".")
    for text in (
        "x", "null", "undefined", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d", "[object Object]", f"{good} {good}",
        f"{good}.", f".{good}", f"{head}.{body}", f"{head}..{signature}", f".{body}.{signature}", f"{good}x.y",
        "=".join((head, body, signature)), f'"{good}"', f"<{good}>",
    ):  # fmt: skip
        await refused(house, f"Bearer {text}")
    await refused(house, b"Bearer \xff\xfe\x80")
    await refused(house, "Bearer \N{LATIN SMALL LETTER E WITH ACUTE}".encode() + good.encode())


async def test_a_token_longer_than_any_is_not_even_read(house: House) -> None:
    assert "too long" in await refused(house, "Bearer " + "a" * 8_193)
    assert "too long" in await refused(house, "Bearer " + hs256(house.owner, padding="a" * 9_000))


async def test_a_header_or_payload_that_is_no_json_object_is_refused(house: House) -> None:
    header, payload = {"alg": "HS256", "typ": "JWT"}, claims(house.owner)
    deep = "[" * 2_500
    for nonsense in ("", "null", "1", '"HS256"', "[]", "{", "{'alg':'HS256'}", "NaN", deep, f'{{"alg":{deep}'):
        await refused(house, f"Bearer {crafted(nonsense, payload)}")
        await refused(house, f"Bearer {crafted(header, nonsense)}")


async def test_a_signature_that_is_not_the_right_one_is_refused(house: House, issuer: Issuer) -> None:
    stranger = Issuer(keys={"ec": ("ES256", private_key("ES256", 9)), "rsa": ("RS256", private_key("RS256", 9))})
    for good in (hs256(house.owner), issuer.token("ec", house.owner), issuer.token("rsa", house.owner)):
        head, body, signature = good.split(".")
        other = hs256(uuid4()).split(".")[1]
        middle = len(signature) // 2
        flipped = signature[:middle] + ("A" if signature[middle] != "A" else "B") + signature[middle + 1 :]
        for bad in (f"{head}.{body}.{flipped}", f"{head}.{body}.{signature[:-4]}", f"{head}.{body}.",
                    f"{head}.{other}.{signature}", f"{head}.{body}.AAAA"):  # fmt: skip
            assert "not valid" in await refused(house, f"Bearer {bad}")
    for bad in (
        crafted({"alg": "HS256"}, claims(house.owner), SECRET + "x"),
        crafted({"alg": "HS256"}, claims(house.owner), b""),
        stranger.token("ec", house.owner),
        stranger.token("rsa", house.owner),
    ):
        await refused(house, f"Bearer {bad}")


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "NONE", "", " none", "null", None])
async def test_an_unsigned_token_is_refused_however_none_is_spelled(house: House, algorithm: str | None) -> None:
    header = {"alg": algorithm, "typ": "JWT"}
    signed = crafted(header, claims(house.owner))
    unsigned = signed.rpartition(".")[0] + "."
    for bad in (signed, unsigned, unsigned.rstrip(".")):
        await refused(house, f"Bearer {bad}")


async def test_a_public_key_is_never_taken_for_a_shared_secret(house: House, issuer: Issuer) -> None:
    for key_id, (algorithm, key) in issuer.keys.items():
        public = key.public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        jwk = public_jwk(key, kid=key_id, alg=algorithm, use="sig")
        secrets = [pem, pem.strip(), pem.decode().replace("\n", "\r\n").encode(), json.dumps(jwk).encode()]
        secrets += [public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)]
        secrets += [json.dumps(jwk, separators=(",", ":")).encode(), str(jwk.get("n") or jwk["x"]).encode()]
        for secret in secrets:
            for header in ({"alg": "HS256", "kid": key_id}, {"alg": "HS256"}, {"alg": algorithm, "kid": key_id}):
                await refused(house, f"Bearer {crafted(header, claims(house.owner), secret)}")


async def test_each_algorithm_takes_its_own_kind_of_key_only(house: House, issuer: Issuer) -> None:
    for algorithm, key_id in (("ES256", "rsa"), ("RS256", "ec")):
        bad = jwt.encode(claims(house.owner), private_key(algorithm), algorithm, {"kid": key_id})
        await refused(house, f"Bearer {bad}")
    for name in ("HS384", "HS512"):
        bad = crafted({"alg": name}, claims(house.owner), SECRET * 2, f"sha{name[2:]}")
        assert "signed in a way" in await refused(house, f"Bearer {bad}")
        bad = crafted({"alg": name}, claims(house.owner), SECRET, f"sha{name[2:]}")
        await refused(house, f"Bearer {bad}")
    for name in ("PS256", "RS384", "RS512"):
        bad = jwt.encode(claims(house.owner), issuer.keys["rsa"][1], name, {"kid": "rsa"})
        assert "signed in a way" in await refused(house, f"Bearer {bad}")
    for name in ("hs256", "HS256 ", "ES384", "ES256K", "EdDSA", "A128KW", ["HS256"], {"HS256": 1}, 256, True):
        await refused(house, f"Bearer {crafted({'alg': name}, claims(house.owner))}")


async def test_without_a_secret_hs256_is_refused_and_without_an_issuer_es256_and_rs256(
    house: House, issuer: Issuer
) -> None:
    dsn = house.database.dsn
    async with running(settings_for(dsn, supabase_jwt_secret=None, supabase_jwks_url=issuer.url)) as gateway:
        await accepted(gateway, issuer.token("ec", house.owner))
        await refused(gateway, f"Bearer {token(house.owner)}")
        await refused(gateway, f"Bearer {crafted({'alg': 'HS256'}, claims(house.owner), b'')}")
        await refused(gateway, f"Bearer {crafted({'alg': 'HS256'}, claims(house.owner), 'None')}")
    async with running(settings_for(dsn)) as gateway:
        await accepted(gateway, token(house.owner))
        for key in issuer.keys:
            await refused(gateway, f"Bearer {issuer.token(key, house.owner)}")


async def test_time_is_checked_with_a_leeway_of_half_a_minute_at_most(house: House) -> None:
    assert 0 < LEEWAY_SECONDS <= 30
    now = datetime.now(UTC)
    within, beyond = timedelta(seconds=LEEWAY_SECONDS - 5), timedelta(seconds=LEEWAY_SECONDS + 5)
    await accepted(house, hs256(house.owner, exp=now - within))
    assert "expired" in await refused(house, f"Bearer {hs256(house.owner, exp=now - beyond)}")
    for claim in ("nbf", "iat"):
        await accepted(house, hs256(house.owner, **{claim: now + within}))
        await refused(house, f"Bearer {hs256(house.owner, **{claim: now + beyond})}")


async def test_a_token_from_the_future_is_refused_in_words_that_name_the_clock(house: House) -> None:
    later = datetime.now(UTC) + timedelta(minutes=2)
    for changed in ({"iat": later}, {"nbf": later}, {"iat": later, "nbf": later, "exp": later + timedelta(hours=1)}):
        words = await refused(house, f"Bearer {hs256(house.owner, **changed)}")
        assert "the issuer's clock is ahead of this machine's by more than 30 s; set it by NTP" in words


async def test_a_token_that_is_remembered_counts_no_longer_than_one_that_is_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool(house.gateway.settings)
    await pool.open()
    authenticator = Authenticator(settings_for(house.database.dsn, user_cache_seconds=30), None, pool)
    authorization = f"Bearer {token(house.owner)}".encode()
    read = await authenticator.token(authorization)
    viewer = await authenticator.viewer(authorization, read)
    await pool.close()
    for after, remembered in ((-1, viewer), (LEEWAY_SECONDS - 1, viewer), (LEEWAY_SECONDS, None)):
        monkeypatch.setattr(auth, "time", lambda after=after: read.expires_at + after)
        assert authenticator.known(authorization) == remembered


@pytest.mark.parametrize("claim", ["exp", "aud", "sub"])
async def test_a_claim_that_is_missing_or_null_is_refused_by_name(house: House, claim: str) -> None:
    for payload in (claims(house.owner, **{claim: None}), {**claims(house.owner), claim: None}):
        assert f"`{claim}`" in await refused(house, f"Bearer {crafted({'alg': 'HS256'}, payload)}")


@pytest.mark.parametrize(
    "exp",
    ['"tomorrow"', '""', '"4102444800"', "true", "false", "[]", "[4102444800]", '{"exp":4102444800}', "-1", "0",
     "-4102444800", "1e3", "NaN", "Infinity", "-Infinity", "1e400", "-1e400", "-" + "9" * 400],
)  # fmt: skip
async def test_an_exp_that_is_no_time_to_come_is_refused(house: House, exp: str) -> None:
    payload = json.dumps({**claims(house.owner, iat=None, exp=None), "exp": 0}).replace('"exp": 0', f'"exp": {exp}')
    await refused(house, f"Bearer {crafted({'alg': 'HS256'}, payload)}")


async def test_an_exp_far_away_or_with_a_fraction_is_a_number_like_others(house: House) -> None:
    for exp in (4102444800, 4102444800.5, 10**30):
        await accepted(house, hs256(house.owner, exp=exp))


async def test_the_audience_is_or_contains_authenticated(house: House) -> None:
    for audience in ("authenticated", ["authenticated"], ["other", "authenticated"]):
        await accepted(house, hs256(house.owner, aud=audience))
    for audience in ("anon", "", "Authenticated", "authenticated ", [], ["other"], [["authenticated"]], 5, True,
                     {"authenticated": True}, ["authenticated", 5], "authenticated,other"):  # fmt: skip
        await refused(house, f"Bearer {hs256(house.owner, aud=audience)}")


async def test_the_issuer_is_checked_when_it_is_configured(house: House) -> None:
    ours = "https://project.supabase.co/auth/v1"
    for issuer in (ours, "https://elsewhere.example.com", "", None):
        await accepted(house, hs256(house.owner, iss=issuer))
    async with running(settings_for(house.database.dsn, supabase_jwt_issuer=ours)) as gateway:
        await accepted(gateway, hs256(house.owner, iss=ours))
        for issuer in ("https://elsewhere.example.com", "", f"{ours}/", ours.upper(), [ours], {ours: 1}, 5, None):
            await refused(gateway, f"Bearer {hs256(house.owner, iss=issuer)}")


@pytest.mark.parametrize(
    "sub",
    ["", "1", "admin", "00000000", 5, True, ["x"], {"id": "x"}, "{%s}", "urn:uuid:%s", " %s", "%s ", "%s\n", "%s'--"],
)
async def test_a_subject_that_is_no_uuid_is_refused(house: House, sub: Any) -> None:
    sub = sub.replace("%s", str(house.owner)) if isinstance(sub, str) else sub
    await refused(house, f"Bearer {hs256(house.owner, sub=sub)}")
    await refused(house, f"Bearer {hs256(house.owner, sub=house.owner.hex)}")


async def test_a_subject_in_capitals_is_the_same_user(house: House) -> None:
    await accepted(house, hs256(house.owner, sub=str(house.owner).upper()))


async def test_anon_and_service_keys_and_anonymous_users_are_refused(house: House) -> None:
    key = {"iss": "supabase", "ref": "abcdefghijklmnopqrst", "iat": 1_700_000_000, "exp": 4_102_444_800}
    for role in ("anon", "service_role", "supabase_admin", "authenticated"):
        # The project's keys as Supabase prints them: valid JWTs without `sub` and `aud`.
        await refused(house, f"Bearer {crafted({'alg': 'HS256', 'typ': 'JWT'}, {**key, 'role': role})}")
    for role in ("anon", "service_role", "postgres", "", "Authenticated", None, ["authenticated"], True, {}):
        assert "signed-in user" in await refused(house, f"Bearer {hs256(house.owner, role=role)}")
    assert "anonymous" in await refused(house, f"Bearer {hs256(house.owner, is_anonymous=True)}")
    await accepted(house, hs256(house.owner, is_anonymous=None))


async def test_a_key_id_does_no_harm_on_hs256(house: House) -> None:
    for key_id in ("ec", "rsa", "unknown", "", "../../etc/passwd", "' or 1=1 --"):
        await accepted(house, hs256(house.owner, header={"kid": key_id}))
    for key_id in (5, [], {}, True, None):
        await refused(house, f"Bearer {hs256(house.owner, header={'kid': key_id})}")


async def test_keys_and_addresses_that_a_token_brings_along_are_ignored(house: House, issuer: Issuer) -> None:
    async with issuing() as attacker:
        attacker.add("mine", "ES256", 7)
        attacker.add("ec", "ES256", 7)
        key = attacker.keys["mine"][1]
        for header in ({"jwk": public_jwk(key)}, {"jwk": public_jwk(key, kid="ec"), "kid": "ec"},
                       {"jku": attacker.url}, {"jku": attacker.url, "kid": "ec"}, {"x5u": attacker.url},
                       {"x5c": ["AAAA"], "x5t": "AAAA"}, {"iss": attacker.url}, {"kid": attacker.url}):  # fmt: skip
            for id_ in ("mine", "ec"):
                bad = attacker.token(id_, house.owner, header=header, iss=attacker.url)
                await refused(house, f"Bearer {bad}")
            bad = crafted(
                {"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}, **header}, claims(house.owner), b"\0\0\0"
            )
            await refused(house, f"Bearer {bad}")
            good = {name: value for name, value in header.items() if name != "kid"}
            await accepted(house, issuer.token("ec", house.owner, header=good))
        assert attacker.requests == 0


async def test_a_critical_extension_that_nobody_knows_is_refused(house: House) -> None:
    for header in (
        {"crit": ["exp"]}, {"crit": ["x-ours"], "x-ours": 1}, {"crit": []}, {"crit": "exp"}, {"crit": None},
        {"crit": [5]}, {"b64": False}, {"b64": False, "crit": ["b64"]},
    ):  # fmt: skip
        await refused(house, f"Bearer {hs256(house.owner, header=header)}")
    await accepted(house, hs256(house.owner, header={"typ": None, "cty": "JWT", "zip": "DEF", "x-ours": 1}))


async def test_a_user_without_a_row_an_agency_or_a_needed_client_gets_403(house: House) -> None:
    given = house.given
    assert "not known" in await refused(house, f"Bearer {token(uuid4())}", 403, "FORBIDDEN")
    for role in ("agency_owner", "admin", "client_viewer"):
        homeless = await given.user(None, role=role)
        assert "no agency" in await refused(house, f"Bearer {token(homeless)}", 403, "FORBIDDEN")
    for role in ("client_admin", "client_viewer"):
        clientless = await given.user(house.agency, role=role)
        assert "client" in await refused(house, f"Bearer {token(clientless)}", 403, "FORBIDDEN")


async def test_agency_roles_see_the_agency_and_client_roles_their_client(house: House) -> None:
    given = house.given
    agency = await given.agency()
    ours, theirs = await given.client(agency), await given.client(agency)
    await given.calls(agency, 4)
    await given.calls(agency, 2, client_id=ours)
    await given.calls(agency, 1, client_id=theirs)
    for role in ("agency_owner", "agency_admin", "agency_member", "admin"):
        # Their client_id, if one is set, narrows nothing.
        await accepted(house, token(await given.user(agency, role=role)), calls=7)
        await accepted(house, token(await given.user(agency, role=role, client=ours)), calls=7)
    for role in ("client_admin", "client_viewer"):
        await accepted(house, token(await given.user(agency, role=role, client=ours)), calls=2)


async def test_nothing_but_the_subject_decides_the_agency(house: House) -> None:
    given = house.given
    rich = await given.agency()
    rich_owner = await given.user(rich)
    await given.calls(rich, 5)
    elsewhere = {"agency_id": str(rich), "role": "admin", "sub": str(rich_owner)}
    forged = hs256(
        house.owner, user_metadata=elsewhere, app_metadata=elsewhere, agency_id=str(rich), user_id=str(rich_owner),
        user_role="admin", email="owner@rich.example.com", org_id=str(rich),
    )  # fmt: skip
    headers = {"X-Agency-Id": str(rich), "agency_id": str(rich), "X-User-Id": str(rich_owner), "X-Role": "admin"}
    await accepted(house, forged, calls=3, **headers)
    asked = {**elsewhere, "user": str(rich_owner)}
    headers["Authorization"] = f"Bearer {forged}"
    answer = await house.gateway.http.get(PATH, params=asked, headers=headers)
    assert answer.json()["summary"]["total_calls"] == 3
    answer = await house.gateway.http.post(
        "/graphql", params=asked, json={**DOCUMENT, "extensions": asked}, headers=headers
    )
    assert answer.json()["data"]["overview"]["summary"]["totalCalls"] == 3


async def test_a_change_of_a_users_row_is_seen_after_the_caches_seconds(house: House) -> None:
    given = house.given
    first, second = await given.agency(), await given.agency()
    client = await given.client(second)
    await given.calls(first, 1)
    await given.calls(second, 4)
    await given.calls(second, 2, client_id=client)
    user = await given.user(first)
    bearer = token(user, expires_in=timedelta(minutes=5))
    seconds = 0.4

    async def changed(**columns: Any) -> None:
        for column, value in columns.items():
            await given.connection.execute(f"update users set {column} = $2 where id = $1", user, value)
        await asyncio.sleep(seconds + 0.1)

    async with running(settings_for(house.database.dsn, user_cache_seconds=seconds)) as gateway:
        await accepted(gateway, bearer, calls=1)
        await changed(agency_id=second)
        await accepted(gateway, bearer, calls=6)
        await changed(client_id=client, role="client_viewer")
        await accepted(gateway, bearer, calls=2)
        await changed(agency_id=None)
        await refused(gateway, f"Bearer {bearer}", 403, "FORBIDDEN")
        # A refusal is not remembered.
        await given.connection.execute("update users set agency_id = $2 where id = $1", user, second)
        await accepted(gateway, bearer, calls=2)
        await asyncio.sleep(seconds + 0.1)
        await given.connection.execute("delete from users where id = $1", user)
        await asyncio.sleep(seconds + 0.1)
        await refused(gateway, f"Bearer {bearer}", 403, "FORBIDDEN")


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["HS256", "ES256", "RS256", "none", "authenticated", "b64", "ec", "rsa", "sig", str(UUID(int=1))]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(["typ", "kid", "crit", "b64", "jwk", "jku", "x5u", "zip", "cty", "enc"], JSON_VALUES),
        "alg": st.sampled_from(["HS256", "ES256", "RS256", "none", "HS512"]) | JSON_VALUES,
    },
)
PAYLOADS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(["iat", "nbf", "jti", "iss", "is_anonymous", "app_metadata"], JSON_VALUES),
        "exp": st.just(4_102_444_800) | JSON_VALUES,
        "aud": st.just("authenticated") | JSON_VALUES,
        "sub": st.just(str(UUID(int=1))) | JSON_VALUES,
        "role": st.just("authenticated") | JSON_VALUES,
    },
)
TOKENS = st.builds(crafted, HEADERS | JSON_VALUES, PAYLOADS | JSON_VALUES) | st.text(max_size=60)


@hypothesis.settings(max_examples=400, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(bearer=TOKENS)
async def test_whatever_a_token_holds_it_is_a_users_or_refused(authenticator: Authenticator, bearer: str) -> None:
    authorization = f"Bearer {bearer}".encode("utf-8", "surrogatepass")
    with suppress(Unauthenticated):
        assert isinstance((await authenticator.token(authorization)).user_id, UUID)


@hypothesis.settings(max_examples=40, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(bearer=st.builds(crafted, HEADERS | JSON_VALUES, PAYLOADS | JSON_VALUES))
async def test_whatever_a_token_holds_neither_door_breaks(house: House, bearer: str) -> None:
    headers = {"Authorization": f"Bearer {bearer}"}
    rest, graphql = await asyncio.gather(
        house.gateway.http.get(PATH, headers=headers),
        house.gateway.http.post("/graphql", json=DOCUMENT, headers=headers),
    )
    assert rest.status_code == graphql.status_code
    assert rest.status_code in (401, 403)
