from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from shared.drift.outcomes import auc, came_true, expected
from shared.durations import DAY_MS
from tests.insight.exported import write

AT_MS = 1_704_067_200_000


def test_calibrated_probabilities_are_as_good_as_they_say() -> None:
    random = np.random.default_rng(1)
    p = random.beta(1, 4, 200_000)
    y = random.random(len(p)) < p
    figures = expected(p)
    assert figures["auc"] == pytest.approx(roc_auc_score(y, p), abs=0.005)
    assert figures["brier"] == pytest.approx(brier_score_loss(y, p), abs=0.002)


def test_of_nobody_nothing_is_expected() -> None:
    assert expected(np.zeros(0)) == {"auc": None, "brier": None}
    assert auc(np.array([1.0]), np.array([0.0])) is None


def test_a_prediction_that_says_the_same_of_all_is_chance() -> None:
    assert expected(np.full(10, 0.3))["auc"] == pytest.approx(0.5)


@pytest.mark.parametrize("target", ["churn", "conversion"])
def test_what_came_is_what_scikit_learn_says(tmp_path: Path, target: str) -> None:
    random = np.random.default_rng(2)
    p = random.random(400).round(6)
    buys = random.random(400) < (1 - p if target == "churn" else p)
    customers = [
        {"customer_id": str(i), "snapshot_at": AT_MS, f"{target}_probability": p[i], "days_since_order": 3.0}
        for i in range(400)
    ]
    # Somebody who never bought cannot churn, and is not asked about.
    customers.append({"customer_id": "looks", "snapshot_at": AT_MS, "churn_probability": 0.9})
    orders = [
        {"customer_id": str(i), "line_id": i, "happened_at": AT_MS + 9 * DAY_MS, "type": "purchase", "amount": 1}
        for i in np.flatnonzero(buys)
    ]
    late = {"line_id": 900, "happened_at": AT_MS + 10 * DAY_MS, "amount": 1}
    orders += [{**late, "customer_id": "0", "type": "purchase"}, {**late, "customer_id": "1", "type": "refund"}]
    figures = came_true(write(tmp_path, customers=customers, orders=orders), target, 10)
    assert figures is not None
    y = ~buys if target == "churn" else buys
    assert figures["customers"] == 400
    assert figures["auc"] == pytest.approx(roc_auc_score(y, p), abs=0.002)
    assert figures["brier"] == pytest.approx(brier_score_loss(y, p), abs=1e-9)
    assert figures["expected_brier"] == pytest.approx((p * (1 - p)).mean(), abs=1e-9)
    assert figures["expected_auc"] == pytest.approx(expected(p)["auc"], abs=0.002)


def test_where_nobody_was_told_anything_there_is_nothing(tmp_path: Path) -> None:
    assert came_true(write(tmp_path, customers=[], orders=[]), "churn", 10) is None
