"""A challenger is scored beside the champion, and the difference told."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from shared.durations import DAY_MS
from shared.features import PURCHASE
from shared.models.bundle import Bundle
from tests.conftest import BUCKET
from tests.support.bundles import make_bundle
from tests.support.bundles import publish as put_bundle
from tests.training.conftest import Shop
from training import score, shadow
from training.base.config import Config
from training.prediction.targets import targets

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

AS_OF = "2024-08-01"
AS_OF_MS = 1_722_470_400_000


@pytest.fixture
def champion(tmp_path: Path) -> Path:
    graph, manifest = make_bundle()
    folder = tmp_path / "champion"
    folder.mkdir()
    (folder / "bundle.onnx").write_bytes(graph)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def arguments(shop: Shop, champion: Path | str, challenger: Path, *more: str) -> list[str]:
    bundles = ["--champion", str(champion), "--challenger", str(challenger)]
    return ["--events", str(shop.file), "--as-of", AS_OF, *bundles, *more]


def test_a_bundle_beside_itself_changes_nothing(shop: Shop, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shadow.main(arguments(shop, model, model)) == 0
    output = capsys.readouterr().out
    for decision in ("segment", "intent", "action"):
        (line,) = (line for line in output.splitlines() if line.startswith(f"│ {decision} "))
        assert line.split("│")[2:4] == ["         0 ", "  0.0% "]


def test_both_decisions_of_everyone_are_those_of_scoring_each_alone(
    shop: Shop, champion: Path, model: Path, tmp_path: Path
) -> None:
    assert shadow.main(arguments(shop, champion, model, "--out", str(tmp_path / "both.parquet"))) == 0
    both = pq.read_table(tmp_path / "both.parquet")
    for role, folder in (("champion", champion), ("challenger", model)):
        alone = score.score(shop.profiles, Bundle.load(folder), AS_OF_MS)
        for name in alone.column_names:
            assert both["customer_id" if name == "customer_id" else f"{role}_{name}"].equals(alone[name]), name


def test_the_cross_table_counts_everyone_once(shop: Shop, champion: Path, model: Path) -> None:
    both = shadow.side_by_side(shop.profiles, Bundle.load(champion), Bundle.load(model), AS_OF_MS)
    cells = [cell for column in shadow.cross_table(both).columns[1:] for cell in column.cells]
    assert sum(int(str(cell).replace(",", "")) for cell in cells if cell != "·") == both.num_rows


def test_figures_are_those_of_what_happened_after(shop: Shop, champion: Path, model: Path) -> None:
    both = shadow.side_by_side(shop.profiles, Bundle.load(champion), Bundle.load(model), AS_OF_MS)
    first, *roles = shadow.figures_after(shop.profiles, both, AS_OF_MS, targets(Config(churn_horizon_days=30))).columns
    row = [str(cell) for cell in first.cells].index("conversion auc")
    rows = shop.profiles.rows
    until = AS_OF_MS + 7 * DAY_MS
    at = [shop.profiles.keys.index(f"customer#{customer}") for customer in both["customer_id"].to_pylist()]
    bought = {
        owner
        for owner, kind, time in zip(shop.profiles.owner, rows.kind, rows.time_ms, strict=True)
        if kind == PURCHASE and AS_OF_MS <= time < until
    }
    y = np.array([owner in bought for owner in at])
    auc = roc_auc_score(y, both["challenger_conversion_probability"].to_numpy())
    assert [str([*role.cells][row]) for role in roles] == ["-", f"{auc:.4g}"]


def test_the_champion_may_be_the_live_bundle_of_a_bucket(
    shop: Shop, model: Path, s3: "S3Client", capsys: pytest.CaptureFixture[str]
) -> None:
    assert shadow.main(arguments(shop, BUCKET, model)) == 2
    assert f"{BUCKET} is no folder, and nothing was published" in capsys.readouterr().err
    put_bundle(s3, make_bundle("20240101-live"))
    assert shadow.main(arguments(shop, BUCKET, model)) == 0
    assert "champion 20240101-live" in capsys.readouterr().out
