"""Decisions put into words, of reasons made by hand; those of a trained bundle are in tests/training/bundle."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from shared.clock import Moment
from shared.features import FEATURE_NAMES
from shared.intake.ingest import ingest
from shared.models.bundle import Bundle
from shared.profiles.stored_profile import StoredProfile
from shared.reasons.contributions import Reasons
from shared.reasons.explaining import DAMAGED, NEWER, Explainer, explanation, top_reasons
from shared.reasons.nearest import Nearest, Preparation
from tests.conftest import BUCKET
from tests.simulation.objects import Objects
from tests.support.bundles import make_bundle
from tests.support.event_files import profiles, purchase
from tests.support.memory_client import Client
from tests.support.memory_table import MemoryTable

ONNX, MANIFEST = make_bundle()
NOW = Moment(1_509_494_400_000, 1_509_494_400_000)
USED = ("orders_365d", "days_since_order")


@pytest.fixture(scope="module")
def profile() -> StoredProfile:
    table = MemoryTable()
    orders = [purchase("a", n, day=1 + n) for n in range(3)]
    ingest(profiles(*orders), table, Bundle.from_files(ONNX, MANIFEST), NOW)
    return table.all()["customer#a"]


@pytest.fixture(scope="module")
def reasons() -> Reasons:
    """Of a bundle that takes three orders for segment 1, and eleven for segment 0."""
    zeros = np.zeros(2, np.float32)
    same = Preparation(zeros, np.zeros(2, bool), zeros - np.inf, zeros + np.inf, zeros, zeros + 1)
    component, prototypes = np.array([[1.0], [0.0]]), np.array([[11.0], [3.0]])
    nearest = Nearest(same, component, np.zeros(2), prototypes, np.array([0, 1]))
    return Reasons(USED, [FEATURE_NAMES.index(name) for name in USED], nearest, {})


def test_shares_come_with_values_and_words_and_those_of_nothing_are_left_out(
    profile: StoredProfile, reasons: Reasons
) -> None:
    shown = explanation(profile, MANIFEST, reasons)
    [share] = shown["segment"]
    assert (share["feature"], share["value"], share["contribution"]) == ("orders_365d", 3.0, 8.0)
    assert share["text"].startswith("orders in the last 365 days: 3")
    assert shown["about"]["segment"] == {"scale": "distance", "nearer_than": 0, "sum": 8.0}


def test_every_prediction_of_the_decision_has_its_list(profile: StoredProfile, reasons: Reasons) -> None:
    assert explanation(profile, MANIFEST, reasons)["churn_probability"] == []


def test_the_strongest_reasons_speak_for_the_segment(profile: StoredProfile, reasons: Reasons) -> None:
    assert [share["feature"] for share in top_reasons(profile, MANIFEST, reasons)] == ["orders_365d"]
    assert top_reasons(profile, MANIFEST, reasons, most=0) == []


def test_another_segment_than_the_history_leads_to_is_told(profile: StoredProfile, reasons: Reasons) -> None:
    assert profile.decision
    other = replace(profile, decision=replace(profile.decision, segment=0, runner_up=1))
    assert "changed_since" in explanation(other, MANIFEST, reasons)
    assert "changed_since" not in explanation(profile, MANIFEST, reasons)


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        ({}, "is gone"),
        ({"bundle_id": "one"}, "was published without reasons.npz"),
        ({"bundle_id": "one", "reasons": {"sha256": ""}}, "models/one/reasons.npz is not there"),
    ],
)
def test_without_its_reasons_a_bundle_is_the_problem(
    profile: StoredProfile, manifest: dict[str, Any], problem: str
) -> None:
    s3: Any = Client(Objects(lambda: 0))
    assert problem in Explainer(s3, BUCKET).explain(profile, manifest)["problem"]
    assert Explainer(s3, BUCKET).top(profile, manifest) == []


@pytest.mark.parametrize(("state", "problem"), [(b"\x09\x00", NEWER), (b"\x02", DAMAGED)])
def test_a_history_that_cannot_be_read_is_the_problem(
    profile: StoredProfile, reasons: Reasons, state: bytes, problem: str
) -> None:
    s3: Any = Client(Objects(lambda: 0))
    explainer = Explainer(s3, BUCKET, read=lambda _content, _manifest: reasons)
    s3.put_object(Bucket=BUCKET, Key="models/one/reasons.npz", Body=b"reasons")
    manifest = {**MANIFEST, "bundle_id": "one", "reasons": {"sha256": ""}}
    assert explainer.explain(replace(profile, state=state), manifest) == {"problem": problem}
