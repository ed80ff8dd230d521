"""Whom a campaign changes: how well uplift and response rank a made-up campaign's customers, and how long it takes.

All rank customers whom their models did not know, by the same parts of them, and are judged by the Qini coefficient: 0
is a ranking by chance, 1 the best that there is.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.work import Inputs, Work
from shared.features import FEATURE_SET_HASH

if TYPE_CHECKING:
    from training.prediction.uplift import Ranking, Trial

_APPROACHED = 4_000
_LIFT = 0.3
_SEED = 7


def learn_uplift(inputs: Inputs) -> Work:
    """Learn whom the campaign changes as training does: three ways, and how sure each of them is."""
    from training.prediction.qini import qini
    from training.prediction.uplift import LEARNERS, out_of_fold

    of = _trial(inputs)
    facts: dict[str, float] = {}

    def run() -> None:
        ways = [out_of_fold(of, learner, _SEED) for learner in LEARNERS.values()]
        best = max((qini(of.y, uplift, of.treated, _SEED) for uplift in ways), key=lambda one: one.value)
        facts.update(qini=round(best.value, 4), error=round(best.error, 4))

    return Work(run, len(of.y), facts)


def learn_response(inputs: Inputs) -> Work:
    """Learn who answers the campaign, of those who were approached, and approach them by that."""
    from training.base.config import Config
    from training.prediction.candidates import Estimator, Task, fit_boosted

    def who_answers(of: "Trial", seed: int) -> Estimator:
        X, y = of.X[of.treated], of.y[of.treated]
        return fit_boosted(Task("probability"), X, y, np.ones(len(y)), Config(seed=seed, threads=1))

    return _one_way(inputs, who_answers)


def scikit_uplift(inputs: Inputs) -> Work:
    """Learn whom the campaign changes by scikit-uplift's two models, each of as many trees as ours."""
    from sklift.models import TwoModels
    from xgboost import XGBClassifier

    from training.prediction.uplift import DEPTH, SHRINKAGE, TREES

    class Theirs:
        def __init__(self, of: "Trial", seed: int) -> None:
            options = {"n_estimators": TREES, "max_depth": DEPTH, "learning_rate": SHRINKAGE, "random_state": seed}
            models = [XGBClassifier(**options, n_jobs=1) for _ in range(2)]
            self._models = TwoModels(*models, method="vanilla").fit(of.X, of.y.astype(int), of.treated.astype(int))

        def margin(self, X: Any) -> Any:
            return self._models.predict(X)

    return _one_way(inputs, Theirs)


def _one_way(inputs: Inputs, learner: "Callable[[Trial, int], Ranking]") -> Work:
    from sklift.metrics import qini_auc_score

    from training.prediction.uplift import out_of_fold

    of = _trial(inputs)
    facts: dict[str, float] = {}

    def run() -> None:
        ranking = out_of_fold(of, learner, _SEED)
        facts["qini"] = round(float(qini_auc_score(of.y, ranking, of.treated.astype(int))), 4)

    return Work(run, len(of.y), facts)


def _trial(inputs: Inputs) -> "Trial":
    """What the simulator's campaign did to its customers, written once for as long as features are what they are."""
    from training.prediction.uplift import Trial

    customers = min(inputs.customers, _APPROACHED)
    path = inputs.purchases.with_name(f"campaign-of-{customers}-{FEATURE_SET_HASH}.npz")
    if not path.exists():
        with TemporaryDirectory() as folder:
            np.savez(path, **vars(_campaign(Path(folder), customers)))
    with np.load(path) as kept:
        return Trial(**kept)


def _campaign(folder: Path, customers: int) -> "Trial":
    from training.base.config import Config
    from training.base.target_entry import TargetEntry
    from training.data.events import read_events
    from training.prediction.targets import PointsInTime, targets
    from training.prediction.uplift import trial
    from training.shop.campaign import NAME, WITHIN_DAYS
    from training.simulator import write

    # Who buys often would have come anyway: a click alone would tell of nobody but whom the campaign changes.
    came = ["email_click", "purchase"]
    asked = {"name": NAME, "kind": "uplift", "event": came, "campaign": NAME, "within_days": WITHIN_DAYS}
    *_, target = targets(Config(target=(TargetEntry.of(asked),)))
    write(folder, customers, lift=_LIFT)
    profiles = read_events([folder / "events"]).profiles
    return trial(target, PointsInTime(profiles), int(profiles.rows.time_ms.max()) + 1)
