"""What training writes, for data good and bad."""

import csv
import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest

from shared.durations import DAY_MS
from shared.features import FEATURE_NAMES, FEATURE_SET_HASH, features
from shared.models.bundle import Bundle
from tests.support.event_files import ndjson, purchase
from tests.support.shop import DAYS, OPENED
from tests.training.conftest import Shop, differing, train_model
from training import score, train
from training.engines import options
from training.engines.disk import on_disk

PREDICTED = ("churn_probability", "expected_ltv")


def test_the_same_data_twice_gives_the_same_bytes_with_any_number_of_threads(
    shop: Shop, model: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(shop.config.read_text().replace("threads = 1", "threads = 3"))
    again = train_model(replace(shop, config=config), tmp_path)
    for name in ("bundle.onnx", "leaderboard.csv", "gate.npz", "holdout.npz"):
        assert (again / name).read_bytes() == (model / name).read_bytes(), name
    first, second = (json.loads((folder / "manifest.json").read_text()) for folder in (model, again))
    assert second["config"].pop("threads") == 3 == first["config"].pop("threads") + 2
    assert {**first, "created_at": ""} == {**second, "created_at": ""}


def test_events_on_the_disk_give_the_same_bundle_to_the_byte(
    shop: Shop, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "engine", lambda arguments: partial(on_disk, folder=tmp_path, at_once=500))
    assert differing(train_model(shop, tmp_path / "model", "--engine", "disk"), model) == []


def test_the_manifest_tells_what_the_bundle_is(shop: Shop, model: Path) -> None:
    manifest = json.loads((model / "manifest.json").read_text())
    assert manifest["features"] == list(FEATURE_NAMES)
    assert manifest["feature_set_hash"] == FEATURE_SET_HASH
    assert manifest["events"]["rows"] == len(shop.events)
    assert manifest["events"]["customers"] == len(shop.profiles)
    assert sum(segment["size"] for segment in manifest["segments"]) == len(shop.profiles)
    assert len({segment["name"] for segment in manifest["segments"]}) == len(manifest["segments"]) >= 3
    assert all(set(segment["profile"]) == set(FEATURE_NAMES) for segment in manifest["segments"])


def test_the_manifest_tells_between_what_the_models_were_trained(shop: Shop, model: Path) -> None:
    trained_on = json.loads((model / "manifest.json").read_text())["trained_on"]
    assert list(trained_on) == list(FEATURE_NAMES)
    assert trained_on["days_since_order"]["undefined"] and not trained_on["tenure"]["undefined"]
    assert 0 <= trained_on["tenure"]["least"] < trained_on["tenure"]["most"] < DAYS
    assert trained_on["email_opens_90d"] == {"least": 0.0, "most": 0.0, "undefined": False}


def test_who_is_silent_for_longer_than_anybody_was_is_outside(shop: Shop, model: Path) -> None:
    bundle = Bundle.load(model)
    much_later = int((OPENED.timestamp() + 5 * DAYS * 86_400) * 1000)
    scores = score.score(shop.profiles, bundle, much_later)
    assert all(scores["outside_training"].to_pylist())
    assert not {"likely_to_convert", "high_value_newcomer"} & set(scores["intent"].to_pylist())


def test_nobody_who_stays_silent_for_years_is_likelier_to_come_back_and_all_together_are_worth_less(
    shop: Shop, model: Path
) -> None:
    bundle = Bundle.load(model)
    end_ms = int(shop.profiles.rows.time_ms.max()) + 1
    known = [bundle.features_at(shop.profiles, end_ms + days * DAY_MS) for days in (0, 365, 4 * 365)]
    now, later, much_later = map(bundle.decide, known)
    ordered = ~np.isnan(known[0][:, FEATURE_NAMES.index("days_since_order")])
    for decided in (later, much_later):
        churn, value = (decided.predictions[name] - now.predictions[name] for name in PREDICTED)
        assert (churn[ordered] >= -1e-6).all()
        assert value.mean() < -now.predictions["expected_ltv"].mean() / 2


def test_bundle_and_manifest_say_how_far_each_prediction_looks(model: Path) -> None:
    metadata = {entry.key: entry.value for entry in onnx.load(model / "bundle.onnx").metadata_props}
    targets = json.loads((model / "manifest.json").read_text())["targets"]
    named = {"churn": "churn_probability", "conversion": "conversion_probability", "ltv": "expected_ltv"}
    days = {output: targets[name]["horizon_days"] for name, output in named.items()}
    assert json.loads(metadata["horizon_days"]) == days


def test_every_target_is_learnt_and_better_than_chance(model: Path) -> None:
    targets = json.loads((model / "manifest.json").read_text())["targets"]
    assert all(target["trained"] for target in targets.values())
    assert targets["churn"]["metrics"]["auc"] > 0.7
    assert targets["conversion"]["metrics"]["auc"] > 0.6
    assert targets["ltv"]["metrics"]["spearman"] > 0.4
    assert set(Bundle.load(model).decide(np.zeros((1, len(FEATURE_NAMES)), np.float32)).predictions) == {
        "churn_probability",
        "conversion_probability",
        "expected_ltv",
    }


def test_one_candidate_of_each_task_is_chosen(model: Path) -> None:
    rows = list(csv.DictReader((model / "leaderboard.csv").open()))
    chosen = [row["task"] for row in rows if row["chosen"] == "True"]
    assert sorted(chosen) == ["churn", "conversion", "ltv", "segments"]
    segments = [row["candidate"] for row in rows if row["task"] == "segments"]
    assert {name.split(",")[0] for name in segments} == {"k-means", "dbscan", "ward"}


def test_only_events_before_as_of_are_used(shop: Shop, tmp_path: Path) -> None:
    early = [event for event in shop.events if event["timestamp"] < "2024-08-01"]
    (tmp_path / "early.ndjson").write_bytes(ndjson(early))
    config = tmp_path / "config.toml"
    config.write_text("threads = 1\ntrees = 5\nforest_trees = 2\nbootstraps = 1\nmost_segments = 5\nparity_rows = 0\n")
    for file, out in ((shop.file, "whole"), (tmp_path / "early.ndjson", "part")):
        arguments = ["--events", str(file), "--out", str(tmp_path / out), "--config", str(config)]
        assert train.main([*arguments, "--as-of", "2024-08-01"]) == 0
    assert (tmp_path / "whole/bundle.onnx").read_bytes() == (tmp_path / "part/bundle.onnx").read_bytes()


def test_targets_that_the_data_cannot_support_are_left_out_with_a_reason(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        "most_segments = 4\ntrees = 5\nbootstraps = 1\nminimum_class_count = 300\nparity_rows = 0\n"
    )
    arguments = ["--events", str(shop.file), "--out", str(tmp_path), "--config", str(tmp_path / "config.toml")]
    assert train.main([*arguments, "--as-of", "2024-03-25"]) == 0
    targets = json.loads((tmp_path / "manifest.json").read_text())["targets"]
    assert "rows with at least one purchase in the next 7 days; 300 are needed" in targets["conversion"]["reason"]
    assert "the events span 84 days; 88 are needed" in targets["ltv"]["reason"]
    decisions = Bundle.load(tmp_path).decide(features(shop.profiles, 1_720_000_000_000))
    assert decisions.conversion_probability is None and decisions.expected_ltv is None


AT_THE_LEAST = """
trees = 1
tree_depth = 1
forest_trees = 1
learning_rate = 0.0001
bootstraps = 1
explained_variance = 0.01
clip_share = 0
minimum_class_count = 20
training_rows = 100
isotonic_minimum = 1
likely_to_churn_share = 0
likely_to_convert_share = 0
high_value_share = 0
loyal_share = 0
fewest_segments = 2
most_segments = 2
smallest_segment = 0
minimum_stability = 0
clustering_sample = 100
pairs_sample = 100
most_core_samples = 100
micro_segment_customers = 1
most_micro_segments = 1
validation_slices = 1
maximum_cutoffs = 2
minimum_history_days = 0
churn_horizon_days = 1
conversion_horizon_days = 1
ltv_horizon_days = 1
cutoff_every_days = 1
newcomer_days = 1
dormant_days = 1
parity_rows = 0
threads = 1
"""


def test_options_at_their_least_still_make_a_bundle_that_decides(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(AT_THE_LEAST)
    arguments = ["--events", str(shop.file), "--out", str(tmp_path), "--config", str(tmp_path / "config.toml")]
    assert train.main(arguments) == 0
    assert {*Bundle.load(tmp_path).decide(features(shop.profiles, 1_720_000_000_000)).segment.tolist()} <= {0, 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--events", "nowhere"], "there is no file or folder nowhere"),
        (["--events", "{folder}/empty"], "no event files in the folder"),
        (["--events", "{folder}/broken.ndjson"], "no events: "),
        (["--events", "{folder}/three.ndjson"], "only 3 customers"),
        (["--events", "{shop}", "--as-of", "2023-01-01"], "as-of 2023-01-01T00:00:00Z is not after the first event"),
        (["--events", "{shop}", "--as-of", "soon"], '"soon" is not a time'),
        (
            ["--events", "{shop}", "--config", "{folder}/typo.toml"],
            "there is no option 'tres'; did you mean \"trees\"?",
        ),
        (["--events", "{shop}", "--config", "{folder}/none.toml"], "cannot read the config"),
        (["--events", "{folder}/alike.ndjson"], "every feature is the same for all customers"),
        (["--events", "{folder}/two_kinds.ndjson"], "the customers are of only 2 kinds; 4 are needed for segments"),
    ],
)
def test_bad_input_is_answered_with_one_line_and_status_2(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.ndjson").write_text("{\n")
    (tmp_path / "three.ndjson").write_bytes(ndjson(purchase(customer) for customer in "abc"))
    (tmp_path / "alike.ndjson").write_bytes(ndjson(purchase(str(i)) for i in range(120)))
    two_kinds = (purchase(str(i), price=5 + 30 * (i % 2)) for i in range(120))
    (tmp_path / "two_kinds.ndjson").write_bytes(ndjson(two_kinds))
    (tmp_path / "typo.toml").write_text("tres = 5")
    filled = [argument.format(folder=tmp_path, shop=shop.file) for argument in arguments]
    assert train.main([*filled, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_whole_model_is_bad_input(
    shop: Shop, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--events", str(shop.file), "--as-of", "2024-10-01", "--out", str(tmp_path / "scores.parquet")]
    assert score.main([*arguments, "--model", str(tmp_path)]) == 2
    assert "bundle.onnx: No such file" in capsys.readouterr().err
    shutil.copy(model / "bundle.onnx", tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    assert score.main([*arguments, "--model", str(tmp_path)]) == 2
    assert "manifest.json is refused: it is not JSON" in capsys.readouterr().err


def test_refused_lines_are_reported_by_reason(
    shop: Shop, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.ndjson").write_bytes(ndjson([purchase("a"), {**purchase("b"), "price": -1}, {"event_type": "x"}]))
    (tmp_path / "b.txt").write_text("not events")
    arguments = ["--events", str(tmp_path), "--model", str(model), "--out", str(tmp_path / "scores.parquet")]
    assert score.main([*arguments, "--as-of", "2018-01-01"]) == 0
    output = capsys.readouterr().out
    assert "1 events in 2 files" in output
    assert output.count("refused 1 lines: ") == 2
    assert "could not read" in output and "b.txt" in output
