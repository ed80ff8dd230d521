"""A stack of the release before goes on under this one, and back, on a local AWS: nobody trains, nothing is lost."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from local.clock import move_clock
from local.emulator import ROOT
from local.release import build_release
from local.stack import PACKED_TEMPLATE, Stack, local_stack, redeploy
from tests.e2e.conftest import wait_until
from tests.support.bundles import publish, with_reasons
from tests.support.event_files import Event, ndjson, purchase

pytestmark = [pytest.mark.e2e, pytest.mark.drill]

THE_RELEASE_BEFORE = "1fc285c84a4ebd2492003fc333fd00867239ef5d"
OLD = "20171231-aaaaaaaa"
NEW = "20180110-bbbbbbbb"
CENTROIDS = (0.0, 2.0, 10.0, 40.0)
FIRST = "2018-01-01T00:00:00Z"
LATER = "2018-01-10T00:00:00Z"
LAST = "2018-01-25T00:00:00Z"

MAKE = f"""
import json, pathlib, sys
try:
    from tests.support.bundles import make_bundle
except ImportError:  # where the release before has it
    from tests.bundles import make_bundle
try:  # both releases compute these as they were then
    from shared.features.definitions import set_hash
    from shared.features.released import RELEASED
    needs, known_by = {{"definitions": RELEASED}}, set_hash(RELEASED)
except ImportError:
    from shared.features import FEATURE_SET_HASH as known_by
    needs = {{}}
onnx, manifest = make_bundle(sys.argv[1], feature="orders_30d", centroids={CENTROIDS}, **needs)
pathlib.Path(sys.argv[2], "bundle.onnx").write_bytes(onnx)
manifest["feature_set_hash"] = known_by
pathlib.Path(sys.argv[2], "manifest.json").write_text(json.dumps(manifest))
"""
"""Run in the folder of a release, it makes a bundle as that release does, of features that both compute."""


@pytest.fixture(scope="module")
def release_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_release(THE_RELEASE_BEFORE, tmp_path_factory.mktemp("release-before"))


@pytest.fixture(scope="module")
def stack(release_before: Path) -> Iterator[Stack]:
    with local_stack(clock=FIRST, template=release_before, RefreshMinutes="60") as deployed:
        yield deployed


def publish_made_by(release: Path, stack: Stack, bundle_id: str, folder: Path) -> None:
    """Makes a bundle with the code in the folder `release`, and publishes it with its reasons."""
    folder.mkdir()
    command = [sys.executable, "-c", MAKE, bundle_id, str(folder)]
    subprocess.run(command, cwd=release, env={"PATH": "", "PYTHONPATH": str(release)}, check=True)
    manifest = json.loads((folder / "manifest.json").read_text())
    graph = (folder / "bundle.onnx").read_bytes()
    manifest, reasons = with_reasons((graph, manifest), "orders_30d", CENTROIDS)
    stack.s3.put_object(Bucket=stack.bucket, Key=f"models/{bundle_id}/reasons.npz", Body=reasons)
    publish(stack.s3, (graph, manifest), stack.bucket)


def orders(customer: str, count: int, date: str, first: int = 0) -> list[Event]:
    return [purchase(customer, first + n, timestamp=f"{date}T12:00:{n:02d}Z") for n in range(count)]


def drop(stack: Stack, name: str, events: Sequence[Event]) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key=f"events/{name}.ndjson", Body=ndjson(events))


def segment(stack: Stack, customer: str) -> int | None:
    status, answer = stack.api_get(f"/customers/{customer}/segment")
    return int(answer["segment"]["id"]) if status == 200 else None


def history(stack: Stack, customer: str) -> list[dict[str, Any]]:
    """The customer's moves, the oldest first."""
    status, answer = stack.api_get(f"/customers/{customer}/history")
    return answer["transitions"][::-1] if status == 200 else []


def explained(stack: Stack, customer: str) -> list[tuple[str, float]]:
    _, answer = stack.api_get(f"/customers/{customer}/segment?explain=true")
    return [(reason["feature"], reason["contribution"]) for reason in answer["explanation"]["segment"]]


def part_of(answer: Any, before: Any) -> Any:
    """Of an answer what the release before answered as well: a release may say more, and nothing else."""
    both = isinstance(answer, dict) and isinstance(before, dict)
    return {name: part_of(answer.get(name), value) for name, value in before.items()} if both else answer


def decides_and_answers(stack: Stack, more: int, customer: str = "mover") -> None:
    """New events decide, time decides, look-ups explain, and the ledger goes on where it was."""
    before = history(stack, customer)
    drop(stack, f"{customer}-{more}", orders(customer, more, "2017-12-28", first=more))
    wait_until(lambda: len(history(stack, customer)) == len(before) + 1)
    now = history(stack, customer)
    assert now[:-1] == before
    assert len({moved["transition_id"] for moved in now}) == len(now)
    assert now[-1]["reasons"][0]["feature"] == "orders_30d"
    assert explained(stack, customer)[0][0] == "orders_30d"


def test_a_stack_goes_on_under_this_release_and_back_under_the_one_before(
    stack: Stack, release_before: Path, tmp_path: Path
) -> None:
    publish_made_by(release_before.parent, stack, OLD, tmp_path / "old")
    first = [orders(customer, 2, "2017-12-28") for customer in ("mover", "stayer")]
    drop(stack, "first", [*first[0], *first[1], *orders("resting", 2, "2017-12-30")])
    drop(stack, "leaving", [*orders("leaves", 2, "2017-12-05"), *orders("leaves later", 2, "2017-12-20")])
    for customer in ("mover", "stayer", "resting", "leaves", "leaves%20later"):
        wait_until(lambda customer=customer: len(history(stack, customer)) == 1 and segment(stack, customer) == 1)  # type: ignore[misc]
    assert explained(stack, "resting") == [("orders_30d", 2.0)]
    _, rested = stack.api_get("/customers/resting/segment?explain=true")

    stack = redeploy(stack, PACKED_TEMPLATE, LATER)
    assert part_of(stack.api_get("/customers/resting/segment?explain=true")[1], rested) == rested
    decides_and_answers(stack, 8)
    move_clock(stack.emulator.session, stack.endpoint, LATER)
    wait_until(lambda: [moved["cause"] for moved in history(stack, "leaves")] == ["events", "time"])
    assert (segment(stack, "leaves"), segment(stack, "leaves%20later")) == (0, 1)
    assert stack.api("DELETE", "/customers/resting")[0] == 202
    wait_until(lambda: segment(stack, "resting") is None)
    publish_made_by(ROOT, stack, NEW, tmp_path / "new")
    wait_until(lambda: stack.api_get("/customers/mover/segment")[1]["model_version"] == NEW)

    moves = history(stack, "mover")
    stack = redeploy(stack, release_before, LAST)
    assert stack.api_get("/customers/mover/segment")[1]["model_version"] == NEW
    drop(stack, "resting", orders("resting", 2, "2017-12-30"))
    waits = history(stack, "mover")
    drop(stack, "mover-waits", orders("mover", 30, "2017-12-28", first=30))
    decides_and_answers(stack, 30, "stayer")
    move_clock(stack.emulator.session, stack.endpoint, LAST)
    wait_until(lambda: [moved["cause"] for moved in history(stack, "leaves%20later")] == ["events", "time"])
    assert segment(stack, "leaves%20later") == 0
    assert segment(stack, "resting") is None
    # What this release wrote is its own to go on with: that customer's events come again until it is back.
    assert history(stack, "mover") == waits
    for queue in (stack.dlq_url, stack.queue_url):
        counted: Any = stack.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        assert counted["ApproximateNumberOfMessages"] == "0"
    stack = redeploy(stack, PACKED_TEMPLATE, LAST)
    wait_until(lambda: history(stack, "mover") == moves)
    decides_and_answers(stack, 30)
