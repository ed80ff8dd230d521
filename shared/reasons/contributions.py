"""Why a bundle decides as it does: exact shares of every feature in a decision, from what `reasons.npz` carries."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shared.features import KNOWN_DEFINITIONS, Profiles, computed_for, features
from shared.features.definitions import Definition, FeaturesChanged, columns, needed
from shared.features.time_zone import UTC_TIME, TimeZone, UnknownTimeZone
from shared.models.manifests import is_probability, is_uplift, outputs, step_name
from shared.reasons.nearest import Nearest, Preparation, Row, Vector
from shared.reasons.sampled import Sampled
from shared.reasons.shapley import Linear, Trees
from shared.telemetry.errors import AnonymousError

FILE = "reasons.npz"

type Arrays = Mapping[str, NDArray[Any]]


class ReasonsMismatch(AnonymousError):
    """The reasons are not those of the bundle, or cannot be read."""


@dataclass(frozen=True)
class Calibration:
    """From a margin to a prediction: a line and then sigmoid or exp, or a broken line."""

    amount: bool
    slope: float = 1.0
    offset: float = 0.0
    x: Vector | None = None
    y: Vector | None = None
    linear: bool = False
    """Whether the line itself is the prediction, as of what a campaign changes."""

    @property
    def scale(self) -> str:
        """What contributions to the prediction are counted in."""
        if self.x is not None:
            return "margin before calibration"
        if self.linear:
            return "difference of probabilities"
        return "logarithm of the amount" if self.amount else "log-odds"

    def shown(self, margin: float) -> float:
        """The margin on the scale that reasons add up on."""
        return margin if self.x is not None else self.slope * margin + self.offset

    def predict(self, margin: float) -> float:
        """The prediction."""
        if self.x is not None and self.y is not None:
            return float(np.interp(margin, self.x, self.y))
        line = self.shown(margin)
        if self.linear:
            return line
        return float(np.exp(line)) if self.amount else float(0.5 * (1 + np.tanh(0.5 * line)))


@dataclass(frozen=True)
class PredictionReasons:
    """Why one prediction is what it is; on a scale on which features add up."""

    model: Trees | Linear | Sampled
    calibration: Calibration

    @property
    def _factor(self) -> float:
        return 1.0 if self.calibration.x is not None else self.calibration.slope

    @property
    def baseline(self) -> float:
        """Mean of the background, on the scale."""
        return self.calibration.shown(self.model.baseline)

    def contributions(self, x: Row) -> Vector:
        """Shapley values of one customer [n_features], exact but of a model that is sampled: they sum to `shown` less
        `baseline`."""
        return self._factor * self.model.contributions(x)

    def error(self, x: Row) -> float | None:
        """The largest standard error of one customer's contributions; None where they are exact."""
        return abs(self._factor) * self.model.error(x) if isinstance(self.model, Sampled) else None

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
    """All that explains the decisions of one bundle, of the features that the bundle needs."""

    features: tuple[str, ...]
    """Their names, in the bundle's order: n_features of them."""
    columns: list[int]
    """Where each stands among COMPUTED [n_features]."""
    segment: Nearest
    predictions: Mapping[str, PredictionReasons]
    """By output."""
    zone: TimeZone = UTC_TIME
    """The shop's time, in which the features were computed."""

    def features_at(self, profiles: Profiles, as_of_ms: int) -> Row:
        """The features that the bundle needs of a single profile, at an instant in UTC milliseconds [n_features]."""
        return self.own(features(profiles, as_of_ms, self.zone, computed_for(self.columns))[0])

    def own(self, x: Row) -> Row:
        """Of a customer's features [n_known] those that the bundle needs [n_features]."""
        return x[self.columns]

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
        if str(arrays["bundle_id"]) != bundle_id:
            raise ReasonsMismatch(f"{FILE} was made for bundle {arrays['bundle_id']}, not for {bundle_id}")
        try:
            definitions = _definitions(arrays, manifest)
            at = columns(definitions, KNOWN_DEFINITIONS)
            zone = TimeZone.of(manifest.get("time_zone", UTC_TIME.name))
        except UnknownTimeZone as error:
            raise ReasonsMismatch(f"bundle {bundle_id}: {error}") from error
        except FeaturesChanged as error:
            raise ReasonsMismatch(f"bundle {bundle_id} was trained on other features: {error}") from error
        return cls(
            tuple(definition.name for definition in definitions),
            at,
            _nearest(arrays),
            {
                output: _prediction(output, arrays)
                for output in outputs(manifest)
                if f"{step_name(output)}/base" in arrays
            },
            zone,
        )


def _definitions(arrays: Arrays, manifest: Mapping[str, Any]) -> tuple[Definition, ...]:
    texts = {name: str(arrays[name]) for name in ("feature_set_hash", "feature_definitions") if name in arrays}
    names = json.dumps(arrays["features"].tolist())
    return needed({"feature_names": names, "feature_set_hash": str(manifest.get("feature_set_hash")), **texts})


def _prepare(name: str, arrays: Arrays) -> Preparation:
    return Preparation(*(arrays[f"{name}/{part}"] for part in ("fill", "log", "low", "high", "mean", "scale")))


def _nearest(arrays: Arrays) -> Nearest:
    eps = float(arrays["segment/eps"]) if "segment/eps" in arrays else None
    components, centre, prototypes = (
        arrays[f"segment/{part}"].astype(np.float64) for part in ("components", "centre", "prototypes")
    )
    unusual = int(arrays["segment/unusual"]) if "segment/unusual" in arrays else None
    return Nearest(_prepare("segment", arrays), components, centre, prototypes, arrays["segment/owner"], eps, unusual)


def _prediction(output: str, arrays: Arrays) -> PredictionReasons:
    name = step_name(output)
    base = float(arrays[f"{name}/base"])
    amount = not is_probability(output)
    model: Trees | Linear | Sampled
    if f"{name}/graph" in arrays:
        model = Sampled(arrays[f"{name}/graph"].tobytes(), arrays[f"{name}/rows"])
    elif f"{name}/feature" in arrays:
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
    return PredictionReasons(model, Calibration(amount, slope, offset, linear=is_uplift(output)))
