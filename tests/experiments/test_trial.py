import numpy as np
import pytest

from shared.durations import DAY_MS
from shared.experiments.moments import Moments
from shared.experiments.trial import CONTROL, TREATMENT, Trial
from tests.experiments.trials import rows, trial


def test_arms_are_their_segments_together() -> None:
    parts = [rows(50, 0.2), rows(70, 0.4), rows(30, 0.1)]
    groups = {
        (TREATMENT, "loyal"): Moments.of(parts[0]),
        (TREATMENT, None): Moments.of(parts[1]),
        (CONTROL, "new"): Moments.of(parts[2]),
    }
    one = trial(parts[0], parts[2], groups=groups)
    assert one.arm(TREATMENT).n == 120
    assert one.arm(TREATMENT, "loyal").n == 50
    assert one.arm(CONTROL, "loyal").n == 0
    assert one.segments == ["loyal", "new"]
    assert one.observed == 150


def _came(days: list[float], observed: int) -> Trial:
    return trial(rows(observed, 0.5), rows(0, 0.0), exposed_ms=(np.array(days) * DAY_MS).astype(np.int64))


@pytest.mark.parametrize(
    ("customers", "days"),
    [
        (3, 0),  # they are there
        (4, 5),  # came on day 9, so that their 14 days end on day 23, and it is day 18
        (5, 14),
        (7, 14 + 8),  # nobody of them is there: of the five who came in 18 days there will be two more in 7.2
    ],
)
def test_how_long_it_takes_is_told_by_who_is_there_and_who_comes(customers: int, days: int) -> None:
    assert _came([0, 1, 2, 9, 17.5], observed=3).days_until(customers, 18 * DAY_MS) == days


def test_nobody_is_expected_where_nobody_came_for_a_week() -> None:
    assert _came([0, 1, 2, 9, 10], observed=3).days_until(7, 18 * DAY_MS) is None
    assert _came([], observed=0).days_until(7, 18 * DAY_MS) is None
