from typing import Any

import numpy as np

from shared.durations import DAY_MS
from shared.experiments.assignment import Planned
from shared.experiments.document import document
from shared.experiments.estimates import METRICS
from shared.experiments.results import Look
from shared.experiments.trial import CONTROL, TREATMENT, Trial
from tessera.result_words import NAMES, in_words
from tests.experiments.trials import rows, trial


def _words(*trials: Trial, as_of_ms: int = 90 * DAY_MS, currency: str | None = "EUR") -> str:
    return "\n".join(in_words(document(trials, Look(as_of_ms), currency)))


def test_every_metric_has_a_name() -> None:
    assert {metric.name for metric in METRICS} == NAMES.keys()


def test_what_is_found_is_said_with_its_unit() -> None:
    said = _words(trial(rows(4_000, 0.2), rows(4_000, 0.1, seed=2), planned=Planned(0.5, "given")))
    assert "win_back: an effect was found" in said
    assert " EUR; +" in said
    assert "customers who came: 100.00% against 100.00%, too few to say more" in said


def test_an_interval_without_nought_that_is_not_found_says_why() -> None:
    weak = trial(rows(2_000, 0.15), rows(2_000, 0.108), planned=Planned(0.5, "given"))
    noise: list[Any] = [
        trial(rows(2_000, 0.1), rows(2_000, 0.1), campaign=f"c{i}", planned=Planned(0.5, "given")) for i in range(50)
    ]
    assert "by chance" in _words(weak, *noise)
    assert "by chance" not in _words(weak)


def test_how_long_it_takes_is_said() -> None:
    few = trial(rows(300, 0.2), rows(300, 0.2, seed=2), planned=Planned(0.5, "given"))
    assert "win_back: not enough data yet: about " in _words(few, as_of_ms=7 * DAY_MS)
    assert "win_back: not enough data yet; nobody comes into it any more" in _words(few)


def test_others_who_approach_one_arm_alone_are_named() -> None:
    one = trial(rows(300, 0.2), rows(300, 0.2), elsewhere={"other": (0.4, 0.0), "alike": (0.4, 0.41)}, switched=3)
    said = _words(one)
    assert "careful: other approached 40% of those approached here, and 0% of those held back" in said
    assert "alike" not in said
    assert "careful" not in _words(trial(rows(300, 0.2), rows(0, 0.0), elsewhere={"other": (0.4, 0.0)}))
    assert "3 customers were in both arms" in said


def test_nobody_waiting_and_nothing_at_all_are_said() -> None:
    assert _words() == "No campaign has an exposure yet"
    empty = rows(0, 0.0)
    waiting = trial(empty, empty, exposed_ms=np.array([0, 1]), assigned={TREATMENT: 1, CONTROL: 1})
    assert "the days of 2 more are not over" in _words(waiting)
