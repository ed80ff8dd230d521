import json

import numpy as np
import pytest

from shared.insight.demand import LEAST_WEEKS, SMOOTHING, WEEKS_AHEAD, Sales, backtest, forecast, report, seasonal_naive


def _sales(weeks: int = 30, growth: float = 0.0, noise: float = 1.0) -> Sales:
    """Two segments that buy of three categories by chance; the first one's customers grow."""
    chance = np.random.default_rng(6)
    rates = np.array([[2.0, 1.0, 0.001], [0.5, 0.2, 0.0]])
    customers = np.stack([100 * (1 + growth) ** np.arange(weeks + 1), np.full(weeks + 1, 300.0)])
    mean = rates[:, :, None] * customers[:, None, :-1]
    return Sales(["new", "loyal"], ["a", "b", "c"], mean + noise * (chance.poisson(mean) - mean), customers)


def test_a_forecast_is_the_smoothed_rate_of_a_customer_times_how_many_there_are() -> None:
    sales = _sales(weeks=3)
    (first, second, third) = sales.bought[0, 0]
    keep = 1 - SMOOTHING
    known = keep**2 * sales.customers[0, 0] + keep * sales.customers[0, 1] + sales.customers[0, 2]
    expected = (keep**2 * first + keep * second + third) / known * sales.customers[0, 3]
    assert forecast(sales)[0, 0] == pytest.approx(expected)
    assert seasonal_naive(sales)[0, 0] == third


def test_a_segment_that_grows_is_followed_at_once() -> None:
    sales = _sales(growth=0.1, noise=0.0)
    np.testing.assert_allclose(forecast(sales)[0, 0], 2.0 * sales.customers[0, -1])


def test_it_is_better_than_the_week_before_where_weeks_differ_by_chance() -> None:
    tried = backtest(_sales())
    assert tried is not None
    ours, naive, by_pair = tried
    assert ours.percentage < 0.85 * naive.percentage
    assert ours.weighted < naive.weighted
    assert np.isnan(by_pair[0, 2]), "of which next to nothing is bought"
    assert np.isnan(by_pair[1, 2])
    assert by_pair[0, 0] < 0.1


def test_the_backtest_knows_nothing_of_what_it_is_tried_on() -> None:
    sales = _sales(weeks=LEAST_WEEKS + WEEKS_AHEAD)
    changed = sales.bought.copy()
    changed[:, :, LEAST_WEEKS:] *= 3
    tried = backtest(sales), backtest(Sales(sales.segments, sales.categories, changed, sales.customers))
    assert tried[0] is not None and tried[1] is not None
    apart = np.abs(forecast(sales.until(LEAST_WEEKS))[0, 0] - changed[0, 0, LEAST_WEEKS:]) / changed[0, 0, LEAST_WEEKS:]
    assert tried[1][2][0, 0] == pytest.approx(apart.mean())


def test_a_report_says_which_forecast_it_is_and_how_far_both_were_off() -> None:
    demand = json.loads(json.dumps(report(_sales()), allow_nan=False))
    assert (demand["state"], demand["method"]) == ("forecast", "rates")
    assert (
        demand["errors"]["rates"]["mean_absolute_percentage"]
        < demand["errors"]["seasonal_naive"]["mean_absolute_percentage"]
    )
    pairs = {(one["segment"], one["category"]): one for one in demand["demand"]}
    assert pairs["new", "a"]["a_week"] == pytest.approx(200, rel=0.1)
    assert ("loyal", "c") not in pairs


def test_the_week_before_is_taken_where_it_was_better() -> None:
    sales = _sales(noise=0.0)
    rising = sales.bought * 1.5 ** np.arange(30)
    demand = report(Sales(sales.segments, sales.categories, rising, sales.customers))
    assert demand["method"] == "seasonal_naive"
    assert demand["demand"][0]["a_week"] == demand["demand"][0]["last_week"]


@pytest.mark.parametrize("weeks", [0, LEAST_WEEKS, LEAST_WEEKS + WEEKS_AHEAD - 1])
def test_too_few_weeks_are_said_to_be(weeks: int) -> None:
    assert report(_sales(weeks=weeks))["state"] == "not_enough_data"


def test_nothing_that_is_bought_often_enough_is_no_forecast() -> None:
    sales = _sales()
    demand = report(Sales(sales.segments, sales.categories, sales.bought / 1_000, sales.customers))
    assert demand["state"] == "not_enough_data"
