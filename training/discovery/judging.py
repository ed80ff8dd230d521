"""Which candidates would improve a target: looked for before the days that are held out, and judged on those alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm, rankdata

from shared.features import Feature
from shared.features.history import History
from training.base.config import Config
from training.data.preparation import Matrix
from training.discovery.candidates import Candidate
from training.discovery.synthesised import Synthesised
from training.prediction.calibration import Vector
from training.prediction.candidates import CANDIDATES, Estimator, Task
from training.prediction.metrics import LEAST
from training.prediction.targets import PointsInTime, Slice, Target
from training.prediction.validation import Sample, sample

TREES = 150
"""Of the model that a feature has to improve: boosted trees, as one of the contest's candidates is."""
BINS = 8
ALIKE = 0.95
"""Rank correlation from which on two columns say the same."""
SHUFFLED = 3
"""Columns of nothing that are judged as candidates are: what these gain is chance."""
CONFIDENCE = 0.95
"""That none of all the candidates that are judged is told of by chance."""

type Round = tuple[Slice, list[Slice]]
"""A slice that is held out, and those whose outcomes were known by then."""
type Column = Callable[[Slice], Vector]
"""A candidate's values of a slice's rows [n]."""


@dataclass(frozen=True)
class Gain:
    """What a column takes off a target's loss on the slices that were held out: a mean over rows."""

    mean: float
    low: float
    """The interval holds for all candidates that were judged together."""
    high: float
    by_cutoff: list[float]
    """Latest first."""

    def is_found(self, by_chance: float) -> bool:
        """Whether it is there beyond chance: above that of shuffled columns, and at more cut-offs than not."""
        return (
            self.low > 0
            and self.mean > by_chance
            and sum(gain > 0 for gain in self.by_cutoff) * 2 > len(self.by_cutoff)
        )


@dataclass(frozen=True)
class Judgement:
    """What came of all that were judged."""

    loss: float
    """Without any of them, the mean over rows."""
    rows: int
    gains: list[Gain]
    by_chance: float
    """The most that a shuffled column gained."""


def screened(
    target: Target, known: Sequence[Slice], synthesised: Synthesised, most: int, config: Config
) -> list[Candidate]:
    """The candidates that tell most of what the catalogue's features leave open, the best first, `most` of them: by the
    slices that nothing is judged on. What says the same as a feature of the catalogue, or as a better one, is none.
    """
    rows = [np.flatnonzero(np.isin(one.customers, synthesised.who)) for one in known]
    some = [_taken(one, at) for one, at in zip(known, rows, strict=True)]
    values = np.concatenate(
        [synthesised.values[one.cutoff_ms][np.searchsorted(synthesised.who, one.customers)] for one in some]
    )
    whole = sample(target, some, config)
    X, y, customer = whole.X, whole.y, np.concatenate([one.customers for one in some])
    margin = np.zeros(len(y))
    half = np.searchsorted(synthesised.who, customer) % 2
    for own in (half == 0, half == 1):
        model = _fitted(target.task, Sample(X[~own], y[~own], whole.weight[~own]), config)
        margin[own] = model.margin(X[own])
    left, weight = _open(target, y, margin)
    scores = [_told(column, left, weight) for column in values.T]
    ranks = _Ranks(X)
    chosen: list[Candidate] = []
    for place in np.argsort(scores)[::-1].tolist():
        if len(chosen) == most or scores[place] <= 0:
            break
        if ranks.are_new(values[:, place]):
            chosen.append(synthesised.candidates[place])
    return chosen


def judged(
    target: Target,
    rounds: Sequence[Round],
    columns: Sequence[Column],
    config: Config,
    advance: Callable[[float, str], None],
) -> Judgement:
    """What each column gains on the slices that `rounds` hold out, beside shuffled ones; `advance` is told of each of
    `(1 + len(columns) + SHUFFLED) * len(rounds)` fits."""
    rng = np.random.default_rng(config.seed)
    shuffled = [_shuffled(column, rng) for column in columns[:SHUFFLED]]
    without = _losses(target, rounds, None, config, advance)
    rows = [len(one) for one in without]
    customers = np.concatenate([held.customers for held, _ in rounds])
    width = float(norm.ppf(1 - (1 - CONFIDENCE) / (2 * max(len(columns), 1))))

    def gain(column: Column) -> Gain:
        with_it = _losses(target, rounds, column, config, advance)
        by_row = np.concatenate([before - after for before, after in zip(without, with_it, strict=True)])
        mean = float(by_row.mean())
        # A customer is in several slices, whose rows are not by chance alone each.
        _, at = np.unique(customers, return_inverse=True)
        error = float(np.sqrt(np.sum(np.bincount(at, by_row - mean) ** 2)) / len(by_row))
        each = [float(part.mean()) for part in np.split(by_row, np.cumsum(rows)[:-1])]
        return Gain(mean, mean - width * error, mean + width * error, each)

    by_chance = max([gain(column).mean for column in shuffled], default=0.0)
    gains = [gain(column) for column in columns]
    return Judgement(float(np.concatenate(without).mean()), sum(rows), gains, by_chance)


def column_of(feature: Feature, points: PointsInTime) -> Column:
    """A feature's values as the functions would compute them, each cut-off's worked out once."""
    known: dict[int, Vector] = {}

    def values(one: Slice) -> Vector:
        if one.cutoff_ms not in known:
            history = History(points.known, one.cutoff_ms, points.zone)
            known[one.cutoff_ms] = feature.formula(history, feature.window_days).astype(np.float32)
        return known[one.cutoff_ms][one.customers]

    return values


def _shuffled(column: Column, rng: np.random.Generator) -> Column:
    known: dict[int, Vector] = {}

    def values(one: Slice) -> Vector:
        if one.cutoff_ms not in known:
            known[one.cutoff_ms] = rng.permutation(column(one))
        return known[one.cutoff_ms]

    return values


def _losses(
    target: Target,
    rounds: Sequence[Round],
    column: Column | None,
    config: Config,
    advance: Callable[[float, str], None],
) -> list[Vector]:
    """The loss of each row of each slice that is held out."""
    losses = []
    for held, known in rounds:
        before = sample(target, [_with(one, column) for one in known], config)
        model = _fitted(target.task, before, config)
        margin = model.margin(_with(held, column).X)
        if target.kind == "amount":
            level = float((before.y * before.weight).sum() / (np.exp(model.margin(before.X)) * before.weight).sum())
            losses.append(_deviance(np.maximum(held.y, 0), np.maximum(np.exp(margin) * level, LEAST)))
        else:
            losses.append(np.logaddexp(0, margin) - held.y * margin)
        advance(1, "held-out cut-offs")
    return losses


def _with(one: Slice, column: Column | None) -> Slice:
    return one if column is None else replace(one, X=np.column_stack([one.X, column(one)]).astype(np.float32))


def _taken(one: Slice, at: NDArray[np.intp]) -> Slice:
    return replace(one, customers=one.customers[at], X=one.X[at], y=one.y[at])


def _fitted(task: Task, known: Sample, config: Config) -> Estimator:
    """The model; its margin may rise or fall with features that the catalogue lacks."""
    more = known.X.shape[1] - len(task.rises_with)
    free = replace(task, rises_with=[*task.rises_with, *[0] * more]) if task.rises_with else task
    few = replace(config, trees=min(config.trees, TREES))
    return CANDIDATES["xgboost"](free, known.X, known.y, known.weight, few)


def _deviance(y: Vector, predicted: Vector) -> Vector:
    """Tweedie's of power 1.5, row by row."""
    deviance: Vector = 4 * (np.sqrt(predicted) + y / np.sqrt(predicted) - 2 * np.sqrt(y))
    return deviance


def _open(target: Target, y: Vector, margin: Vector) -> tuple[Vector, Vector]:
    """What the margin leaves open of each row: the loss's slope and curvature."""
    if target.kind == "amount":
        said = np.exp(margin)
        said *= max(float(y.mean()), LEAST) / max(float(said.mean()), LEAST)
        return y - said, np.maximum(said, LEAST)
    said = expit(margin)
    return y - said, said * (1 - said)


def _told(column: Vector, left: Vector, weight: Vector) -> float:
    """How much of what is left open the column tells, in bins of its values, less what chance would."""
    defined = np.isfinite(column)
    if not defined.any():
        return 0.0
    edges = np.unique(np.quantile(column[defined], np.linspace(0, 1, BINS + 1)[1:-1]))
    place = np.where(defined, np.searchsorted(edges, column, "right"), BINS)
    slope, curvature = np.bincount(place, left), np.bincount(place, weight)
    some = curvature > 0
    if some.sum() < 2:
        return 0.0
    noise = np.bincount(place, left**2)
    return float(np.sum((slope[some] ** 2 - noise[some]) / (curvature[some] + 1)))


class _Ranks:
    """Columns that are known, by their ranks, to tell those that say the same."""

    def __init__(self, X: Matrix) -> None:
        self._known = [one for column in X.T if (one := _ranked(column)) is not None]

    def are_new(self, column: Vector) -> bool:
        """Whether no known column says the same; it is known from now on."""
        ranked = _ranked(column)
        if ranked is None or max((abs(float(ranked @ one)) for one in self._known), default=0.0) > ALIKE:
            return False
        self._known.append(ranked)
        return True


def _ranked(column: NDArray[np.floating]) -> Vector | None:
    """Ranks of unit length around 0, those undefined first; None where all are the same."""
    ranks = rankdata(np.where(np.isfinite(column), column, -np.inf))
    ranks -= ranks.mean()
    length = float(np.linalg.norm(ranks))
    return ranks / length if length else None
