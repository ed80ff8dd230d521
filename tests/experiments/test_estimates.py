import math

import numpy as np
import pandas as pd
import pytest
import tea_tasting as tt
from scipy.stats import norm

from shared.experiments.estimates import COLUMNS, COVARIATE, METRICS, Metric, effect, is_enough, value
from shared.experiments.moments import Moments
from shared.experiments.sequences import width
from tests.experiments.simulation import Shop

SHOP = Shop(a_day=4_000, holdout=0.2, buying=0.2, spread=1.0)


def _rows(lift: float = 0.3) -> tuple[pd.DataFrame, Moments, Moments]:
    rows, treated = SHOP.day(np.random.default_rng(8), lift)
    frame = pd.DataFrame(rows, columns=[*COLUMNS]).assign(variant=treated.astype(int))
    return frame, Moments.of(rows[treated]), Moments.of(rows[~treated])


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_estimates_are_those_of_tea_tasting(metric: Metric) -> None:
    """An interval there is of one look: divided by its width in standard errors, it is ours."""
    frame, treatment, control = _rows()
    if metric.denominator:
        theirs = tt.RatioOfMeans(
            metric.numerator, metric.denominator, numer_covariate=COVARIATE, use_t=False, confidence_level=0.95
        )
    else:
        theirs = tt.Mean(metric.numerator, COVARIATE, use_t=False, confidence_level=0.95)
    expected = tt.Experiment({"metric": theirs}).analyze(frame, control=0)["metric"]
    known = effect(metric, treatment, control)
    half = norm.ppf(0.975)
    assert known.difference == pytest.approx(expected.effect_size, rel=1e-9)
    assert known.error == pytest.approx((expected.effect_size_ci_upper - expected.effect_size) / half, rel=1e-9)
    assert known.relative is not None
    assert known.log_error is not None
    assert known.relative[0] == pytest.approx(expected.rel_effect_size, rel=1e-9)
    assert math.exp(half * known.log_error) * (1 + known.relative[0]) == pytest.approx(
        1 + expected.rel_effect_size_ci_upper, rel=1e-9
    )


def test_values_are_plain_means_and_ratios() -> None:
    frame, treatment, control = _rows()
    own = frame[frame.variant == 1]
    known = {metric.name: effect(metric, treatment, control).treatment for metric in METRICS}
    assert known["conversion"] == pytest.approx(own.converted.mean())
    assert known["average_order_value"] == pytest.approx(own.revenue.sum() / own.orders.sum())
    assert known["churn"] == pytest.approx(own.churned.sum() / own.buyer.sum())


def test_what_was_spent_before_explains_part_of_what_is_spent_now() -> None:
    chance = np.random.default_rng(1)
    before = chance.lognormal(3, 1, 4_000)
    rows = np.zeros((4_000, len(COLUMNS)))
    rows[:, COLUMNS.index("spend_before")] = before
    rows[:, COLUMNS.index("revenue")] = 0.9 * before + chance.normal(0, 1, 4_000)
    revenue = next(metric for metric in METRICS if metric.name == "revenue")
    known = effect(revenue, Moments.of(rows[:2_000]), Moments.of(rows[2_000:]))
    assert known.explained > 0.95
    assert abs(known.difference) < 5 * known.error < 1


def test_intervals_are_as_wide_as_the_sequence_says() -> None:
    _, treatment, control = _rows()
    known = effect(METRICS[0], treatment, control)
    low, high = known.interval()
    assert (high - low) / 2 == pytest.approx(width(known.n) * known.error)
    assert (low > 0) == (known.log_e > math.log(20))


def test_too_few_customers_or_too_rare_events_are_not_enough() -> None:
    metric = METRICS[0]
    rows = np.zeros((400, len(COLUMNS)))
    rows[:20, COLUMNS.index("converted")] = 1
    assert is_enough(metric, Moments.of(rows))
    assert not is_enough(metric, Moments.of(rows[1:]))
    assert not is_enough(metric, Moments.of(rows[:40][:39]))
    assert not is_enough(metric, Moments.of(rows[:99]))
    churn = next(metric for metric in METRICS if metric.name == "churn")
    assert not is_enough(churn, Moments.of(rows))


def test_nothing_to_be_measured_on_is_nought() -> None:
    ratio = next(metric for metric in METRICS if metric.denominator == "orders")
    assert value(ratio, Moments.none(len(COLUMNS))) == 0
