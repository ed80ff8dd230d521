"""What updates cost, by DynamoDB's published sizes."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.units import item_bytes, read_units, write_units
from bench.write_units import replay


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "Über"}, 5),
        ({"N": "1509494400001"}, 8),
        ({"N": "100"}, 2),
        ({"N": "-0.25"}, 3),
        ({"N": "1e-05"}, 2),
        ({"B": b"12345"}, 5),
        ({"BOOL": True}, 1),
        ({"L": [{"N": "7"}, {"S": "ab"}]}, 3 + 2 + 2 + 2),
        ({"M": {"ab": {"S": "cd"}}}, 3 + 1 + 2 + 2),
        ({"NS": ["7", "12"]}, 4),
    ],
)
def test_a_value_counts_as_the_guide_says(value: dict[str, Any], size: int) -> None:
    assert item_bytes({"name": value}) == 4 + size


def test_the_larger_of_before_and_after_is_charged() -> None:
    assert [write_units(0, 1), write_units(1_024, 1), write_units(1_025, 1), write_units(1, 5_000)] == [1, 1, 2, 5]
    assert [read_units(0), read_units(4_096), read_units(4_097)] == [1, 1, 2]


def test_a_replay_counts_updates_of_customers_who_were_there(tmp_path: Path) -> None:
    times = pd.date_range("2017-10-01T12:00:00Z", periods=4, freq="D")
    events = pd.DataFrame({"event_type": "purchase", "timestamp": times, "customer_id": ["a", "a", "b", "a"]})
    events.to_parquet(tmp_path / "events.parquet")
    facts = replay(tmp_path / "events.parquet", None)
    assert (facts["first writes"], facts["updates"], facts["items"]) == (2, 2, 2)
    assert facts["units to write"] == {"median": 1, "p99": 1, "mean": 1.0}
    assert facts["of that and indexes"]["mean"] == 1.0
