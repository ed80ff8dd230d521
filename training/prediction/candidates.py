"""The kinds of models that compete for a target; each fits a margin from the features."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, TweedieRegressor
from sklearn.pipeline import Pipeline
from xgboost import XGBRegressor

from training.base.config import Config
from training.data.preparation import Matrix, preparation
from training.prediction.calibration import TWEEDIE_POWER, Kind, Vector

FOREST_DEPTH = 6
"""Deep enough for a forest, and shallow enough that a path from root to leaf touches few features."""
FEWEST_ROUNDS = 20
"""Boosting is not judged on fewer."""
LEAST_SPREAD = 1e-3
"""A margin that varies less is taken for constant, and not blown up."""
LINKED = ("reg:tweedie", "count:poisson", "reg:gamma")
"""Objectives whose margin is the logarithm of the prediction."""


@dataclass(frozen=True)
class Task:
    """What is learnt."""

    kind: Kind
    rises_with: Sequence[int] = ()
    """For each feature, 1 where the margin may only rise with it, -1 where it may only fall, and 0 where it may do
    either; empty where that is so of all."""

    def directions(self, n_features: int) -> NDArray[np.int64]:
        """`rises_with` of that many features [n_features]."""
        return np.array(self.rises_with or [0] * n_features, np.int64)

    @property
    def constraints(self) -> dict[str, str]:
        """The same for XGBoost; nothing where there are none."""
        return {"monotone_constraints": f"({','.join(map(str, self.rises_with))})"} if any(self.rises_with) else {}


@dataclass(frozen=True)
class Linear:
    """Prepared features, each times a coefficient."""

    pipeline: Pipeline

    def margin(self, X: Matrix) -> Vector:
        """Log-odds, or the logarithm of the amount [n]."""
        linear = self.pipeline[-1]
        prepared = self.pipeline[:-1].transform(X)
        return np.asarray(prepared.astype(np.float64) @ np.ravel(linear.coef_) + np.ravel(linear.intercept_))

    def stages(self) -> Mapping[str, "Linear"]:
        """The model itself."""
        return {"": self}


@dataclass(frozen=True)
class Ensemble:
    """The first rounds of an XGBoost model, times a weight."""

    model: XGBRegressor
    rounds: int
    weight: float = 1.0

    def margin(self, X: Matrix) -> Vector:
        """The weighted sum of the trees' leaves and the model's base [n]."""
        margin = self.model.predict(X, output_margin=True, iteration_range=(0, self.rounds))
        return self.weight * np.asarray(margin, np.float64)

    def base(self) -> float:
        """The weighted margin before the first tree."""
        mean = float(np.ravel(self.model.intercept_)[0])
        objective = str(self.model.objective)
        if objective == "binary:logistic":
            return self.weight * float(np.log(mean / (1 - mean)))
        return self.weight * (float(np.log(mean)) if objective in LINKED else mean)


@dataclass(frozen=True)
class Trees:
    """Trees whose leaves add up, of one ensemble or several."""

    ensembles: tuple[Ensemble, ...]

    def margin(self, X: Matrix) -> Vector:
        """Log-odds, the logarithm of the amount, or whatever a forest's trees are the mean of [n]."""
        return np.sum([ensemble.margin(X) for ensemble in self.ensembles], axis=0, dtype=np.float64)

    def base(self) -> float:
        """The margin before the first tree."""
        return sum((ensemble.base() for ensemble in self.ensembles), 0.0)

    def stages(self) -> Mapping[str, "Trees"]:
        """The model, and what it was after a half and a quarter of its rounds, by what to add to its name."""
        most = max(ensemble.rounds for ensemble in self.ensembles)
        kept = [most, *(most >> halved for halved in (1, 2) if most >> halved >= FEWEST_ROUNDS)]
        return {f", {n} trees": self.cut(n) for n in kept} if most > 1 else {"": self}

    def cut(self, rounds: int) -> "Trees":
        """The model after this many rounds at most."""
        return Trees(tuple(replace(e, rounds=min(e.rounds, rounds)) for e in self.ensembles))


type Estimator = Linear | Trees
type Fit = Callable[[Task, Matrix, Vector, Vector, Config], Estimator]


def fit_linear(task: Task, X: Matrix, y: Vector, weight: Vector, config: Config) -> Linear:
    """Logistic regression, or a Tweedie regression with a log link, on prepared features.

    The logistic one has an L1 penalty: where few rows are of the rarer kind, most features had better not count. Nor
    does a feature with which the margin would go the other way than the task allows.
    """
    prepare = preparation(config.clip_share)
    prepared = prepare.fit_transform(X)
    held = np.ones(X.shape[1], bool)
    while True:
        linear = _linear(task.kind, config).fit(np.where(held, prepared, 0), y, sample_weight=weight)
        wrong = held & (np.ravel(linear.coef_) * task.directions(X.shape[1]) < 0)
        if not wrong.any():
            return Linear(Pipeline([*prepare.steps, ("predict", linear)]))
        held &= ~wrong


def _linear(kind: Kind, config: Config) -> LogisticRegression | TweedieRegressor:
    return (
        # Scaled, the intercept is next to free of the penalty: it alone makes what is rare rare.
        LogisticRegression(
            C=0.1,
            l1_ratio=1.0,
            solver="liblinear",
            intercept_scaling=30.0,
            tol=1e-3,
            max_iter=1000,
            random_state=config.seed,
        )
        if kind == "probability"
        else TweedieRegressor(power=TWEEDIE_POWER, link="log", alpha=0.1, solver="newton-cholesky", max_iter=1000)
    )


def fit_forest(task: Task, X: Matrix, y: Vector, weight: Vector, config: Config) -> Trees:
    """A random forest: the mean of deep trees, each on two thirds of the rows and a fifth of the features at a split.

    For amounts a leaf with r times the mean amount of all adds 2 (r - 1) / (r + 1), one step of Newton's from the mean
    towards the least Tweedie deviance (power 1.5): about log r, and never beyond 2, so that a single large order stays
    one. XGBoost grows the trees from histograms, with thresholds in float32.
    """
    chance = task.kind == "probability"
    tweedie = {"objective": "reg:tweedie", "tweedie_variance_power": TWEEDIE_POWER}
    loss: dict[str, Any] = {"objective": "reg:squarederror"} if chance else tweedie
    forest = XGBRegressor(
        n_estimators=1,
        num_parallel_tree=config.forest_trees,
        learning_rate=1.0,
        max_depth=FOREST_DEPTH,
        min_child_weight=10,
        subsample=0.632,
        colsample_bynode=0.2,
        reg_lambda=1e-3,
        **loss,
        **task.constraints,
        **_common(config),
    )
    # In units of their mean, amounts in any currency grow the same trees.
    outcomes = y if chance else y / np.average(y, weights=weight)
    return Trees((Ensemble(forest.fit(X, outcomes, sample_weight=weight), 1),))


def fit_boosted(task: Task, X: Matrix, y: Vector, weight: Vector, config: Config) -> Trees:
    """Gradient boosting: logistic, or Tweedie with a log link."""
    if task.kind == "probability":
        boosted = _boosted(task, config, objective="binary:logistic")
    else:
        boosted = _boosted(task, config, objective="reg:tweedie", tweedie_variance_power=TWEEDIE_POWER)
    return Trees((Ensemble(boosted.fit(X, y, sample_weight=weight), config.trees),))


def fit_two_part(task: Task, X: Matrix, y: Vector, weight: Vector, config: Config) -> Trees:
    """How probable any spend is times how much it is then, both with a log link: their margins add."""
    some = y > 0
    incidence = _boosted(task, config, objective="count:poisson").fit(X, some.astype(float), sample_weight=weight)
    amount = _boosted(task, config, objective="reg:gamma").fit(X[some], y[some], sample_weight=weight[some])
    return Trees((Ensemble(incidence, config.trees), Ensemble(amount, config.trees)))


def blend(boosted: Estimator, forest: Estimator, X: Matrix) -> Trees:
    """The sum of the boosted model, after half of its rounds, and the forest; weighted so that both margins vary alike
    over the rows X [n, n_features]."""
    assert isinstance(boosted, Trees) and isinstance(forest, Trees)
    half = boosted.cut(max(1, boosted.ensembles[0].rounds // 2))
    return Trees(
        tuple(
            replace(ensemble, weight=1 / max(float(part.margin(X).std()), LEAST_SPREAD))
            for part in (half, forest)
            for ensemble in part.ensembles
        )
    )


def _boosted(task: Task, config: Config, **objective: Any) -> XGBRegressor:
    return XGBRegressor(
        n_estimators=config.trees,
        max_depth=config.tree_depth,
        learning_rate=config.learning_rate,
        min_child_weight=5,
        subsample=0.8,
        colsample_bytree=0.3,
        reg_lambda=2.0,
        **objective,
        **task.constraints,
        **_common(config),
    )


def _common(config: Config) -> dict[str, Any]:
    # Threads of one model wait for each other more than they work; it is targets that are fitted beside each other.
    return {"tree_method": "hist", "random_state": config.seed, "n_jobs": 1}


CANDIDATES: dict[str, Fit] = {
    "linear": fit_linear,
    "forest": fit_forest,
    "xgboost": fit_boosted,
    "two-part": fit_two_part,
}
"""Ways to fit a target, the simplest first: it wins a tie."""
BLEND = "blend"


def candidates(kind: Kind) -> dict[str, Fit]:
    """Those of CANDIDATES that fit the kind of target."""
    return {name: fit for name, fit in CANDIDATES.items() if kind == "amount" or name != "two-part"}


def fit_all(task: Task, X: Matrix, y: Vector, weight: Vector, config: Config) -> dict[str, Estimator]:
    """Every candidate and every stage of it by name, and the blend of two of them; arguments as for each."""
    fitted = {name: fit(task, X, y, weight, config) for name, fit in candidates(task.kind).items()}
    if {"xgboost", "forest"} <= fitted.keys():
        fitted[BLEND] = blend(fitted["xgboost"], fitted["forest"], X)
    return {
        name + stage: estimator
        for name, model in fitted.items()
        for stage, estimator in (model.stages() if name != BLEND else {"": model}).items()
    }


def fit_one(name: str, task: Task, X: Matrix, y: Vector, weight: Vector, config: Config) -> Estimator:
    """The one of these names, without the others."""
    if name == BLEND:
        boosted, forest = (CANDIDATES[part](task, X, y, weight, config) for part in ("xgboost", "forest"))
        return blend(boosted, forest, X)
    fit, _, stage = name.partition(",")
    return CANDIDATES[fit](task, X, y, weight, config).stages()[f",{stage}" if stage else ""]
