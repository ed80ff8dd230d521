"""Thirty nights of a stack that learns by itself, the build killed at every step in turn: a change is learned once.

`tests/training/test_learn_nights.py` plays the same nights in one process, in a tenth of the time.
"""

import itertools
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from local.clock import set_clock
from local.observe import drop
from local.stack import Stack, local_stack
from tests.e2e import test_learning as learning
from tests.e2e.test_learning import (
    SABOTAGE,
    credentials,
    current,
    ended,
    hear,
    heard,
    report,
    segments,
    start,
    with_source,
)
from tests.support.event_files import ndjson
from tests.support.shop import OPENED, Event, other_events, shop_events
from tests.training.test_learn_nights import CHANGED, CONFIG, FIRST_DAY, NIGHTS, SABOTAGED
from training import learn, publish, train
from training.registry.source import SOURCE_KEY

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]

LEARNING, PROVING, REGISTERING = "training/learn.py", "training/bundle/gate.py", "training/registry/published.py"
EVERYWHERE = (
    (LEARNING, "latest_snapshot"), (LEARNING, "train_on"), (PROVING, "run"), (LEARNING, "against"), (LEARNING, "judge"),
    (LEARNING, "_announce"),
)  # fmt: skip
PUBLISHING = (REGISTERING, "Registry.switch")
"""A step that only a night has on which something goes live; what it uploads is there then."""
KILLED_ONCE = """

def _killed_once(step):
    import os
    import pathlib
    import signal

    def go(*given, **named):
        mark = pathlib.Path({mark!r})
        if not mark.exists():
            return step(*given, **named)
        mark.unlink()
        os.kill(os.getpid(), signal.SIGKILL)

    return go


{step} = _killed_once({step})
"""


def instant(day: int) -> datetime:
    return OPENED + timedelta(days=FIRST_DAY + day)


def of_days(events: list[Event], first: datetime | None, last: datetime) -> Iterator[Event]:
    """Those from one instant, if any, to before another."""
    begin, end = first.isoformat() if first else "", last.isoformat()
    return (event for event in events if begin <= event["timestamp"] < end)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Trained on what had been done by the first evening."""
    folder = tmp_path_factory.mktemp("nights")
    (folder / "config.toml").write_text(CONFIG)
    (folder / "shop.ndjson").write_bytes(ndjson([*of_days(shop_events(), None, instant(0))]))
    first = ["--events", str(folder / "shop.ndjson"), "--out", str(folder / "model")]
    assert train.main([*first, "--config", str(folder / "config.toml")]) == 0
    with local_stack(clock=instant(0).isoformat(), RefreshMinutes="60") as deployed:
        with credentials(deployed):
            assert publish.main(["--model", str(folder / "model"), "--bucket", deployed.bucket]) == 0
            assert learn.main(["--bucket", deployed.bucket, "--install"]) == 0
        drop(deployed, [folder / "shop.ndjson"], "before")
        hear(deployed)
        yield deployed


def test_thirty_nights(stack: Stack, tmp_path: Path) -> None:
    before, ids_before = current(stack)["bundle_id"], {segment["id"] for segment in segments(stack)}
    source = stack.s3.get_object(Bucket=stack.bucket, Key=SOURCE_KEY)["Body"].read()
    mark = tmp_path / "to-be-killed"
    turns = itertools.cycle(EVERYWHERE)
    shop, other = shop_events(), other_events()
    announced: list[str] = []
    why: dict[int, tuple[bool, str]] = {}
    killed = 0
    for night in NIGHTS:
        stack.s3.put_object(Bucket=stack.bucket, Key=SOURCE_KEY, Body=source)
        if night in SABOTAGED:
            with_source(stack, learning.SABOTAGED, SABOTAGE)
        place, step = PUBLISHING if night == CHANGED else next(turns) if night % 3 == 0 else ("", "")
        if step:
            mark.touch()
            with_source(stack, place, KILLED_ONCE.format(mark=str(mark), step=step).encode())
        set_clock(stack.emulator.session, stack.endpoint, instant(night).isoformat())
        news = [*of_days(shop, instant(night - 1), instant(night))]
        if night >= CHANGED:
            news += of_days(other, instant(night - 1) if night > CHANGED else None, instant(night))
        file = tmp_path / f"{night}.ndjson"
        file.write_bytes(ndjson(news))
        drop(stack, [file], "days")
        assert ended(stack, start(stack)) == "SUCCEEDED"
        assert not mark.exists(), f"nobody came to {step}"
        killed += bool(step)
        announced += [one["detail-type"] for one in heard(stack)]
        tonight = report(stack, instant(night).date().isoformat())
        why[night] = (tonight["publish"], tonight["why"])
        print(night, step and f"killed at {step}", why[night], flush=True)  # noqa: T201  # some minutes go by
    assert killed == len(NIGHTS) // 3 + 1 - (CHANGED % 3 == 0)
    assert [night for night, (published, _) in why.items() if published] == [CHANGED]
    assert all("worse" in why[night][1] for night in SABOTAGED)
    learned = report(stack, instant(CHANGED).date().isoformat())["bundle_id"]
    assert [record["bundle_id"] for record in current(stack)["history"]] == [before, learned]
    # To be told of twice is allowed where a build dies between telling and its report, which none does here.
    assert announced == ["Model Learned" if night == CHANGED else "Model Kept" for night in NIGHTS]
    going_on = ids_before & {segment["id"] for segment in segments(stack)}
    assert going_on
    manifest = stack.s3.get_object(Bucket=stack.bucket, Key=f"models/{learned}/manifest.json")["Body"].read()
    identity = json.loads(manifest)["identity"]
    assert identity["previous"] == before
    assert going_on.isdisjoint(identity["new"])
