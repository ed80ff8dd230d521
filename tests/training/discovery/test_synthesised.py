"""What FeatureTools is given and what comes back."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from shared.durations import DAY_MS
from shared.features import Profiles
from shared.features.history import History
from training.base.errors import InputError
from training.data.events import read_events
from training.discovery import synthesised
from training.discovery.candidates import KINDS, SINCE
from training.discovery.synthesised import OWN_PYTHON, Engine, sampled, steps, synthesise
from training.simulator import write


def needs_featuretools() -> None:
    if not OWN_PYTHON.exists():
        pytest.skip("FeatureTools is in an environment of its own, which `make featuretools` makes")


@cache
def some_profiles() -> Profiles:
    """Of 25 customers of the simulated shop."""
    with TemporaryDirectory() as folder:
        write(Path(folder), 25)
        return read_events([Path(folder) / "events"]).profiles


def test_its_values_are_those_of_our_formulas() -> None:
    needs_featuretools()
    profiles = some_profiles()
    cutoff = int(np.quantile(profiles.rows.time_ms, 0.8))
    seen: list[float] = []
    made = synthesise(
        profiles, np.arange(25), [cutoff], {"product": 7}, Engine(), lambda amount, _: seen.append(amount)
    )
    assert len(seen) == steps()
    history = History(profiles, cutoff)
    assert {one.measure for one in made.candidates} == {*KINDS, SINCE}
    assert {one.days for one in made.candidates} == {30, 90, 365, None}
    assert {one.value for one in made.candidates if one.column == "product"} == {7}
    assert len({*made.candidates}) == len(made.candidates) > 100
    for candidate, theirs in zip(made.candidates, made.values[cutoff].T, strict=True):
        feature = candidate.feature(profiles.category_names)
        ours = feature.formula(history, feature.window_days)
        scale = DAY_MS / 1_000 if candidate.measure == SINCE else 1.0
        np.testing.assert_allclose(theirs / scale, ours, rtol=1e-6, atol=1e-9, err_msg=str(candidate))


def test_customers_are_drawn_by_lot_and_as_many_as_have_no_more_events_than_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    profiles = some_profiles()
    assert sampled(profiles, 100, 7).tolist() == list(range(25))
    assert len(sampled(profiles, 10, 7)) == 10
    assert sampled(profiles, 10, 7).tolist() != sampled(profiles, 10, 8).tolist()
    monkeypatch.setattr(synthesised, "MOST_EVENTS", 500)
    assert 0 < profiles.event_counts[sampled(profiles, 100, 7)].sum() <= 500


def run(python: Path, most_seconds: float = 30) -> None:
    profiles = some_profiles()
    engine = Engine(python, most_seconds)
    synthesise(profiles, np.arange(25), [int(profiles.rows.time_ms.max())], {}, engine, lambda *_: None)


def script(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_without_its_environment_it_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="make featuretools"):
        run(tmp_path / "python")


def test_what_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="more than 1 seconds: ask for fewer --customers"):
        run(script(tmp_path, "exec sleep 60"), most_seconds=1)


def test_what_breaks_off_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="broke off: MemoryError"):
        run(script(tmp_path, "echo MemoryError >&2; exit 1"))
