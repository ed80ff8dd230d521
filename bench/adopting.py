"""What a model that others made costs a decision: LightGBM's, adopted by a bundle, beside LightGBM alone."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.reasons import bundle_folder
from bench.targets import ALONE, alone, batch, rows
from bench.work import Inputs, Work
from shared.features import FEATURE_NAMES
from shared.models.bundle import Bundle
from shared.models.layout import MANIFEST_FILE, ONNX_FILE
from shared.models.manifests import TARGETS

if TYPE_CHECKING:
    from lightgbm import LGBMClassifier

_TREES: dict[str, Any] = {"n_estimators": 200, "max_depth": 4, "learning_rate": 0.03, "min_child_samples": 30}
"""As docs/your-models.md has it."""


def decide_batch_adopted(inputs: Inputs) -> Work:
    """Decide on customers whose features are known, many at once, with an adopted model for one of the targets."""
    return batch(inputs, _adopted(bundle_folder(inputs.purchases)))


def decide_alone_adopted(inputs: Inputs) -> Work:
    """The same, one by one."""
    return alone(inputs, _adopted(bundle_folder(inputs.purchases)))


def lightgbm_batch(inputs: Inputs) -> Work:
    """Predict that one target by LightGBM itself, of the same customers, many at once."""
    predict, X = _by_lightgbm(inputs)
    return Work(lambda: predict(X), len(X))


def lightgbm_alone(inputs: Inputs) -> Work:
    """The same, one by one."""
    predict, X = _by_lightgbm(inputs)
    some = X[:ALONE]
    return Work(lambda: [predict(some[i : i + 1]) for i in range(len(some))], len(some))


def _by_lightgbm(inputs: Inputs) -> tuple[Callable[[Any], object], np.ndarray]:
    folder = bundle_folder(inputs.purchases)
    # What `predict_proba` calls in the end, without what scikit-learn asks of each matrix before.
    return _fitted(folder).booster_.predict, rows(inputs, Bundle.load(folder))


@cache
def _fitted(folder: Path) -> "LGBMClassifier":
    """LightGBM of what the bundle's own model was judged on."""
    from lightgbm import LGBMClassifier

    from training.prediction.holdout import load

    holdout = load(folder)[_target(folder)]
    return LGBMClassifier(**_TREES, random_state=7, n_jobs=1, verbose=-1).fit(holdout.X, holdout.y)


def _adopted(folder: Path) -> Bundle:
    """The bundle with that model in the place of its own, as `tessera adopt` exchanges them."""
    import onnx
    from onnxmltools.convert import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    from training.adoption.adopting import exchanged, judge
    from training.adoption.foreign import Foreign
    from training.bundle.export import model_version
    from training.prediction.holdout import load

    width = len(FEATURE_NAMES)
    types = [("features", FloatTensorType([None, width]))]
    content = convert_lightgbm(_fitted(folder), initial_types=types, target_opset=15, zipmap=False).SerializeToString()
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    target = _target(folder)
    verdict = judge(Foreign.read(content, width), manifest, target, load(folder)[target])
    model = exchanged(onnx.load(folder / ONNX_FILE), verdict)
    return Bundle.from_files(model.SerializeToString(), {**manifest, "bundle_id": model_version(model)})


def _target(folder: Path) -> str:
    """The first of its probabilities, churn where it is predicted."""
    targets = json.loads((folder / MANIFEST_FILE).read_text())["targets"]
    return next(name for output, name in TARGETS.items() if targets[name]["trained"] and "probability" in output)
