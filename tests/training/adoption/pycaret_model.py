"""Makes a model of the training table with PyCaret, in an environment of its own: TABLE.parquet TARGET MODEL.onnx."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from pycaret.classification import ClassificationExperiment
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

KEYS = ["customer_id", "anonymous_id", "cutoff"]


def main(path: str, target: str, out: str) -> None:
    table = pd.read_parquet(path)
    rows = table[table[target].notna()]
    features = [name for name in rows.columns if name not in KEYS and not name.startswith("target_")]
    data = rows[[*features, target]].astype("float32").reset_index(drop=True)
    # What is undefined is filled in with the median, which goes with the model.
    filled = data[features].median().fillna(0)
    data[features] = data[features].fillna(filled)
    experiment = ClassificationExperiment()
    experiment.setup(data, target=target, session_id=1, preprocess=False, verbose=False, n_jobs=1, html=False)
    best = experiment.compare_models(include=["lr", "gbc", "rf"], sort="AUC", n_select=1, verbose=False)
    final = experiment.finalize_model(best)
    estimator = final.steps[-1][1] if hasattr(final, "steps") else final
    model = convert_sklearn(
        make_pipeline(_imputer(filled.to_numpy("float32")), estimator),
        initial_types=[("features", FloatTensorType([None, len(features)]))],
        options={id(estimator): {"zipmap": False}},
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    Path(out).write_bytes(model.SerializeToString())


def _imputer(values: np.ndarray) -> SimpleImputer:
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    return imputer.fit(np.vstack([values, values]))


if __name__ == "__main__":
    main(*sys.argv[1:])
