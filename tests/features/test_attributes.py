"""What is known of customers: of every name the latest value, whatever the order in which they come."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.features.attributes import MOST_ATTRIBUTES, Attributes

type Said = tuple[int, int, str, str]

CUSTOMERS = 3
_entry = st.tuples(st.integers(0, CUSTOMERS - 1), st.integers(0, 3), st.sampled_from("abc"), st.sampled_from("xyz"))
_many = st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(0, 40).map("{:02}".format), st.sampled_from("xy"))


def attributes(said: list[Said]) -> Attributes:
    owner, time_ms, names, values = zip(*said, strict=True) if said else ((), (), (), ())
    return Attributes.said(np.array(owner, np.int64), np.array(time_ms, np.int64), names, values)


def united(*parts: Attributes) -> Attributes:
    return Attributes.united(parts, [np.arange(CUSTOMERS)] * len(parts))


def expected(said: list[Said]) -> list[tuple[int, str, int, str]]:
    """The same, slowly."""
    latest = {(owner, name): (time, value) for owner, time, name, value in sorted(said)}
    of_owner: dict[int, list[tuple[int, str, str]]] = {}
    for (owner, name), (time, value) in latest.items():
        of_owner.setdefault(owner, []).append((time, name, value))
    kept = [(owner, each) for owner, known in of_owner.items() for each in sorted(known)[-MOST_ATTRIBUTES:]]
    return sorted((owner, name, time, value) for owner, (time, name, value) in kept)


@given(st.lists(_entry))
def test_the_latest_value_stands_and_of_equal_times_the_larger(said: list[Said]) -> None:
    assert [*attributes(said).entries()] == expected(said)


@given(st.lists(_entry), st.lists(_entry), st.lists(_entry), st.randoms(use_true_random=False))
def test_any_split_in_any_order_and_any_repetition_end_the_same(
    x: list[Said], y: list[Said], z: list[Said], random: Any
) -> None:
    parts = [attributes(part) for part in (x, y, z, x)]
    random.shuffle(parts)
    assert [*united(united(*parts[:2]), *parts[2:]).entries()] == expected([*x, *y, *z])


@given(st.lists(_many, max_size=120), st.lists(_many, max_size=120))
def test_of_too_many_names_those_said_last_are_kept_however_they_come(x: list[Said], y: list[Said]) -> None:
    both = united(attributes(x), attributes(y))
    assert [*both.entries()] == expected([*x, *y])
    assert both.counts(CUSTOMERS).max() <= MOST_ATTRIBUTES


@given(st.lists(_entry), st.lists(_entry))
def test_who_is_not_known_the_same_way_differs(x: list[Said], y: list[Said]) -> None:
    mine, theirs = attributes(x), attributes(y)
    differing = {owner for owner, *_ in {*mine.entries()} ^ {*theirs.entries()}}
    assert {*np.flatnonzero(mine.differing(theirs, CUSTOMERS)).tolist()} == differing


def test_customers_are_taken_with_what_is_known_of_them() -> None:
    known = attributes([(0, 1, "a", "x"), (2, 1, "a", "y"), (2, 5, "b", "x")])
    assert [*known.take(np.array([1, 2, 2]), CUSTOMERS).entries()] == [
        (1, "a", 1, "y"), (1, "b", 5, "x"), (2, "a", 1, "y"), (2, "b", 5, "x"),
    ]  # fmt: skip
    assert len(Attributes.none().take(np.array([0]), 1)) == 0
