"""A bundle names the features it needs and what they are: it runs under every code that computes them as they were."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.durations import DAY_MS
from shared.features import DEFINITIONS, FEATURE_NAMES, FEATURE_SET_HASH, KNOWN_DEFINITIONS, features
from shared.features.definitions import Definition, FeaturesChanged, columns, needed, set_hash, to_json
from shared.features.released import RELEASED
from shared.models import bundle as module
from shared.models.bundle import Bundle, BundleMismatch
from tests.support.bundles import make_bundle
from tests.support.event_files import profiles, purchase

OF_THE_RELEASE_BEFORE = {"feature_definitions": ""}
CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "description": ({"description": "Days since the last parcel"}, "its meaning changed"),
    "unit": ({"unit": "hours"}, "its unit changed"),
    "window": ({"window_days": 30}, "its window changed"),
    "formula": ({"revision": 2}, "its formula changed"),
}


def changed(name: str, **parts: Any) -> tuple[Definition, ...]:
    """What the code computes, with one feature changed."""
    return tuple(replace(known, **parts) if known.name == name else known for known in KNOWN_DEFINITIONS)


@given(st.permutations(DEFINITIONS), st.integers(1, len(DEFINITIONS)))
def test_columns_are_taken_by_name_in_the_bundles_order(shuffled: list[Definition], how_many: int) -> None:
    at = columns(shuffled[:how_many], DEFINITIONS)
    assert [FEATURE_NAMES[i] for i in at] == [definition.name for definition in shuffled[:how_many]]


@pytest.mark.parametrize("feature", ["orders_365d", "tenure"])
def test_a_bundle_that_needs_fewer_features_in_another_order_decides_the_same(feature: str) -> None:
    X = np.random.default_rng(1).normal(3, 4, (700, len(FEATURE_NAMES))).astype(np.float32)
    X[::7] = np.nan
    some = [
        definition for definition in reversed(DEFINITIONS) if definition.name in (feature, "visits_7d", "views_30d")
    ]
    whole, part = (Bundle.from_files(*make_bundle(feature=feature, definitions=needs)) for needs in (DEFINITIONS, some))
    assert part.features == tuple(definition.name for definition in some)
    for mine, theirs in zip(vars(whole.decide(X)).values(), vars(part.decide(X)).values(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(part.own(part.spread(part.own(X))), part.own(X))


def test_a_feature_that_came_later_refuses_no_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    later = Definition("parcels_30d", "Parcels", "parcels", 30)
    old = make_bundle(metadata=OF_THE_RELEASE_BEFORE, definitions=RELEASED)
    monkeypatch.setattr(module, "KNOWN_DEFINITIONS", (later, *KNOWN_DEFINITIONS))
    X = np.zeros((1, len(KNOWN_DEFINITIONS) + 1), np.float32)
    X[0, 1 + FEATURE_NAMES.index("orders_365d")] = 9
    assert Bundle.from_files(*old).decide(X).segment.tolist() == [2]


def test_a_bundle_goes_on_with_what_its_features_were_when_it_was_trained() -> None:
    saturday = int(datetime(2017, 10, 7, 12, tzinfo=UTC).timestamp() * 1_000)
    customers = profiles(purchase("once", day=7), *(purchase("often", n, day=7 * n) for n in (1, 2, 3)))
    as_of_ms = saturday + 30 * DAY_MS
    old, new = (
        Bundle.from_files(
            *make_bundle(feature="weekend_share_365d", centroids=(0.0, 1.0), metadata=metadata, definitions=definitions)
        )
        for metadata, definitions in ((OF_THE_RELEASE_BEFORE, RELEASED), ({}, DEFINITIONS))
    )
    assert old.decide(old.features_at(customers, as_of_ms)).segment.tolist() == [1, 1]
    assert new.decide(new.features_at(customers, as_of_ms)).segment.tolist() == [1, 0]
    assert new.features_at(customers, as_of_ms).shape == (2, len(FEATURE_NAMES))
    np.testing.assert_array_equal(new.features_at(customers, as_of_ms), features(customers, as_of_ms))


@pytest.mark.parametrize(
    ("metadata", "definitions"),
    [({}, DEFINITIONS), (OF_THE_RELEASE_BEFORE, RELEASED)],
    ids=["bundle of now", "bundle of the release before"],
)
@pytest.mark.parametrize(("parts", "message"), CHANGES.values(), ids=CHANGES)
def test_what_really_changed_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
    metadata: dict[str, str],
    definitions: tuple[Definition, ...],
    parts: dict[str, Any],
    message: str,
) -> None:
    bundle = make_bundle(metadata=metadata, definitions=definitions)
    monkeypatch.setattr(module, "KNOWN_DEFINITIONS", changed("days_since_order", **parts))
    with pytest.raises(BundleMismatch, match=f": days_since_order: {message}$"):
        Bundle.from_files(*bundle)
    without = [definition for definition in DEFINITIONS if definition.name != "days_since_order"]
    assert Bundle.from_files(*make_bundle(definitions=without)).bundle_id


def test_every_feature_that_is_not_what_it_was_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = make_bundle()
    left = tuple(replace(known, unit="parsecs") if known.name == "tenure" else known for known in KNOWN_DEFINITIONS[1:])
    monkeypatch.setattr(module, "KNOWN_DEFINITIONS", left)
    named = f"{FEATURE_NAMES[0]}: this code does not compute it; tenure: its unit changed$"
    with pytest.raises(BundleMismatch, match=named):
        Bundle.from_files(*bundle)


def test_the_record_of_the_release_before_is_what_its_bundles_were_hashed_by() -> None:
    assert set_hash(RELEASED) == "1b9e64771efb0184"


def test_the_release_before_knows_a_bundle_of_now_as_long_as_no_feature_changed() -> None:
    assert (set_hash(RELEASED) == FEATURE_SET_HASH) == (DEFINITIONS == RELEASED)


def test_no_two_definitions_have_one_hash() -> None:
    variants = [DEFINITIONS[0], *(replace(DEFINITIONS[0], **parts) for parts, _ in CHANGES.values())]
    assert all(one.hash != other.hash and one.changes(other) for one, other in combinations(variants, 2))
    assert len({set_hash([variant, *DEFINITIONS[1:]]) for variant in variants}) == len(variants)


@given(st.lists(st.sampled_from(DEFINITIONS), unique=True))
def test_what_a_bundle_carries_comes_back(definitions: list[Definition]) -> None:
    assert needed(make_metadata(definitions)) == tuple(definitions)


@given(
    st.sampled_from(["feature_names", "feature_definitions", "feature_set_hash"]),
    st.one_of(
        st.text(),
        st.recursive(
            st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
        ).map(repr),
    ),
)
def test_whatever_else_stands_there_is_refused(part: str, text: str) -> None:
    with pytest.raises(FeaturesChanged):
        needed({**make_metadata(DEFINITIONS), part: text})


def make_metadata(definitions: Sequence[Definition]) -> dict[str, str]:
    return {
        "feature_names": json.dumps([definition.name for definition in definitions]),
        "feature_definitions": to_json(definitions),
        "feature_set_hash": set_hash(definitions),
    }
