"""A gain is measured as a share of what the live figures are worth, and by how much chance moves it."""

import numpy as np
import pytest

from training.base.config import Config
from training.bundle.gain import gain, standard_error
from training.prediction.metrics import measure
from training.prediction.models import Vector
from training.prediction.targets import targets

CHURN, _, LTV = targets(Config())


def test_a_gain_is_a_share_of_what_lies_above_chance() -> None:
    assert gain({"auc": 0.85}, {"auc": 0.75}) == pytest.approx(0.4)
    assert gain({"mean_absolute_error": 9.0}, {"mean_absolute_error": 10.0}) == pytest.approx(0.1)
    assert gain({"auc": 0.75, "brier": 0.1}, {"auc": 0.75, "brier": 0.2}) == pytest.approx(0.25)


def test_what_only_one_has_or_nobody_can_say_does_not_count() -> None:
    assert gain({"auc": 0.9}, {"spearman": 0.9}) == 0
    assert gain({"auc": 0.9, "spearman": float("nan")}, {"auc": 0.9, "spearman": 0.5}) == 0
    assert gain({"auc": None}, {"auc": 0.9}) == 0


def predictions(rows: int, seed: int = 3) -> tuple[Vector, Vector, Vector]:
    """Outcomes, and two predictions that are equally good and differ."""
    random = np.random.default_rng(seed)
    risk = random.random(rows)
    outcomes = (random.random(rows) < risk).astype(float)
    ours, live = (np.clip(risk + random.normal(0, 0.2, rows), 0.01, 0.99) for _ in range(2))
    return outcomes, ours, live


def test_the_error_is_that_of_the_gains_of_many_shops() -> None:
    shops = [predictions(400, seed) for seed in range(100)]
    gains = [gain(measure(CHURN, y, ours), measure(CHURN, y, live)) for y, ours, live in shops]
    said = np.median([standard_error(CHURN, *shop) for shop in shops[:4]])
    assert said == pytest.approx(np.std(gains), rel=0.35)


def test_of_more_rows_it_is_less_and_of_the_same_predictions_none() -> None:
    few, many = (standard_error(CHURN, *predictions(rows)) for rows in (200, 3200))
    assert few / many == pytest.approx(4, rel=0.5)
    y, ours, _ = predictions(300)
    assert standard_error(CHURN, y, ours, ours) == 0
    assert standard_error(LTV, y * 10, ours, ours) == 0
    assert standard_error(CHURN, np.zeros(300), ours, ours) == 0


def test_it_is_known_from_a_part_of_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = standard_error(CHURN, *predictions(3200))
    monkeypatch.setattr("training.bundle.gain.MOST_ROWS", 800)
    assert standard_error(CHURN, *predictions(3200)) == pytest.approx(whole, rel=0.3)
