"""Customers of four kinds, some who are like nobody, and their segments by each algorithm."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

from shared.features import FEATURE_NAMES
from training.base.config import Config
from training.data.preparation import Matrix
from training.segmentation.choice import choose
from training.segmentation.facts import DERIVED
from training.segmentation.micro import fit_micro_segments
from training.segmentation.segments import Segmentation, fit_segments
from training.segmentation.truth import Truth

BASE = Config(bootstraps=2, fewest_segments=3, most_segments=5, micro_segment_customers=20)


@pytest.fixture(scope="module")
def customers() -> Matrix:
    """Four kinds of customers, some who are like nobody, counts with long tails, a constant and undefined values."""
    random = np.random.default_rng(3)
    centres = np.array([[0, 0, 0, 0], [4, 0, 3, 0], [0, 5, 0, 2], [5, 5, 3, 4]])
    points = np.repeat(centres, [300, 200, 150, 100], axis=0) + random.normal(0, 0.5, (750, 4))
    points = np.concatenate([points, random.uniform(-12, 12, (60, 4))])
    X = np.column_stack([points, np.exp(points[:, :2]), np.full(810, 4.0)]).astype(np.float32)
    X[random.random(X.shape) < 0.01] = np.nan
    return random.permutation(X)


@pytest.fixture(scope="module")
def fitted(customers: Matrix) -> Segmentation:
    return fit_segments(customers, BASE)


def chosen(fitted: Segmentation, X: Matrix, **asked: str | int) -> Segmentation:
    """What `fit_segments` answers when the config asks for something."""
    config = dataclasses.replace(BASE, **asked)  # type: ignore[arg-type]
    clustering = choose(fitted.tried, config)
    assert clustering is not None
    points = fitted.components(X)
    micro = fit_micro_segments(points, clustering.prototypes.segment_of(points), config)
    return dataclasses.replace(fitted, chosen=clustering, micro=micro)


@pytest.fixture(scope="module", params=["k-means", "dbscan", "ward"])
def segmentation(request: pytest.FixtureRequest, fitted: Segmentation, customers: Matrix) -> Segmentation:
    return chosen(fitted, customers, clustering=request.param)


def facts(**known: float) -> Mapping[str, float]:
    usual = {"orders_lifetime": 3.0, "orders_365d": 3.0, "tenure": 300.0, "days_since_visit": 20.0, "visits_90d": 4.0}
    return {**dict.fromkeys((*FEATURE_NAMES, *DERIVED), 0.0), **usual, **known}


def rows(**known: list[float]) -> Matrix:
    """Customers with these features [n, n_features]; what is not said is usual."""
    n = max(map(len, known.values()))
    usual = facts()
    X = np.tile(np.array([usual[name] for name in FEATURE_NAMES], np.float32), (n, 1))
    for name, values in known.items():
        X[:, FEATURE_NAMES.index(name)] = values
    return X


def truth(*segments: Matrix) -> Truth:
    """Some customers in segments, whose ids are 0, 1 and so on."""
    return Truth(np.repeat(np.arange(len(segments)), list(map(len, segments))), np.concatenate(segments))
