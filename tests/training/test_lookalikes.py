"""Customers like a given one."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from shared.features import FEATURES, features
from tests.training.conftest import Shop
from training import lookalikes
from training.base.config import Config
from training.segmentation.segments import fit_segments


def test_the_nearest_in_the_space_of_the_segments_are_found_nearest_first(
    shop: Shop, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [key.split("#", 1)[1] for key in shop.profiles.keys]
    X = features(shop.profiles, int(shop.profiles.rows.time_ms.max()) + 1)
    segmentation = fit_segments(X, Config.load(shop.config), FEATURES)
    points = segmentation.components(X)
    apart = cdist(points[5:6], points)[0]
    wanted = [ids[i] for i in np.argsort(apart) if i != 5][:7]

    arguments = ["--events", str(shop.file), "--model", str(model), "--customer", ids[5], "--count", "7"]
    assert lookalikes.main(arguments) == 0
    first, *lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert first.startswith(f"{ids[5]}: ")
    assert [line.split()[0] for line in lines] == wanted
    assert [float(line.split()[1]) for line in lines] == pytest.approx(np.sort(apart)[1:8].tolist(), abs=1e-3)


def test_chunks_do_not_change_what_is_found(
    shop: Shop, model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = shop.profiles.keys[0].split("#", 1)[1]
    arguments = ["--events", str(shop.file), "--model", str(model), "--customer", customer, "--as-of", "2024-08-01"]
    assert lookalikes.main(arguments) == 0
    whole = capsys.readouterr().out
    monkeypatch.setattr(lookalikes, "CHUNK", 7)
    assert lookalikes.main(arguments) == 0
    assert capsys.readouterr().out == whole
    assert whole.count("\n") == 11


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--customer", "nobody"], 'there is no customer "nobody" with an event before'),
        (["--customer", "c0", "--count", "0"], "--count must be at least 1"),
        (["--customer", "c0", "--as-of", "soon"], '"soon" is not a time'),
    ],
)
def test_bad_input_is_answered_with_one_line_and_status_2(
    shop: Shop, model: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert lookalikes.main(["--events", str(shop.file), "--model", str(model), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
