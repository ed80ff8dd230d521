"""What an option may be, in words and as a check."""

from typing import Annotated, Any

import pytest

from training.base.options import Count, Currency, Days, Groups, Share, accepts, may_be, one_of, shown

Colour = Annotated[str, one_of("red", "dark-blue")]


@pytest.mark.parametrize(
    ("declared", "values"),
    [(Days, [1, 36_500]), (Count, [1]), (Share, [0, 1, 0.5]), (Currency, ["", "USD"]), (Colour, ["red", "dark-blue"]),
     (Groups, [[], ["Channel"], ("Hour", "Channel")])],
)  # fmt: skip
def test_what_is_within_bounds_is_accepted(declared: Any, values: list[Any]) -> None:
    assert all(accepts(declared, value) for value in values)


@pytest.mark.parametrize(
    ("declared", "values"),
    [(Days, [0, 36_501, 1.5, True, "1", None]), (Share, [-0.1, 1.1, float("nan"), False, "0.5"]),
     (Currency, ["usd", "USDD", "USD\n", 840]), (Colour, ["", "blue", "red\n", "dark.blue"]),
     (Groups, ["Channel", [1], ["Weather"], [["Channel"]]])],
)  # fmt: skip
def test_what_is_beyond_bounds_or_of_another_type_is_not(declared: Any, values: list[Any]) -> None:
    assert not any(accepts(declared, value) for value in values)


def test_the_words_name_the_bounds() -> None:
    assert may_be(Days) == "a whole number from 1 to 36,500"
    assert may_be(Share) == "a number from 0 to 1"
    assert may_be(Colour) == "one of red, dark-blue"


def test_a_value_is_shown_in_short_however_long_it_is() -> None:
    assert shown("x") == "'x'"
    assert len(shown("x" * 1_000)) < 40
    assert shown(10**9_999) == "a number of thousands of digits"
