"""Demand of event files, offline."""

import json
from pathlib import Path

import numpy as np
import pytest

from shared.durations import WEEK_MS
from shared.features import PURCHASE
from shared.models.bundle import Bundle
from tests.training.conftest import Shop
from training.demand import main, sales


def test_everything_bought_in_whole_weeks_is_of_one_segment_and_category(shop: Shop, model: Path) -> None:
    profiles = shop.profiles
    as_of_ms = int(profiles.rows.time_ms.max()) + 1
    weekly = sales(profiles, Bundle.load(model), as_of_ms, "lines")
    weeks = weekly.bought.shape[2]
    assert weekly.customers.shape == (len(weekly.segments), weeks + 1)
    assert weekly.customers[:, -1].sum() == len(profiles)
    rows = profiles.rows
    begin_ms = as_of_ms - weeks * WEEK_MS
    week = (rows.time_ms - begin_ms) // WEEK_MS
    # Whoever comes for the first time has no segment yet when the week begins.
    known = profiles.first_event_ms[profiles.owner] < begin_ms + week * WEEK_MS
    counted = (rows.kind == PURCHASE) & (week >= 0) & known
    np.testing.assert_array_equal(weekly.bought.sum(axis=(0, 1)), np.bincount(week[counted], minlength=weeks))


@pytest.mark.parametrize("of", ["lines", "amount"])
def test_it_says_how_far_off_both_forecasts_were(
    shop: Shop, model: Path, capsys: pytest.CaptureFixture[str], of: str
) -> None:
    arguments = ["--events", str(shop.file), "--model", str(model), "--of", of]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert main([*arguments, "--json"]) == 0
    forecast = json.loads(capsys.readouterr().out)
    if forecast["state"] == "forecast":
        assert f"{forecast['errors']['rates']['mean_absolute_percentage']:.1%}" in said
    else:
        assert said.startswith("not enough data: ")


def test_less_than_a_week_is_no_demand(shop: Shop, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = min(event["timestamp"] for event in shop.events)
    assert main(["--events", str(shop.file), "--model", str(model), "--as-of", str(first)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
