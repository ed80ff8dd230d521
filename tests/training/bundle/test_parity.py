"""The proof looks where an export could go wrong, and notices when it does."""

import numpy as np
import pytest

from shared.models.bundle import Decisions
from training.bundle import parity
from training.bundle.parity import Parity


def test_a_difference_that_float32_cannot_tell_is_a_tie_and_a_larger_one_a_flip() -> None:
    distances = np.array([[1, 1 + 5e-6, 9], [1, 1.001, 9], [1, 2, 9]])
    n = len(distances)
    other = Decisions(
        np.array([1, 1, 0]),
        np.array([1, 1.001, 1], np.float32),
        np.array([0, 0, 1]),
        np.array([1, 1, 2], np.float32),
    )
    answers = {"distances": distances, "micro_segment": np.zeros(n), "micro_gap": np.ones(n), "eps": np.full(n, np.inf)}
    compared = parity.compare(answers, other)
    assert (compared.rows, compared.flips, compared.ties) == (3, 1, 1)
    assert compared.failures() == ["1 segment flips in 3 rows"]


@pytest.mark.parametrize(
    ("name", "difference", "allowed"),
    [
        ("churn_probability", 9e-6, True),
        ("churn_probability", 2e-5, False),
        ("expected_ltv", 9e-5, True),
        ("segment_distance", 2e-4, False),
        ("churn_probability", float("nan"), False),
    ],
)
def test_every_output_has_its_tolerance(name: str, difference: float, allowed: bool) -> None:
    assert (Parity(1, differences={name: difference}).failures() == []) is allowed


def test_as_many_rows_are_made_as_are_asked_for() -> None:
    X = np.arange(20, dtype=np.float32).reshape(10, 2)
    parts = list(parity.chunks([X, X[:3]], parity.CHUNK + 7, seed=1))
    assert sum(map(len, parts)) == 13 + parity.CHUNK + 7
    assert {part.dtype for part in parts} == {np.dtype(np.float32)}
    assert not np.array_equal(parts[2][:10], X)
