from typing import Any

import numpy as np
import pytest

from shared.durations import DAY_MS
from shared.experiments.assignment import Planned
from shared.experiments.estimates import COLUMNS
from shared.experiments.moments import Moments
from shared.experiments.results import BLOCKED, FOUND, NO_CONTROL, NONE_FOUND, TOO_EARLY, Look, judged
from shared.experiments.trial import CONTROL, TREATMENT, Cost, Trial
from tests.experiments.trials import rows, trial

HALF = Planned(0.5, "audience")


def _judged(one: Trial, least_effect: float = 0.1) -> dict[str, Any]:
    last = int(one.exposed_ms[-1]) if len(one.exposed_ms) else 0
    (result,) = judged([one], Look(last + DAY_MS, least_effect))
    return result


def test_an_effect_is_found_and_said_of_every_metric() -> None:
    result = _judged(trial(rows(4_000, 0.2), rows(4_000, 0.1, seed=2), planned=HALF))
    assert result["state"] == FOUND
    metrics = {metric["metric"]: metric for metric in result["metrics"]}
    assert [*metrics] == ["conversion", "revenue", "orders", "average_order_value", "churn", "visit"]
    conversion = metrics["conversion"]
    assert conversion["finding"] == "higher"
    assert conversion["low"] < conversion["effect"] < conversion["high"]
    assert conversion["effect"] == pytest.approx(0.1, abs=0.005)
    assert conversion["relative"]["low"] < 1 < conversion["relative"]["high"]
    assert metrics["churn"]["finding"] == "lower"
    assert metrics["average_order_value"]["finding"] is None
    assert metrics["visit"]["effect"] is None, "everybody came, so that there is nothing to compare"


def test_arms_that_are_alike_have_no_effect_of_note_once_there_are_enough() -> None:
    few = _judged(trial(rows(300, 0.2), rows(300, 0.2, seed=2), planned=HALF))
    assert few["state"] == TOO_EARLY
    assert few["customers_more"] > 1_000
    assert few["days_more"] == pytest.approx(few["customers_more"] / (600 / 7) + 14, abs=2)
    many = _judged(trial(rows(60_000, 0.2), rows(60_000, 0.2, seed=2), planned=HALF))
    assert many["state"] == NONE_FOUND
    assert many["days_more"] is None


def test_too_few_to_say_anything_says_how_many_it_takes() -> None:
    result = _judged(trial(rows(90, 0.2), rows(10, 0.2), planned=Planned(0.1, "audience")))
    assert result["state"] == TOO_EARLY
    assert all(metric["effect"] is None for metric in result["metrics"])
    assert result["customers_more"] == 15 * 100, "until the control group has a hundred, by doubling"
    assert result["days_more"] > 14


def test_arms_that_are_not_as_planned_block_everything() -> None:
    result = _judged(trial(rows(5_000, 0.3), rows(4_500, 0.1), planned=HALF))
    assert (result["state"], result["reason"]) == (BLOCKED, "arms_not_as_planned")
    assert result["metrics"] == []
    assert result["return"] is None
    assert result["assignment"]["mismatch"]
    same = _judged(trial(rows(5_000, 0.3), rows(4_500, 0.1), planned=Planned(4_500 / 9_500, "given")))
    assert same["state"] == FOUND


def test_arms_that_differed_before_block_everything() -> None:
    chosen = rows(5_000, 0.3)
    chosen[:, COLUMNS.index("spend_before")] *= 1.3
    result = _judged(trial(chosen, rows(5_000, 0.1), planned=HALF))
    assert (result["state"], result["reason"]) == (BLOCKED, "arms_differed_before")
    assert result["metrics"] == []


def test_without_a_control_group_there_is_before_and_after_alone() -> None:
    result = _judged(trial(rows(5_000, 0.3), rows(0, 0.0)))
    assert result["state"] == NO_CONTROL
    assert result["metrics"] == [] and result["assignment"] is None
    metrics = {metric["metric"]: metric for metric in result["before_and_after"]}
    assert metrics["conversion"] == {"metric": "conversion", "before": 0.25, "after": 0.3}
    assert "effect" not in str(result["before_and_after"])


def test_columns_that_nobody_knows_are_not_measured() -> None:
    known = frozenset(COLUMNS) - {"visited", "visited_before"}
    result = _judged(trial(rows(4_000, 0.2), rows(4_000, 0.1), planned=HALF, columns=known))
    assert "visit" not in [metric["metric"] for metric in result["metrics"]]


def test_what_is_found_in_one_of_many_campaigns_takes_more_evidence() -> None:
    weak = trial(rows(2_000, 0.15), rows(2_000, 0.108), planned=HALF)
    noise = [trial(rows(2_000, 0.1, seed=3), rows(2_000, 0.1, seed=4), planned=HALF) for _ in range(50)]
    assert judged([weak], Look(DAY_MS))[0]["state"] == FOUND
    assert judged([weak, *noise], Look(DAY_MS))[0]["state"] == TOO_EARLY


def test_segments_are_told_with_what_is_likeliest_of_each() -> None:
    groups = {
        (TREATMENT, "new"): Moments.of(rows(3_000, 0.3)),
        (CONTROL, "new"): Moments.of(rows(3_000, 0.1, seed=2)),
        (TREATMENT, "loyal"): Moments.of(rows(3_000, 0.3, seed=3)),
        (CONTROL, "loyal"): Moments.of(rows(3_000, 0.29, seed=4)),
        (TREATMENT, "few"): Moments.of(rows(30, 0.3)),
        (CONTROL, "few"): Moments.of(rows(30, 0.1)),
    }
    sizes = {TREATMENT: 6_030, CONTROL: 6_030}
    result = _judged(trial(rows(1, 0), rows(1, 0), groups=groups, assigned=sizes, planned=HALF))
    few, loyal, new = result["metrics"][0]["segments"]
    assert few["effect"] is None and few["finding"] is None and few["shrunk"] is None
    assert new["finding"] == "higher"
    assert loyal["finding"] is None
    assert loyal["effect"] < loyal["shrunk"] < new["shrunk"] < new["effect"]


def test_the_return_on_cost_is_of_those_who_were_approached() -> None:
    one = trial(rows(4_000, 0.2), rows(4_000, 0.1, seed=2), planned=HALF, cost=Cost(0.1, 0.4), contacts=5_000)
    result = _judged(one)
    earned = result["return"]
    revenue = result["metrics"][1]
    assert earned["cost"] == pytest.approx(500)
    assert earned["gain"] == pytest.approx(revenue["effect"] * 4_000 * 0.4)
    assert earned["on_cost"]["effect"] == pytest.approx((earned["gain"] - 500) / 500)
    assert earned["on_cost"]["low"] < earned["on_cost"]["effect"] < earned["on_cost"]["high"]
    free = _judged(trial(rows(4_000, 0.2), rows(4_000, 0.1, seed=2), planned=HALF, cost=Cost(0, 0.4), contacts=5_000))
    assert free["return"]["on_cost"] is None


def test_a_campaign_that_began_just_now_waits_for_its_first_window() -> None:
    empty = rows(0, 0.0)
    one = trial(empty, empty, exposed_ms=np.array([0, 1]), assigned={TREATMENT: 1, CONTROL: 1}, planned=HALF)
    result = _judged(one)
    assert result["state"] == TOO_EARLY
    assert result["customers"]["waiting"] == 2
