import msgspec
import numpy as np
import pytest

from shared.drift.measures import CAME, SEGMENT, TYPES
from shared.drift.reference import (
    FORMAT,
    MOST_BYTES,
    OTHERS,
    BrokenReference,
    Measure,
    Reference,
    from_bytes,
    observed,
    to_bytes,
    tonight,
)
from shared.durations import DAY_MS
from shared.features import until
from shared.models.bundle import Bundle
from tests.drift.shops import OPENED_MS, Shop
from tests.support.bundles import make_bundle

HISTORY = 100
AS_OF_MS = OPENED_MS + HISTORY * DAY_MS
BUNDLE = Bundle.from_files(*make_bundle())


@pytest.fixture(scope="module")
def known() -> Reference:
    profiles = until(Shop(200, 1, HISTORY).events(), AS_OF_MS)
    return observed(profiles.take(np.flatnonzero(profiles.event_counts > 0)), BUNDLE, AS_OF_MS, 1)


def test_every_measure_has_its_histograms_as_far_back_as_events_go(known: Reference) -> None:
    assert {TYPES, CAME, SEGMENT, "prediction/churn_probability", "feature/tenure"} <= known.measures.keys()
    assert max(known.measures["feature/tenure"].days_ago) <= HISTORY - 28
    assert max(known.measures[TYPES].days_ago) < HISTORY
    for measure in known.measures.values():
        assert measure.matrix.shape == (len(measure.days_ago), measure.bins)
        assert measure.bins <= 22


def test_it_reads_as_it_was_written(known: Reference) -> None:
    assert from_bytes(to_bytes(known)) == known


def test_a_night_at_the_instant_of_training_is_the_first_histogram(known: Reference) -> None:
    profiles = until(Shop(200, 1, HISTORY).events(), AS_OF_MS)
    counts = tonight(known, profiles, BUNDLE, AS_OF_MS)
    assert counts.keys() == known.measures.keys()
    for name, measure in known.measures.items():
        assert counts[name].tolist() == measure.counts[0], name


def test_what_many_have_alike_is_a_bin_of_its_own_and_what_is_undefined_the_last() -> None:
    measure = Measure([], [], edges=[float(np.nextafter(0, -1)), 0.0, 5.0])
    assert measure.histogram(np.array([-1.0, 0.0, 0.0, 3.0, 6.0, np.nan])).tolist() == [1, 2, 1, 1, 1]


def test_a_kind_that_training_did_not_know_is_among_the_others() -> None:
    measure = Measure([], [], labels=["a", OTHERS])
    assert measure.histogram(np.array([0.0, 1.0, 1.0]), ("a", "new")).tolist() == [1, 2]


@pytest.mark.parametrize(
    "measure",
    [
        Measure([0], [[1, 2]], edges=[1.0]),
        Measure([0, 1], [[1, 2, 3]], edges=[1.0]),
        Measure([0], [[1, -2, 3]], edges=[1.0]),
        Measure([0], [[1, 2, 3, 4]], edges=[2.0, 1.0]),
        Measure([0], [[1]], edges=[1.0], labels=["a"]),
        Measure([0], [[]], labels=[]),
        Measure([-1], [[1]], labels=["a"]),
        Measure([0], [[2**60]], labels=["a"]),
        Measure([0], [[1]]),
    ],
)
def test_a_reference_whose_parts_do_not_fit_is_refused(measure: Measure) -> None:
    body = msgspec.json.encode(Reference(FORMAT, "b", 0, {"m": measure}))
    with pytest.raises(BrokenReference):
        from_bytes(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'{"bundle_id": "\xe3om"}',
        b'{"format": 9, "bundle_id": "", "as_of_ms": 0, "measures": {}}',
    ],
)
def test_bytes_of_anything_else_are_refused(body: bytes) -> None:
    with pytest.raises(BrokenReference):
        from_bytes(body)


def test_a_reference_that_is_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(BrokenReference, match="bytes"):
        from_bytes(b"[" * (MOST_BYTES + 1))
