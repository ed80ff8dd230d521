"""Arms that a lot told apart pass, whatever the seed; arms that somebody chose do not."""

import numpy as np

from shared.features import FEATURE_NAMES
from training.prediction.balance import largest_difference

WIDTH = len(FEATURE_NAMES)
ORDERS = FEATURE_NAMES.index("orders_365d")


def people(seed: int, n: int = 400) -> np.ndarray:
    random = np.random.default_rng(seed)
    X = random.lognormal(size=(n, WIDTH)).astype(np.float32)
    X[random.random((n, WIDTH)) < 0.1] = np.nan
    X[:, 0] = 3
    return X


def test_a_lot_passes_with_two_hundred_seeds() -> None:
    for seed in range(200):
        X = people(seed)
        treated = np.random.default_rng(10_000 + seed).random(len(X)) < 0.3
        assert not largest_difference(X, treated, np.zeros(len(X), np.int64)).is_no_chance, seed


def test_who_was_chosen_by_what_they_did_is_told_by_that() -> None:
    X = people(1)
    treated = np.nan_to_num(X[:, ORDERS]) + np.random.default_rng(2).normal(0, 1, len(X)) > 1.5
    apart = largest_difference(X, treated, np.zeros(len(X), np.int64))
    assert apart.is_no_chance and apart.feature == "orders_365d" and apart.treatment > apart.control
    assert "orders in the last 365 days" in str(apart)


def test_who_was_chosen_because_something_is_not_known_is_told_too() -> None:
    X = people(3)
    treated = np.isnan(X[:, ORDERS]) | (np.random.default_rng(4).random(len(X)) < 0.3)
    apart = largest_difference(X, treated, np.zeros(len(X), np.int64))
    assert apart.is_no_chance and apart.feature == "orders_365d"


def test_campaigns_that_drew_other_shares_of_other_customers_are_no_difference() -> None:
    X = people(5, 2_000)
    campaign = (np.nan_to_num(X[:, ORDERS]) > 1).astype(np.int64)
    random = np.random.default_rng(6)
    treated = random.random(len(X)) < np.where(campaign == 1, 0.8, 0.2)
    assert not largest_difference(X, treated, campaign).is_no_chance
    assert largest_difference(X, treated, np.zeros(len(X), np.int64)).is_no_chance
