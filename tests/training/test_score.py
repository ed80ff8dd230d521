"""Scores offline are the decisions of the bundle."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from shared.features import features
from shared.models.bundle import Bundle
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
