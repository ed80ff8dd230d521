"""Shops that are tiny or all alike are trained on or refused in our own words; no library's warning reaches anybody."""

import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.event_files import ndjson, purchase
from tests.support.shop import OPENED, Event, shop_events
from training import score, train

CONFIG = "threads = 1\ntrees = 20\nforest_trees = 5\nbootstraps = 1\nparity_rows = 0\nminimum_class_count = 20\n"


def bought(customer: int, days: range) -> list[Event]:
    """The same purchase of the only product, again and again."""
    times = [(OPENED + timedelta(days=day)).isoformat() for day in days]
    return [purchase(str(customer), day, timestamp=time, price=10.0) for day, time in zip(days, times, strict=True)]


def five_customers() -> list[Event]:
    return shop_events(5)


def a_regular_and_a_daily_one() -> list[Event]:
    return [*bought(1, range(300)), *bought(2, range(0, 300, 2))]


def two_kinds_of_twins() -> list[Event]:
    return [event for number in range(120) for event in bought(number, range(number % 2, 240 + number % 2 * 30, 80))]


def all_alike() -> list[Event]:
    return [event for number in range(120) for event in bought(number, range(0, 300, 30))]


def one_customer() -> list[Event]:
    return bought(1, range(300))


@pytest.mark.parametrize(
    ("shop", "options", "said"),
    [
        (five_customers, "minimum_customers = 2", "5 customers"),
        (a_regular_and_a_daily_one, "minimum_customers = 2\nfewest_segments = 2", "2 customers"),
        (two_kinds_of_twins, "", "error: the customers are of only 2 kinds; 4 are needed for segments"),
        (all_alike, "", "error: every feature is the same for all customers, so there is nothing to segment"),
        (one_customer, "", "error: only 1 customers have events"),
        (one_customer, "minimum_customers = 1", "error: 1 customers cannot be segmented"),
    ],
    ids=lambda of: getattr(of, "__name__", ""),
)
def test_an_odd_shop_is_trained_on_or_refused_without_a_library_s_word(
    shop: Callable[[], list[Event]], options: str, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    events = tmp_path / "events.ndjson"
    config = tmp_path / "config.toml"
    events.write_bytes(ndjson(shop()))
    config.write_text(CONFIG + options)
    model = str(tmp_path / "model")
    given = ["--events", str(events)]
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        status = train.main([*given, "--out", model, "--config", str(config)])
        if status == 0:
            out = str(tmp_path / "scores.parquet")
            assert score.main([*given, "--model", model, "--as-of", "2024-10-01", "--out", out]) == 0
    assert [str(warning.message) for warning in shown] == []
    output, errors = capfd.readouterr()
    assert said in output + errors
    assert status == (2 if said.startswith("error") else 0)
    assert not [line for line in (output + errors).splitlines() if "warning" in line.lower()]
    assert not [line for line in errors.splitlines() if "━" not in line and not line.startswith("error: ")]
