"""A model that others made is judged on our rows, proven, explained, and takes the place of a target's own."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.features import FEATURE_NAMES
from shared.models.bundle import Bundle
from shared.reasons.contributions import FILE, Reasons
from tests.training.adoption.models import known, lightgbm_model, linear_model, network_model, pycaret, written
from tests.training.conftest import Shop
from training import adopt, table
from training.adoption.foreign import Foreign
from training.base.config import Config
from training.base.errors import InputError
from training.bundle import gate
from training.prediction.holdout import load

MAKERS = {"trees": lightgbm_model, "linear": linear_model, "sampled": network_model}


@pytest.fixture(scope="module")
def rows(shop: Shop) -> tuple[Any, Any]:
    return known(table.make([shop.file], None, Config()), "churn")


@pytest.fixture(scope="module", params=MAKERS)
def adopted(request: Any, rows: tuple[Any, Any], model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that adopted a model of each kind."""
    folder = tmp_path_factory.mktemp("adopted")
    path = written(folder, MAKERS[request.param](*rows))
    out: Path = folder / request.param
    given = [f"churn={path}", "--model", str(model), "--out", str(out), "--force-reason", "a test"]
    assert adopt.main(given) == 0
    return out


def test_it_passes_the_gate_and_decides_as_whoever_made_it_meant(adopted: Path, model: Path) -> None:
    bundle, parity = gate.run(adopted)
    assert parity.differences["churn_probability"] < 1e-5
    before = Bundle.load(model)
    X = load(model)["churn"].X
    here, there = bundle.decide(X), before.decide(X)
    for name in ("conversion_probability", "expected_ltv"):
        np.testing.assert_array_equal(here.predictions[name], there.predictions[name])
    np.testing.assert_array_equal(here.segment, there.segment)
    assert not np.array_equal(here.predictions["churn_probability"], there.predictions["churn_probability"])
    assert bundle.bundle_id != before.bundle_id


def test_it_is_told_in_the_manifest_the_leaderboard_and_the_report(adopted: Path, model: Path) -> None:
    about = json.loads((adopted / "manifest.json").read_text())["targets"]["churn"]
    before = json.loads((model / "manifest.json").read_text())["targets"]["churn"]
    assert about["model"] == "adopted: model.onnx" and about["adopted"]["explained"] == adopted.name
    assert about["adopted"]["force_reason"] == "a test"
    assert about["adopted"]["instead_of"]["log_loss"] == before["metrics"]["log_loss"]
    assert about["metrics"]["rows"] == before["metrics"]["rows"] and about["metrics"]["auc"] > 0.8
    chosen = [row for row in csv.DictReader((adopted / "leaderboard.csv").open()) if row["chosen"] == "True"]
    assert [row["candidate"] for row in chosen if row["task"] == "churn"] == ["adopted: model.onnx"]
    assert "a model of your own was adopted" in (adopted / "report.html").read_text()


def test_reasons_add_up_to_what_it_predicts(adopted: Path) -> None:
    manifest = json.loads((adopted / "manifest.json").read_text())
    bundle = Bundle.load(adopted)
    reasons = Reasons.from_bytes((adopted / FILE).read_bytes(), manifest)
    why = reasons.predictions["churn_probability"]
    X = load(adopted)["churn"].X[:12]
    for x, predicted in zip(X, bundle.decide(X).predictions["churn_probability"].tolist(), strict=True):
        assert why.at(float(why.contributions(x).sum())) == pytest.approx(predicted, abs=1e-4)
        error = why.error(x)
        assert (error is not None) == (adopted.name == "sampled")
        assert error is None or 0 < error < 1


def test_a_model_that_is_no_better_is_refused(
    rows: tuple[Any, Any], model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    X, y = rows
    shuffled = np.random.default_rng(1).permutation(y)
    path = written(tmp_path, lightgbm_model(X, shuffled))
    assert adopt.main([f"churn={path}", "--model", str(model), "--out", str(tmp_path / "out")]) == 1
    assert "no better than that of the target's own model" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_better_one_is_taken_without_any_reason(rows: tuple[Any, Any], model: Path, tmp_path: Path) -> None:
    worse = tmp_path / "worse"
    shutil.copytree(model, worse)
    path = written(tmp_path, lightgbm_model(rows[0], np.random.default_rng(1).permutation(rows[1])))
    force = ["--force-reason", "to be beaten"]
    assert adopt.main([f"churn={path}", "--model", str(model), "--out", str(worse), *force]) == 0
    path = written(tmp_path, lightgbm_model(*rows))
    assert adopt.main([f"churn={path}", "--model", str(worse), "--out", str(tmp_path / "better")]) == 0


def test_pycaret_makes_one_of_the_same_table(shop: Shop, model: Path, tmp_path: Path) -> None:
    arguments = ["--events", str(shop.file), "--config", str(shop.config), "--out", str(tmp_path / "table.parquet")]
    assert table.main(arguments) == 0
    pycaret(tmp_path / "table.parquet", tmp_path / "model.onnx")
    given = [f"churn={tmp_path}/model.onnx", "--model", str(model), "--out", str(tmp_path / "out")]
    assert adopt.main([*given, "--force-reason", "a test"]) == 0
    assert gate.run(tmp_path / "out")[1].differences["churn_probability"] < 1e-5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("churn", "is not TARGET=MODEL.onnx of a target that is predicted: churn, conversion"),
        ("weather={file}", "is not TARGET=MODEL.onnx of a target that is predicted"),
        ("churn={folder}/none.onnx", "cannot read the model"),
        ("churn={file}", "this is no ONNX model"),
    ],
)
def test_bad_input_is_answered_with_one_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], given: str, message: str
) -> None:
    path = written(tmp_path, b"no model")
    given = given.format(file=path, folder=tmp_path)
    assert adopt.main([given, "--model", str(model), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.fixture(scope="module")
def content(rows: tuple[Any, Any]) -> bytes:
    return lightgbm_model(*rows, n_estimators=5)


@given(data=st.data())
def test_whatever_bytes_a_model_is_of_it_is_read_or_refused(content: bytes, data: st.DataObject) -> None:
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        foreign = Foreign.read(bytes(damaged[: data.draw(st.integers(0, len(content)))]), len(FEATURE_NAMES))
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert foreign.scores(np.zeros((2, len(FEATURE_NAMES)), np.float32)).shape == (2,)
