"""What a customer may do, told with the bundle that decided; tests/reasons/test_acting.py holds it to be true."""

from dataclasses import replace
from typing import Any

import pytest

from shared.clock import Moment
from shared.intake.ingest import ingest
from shared.models.bundle import Bundle
from shared.profiles.stored_profile import StoredProfile
from shared.reasons.adviser import Adviser
from shared.reasons.explaining import DAMAGED, NEWER
from tests.conftest import BUCKET
from tests.simulation.objects import Objects
from tests.support.bundles import make_bundle
from tests.support.event_files import profiles, purchase
from tests.support.memory_client import Client
from tests.support.memory_table import MemoryTable

ONNX, MANIFEST = make_bundle(feature="visits_30d", centroids=(0.0, 1.0, 3.0))
NOW = Moment(1_509_494_400_000, 1_509_494_400_000)


@pytest.fixture
def s3() -> Any:
    return Client(Objects(lambda: 0))


@pytest.fixture
def published(s3: Any) -> Any:
    s3.put_object(Bucket=BUCKET, Key=f"models/{MANIFEST['bundle_id']}/bundle.onnx", Body=ONNX)
    return s3


@pytest.fixture
def profile() -> StoredProfile:
    table = MemoryTable()
    ingest(profiles(purchase("a", day=20)), table, Bundle.from_files(ONNX, MANIFEST), NOW)
    return table.all()["customer#a"]


def test_the_bundle_is_read_from_where_it_was_published(published: Any, profile: StoredProfile) -> None:
    assert [*Adviser(published, BUCKET).advise(profile, MANIFEST)] == ["changes"]


def test_segments_have_the_names_of_now(published: Any, profile: StoredProfile) -> None:
    spends = zip(MANIFEST["segments"], (10.0, 20.0, 30.0), strict=True)
    named = [{**entry, "name": "Regulars", "profile": {"net_revenue_365d": spend}} for entry, spend in spends]
    adviser = Adviser(published, BUCKET)
    adviser.advise(profile, MANIFEST)
    changes = adviser.advise(profile, {**MANIFEST, "segments": named})["changes"]
    assert {change["name"] for change in changes} == {"Regulars"}


def test_a_bundle_that_is_gone_is_the_problem(s3: Any, profile: StoredProfile) -> None:
    assert "is gone" in Adviser(s3, BUCKET).advise(profile, {})["problem"]
    assert "is not there" in Adviser(s3, BUCKET).advise(profile, MANIFEST)["problem"]


@pytest.mark.parametrize(("state", "problem"), [(b"\x09\x00", NEWER), (b"\x02", DAMAGED)])
def test_a_history_that_cannot_be_read_is_the_problem(
    published: Any, profile: StoredProfile, state: bytes, problem: str
) -> None:
    assert Adviser(published, BUCKET).advise(replace(profile, state=state), MANIFEST) == {"problem": problem}
