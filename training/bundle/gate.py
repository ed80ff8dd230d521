"""The export gate: the bundle decides exactly as the models it was made from, or it is not published.

Training compares the two on every row it has seen and on rows made to be difficult, and keeps a part of them in
`gate.npz` together with what scikit-learn and XGBoost answered. So the same comparison can be made again later, by
another process and without unpickling anything.
"""

import hashlib
from pathlib import Path

import numpy as np
import onnx

from shared.models.bundle import Bundle, BundleMismatch
from shared.models.layout import MANIFEST_FILE, ONNX_FILE
from training.base.config import Config
from training.base.errors import InputError, Refused
from training.bundle.difficult import difficult_rows
from training.bundle.export import content_hash
from training.bundle.fitted import Fitted
from training.bundle.parity import CHUNK, Answers, Parity, compare, prove, reference
from training.data.preparation import Matrix
from training.prediction.holdout import HOLDOUT_FILE

KEPT_ROWS = 100_000
"""Rows, at most, that `gate.npz` takes from training; difficult rows come on top."""
GATE_FILE = "gate.npz"

__all__ = ["Parity", "Refused", "pass_training", "run", "save", "sha256"]


def pass_training(bundle: Bundle, exported: onnx.ModelProto, fitted: Fitted, config: Config) -> tuple[Parity, Matrix]:
    """Parity on every row that something was fitted on, on difficult rows, and on perturbed ones until there are
    `parity_rows` in all; and the rows to keep of them.

    Raises Refused where it fails.
    """
    difficult = difficult_rows(fitted.X, fitted.segmentation, exported, config.seed)
    rows = [*fitted.rows, difficult]
    more = max(0, config.parity_rows - sum(map(len, rows)))
    parity = prove(bundle, fitted.segmentation, fitted.models, rows, more, config.seed)
    known = np.concatenate(fitted.rows)
    chosen = np.random.default_rng(config.seed).permutation(len(known))[:KEPT_ROWS]
    return parity, np.concatenate([known[np.sort(chosen)], difficult])


def save(folder: Path, X: Matrix, fitted: Fitted) -> str:
    """Keeps rows and the fitted models' answers for `run`; returns the file's SHA-256."""
    answers = reference(fitted.segmentation, fitted.models, X)
    np.savez(folder / GATE_FILE, allow_pickle=False, **{"features": X, **answers})
    return sha256(folder / GATE_FILE)


def run(folder: Path) -> tuple[Bundle, Parity]:
    """Passes the bundle in `folder` through the gate.

    Raises Refused where it is not what was trained or not what this code serves, InputError where files are missing.
    """
    for name in (ONNX_FILE, MANIFEST_FILE, GATE_FILE, HOLDOUT_FILE):
        if not (folder / name).is_file():
            raise InputError(f"{folder} holds no {name}; train writes it")
    try:
        bundle = Bundle.load(folder)
    except BundleMismatch as error:
        raise Refused(str(error)) from error
    for name in (GATE_FILE, HOLDOUT_FILE):
        if sha256(folder / name) != bundle.manifest["gate"]["files"][name]:
            raise Refused(f"{name} is not the one that bundle {bundle.bundle_id} was trained with")
    with np.load(folder / GATE_FILE, allow_pickle=False) as kept:
        answers: Answers = dict(kept)
    X = answers.pop("features")
    segments = {"distances", "eps", "micro_segment", "micro_gap"}
    if missing := set(answers) - segments ^ set(bundle.decide_on(X[:1]).predictions):
        raise Refused(f"bundle and models differ in the outputs {', '.join(sorted(missing))}")
    parity = Parity()
    for start in range(0, len(X), CHUNK):
        part = slice(start, start + CHUNK)
        parity += compare({name: values[part] for name, values in answers.items()}, bundle.decide_on(X[part]))
    if failures := parity.failures():
        raise Refused("the bundle does not decide as the trained models do: " + "; ".join(failures))
    if not bundle.bundle_id.endswith(content_hash(onnx.load(folder / ONNX_FILE))[:8]):
        raise Refused(f"bundle.onnx was changed after training: its content is not that of {bundle.bundle_id}")
    return bundle, parity


def sha256(path: Path) -> str:
    """Of the file's content, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
