"""What bodies of stored profiles hold, apart from the forms in which they are written."""

import numpy as np
import pytest

from shared.features.bodies import BrokenState, Layout, cut, demand, ranges
from tests.features.stored_bodies import bodies, plain, short


def test_profiles_are_taken_with_all_that_is_theirs() -> None:
    first, second = bodies().take(np.array([0])), bodies().take(np.array([1]))
    assert (first.names, first.attributes.names, first.rows.tolist()) == ([b"Hats"], [], [2])
    assert (second.categories.tolist(), second.attributes.values) == ([2], [b"1987", b'"gold"'])
    assert plain(second.followed_by(first).take(np.array([1, 0]))) == plain(bodies())


def test_texts_of_a_profile_are_names_of_categories_then_of_attributes_then_values() -> None:
    assert bodies().texts() == [b"Hats", "ÜberzugTeaborntier1987".encode() + b'"gold"']
    assert short().texts() == [b"Hats"]


def test_numbers_of_texts_have_their_places() -> None:
    layout = Layout.following(np.array([5, 5]), np.array([1, 2]), np.array([0, 2]))
    assert layout.sizes.tolist() == [6, 13]
    assert [at.tolist() for at in layout.text_positions()] == [[5, 11, 12], [13, 14], [15, 16], [17, 18]]


@pytest.mark.parametrize(("categories", "attributes"), [(2, 1), (-1, 1), (0, 2**62), (2**62, -(2**61))])
def test_counts_that_do_not_fit_are_refused(categories: int, attributes: int) -> None:
    layout = Layout(np.array([0]), np.array([2]), np.array([categories]), np.array([attributes]))
    with pytest.raises(BrokenState):
        layout.check(6)


def test_parts_are_cut_and_ranges_counted() -> None:
    assert cut(b"abcd", np.array([1, 0, 3])) == [b"a", b"", b"bcd"]
    assert ranges(np.array([5, 1, 9]), np.array([2, 0, 1])).tolist() == [5, 6, 9]
    demand(np.array([True]))
    with pytest.raises(BrokenState):
        demand(np.array([True, False]))
