"""Rolling origin: nobody is judged by a model that knew their future."""

import numpy as np
import pytest

from shared.durations import DAY_MS
from tests.support.shop import DAYS, OPENED
from tests.training.conftest import Shop
from training.base.config import Config
from training.prediction.targets import PointsInTime, Slice, Target, cutoffs, targets
from training.prediction.validation import origins, sample, thinned

CONFIG = Config(threads=1, trees=25, forest_trees=10, ltv_horizon_days=60)
CHURN, CONVERSION, LTV = targets(CONFIG)
FIRST_MS = int(OPENED.timestamp() * 1000)
END_MS = FIRST_MS + DAYS * DAY_MS


@pytest.fixture(scope="module")
def points(shop: Shop) -> PointsInTime:
    return PointsInTime(shop.profiles)


@pytest.mark.parametrize("target", [CHURN, CONVERSION, LTV], ids=lambda target: target.name)
def test_a_slice_is_judged_by_what_was_complete_before_it(points: PointsInTime, target: Target) -> None:
    slices = [points.slice(target, at) for at in cutoffs(FIRST_MS, END_MS, target.horizon_days, CONFIG)]
    rounds = origins(target, slices, CONFIG)
    assert [judged.cutoff_ms for judged, _ in rounds] == [s.cutoff_ms for s in slices[: CONFIG.validation_slices]]
    for judged, known in rounds:
        assert known
        assert all(s.cutoff_ms + target.horizon_days * DAY_MS <= judged.cutoff_ms for s in known)


def test_a_slice_whose_rows_are_all_alike_judges_nobody() -> None:
    def slice_at(day: int, y: list[float]) -> Slice:
        return Slice(day * DAY_MS, np.arange(3), np.zeros((3, 1), np.float32), np.array(y))

    mixed, alike = [0.0, 1.0, 1.0], [1.0, 1.0, 1.0]
    slices = [slice_at(120, mixed), slice_at(90, alike), slice_at(60, mixed), slice_at(30, mixed)]
    assert [judged.cutoff_ms // DAY_MS for judged, _ in origins(CHURN, slices, CONFIG)] == [120, 60]


def test_a_sample_gathers_the_rows_of_all_slices(points: PointsInTime) -> None:
    slices = [points.slice(CHURN, at) for at in cutoffs(FIRST_MS, END_MS, 30, CONFIG)]
    whole = sample(CHURN, slices, CONFIG)
    np.testing.assert_array_equal(whole.X, np.concatenate([s.X for s in slices]))
    few = sample(CHURN, slices, Config(training_rows=200))
    rows = {(row.tobytes(), y) for row, y in zip(whole.X, whole.y, strict=True)}
    assert {(row.tobytes(), y) for row, y in zip(few.X, few.y, strict=True)} <= rows
    assert few.weight.sum() == pytest.approx(len(whole.y), rel=0.15)


def test_few_rows_are_all_kept() -> None:
    rows, weight = thinned((np.arange(100) % 2).astype(np.float64), Config(training_rows=100))
    assert rows.tolist() == list(range(100)) and weight.tolist() == [1] * 100


@pytest.mark.parametrize("rate", [0.001, 0.3, 0.98])
def test_kept_rows_stand_for_all(rate: float) -> None:
    y = (np.random.default_rng(1).random(100_000) < rate).astype(float)
    rows, weight = thinned(y, Config(training_rows=20_000))
    assert len(rows) == pytest.approx(20_000, rel=0.03)
    assert weight.sum() == pytest.approx(len(y), rel=0.03)
    assert weight @ y[rows] == pytest.approx(y.sum(), rel=0.03)
