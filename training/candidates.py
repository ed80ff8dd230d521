"""The kinds of models that compete for a target; each fits a margin from the features."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression, TweedieRegressor
from sklearn.pipeline import Pipeline
from xgboost import XGBRegressor

from training.calibration import TWEEDIE_POWER, Kind, Vector
from training.config import Config
from training.preparation import Matrix, preparation

FOREST_DEPTH = 6
"""Deep enough for a forest, and shallow enough that a path from root to leaf touches few features."""
LINKED = ("reg:tweedie", "count:poisson", "reg:gamma")
"""Objectives whose margin is the logarithm of the prediction."""


@dataclass(frozen=True)
class Linear:
    """Prepared features, each times a coefficient."""

    pipeline: Pipeline

    def margin(self, X: Matrix) -> Vector:
        """Log-odds, or the logarithm of the amount [n]."""
        linear, prepared = self.pipeline[-1], self.pipeline[:-1].transform(X)
        return np.asarray(prepared.astype(np.float64) @ np.ravel(linear.coef_) + np.ravel(linear.intercept_))

    def stages(self) -> Mapping[str, "Linear"]:
        """The model itself."""
        return {"": self}


@dataclass(frozen=True)
class Trees:
    """Trees whose leaves add up; those of several ensembles if there are several."""

    ensembles: tuple[XGBRegressor, ...]
    rounds: int | None = None
    """Rounds of boosting that count; all where it is None."""

    def margin(self, X: Matrix) -> Vector:
        """Log-odds, the logarithm of the amount, or whatever a forest's trees are the mean of [n]."""
        rounds = (0, self.rounds or 0)
        margins = [e.predict(X, output_margin=True, iteration_range=rounds) for e in self.ensembles]
        return np.sum(margins, axis=0, dtype=np.float64)

    def base(self) -> float:
        """The margin before the first tree."""
        return sum((_margin_of(str(e.objective), float(np.ravel(e.intercept_)[0])) for e in self.ensembles), 0.0)

    def stages(self) -> Mapping[str, "Trees"]:
        """The model, and what it was after a half and a quarter of its rounds, by what to add to its name."""
        most = max(e.get_booster().num_boosted_rounds() for e in self.ensembles)
        halves = [most, *takewhile(lambda rounds: rounds >= 20, (most >> k for k in range(1, 3)))]
        return {f", {n} trees": Trees(self.ensembles, n) for n in halves} if most > 1 else {"": self}


type Estimator = Linear | Trees
type Fit = Callable[[Kind, Matrix, Vector, Vector, Config], Estimator]


def _margin_of(objective: str, mean: float) -> float:
    if objective == "binary:logistic":
        return float(np.log(mean / (1 - mean)))
    return float(np.log(mean)) if objective in LINKED else mean


def fit_linear(kind: Kind, X: Matrix, y: Vector, weight: Vector, config: Config) -> Linear:
    """Logistic regression, or a Tweedie regression with a log link, on prepared features."""
    estimator = (
        LogisticRegression(C=0.1, max_iter=1000)
        if kind == "probability"
        else TweedieRegressor(power=TWEEDIE_POWER, link="log", alpha=0.1, max_iter=1000)
    )
    pipeline = Pipeline([*preparation(config.clip_share).steps, ("predict", estimator)])
    return Linear(pipeline.fit(X, y, predict__sample_weight=weight))


def fit_forest(kind: Kind, X: Matrix, y: Vector, weight: Vector, config: Config) -> Trees:
    """A random forest: the mean of deep trees, each on two thirds of the rows and a fifth of the features at a split.

    For amounts it is fitted to log(1 + amount). XGBoost grows it from histograms, with thresholds in float32.
    """
    forest = XGBRegressor(
        objective="reg:squarederror",
        n_estimators=1,
        num_parallel_tree=config.forest_trees,
        learning_rate=1.0,
        max_depth=FOREST_DEPTH,
        min_child_weight=10,
        subsample=0.632,
        colsample_bynode=0.2,
        reg_lambda=1e-3,
        **_common(config),
    )
    return Trees((forest.fit(X, y if kind == "probability" else np.log1p(y), sample_weight=weight),))


def fit_boosted(kind: Kind, X: Matrix, y: Vector, weight: Vector, config: Config) -> Trees:
    """Gradient boosting: logistic, or Tweedie with a log link."""
    if kind == "probability":
        return Trees((_boosted(config, objective="binary:logistic").fit(X, y, sample_weight=weight),))
    tweedie = _boosted(config, objective="reg:tweedie", tweedie_variance_power=TWEEDIE_POWER)
    return Trees((tweedie.fit(X, y, sample_weight=weight),))


def fit_two_part(kind: Kind, X: Matrix, y: Vector, weight: Vector, config: Config) -> Trees:
    """How probable any spend is times how much it is then, both with a log link: their margins add."""
    some = y > 0
    incidence = _boosted(config, objective="count:poisson").fit(X, some.astype(float), sample_weight=weight)
    amount = _boosted(config, objective="reg:gamma").fit(X[some], y[some], sample_weight=weight[some])
    return Trees((incidence, amount))


def _boosted(config: Config, **objective: Any) -> XGBRegressor:
    return XGBRegressor(
        n_estimators=config.trees,
        max_depth=config.tree_depth,
        learning_rate=config.learning_rate,
        min_child_weight=5,
        subsample=0.8,
        colsample_bytree=0.3,
        reg_lambda=2.0,
        **objective,
        **_common(config),
    )


def _common(config: Config) -> dict[str, Any]:
    return {"tree_method": "hist", "random_state": config.seed, "n_jobs": config.threads}


CANDIDATES: dict[str, Fit] = {
    "linear": fit_linear,
    "forest": fit_forest,
    "xgboost": fit_boosted,
    "two-part": fit_two_part,
}
"""Ways to fit a target, the simplest first: it wins a tie."""


def candidates(kind: Kind) -> dict[str, Fit]:
    """Those of CANDIDATES that fit the kind of target."""
    return {name: fit for name, fit in CANDIDATES.items() if kind == "amount" or name != "two-part"}
