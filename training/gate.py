"""The export gate: the bundle decides exactly as the models it was made from, or it is not published.

Training compares the two on every row it has seen and on rows made to be difficult, and keeps a part of them in
`gate.npz` together with what scikit-learn and XGBoost answered. So the same comparison can be made again later, by
another process and without unpickling anything.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnx
from numpy.typing import NDArray

from shared.bundle import Bundle, BundleMismatch, Decisions
from training.config import InputError
from training.export import content_hash
from training.models import Model, Vector
from training.preparation import Matrix
from training.progress import progress
from training.segments import Segmentation

TIE = 1e-5
"""Two distances that differ by a smaller share of themselves are equal in float32: either segment is right."""
DISTANCE_TOLERANCE = 1e-4
PROBABILITY_TOLERANCE = 1e-5
AMOUNT_TOLERANCE = 1e-4
KEPT_ROWS = 100_000
"""Rows, at most, that `gate.npz` takes from training; difficult rows come on top."""
CHUNK = 50_000
GATE_FILE = "gate.npz"

type Answers = dict[str, NDArray[Any]]


class Refused(Exception):
    """The bundle must not go live; the message says in one line why."""


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
        found = [f"{self.flips:,} segment flips in {self.rows:,} rows"] if self.flips else []
        for name, difference in self.differences.items():
            if not difference <= _tolerance(name):
                found.append(f"{name} differs by {difference:.1e} where {_tolerance(name):.0e} is allowed")
        return found

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


def difficult_rows(X: Matrix, seed: int) -> Matrix:
    """Rows that a shop may send one day: empty, all undefined, huge, single features missing or extreme, perturbed."""
    random = np.random.default_rng(seed)
    n = X.shape[1]
    huge = np.finfo(np.float32).max
    constant = [np.full((1, n), value, np.float32) for value in (0, np.nan, 1e9, -1e9, huge, -huge)]
    some = X[random.integers(len(X), size=n)]
    one_missing, one_huge, only_one = some.copy(), some.copy(), np.full((n, n), np.nan, np.float32)
    np.fill_diagonal(one_missing, np.nan)
    np.fill_diagonal(one_huge, huge)
    np.fill_diagonal(only_one, np.diag(some))
    drawn = X[random.integers(len(X), size=min(len(X), KEPT_ROWS))]
    perturbed = (drawn * random.normal(1, 0.05, drawn.shape)).astype(np.float32)
    mixed = random.permuted(drawn, axis=0)
    return np.concatenate([*constant, one_missing, one_huge, only_one, perturbed, mixed])


def reference(segmentation: Segmentation, models: Mapping[str, Model], X: Matrix) -> Answers:
    """What scikit-learn and XGBoost answer for the rows X [n, n_features]."""
    micro, gap = segmentation.micro_segments(X)
    predictions = {name: model.predict(X) for name, model in models.items()}
    return {"distances": segmentation.distances(X), "micro_segment": micro, "micro_gap": gap, **predictions}


def compare(answers: Answers, decisions: Decisions) -> Parity:
    """The decisions [n] of ONNX Runtime beside the fitted models' answers."""
    distances, rows = answers["distances"], np.arange(len(decisions))
    ranked = np.sort(distances, axis=1)
    parity = Parity(len(decisions))
    for rank, (segment, distance) in enumerate(
        [
            (decisions.segment, decisions.segment_distance),
            (decisions.runner_up, decisions.runner_up_distance),
        ]
    ):
        wrong = distances[rows, segment] > ranked[:, rank] * (1 + TIE)
        parity.flips += int(wrong.sum())
        parity.ties += int(((distances.argsort(axis=1, kind="stable")[:, rank] != segment) & ~wrong).sum())
        name = ("segment_distance", "runner_up_distance")[rank]
        parity.differences[name] = _largest(distance, distances[rows, segment], relative=True)
    if decisions.micro_segment is not None:
        same_segment = distances.argmin(axis=1) == decisions.segment
        differs = same_segment & (answers["micro_segment"] != decisions.micro_segment)
        parity.flips += int((differs & (answers["micro_gap"] > TIE)).sum())
        parity.ties += int((differs & (answers["micro_gap"] <= TIE)).sum())
    for name, predicted in decisions.predictions.items():
        parity.differences[name] = _largest(predicted, answers[name], relative=name == "expected_ltv")
    return parity


def check(bundle: Bundle, segmentation: Segmentation, models: Mapping[str, Model], X: Matrix) -> Parity:
    """Parity on every row of X [n, n_features]."""
    parity = Parity()
    with progress("proving the export", len(X)) as advance:
        for part in _chunks(len(X)):
            parity += compare(reference(segmentation, models, X[part]), bundle.decide(X[part]))
            advance(len(X[part]), "")
    return parity


def prove(
    bundle: Bundle, segmentation: Segmentation, models: Mapping[str, Model], seen: Sequence[Matrix], seed: int
) -> tuple[Parity, Matrix]:
    """Parity on every row of the matrices `seen` [n, n_features] and on difficult rows; and the rows to keep of them.

    Raises Refused where it fails.
    """
    rows, difficult = np.concatenate(seen), difficult_rows(seen[0], seed)
    parity = check(bundle, segmentation, models, np.concatenate([rows, difficult]))
    if failures := parity.failures():
        raise Refused("the bundle does not decide as the fitted models do: " + "; ".join(failures))
    chosen = np.random.default_rng(seed).permutation(len(rows))[:KEPT_ROWS]
    return parity, np.concatenate([rows[np.sort(chosen)], difficult])


def save(folder: Path, X: Matrix, answers: Answers) -> str:
    """Keeps rows and the fitted models' answers for `run`; returns the file's SHA-256."""
    np.savez(folder / GATE_FILE, allow_pickle=False, **{"features": X, **answers})
    return _sha256(folder / GATE_FILE)


def run(folder: Path) -> tuple[Bundle, Parity]:
    """Passes the bundle in `folder` through the gate.

    Raises Refused where it is not what was trained or not what this code serves, InputError where files are missing.
    """
    for name in ("bundle.onnx", "manifest.json", GATE_FILE):
        if not (folder / name).is_file():
            raise InputError(f"{folder} holds no {name}; train writes it")
    try:
        bundle = Bundle.load(folder)
    except BundleMismatch as error:
        raise Refused(str(error)) from error
    if _sha256(folder / GATE_FILE) != bundle.manifest["gate"]["sha256"]:
        raise Refused(f"{GATE_FILE} is not the one that bundle {bundle.bundle_id} was trained with")
    with np.load(folder / GATE_FILE, allow_pickle=False) as kept:
        answers: Answers = dict(kept)
    X = answers.pop("features")
    if missing := set(answers) - {"distances", "micro_segment", "micro_gap"} ^ set(bundle.decide(X[:1]).predictions):
        raise Refused(f"bundle and models differ in the outputs {', '.join(sorted(missing))}")
    parity = Parity()
    for part in _chunks(len(X)):
        own = {name: values[part] for name, values in answers.items()}
        parity += compare(own, bundle.decide(X[part]))
    if failures := parity.failures():
        raise Refused("the bundle does not decide as the trained models do: " + "; ".join(failures))
    if not bundle.bundle_id.endswith(content_hash(onnx.load(folder / "bundle.onnx"))[:8]):
        raise Refused(f"bundle.onnx was changed after training: its content is not that of {bundle.bundle_id}")
    return bundle, parity


def _chunks(n: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK) for start in range(0, n, CHUNK))


def _largest(got: NDArray[np.float32], wanted: Vector, relative: bool) -> float:
    scale = 1 + np.abs(wanted) if relative else 1.0
    return float(np.max(np.abs(got - wanted) / scale))


def _tolerance(name: str) -> float:
    if name.endswith("_probability"):
        return PROBABILITY_TOLERANCE
    return DISTANCE_TOLERANCE if name.endswith("_distance") else AMOUNT_TOLERANCE


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
