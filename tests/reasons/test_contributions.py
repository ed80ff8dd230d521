"""Calibrations, and what is refused; tests/training/bundle/test_reasons.py reads what training wrote."""

import hashlib
import io

import numpy as np
import pytest

from shared.reasons.contributions import Calibration, PredictionReasons, Reasons, ReasonsMismatch
from shared.reasons.nearest import Preparation
from shared.reasons.shapley import Linear

ZERO = np.zeros(1, np.float32)
SAME = Preparation(ZERO, np.zeros(1, bool), ZERO - np.inf, ZERO + np.inf, ZERO, ZERO + 1)
LINEAR = Linear(SAME, np.array([1.0]), 0.0, np.array([0.5]))
BROKEN_LINE = Calibration(False, x=np.array([-1.0, 1.0]), y=np.array([0.2, 0.8]))


def test_a_probability_is_the_sigmoid_of_a_line() -> None:
    calibration = Calibration(False, slope=2.0, offset=1.0)
    assert calibration.scale == "log-odds"
    assert calibration.shown(0.5) == 2.0
    assert calibration.predict(0.5) == pytest.approx(1 / (1 + np.exp(-2.0)))


def test_an_amount_is_the_exponential_of_a_line() -> None:
    calibration = Calibration(True, slope=2.0)
    assert calibration.scale == "logarithm of the amount"
    assert calibration.predict(1.0) == pytest.approx(np.exp(2.0))


def test_a_broken_line_leads_from_the_margin_to_the_prediction() -> None:
    assert BROKEN_LINE.scale == "margin before calibration"
    assert (BROKEN_LINE.shown(0.5), BROKEN_LINE.predict(0.0), BROKEN_LINE.predict(9.0)) == (0.5, 0.5, 0.8)


@pytest.mark.parametrize("calibration", [Calibration(False, slope=-2.0, offset=1.0), Calibration(True), BROKEN_LINE])
def test_contributions_lead_from_the_baseline_to_what_is_predicted(calibration: Calibration) -> None:
    why = PredictionReasons(LINEAR, calibration)
    x = np.array([0.75], np.float32)
    total = float(why.contributions(x).sum())
    assert why.baseline + total == pytest.approx(why.shown(x))
    assert why.at(total) == pytest.approx(why.prediction(x))


def named(content: bytes) -> dict[str, object]:
    return {"bundle_id": "one", "reasons": {"sha256": hashlib.sha256(content).hexdigest()}}


def test_another_file_than_the_manifest_names_is_refused() -> None:
    with pytest.raises(ReasonsMismatch, match="not the one that the manifest of one names"):
        Reasons.from_bytes(b"other", named(b"this"))


def test_what_is_no_archive_is_refused() -> None:
    with pytest.raises(ReasonsMismatch, match="cannot be read"):
        Reasons.from_bytes(b"no archive", named(b"no archive"))


def test_the_reasons_of_another_bundle_are_refused() -> None:
    file = io.BytesIO()
    np.savez(file, bundle_id=np.array("another"))
    with pytest.raises(ReasonsMismatch, match="made for bundle another, not for one"):
        Reasons.from_bytes(file.getvalue(), named(file.getvalue()))
