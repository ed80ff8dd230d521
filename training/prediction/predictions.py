"""Fitting a target: candidates judged on the latest slices of time, the winner fitted again on all of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shared.decisions.decision import iso
from shared.durations import DAY_MS
from training.base.config import Config
from training.data.preparation import Matrix
from training.engines.engine import Question
from training.prediction import classic
from training.prediction.calibration import Vector
from training.prediction.candidates import fit_one
from training.prediction.metrics import Metrics, bins
from training.prediction.models import Model
from training.prediction.questions import FeaturesAt
from training.prediction.targets import PointsInTime, Slice, Target, asked_at, cutoffs
from training.prediction.validation import judge, origins, sample, winner


@dataclass(frozen=True)
class FittedTarget:
    """What came of one target: a model with its figures, or the reason why there is none."""

    target: Target
    reason: str | None = None
    model: Model | None = None
    judged: list[int] = field(default_factory=list)
    """Cut-offs of the slices that the candidates were judged on, UTC milliseconds, latest first."""
    by_cutoff: list[Metrics] = field(default_factory=list)
    """The winner's figures on each of them, by models fitted on slices whose outcomes were complete before it."""
    leaderboard: dict[str, Metrics] = field(default_factory=dict)
    """Every candidate's mean figures over these slices, by name; the classic's as well, which is never chosen."""
    missing: dict[str, str] = field(default_factory=dict)
    """Why something has no line in the leaderboard, by its name."""
    bins: list[tuple[float, float, int]] = field(default_factory=list)
    """Mean prediction, mean outcome and rows for each tenth of the latest slice, by prediction."""
    holdout: tuple[Vector, Vector] | None = None
    """The winner's predictions for the latest slice, and what came of it."""
    held_out: Matrix | None = None
    """The features of these rows [n, n_features]."""
    cutoffs: list[int] = field(default_factory=list)
    """Of the slices behind the model, UTC milliseconds, latest first."""
    fitted_on: Matrix | None = None
    """The rows behind the model [n, n_features]."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """What more the manifest says of it."""
    earlier: list[tuple[int, Model]] = field(default_factory=list)
    """What the slices were judged by, latest first: the same kind of model, each with the instant (UTC milliseconds) up
    to which it knew what happened."""

    def as_of(self, instant_ms: int) -> Model | None:
        """The latest of `earlier` that knew nothing of what happened after the instant (UTC milliseconds)."""
        return next((model for known_ms, model in self.earlier if known_ms <= instant_ms), None)

    @property
    def metrics(self) -> Metrics:
        """Of the winner on the latest slice."""
        return self.by_cutoff[0] if self.by_cutoff else {}

    def about(self) -> dict[str, Any]:
        """What the manifest says of the target, ready for JSON."""
        target = self.target
        about: dict[str, Any] = {
            "trained": self.model is not None,
            "meaning": target.meaning,
            "horizon_days": target.horizon_days,
            "output": target.output,
            "kind": target.kind,
            "asked": target.asked,
        }
        if target.entry.intent:
            about["intent"] = target.entry.intent
        about |= self.notes
        if self.model is None or self.fitted_on is None:
            return {**about, "reason": self.reason}
        return {
            **about,
            "reason": None,
            "model": self.model.name,
            "calibration": self.model.calibration.name,
            "cutoffs": list(map(iso, self.cutoffs)),
            "rows": len(self.fitted_on),
            "metrics": _rounded(self.metrics),
            "validation": {
                "mean": _rounded(self.leaderboard[self.model.name]),
                "cutoffs": {iso(at): _rounded(m) for at, m in zip(self.judged, self.by_cutoff, strict=True)},
            },
        }


def fit_target(target: Target, points: PointsInTime, first_ms: int, end_ms: int, config: Config) -> FittedTarget:
    """Fits `target` on what the events from `first_ms` to `end_ms` (UTC milliseconds) support: an amount over the
    longest of its horizons that they cover."""
    covered = longest_covered(target, first_ms, end_ms, config)
    if covered is None:
        days = [target, *target.shorter()][-1].horizon_days
        needed = config.minimum_history_days + days + max(days, config.cutoff_every_days)
        return FittedTarget(target, f"the events span {(end_ms - first_ms) / DAY_MS:.0f} days; {needed} are needed")
    target = covered
    at = cutoffs(first_ms, end_ms, target.horizon_days, config)
    slices = [points.slice(target, cutoff) for cutoff in at]
    if reason := _too_few(target, slices, config):
        return FittedTarget(target, reason)
    rounds = origins(target, slices, config)
    if not rounds or rounds[0][0] is not slices[0]:
        return FittedTarget(target, f"all rows of a time slice are alike in: {target.meaning}")

    judged = judge(target, rounds, config)
    leaderboard = {name: of.mean() for name, of in judged.items()}
    best = winner(target, leaderboard, config)
    reference, missing = classic.judge(target, points, [s for s, _ in rounds])
    everything = sample(target, slices, config)
    model = fit_one(best, target.task, everything.X, everything.y, everything.weight, config)
    first = judged[best].predicted[0]
    calibration = judged[best].calibration
    known_ms = [known[0].cutoff_ms + target.horizon_days * DAY_MS for _, known in rounds]
    before = [Model(best, target.kind, estimator, calibration) for estimator in judged[best].estimators]
    return FittedTarget(
        target,
        model=Model(best, target.kind, model, calibration),
        judged=[s.cutoff_ms for s, _ in rounds],
        by_cutoff=judged[best].figures,
        leaderboard=leaderboard | reference,
        missing=missing,
        bins=bins(slices[0].y, first),
        holdout=(first, slices[0].y),
        held_out=slices[0].X,
        cutoffs=at,
        fitted_on=everything.X,
        earlier=list(zip(known_ms, before, strict=True)),
    )


def longest_covered(target: Target, first_ms: int, end_ms: int, config: Config) -> Target | None:
    """The target over the longest of its horizons that the events from `first_ms` to `end_ms` support, if any."""
    wanted = [target, *target.shorter()]
    covered = (one for one in wanted if _is_covered(cutoffs(first_ms, end_ms, one.horizon_days, config), one))
    return next(covered, None)


def foreseen(target: Target, span_ms: tuple[int, int], config: Config) -> Iterator[Question]:
    """All that may be asked to fit the target on what the events of `span_ms` support; of who was approached by a
    campaign nothing, as their profiles are needed whole."""
    covered = longest_covered(target, *span_ms, config)
    if covered is None or target.entry.whom == "exposed":
        return
    at = cutoffs(*span_ms, covered.horizon_days, config)
    for cutoff in at:
        yield FeaturesAt(cutoff, config.zone.name)
        yield from asked_at(covered, cutoff)
    if covered.in_silence:
        yield from map(classic.BuyersAt, at[: config.validation_slices])


def _is_covered(at: Sequence[int], target: Target) -> bool:
    """Whether the outcomes of an earlier of the cut-offs are complete at the latest."""
    return any(cutoff + target.horizon_days * DAY_MS <= at[0] for cutoff in at)


def _too_few(target: Target, slices: Sequence[Slice], config: Config) -> str | None:
    positives = sum(int((s.y > 0).sum()) for s in slices)
    negatives = sum(len(s.y) for s in slices) - positives
    counts = {"with": positives} if target.kind == "amount" else {"with": positives, "without": negatives}
    for word, count in counts.items():
        if count < config.minimum_class_count:
            return f"only {count} rows {word} {target.meaning}; {config.minimum_class_count} are needed"
    return None


def _rounded(metrics: Metrics) -> dict[str, float | None]:
    return {key: round(value, 6) if np.isfinite(value) else None for key, value in metrics.items()}
