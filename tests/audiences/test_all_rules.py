"""All rules judged at once, held against each of them evaluated by its tree."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.audiences.all_rules import AllRules
from shared.audiences.evaluating import Customers, Histories
from shared.audiences.reading import read_rule
from shared.durations import DAY_MS
from shared.features import features
from tests.audiences.random_rules import NAMES, rules
from tests.features.histories import folded, histories


@given(
    history=histories(),
    texts=st.lists(rules, min_size=1, max_size=6),
    days=st.integers(0, 400),
    churn=st.lists(st.sampled_from([0.0, 0.5, 0.6, 1.0]), min_size=3, max_size=3),
)
def test_they_hold_of_whom_each_alone_holds(history: Any, texts: list[str], days: int, churn: list[float]) -> None:
    profiles = folded(history)
    at_ms = int(profiles.rows.time_ms.min()) + days * DAY_MS
    n = len(profiles)
    decided: dict[str, Any] = {
        "churn_probability": np.array(churn[:n], np.float32),
        "segment": np.arange(n),
        "intent": np.array(["loyal", "dormant", "steady"][:n], object),
    }
    customers = Customers(features(profiles, at_ms), decided, Histories(profiles), np.arange(n), at_ms)
    read = [read_rule(text, NAMES) for text in texts]
    every = AllRules(read)

    held = every.holds(every.judge(customers))

    assert [one.tolist() for one in held] == [customers.holds(rule).tolist() for rule in read]


@given(history=histories(max_size=10), texts=st.lists(rules, min_size=1, max_size=6), days=st.integers(0, 400))
def test_what_is_predicted_decides_nothing_that_is_sure_without_it(history: Any, texts: list[str], days: int) -> None:
    profiles = folded(history)
    at_ms = int(profiles.rows.time_ms.min()) + days * DAY_MS
    n = len(profiles)
    known = features(profiles, at_ms)
    every = AllRules([read_rule(text, NAMES) for text in texts])

    def customers(**decided: Any) -> Customers:
        return Customers(known, decided, Histories(profiles), np.arange(n), at_ms)

    met = every.judge(customers(), with_predicted=False)
    least, most = every.holds(met), every.holds(met | every.predicted[:, None])
    for churn, segment in ((0.0, 0), (0.6, 1), (1.0, 200)):
        decided = {"churn_probability": np.full(n, churn, np.float32), "segment": np.full(n, segment)}
        held = every.holds(every.judge(customers(**decided)))
        for low, between, high in zip(least, held, most, strict=True):
            assert (low <= between).all() and (between <= high).all()
