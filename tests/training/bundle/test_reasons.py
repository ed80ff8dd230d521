"""Reasons against the graph that decides, against shap, and against an enumeration of every set of features."""

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shap

import shared.reasons.contributions
from shared.clock import Moment
from shared.decisions.deciding import decide
from shared.features import DEFINITIONS, FEATURE_NAMES, KNOWN_DEFINITIONS, Profiles, encode
from shared.features.definitions import Definition, set_hash
from shared.features.released import RELEASED
from shared.models.bundle import Bundle
from shared.profiles.stored_profile import StoredProfile
from shared.reasons.contributions import FILE, Reasons, ReasonsMismatch
from shared.reasons.explaining import Explainer, explanation, top_reasons
from shared.reasons.nearest import Nearest, Preparation
from shared.reasons.shapley import Linear
from tests.conftest import BUCKET
from tests.training.bundle.conftest import AS_OF_MS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture(scope="module")
def profiles(customers: Profiles, bundle: Bundle) -> list[StoredProfile]:
    decisions = decide(customers, {}, bundle, Moment(AS_OF_MS, AS_OF_MS, horizon_days=0))
    states = zip(customers.keys, encode(customers), strict=True)
    return [StoredProfile(key, 1, state, 9, decisions[key]) for key, state in states]


def test_shares_of_a_segment_sum_to_how_much_nearer_it_is(bundle: Bundle, reasons: Reasons, rows: Any) -> None:
    decided = bundle.decide(rows)
    for i, x in enumerate(rows):
        shares, difference = reasons.segment.contributions(x, int(decided.segment[i]), int(decided.runner_up[i]))
        nearer = float(decided.runner_up_distance[i]) - float(decided.segment_distance[i])
        assert shares.sum() == pytest.approx(nearer, abs=1e-5)
        assert difference == pytest.approx(nearer, abs=1e-5)
        assert reasons.segment.segment(x) == decided.segment[i]


def test_shares_of_a_prediction_sum_to_what_it_lies_above_the_baseline(
    bundle: Bundle, reasons: Reasons, rows: Any
) -> None:
    assert set(reasons.predictions) == set(bundle.decide(rows[:1]).predictions)
    for output, predicted in bundle.decide(rows).predictions.items():
        why = reasons.predictions[output]
        for x, prediction in zip(rows, predicted.tolist(), strict=True):
            assert why.contributions(x).sum() + why.baseline == pytest.approx(why.shown(x), abs=1e-9)
            assert why.prediction(x) == pytest.approx(prediction, rel=1e-4, abs=1e-6)


def test_shapley_values_of_a_linear_model_are_those_of_shap() -> None:
    random = np.random.default_rng(3)
    X = random.normal(size=(20, 4)).astype(np.float32)
    average = random.normal(size=4)
    slopes = random.normal(size=4)
    same = unprepared(4)
    linear = Linear(same, slopes, 0.5, average)
    expected = shap.LinearExplainer((slopes, 0.5), average[None]).shap_values(X)
    np.testing.assert_allclose([linear.contributions(x) for x in X], expected, atol=1e-6)


def test_shares_of_the_unusual_sum_to_how_far_they_are_beyond_their_border() -> None:
    random = np.random.default_rng(5)
    components = np.linalg.qr(random.normal(size=(6, 3)))[0]
    same = unprepared(6)
    nearest = Nearest(same, components, random.normal(size=6), random.normal(size=(9, 3)), np.arange(9) % 3, 0.5, 3)
    for x in random.normal(size=(30, 6)).astype(np.float32) * 4:
        far = nearest.distances(x).min() - 0.5
        assert nearest.segment(x) == (3 if far > 0 else nearest.owner[nearest.distances(x).argmin()])
        shares, difference = nearest.contributions(x, 3, 0)
        assert (shares.sum(), difference) == pytest.approx((far, far), abs=1e-9)
        shares, difference = nearest.contributions(x, 1, 2)
        assert shares.sum() == pytest.approx(difference, abs=1e-9)


def test_explanation_says_what_is_typical_and_what_shares_add_up_to(
    profiles: list[StoredProfile], bundle: Bundle, reasons: Reasons
) -> None:
    for profile in profiles[:20]:
        answer = explanation(profile, bundle.manifest, reasons)
        assert "changed_since" not in answer
        for output, about in answer["about"].items():
            assert sum(share["contribution"] for share in answer[output]) == pytest.approx(about["sum"], abs=1e-6)
            sizes = [abs(share["contribution"]) for share in answer[output]]
            assert sizes == sorted(sizes, reverse=True)
        first = answer["segment"][0]
        assert set(first) == {"feature", "value", "contribution", "text"}
        assert "; typical for " in first["text"]
        json.dumps(answer, allow_nan=False)


def test_explanation_tells_when_the_history_is_another_than_when_it_was_decided(
    profiles: list[StoredProfile], bundle: Bundle, reasons: Reasons
) -> None:
    decision = profiles[0].decision
    assert decision is not None
    other = replace(decision, predictions={name: value / 2 for name, value in decision.predictions.items()})
    answer = explanation(replace(profiles[0], decision=other), bundle.manifest, reasons)
    assert "has changed since" in answer["changed_since"]


def test_top_reasons_are_the_largest_shares_for_the_segment(
    profiles: list[StoredProfile], bundle: Bundle, reasons: Reasons
) -> None:
    for profile in profiles[:20]:
        top = top_reasons(profile, bundle.manifest, reasons)
        shares = explanation(profile, bundle.manifest, reasons)["segment"]
        assert top == sorted((s for s in shares if s["contribution"] > 0), key=lambda s: -s["contribution"])[:3]


def test_reasons_are_read_from_where_the_bundle_was_published(
    s3: "S3Client", model: Path, profiles: list[StoredProfile], bundle: Bundle
) -> None:
    explainer = Explainer(s3, BUCKET)
    assert "is not there" in explainer.explain(profiles[0], bundle.manifest)["problem"]
    assert "gone" in explainer.explain(profiles[0], {})["problem"]
    assert explainer.top(profiles[0], {}) == []
    s3.put_object(Bucket=BUCKET, Key=f"models/{bundle.bundle_id}/{FILE}", Body=(model / FILE).read_bytes())
    assert explainer.explain(profiles[0], bundle.manifest)["segment"]
    assert len(explainer.top(profiles[0], bundle.manifest)) == 3


def test_reasons_of_another_bundle_are_refused(model: Path, bundle: Bundle) -> None:
    content = (model / FILE).read_bytes()
    with pytest.raises(ReasonsMismatch, match="not the one that the manifest"):
        Reasons.from_bytes(content + b"x", bundle.manifest)
    with pytest.raises(ReasonsMismatch, match="was made for bundle"):
        Reasons.from_bytes(content, {**bundle.manifest, "bundle_id": "another"})


def of_the_release_before(model: Path, manifest: Any) -> tuple[bytes, Any]:
    """`reasons.npz` as it was written before it said what features mean, and the manifest that names it."""
    with np.load(model / FILE) as file:
        kept = {name: file[name] for name in file.files if name not in ("feature_definitions", "feature_set_hash")}
    written = io.BytesIO()
    np.savez_compressed(written, **kept)
    content = written.getvalue()
    manifest = {**manifest, "feature_set_hash": set_hash(RELEASED)}
    return content, {**manifest, "reasons": {"sha256": hashlib.sha256(content).hexdigest()}}


def test_reasons_of_the_release_before_explain_the_same_once_features_were_added(
    model: Path, bundle: Bundle, reasons: Reasons, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, manifest = of_the_release_before(model, bundle.manifest)
    later = Definition("parcels_30d", "Parcels", "parcels", 30)
    monkeypatch.setattr(shared.reasons.contributions, "KNOWN_DEFINITIONS", (later, *KNOWN_DEFINITIONS))
    old = Reasons.from_bytes(content, manifest)
    x = np.concatenate([[np.float32(7)], np.arange(len(KNOWN_DEFINITIONS), dtype=np.float32)])
    assert old.features == reasons.features == FEATURE_NAMES
    assert [KNOWN_DEFINITIONS[int(j)] for j in old.own(x)] == list(RELEASED)
    assert [KNOWN_DEFINITIONS[int(j)] for j in reasons.own(x[1:])] == list(DEFINITIONS)


def test_reasons_that_rest_on_a_feature_that_changed_are_refused_by_its_name(
    model: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed_one = [replace(known, unit="km") if known.name == "tenure" else known for known in KNOWN_DEFINITIONS]
    monkeypatch.setattr(shared.reasons.contributions, "KNOWN_DEFINITIONS", tuple(changed_one))
    for content, manifest in (
        ((model / FILE).read_bytes(), bundle.manifest),
        of_the_release_before(model, bundle.manifest),
    ):
        with pytest.raises(ReasonsMismatch, match=r"tenure: its unit changed$"):
            Reasons.from_bytes(content, manifest)


def unprepared(n: int) -> Preparation:
    """A preparation that leaves n features as they are."""
    none, one = np.zeros(n, np.float32), np.ones(n, np.float32)
    return Preparation(none, np.zeros(n, bool), -np.inf * one, np.inf * one, none, one)
