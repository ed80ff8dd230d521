"""The classic knows days and amounts of purchases, and says why where it has too few."""

from datetime import timedelta

import pytest
from lifetimes.utils import ConvergenceError

from shared.durations import DAY_MS
from tests.support.event_files import profiles, purchase
from tests.support.shop import OPENED
from training.base.config import Config
from training.prediction import classic
from training.prediction.classic import FEWEST_RETURNING, NAME, buyers
from training.prediction.metrics import Metrics
from training.prediction.targets import PointsInTime, Target, targets

CONFIG = Config(threads=1, trees=25, forest_trees=10, ltv_horizon_days=60)


CHURN, CONVERSION, LTV = targets(CONFIG)


FIRST_MS = int(OPENED.timestamp() * 1000)


def test_the_classic_knows_days_with_a_purchase_and_what_was_spent_on_later_ones() -> None:
    def bought(customer: str, day: float, price: float, kind: str = "purchase") -> dict[str, object]:
        at = (OPENED + timedelta(days=day)).isoformat()
        return {"customer_id": customer, "event_type": kind, "timestamp": at, "price": price}

    state = profiles(
        bought("a", 0.0, 5), bought("a", 10.1, 7), bought("a", 10.2, 3), bought("a", 20, 30), bought("a", 40, 99),
        bought("b", 12, 8), bought("c", 1, 0, "view_item"),
    )  # fmt: skip
    bought_by = buyers(state, FIRST_MS + 30 * DAY_MS)
    at = [state.keys.index(f"customer#{name}") for name in "abc"]
    assert bought_by.days[at].tolist() == [3, 1, 0]
    assert bought_by.recency[at].tolist() == [20, 0, 0]
    assert bought_by.age[at].tolist() == [30, 18, 0]
    assert bought_by.value[at].tolist() == [20, 0, 0]


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
    return classic.judge(target, points, [points.slice(target, FIRST_MS + 60 * DAY_MS)])


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
