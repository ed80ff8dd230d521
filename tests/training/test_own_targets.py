"""Targets of the shop's own go all the way that the three go: contest, calibration, gate, reasons, scores."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from shared.features import FEATURE_NAMES
from shared.models.bundle import Bundle
from shared.models.labels import action, intents_of
from shared.models.manifests import TARGETS
from shared.reasons.contributions import FILE, Reasons
from tests.support.event_files import ndjson
from tests.support.shop import Event
from tests.training.conftest import CONFIG, Shop, train_model
from training import evaluate, score, shadow
from training.bundle import gate
from training.bundle.contest import contest
from training.prediction.holdout import load

OWN = """
[[target]]
name = "coupon"
event = "coupon_redeemed"
within_days = 14
for = "buyers"
intent = "coupon_lover"
share = 0.3
action = "send_coupon"

[[target]]
name = "c1"
output = "c1_views"
kind = "amount"
event = "view_item"
category = "c1"
within_days = 30

[[target]]
name = "never"
event = "hovercraft"
within_days = 14
"""
TEN = "\n".join(
    f'[[target]]\nname = "t{i}{kind[0]}"\nevent = "{event}"\nkind = "{kind}"\nwithin_days = {7 + i}\n'
    for i, event in enumerate(["view_item", "add_to_cart", "purchase", "add_to_cart", "coupon_redeemed"])
    for kind in ("probability", "amount")
)
TEN_OUTPUTS = {f"t{i}p_probability" for i in range(5)} | {f"expected_t{i}a" for i in range(5)}
SMALL = CONFIG.replace("trees = 25", "trees = 8") + (
    "minimum_class_count = 20\nvalidation_slices = 1\nmaximum_cutoffs = 3\n"
)
"""For many targets: what is seen of them needs no good models."""
AS_OF = "2024-10-01T00:00:00Z"


def with_coupons(events: list[Event]) -> list[Event]:
    """Customers of the first kind redeem a coupon with most orders, others hardly ever."""
    random = np.random.default_rng(3)
    orders = [event for event in events if event["event_type"] == "purchase"]
    redeemed = [
        {**order, "event_id": f"{order['event_id']}-coupon", "event_type": "coupon_redeemed", "price": 0}
        for order in orders
        if random.random() < (0.7 if int(order["customer_id"]) % 4 == 0 else 0.05)
    ]
    return [*events, *redeemed]


@pytest.fixture(scope="module")
def coupons(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("coupons")
    events = with_coupons(shop.events)
    (folder / "events.ndjson").write_bytes(ndjson(events))
    (folder / "config.toml").write_text(shop.config.read_text() + OWN)
    return replace(shop, events=events, file=folder / "events.ndjson", config=folder / "config.toml")


@pytest.fixture(scope="module")
def own(coupons: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_model(coupons, tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def manifest(own: Path) -> dict[str, Any]:
    return dict(json.loads((own / "manifest.json").read_text()))


@pytest.fixture(scope="module")
def scores(coupons: Shop, own: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    out = tmp_path_factory.mktemp("scores") / "scores.parquet"
    arguments = ["--events", str(coupons.file), "--model", str(own), "--out", str(out), "--as-of", AS_OF]
    assert score.main(arguments) == 0
    return pq.read_table(out)


def test_they_are_chosen_calibrated_and_measured_as_the_three_are(own: Path, manifest: dict[str, Any]) -> None:
    coupon, views = (manifest["targets"][name] for name in ("coupon", "c1"))
    assert coupon["trained"] and views["trained"]
    assert coupon["meaning"] == "at least 1 coupon_redeemed in the next 14 days, for customers with a purchase before"
    assert coupon["metrics"]["auc"] > 0.7 and views["metrics"]["spearman"] > 0.3
    assert coupon["holdout"]["rows"] and coupon["calibration"] in ("platt", "isotonic")
    tried = [row for row in csv.DictReader((own / "leaderboard.csv").open()) if row["task"] == "coupon"]
    assert {row["candidate"].split(",")[0] for row in tried} >= {"linear", "forest", "xgboost", "blend"}
    assert [row["candidate"] for row in tried if row["chosen"] == "True"] == [coupon["model"]]


def test_what_the_data_cannot_support_is_left_out_with_the_reason(manifest: dict[str, Any], own: Path) -> None:
    assert manifest["targets"]["never"]["reason"].startswith("only 0 rows with at least 1 hovercraft")
    assert "never_probability" not in Bundle.load(own).decide(np.zeros((1, len(FEATURE_NAMES)), np.float32)).predictions


def test_the_gate_proves_them_and_refuses_a_bundle_that_lost_one(own: Path, manifest: dict[str, Any]) -> None:
    _, parity = gate.run(own)
    assert {"coupon_probability", "c1_views"} <= parity.differences.keys()
    assert {"coupon_probability", "c1_views"} <= manifest["gate"]["differences"].keys()


def test_scores_have_a_column_for_each_after_the_usual_ones(own: Path, scores: Any) -> None:
    assert scores.column_names == [*score.SCHEMA.names, "coupon_probability", "c1_views", "never_probability"]
    assert scores["never_probability"].null_count == len(scores)
    assert scores["coupon_probability"].null_count == 0


def test_reasons_add_up_to_what_is_predicted(own: Path, coupons: Shop, manifest: dict[str, Any]) -> None:
    bundle = Bundle.load(own)
    reasons = Reasons.from_bytes((own / FILE).read_bytes(), manifest)
    X = bundle.features_at(coupons.profiles, 1_727_740_800_000)[:40]
    predicted = bundle.decide(X).predictions
    assert list(reasons.predictions) == list(predicted)
    for output in ("coupon_probability", "c1_views"):
        why = reasons.predictions[output]
        again = [why.at(float(why.contributions(x).sum())) for x in X]
        assert again == pytest.approx(predicted[output], rel=1e-4, abs=1e-5)
    assert reasons.predictions["c1_views"].calibration.scale == "logarithm of the amount"


def test_an_intent_of_their_own_marks_the_share_that_was_asked_for(scores: Any, manifest: dict[str, Any]) -> None:
    assert intents_of(manifest)[-1] == "coupon_lover"
    assert manifest["targets"]["coupon"]["thresholds"]["coupon_lover"]["share"] == pytest.approx(0.3, abs=0.02)
    marked = [row for row in scores.to_pylist() if row["intent"] == "coupon_lover"]
    threshold = manifest["thresholds"]["coupon_lover"]
    assert marked and all(row["coupon_probability"] >= threshold for row in marked)
    assert {row["action"] for row in marked} == {"send_coupon"}
    assert action(manifest, "coupon_lover", 0)["key"] == "send_coupon"
    assert "coupon_lover" in manifest["promises"]["kept"]


def test_the_report_tells_of_them(own: Path) -> None:
    page = (own / "report.html").read_text()
    for text in ("at least 1 coupon_redeemed", "coupon lover", "Coupon probability", "only 0 rows with at least 1"):
        assert text in page


def test_training_without_them_gives_the_bytes_that_it_gave(
    coupons: Shop, shop: Shop, own: Path, tmp_path: Path
) -> None:
    plain = train_model(replace(coupons, config=shop.config), tmp_path / "plain")
    first, second = (np.load(folder / "holdout.npz") for folder in (plain, own))
    for name in first.files:
        np.testing.assert_array_equal(first[name], second[name])
    X = np.load(plain / "gate.npz")["features"]
    bundles = [Bundle.load(folder) for folder in (plain, own)]
    decided = [bundle.decide(X) for bundle in bundles]
    for name in TARGETS:
        np.testing.assert_array_equal(decided[0].predictions[name], decided[1].predictions[name])


def test_beside_a_live_bundle_they_are_compared_and_may_not_be_missing(own: Path, manifest: dict[str, Any]) -> None:
    bundle = Bundle.load(own)
    holdouts = load(own)
    same = {each.target: each for each in contest(manifest, holdouts, manifest, bundle)}
    assert not any(each.failures for each in same.values())
    assert same["coupon"].ours["auc"] == same["coupon"].live["auc"]
    targets = {name: about for name, about in manifest["targets"].items() if name != "coupon"}
    lost = {
        each.target: each.failures for each in contest({**manifest, "targets": targets}, holdouts, manifest, bundle)
    }
    assert lost["coupon"] == ["coupon is predicted by the live bundle alone: the config does not ask for it"]
    other = {**manifest["targets"]["coupon"], "asked": {**manifest["targets"]["coupon"]["asked"], "for": "everyone"}}
    live = {**manifest, "targets": {"coupon": other}}
    assert contest(manifest, holdouts, live, bundle)[0].failures == [
        "coupon asks something else than the live bundle does"
    ]


def test_they_are_held_to_what_came_after(coupons: Shop, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(own)
    arguments = ["--events", str(coupons.file), "--as-of", "2024-09-01", "--champion", folder, "--challenger", folder]
    assert shadow.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "coupon auc" in printed and "c1 spearman" in printed and "coupon_probability" in printed


def test_evaluation_counts_their_outcomes_too(coupons: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main(["--events", str(coupons.file), "--as-of", "2024-09-25", "--config", str(coupons.config)]) == 0
    printed = capsys.readouterr().out
    assert "| coupon, 14 days | " in printed and "| c1, 30 days | " in printed


def test_ten_of_them_fit_one_bundle(coupons: Shop, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(SMALL + TEN)
    model = train_model(replace(coupons, config=config), tmp_path / "model")
    bundle, parity = gate.run(model)
    manifest = bundle.manifest
    reasons = Reasons.from_bytes((model / FILE).read_bytes(), manifest)
    x = bundle.features_at(coupons.profiles, 1_727_740_800_000)[:1]
    predicted = bundle.decide(x).predictions
    assert len(predicted) == 13 and predicted.keys() > TEN_OUTPUTS
    assert predicted.keys() == reasons.predictions.keys() <= parity.differences.keys()
    for output, why in reasons.predictions.items():
        assert why.at(float(why.contributions(x[0]).sum())) == pytest.approx(predicted[output][0], rel=1e-4, abs=1e-5)
