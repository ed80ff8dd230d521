"""Models as others make them of the table: LightGBM, PyCaret, a pipeline of scikit-learn, a network; as ONNX."""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightgbm
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnxmltools.convert import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType as Floats
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from local.emulator import ROOT
from shared.features import FEATURE_NAMES
from training.table import column

WIDTH = len(FEATURE_NAMES)
PYCARET = ROOT / ".venv-pycaret/bin/python"
TREES = {"n_estimators": 60, "max_depth": 3, "num_leaves": 7, "learning_rate": 0.08, "min_child_samples": 15}


def known(table: pa.Table, target: str) -> tuple[Any, Any]:
    """Features and outcomes of the table's rows of a target."""
    rows = table.filter(pa.compute.is_valid(table[column(target)]))
    X = np.column_stack([rows[name] for name in FEATURE_NAMES]).astype(np.float32)
    return X, np.asarray(rows[column(target)])


def lightgbm_model(X: Any, y: Any, **more: Any) -> bytes:
    """Gradient boosting of LightGBM."""
    model = lightgbm.LGBMClassifier(**TREES | more, random_state=1, n_jobs=1, verbose=-1).fit(X, y)
    types = [("features", FloatTensorType([None, WIDTH]))]
    onnx = convert_lightgbm(model, initial_types=types, target_opset=15, zipmap=False)
    return bytes(onnx.SerializeToString())


def pycaret(table: Path, out: Path) -> None:
    """The best of three kinds of models that PyCaret compares, of a table with `target_churn`."""
    if not PYCARET.exists():
        pytest.skip("PyCaret needs Python 3.11 and an environment of its own: `make pycaret` makes it and runs this")
    script = Path(__file__).with_name("pycaret_model.py")
    command = [PYCARET, "-W", "ignore", script, table, "target_churn", out]
    subprocess.run(list(map(str, command)), check=True, cwd=out.parent)


def pycaret_model(X: Any, y: Any) -> bytes:
    """The same of features and outcomes."""
    with TemporaryDirectory() as folder:
        columns = {name: X[:, j] for j, name in enumerate(FEATURE_NAMES)} | {"target_churn": y}
        pq.write_table(pa.table(columns), Path(folder, "table.parquet"))
        pycaret(Path(folder, "table.parquet"), out := Path(folder, "model.onnx"))
        return out.read_bytes()


def pipeline_model(X: Any, y: Any, last: Any) -> bytes:
    """A pipeline of scikit-learn that ends with the classifier `last`."""
    pipeline = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler(), last).fit(
        X, y
    )
    return converted(pipeline)


def converted(model: Any) -> bytes:
    onnx = convert_sklearn(
        model,
        initial_types=[("features", Floats([None, WIDTH]))],
        options={"zipmap": False},
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    return bytes(onnx.SerializeToString())


def linear_model(X: Any, y: Any) -> bytes:
    return pipeline_model(X, y, LogisticRegression(C=0.02, max_iter=500))


def network_model(X: Any, y: Any) -> bytes:
    return pipeline_model(X, y, MLPClassifier((8,), max_iter=150, alpha=3.0, random_state=1))


def written(folder: Path, content: bytes, name: str = "model.onnx") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path
