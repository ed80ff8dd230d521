"""What a campaign changes: models of the difference that being approached makes, from a campaign with a control group.

Three ways compete, each of trees that add up, so that what is exported is a sum of leaves and its reasons are exact: a
model of either arm, less each other (R. Lo, The True Lift Model, 2002); one of the transformed outcome (S. Athey and
G. Imbens, Machine Learning Methods for Estimating Heterogeneous Causal Effects, 2015); and the X-learner (S. Künzel et
al., Metalearners for estimating heterogeneous treatment effects, PNAS 2019).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from xgboost import XGBRegressor

from shared.durations import DAY_MS
from shared.features import FEATURE_NAMES, category_hash, features
from shared.features.columns import CAMPAIGN_EXPOSURE, CONTROL, TREATMENT
from training.base.config import Config
from training.data.own_types import without_own_types
from training.data.preparation import Matrix
from training.prediction.balance import Difference, largest_difference
from training.prediction.calibration import Scaled, Vector
from training.prediction.candidates import Ensemble, Trees
from training.prediction.metrics import Metrics, measure
from training.prediction.models import Model
from training.prediction.predictions import FittedTarget
from training.prediction.qini import SURE, USUAL, Qini, qini
from training.prediction.targets import PointsInTime, Target, known_at

FOLDS = 5
FEWEST_IN_AN_ARM = 200
TREES = 100
DEPTH = 2
SHRINKAGE = 0.05
LEAF_SHARE = 0.02
"""Of the rows, in a leaf at least: what differs between few is chance more often than a difference that they make."""

type Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Trial:
    """Customers who were to be approached, at the instant that they were, or were held back; all of length n."""

    X: Matrix
    """[n, n_features]"""
    y: Vector
    """Whether it happened then."""
    treated: Mask
    share: Vector
    """Of their campaign, how many were approached."""
    campaign: NDArray[np.int64]
    at_ms: NDArray[np.int64]

    def take(self, at: NDArray[Any]) -> "Trial":
        """Some of them."""
        columns = (self.X, self.y, self.treated, self.share, self.campaign, self.at_ms)
        return Trial(*(column[at] for column in columns))

    @property
    def transformed(self) -> Vector:
        """The outcome, weighted so that its mean, of whomever, is what being approached changes [n]."""
        return self.y * (self.treated - self.share) / (self.share * (1 - self.share))

    @property
    def effect(self) -> tuple[float, float]:
        """What being approached changes of them all, and its standard error: the difference of the arms within each
        campaign, by how many customers it had."""
        parts = []
        for each in np.unique(self.campaign):
            own = self.campaign == each
            arms = [self.y[own & self.treated], self.y[own & ~self.treated]]
            variance = sum(float(arm.var(ddof=1)) / len(arm) for arm in arms)
            parts.append((own.mean(), float(arms[0].mean() - arms[1].mean()), variance))
        error = np.sqrt(sum(w * w * v for w, _, v in parts))
        return float(sum(w * e for w, e, _ in parts)), float(error)


class Ranking(Protocol):
    """A model that says of customers whom to approach first."""

    def margin(self, X: Matrix) -> Vector:
        """The higher, the sooner [n]."""


def trial(target: Target, points: PointsInTime, end_ms: int) -> Trial:
    """Of every customer and campaign the first exposure whose outcome is known by `end_ms` (UTC milliseconds), of
    campaigns that held somebody back."""
    _, profiles = points.approached
    rows = profiles.rows
    exposed = (rows.kind == CAMPAIGN_EXPOSURE) & np.isin(rows.arm, (TREATMENT, CONTROL))
    exposed &= rows.time_ms + target.horizon_days * DAY_MS <= end_ms
    if target.entry.campaign is not None:
        exposed &= rows.campaign == category_hash(target.entry.campaign)
    at = np.flatnonzero(exposed)
    owner = profiles.owner[at]
    _, first = np.unique(owner << 32 | rows.campaign[at].astype(np.int64), return_index=True)
    at, owner = at[first], owner[first]
    parts: list[Trial] = []
    n = len(profiles)
    for campaign in np.unique(rows.campaign[at]):
        own = np.flatnonzero(rows.campaign[at] == campaign)
        at_ms = np.full(n, -1, np.int64)
        at_ms[owner[own]] = rows.time_ms[at[own]]
        arm = np.zeros(n, bool)
        arm[owner[own]] = rows.arm[at[own]] == TREATMENT
        who = np.flatnonzero((at_ms >= 0) & known_at(profiles, at_ms))
        treated = arm[who]
        if min(treated.sum(), (~treated).sum()) < 2:
            continue
        y = target.outcome(profiles, at_ms, at_ms + target.horizon_days * DAY_MS)[who]
        X = features(without_own_types(profiles.take(who)), at_ms[who], points.zone)
        share = np.full(len(who), treated.mean())
        parts.append(Trial(X, y, treated, share, np.full(len(who), int(campaign)), at_ms[who]))
    if not parts:
        width = len(FEATURE_NAMES)
        none = np.empty(0)
        nobody = np.empty(0, np.int64)
        return Trial(np.empty((0, width), np.float32), none, np.empty(0, bool), none, nobody, nobody)
    columns = zip(*((p.X, p.y, p.treated, p.share, p.campaign, p.at_ms) for p in parts), strict=True)
    return Trial(*map(np.concatenate, columns))


def two_models(of: Trial, seed: int) -> Trees:
    """A model of those approached, less one of those held back."""
    arms = [_fit(of.X[own], of.y[own], seed) for own in (of.treated, ~of.treated)]
    return Trees((Ensemble(arms[0], TREES), Ensemble(arms[1], TREES, -1.0)))


def transformed_outcome(of: Trial, seed: int) -> Trees:
    """One model of the outcome, transformed so that its mean is the difference."""
    return Trees((Ensemble(_fit(of.X, of.transformed, seed), TREES),))


def x_learner(of: Trial, seed: int) -> Trees:
    """What each customer did, less what a model of the other arm expects of them, in a model for each arm."""
    approached, held_back = (_fit(of.X[own], of.y[own], seed) for own in (of.treated, ~of.treated))
    more = of.y[of.treated] - held_back.predict(of.X[of.treated])
    less = approached.predict(of.X[~of.treated]) - of.y[~of.treated]
    models = [_fit(of.X[own], y, seed) for own, y in ((of.treated, more), (~of.treated, less))]
    share = float(of.treated.mean())
    return Trees((Ensemble(models[0], TREES, 1 - share), Ensemble(models[1], TREES, share)))


LEARNERS: dict[str, Callable[[Trial, int], Trees]] = {
    "two models": two_models,
    "transformed outcome": transformed_outcome,
    "x-learner": x_learner,
}


def fit_uplift(target: Target, points: PointsInTime, first_ms: int, end_ms: int, config: Config) -> FittedTarget:
    """Fits `target` on the campaigns between these instants (UTC milliseconds): the way whose ranking is best of
    customers whom it did not know. Nothing is claimed where the arms were not drawn by lot, or where a ranking by
    chance may have done as well."""
    of = trial(target, points, end_ms)
    arms = [int(of.treated.sum()), len(of.y) - int(of.treated.sum())]
    if min(arms) < FEWEST_IN_AN_ARM:
        return FittedTarget(
            target,
            f"not enough data: {arms[0]:,} were approached and {arms[1]:,} held back by campaigns whose"
            f" {target.horizon_days} days are over; {FEWEST_IN_AN_ARM} of each are needed",
        )
    apart = largest_difference(of.X, of.treated, of.campaign)
    notes: dict[str, Any] = {"approached": arms[0], "held_back": arms[1], "balance": _about(apart)}
    if apart.is_no_chance:
        return FittedTarget(
            target,
            f"who was approached was not drawn by lot ({apart}), so that what they did besides says nothing of what the"
            " campaign changed",
            notes=notes,
        )
    effect, error = of.effect
    notes["effect"] = {"value": effect, "low": effect - USUAL * error, "high": effect + USUAL * error}
    if of.y.sum() < config.minimum_class_count:
        return FittedTarget(target, f"not enough data: it happened {of.y.sum():.0f} times", notes=notes)
    judged = {name: out_of_fold(of, learner, config.seed) for name, learner in LEARNERS.items()}
    qinis = {name: qini(of.y, predicted, of.treated, config.seed) for name, predicted in judged.items()}
    leaderboard = {name: _figures(target, of, judged[name], qinis[name]) for name in judged}
    best = max(qinis, key=lambda name: qinis[name].value)
    if not qinis[best].is_sure:
        low, high = qinis[best].interval(SURE)
        return FittedTarget(
            target,
            f"not enough data: whom the campaign changes more cannot be told, as the Qini coefficient of"
            f" {qinis[best].value:.3f} lies between {low:.3f} and {high:.3f}, which holds 0",
            leaderboard=leaderboard,
            notes=notes,
        )
    model = Model(best, target.kind, LEARNERS[best](of, config.seed), Scaled("uplift"))
    last_ms = int(of.at_ms.max())
    return FittedTarget(
        target,
        model=model,
        judged=[last_ms],
        by_cutoff=[leaderboard[best]],
        leaderboard=leaderboard,
        holdout=(judged[best], of.transformed),
        held_out=of.X,
        cutoffs=[last_ms],
        fitted_on=of.X,
        notes=notes,
    )


def out_of_fold(of: Trial, learner: Callable[[Trial, int], Ranking], seed: int) -> Vector:
    """What a way predicts for each customer by models that did not know them [n]."""
    fold = np.empty(len(of.y), np.int64)
    random = np.random.default_rng(seed)
    # As many of either arm and outcome in each part.
    for stratum in np.unique(2 * of.treated + of.y):
        own = random.permutation(np.flatnonzero(2 * of.treated + of.y == stratum))
        fold[own] = np.arange(len(own)) % FOLDS
    predicted = np.empty(len(of.y))
    for number in range(FOLDS):
        own = fold == number
        predicted[own] = learner(of.take(~own), seed).margin(of.X[own])
    return predicted


def _figures(target: Target, of: Trial, predicted: Vector, ranking: Qini) -> Metrics:
    low, high = ranking.interval()
    return {
        **measure(target, of.transformed, predicted),
        "approached": int(of.treated.sum()),
        "qini": ranking.value,
        "qini_low": low,
        "qini_high": high,
    }


def _about(apart: Difference) -> dict[str, Any]:
    return {
        "feature": apart.feature,
        "treatment": apart.treatment,
        "control": apart.control,
        "deviations": apart.deviations,
        "chance": apart.chance,
        "by_lot": not apart.is_no_chance,
    }


def _fit(X: Matrix, y: Vector, seed: int) -> XGBRegressor:
    model = XGBRegressor(
        n_estimators=TREES,
        max_depth=DEPTH,
        learning_rate=SHRINKAGE,
        min_child_weight=max(10.0, LEAF_SHARE * len(y)),
        subsample=0.8,
        colsample_bytree=0.5,
        reg_lambda=5.0,
        objective="reg:squarederror",
        tree_method="hist",
        random_state=seed,
        n_jobs=1,
    )
    return model.fit(X, y)
