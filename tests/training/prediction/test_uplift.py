"""What a campaign changes is found where it is, told of nobody where it is not, and goes the way of other targets."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from shared.features.columns import CAMPAIGN_EXPOSURE
from shared.reasons.contributions import FILE, Reasons
from tests.support import hillstrom
from tests.support.event_files import ndjson, profiles
from tests.support.shop import OPENED, Event, shop_events
from tests.training.conftest import CONFIG
from training import score, train
from training.base.config import Config
from training.base.target_entry import TargetEntry
from training.bundle import gate
from training.data.events import read_events
from training.prediction.predictions import FittedTarget
from training.prediction.qini import qini
from training.prediction.targets import PointsInTime, Target, targets
from training.prediction.uplift import LEARNERS, Trial, fit_uplift, out_of_fold, trial

ENTRY = {"name": "answer", "kind": "uplift", "event": "search", "within_days": 7, "campaign": "spring"}
SENT = OPENED + timedelta(days=200)


def target(**changes: Any) -> Target:
    return targets(Config(target=(TargetEntry.of({**ENTRY, **changes}),)))[-1]


def made_up(seed: int, planted: float, n: int = 3_000) -> Trial:
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, 8)).astype(np.float32)
    treated = random.random(n) < 0.5
    chance = 0.1 + 0.1 * (X[:, 1] > 0) + planted * treated * (X[:, 0] > 0)
    y = (random.random(n) < chance).astype(float)
    zeros = np.zeros(n, np.int64)
    return Trial(X, y, treated, np.full(n, treated.mean()), zeros, zeros)


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_planted_difference_is_found_by_every_way(learner: str) -> None:
    of = made_up(1, 0.3)
    predicted = out_of_fold(of, LEARNERS[learner], 1)
    assert qini(of.y, predicted, of.treated, 1).is_sure
    changed = of.X[:, 0] > 0
    assert predicted[changed].mean() == pytest.approx(0.3, abs=0.06)
    assert abs(predicted[~changed].mean()) < 0.06
    effect, error = of.effect
    assert abs(effect - 0.15) < 4 * error


def test_none_is_claimed_where_none_was_planted() -> None:
    for seed in range(6):
        of = made_up(seed, 0.0)
        for learner in LEARNERS.values():
            assert not qini(of.y, out_of_fold(of, learner, seed), of.treated, seed).is_sure


def approached(events: list[Event], by_lot: bool, planted: bool) -> list[Event]:
    """The shop's customers, half of whom get an e-mail; those who buy often then search for what it says."""
    random = np.random.default_rng(4)
    at: dict[str, list[str]] = {}
    for event in events:
        if event["timestamp"] < SENT.isoformat():
            at.setdefault(event["customer_id"], []).append(event["event_type"])
    more = []
    for customer, kinds in sorted(at.items()):
        often = kinds.count("purchase") >= 4
        treated = random.random() < (0.5 if by_lot else 0.95 if often else 0.05)
        base = {"customer_id": customer, "timestamp": SENT.isoformat(), "event_id": f"sent-{customer}"}
        arm = "treatment" if treated else "control"
        more.append({**base, "event_type": "campaign_exposure", "campaign": "spring", "arm": arm})
        if random.random() < (0.9 if planted and treated and often else 0.2):
            came = (SENT + timedelta(days=2)).isoformat()
            more.append({**base, "event_type": "search", "timestamp": came, "event_id": f"came-{customer}"})
    return [*events, *more]


@pytest.fixture(scope="module")
def large() -> list[Event]:
    return shop_events(customers=1_300, seed=5)


def fitted(events: list[Event]) -> FittedTarget:
    state = profiles(*events)
    times = state.rows.time_ms
    return fit_uplift(target(), PointsInTime(state), int(times.min()), int(times.max()) + 1, Config())


def test_a_campaign_of_the_shops_is_learnt_from(large: list[Event]) -> None:
    uplift = fitted(approached(large, by_lot=True, planted=True))
    assert uplift.model is not None and uplift.reason is None
    assert uplift.metrics["qini_low"] > 0
    assert uplift.notes["effect"]["low"] > 0 and uplift.notes["balance"]["by_lot"]
    assert set(uplift.leaderboard) == set(LEARNERS)


def test_nothing_is_claimed_of_a_campaign_that_changes_nobody(large: list[Event]) -> None:
    uplift = fitted(approached(large, by_lot=True, planted=False))
    assert uplift.model is None and uplift.reason is not None
    assert uplift.reason.startswith("not enough data: whom the campaign changes more cannot be told")
    assert uplift.reason.endswith("which holds 0")


def test_of_arms_that_were_not_drawn_by_lot_no_effect_is_claimed(large: list[Event]) -> None:
    uplift = fitted(approached(large, by_lot=False, planted=True))
    assert uplift.model is None and uplift.reason is not None
    assert uplift.reason.startswith("who was approached was not drawn by lot (")
    assert "effect" not in uplift.notes and not uplift.notes["balance"]["by_lot"]


def test_without_a_control_group_there_is_not_enough_data(large: list[Event]) -> None:
    events = [{**event, "arm": "treatment"} if "arm" in event else event for event in approached(large, True, True)]
    uplift = fitted(events)
    assert uplift.reason is not None and uplift.reason.startswith("not enough data: 0 were approached and 0 held back")


def test_a_trial_has_the_first_exposure_of_everybody_whose_days_are_over(large: list[Event]) -> None:
    state = profiles(*approached(large, by_lot=True, planted=True))
    exposed = int((state.rows.kind == CAMPAIGN_EXPOSURE).sum())
    end_ms = int(state.rows.time_ms.max()) + 1
    of = trial(target(), PointsInTime(state), end_ms)
    assert len(of.y) == exposed and set(of.at_ms.tolist()) == {int(SENT.timestamp() * 1_000)}
    soon = int((SENT + timedelta(days=6)).timestamp() * 1_000)
    assert len(trial(target(), PointsInTime(state), soon).y) == 0
    assert len(trial(target(campaign="autumn"), PointsInTime(state), end_ms).y) == 0
    assert len(trial(target(campaign=None), PointsInTime(state), end_ms).y) == exposed
    halves = of.take(np.arange(len(of.y)) % 2 == 0)
    assert halves.transformed.mean() == pytest.approx(halves.effect[0], abs=0.05)


def test_it_goes_the_whole_way_into_a_bundle(large: list[Event], tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.write_bytes(ndjson(approached(large, by_lot=True, planted=True)))
    entry = "".join(f"{name} = {json.dumps(value)}\n" for name, value in ENTRY.items())
    (tmp_path / "config.toml").write_text(f'{CONFIG}\n[[target]]\n{entry}intent = "persuadable"\nshare = 0.2\n')
    arguments = ["--events", str(file), "--out", str(tmp_path / "model"), "--config", str(tmp_path / "config.toml")]
    assert train.main(arguments) == 0
    bundle, parity = gate.run(tmp_path / "model")
    assert parity.differences["answer_uplift"] < 1e-5
    about = bundle.manifest["targets"]["answer"]
    assert about["trained"] and about["holdout"]["rows"] == about["metrics"]["rows"]
    reasons = Reasons.from_bytes((tmp_path / "model" / FILE).read_bytes(), bundle.manifest)
    why = reasons.predictions["answer_uplift"]
    assert why.calibration.scale == "difference of probabilities"
    X = bundle.features_at(read_events([file]).profiles, int(SENT.timestamp() * 1_000))[:30]
    for x, predicted in zip(X, bundle.decide(X).predictions["answer_uplift"].tolist(), strict=True):
        assert why.baseline + why.contributions(x).sum() == pytest.approx(predicted, abs=1e-5)
    scores = score.score(read_events([file]).profiles, bundle, int(SENT.timestamp() * 1_000))
    assert "answer_uplift" in scores.column_names
    assert "persuadable" in set(scores["intent"].to_pylist())
    page = (tmp_path / "model" / "report.html").read_text()
    assert "Being approached changed it by" in page and "Qini coefficient" in page


@pytest.mark.skipif(not hillstrom.FILE.exists(), reason="the data of Hillstrom's e-mail test are not there")
@pytest.mark.parametrize(("email", "effect"), [("Womens", 0.0452), ("Mens", 0.0766)])
def test_hillstroms_effects_are_reproduced_and_its_ranking_found_where_there_is_one(email: str, effect: float) -> None:
    people = pd.read_parquet(hillstrom.FILE)
    people = people[people.segment.isin([f"{email} E-Mail", "No E-Mail"])]
    asked = people[["recency", "history", "mens", "womens", "newbie", "zip_code", "channel"]]
    X = pd.get_dummies(asked, dtype=float).to_numpy(np.float32)
    treated = (people.segment != "No E-Mail").to_numpy()
    zeros = np.zeros(len(X), np.int64)
    of = Trial(X, people.visit.to_numpy(float), treated, np.full(len(X), treated.mean()), zeros, zeros)
    assert of.effect[0] == pytest.approx(effect, abs=5e-5)
    ranking = qini(of.y, out_of_fold(of, LEARNERS["transformed outcome"], 7), treated, 7)
    assert ranking.is_sure is (email == "Womens")


@pytest.mark.skipif(not hillstrom.FILE.exists(), reason="the data of Hillstrom's e-mail test are not there")
def test_hillstroms_effect_is_that_of_its_events_too(tmp_path: Path) -> None:
    state = read_events([hillstrom.write_events(tmp_path, "Mens")]).profiles
    of = trial(target(event="page_view", campaign="Mens", within_days=14), PointsInTime(state), 2**42)
    assert of.effect[0] == pytest.approx(0.0766, abs=5e-5)
