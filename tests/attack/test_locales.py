"""The same data are the same answer, whatever locale the database was made with, and by whatever provider."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import groupby
from string import ascii_lowercase, ascii_uppercase
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from database.migrate import MigrationError, migrate
from enrichment.statements import SQL
from tests.conftest import Postgres
from tests.given import NOW, Given, fold
from tests.running import Running, running, settings_for
from tests.texts import folded, key, spelling

# What a database can be made with: the oldest version of PostgreSQL that knows it, and how it is told.
BUILTIN = "locale_provider builtin locale 'C' builtin_locale"
LIBC = "locale_provider libc locale"
ICU = "locale_provider icu locale 'C.UTF-8' icu_locale"
LOCALES = {
    "builtin C.UTF-8": (17, f"{BUILTIN} 'C.UTF-8'"),
    "builtin PG_UNICODE_FAST": (18, f"{BUILTIN} 'PG_UNICODE_FAST'"),
    "libc C": (15, f"{LIBC} 'C'"),
    "libc C.UTF-8": (15, f"{LIBC} 'C.UTF-8'"),
    "libc tr_TR.UTF-8": (15, f"{LIBC} 'tr_TR.UTF-8'"),
    "libc de_DE.UTF-8": (15, f"{LIBC} 'de_DE.UTF-8'"),
    "icu und": (15, f"{ICU} 'und'"),
    "icu tr-TR": (15, f"{ICU} 'tr-TR'"),
}

COLLATIONS = (
    "provider = libc, locale = 'tr_TR.UTF-8'",
    "provider = icu, locale = 'tr'",
    "provider = icu, locale = 'und-u-ks-level2', deterministic = false",
)

# The same text in each line's spellings. Lines are different texts.
TEXTS = (
    # Turkish: only the locale of a Turk folds these, and a database's locale is nobody's language.
    ("ISTANBUL", "istanbul", "Istanbul"),
    ("İSTANBUL", "İstanbul"),
    ("ıstanbul",),
    ("i\u0307stanbul", "I\u0307STANBUL".lower()),
    # German, Greek: small letters that have no capital of one letter, or two small letters for one.
    ("Straße", "STRAẞE", "straße"),
    ("strasse", "STRASSE"),
    ("ΟΔΟΣ", "οδος", "οδοσ", "Οδος"),
    ("ΐ", "\u1fd3", "ι\u0308\u0301", "Ι\u0308\u0301"),
    ("ᾼΔΗΣ", "ᾳδης", "Α\u0345δης", "α\u0345δης"),
    # Letters that are another letter: the Kelvin, Ångström and Ohm signs, the long s, the micro sign.
    ("10 \u212a", "10 K", "10 k"),
    ("\u212bngström", "Ångström", "ÅNGSTRÖM", "a\u030angstro\u0308m"),
    ("5 \u2126", "5 Ω", "5 ω"),
    ("ſo", "so", "SO"),
    ("5 \u00b5m", "5 \u03bcm", "5 \u039cM"),
    # Ligatures fold to another ligature, and never to their letters.
    ("\ufb05op", "\ufb06op"),
    ("stop", "STOP"),
    ("\ufb01rm",),
    ("firm", "FIRM"),
    # Composed and decomposed, in either order of accents, and where only one of the two cases can be composed.
    ("trop cher pour l\u2019\u00e9t\u00e9", "Trop cher pour l\u2019E\u0301te\u0301", "TROP CHER POUR L\u2019ÉTÉ"),
    ("a\u0323\u0302", "a\u0302\u0323", "ậ", "Ậ"),
    ("J\u030c", "\u01f0", "j\u030c"),
    ("한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"),
    # Spaces that no keyboard has, and what looks like one and is none.
    ("no time", " No\u2003time ", "no\u00a0time", "NO\u3000\u3000TIME", "no\u2028time\u0085", "no\t\r\n\x0b\x0ctime"),
    ("no\u1680\u2000\u2001\u2002\u2004\u2005\u2006\u2007\u2008\u2009\u200atime x", "No\u2029\u202f\u205fTime X"),
    ("no\u200btime", "NO\u200bTIME"),
    ("\ufeffno time",),
    ("no\x1ctime",),
    ("no\u180etime",),
    ("notime",),
    # Beyond the first plane: emoji, Deseret, Adlam, Osage.
    ("zu teuer 🙁", "Zu  Teuer\u2009🙁"),
    ("👩\u200d💻",),
    ("𐐔𐐇𐐝𐐀𐐡𐐇𐐓", "𐐼𐐯𐑅𐐨𐑉𐐯𐐻", "𐐔𐐯𐑅𐐨𐑉𐐯𐐻"),
    ("𞤀𞤁𞤂𞤃", "𞤢𞤣𞤤𞤥"),
    ("𐒰𐓋𐓒", "𐓘𐓳𐓺"),
    # Letters of three cases, and scripts whose cases are younger than most tables of them.
    ("ǅ", "Ǆ", "ǆ"),
    ("Ꮳꮃꮄ", "ꮳꮃꮄ", "ᏣᎳᎴ"),
    ("ᏸ", "Ᏸ"),
    ("ᲗᲑᲘᲚᲘᲡᲘ", "თბილისი"),
    ("ᲀ", "в", "В"),
    ("Слишком дорого", "СЛИШКОМ ДОРОГО", "слишком  дорого"),
    ("太贵了", "\u3000太贵了"),
    ("Ａ ｔｅｘｔ", "ａ ＴＥＸＴ"),
    ("A text", "a  TEXT"),
    # Signs of regular expressions, patterns and literals are signs.
    ("100% \\ [a-z]+ 'x' $1", "100%  \\ [A-Z]+ 'X' $1"),
)
NAMES = ("Zoo", "ark", "Ärzte", "ısı", "İzmir", "ice", "a-b", "a b", "ab", "_x", "🙂", "\uff21", "Übung", "10", "9")
SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)
WRITTEN = [written for texts in TEXTS for written in texts]


@dataclass(frozen=True)
class Place:
    """A migrated database of one locale."""

    dsn: str
    connection: asyncpg.Connection
    gateway: Running


@pytest.fixture(scope="module", params=LOCALES)
async def place(server: Postgres, request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    oldest, options = LOCALES[request.param]
    admin = await asyncpg.connect(server.address)
    name = f"gateway_locale_{uuid4().hex[:12]}"
    try:
        if admin.get_server_version().major < oldest:
            pytest.skip(f"{request.param} is of PostgreSQL {oldest}")
        try:
            await admin.execute(f"create database {name} template template0 encoding 'UTF8' {options}")
        except (asyncpg.WrongObjectTypeError, asyncpg.FeatureNotSupportedError) as error:
            pytest.skip(f"the server has no locale {request.param}: {error}")
        try:
            await asyncio.to_thread(migrate, server.dsn(name))
            connection = await asyncpg.connect(server.dsn(name))
            async with running(settings_for(server.dsn(name), request_timeout_seconds=60)) as gateway:
                yield Place(server.dsn(name), connection, gateway)
            await connection.close()
        finally:
            await admin.execute(f"drop database {name} with (force)")
    finally:
        await admin.close()


def test_the_lines_of_the_list_are_the_texts_of_the_rule() -> None:
    assert [{key(spelling(written)) for written in texts} for texts in TEXTS] == [
        {key(spelling(texts[0]))} for texts in TEXTS
    ]
    assert len({key(spelling(written)) for written in WRITTEN}) == len(TEXTS)


async def test_spellings_and_keys_are_those_of_the_rule(place: Place) -> None:
    rows = await place.connection.fetch(
        "select text_spelling(t) as spelling, text_key(text_spelling(t)) as key from unnest($1::text[]) as t", WRITTEN
    )
    assert [row["spelling"] for row in rows] == [spelling(written) for written in WRITTEN]
    assert [row["key"] for row in rows] == [key(spelling(written)) for written in WRITTEN]


@pytest.mark.parametrize("options", COLLATIONS)
async def test_a_collation_of_a_column_changes_no_spelling_no_key_and_no_disposition(
    connection: asyncpg.Connection, options: str
) -> None:
    """Neither that it has a language's cases, nor that it calls different letters equal, where patterns are refused."""
    try:
        await connection.execute(f"create collation a_columns ({options})")
    except (
        asyncpg.UndefinedObjectError,
        asyncpg.InvalidParameterValueError,
        asyncpg.FeatureNotSupportedError,
    ) as error:
        pytest.skip(f"the server has no such collation: {error}")
    rows = await connection.fetch(
        "select text_spelling(t collate a_columns) as spelling, text_key(text_spelling(t collate a_columns)) as key"
        " from unnest($1::text[]) as t",
        WRITTEN,
    )
    assert [tuple(row) for row in rows] == [(spelling(written), key(spelling(written))) for written in WRITTEN]
    known = "select known_disposition('failed', null, 'VOICEMAIL' collate a_columns)::text"
    assert await connection.fetchval(known) == "voicemail"


async def test_the_report_of_objections_groups_counts_and_orders_by_the_rule(place: Place) -> None:
    given = Given(place.connection)
    agency = await given.agency()
    owner = await given.user(agency)
    # Half of them folded and half waiting for it; the first of each line is its commonest spelling.
    for half in (WRITTEN[::2], WRITTEN[1::2]):
        await given.call(
            agency,
            objections=[{"text": text, "handled": False} for text in half],
            buying_signals=[{"text": text} for text in half],
        )
        if half == WRITTEN[::2]:
            await fold(place.connection)
    await given.call(agency, objections=[{"text": texts[0], "handled": True} for texts in TEXTS])
    answer = await place.gateway.rest("objections", owner, limit=100)
    again = [texts[0] for texts in TEXTS]
    assert [(each["objection"], each["count"], each["handled"]) for each in answer["objections"]] == [
        (text, count, 1) for text, count in _report([*WRITTEN, *again])
    ]
    assert [(each["signal"], each["count"]) for each in answer["buying_signals"]] == _report(WRITTEN)


def _report(written: list[str]) -> list[tuple[str, int]]:
    """Each text in its commonest spelling, with its count; ties by what is shown, but for the capitals of ASCII."""
    spelled = Counter(map(spelling, written))
    groups = [list(group) for _, group in groupby(sorted(spelled, key=folded), key=folded)]
    shown = [(min(g, key=lambda s: (-spelled[s], s)), sum(spelled[s] for s in g)) for g in groups]
    return sorted(shown, key=lambda each: (-each[1], each[0].translate(SMALL)))


@pytest.mark.parametrize(
    ("end_reason", "known"),
    [
        ("VOICEMAIL", "voicemail"),
        ("Voicemail detected", "voicemail"),
        ("ANSWERING MACHINE", "voicemail"),
        ("MACHINE_DETECTED", "voicemail"),
        ("UNJOINED", "no_answer"),
        ("BUSY", "no_answer"),
        # Not the Latin letters that the words are made of.
        ("VO\u0130CEMA\u0130L", None),
        ("vo\u0131cema\u0131l", None),
        ("u\u0149joined", None),
        ("bu\u017fy", None),
    ],
)
async def test_what_is_known_from_a_calls_end_is_known_in_capitals_too(
    place: Place, end_reason: str, known: str | None
) -> None:
    found = await place.connection.fetchval("select known_disposition('failed', null, $1)::text", end_reason)
    assert found == known


async def test_lists_by_name_are_in_the_order_of_code_points(place: Place) -> None:
    given = Given(place.connection)
    agency = await given.agency()
    owner = await given.user(agency)
    for name in NAMES:
        campaign = await given.campaign(agency, await given.client(agency, name), name)
        await given.call(agency, campaign_id=campaign)
    query = "{ choices { clients { name } campaigns { name } } campaigns { campaignStats { campaignName } } }"
    answer: Any = await place.gateway.graphql(query, owner)
    expected = sorted(NAMES)
    assert [each["name"] for each in answer["choices"]["clients"]] == expected
    assert [each["name"] for each in answer["choices"]["campaigns"]] == expected
    assert [each["campaignName"] for each in answer["campaigns"]["campaignStats"]] == expected


async def test_what_the_command_line_lists_is_in_the_order_of_code_points(place: Place) -> None:
    """`gateway queue` with the commonest reason, and `gateway reconcile`."""
    given = Given(place.connection)
    for name in NAMES:
        agency = await given.agency(f"{name} of the command line")
        await given.calls(agency, 3, analysis_status="pending", transcript=[{"role": "user", "text": "Hello"}])
        jobs = await place.connection.fetch("select id from enrichment_queue where agency_id = $1", agency)
        for job, reason in zip(jobs, ("b", "a", "C"), strict=True):
            await place.connection.execute(
                "update enrichment_queue set status = 'failed', last_error = $2 where id = $1", job["id"], reason
            )
    async with place.connection.transaction():
        await fold(place.connection)
        await place.connection.execute("update call_stats_folded set total_calls = total_calls + 1")
        drift = await place.connection.fetch(SQL["drift"], NOW.date(), NOW.date())
        await place.connection.execute("update call_stats_folded set total_calls = total_calls - 1")
    queue = await place.connection.fetch(SQL["queue_state"])
    expected = [f"{name} of the command line" for name in sorted(NAMES)]
    assert [row["agency"] for row in drift if row["agency"] in expected] == expected
    assert [row["agency"] for row in queue if row["agency"] in expected] == expected
    assert {row["commonest_reason"] for row in queue if row["agency"] in expected} == {"C"}


async def test_a_database_of_another_encoding_is_refused_in_plain_words(server: Postgres) -> None:
    admin = await asyncpg.connect(server.address)
    name = f"gateway_latin_{uuid4().hex[:12]}"
    await admin.execute(f"create database {name} template template0 encoding 'LATIN1' locale_provider libc locale 'C'")
    try:
        with pytest.raises(MigrationError, match=r"0010_texts\.sql failed: .*encoding is LATIN1.*needs UTF8"):
            await asyncio.to_thread(migrate, server.dsn(name))
    finally:
        await admin.execute(f"drop database {name} with (force)")
        await admin.close()
