from dataclasses import replace

import numpy as np
import pytest

from shared.clock import Moment
from shared.decisions.deciding import decide
from shared.durations import DAY_MS
from shared.features import Profiles
from shared.models.bundle import Bundle, Decisions
from tests.support.bundles import make_bundle
from tests.support.event_files import profiles, purchase

NOW = Moment(as_of_ms=1_509_494_400_000, scored_at_ms=1_509_494_400_250)
LATER = replace(NOW, as_of_ms=NOW.as_of_ms + 7)
TWO = profiles(purchase("a", 1), purchase("a", 2, day=2), purchase("b"))
BUNDLE = Bundle.from_files(*make_bundle(centroids=(0.0, 2.0, 10.0)))


def test_of_nobody_nothing_is_decided() -> None:
    assert decide(Profiles.empty(), {}, BUNDLE, NOW) == {}


def test_says_who_decided_when_and_on_what() -> None:
    decision = decide(TWO, {}, BUNDLE, NOW)["customer#a"]
    assert (decision.segment, decision.model_version) == (1, BUNDLE.bundle_id)
    assert (decision.as_of_ms, decision.scored_at_ms) == (NOW.as_of_ms, NOW.scored_at_ms)
    assert list(decision.predictions) == ["churn_probability"]


def test_who_stays_in_a_segment_has_been_there_since_they_came() -> None:
    before = decide(TWO, {}, BUNDLE, NOW)
    elsewhere = {**before, "customer#b": replace(before["customer#b"], segment=2)}
    after = decide(TWO, elsewhere, BUNDLE, LATER)
    assert after["customer#a"].since_ms == NOW.as_of_ms
    assert after["customer#b"].since_ms == LATER.as_of_ms


def test_numbers_are_the_fewest_digits_of_the_same_float() -> None:
    churn = decide(TWO, {}, BUNDLE, NOW)["customer#a"].predictions["churn_probability"]
    assert churn == float(str(np.float32(churn))) == pytest.approx(1 / (1 + np.exp(2)), rel=1e-6)


def test_who_is_not_looked_ahead_of_is_never_due() -> None:
    assert decide(TWO, {}, BUNDLE, replace(NOW, horizon_days=0))["customer#a"].due_ms is None
    soon = decide(TWO, {}, BUNDLE, replace(NOW, horizon_days=2))["customer#a"]
    assert soon.next_change is None
    assert soon.due_ms == NOW.as_of_ms // DAY_MS * DAY_MS + 2 * DAY_MS


def test_who_is_decided_on_with_no_number_is_left_out_and_the_bundle_says_so() -> None:
    bundle = Undefined.from_files(*make_bundle())
    assert set(decide(TWO, {}, bundle, replace(NOW, horizon_days=0))) == {"customer#b"}
    assert "undefined or infinite" in str(bundle.failure)


def test_says_what_lies_outside_of_what_was_trained_on() -> None:
    graph, manifest = make_bundle()
    of_two = {"orders_lifetime": {"least": 0.0, "most": 1.0, "undefined": True}}
    bundle = Bundle.from_files(graph, {**manifest, "trained_on": of_two})
    decisions = decide(TWO, {}, bundle, NOW)
    assert decisions["customer#a"].outside_training == {"orders_lifetime": 2.0}
    assert decisions["customer#b"].outside_training == {}


class Undefined(Bundle):
    """A bundle that knows no number for the first row."""

    def decide(self, features: np.ndarray) -> Decisions:
        decided = super().decide(features)
        decided.segment_distance[0] = np.nan
        return decided
