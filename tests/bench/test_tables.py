"""Medians, ratios, bars and what is written of them."""

from pathlib import Path

import pytest

from bench.load import Load
from bench.serving import Measured, comparable, difference
from bench.tables import Middle, Table, against, bars, compared, figure, markdown, write


def _measured(per_second: float, server_ms: float = 1.0) -> Measured:
    return Measured(Load(int(per_second * 2), 0, "", 2.0, 5.0, 9.0), server_ms, 2.0)


def test_a_middle_is_the_median_of_each_figure_over_the_rounds() -> None:
    middle = Middle.of([_measured(10, 3.0), _measured(1000, 1.0), _measured(30, 2.0)])
    assert (middle.per_second, middle.server_ms, middle.postgres_ms) == (30, 2.0, 2.0)


def test_a_ratio_is_of_the_baseline_in_the_same_table() -> None:
    """Of the same round: the machine is slower in the second and the third."""
    measured = {
        "ours": [_measured(50, 2.0), _measured(15, 6.0), _measured(20)],
        "base": [_measured(20, 4.0), _measured(6, 12.0), _measured(10)],
    }
    table = compared("A title", measured, "base")
    assert table.bars == {"ours": 2.5, "base": 1.0}
    assert table.rows[0][:3] == ("ours", "20.0", "2.50")
    assert against("A title", measured, "ours").rows == [("base", "2.50", "0.50")]


def test_bars_are_as_long_as_their_ratios() -> None:
    long, short = bars({"ours": 2.0, "theirs": 0.5})
    assert long.count("█") == 4 * short.count("█")
    assert short.startswith("theirs  ")


@pytest.mark.parametrize(
    ("value", "shown"), [(12_345.6, "12,346"), (12.34, "12.3"), (0.123, "0.12"), (float("nan"), "-")]
)
def test_a_figure_has_the_digits_it_has_a_meaning_for(value: float, shown: str) -> None:
    assert figure(value) == shown


def test_writing_replaces_what_was_run_and_leaves_the_rest(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    write(page, "cold", "Its words.", [Table("Cold", ("", "ms"), [("a", "1")])])
    write(page, "growth", "Its words.", [Table("Growth", ("", "ms"), [("b", "2")])])
    write(page, "cold", "Its words.", [Table("Cold", ("", "ms"), [("a", "3")], ["A note."], {"a": 1.0})])
    text = page.read_text("utf-8")
    assert "| a | 3 |" in text
    assert "| a | 1 |" not in text
    assert "| b | 2 |" in text
    assert text.count("### Cold") == text.count("### Growth") == 1


def test_markdown_has_a_column_a_heading() -> None:
    lines = markdown(Table("Title", ("", "x", "y"), [("a", "1", "2")])).splitlines()
    assert lines[2:5] == ["|  | x | y |", "|---|--:|--:|", "| a | 1 | 2 |"]


@pytest.mark.parametrize(
    ("other", "where"),
    [
        ({"a": [{"b": 1}, {"b": 2.5}]}, ".a[1].b"),
        ({"a": [{"b": 1}]}, ".a has 2 and 1"),
        ({"a": [{"b": 1}, {"c": 2}]}, "['b', 'c']"),
        ({"a": None}, ".a is"),
    ],
)
def test_a_difference_is_named_by_its_place(other: object, where: str) -> None:
    assert where in (difference({"a": [{"b": 1}, {"b": 2}]}, other) or "")


def test_the_same_number_and_the_same_moment_are_no_difference() -> None:
    ours = {"createdAt": "2026-02-16T12:00:00Z", "rate": 60.0, "label": "30d"}
    theirs = {"createdAt": "2026-02-16T12:00:00+00:00", "rate": 60, "label": "30d"}
    assert difference(comparable(ours), comparable(theirs)) is None
    assert difference(comparable(ours), comparable(theirs | {"createdAt": "2026-02-16T12:00:01Z"})) is not None
