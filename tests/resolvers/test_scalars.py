"""The scalar of counts and sums: whole numbers of up to 64 bits and nothing that only looks like one."""

from decimal import Decimal

import pytest

from resolvers.scalars import SCALARS, BigInt, whole


@pytest.mark.parametrize("number", [0, -1, 2**31, 2**53 + 1, -(2**63), 2**63 - 1])
def test_whole_numbers_of_up_to_64_bits_are_shown_as_they_are(number: int) -> None:
    assert whole(number) is number


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, True, 1.0, Decimal(1), "1", None, [1]])
def test_anything_else_is_refused_and_not_bent_into_one(value: object) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        whole(value)


def test_what_is_shown_and_what_is_taken_obey_the_same_rule() -> None:
    scalar = SCALARS[BigInt]
    assert scalar.serialize is scalar.parse_value is whole
    assert "64 bits" in str(scalar.description)
    assert "2^53 - 1" in str(scalar.description)
