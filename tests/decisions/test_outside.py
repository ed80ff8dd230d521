"""What lies outside of what a bundle was trained on, and what comes of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.outside import MOST_NAMED, TOLERATED, behaves_outside, beyond, outside_training
from shared.features import FEATURE_NAMES

SILENT = {"least": 10.0, "most": 110.0, "undefined": False}


def row(**values: float) -> np.ndarray:
    row = np.zeros((1, len(FEATURE_NAMES)), np.float32)
    for name, value in values.items():
        row[0, FEATURE_NAMES.index(name)] = value
    return row


@pytest.mark.parametrize(
    ("value", "far"),
    [(10, 0.0), (60, 0.0), (110, 0.0), (670, 5.6), (-15, 0.25), (np.nan, np.inf)],
)
def test_how_far_is_told_in_widths_of_what_was_trained_on(value: float, far: float) -> None:
    widths = beyond(row(days_since_order=value), {"trained_on": {"days_since_order": SILENT}})
    assert widths[0, FEATURE_NAMES.index("days_since_order")] == pytest.approx(far)
    assert widths.sum() == pytest.approx(far)


@pytest.mark.parametrize(
    "trained_on",
    [
        {},
        {"days_since_order": {**SILENT, "most": SILENT["least"]}},
        {"days_since_order": {"least": None, "most": None, "undefined": True}},
    ],
)
@pytest.mark.parametrize("value", [670.0, np.nan])
def test_what_tells_a_bundle_nothing_is_never_outside(trained_on: dict[str, object], value: float) -> None:
    assert outside_training(row(days_since_order=value), {"trained_on": trained_on}) == [{}]


def test_what_was_undefined_in_training_may_be_so_again() -> None:
    undefined = {"trained_on": {"days_since_order": {**SILENT, "undefined": True}}}
    assert outside_training(row(days_since_order=np.nan), undefined) == [{}]


def test_the_farthest_are_named_first_and_not_too_many() -> None:
    ranges = {name: {"least": 0.0, "most": 1.0, "undefined": False} for name in FEATURE_NAMES}
    far = np.arange(len(FEATURE_NAMES), dtype=np.float32)[None] + 2
    (named,) = outside_training(far, {"trained_on": ranges})
    assert list(named) == list(FEATURE_NAMES[: -MOST_NAMED - 1 : -1])
    assert list(named.values()) == far[0, : -MOST_NAMED - 1 : -1].tolist()


@given(st.floats(-1e6, 1e6, width=32))
def test_who_behaves_outside_is_told_by_what(value: float) -> None:
    manifest = {"trained_on": {"days_since_order": SILENT}}
    X = row(days_since_order=value)
    assert behaves_outside(X, manifest).tolist() == [bool(named) for named in outside_training(X, manifest)]
    assert behaves_outside(X, manifest)[0] == (beyond(X, manifest).max() > TOLERATED)


def test_age_alone_is_named_and_is_no_behaviour() -> None:
    manifest = {"trained_on": dict.fromkeys(("tenure", "days_since_order"), SILENT)}
    X = np.concatenate([row(tenure=670, days_since_order=20), row(tenure=670, days_since_order=400)])
    assert [list(named) for named in outside_training(X, manifest)] == [["tenure"], ["tenure", "days_since_order"]]
    assert behaves_outside(X, manifest).tolist() == [False, True]
