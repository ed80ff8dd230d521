"""What intents promise is what happened to those who would have had them, and no model had seen it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.durations import DAY_MS
from shared.events.event import parse_timestamp
from tests.support.shop import Event
from tests.training.conftest import Shop
from training.base.config import Config
from training.bundle.promises import EVERYONE, by_intent, in_words
from training.prediction.calibration import Scaled
from training.prediction.candidates import Trees
from training.prediction.models import Model
from training.prediction.predictions import FittedTarget
from training.prediction.targets import targets


def test_the_means_are_of_those_with_the_intent_and_of_whom_the_outcome_is_defined() -> None:
    intent_of = np.array(["loyal", "loyal", "dormant", "loyal"])
    happened = {"churned": np.array([1.0, 0, np.nan, np.nan]), "spent": np.array([0.0, 3, 5, 0])}
    kept = by_intent(intent_of, happened)
    assert kept["loyal"] == {"customers": 3, "churned": 0.5, "spent": 1.0}
    assert kept["dormant"] == {"customers": 1, "churned": None, "spent": 5.0}
    assert kept["steady"] == {"customers": 0, "churned": None, "spent": None}
    assert kept[EVERYONE] == {"customers": 4, "churned": 0.5, "spent": 2.0}


def test_words_name_who_is_there_and_say_nothing_of_what_is_undefined() -> None:
    figures = {"churned": None, "converted": 0.000254, "bought": 1.0, "spent": 1234.5}
    nobody = {"customers": 0, **dict.fromkeys(figures)}
    (line,) = in_words({"loyal": {"customers": 1200, **figures}, "steady": nobody})
    assert " ".join(line.split()) == "loyal 1,200 - churned 0.0254% converted 100% bought, spending 1,234.50"


def test_a_model_is_used_for_no_instant_before_the_outcomes_that_it_knew() -> None:
    early, late = (Model(name, "probability", Trees(()), Scaled("probability")) for name in ("early", "late"))
    fitted = FittedTarget(targets(Config())[0], earlier=[(20, late), (10, early)])
    assert [fitted.as_of(at) for at in (9, 10, 19, 20, 99)] == [None, early, early, late, late]


@pytest.fixture(scope="module")
def promised(model: Path) -> dict[str, Any]:
    promises: dict[str, Any] = json.loads((model / "manifest.json").read_text())["promises"]
    return promises


def test_training_counts_what_became_of_everyone_as_one_would_by_hand(shop: Shop, promised: dict[str, Any]) -> None:
    assert len(promised["instants"]) >= 1
    counted = [
        after(shop.events, customer, parse_timestamp(instant), promised["days"])
        for instant in promised["instants"]
        for customer in sorted({str(event["customer_id"]) for event in shop.events})
    ]
    known = [one for one in counted if one is not None]
    kept = promised["kept"][EVERYONE]
    assert kept["customers"] == len(known)
    for name in promised["days"]:
        assert kept[name] == pytest.approx(np.nanmean([one[name] for one in known]), abs=1e-3), name


def after(events: list[Event], customer: str, at: int, days: dict[str, int]) -> dict[str, float] | None:
    """What a customer did after the instant; None of whom nothing was known then."""
    own = [(parse_timestamp(event["timestamp"]), event) for event in events if event["customer_id"] == customer]
    before = [event["event_type"] for time, event in own if time < at]
    if not before:
        return None

    def within(name: str) -> list[Event]:
        return [event for time, event in own if at <= time < at + days[name] * DAY_MS]

    def bought(name: str) -> list[Event]:
        return [event for event in within(name) if event["event_type"] == "purchase"]

    refunds = [event for event in within("spent") if event["event_type"] == "refund"]
    return {
        "churned": float(not bought("churned")) if "purchase" in before else np.nan,
        "converted": float(bool(bought("converted"))),
        "bought": float(bool(bought("bought"))),
        "spent": sum(event["price"] for event in bought("spent")) - sum(event["price"] for event in refunds),
    }


def test_those_expected_to_churn_churn_more_often_than_all(promised: dict[str, Any]) -> None:
    kept = promised["kept"]
    assert sum(own["customers"] for name, own in kept.items() if name != EVERYONE) == kept[EVERYONE]["customers"]
    assert kept["likely_to_churn"]["churned"] > kept[EVERYONE]["churned"]
    assert kept["loyal"]["churned"] < kept[EVERYONE]["churned"]
