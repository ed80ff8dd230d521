"""Rolling origin: nobody is judged by a model that knew their future."""

from datetime import timedelta

import numpy as np
import pytest
from lifetimes.utils import ConvergenceError

from shared.features.columns import DAY_MS
from tests.support.event_files import profiles, purchase
from tests.support.shop import DAYS, OPENED
from tests.training.conftest import Shop
from training.base.config import Config
from training.prediction import classic
from training.prediction.classic import FEWEST_RETURNING, NAME, buyers
from training.prediction.metrics import Metrics
from training.prediction.predictions import FittedTarget, fit_target
from training.prediction.targets import PointsInTime, Slice, Target, cutoffs, targets
from training.prediction.validation import origins, sample, winner

CONFIG = Config(threads=1, trees=25, forest_trees=10, ltv_horizon_days=60)
CHURN, CONVERSION, LTV = targets(CONFIG)
FIRST_MS = int(OPENED.timestamp() * 1000)
END_MS = FIRST_MS + DAYS * DAY_MS


@pytest.fixture(scope="module")
def points(shop: Shop) -> PointsInTime:
    return PointsInTime(shop.profiles)


@pytest.fixture(scope="module")
def ltv(points: PointsInTime) -> FittedTarget:
    return fit_target(LTV, points, FIRST_MS, END_MS, CONFIG)


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


def test_every_kind_of_model_has_its_line_and_the_best_mean_wins(ltv: FittedTarget) -> None:
    assert ltv.model is not None
    kinds = {name.partition(",")[0] for name in ltv.leaderboard}
    assert kinds == {"linear", "forest", "xgboost", "two-part", "blend", NAME}
    ours = {name: figures for name, figures in ltv.leaderboard.items() if name != NAME}
    assert ltv.model.name == min(ours, key=lambda name: ours[name]["deviance"]) == winner(LTV, ours, CONFIG)
    assert len(ltv.by_cutoff) == len(ltv.judged) == CONFIG.validation_slices
    mean = np.mean([figures["deviance"] for figures in ltv.by_cutoff])
    assert ltv.leaderboard[ltv.model.name]["deviance"] == pytest.approx(mean)


def test_the_manifest_tells_the_figures_of_every_slice(ltv: FittedTarget) -> None:
    told = ltv.about()
    assert ltv.model is not None
    assert told["model"] == ltv.model.name and told["calibration"] == "scale"
    assert told["metrics"] == next(iter(told["validation"]["cutoffs"].values()))
    assert len(told["validation"]["cutoffs"]) == CONFIG.validation_slices


def test_the_classic_knows_days_with_a_purchase_and_what_was_spent_on_later_ones() -> None:
    def bought(customer: str, day: float, price: float, kind: str = "purchase") -> dict[str, object]:
        at = (OPENED + timedelta(days=day)).isoformat()
        return {"customer_id": customer, "event_type": kind, "timestamp": at, "price": price}

    state = profiles(
        bought("a", 0.0, 5), bought("a", 10.1, 7), bought("a", 10.2, 3), bought("a", 20, 30), bought("a", 40, 99),
        bought("b", 12, 8), bought("c", 1, 0, "view_item"),
    )  # fmt: skip
    found = buyers(state, FIRST_MS + 30 * DAY_MS)
    at = [state.keys.index(f"customer#{name}") for name in "abc"]
    assert found.days[at].tolist() == [3, 1, 0]
    assert found.recency[at].tolist() == [20, 0, 0]
    assert found.age[at].tolist() == [30, 18, 0]
    assert found.value[at].tolist() == [20, 0, 0]


def shop_of(returning: int, price: float) -> PointsInTime:
    """60 buyers of whom so many came back on later days."""
    days = [(0, 20, 30, 50 + number % 30) if number < returning else (0,) for number in range(60)]
    return PointsInTime(
        profiles(
            *(
                purchase(str(number), day, timestamp=(OPENED + timedelta(days=day)).isoformat(), price=price)
                for number, bought in enumerate(days)
                for day in bought
            )
        )
    )


def judged(target: Target, points: PointsInTime) -> tuple[dict[str, Metrics], dict[str, str]]:
    return classic.judge(target, points.profiles, [points.slice(target, FIRST_MS + 60 * DAY_MS)])


@pytest.mark.parametrize(
    ("target", "returning", "price", "why"),
    [
        (CHURN, FEWEST_RETURNING - 1, 5.0, "29 buyers came back; 30 are needed"),
        (LTV, FEWEST_RETURNING - 1, 5.0, "29 buyers came back and spent; 30 are needed"),
        (LTV, 60, 0.0, "0 buyers came back and spent; 30 are needed"),
    ],
)
def test_with_too_few_returning_buyers_the_classic_is_not_even_tried(
    monkeypatch: pytest.MonkeyPatch, target: Target, returning: int, price: float, why: str
) -> None:
    monkeypatch.delattr(classic, "BetaGeoFitter")
    assert judged(target, shop_of(returning, price)) == ({}, {NAME: why})


def test_with_enough_returning_buyers_the_classic_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def gives_up(penalty: float) -> None:
        raise ConvergenceError("The model did not\nconverge.")

    monkeypatch.setattr(classic, "BetaGeoFitter", gives_up)
    assert judged(CHURN, shop_of(FEWEST_RETURNING, 5.0)) == ({}, {NAME: "The model did not converge."})
