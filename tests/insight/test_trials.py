from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.durations import DAY_MS
from shared.experiments.assignment import Planned
from shared.experiments.estimates import COLUMNS
from shared.experiments.histories import Experiments
from shared.experiments.results import Look, judged
from shared.experiments.trial import CONTROL, TREATMENT, Cost, Trial
from shared.insight import trials as insight_trials
from shared.insight.tables import Tables
from shared.insight.trials import VISITS, Design, trials
from tests.experiments.test_histories import BEGIN_MS, HALF_DAY, WINDOW_DAYS, Happened, _exposure, _profiles, happenings
from tests.insight.exported import exposures, orders, write
from tests.support.examples import at_most

AS_OF_MS = BEGIN_MS + 40 * HALF_DAY
"""By when all windows are over."""


def _told(events: list[Happened], folder: Path, **designs: Design) -> dict[str, Trial]:
    profiles = _profiles(events)
    tables = write(folder, orders=orders(profiles), exposures=exposures(profiles))
    return {trial.campaign: trial for trial in trials(tables, AS_OF_MS, WINDOW_DAYS, designs)}


def test_of_many_campaigns_those_that_are_designed_and_the_largest_of_the_others_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(insight_trials, "MOST_CAMPAIGNS", 2)
    events = [
        _exposure(f"{name} {n}", 0, campaign=name)
        for name, reached in (("small", 1), ("planned", 1), ("large", 4), ("middle", 3))
        for n in range(reached)
    ]
    assert [*_told(events, tmp_path, planned=Design(), absent=Design())] == ["large", "middle", "planned"]


@settings(max_examples=at_most(40), deadline=None)
@given(st.lists(happenings, min_size=1, max_size=40))
def test_exports_tell_what_histories_tell(events: list[Happened]) -> None:
    experiments = Experiments(_profiles(events), AS_OF_MS)
    with TemporaryDirectory() as folder:
        exported = _told(events, Path(folder))
    assert [*exported] == experiments.campaigns
    for campaign, one in exported.items():
        expected = experiments.trial(campaign, WINDOW_DAYS)
        if expected.window_days < WINDOW_DAYS:
            continue
        np.testing.assert_array_equal(one.exposed_ms, expected.exposed_ms)
        for attribute in ("assigned", "contacts", "switched", "elsewhere", "window_days", "columns"):
            assert getattr(one, attribute) == getattr(expected, attribute), attribute
        assert one.groups.keys() == expected.groups.keys()
        for group, moments in one.groups.items():
            assert moments.n == expected.groups[group].n
            np.testing.assert_allclose(moments.mean, expected.groups[group].mean, atol=1e-9)
            np.testing.assert_allclose(moments.scatter, expected.groups[group].scatter, atol=1e-6)


def _without_visits(folder: Path, rows: list[dict[str, Any]], name: str) -> Path:
    """A file of exposures as releases of before wrote it."""
    (path,) = write(folder, exposures=rows).files["exposures"]
    older = folder / name
    with duckdb.connect() as connection:
        without = connection.sql(f"SELECT * EXCLUDE (last_visit_at, next_visit_at) FROM read_parquet('{path}')")
        without.write_parquet(str(older))
    return older


def test_exports_of_before_do_not_tell_visits_nor_do_those_of_both(tmp_path: Path) -> None:
    visit = {**_exposure("a", 1), "event_type": "page_view", "campaign": None, "arm": None}
    profiles = _profiles([_exposure("a", 0), _exposure("b", 0, CONTROL), visit])
    now = write(tmp_path / "now", exposures=exposures(profiles), orders=orders(profiles))
    older = _without_visits(tmp_path / "older", exposures(profiles)[:1], "older.parquet")
    (whole,) = trials(now, AS_OF_MS, WINDOW_DAYS, {})
    assert whole.arm(TREATMENT).mean[COLUMNS.index("visited")] == 1
    for files in ([older], [*now.files["exposures"], older], [older, *now.files["exposures"]]):
        (trial,) = trials(Tables(now.folder, {**now.files, "exposures": files}), AS_OF_MS, WINDOW_DAYS, {})
        assert {*COLUMNS} - trial.columns == VISITS
        (said,) = judged([trial], Look(AS_OF_MS))
        assert "visit" not in {one["metric"] for one in (*said["metrics"], *said["before_and_after"])}


def _moved(customer: str, day: float, segment: int, recorded: int = 0) -> dict[str, Any]:
    at = BEGIN_MS + round(day * DAY_MS)
    row = {"customer_id": customer, "happened_at": at, "to_segment_id": segment, "recorded_at": at + recorded}
    return {**row, "transition_id": f"{customer}{day}{recorded}", "type": "segment"}


def test_the_segment_is_the_one_at_the_exposure(tmp_path: Path) -> None:
    profiles = _profiles([_exposure("a", 2), _exposure("b", 2, CONTROL), _exposure("c", 2), _exposure("d", 2)])
    moves = [_moved("a", 1, 7), _moved("a", 3, 8), _moved("b", 2, 8), _moved("c", 2.5, 7)]
    # Of two at one instant the one that the ledger took last.
    moves += [_moved("d", 1, 8, recorded=5), _moved("d", 1, 7)]
    names = [{"segment_id": 7, "segment_name": "loyal"}, {"segment_id": 8, "segment_name": "new"}]
    tables = write(tmp_path, exposures=exposures(profiles), moves=moves, segments=names)
    (trial,) = trials(tables, AS_OF_MS, WINDOW_DAYS, {})
    sizes = {group: moments.n for group, moments in trial.groups.items()}
    assert sizes == {
        (TREATMENT, "loyal"): 1,
        (CONTROL, "new"): 1,
        (TREATMENT, None): 1,
        (TREATMENT, "new"): 1,
    }


def test_who_was_exposed_under_another_plan_is_left_out(tmp_path: Path) -> None:
    planned, cost = Planned(0.2, "audience"), Cost(0.1, 0.3)
    events = [_exposure("a", 0), _exposure("b", 2, CONTROL), _exposure("c", 3)]
    trial = _told(events, tmp_path, x=Design(planned, BEGIN_MS + DAY_MS, cost))["x"]
    assert trial.assigned == {TREATMENT: 1, CONTROL: 1}
    assert len(trial.exposed_ms) == trial.observed == 2
    assert (trial.planned, trial.cost) == (planned, cost)


def test_nothing_exported_yet_is_no_campaign(tmp_path: Path) -> None:
    assert trials(write(tmp_path), AS_OF_MS, WINDOW_DAYS, {}) == []
