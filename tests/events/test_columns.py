"""Events as columns: amounts in whole units, codes that stand for texts, fingerprints that tell events apart."""

import numpy as np
import pytest

from shared.events.columns import add_name, concatenated, event_fingerprints, text_codes, to_columns, whole
from shared.events.event import Event
from shared.events.texts import Texts
from shared.features.codec import category_hash
from shared.features.columns import CHANNELS, DEVICES, EVENT_TYPES

ORDER = Event("purchase", 1.0, event_id="a", category="Tea", device="TABLET", channel="cpc", discount=1.5)
LOOK = Event("survey", 1.0, event_id="b", category="Tea", discount=1.5, engagement_seconds=0.25)


def test_amounts_count_for_orders_and_refunds_alone() -> None:
    rows = to_columns([ORDER, LOOK], ["a", "a"], [1_000, 2_000], [80_000, 70_000]).rows
    assert (rows.net.tolist(), rows.discount.tolist()) == ([80_000, 0], [15_000, 0])
    assert rows.engagement_ms.tolist() == [0, 250]


def test_names_become_codes() -> None:
    columns = to_columns([ORDER, LOOK], ["a", "a"], [1_000, 2_000], [0, 0])
    assert [EVENT_TYPES[code] for code in columns.rows.kind] == ["purchase", "other"]
    assert [DEVICES[code] for code in columns.rows.device] == ["tablet", "unknown"]
    assert [CHANNELS[code] for code in columns.rows.channel] == ["advertising", "unknown"]
    assert columns.category_names == {category_hash("Tea"): "Tea"}


def test_profiles_are_numbered_as_they_come() -> None:
    columns = to_columns([LOOK] * 3, ["b", "a", "b"], [1, 2, 3], [0, 0, 0])
    assert (columns.keys, columns.profile.tolist()) == (["b", "a"], [0, 1, 0])
    assert len(to_columns([], [], [], [])) == 0


def test_parts_that_are_joined_share_their_profiles() -> None:
    one = to_columns([LOOK, LOOK], ["b", "a"], [1, 2], [0, 0])
    both = concatenated([one, to_columns([ORDER], ["a"], [3], [0]), concatenated([])])
    assert (both.keys, both.profile.tolist(), both.rows.time_ms.tolist()) == (["b", "a"], [0, 1, 1], [1, 2, 3])


def test_of_two_names_with_one_code_the_smaller_stands() -> None:
    names = {category_hash("Tea"): "Zebra"}
    assert add_name(names, "Tea") == category_hash("Tea")
    assert (names, add_name(names, "")) == ({category_hash("Tea"): "Tea"}, 0)


def test_amounts_are_rounded_to_whole_units() -> None:
    assert whole(np.array([0.00005, 1.00015, 2.5]), 10_000).tolist() == [round(0.5), round(1.00015 * 10_000), 25_000]


@pytest.mark.parametrize("form", ["{}", "cj-{}", "{:08x}-0000-4000-8000-0123456789ab", "order/{}/0", "é{:07}"])
def test_fingerprints_of_ids_that_count_up_collide_no_more_than_random_ones(form: str) -> None:
    n = 400_000
    fingerprints = event_fingerprints(Texts.of([form.format(i) for i in range(n)]))
    # Of 2**32 values 19 pairs are expected to be equal, of 2**40 none.
    low, high = fingerprints & np.uint64(2**32 - 1), fingerprints >> np.uint64(8)
    assert n - len(np.unique(fingerprints)) < 3
    assert all(3 < n - len(np.unique(part)) < 45 for part in (low, high))
    shares = [np.mean(fingerprints >> np.uint64(bit) & np.uint64(1)) for bit in range(40)]
    np.testing.assert_allclose(shares, 0.5, atol=0.005)


def test_one_changed_bit_changes_half_of_the_bits() -> None:
    ids = [f"event-{i:09}" for i in range(20_000)]
    before = event_fingerprints(Texts.of(ids))
    for at in range(len(ids[0])):
        changed = [f"{id_[:at]}{chr(ord(id_[at]) ^ 1)}{id_[at + 1 :]}" for id_ in ids]
        flipped = np.bitwise_count(before ^ event_fingerprints(Texts.of(changed)))
        assert flipped.mean() == pytest.approx(20, abs=0.2)


def test_only_no_text_has_the_code_of_none() -> None:
    codes = text_codes(Texts.of(["", *map(str, range(1_000))]))
    assert codes[0] == 0
    assert codes[1:].all()
