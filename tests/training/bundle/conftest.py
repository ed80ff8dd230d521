"""A bundle, its reasons, and a third of its customers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from shared.features import Profiles, features
from shared.models.bundle import Bundle
from shared.reasons.contributions import FILE, Reasons
from tests.training.conftest import Shop

if TYPE_CHECKING:
    pass

AS_OF_MS = 1_728_000_000_000


@pytest.fixture(scope="module")
def bundle(model: Path) -> Bundle:
    return Bundle.load(model)


@pytest.fixture(scope="module")
def reasons(model: Path, bundle: Bundle) -> Reasons:
    return Reasons.from_bytes((model / FILE).read_bytes(), bundle.manifest)


@pytest.fixture(scope="module")
def customers(shop: Shop) -> Profiles:
    return shop.profiles.take(list(range(0, len(shop.profiles), 3)))


@pytest.fixture(scope="module")
def rows(customers: Profiles) -> np.ndarray[Any, Any]:
    return features(customers, AS_OF_MS)
