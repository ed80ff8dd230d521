"""Proof that the exported graph decides as the fitted models do, on rows seen and on rows made to be difficult."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shared.models.bundle import Bundle, Decisions
from shared.models.manifests import is_probability
from training.base.errors import Refused
from training.base.progress import progress
from training.data.preparation import Matrix
from training.prediction.models import Model, Vector
from training.segmentation.segments import Segmentation

TIE = 1e-5
"""Two distances that differ by a smaller share of themselves are equal in float32: either segment is right."""
DISTANCE_TOLERANCE = 1e-4
PROBABILITY_TOLERANCE = 1e-5
AMOUNT_TOLERANCE = 1e-4
MOVED_BY = 0.05
"""Standard deviation of the factor that perturbed values are multiplied by."""
CHUNK = 50_000

type Answers = dict[str, NDArray[Any]]
type Ids = NDArray[np.int64]


@dataclass
class Parity:
    """How far ONNX Runtime's decisions are from the fitted models'."""

    rows: int = 0
    ties: int = 0
    """Decisions that differ, with distances that do not."""
    flips: int = 0
    """Segments, runners-up or micro-segments that differ."""
    differences: dict[str, float] = field(default_factory=dict)
    """Largest difference of each output: relative to 1 + the value, for probabilities absolute."""

    def __str__(self) -> str:
        worst = ", ".join(f"{name} {value:.0e}" for name, value in self.differences.items())
        return f"{self.rows:,} rows, {self.flips} flips, {self.ties} ties; largest differences: {worst}"

    def failures(self) -> list[str]:
        """Why the bundle is not the model; nothing where it is."""
        failures = [f"{self.flips:,} segment flips in {self.rows:,} rows"] if self.flips else []
        for name, difference in self.differences.items():
            if not difference <= _tolerance(name):
                failures.append(f"{name} differs by {difference:.1e} where {_tolerance(name):.0e} is allowed")
        return failures

    def as_dict(self) -> dict[str, Any]:
        """The figures, ready for JSON."""
        return {"rows": self.rows, "flips": self.flips, "ties": self.ties, "differences": self.differences}

    def __add__(self, other: Self) -> Self:
        names = self.differences | other.differences
        return type(self)(
            self.rows + other.rows,
            self.ties + other.ties,
            self.flips + other.flips,
            {n: float(np.fmax(self.differences.get(n, 0.0), other.differences.get(n, 0.0))) for n in names},
        )


def reference(segmentation: Segmentation, models: Mapping[str, Model], X: Matrix) -> Answers:
    """What scikit-learn and XGBoost answer for the rows X [n, n_features]."""
    # scikit-learn adds all values up to see whether one is undefined, and the largest floats of both signs have no sum.
    with np.errstate(over="ignore", invalid="ignore"):
        points = segmentation.components(X)
        distances = segmentation.chosen.prototypes.distances(points)
        micro, gap = segmentation.micro.of(points, distances.argmin(axis=1))
        predictions = {name: model.predict(X) for name, model in models.items()}
    eps = np.full(len(X), segmentation.eps)
    return {"distances": distances, "eps": eps, "micro_segment": micro, "micro_gap": gap, **predictions}


def compare(answers: Answers, decisions: Decisions) -> Parity:
    """The decisions [n] of ONNX Runtime beside the fitted models' answers."""
    distances = answers["distances"]
    rows = np.arange(len(decisions))
    others = distances.copy()
    others[rows, decisions.segment] = np.inf
    # Nobody runs up to "unusual", which is at `eps` from everyone.
    others[distances == answers["eps"][:, None]] = np.inf
    parity = Parity(len(decisions))
    for name, segment, distance, among in (
        ("segment_distance", decisions.segment, decisions.segment_distance, distances),
        ("runner_up_distance", decisions.runner_up, decisions.runner_up_distance, others),
    ):
        wrong = among[rows, segment] > among.min(axis=1) * (1 + TIE)
        parity.flips += int(wrong.sum())
        parity.ties += int(((among.argmin(axis=1) != segment) & ~wrong).sum())
        parity.differences[name] = _largest(distance, distances[rows, segment], relative=True)
    if decisions.micro_segment is not None:
        same_segment = distances.argmin(axis=1) == decisions.segment
        differs = same_segment & (answers["micro_segment"] != decisions.micro_segment)
        parity.flips += int((differs & (answers["micro_gap"] > TIE)).sum())
        parity.ties += int((differs & (answers["micro_gap"] <= TIE)).sum())
    for name, predicted in decisions.predictions.items():
        parity.differences[name] = _largest(predicted, answers[name], relative=not is_probability(name))
    return parity


def prove(
    bundle: Bundle,
    segmentation: Segmentation,
    models: Mapping[str, Model],
    rows: Sequence[Matrix],
    more: int,
    seed: int,
) -> Parity:
    """Parity on every row of the matrices `rows` [n, n_features], and on `more` rows made by perturbing those.

    Raises Refused where it fails.
    """
    parity = Parity()
    total = sum(map(len, rows)) + more
    with progress("proving the export", total) as advance, ThreadPoolExecutor(1) as beside:
        for part in chunks(rows, more, seed):
            decisions = beside.submit(bundle.decide, part)
            parity += compare(reference(segmentation, models, part), decisions.result())
            advance(len(part), "")
    if failures := parity.failures():
        raise Refused("the bundle does not decide as the fitted models do: " + "; ".join(failures))
    return parity


def chunks(rows: Sequence[Matrix], more: int, seed: int) -> Iterator[Matrix]:
    """The rows, then `more` made from the first matrix by turns: with all values moved a little, and exchanged."""
    for matrix in rows:
        for start in range(0, len(matrix), CHUNK):
            yield matrix[start : start + CHUNK]
    random = np.random.default_rng(seed)
    for turn, start in enumerate(range(0, more, CHUNK)):
        drawn = random.integers(len(rows[0]), size=min(CHUNK, more - start))
        yield (_moved if turn % 2 == 0 else _exchanged)(rows[0], drawn, random)


def _moved(X: Matrix, drawn: Ids, random: np.random.Generator) -> Matrix:
    """The drawn rows [n] with every value multiplied by a factor of its own."""
    moved = X[drawn] * random.normal(1, MOVED_BY, (len(drawn), X.shape[1])).astype(np.float32)
    # Rows that are alike, one after the other, take trees half the time: the processor foresees their branches.
    return moved[np.argsort(drawn, kind="stable")]


def _exchanged(X: Matrix, drawn: Ids, random: np.random.Generator) -> Matrix:
    """The drawn rows [n] with the values of each feature in a random order."""
    # Feature by feature in memory, which takes half the time of row by row.
    return np.ascontiguousarray(random.permuted(np.ascontiguousarray(X[drawn].T), axis=1).T)


def _largest(got: NDArray[np.float32], wanted: Vector, relative: bool) -> float:
    scale = 1 + np.abs(wanted) if relative else 1.0
    return float(np.max(np.abs(got - wanted) / scale))


def _tolerance(name: str) -> float:
    if is_probability(name):
        return PROBABILITY_TOLERANCE
    return DISTANCE_TOLERANCE if name.endswith("_distance") else AMOUNT_TOLERANCE
