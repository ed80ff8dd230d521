"""Why a bundle decides as it does: exact shares of every feature in a decision, from what `reasons.npz` carries."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import factorial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shared.features import FEATURE_NAMES

FILE = "reasons.npz"
TINY = 1e-30
OUTPUTS = {"churn_probability": "churn", "conversion_probability": "conversion", "expected_ltv": "ltv"}

type Arrays = Mapping[str, NDArray[Any]]
type Vector = NDArray[np.float64]
type Row = NDArray[np.float32]


class ReasonsMismatch(Exception):
    """The reasons are not those of the bundle, or cannot be read."""


@dataclass(frozen=True)
class Preparation:
    """Impute, log, clip and scale, in float32 as the graph does it; every field is of length n_features."""

    fill: Row
    log: NDArray[np.bool_]
    low: Row
    high: Row
    mean: Row
    scale: Row

    def __call__(self, x: Row) -> Row:
        """Prepared features of the shape of `x` [..., n_features]."""
        filled = np.where(np.isnan(x), self.fill, x)
        logged = np.where(self.log, np.sign(filled) * np.log(np.abs(filled) + np.float32(1)), filled)
        prepared: Row = (np.minimum(np.maximum(logged, self.low), self.high) - self.mean) * self.scale
        return prepared


@dataclass(frozen=True)
class Nearest:
    """Segments as the nearest of labelled prototypes in the space of the principal components."""

    prepare: Preparation
    components: Vector
    """[n_features, n_components], columns of length 1 at right angles to each other."""
    centre: Vector
    """What the prepared features are taken from before they are projected [n_features]."""
    prototypes: Vector
    """[n_prototypes, n_components]"""
    owner: NDArray[np.int64]
    """Segment of each prototype [n_prototypes]."""
    eps: float | None = None
    """Who is farther than this from every prototype is in the segment `unusual`, which has none of its own."""
    unusual: int | None = None

    def distances(self, x: Row) -> Vector:
        """Euclidean distance of one customer to each prototype [n_prototypes]."""
        point = (self.prepare(x) - self.centre) @ self.components
        return np.sqrt(((point - self.prototypes) ** 2).sum(axis=1))

    def segment(self, x: Row) -> int:
        """The segment of one customer."""
        distances = self.distances(x)
        nearest = int(distances.argmin())
        if self.eps is not None and self.unusual is not None and distances[nearest] > self.eps:
            return self.unusual
        return int(self.owner[nearest])

    def contributions(self, x: Row, segment: int, other: int) -> tuple[Vector, float]:
        """How much each feature brings `x` nearer to `segment` than to `other` [n_features], and what that sums to: the
        distance to the nearest prototype of `other` less that to the nearest of `segment`.

        The difference of squared distances d² - e² is linear in the point, so that it splits over the prepared
        features without remainder, each measured from the middle between the two prototypes; d - e is that divided by
        d + e. The unusual are `eps` from their own segment, where it begins: for and against it, every feature counts
        by its part in the distance to the nearest prototype, less the same share of each for `eps`.
        """
        distances = self.distances(x)
        if self.eps is not None and self.unusual in (segment, other):
            shares, beyond = self._beyond(x, distances, self.eps)
            return (shares, beyond) if segment == self.unusual else (-shares, -beyond)
        near, far = (self._nearest_of(which, distances) for which in (segment, other))
        between = self.prototypes[near] - self.prototypes[far]
        middle = self.centre + self.components @ (self.prototypes[near] + self.prototypes[far]) / 2
        total = distances[near] + distances[far]
        shares = 2 * (self.prepare(x) - middle) * (self.components @ between) / (total if total > 0 else 1.0)
        return shares, float(distances[far] - distances[near])

    def _beyond(self, x: Row, distances: Vector, eps: float) -> tuple[Vector, float]:
        nearest = int(distances.argmin())
        distance = max(float(distances[nearest]), TINY)
        gap = self.prepare(x) - self.centre
        along = self.components @ (gap @ self.components - self.prototypes[nearest])
        parts = (gap - self.components @ self.prototypes[nearest]) * along / distance
        return parts * (1 - eps / distance), distance - eps

    def _nearest_of(self, segment: int, distances: Vector) -> int:
        own = np.flatnonzero(self.owner == segment)
        return int(own[distances[own].argmin()])


@dataclass(frozen=True)
class Trees:
    """An ensemble as its leaves: each is a value, and a condition on every feature that the way to it asks for.

    Leaves that ask for fewer than m features are filled up with conditions that everyone meets.
    """

    feature: NDArray[np.int64]
    """[n_leaves, m]"""
    low: Row
    high: Row
    """low <= x < high [n_leaves, m]"""
    undefined: NDArray[np.bool_]
    """Whether NaN meets the condition [n_leaves, m]."""
    value: Vector
    """[n_leaves]"""
    shares: Vector
    """Share of the background that meets each set of a leaf's conditions, a set's bit k standing for the k-th
    [n_leaves, 2 ** m]."""
    base: float

    @cached_property
    def baseline(self) -> float:
        """Mean margin of the background."""
        return self.base + float(self.value @ self.shares[:, -1])

    def margin(self, x: Row) -> float:
        """Of one customer."""
        return self.base + float(self.value @ self._met(x).all(axis=1))

    def contributions(self, x: Row) -> Vector:
        """Interventional Shapley values of the margin [n_features]: they sum to margin less baseline.

        The features S of `x` make a leaf worth its value times the share of the background that meets what is left of
        its conditions, if `x` meets those of S. Only the leaf's own features count, so its Shapley values are a sum
        over 2 ** m sets. H. Laberge and Y. Pequignot, Understanding Interventional TreeSHAP, arXiv:2209.15123.
        """
        m = self.feature.shape[1]
        met = self._met(x) @ (1 << np.arange(m))
        inside, weights = _games(m)
        worth = self.shares[:, ::-1] * inside[met]
        each = (worth @ weights) * self.value[:, None]
        return np.bincount(self.feature.ravel(), each.ravel(), minlength=len(x))

    def _met(self, x: Row) -> NDArray[np.bool_]:
        asked = x[self.feature]
        met: NDArray[np.bool_] = ((asked >= self.low) & (asked < self.high)) | (self.undefined & np.isnan(asked))
        return met


_GAMES: dict[int, tuple[NDArray[np.bool_], Vector]] = {}


def _games(m: int) -> tuple[NDArray[np.bool_], Vector]:
    """For m players: which sets lie in which [2 ** m, 2 ** m], and how much each set's worth counts for each player's
    Shapley value [2 ** m, m]."""
    if m not in _GAMES:
        sets = np.arange(1 << m)
        size = np.array([int(s).bit_count() for s in sets])
        joins = np.array([factorial(max(s - 1, 0)) * factorial(m - s) for s in size]) / factorial(m)
        leaves = np.array([factorial(s) * factorial(max(m - s - 1, 0)) for s in size]) / factorial(m)
        has = (sets[:, None] >> np.arange(m)) & 1 == 1
        _GAMES[m] = (sets & ~sets[:, None] == 0, np.where(has, joins[:, None], -leaves[:, None]))
    return _GAMES[m]


@dataclass(frozen=True)
class Linear:
    """A linear model on prepared features."""

    prepare: Preparation
    coefficients: Vector
    intercept: float
    average: Vector
    """Mean of the background's prepared features [n_features]."""

    @property
    def baseline(self) -> float:
        """Mean margin of the background."""
        return float(self.average @ self.coefficients) + self.intercept

    def margin(self, x: Row) -> float:
        """Of one customer."""
        return float(self.prepare(x).astype(np.float64) @ self.coefficients) + self.intercept

    def contributions(self, x: Row) -> Vector:
        """Shapley values of the margin [n_features]: coefficient times what is above the background's mean."""
        return self.coefficients * (self.prepare(x) - self.average)


@dataclass(frozen=True)
class Calibration:
    """From a margin to a prediction: a line and then sigmoid or exp, or a broken line."""

    amount: bool
    slope: float = 1.0
    offset: float = 0.0
    x: Vector | None = None
    y: Vector | None = None

    @property
    def scale(self) -> str:
        """What contributions to the prediction are counted in."""
        if self.x is not None:
            return "margin before calibration"
        return "logarithm of the amount" if self.amount else "log-odds"

    def shown(self, margin: float) -> float:
        """The margin on the scale that reasons add up on."""
        return margin if self.x is not None else self.slope * margin + self.offset

    def predict(self, margin: float) -> float:
        """The prediction."""
        if self.x is not None and self.y is not None:
            return float(np.interp(margin, self.x, self.y))
        line = self.shown(margin)
        return float(np.exp(line)) if self.amount else float(0.5 * (1 + np.tanh(0.5 * line)))


@dataclass(frozen=True)
class PredictionReasons:
    """Why one prediction is what it is; on a scale on which features add up."""

    model: Trees | Linear
    calibration: Calibration

    @property
    def _factor(self) -> float:
        return 1.0 if self.calibration.x is not None else self.calibration.slope

    @property
    def baseline(self) -> float:
        """Mean of the background, on the scale."""
        return self.calibration.shown(self.model.baseline)

    def contributions(self, x: Row) -> Vector:
        """Exact Shapley values of one customer [n_features]: they sum to `shown` less `baseline`."""
        return self._factor * self.model.contributions(x)

    def at(self, total: float) -> float:
        """The prediction that contributions with a sum of `total` lead to."""
        return self.calibration.predict(self.model.baseline + total / self._factor)

    def shown(self, x: Row) -> float:
        """The prediction on the scale."""
        return self.calibration.shown(self.model.margin(x))

    def prediction(self, x: Row) -> float:
        """The prediction itself."""
        return self.calibration.predict(self.model.margin(x))


@dataclass(frozen=True)
class Reasons:
    """All that explains the decisions of one bundle."""

    segment: Nearest
    predictions: Mapping[str, PredictionReasons]
    """By output."""
    low: Row
    """From here to `high` is what a customer may be expected to reach, of each feature [n_features]."""
    high: Row

    @classmethod
    def from_bytes(cls, content: bytes, manifest: Mapping[str, Any]) -> Self:
        """The reasons in the bytes of `reasons.npz`.

        Raises ReasonsMismatch unless they are those that `manifest` names and were made for this code's features.
        """
        bundle_id = manifest.get("bundle_id")
        if hashlib.sha256(content).hexdigest() != manifest.get("reasons", {}).get("sha256"):
            raise ReasonsMismatch(f"{FILE} is not the one that the manifest of {bundle_id} names")
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except (ValueError, OSError, zipfile.BadZipFile) as error:
            raise ReasonsMismatch(f"{FILE} of {bundle_id} cannot be read: {error}") from error
        if str(arrays["bundle_id"]) != bundle_id or arrays["features"].tolist() != list(FEATURE_NAMES):
            raise ReasonsMismatch(f"{FILE} was made for bundle {arrays['bundle_id']}, not for {bundle_id}")
        return cls(
            _nearest(arrays),
            {output: _prediction(output, name, arrays) for output, name in OUTPUTS.items() if f"{name}/base" in arrays},
            arrays["low"],
            arrays["high"],
        )


def _prepare(name: str, arrays: Arrays) -> Preparation:
    return Preparation(*(arrays[f"{name}/{part}"] for part in ("fill", "log", "low", "high", "mean", "scale")))


def _nearest(arrays: Arrays) -> Nearest:
    eps = float(arrays["segment/eps"]) if "segment/eps" in arrays else None
    components, centre, prototypes = (
        arrays[f"segment/{part}"].astype(np.float64) for part in ("components", "centre", "prototypes")
    )
    unusual = int(arrays["segment/unusual"]) if "segment/unusual" in arrays else None
    return Nearest(_prepare("segment", arrays), components, centre, prototypes, arrays["segment/owner"], eps, unusual)


def _prediction(output: str, name: str, arrays: Arrays) -> PredictionReasons:
    base = float(arrays[f"{name}/base"])
    amount = output == "expected_ltv"
    model: Trees | Linear
    if f"{name}/feature" in arrays:
        tree = {part: arrays[f"{name}/{part}"] for part in ("feature", "low", "high", "undefined", "value", "counts")}
        shares = tree.pop("counts") / float(arrays["background"])
        tree |= {"feature": tree["feature"].astype(np.int64), "value": tree["value"].astype(np.float64)}
        model = Trees(**tree, shares=shares, base=base)
    else:
        exact = [arrays[f"{name}/{part}"].astype(np.float64) for part in ("coefficients", "average")]
        model = Linear(_prepare(name, arrays), exact[0], base, exact[1])
    if f"{name}/x" in arrays:
        return PredictionReasons(model, Calibration(amount, x=arrays[f"{name}/x"], y=arrays[f"{name}/y"]))
    slope, offset = (float(arrays[f"{name}/{part}"]) for part in ("slope", "offset"))
    return PredictionReasons(model, Calibration(amount, slope, offset))
