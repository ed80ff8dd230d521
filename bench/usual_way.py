"""The usual way to score customers: features with pandas, models of scikit-learn from pickles, reasons by SHAP.

Four models as a shop would have them: segments by k-means after scaling and PCA, and gradient boosting for churn,
conversion and spend. They are fitted once, on made-up customers, with targets made of the features themselves: how good
they are is not what is measured.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.pandas_all_features import COLUMNS, pandas_all_features
from bench.shop import AS_OF_MS, shop_events, shop_file
from bench.work import Inputs, Work
from shared.durations import DAY_MS
from shared.features import FEATURE_SET_HASH

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

ALONE = 20
"""Customers who are scored one by one."""
AHEAD_EVERY_DAYS, HORIZON_DAYS = 10, 90
_FITTED_ON = 5_000


def pandas_score_one(inputs: Inputs) -> Work:
    """Score customers one by one, each from the JSON of their events."""
    models = _models(inputs.purchases.parent, min(inputs.customers, _FITTED_ON))
    stored = _documents(inputs)
    return Work(lambda: [_predicted(models, _frame(document)) for document in stored], len(stored))


def pandas_score_one_explained(inputs: Inputs) -> Work:
    """The same, with what each feature contributed to the three predictions."""
    import shap

    models = _models(inputs.purchases.parent, min(inputs.customers, _FITTED_ON))
    explainers = [shap.TreeExplainer(model) for model in models[1:]]
    stored = _documents(inputs)

    def explained(document: str) -> object:
        X = _features(_frame(document), AS_OF_MS)
        return [model.predict(X) for model in models], [explainer.shap_values(X) for explainer in explainers]

    return Work(lambda: [explained(document) for document in stored], len(stored))


def pandas_score_batch(inputs: Inputs) -> Work:
    """Score many customers at once, from a Parquet file of their events."""
    models = _models(inputs.purchases.parent, min(inputs.customers, _FITTED_ON))
    customers = min(inputs.customers, _FITTED_ON)
    file = shop_file(shop_events(customers))
    return Work(lambda: _predicted(models, _read(file)), customers)


def pandas_score_batch_forecast(inputs: Inputs) -> Work:
    """The same, and again as of every tenth of the 90 days ahead: when a score changes if nothing happens."""
    models = _models(inputs.purchases.parent, min(inputs.customers, _FITTED_ON))
    customers = min(inputs.customers, _FITTED_ON)
    file = shop_file(shop_events(customers))
    days = range(0, HORIZON_DAYS + 1, AHEAD_EVERY_DAYS)

    def run() -> object:
        frame = _read(file)
        return [_predicted(models, frame, AS_OF_MS + day * DAY_MS) for day in days]

    return Work(run, customers)


def fit_models(X: np.ndarray) -> list[Any]:
    """Segments, churn, conversion and spend of customers' features [n, n_features]."""
    import numpy as np
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(5)
    signal = StandardScaler().fit_transform(X) @ rng.normal(size=X.shape[1]) + rng.normal(size=len(X))
    segments = make_pipeline(StandardScaler(), PCA(8, random_state=5), KMeans(5, n_init=3, random_state=5))
    churn, conversion = (HistGradientBoostingClassifier(random_state=5) for _ in range(2))
    return [
        segments.fit(X),
        churn.fit(X, signal < 0),
        conversion.fit(X, signal > 1),
        HistGradientBoostingRegressor(random_state=5).fit(X, np.exp(signal / signal.std())),
    ]


@cache
def _models(folder: Path, customers: int = _FITTED_ON) -> list[Any]:
    path = folder / f"pickles-of-{customers}-{FEATURE_SET_HASH}.pickle"
    if not path.exists():
        path.write_bytes(pickle.dumps(fit_models(_features(_shop_frame(customers), AS_OF_MS))))
    models: list[Any] = pickle.loads(path.read_bytes())  # noqa: S301  ours, written just above
    return models


def predicted(folder: Path, events: pd.DataFrame, as_of_ms: int) -> list[Any]:
    """Scores of whom the events are of, by models that are kept in the folder."""
    return _predicted(_models(folder), events, as_of_ms)


def _predicted(models: Iterable[Any], events: pd.DataFrame, as_of_ms: int = AS_OF_MS) -> list[Any]:
    X = _features(events, as_of_ms)
    return [model.predict(X) for model in models]


def _features(events: pd.DataFrame, as_of_ms: int) -> np.ndarray:
    import pandas as pd

    X: np.ndarray = pandas_all_features(events, pd.Timestamp(as_of_ms, unit="ms")).fillna(0).to_numpy(float)
    return X


def _shop_frame(customers: int) -> pd.DataFrame:
    return _read(shop_file(shop_events(customers)))


def _read(file: bytes) -> pd.DataFrame:
    import pandas as pd

    return pd.read_parquet(BytesIO(file), columns=COLUMNS)


def _documents(inputs: Inputs) -> list[str]:
    """Customers' events as an item of a table would hold them."""
    frame = _shop_frame(min(inputs.customers // 100, ALONE))
    return [events.to_json(orient="records", date_format="iso") for _, events in frame.groupby("customer_id")]


def _frame(document: str) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(json.loads(document), columns=COLUMNS)
    frame["timestamp"] = pd.to_datetime(frame.timestamp).dt.tz_localize(None)
    return frame
