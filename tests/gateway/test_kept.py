"""The shelf of kept answers: within its bytes, with room for every agency, whatever another asks."""

from collections.abc import Sequence
from random import Random
from uuid import UUID, uuid4

import pytest

from gateway.kept import Answer, Shelf

SMALL = Answer([], b"x" * 1_000, is_tagged=False)


def put(shelf: Shelf, agency: UUID, name: str, answer: Answer = SMALL) -> None:
    shelf.put(agency, (agency, name.encode()), "1", 0.0, answer)


def held(shelf: Shelf, agency: UUID, names: Sequence[str]) -> list[str]:
    return [name for name in names if shelf.get((agency, name.encode())) is not None]


def test_one_agencys_many_questions_push_out_nobody_elses() -> None:
    shelf, quiet, loud = Shelf(100_000), [uuid4() for _ in range(3)], uuid4()
    for agency in quiet:
        for number in range(5):
            put(shelf, agency, f"q{number}")
    for number in range(700):
        put(shelf, loud, f"padded {number}", Answer([], b"x" * 15_000, is_tagged=False))
    assert all(len(held(shelf, agency, [f"q{number}" for number in range(5)])) == 5 for agency in quiet)
    assert held(shelf, loud, ["padded 699"])
    # The one who comes now is given room by the one who has most.
    put(shelf, new := uuid4(), "n")
    assert held(shelf, new, ["n"])
    assert all(len(held(shelf, agency, [f"q{number}" for number in range(5)])) == 5 for agency in quiet)


def test_an_agency_alone_has_it_all_and_loses_what_it_asked_for_longest_ago() -> None:
    shelf, agency = Shelf(25_700), uuid4()
    names = [f"q{number:02}" for number in range(30)]
    for name in names:
        put(shelf, agency, name)
        shelf.get((agency, b"q00"))
    assert held(shelf, agency, names) == ["q00", *names[21:]]


@pytest.mark.parametrize("seed", range(5))
def test_it_never_holds_more_than_it_may(seed: int) -> None:
    random, shelf = Random(seed), Shelf(50_000)  # noqa: S311
    agencies = [uuid4() for _ in range(6)]
    for _ in range(2_000):
        agency = random.choice(agencies)
        put(
            shelf,
            agency,
            str(random.randrange(60)),
            Answer([], b"x" * random.choice((10, 900, 9_000, 60_000)), is_tagged=False),
        )
        assert shelf.memory.bytes <= 50_000
