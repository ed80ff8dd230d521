"""The latest slice is kept as it is, and known by its content."""

from pathlib import Path

import numpy as np

from training.prediction import holdout
from training.prediction.holdout import Holdout


def rows(seed: int = 1) -> Holdout:
    random = np.random.default_rng(seed)
    return Holdout(random.random((9, 2)).astype(np.float32), random.random(9), random.random(9))


def test_what_is_saved_is_loaded_by_the_name_of_its_target(tmp_path: Path) -> None:
    kept = {"churn": rows(1), "ltv": rows(2)}
    holdout.save(tmp_path, kept)
    loaded = holdout.load(tmp_path)
    assert list(loaded) == ["churn", "ltv"]
    for name, one in kept.items():
        for part in ("X", "y", "predicted"):
            np.testing.assert_array_equal(getattr(loaded[name], part), getattr(one, part))


def test_the_digest_is_of_rows_and_outcomes_and_of_nothing_else() -> None:
    one = rows()
    assert one.digest() == Holdout(one.X, one.y, one.predicted + 1).digest()
    assert one.digest() != Holdout(one.X, one.y + 1, one.predicted).digest()
    assert one.digest() != Holdout(one.X + 1, one.y, one.predicted).digest()
