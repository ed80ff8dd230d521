"""The check of features on whole datasets runs for every kind of timestamp, and sees what differs."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from shared.features import FEATURE_NAMES, features
from training import check_features
from training.check_features import check


def dataset(path: Path, stamped: str) -> Path:
    """Orders of some days around a change of clocks."""
    random = np.random.default_rng(3)
    number = 400
    at = pd.Series(pd.Timestamp("2017-10-30") + pd.to_timedelta(random.integers(0, 10 * 24 * 60, number), unit="min"))
    timestamp: Any = {
        "naive": at,
        "in another zone": at.dt.tz_localize("UTC").dt.tz_convert("Asia/Kolkata"),
        "text": at.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }[stamped]
    frame = pd.DataFrame(
        {
            "event_id": [f"e{i}" for i in range(number)],
            "event_type": random.choice(["purchase", "view_item", "page_view"], number),
            "timestamp": timestamp,
            "customer_id": random.choice([f"c{i}" for i in range(12)], number),
            "session_id": random.choice([f"s{i}" for i in range(80)], number),
            "category": random.choice(["Bread", "Milk", "Tea"], number),
            "quantity": random.integers(1, 4, number).astype(float),
            "price": (random.integers(1, 90, number) / 3).round(6),
        }
    )
    # Rows that are refused, of which the oracle is not to know either.
    frame.loc[[0, 7, number - 1], "quantity"] = 0.0
    frame.to_parquet(path / "events.parquet", index=False)
    return path / "events.parquet"


@pytest.mark.parametrize(
    ("stamped", "zone"),
    [("naive", "America/New_York"), ("in another zone", "Pacific/Apia"), ("text", "America/New_York")],
)
def test_nothing_differs_whatever_times_are_written_as(tmp_path: Path, stamped: str, zone: str) -> None:
    parity = check(dataset(tmp_path, stamped), 1, zone)
    assert (parity.events, parity.customers, parity.changed_states) == (397, 12, 0)
    assert parity.values == 12 * 4 * len(FEATURE_NAMES) and parity.differing == {}


def test_what_differs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def off_by_one(*given: Any) -> Any:
        matrix: Any = features(*given)
        matrix[:, FEATURE_NAMES.index("orders_365d")] += 1
        return matrix

    monkeypatch.setattr(check_features, "features", off_by_one)
    assert check(dataset(tmp_path, "naive"), 1).differing == {"orders_365d": 48}
    assert check_features.main([str(tmp_path / "events.parquet"), "--workers", "1"]) == 1
