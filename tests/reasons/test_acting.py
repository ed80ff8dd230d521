from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.shop import AS_OF_MS, shop_events
from shared.durations import DAY_MS
from shared.features import FEATURE_NAMES, EventColumns, Profiles, features, fold, merge
from shared.models.bundle import Bundle
from shared.reasons.acting import acts_that_change, feasible
from shared.reasons.goals import BELOW_CHURN_THRESHOLD, BETTER_SEGMENT, better_segments
from tests.support.bundles import make_bundle

PROFILES = fold(shop_events(150))
CUSTOMERS = [PROFILES.take([i]) for i in range(0, len(PROFILES), 3)]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    onnx, manifest = make_bundle(feature="orders_90d", centroids=(0.0, 1.0, 3.0))
    for segment, spend in zip(manifest["segments"], (10.0, 20.0, 30.0), strict=True):
        segment["profile"] = {"net_revenue_365d": spend, "average_order_value_365d": 25.0}
    return Bundle.from_files(onnx, manifest)


def after(customer: Profiles, name: str, count: int, days: int, bundle: Bundle) -> Any:
    """Features once the act's events have been delivered to the customer's history [1, n_features]."""
    [act] = [act for act in feasible(customer, bundle.manifest) if act.name == name]
    rows = replace(act, count=count).events(AS_OF_MS, days)
    news = EventColumns(customer.keys, np.zeros(len(rows), int), rows, customer.category_names)
    return features(merge(customer, fold(news)), AS_OF_MS + days * DAY_MS)


def test_doing_it_does_what_it_says_on_each_of_the_days(bundle: Bundle) -> None:
    goals = set()
    for customer in CUSTOMERS:
        [segment] = bundle.decide(features(customer, AS_OF_MS)).segment.tolist()
        for change in acts_that_change(customer, AS_OF_MS, bundle):
            goals.add(change["goal"])
            for days in range(change["count"] - 1, change["within_days"] + 1):
                then = bundle.decide(after(customer, change["act"], change["count"], days, bundle))
                if change["goal"] == BETTER_SEGMENT:
                    assert then.segment[0] in better_segments(segment, bundle.manifest)
                else:
                    assert then.churn_probability is not None
                    assert then.churn_probability[0] < bundle.manifest["thresholds"]["likely_to_churn"]
    assert goals == {BETTER_SEGMENT, BELOW_CHURN_THRESHOLD}


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(
    ("name", "more"), [("visit", "visits"), ("cart", "visits"), ("order", "orders"), ("order", "visits")]
)
def test_an_act_is_one_more_of_its_kind_and_nothing_else_is_lost(
    bundle: Bundle, name: str, more: str, count: int
) -> None:
    column, carts = FEATURE_NAMES.index(f"{more}_lifetime"), FEATURE_NAMES.index("carts_90d")
    tried = 0
    for customer in CUSTOMERS:
        if name not in [act.name for act in feasible(customer, bundle.manifest)]:
            continue
        [before], [then] = features(customer, AS_OF_MS), after(customer, name, count, 5, bundle)
        assert then[column] == before[column] + count
        assert name != "cart" or then[carts] > 0
        tried += 1
    assert tried > 5


def test_least_acts_come_first_and_each_kind_once(bundle: Bundle) -> None:
    effort = ["visit", "cart", "order"]
    for customer in CUSTOMERS:
        for goal in (BETTER_SEGMENT, BELOW_CHURN_THRESHOLD):
            acts = [c["act"] for c in acts_that_change(customer, AS_OF_MS, bundle) if c["goal"] == goal]
            assert acts == sorted(set(acts), key=effort.index)


def test_who_never_ordered_may_place_a_first_order_of_the_usual_value(bundle: Bundle) -> None:
    browsers = [c for c in CUSTOMERS if features(c, AS_OF_MS)[0, FEATURE_NAMES.index("orders_lifetime")] == 0]
    assert browsers
    spend = FEATURE_NAMES.index("net_revenue_lifetime")
    for customer in browsers:
        assert after(customer, "order", 1, 0, bundle)[0, spend] == 25.0


def test_what_happens_later_does_not_count(bundle: Bundle) -> None:
    for customer in CUSTOMERS[:10]:
        early = AS_OF_MS - 60 * DAY_MS
        known = customer.rows.take(customer.rows.time_ms < early)
        cut = Profiles(customer.keys, np.array([0, len(known)]), known, customer.category_names)
        if len(known):
            assert acts_that_change(customer, early, bundle) == acts_that_change(cut, early, bundle)
