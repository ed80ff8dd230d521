import numpy as np

from shared.experiments.results import FOUND, PLANNED_LEVEL
from shared.experiments.sequences import customers_needed
from tests.experiments.simulation import Shop, looks, tally

EXPERIMENTS = 300
"""Of which 5 % may find an effect that is not there; each is looked at on 40 days. 2,000 are played nightly."""


def test_of_experiments_without_an_effect_at_most_a_twentieth_ever_find_one() -> None:
    seen = tally(EXPERIMENTS, seed=16)
    assert seen.detected <= 0.05 * EXPERIMENTS
    assert seen.left_out <= 0.05 * EXPERIMENTS
    assert seen.blocked <= 0.02 * EXPERIMENTS


def test_a_planted_effect_is_found_among_as_many_customers_as_the_plan_says() -> None:
    """By the last of the looks at the latest; the plan promises four of five."""
    buying, lift, holdout = 0.1, 0.3, 0.5
    variance = buying * (1 - buying) / holdout + buying * (1 + lift) * (1 - buying * (1 + lift)) / (1 - holdout)
    needed = customers_needed(buying * lift, float(np.sqrt(variance)), PLANNED_LEVEL)
    days = 20
    shop = Shop(a_day=-(-needed // days), holdout=holdout, buying=buying, spread=0.5)
    detected = 0
    for number in range(60):
        states = [result["state"] for result in looks(shop, np.random.default_rng([9, number]), lift, days)]
        detected += FOUND in states
    assert detected >= 48
