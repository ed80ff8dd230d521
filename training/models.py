"""The prediction models: a margin from the features, then a calibrated link to a probability or an amount."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, TweedieRegressor
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBRegressor

from training.config import Config
from training.preparation import Matrix, preparation

type Vector = NDArray[np.float64]
type Kind = Literal["probability", "amount"]

TWEEDIE_POWER = 1.5
"""Between 1 and 2: mostly zeros, and otherwise amounts with a long tail."""


@dataclass(frozen=True)
class Model:
    """prediction = link(slope * margin(features) + offset); the link is the sigmoid or, for amounts, exp."""

    name: str
    kind: Kind
    estimator: Pipeline | XGBRegressor
    slope: float = 1.0
    offset: float = 0.0

    def margin(self, X: Matrix) -> Vector:
        """Uncalibrated log-odds, or the logarithm of the amount [n]."""
        if isinstance(self.estimator, XGBRegressor):
            return np.asarray(self.estimator.predict(X, output_margin=True), np.float64)
        linear = self.estimator[-1]
        standardised = self.estimator[:-1].transform(X)
        return np.asarray(standardised.astype(np.float64) @ np.ravel(linear.coef_) + np.ravel(linear.intercept_))

    def predict(self, X: Matrix) -> Vector:
        """Probabilities, or amounts in the data's currency [n]."""
        return link(self.kind, self.slope * self.margin(X) + self.offset)


def link(kind: Kind, margin: Vector) -> Vector:
    """The prediction that a calibrated margin stands for [n]."""
    # tanh is the sigmoid that cannot overflow.
    return 0.5 * (1 + np.tanh(0.5 * margin)) if kind == "probability" else np.exp(margin)


def fit_linear(kind: Kind, X: Matrix, y: Vector, weight: Vector, config: Config) -> Pipeline:
    """Logistic regression, or a Tweedie regression with a log link, on prepared features."""
    estimator = (
        LogisticRegression(C=0.1, max_iter=1000)
        if kind == "probability"
        else TweedieRegressor(power=TWEEDIE_POWER, link="log", alpha=0.1, max_iter=1000)
    )
    pipeline = Pipeline([*preparation(config.clip_share).steps, ("predict", estimator)])
    return pipeline.fit(X, y, predict__sample_weight=weight)


def fit_trees(kind: Kind, X: Matrix, y: Vector, weight: Vector, config: Config) -> XGBRegressor:
    """Boosted trees on raw features; undefined values take the branch that training found better for them."""
    objective: dict[str, Any] = (
        {"objective": "binary:logistic"}
        if kind == "probability"
        else {"objective": "reg:tweedie", "tweedie_variance_power": TWEEDIE_POWER}
    )
    return XGBRegressor(
        **objective,
        n_estimators=config.trees,
        max_depth=config.tree_depth,
        learning_rate=config.learning_rate,
        min_child_weight=5,
        subsample=0.8,
        colsample_bytree=0.6,
        reg_lambda=2.0,
        tree_method="hist",
        random_state=config.seed,
        n_jobs=config.threads,
    ).fit(X, y, sample_weight=weight)


type Fit = Callable[[Kind, Matrix, Vector, Vector, Config], Pipeline | XGBRegressor]

CANDIDATES: dict[str, Fit] = {"linear": fit_linear, "xgboost": fit_trees}
"""Ways to fit a target, the simplest first: it wins a tie."""


def fit_calibrated(
    name: str, kind: Kind, X: Matrix, y: Vector, weight: Vector, customers: NDArray[np.int64], config: Config
) -> Model:
    """The candidate `name` fitted on every row; all arguments are of length n, `weight` says how many rows each is.

    The calibration is fitted on margins from models that never saw the row's customer: Platt's sigmoid for
    probabilities, and for amounts the factor that makes the totals agree.
    """
    fit = CANDIDATES[name]
    held_out = np.empty(len(y))
    for rest, fold in GroupKFold(config.calibration_folds).split(X, groups=customers):
        held_out[fold] = Model(name, kind, fit(kind, X[rest], y[rest], weight[rest], config)).margin(X[fold])
    slope, offset = _calibration(kind, held_out, y, weight)
    return Model(name, kind, fit(kind, X, y, weight, config), slope, offset)


def _calibration(kind: Kind, margin: Vector, y: Vector, weight: Vector) -> tuple[float, float]:
    if kind == "amount":
        return 1.0, float(np.log((weight * y).sum() / (weight * np.exp(margin)).sum()))
    scale = StandardScaler().fit(margin[:, None])
    platt = LogisticRegression(C=1e6, max_iter=1000).fit(scale.transform(margin[:, None]), y, sample_weight=weight)
    slope = float(platt.coef_[0, 0] / scale.scale_[0])
    return slope, float(platt.intercept_[0] - slope * scale.mean_[0])
