"""What goes with what, held to the definition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from shared.recommending.products import NOWHERE
from tests.support.examples import at_most
from training.recommending.neighbours import LEAST_CUSTOMERS, neighbours, strongest, tf_idf

CUSTOMERS, PRODUCTS = 12, 8
DEALT = st.lists(st.tuples(st.integers(0, CUSTOMERS - 1), st.integers(0, PRODUCTS - 1)), min_size=1, max_size=60)


@settings(max_examples=at_most(100))
@given(DEALT)
def test_neighbours_are_those_with_the_largest_cosine(dealt: list[tuple[int, int]]) -> None:
    owner, place = np.array(dealt).T
    near, alike = neighbours(owner, place, np.ones(len(owner)), CUSTOMERS, PRODUCTS)

    counts = np.zeros((CUSTOMERS, PRODUCTS))
    np.add.at(counts, (owner, place), 1)
    customers = (counts > 0).sum(axis=0)
    counts[:, customers < LEAST_CUSTOMERS] = 0
    weights = np.sqrt(counts) * np.log((1 + CUSTOMERS) / (1 + customers))
    lengths = np.linalg.norm(weights, axis=0)
    cosine = weights.T @ weights / np.maximum(np.outer(lengths, lengths), 1e-18)
    np.fill_diagonal(cosine, 0)
    for product in range(PRODUCTS):
        nearest = near[product][near[product] != NOWHERE]
        assert {*nearest.tolist()} >= {*np.flatnonzero(cosine[product] > 1e-6).tolist()}
        assert np.allclose(alike[product][: len(nearest)], cosine[product][nearest], atol=1e-5)
        assert (np.diff(alike[product]) <= 0).all()


def test_the_strongest_come_first_and_what_is_nothing_not_at_all() -> None:
    assert strongest(np.array([0.1, 0.0, 0.9, 0.5], np.float32), 2).tolist() == [2, 3]
    assert strongest(np.array([0.0, 0.2], np.float32), 9).tolist() == [1]


def test_columns_have_length_one() -> None:
    weighted = tf_idf(sparse.csr_matrix(np.array([[1.0, 0, 4], [0, 2, 0], [0, 0, 0]])))
    assert np.allclose(np.linalg.norm(weighted.toarray(), axis=0), 1)
