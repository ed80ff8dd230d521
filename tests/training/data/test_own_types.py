"""Types of the shop's own are told apart in training and are other activity everywhere else."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from shared.features.columns import OTHER, OWN_TYPES, PURCHASE
from tests.support.event_files import csv_file, ndjson, parquet, purchase
from training.data.events import read_events
from training.data.own_types import without_own_types

TYPES = ("purchase", "coupon_redeemed", "survey", "coupon_redeemed")
EVENTS = [
    purchase("ab"[i // 3], i, day=i + 1, event_type=kind, consent=True if i == 3 else None)
    for i, kind in enumerate(TYPES)
]
"""The last line takes the slower way that a consent does."""


@pytest.mark.parametrize(("ending", "write"), [("ndjson", ndjson), ("csv", csv_file), ("parquet", parquet)])
def test_files_of_every_format_tell_the_named_types_apart(tmp_path: Path, ending: str, write: object) -> None:
    (tmp_path / f"events.{ending}").write_bytes(write(EVENTS))  # type: ignore[operator]
    read = read_events([tmp_path], own_types=("coupon_redeemed", "other_type"))
    assert read.profiles.rows.kind.tolist() == [PURCHASE, OWN_TYPES, OTHER, OWN_TYPES]
    assert read.others == 1
    assert without_own_types(read.profiles).rows.kind.tolist() == [PURCHASE, OTHER, OTHER, OTHER]


def test_columns_of_parquet_tell_them_apart_too(tmp_path: Path) -> None:
    typed = [{**event, "timestamp": datetime(2017, 10, 1 + i)} for i, event in enumerate(EVENTS[:3])]
    for event in typed:
        del event["consent"]
    (tmp_path / "events.parquet").write_bytes(parquet(typed))
    own = ("coupon_redeemed", "x'); DROP TABLE events; --", "survey")
    read = read_events([tmp_path], own_types=own)
    assert read.profiles.rows.kind.tolist() == [PURCHASE, OWN_TYPES, OWN_TYPES + 2]


def test_they_stay_told_apart_where_a_visitor_becomes_a_customer(tmp_path: Path) -> None:
    visit = {name: value for name, value in EVENTS[1].items() if name != "customer_id"} | {"anonymous_id": "v"}
    (tmp_path / "events.ndjson").write_bytes(ndjson([purchase("a", 7, anonymous_id="v"), visit]))
    read = read_events([tmp_path], own_types=("coupon_redeemed",))
    assert sorted(read.profiles.rows.kind.tolist()) == [PURCHASE, OWN_TYPES]
    assert read.profiles.keys == ["customer#a"]


def test_which_of_two_lines_of_one_id_stands_does_not_hang_on_it(tmp_path: Path) -> None:
    for first, second in (("coupon_redeemed", "page_view"), ("page_view", "coupon_redeemed")):
        twice = [purchase("a", 1, event_type=kind, price=0) for kind in (first, second)]
        (tmp_path / "events.ndjson").write_bytes(ndjson(twice))
        kept = [
            without_own_types(read_events([tmp_path], own_types=own).profiles) for own in ((), ("coupon_redeemed",))
        ]
        np.testing.assert_array_equal(kept[0].rows.kind, kept[1].rows.kind)


def test_without_any_of_them_nothing_is_copied(tmp_path: Path) -> None:
    (tmp_path / "events.ndjson").write_bytes(ndjson(EVENTS))
    profiles = read_events([tmp_path]).profiles
    assert without_own_types(profiles) is profiles
