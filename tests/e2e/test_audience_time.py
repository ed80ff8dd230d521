"""Audiences as time goes by, on a local AWS: who enters and leaves does so on the day that counting everybody says."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from local.clock import move_clock
from local.complete_journey import AS_OF, read_lines
from local.stack import Stack, local_stack
from tests.e2e.conftest import wait_until
from tests.e2e.test_time import BUNDLE, HOUSEHOLDS, ZONE, decided, due
from tests.support.bundles import publish

pytestmark = pytest.mark.e2e

WINDOWS = {"lapsed": ("orders(30) = 0", 30), "regular": ("orders(60) >= 4", 60)}
STEPS = (1, 1, 1, 1, 10, 35)
"""Days by which the clock is moved on; clocks are put back there during the last."""
SECONDS = 180

type Members = dict[str, set[str]]


@pytest.fixture(scope="module")
def purchases() -> pd.DataFrame:
    """A year's purchases of some households of Complete Journey."""
    lines = read_lines()
    return lines[lines.customer_id.isin(lines.customer_id.unique()[:HOUSEHOLDS])]


@pytest.fixture(scope="module")
def stack(purchases: pd.DataFrame) -> Iterator[Stack]:
    """Everyone decided on at a midnight of the shop, with two audiences; nothing ticks but what the test asks for."""
    with local_stack(clock=clock(0), RefreshMinutes="60", TimeZone=ZONE) as deployed:
        publish(deployed.s3, BUNDLE)
        body = purchases.to_parquet(index=False)
        deployed.s3.put_object(Bucket=deployed.bucket, Key="events/purchases.parquet", Body=body)
        wait_until(lambda: len(decided(deployed)) == HOUSEHOLDS, SECONDS)
        for key, (rule, _) in WINDOWS.items():
            assert deployed.api("PUT", f"/audiences/{key}", {"where": rule})[0] == 200
        wait_until(lambda: members(deployed) == expected(purchases, clock(0)), SECONDS)
        wait_until(lambda: not running(deployed), SECONDS)
        yield deployed


def clock(days: int) -> str:
    """A midnight of the shop, so many days after the first."""
    begin = pd.Timestamp(AS_OF).tz_convert(ZONE).normalize() + timedelta(days=1)
    midnight = (begin.tz_localize(None) + timedelta(days=days)).tz_localize(ZONE).tz_convert("UTC")
    return midnight.strftime("%Y-%m-%dT%H:%M:%SZ")


def expected(purchases: pd.DataFrame, at: str) -> Members:
    """Who is in which audience, by counting everybody's baskets."""
    now = pd.Timestamp(at).tz_localize(None)
    counted: dict[int, Any] = {}
    for _, days in WINDOWS.values():
        inside = purchases[(purchases.timestamp >= now - timedelta(days=days)) & (purchases.timestamp < now)]
        baskets = inside.groupby("customer_id").order_id.nunique()
        counted[days] = baskets.reindex(purchases.customer_id.unique(), fill_value=0)
    lapsed, regular = counted[30] == 0, counted[60] >= 4
    return {"lapsed": {*lapsed.index[lapsed]}, "regular": {*regular.index[regular]}}


def members(stack: Stack) -> Members:
    """The same by what is stored."""
    by_audience: Members = {key: set() for key in WINDOWS}
    for key, profile in decided(stack).items():
        assert profile.decision
        for audience in profile.decision.audiences:
            by_audience[audience].add(key.removeprefix("customer#"))
    return by_audience


def running(stack: Stack) -> bool:
    states = stack.emulator.session.client("stepfunctions", endpoint_url=stack.endpoint)
    return bool(states.list_executions(stateMachineArn=stack.rescore_arn, statusFilter="RUNNING")["executions"])


def test_everybody_enters_and_leaves_on_the_day_that_counting_says_and_only_who_is_due_is_read(
    stack: Stack, purchases: pd.DataFrame
) -> None:
    moved: dict[str, list[tuple[str, bool, str]]] = {}
    read = 0
    day = 0
    for days in STEPS:
        day += days
        at = clock(day)
        before, earlier = decided(stack), members(stack)
        done = move_clock(stack.emulator.session, stack.endpoint, at)
        now = members(stack)
        assert now == expected(purchases, at)
        assert done["DueRead"] == done["DueDecided"] == len(due(before, at))
        read += done["DueRead"]
        for audience in WINDOWS:
            for customer in now[audience] ^ earlier[audience]:
                moved.setdefault(customer, []).append((audience, customer in now[audience], at))
    assert len(moved) > 20
    assert read < HOUSEHOLDS * len(STEPS) / 2
    for customer, moves in moved.items():
        wait_until(lambda customer=customer, moves=moves: told(stack, customer) == {*moves}, SECONDS)  # type: ignore[misc]


def told(stack: Stack, customer: str) -> set[tuple[str, bool, str]]:
    """A customer's moves by time alone, as the API tells of them."""
    _, page = stack.api_get(f"/customers/{customer}/audiences?limit=100")
    return {(one["audience"], one["entered"], one["at"]) for one in page["moves"] if one["cause"] == "time"}
