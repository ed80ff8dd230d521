"""Counting beside a slow and obvious oracle, on shops of any events; and the published figures of a real test."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.durations import DAY_MS
from shared.events import Rules, read_lines
from shared.experiments.estimates import COLUMNS, COVARIATE_DAYS
from shared.experiments.histories import Experiments
from shared.experiments.results import FOUND, Look, judged
from shared.experiments.trial import CONTROL, TREATMENT
from shared.features import Profiles, fold
from tests.experiments import hillstrom

BEGIN_MS = 1_700_000_000_000
HALF_DAY = DAY_MS // 2
WINDOW_DAYS = 3
type Happened = dict[str, Any]

happenings = st.fixed_dictionaries(
    {
        "customer_id": st.sampled_from("abcd"),
        "event_type": st.sampled_from(["purchase", "refund", "page_view", "email_open", "campaign_exposure"]),
        "timestamp": st.integers(-200, 20).map(lambda n: BEGIN_MS + n * HALF_DAY),
        "order_id": st.sampled_from([None, "o1", "o2"]),
        "price": st.integers(0, 40).map(lambda n: n / 4),
        "arm": st.sampled_from([TREATMENT, CONTROL]),
        "campaign": st.sampled_from(["x", "y"]),
    }
)


def _profiles(events: list[Happened]) -> Profiles:
    lines = [_line(i, event) for i, event in enumerate(events)]
    chunk = read_lines(lines, Rules())
    assert not chunk.rejections
    return fold(chunk.events)


def _line(number: int, event: Happened) -> bytes:
    import json

    at = datetime.fromtimestamp(event["timestamp"] / 1_000, UTC).isoformat()
    line = {**event, "event_id": str(number), "timestamp": at}
    if event["event_type"] != "campaign_exposure":
        line |= {"arm": None, "campaign": None}
    return json.dumps({name: value for name, value in line.items() if value is not None}).encode()


def _expected(events: list[Happened], campaign: str, as_of_ms: int) -> dict[str, list[list[float]]]:
    """COLUMNS of each customer whose window is over, by arm, told by loops."""
    window_ms = WINDOW_DAYS * DAY_MS
    rows: dict[str, list[list[float]]] = {TREATMENT: [], CONTROL: []}
    known = [event for event in events if event["timestamp"] < as_of_ms]
    for customer in "abcd":
        own = [event for event in known if event["customer_id"] == customer]
        exposures = [
            (event["timestamp"], event["arm"] == TREATMENT, event["arm"])
            for event in own
            if event["event_type"] == "campaign_exposure" and event["campaign"] == campaign
        ]
        if not exposures:
            continue
        begin, _, arm = min(exposures)
        if begin + window_ms > as_of_ms:
            continue
        bought = [event for event in own if event["event_type"] == "purchase"]
        orders: dict[object, int] = {}
        for event in sorted(bought, key=lambda event: event["timestamp"]):
            orders.setdefault(event["order_id"] or object(), event["timestamp"])
        came = [event["timestamp"] for event in own if event["event_type"] in ("purchase", "page_view")]

        def spent(first: int, last: int, own: list[Happened] = own, begin: int = begin) -> float:
            signs = {"purchase": 1, "refund": -1}
            inside = (event for event in own if first <= event["timestamp"] - begin < last)
            return sum((signs.get(event["event_type"], 0) * float(event["price"]) for event in inside), 0.0)

        after = [time for time in orders.values() if 0 <= time - begin < window_ms]
        before = [time for time in orders.values() if -window_ms <= time - begin < 0]
        buyer = any(time < begin for time in orders.values())
        columns = {
            "visited": any(0 <= time - begin < window_ms for time in came),
            "converted": bool(after),
            "orders": len(after),
            "revenue": spent(0, window_ms),
            "buyer": buyer,
            "churned": buyer and not after,
            "spend_before": spent(-COVARIATE_DAYS * DAY_MS, 0),
            "visited_before": any(-window_ms <= time - begin < 0 for time in came),
            "converted_before": bool(before),
            "orders_before": len(before),
            "revenue_before": spent(-window_ms, 0),
        }
        rows[arm].append([float(columns[name]) for name in COLUMNS])
    return rows


@given(st.lists(happenings, min_size=1, max_size=40))
def test_what_is_counted_is_what_loops_count(events: list[Happened]) -> None:
    as_of_ms = BEGIN_MS + 12 * HALF_DAY
    experiments = Experiments(_profiles(events), as_of_ms)
    for campaign in experiments.campaigns:
        trial = experiments.trial(campaign, WINDOW_DAYS)
        if trial.window_days < WINDOW_DAYS:
            continue
        for arm, rows in _expected(events, campaign, as_of_ms).items():
            moments = trial.arm(arm)
            assert moments.n == len(rows)
            if rows:
                np.testing.assert_allclose(moments.mean, np.mean(rows, axis=0), atol=1e-9)


def _exposure(customer: str, day: float, arm: str = TREATMENT, campaign: str = "x") -> Happened:
    at = BEGIN_MS + round(day * DAY_MS)
    return {
        "customer_id": customer,
        "event_type": "campaign_exposure",
        "timestamp": at,
        "arm": arm,
        "campaign": campaign,
    }


def test_the_first_exposure_counts_and_others_are_contacts() -> None:
    events = [_exposure("a", 0), _exposure("a", 1), _exposure("b", 0, CONTROL), _exposure("b", 1), _exposure("c", 0)]
    trial = Experiments(_profiles(events), BEGIN_MS + 9 * DAY_MS).trial("x", 4)
    assert trial.assigned == {TREATMENT: 2, CONTROL: 1}
    assert trial.contacts == 3
    assert trial.switched == 1


def test_of_two_arms_at_one_instant_the_one_in_which_nothing_was_done_counts() -> None:
    events = [_exposure("a", 0), _exposure("a", 0, CONTROL)]
    assert Experiments(_profiles(events), BEGIN_MS + 9 * DAY_MS).trial("x", 4).assigned == {TREATMENT: 0, CONTROL: 1}


def test_windows_are_as_long_as_half_of_the_exposed_have_had() -> None:
    events = [_exposure("a", 0), _exposure("b", 2), _exposure("c", 4)]
    trial = Experiments(_profiles(events), BEGIN_MS + 10 * DAY_MS).trial("x", 30)
    assert trial.window_days == 8
    assert trial.observed == 2
    begun = Experiments(_profiles(events), BEGIN_MS + 4 * DAY_MS + 1).trial("x", 30)
    assert begun.window_days == pytest.approx(2)


def test_overlapping_campaigns_are_told_by_arm() -> None:
    events = [_exposure("a", 0), _exposure("b", 0, CONTROL), _exposure("c", 0), _exposure("a", 1, campaign="y")]
    events += [_exposure("b", 1, CONTROL, "y"), _exposure("c", -1, campaign="y")]
    experiments = Experiments(_profiles(events), BEGIN_MS + 9 * DAY_MS)
    assert experiments.trial("x", 4).elsewhere == {"y": (0.5, 0.0)}
    assert experiments.trial("y", 4).elsewhere == {"x": (0.5, 0.0)}


# ---- A real test -----------------------------------------------------------------------------------------------------

PUBLISHED = {"mens_email": 0.0766, "womens_email": 0.0452}
"""Visits within two weeks, beside those who were sent nothing."""


@pytest.mark.skipif(not hillstrom.FOLDER.exists(), reason=f"there is no {hillstrom.FOLDER.name} beside the repository")
def test_the_published_effects_of_the_email_test_come_out(tmp_path: Path) -> None:
    from training.data.events import read_events

    rows = hillstrom.emails()
    hillstrom.events(rows).to_parquet(tmp_path / "events.parquet")
    profiles = read_events([tmp_path]).profiles
    as_of_ms = int(profiles.rows.time_ms.max()) + 1
    experiments = Experiments(profiles, as_of_ms)
    kept = {f"customer#{customer}": lives for customer, lives in zip(rows.customer_id, rows.zip_code, strict=True)}
    for campaign, email in hillstrom.CAMPAIGNS.items():
        segments = [kept[profiles.keys[at]] for at in experiments.exposed(campaign).at]
        (result,) = judged([experiments.trial(campaign, segments=segments)], Look(as_of_ms))
        assert result["state"] == FOUND
        visit = next(metric for metric in result["metrics"] if metric["metric"] == "visit")
        both = rows[rows.segment.isin([email, hillstrom.CONTROL])]
        means = both.groupby(both.segment == email).visit.mean()
        assert means[True] - means[False] == pytest.approx(PUBLISHED[campaign], abs=0.0001)
        assert visit["effect"] == pytest.approx(PUBLISHED[campaign], abs=0.0007), "of which spending before took a part"
        assert visit["low"] < PUBLISHED[campaign] < visit["high"]
        assert visit["finding"] == "higher"
        for segment in visit["segments"]:
            own = both[both.zip_code == segment["segment"]]
            apart = own.groupby(own.segment == email).visit.mean()
            assert segment["low"] < apart[True] - apart[False] < segment["high"]
            assert segment["finding"] == "higher" or campaign == "womens_email"
        assert {segment["segment"] for segment in visit["segments"]} == {"Rural", "Surburban", "Urban"}
