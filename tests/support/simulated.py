"""Customers of the simulated shop, as models see them."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from shared.features import features
from training.data.events import read_events
from training.data.preparation import Matrix
from training.shop.shoppers import SHOPPERS
from training.simulator import write


@dataclass(frozen=True)
class Simulated:
    X: Matrix
    """Features at the end of the simulated time [n, n_features]."""
    kind: NDArray[np.int64]
    """Index into SHOPPERS [n]."""


@cache
def simulated(customers: int = 1_500, seed: int = 7) -> Simulated:
    """Made once for each size and seed."""
    with TemporaryDirectory() as folder:
        write(Path(folder), customers, seed)
        profiles = read_events([Path(folder) / "events"]).profiles
        with (Path(folder) / "types.csv").open() as file:
            types = {row["customer_id"]: row["type"] for row in csv.DictReader(file)}
    names = [shopper.name for shopper in SHOPPERS]
    kind = np.array([names.index(types[key.split("#", 1)[1]]) for key in profiles.keys])
    return Simulated(features(profiles, int(profiles.rows.time_ms.max()) + 1), kind)
