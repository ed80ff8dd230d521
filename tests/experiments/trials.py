"""Trials that tests make up."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.durations import DAY_MS
from shared.experiments.estimates import COLUMNS
from shared.experiments.moments import Moments
from shared.experiments.trial import CONTROL, TREATMENT, Group, Trial

type Floats = NDArray[np.float64]


def rows(n: int, share: float, spend: float = 20.0, seed: int = 1) -> Floats:
    """COLUMNS of customers of whom a share buys [n, k]."""
    chance = np.random.default_rng(seed)
    made = np.zeros((n, len(COLUMNS)))
    converted = np.arange(n) < round(share * n)
    columns = {
        "visited": np.ones(n),
        "converted": converted,
        "orders": converted,
        "revenue": converted * chance.lognormal(np.log(spend), 0.3, n),
        "buyer": np.arange(n) % 2 == 0,
        "churned": (np.arange(n) % 2 == 0) & ~converted,
        "spend_before": (np.arange(n) % 2 == 0) * chance.lognormal(3, 0.5, n),
        "converted_before": np.arange(n) % 4 == 0,
    }
    for name, values in columns.items():
        made[:, COLUMNS.index(name)] = values
    return made


def trial(treatment: Floats, control: Floats, **more: Any) -> Trial:
    """A trial of such customers, a hundred of whom came each day."""
    groups: dict[Group, Moments] = {(TREATMENT, None): Moments.of(treatment), (CONTROL, None): Moments.of(control)}
    n = len(treatment) + len(control)
    given: dict[str, Any] = {
        "campaign": "win_back",
        "window_days": 14,
        "groups": groups,
        "exposed_ms": np.arange(n) * (DAY_MS // 100),
        "assigned": {TREATMENT: len(treatment), CONTROL: len(control)},
    }
    return Trial(**(given | more))
