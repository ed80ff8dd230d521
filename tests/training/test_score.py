"""Scores offline are the decisions of the bundle."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from shared.features import features
from shared.models.bundle import ROWS_AT_ONCE, Bundle
from tests.support.bundles import make_bundle
from tests.training.conftest import Shop
from training import score


def test_scores_are_the_bundles_decisions(shop: Shop, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.parquet"
    arguments = ["--events", str(shop.file), "--model", str(model), "--out", str(out)]
    assert score.main([*arguments, "--as-of", "2024-10-01T00:00:00Z"]) == 0
    table = pq.read_table(out)
    bundle = Bundle.load(model)
    decisions = bundle.decide(features(shop.profiles, 1_727_740_800_000))
    assert table.column_names == score.SCHEMA.names
    assert [f"customer#{customer}" for customer in table["customer_id"].to_pylist()] == shop.profiles.keys
    np.testing.assert_array_equal(table["segment_id"], decisions.segment)
    np.testing.assert_array_equal(table["churn_probability"], decisions.predictions["churn_probability"])
    assert set(table["model_version"].to_pylist()) == {bundle.bundle_id}


def test_columns_without_a_model_are_null(shop: Shop) -> None:
    bundle = Bundle.from_files(*make_bundle(without="churn_probability"))
    table = score.score(shop.profiles, bundle, 1_727_740_800_000)
    assert table["churn_probability"].null_count == table["micro_segment_id"].null_count == len(table)


@pytest.mark.parametrize("engine", ["memory", "disk"])
def test_the_file_has_the_same_bytes_whichever_engine_gathers(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setattr(score, "BLOCK", ROWS_AT_ONCE)
    onnx, manifest = make_bundle()
    (tmp_path / "bundle.onnx").write_bytes(onnx)
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "currency": None}))
    out = tmp_path / "scores.parquet"
    arguments = ["--events", str(shop.file), "--model", str(tmp_path), "--as-of", "2024-10-01", "--out", str(out)]
    assert score.main([*arguments, "--engine", engine]) == 0
    pq.write_table(score.score(shop.profiles, Bundle.from_files(onnx, manifest), 1_727_740_800_000), tmp_path / "whole")
    assert out.read_bytes() == (tmp_path / "whole").read_bytes()


def test_where_nobody_is_scored_no_file_is_written(shop: Shop, tmp_path: Path) -> None:
    onnx, manifest = make_bundle()
    (tmp_path / "bundle.onnx").write_bytes(onnx)
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "currency": None}))
    out = tmp_path / "scores.parquet"
    arguments = ["--events", str(shop.file), "--model", str(tmp_path), "--as-of", "2020-01-01", "--out", str(out)]
    assert score.main(arguments) == score.main([*arguments, "--engine", "disk"]) == 2
    assert not out.exists()
