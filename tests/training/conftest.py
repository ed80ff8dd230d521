"""A shop's event file and the bundle trained on it, made once."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from shared.features import Profiles
from tests.support.event_files import ndjson, profiles
from tests.support.shop import Event, shop_events
from training.train import main

CONFIG = """
threads = 1
trees = 25
bootstraps = 2
minimum_stability = 0.6
most_segments = 5
forest_trees = 10
parity_rows = 20000
"""


@dataclass(frozen=True)
class Shop:
    events: list[Event]
    file: Path
    config: Path
    profiles: Profiles


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """As training itself computes: on so few customers, threads spend most of their time waiting for each other."""
    with threadpool_limits(limits=1):
        yield


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    events = shop_events()
    file = folder / "events.ndjson"
    config = folder / "config.toml"
    file.write_bytes(ndjson(events))
    config.write_text(CONFIG)
    return Shop(events, file, config, profiles(*events))


@pytest.fixture(scope="session")
def model(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that training wrote."""
    return train_model(shop, tmp_path_factory.mktemp("model"))


def train_model(shop: Shop, out: Path, *options: str) -> Path:
    assert main(["--events", str(shop.file), "--out", str(out), "--config", str(shop.config), *options]) == 0
    return out


def differing(one: Path, other: Path) -> list[str]:
    """What in two folders that training wrote is not the same, but for when it was written."""
    names = ("bundle.onnx", "leaderboard.csv", "gate.npz", "holdout.npz", "reasons.npz", "distribution.json")
    files = [name for name in names if (one / name).read_bytes() != (other / name).read_bytes()]
    first, second = (json.loads((folder / "manifest.json").read_text()) for folder in (one, other))
    said = [name for name in first if first[name] != second.get(name) and name != "created_at"]
    return files + said
