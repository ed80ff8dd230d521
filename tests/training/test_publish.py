"""Only proven bundles go live, and the way back is one command."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest

import shared.models.bundle
from shared.features import DEFINITIONS, KNOWN_DEFINITIONS
from shared.features.definitions import Definition, set_hash, to_json
from tests.conftest import BUCKET
from tests.support.bundles import make_bundle
from tests.support.bundles import publish as put_bundle
from tests.training.conftest import Shop
from training import publish, train
from training.base.errors import InputError, Refused
from training.bundle import gate
from training.prediction.candidates import CANDIDATES
from training.registry.published import connect

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def own(model: Path, tmp_path: Path) -> Path:
    """A copy of the trained folder that a test may spoil."""
    return Path(shutil.copytree(model, tmp_path / "model"))


def current(s3: "S3Client") -> dict[str, Any]:
    content: dict[str, Any] = json.loads(s3.get_object(Bucket=BUCKET, Key="models/current.json")["Body"].read())
    return content


def keys(s3: "S3Client") -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def rewrite_weight(folder: Path, name: str) -> None:
    """One number in the graph, a little different."""
    graph = onnx.load(folder / "bundle.onnx")
    (weight,) = (tensor for tensor in graph.graph.initializer if tensor.name == name)
    values = onnx.numpy_helper.to_array(weight).copy()
    values.flat[0] *= 1.01
    weight.CopyFrom(onnx.numpy_helper.from_array(values, name))
    onnx.save(graph, folder / "bundle.onnx")


def test_a_proven_bundle_goes_live(model: Path, s3: "S3Client") -> None:
    bundle_id = json.loads((model / "manifest.json").read_text())["bundle_id"]
    assert publish.main(["--model", str(model), "--bucket", BUCKET, "--force-reason", "first try"]) == 0
    live = current(s3)
    assert (live["bundle_id"], live["previous"], live["force_reason"]) == (bundle_id, None, "first try")
    assert {
        f"models/{bundle_id}/{name}"
        for name in ("bundle.onnx", "distribution.json", "manifest.json", "reasons.npz", "report.html")
    } < set(keys(s3))


@pytest.mark.parametrize("weight", ["segment/nearest/prototypes", "churn/calibrate/slope", "segment/micro/centroids"])
def test_a_tampered_bundle_is_refused_whatever_the_reason(
    own: Path, s3: "S3Client", capsys: pytest.CaptureFixture[str], weight: str
) -> None:
    rewrite_weight(own, weight)
    assert publish.main(["--model", str(own), "--bucket", BUCKET, "--force-reason", "I insist"]) == 1
    assert capsys.readouterr().err.startswith("error: refused: ")
    assert keys(s3) == []


def test_a_difference_is_told_by_name_and_size(own: Path) -> None:
    rewrite_weight(own, "churn/calibrate/slope")
    with pytest.raises(Refused, match=r"churn_probability differs by .*e-0\d where 1e-05 is allowed"):
        gate.run(own)


def test_other_reference_answers_are_refused(own: Path) -> None:
    with np.load(own / "gate.npz") as kept:
        answers = dict(kept)
    np.savez(own / "gate.npz", **{**answers, "features": answers["features"][:1]})
    with pytest.raises(Refused, match=r"not the one that bundle .* was trained with"):
        gate.run(own)


def test_features_that_this_code_does_not_compute_are_refused(own: Path) -> None:
    _say_of_features(own, [*DEFINITIONS[:-1], Definition("shoe_size", "Size of shoes", "cm", None)])
    with pytest.raises(Refused, match="shoe_size: this code does not compute it"):
        gate.run(own)


def test_a_bundle_trained_before_a_feature_was_added_passes_the_gate(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = Definition("parcels_30d", "Parcels", "parcels", 30)
    monkeypatch.setattr(shared.models.bundle, "KNOWN_DEFINITIONS", (later, *KNOWN_DEFINITIONS))
    bundle, _ = gate.run(own)
    X = np.zeros((3, len(DEFINITIONS) + 1), np.float32)
    assert bundle.own(X).shape == (3, len(DEFINITIONS))
    assert np.isnan(bundle.spread(X[:, 1:])[:, 0]).all()


def _say_of_features(folder: Path, definitions: Sequence[Definition]) -> None:
    names = json.dumps([definition.name for definition in definitions])
    properties = {"feature_names": names, "feature_definitions": to_json(definitions)}
    properties["feature_set_hash"] = set_hash(definitions)
    graph = onnx.load(folder / "bundle.onnx")
    for entry in graph.metadata_props:
        entry.value = properties.get(entry.key, entry.value)
    onnx.save(graph, folder / "bundle.onnx")


@pytest.mark.parametrize(
    "name", ["bundle.onnx", "manifest.json", "reasons.npz", "gate.npz", "holdout.npz", "report.html"]
)
def test_a_missing_file_is_bad_input(own: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (own / name).unlink()
    assert publish.main(["--model", str(own), "--bucket", BUCKET]) == 2
    assert f"holds no {name}" in capsys.readouterr().err


def test_an_unknown_bucket_is_bad_input(model: Path, aws: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert publish.main(["--model", str(model), "--bucket", "nobodys-bucket"]) == 2
    assert capsys.readouterr().err.startswith("error: bucket nobodys-bucket: ")


def put_live(s3: "S3Client", bundle_id: str = "20230101-00000000") -> None:
    """A small bundle, whole and live."""
    for name in ("report.html", "reasons.npz"):
        s3.put_object(Bucket=BUCKET, Key=f"models/{bundle_id}/{name}", Body=b"")
    put_bundle(s3, make_bundle(bundle_id))


def test_a_bundle_that_is_no_worse_goes_live_and_the_comparison_is_recorded(
    model: Path, s3: "S3Client", capsys: pytest.CaptureFixture[str]
) -> None:
    put_live(s3)
    assert publish.main(["--model", str(model), "--bucket", BUCKET]) == 0
    assert "churn: auc " in capsys.readouterr().out
    figures = current(s3)["compared"]["churn"]["figures"]
    assert figures["auc"]["ours"] > figures["auc"]["live"]
    assert "excused" not in current(s3)


@pytest.fixture
def worse(shop: Shop, tmp_path: Path) -> Path:
    """A bundle of the same data by far too few trees and candidates of no use."""
    config = tmp_path / "worse.toml"
    config.write_text(shop.config.read_text().replace("trees = 25", "trees = 1") + "learning_rate = 0.001\n")
    weak = {name: fit for name, fit in CANDIDATES.items() if name == "xgboost"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.prediction.candidates.CANDIDATES", weak)
        arguments = ["--events", str(shop.file), "--out", str(tmp_path / "worse"), "--config", str(config)]
        assert train.main(arguments) == 0
    return tmp_path / "worse"


def test_worse_figures_on_the_same_holdout_are_refused_unless_there_is_a_reason(
    model: Path, worse: Path, s3: "S3Client", capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish.main(["--model", str(model), "--bucket", BUCKET]) == 0
    before = current(s3)
    assert publish.main(["--model", str(worse), "--bucket", BUCKET]) == 1
    assert "error: refused: beside the live bundle" in (error := capsys.readouterr().err)
    assert "churn brier" in error and "--force-reason" in error
    assert current(s3) == before
    assert publish.main(["--model", str(worse), "--bucket", BUCKET, "--force-reason", "a drill"]) == 0
    live = current(s3)
    assert live["bundle_id"] != before["bundle_id"] and live["force_reason"] == "a drill"
    assert any("churn brier" in excuse for excuse in live["excused"])
    assert [entry["bundle_id"] for entry in live["history"]] == [before["bundle_id"], live["bundle_id"]]


def test_a_broken_live_bundle_can_be_replaced_for_a_reason(
    model: Path, s3: "S3Client", capsys: pytest.CaptureFixture[str]
) -> None:
    s3.put_object(Bucket=BUCKET, Key="models/current.json", Body=b'{"bundle_id": "gone"}')
    assert publish.main(["--model", str(model), "--bucket", BUCKET]) == 1
    assert "holds no models/gone/manifest.json" in capsys.readouterr().err
    assert publish.main(["--model", str(model), "--bucket", BUCKET, "--force-reason", "repair"]) == 0


def test_of_two_who_publish_at_once_one_is_told_to_look_again(s3: "S3Client") -> None:
    with connect(BUCKET) as registry:
        nothing = registry.live()
        registry.switch(nothing, "first")
        with pytest.raises(InputError, match="another bundle went live"):
            registry.switch(nothing, "second")
        first = registry.live()
        registry.switch(first, "third")
        with pytest.raises(InputError, match="another bundle went live"):
            registry.switch(first, "fourth")
    assert [entry["bundle_id"] for entry in current(s3)["history"]] == ["first", "third"]
