"""What is typical of some customers."""

import numpy as np
import pytest

from shared.features import FEATURE_NAMES
from training.segmentation.facts import DERIVED, facts


def customers(**columns: list[float]) -> np.ndarray:
    n = max(map(len, columns.values()))
    X = np.zeros((n, len(FEATURE_NAMES)), np.float32)
    for name, values in columns.items():
        X[:, FEATURE_NAMES.index(name)] = values
    return X


def test_a_share_is_averaged_and_of_all_else_the_median_is_taken() -> None:
    typical = facts(customers(weekend_share_365d=[0.0, 0.0, 0.9], visits_365d=[1.0, 2.0, 900.0]))
    assert typical["weekend_share_365d"] == pytest.approx(0.3)
    assert typical["visits_365d"] == 2


def test_customers_of_whom_a_fact_is_undefined_do_not_count() -> None:
    typical = facts(customers(weekend_share_365d=[np.nan, 0.5], days_since_order=[np.nan, np.nan]))
    assert typical["weekend_share_365d"] == 0.5
    assert np.isnan(typical["days_since_order"])


def test_derived_facts_are_made_of_features() -> None:
    one = customers(
        orders_365d=[3.0], visits_365d=[6.0], tenure=[100.0], days_since_visit=[40.0], visits_lifetime=[7.0]
    )
    typical = facts(one)
    assert DERIVED.keys() <= typical.keys()
    assert typical["orders_per_visit"] == 0.5
    assert typical["missed_visits"] == pytest.approx(4.0)
