"""The table of case foldings in the migration: every character of Unicode is folded as others fold it."""

import sys
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice

import asyncpg
import pytest

from database.casefolding import MIGRATION, UNICODE, knows_more, printed
from tests.texts import folded, key, simple_folding, spelling

# The Unicode of servers that cannot be asked which characters are in it.
UNICODES = {15: "14.0", 16: "15.0"}


def _every() -> Iterator[str]:
    """A surrogate is no character, and no text of PostgreSQL has a NUL."""
    return (chr(code) for code in range(1, sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)


async def _known(connection: asyncpg.Connection) -> list[str]:
    """The characters that Python knows and the server too: of others neither can tell how they are composed."""
    letters = [letter for letter in _every() if unicodedata.category(letter) != "Cn"]
    version = connection.get_server_version().major
    if version in UNICODES:
        if unicodedata.unidata_version[:4] > UNICODES[version]:
            pytest.skip(f"Python knows characters of which PostgreSQL {version} does not say that it knows them")
        return letters
    rows = await connection.fetch("select t from unnest($1::text[]) as t where unicode_assigned(t)", letters)
    return [row["t"] for row in rows]


def _lines(letters: Iterable[str], around: str = "-") -> list[str]:
    """Many letters a text, each by itself in its middle."""
    rest, lines = iter(letters), []
    while line := around.join(islice(rest, 64)):
        lines.append(f"{around}{line}{around}")
    return lines


@pytest.mark.skipif(knows_more(), reason=f"this Python knows a younger Unicode than the table's {UNICODE}")
def test_the_table_is_what_the_code_prints() -> None:
    assert printed() == MIGRATION.read_text("utf-8"), "run: python -m database.casefolding"


async def test_every_character_that_python_knows_is_spelled_and_folded_as_python_does(
    connection: asyncpg.Connection,
) -> None:
    rows = await connection.fetch(
        "select t, text_spelling(t) as spelled, text_folded(text_spelling(t)) as folded from unnest($1::text[]) as t",
        _lines(await _known(connection)),
    )
    assert [row["t"] for row in rows if row["spelled"] != spelling(row["t"])] == []
    assert [row["t"] for row in rows if row["folded"] != folded(spelling(row["t"]))] == []


async def test_every_character_is_folded_as_postgresql_folds_it(connection: asyncpg.Connection) -> None:
    """Its builtin locale C.UTF-8 knows the simple foldings, and of which Unicode they are."""
    if connection.get_server_version().major < 18:
        pytest.skip("casefold is of PostgreSQL 18")
    version = await connection.fetchval("select unicode_version()")
    assert version == UNICODE, "a younger Unicode is a migration of its own: see database/casefolding.py"
    different = await connection.fetch(
        "select t from unnest($1::text[]) as t"
        " where text_folded(t) is distinct from normalize(casefold(t collate pg_c_utf8), nfc)",
        _lines(_every()),
    )
    assert [row["t"] for row in different] == []


@pytest.mark.parametrize("form", ["NFC", "NFD"])
async def test_letters_with_accents_are_one_text_in_either_form_and_case(
    connection: asyncpg.Connection, form: str
) -> None:
    letters = [letter for letter in await _known(connection) if simple_folding(letter) != letter]
    accents = ("", "\u0301", "\u030c", "\u0323", "\u0345", "\u0323\u0302", "\u3099")
    written = [unicodedata.normalize(form, letter + accent) for letter in letters for accent in accents]
    rows = await connection.fetch("select t, text_key(text_spelling(t)) as key from unnest($1::text[]) as t", written)
    assert [row["t"] for row in rows if row["key"] != key(spelling(row["t"]))] == []


async def test_syllables_of_hangul_are_composed_as_unicode_does(connection: asyncpg.Connection) -> None:
    """Also with the letter before the first final consonant, which is none and joins with nothing."""
    written = [f"가{chr(code)}" for code in range(0x11A0, 0x11C4)]
    rows = await connection.fetch("select t, text_spelling(t) as spelled from unnest($1::text[]) as t", written)
    assert [row["t"] for row in rows if row["spelled"] != spelling(row["t"])] == []


async def test_what_is_spelled_stays_as_it_is_and_what_is_folded_too(connection: asyncpg.Connection) -> None:
    rows = await connection.fetch(
        "select t from unnest($1::text[]) as t where text_spelling(text_spelling(t)) <> text_spelling(t)"
        " or text_folded(text_folded(text_spelling(t))) <> text_folded(text_spelling(t))",
        _lines(await _known(connection), around="\u0345 \u2003"),
    )
    assert rows == []


async def test_nothing_is_an_empty_text_and_no_text_is_none(connection: asyncpg.Connection) -> None:
    row = await connection.fetchrow(
        "select text_spelling(''), text_spelling(E' \\u2003\\n'), text_spelling(null), text_key(null), text_key('')"
    )
    assert tuple(row) == ("", "", None, None, key(""))


async def test_a_long_text_is_not_compared_with_all_of_itself(connection: asyncpg.Connection) -> None:
    """Each of its capitals looked for in each of its letters would be minutes of work."""
    await connection.execute("set statement_timeout = '60s'")
    found = await connection.fetchval("select text_key(text_spelling(repeat('Дд', 200000)))")
    assert found == key("дд" * 200_000)


async def test_keys_are_had_without_a_search_path(connection: asyncpg.Connection) -> None:
    """Whoever reads may have another."""
    await connection.execute("set search_path = ''")
    assert await connection.fetchval("select public.text_key(public.text_spelling(' Zu  TEUER für uns'))") == key(
        "zu teuer für uns"
    )
