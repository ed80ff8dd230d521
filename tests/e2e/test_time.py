"""Time alone, on a local AWS: the clock goes on, nobody does anything, and customers are where scoring puts them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow.parquet import read_table

from local.clock import move_clock, set_clock
from local.complete_journey import AS_OF, read_lines
from local.observe import read_profiles
from local.stack import Stack, local_stack
from shared.decisions.transitions import Cause
from shared.events.event import parse_timestamp
from shared.profiles.stored_profile import StoredProfile
from tests.e2e.conftest import wait_until
from tests.e2e.journeys import Journeys
from tests.support.bundles import make_bundle, publish
from training import score

pytestmark = pytest.mark.e2e

HOUSEHOLDS = 120
ZONE = "America/Sao_Paulo"
"""Where clocks were put back on 18 February 2018."""
BUNDLE = make_bundle(feature="visits_90d", centroids=(0.0, 8.0, 25.0), zone=ZONE)
LATER = "2018-03-03T03:00:00Z"
LATEST = "2018-05-02T03:00:00Z"
"""Midnights there."""
A_TICK_SECONDS = 150


@pytest.fixture(scope="module")
def purchases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A year's purchases of some households of Complete Journey."""
    lines = read_lines()
    path = tmp_path_factory.mktemp("time") / "purchases.parquet"
    lines[lines.customer_id.isin(lines.customer_id.unique()[:HOUSEHOLDS])].to_parquet(path, index=False)
    return path


@pytest.fixture(scope="module")
def stack(purchases: Path) -> Iterator[Stack]:
    """Everyone decided on at the beginning of 2018."""
    with local_stack(clock=AS_OF, RefreshMinutes="1", TimeZone=ZONE) as deployed:
        events = deployed.emulator.session.client("events", endpoint_url=deployed.endpoint)
        # The run for a new model would still be going on when the clock moves, and decide on everyone.
        (rule,) = [one["Name"] for one in events.list_rules()["Rules"] if "StateMachinePublished" in one["Name"]]
        events.disable_rule(Name=rule)
        publish(deployed.s3, BUNDLE)
        deployed.s3.upload_file(str(purchases), deployed.bucket, "events/purchases.parquet")
        wait_until(lambda: len(decided(deployed)) == HOUSEHOLDS, seconds=120)
        yield deployed


def decided(stack: Stack) -> dict[str, StoredProfile]:
    return {key: profile for key, profile in read_profiles(stack).items() if profile.decision}


def states(profiles: dict[str, StoredProfile]) -> dict[str, tuple[int, str]]:
    return {key: (p.decision.segment, p.decision.intent) for key, p in profiles.items() if p.decision}


def due(profiles: dict[str, StoredProfile], by: str) -> set[str]:
    """Who is to be looked at again at that time or before."""
    decisions = {key: profile.decision for key, profile in profiles.items()}
    return {key for key, d in decisions.items() if d and d.due_ms and d.due_ms <= parse_timestamp(by)}


def offline(purchases: Path, as_of: str, folder: Path) -> dict[str, tuple[int, str]]:
    (folder / "bundle.onnx").write_bytes(BUNDLE[0])
    (folder / "manifest.json").write_text(json.dumps({**BUNDLE[1], "currency": "USD"}))
    out = folder / "scores.parquet"
    given = ["--events", str(purchases), "--model", str(folder), "--as-of", as_of, "--out", str(out)]
    assert score.main(given) == 0
    return {f"customer#{row['customer_id']}": (row["segment_id"], row["intent"]) for row in read_table(out).to_pylist()}


def test_after_sixty_days_the_schedule_has_moved_those_whom_scoring_everyone_moves(
    stack: Stack, purchases: Path, tmp_path: Path
) -> None:
    journeys = Journeys(stack)
    before = decided(stack)
    set_clock(stack.emulator.session, stack.endpoint, LATER)
    expected = offline(purchases, LATER, tmp_path)
    wait_until(lambda: not due(decided(stack), LATER), seconds=A_TICK_SECONDS)
    after = decided(stack)
    assert states(after) == expected

    changed = {key for key, profile in after.items() if profile != before[key]}
    assert changed == due(before, LATER)
    assert 0 < len(changed) < len(after)

    movers = {key for key in after if states(after)[key][0] != states(before)[key][0]}
    assert movers and {after[key].moved for key in movers} == {Cause.TIME}
    one = min(movers)

    def announced() -> list[dict[str, Any]]:
        return [move for move in journeys.of(one.removeprefix("customer#")) if move["cause"] != "events"]

    wait_until(lambda: bool(announced()))
    (move,) = announced()
    assert (move["from"], move["to"]) == (states(before)[one][0], states(after)[one][0])
    assert (move["cause"], move["at"]) == ("time", LATER)


def test_the_clock_of_a_local_stack_can_be_moved_by_hand(stack: Stack, purchases: Path, tmp_path: Path) -> None:
    before = decided(stack)
    done = move_clock(stack.emulator.session, stack.endpoint, LATEST)
    after = decided(stack)
    assert states(after) == offline(purchases, LATEST, tmp_path)
    assert done["DueRead"] == done["DueDecided"] == len(due(before, LATEST)) > 0
