"""Thresholds of the intents: a share of the customers, or a wanted precision."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.base.config import Config
from training.prediction.calibration import Vector
from training.prediction.predictions import FittedTarget
from training.prediction.targets import targets
from training.prediction.thresholds import FEWEST, lowest_for, reached, threshold

CHURN, _, LTV = targets(Config())


def holdout(n: int = 1_000) -> tuple[Vector, Vector]:
    predicted = np.random.default_rng(1).random(n)
    return predicted, (np.random.default_rng(2).random(n) < predicted).astype(float)


def test_a_budget_marks_the_share_with_the_highest_predictions() -> None:
    figures = reached(FittedTarget(CHURN, holdout=holdout()), Config(likely_to_churn_share=0.2))
    assert figures["share"] == pytest.approx(0.2, abs=0.002)
    assert figures["chosen_for"] == "a share of 0.2"


def test_a_wanted_precision_is_met_and_no_lower_threshold_meets_it() -> None:
    predicted, y = holdout()
    fitted = FittedTarget(CHURN, holdout=(predicted, y))
    figures = reached(fitted, Config(likely_to_churn_precision=0.8))
    value = float(figures["value"])
    assert float(figures["precision"]) >= 0.8 and figures["chosen_for"] == "a precision of 0.8"
    assert all(y[predicted >= lower].mean() < 0.8 for lower in predicted[predicted < value])


def test_a_precision_out_of_reach_falls_back_to_the_budget_and_says_so() -> None:
    predicted, y = holdout()
    fitted = FittedTarget(CHURN, holdout=(predicted, np.minimum(y, np.arange(len(y)) % 2)))
    value, chosen_for = threshold(fitted, Config(likely_to_churn_precision=0.99))
    assert value == pytest.approx(np.quantile(predicted, 0.8))
    assert chosen_for == "a share of 0.2; a precision of 0.99 is out of reach"


@given(
    st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=200),
    st.floats(0.05, 1.0),
)
def test_the_lowest_threshold_is_what_trying_all_of_them_finds(rows: list[tuple[int, bool]], precision: float) -> None:
    predicted, y = (np.array(column, float) for column in zip(*rows, strict=True))
    good = [
        value
        for value in np.unique(predicted)
        if (above := predicted >= value).sum() >= FEWEST and y[above].sum() / above.sum() >= precision
    ]
    assert lowest_for(precision, predicted, y) == (min(good) if good else None)


def test_amounts_are_told_by_their_share_of_the_total() -> None:
    amounts = np.arange(1.0, 11.0)
    figures = reached(FittedTarget(LTV, holdout=(amounts, amounts)), Config(high_value_share=0.2))
    assert figures["share_of_total"] == pytest.approx(19 / 55)
