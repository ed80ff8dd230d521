"""Thirty nights of learning, broken off at every step in turn: a change is learned once, and nothing else is."""

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import BUCKET
from tests.support.event_files import profiles
from tests.support.shop import OPENED, Event, other_events, shop_events
from tests.training.data.test_stored import put_snapshot
from tests.training.test_learn import bus, current, report  # noqa: F401  # a fixture
from training import learn
from training.bundle import gate
from training.learn import main
from training.prediction import candidates
from training.registry.published import Registry

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.nightly

CONFIG = """
threads = 1
clustering = "k-means"
segments = 4
trees = 10
forest_trees = 5
bootstraps = 1
parity_rows = 2000
validation_slices = 1
maximum_cutoffs = 3
"""
NIGHTS = range(1, 31)
FIRST_DAY = 269
"""Of the shop, before the first night."""
CHANGED = 10
SABOTAGED = (7, 20)
EVERYWHERE = ((learn, "latest_snapshot"), (learn, "train_on"), (gate, "run"), (learn, "against"), (learn, "judge"))
PUBLISHING = ((Registry, "upload"), (Registry, "switch"), (learn, "_announce"))
"""Steps that only a night has on which something goes live; to have told of it comes last."""


def until(events: list[Event], day: int) -> Iterator[Event]:
    before = (OPENED + timedelta(days=day)).isoformat()
    return (event for event in events if event["timestamp"] < before)


def broken(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def of_anybody(fit: Callable[..., Any]) -> Callable[..., Any]:
    """What fits a model to outcomes that are not its customers'."""
    return lambda task, X, y, *rest: fit(task, X, y[::-1], *rest)


def test_thirty_nights(
    s3: "S3Client",
    bus: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: "Path",
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    command = ["--bucket", BUCKET, "--bus", "news"]
    shop, other = shop_events(), other_events()
    put_snapshot(s3, "2024-09-01", profiles(*until(shop, FIRST_DAY)))
    assert main([*command, "--config", str(config)]) == 0
    first = current(s3)["bundle_id"]
    announced = [one["detail-type"] for one in bus()]
    turns = itertools.cycle(EVERYWHERE)
    why = {}
    for night in NIGHTS:
        day = (OPENED + timedelta(days=FIRST_DAY + night)).date().isoformat()
        events = [*shop, *(other if night >= CHANGED else ())]
        put_snapshot(s3, day, profiles(*until(events, FIRST_DAY + night)))
        with monkeypatch.context() as tonight:
            if night in SABOTAGED:
                for name, fit in candidates.CANDIDATES.items():
                    tonight.setitem(candidates.CANDIDATES, name, of_anybody(fit))
            steps = PUBLISHING if night == CHANGED else [next(turns)] if night % 3 == 0 else ()
            for place, name in steps:
                with tonight.context() as killed:
                    killed.setattr(place, name, broken)
                    with pytest.raises(KeyboardInterrupt):
                        main(command)
            assert main(command) == 0
        announced += [one["detail-type"] for one in bus()]
        why[night] = (report(s3, day)["publish"], report(s3, day)["why"])
        print(night, why[night], flush=True)  # noqa: T201  # some minutes go by
    assert [night for night, (published, _) in why.items() if published] == [CHANGED]
    assert all("worse" in why[night][1] for night in SABOTAGED)
    assert [record["bundle_id"] for record in current(s3)["history"]] == [first, report(s3, changed_day())["bundle_id"]]
    assert announced == ["Model Learned"] + ["Model Learned" if night == CHANGED else "Model Kept" for night in NIGHTS]
    assert kept_segments(s3)


def changed_day() -> str:
    return (OPENED + timedelta(days=FIRST_DAY + CHANGED)).date().isoformat()


def kept_segments(s3: "S3Client") -> set[int]:
    """Ids of the segments of the first bundle that the second one goes on with."""
    live, before = (
        json.loads(s3.get_object(Bucket=BUCKET, Key=f"models/{current(s3)[name]}/manifest.json")["Body"].read())
        for name in ("bundle_id", "previous")
    )
    assert live["identity"]["previous"] == before["bundle_id"]
    ids, ids_before = ({segment["id"] for segment in one["segments"]} for one in (live, before))
    assert {*live["identity"]["new"]} == ids - ids_before
    assert {*live["identity"]["gone"]} == ids_before - ids
    return ids & ids_before
