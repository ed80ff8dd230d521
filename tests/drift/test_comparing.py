import numpy as np
import pytest

from shared.drift.comparing import LEAST, Finding, compare, judged
from shared.drift.reference import CUSTOMER_DAYS, FLOW_DAYS, FORMAT, Measure, Reference
from shared.drift.stability import Counts
from shared.durations import DAY_MS

AS_OF_MS = 1_700_000_000_000
EVEN = np.full(8, 1 / 8)
FAR = np.array([0.3, 0.2, 0.15, 0.1, 0.1, 0.05, 0.05, 0.05])
ONE_KIND = np.array([0.65, *[0.05] * 7])

type Shares = np.ndarray


def drawn(random: np.random.Generator, shares: Shares, number: int) -> list[int]:
    counts: list[int] = random.multinomial(number, shares).tolist()
    return counts


def flow(shares_of: object = lambda day: EVEN, number: int = 2_000, seed: int = 1) -> Measure:
    random = np.random.default_rng(seed)
    rows = [drawn(random, shares_of(day), number) for day in FLOW_DAYS]  # type: ignore[operator]
    return Measure([*FLOW_DAYS], rows, labels=[*map(str, range(8))])


def night(measure: Measure, counts: Counts, age: float = 1, **given: Counts) -> Finding:
    known = Reference(FORMAT, "b", AS_OF_MS, {"events/types": measure})
    a_year_ago = [{"events/types": given["a_year_ago"]}] if given else []
    (finding,) = compare(known, {"events/types": counts}, AS_OF_MS + round(age * DAY_MS), a_year_ago)
    return finding


def of(shares: Shares, number: int = 2_000) -> Counts:
    return np.random.default_rng(9).multinomial(number, shares)


def test_a_night_as_ever_is_none_and_another_one_is() -> None:
    assert not night(flow(), of(EVEN)).is_drift
    finding = night(flow(), of(FAR))
    assert finding.is_drift and finding.index > 0.3 and finding.p_value < 1e-20


def test_what_is_sure_but_small_is_no_drift() -> None:
    little = EVEN + np.array([0.02, -0.02] * 4)
    finding = night(flow(number=1_000_000), of(little, 1_000_000))
    assert finding.p_value < 1e-20 and 0.02 < finding.index < 0.05 and not finding.is_drift


def test_what_is_large_but_may_be_chance_is_no_drift() -> None:
    assert not night(flow(number=60), np.array([8, 2, 5, 5, 3, 2, 3, 2])).is_drift


def test_weekdays_are_no_drift() -> None:
    weekly = flow(lambda day: FAR if day % 7 == 3 else EVEN)
    assert not night(weekly, of(FAR)).is_drift


def test_a_trend_goes_on_without_an_alarm() -> None:
    def on(day: float) -> Shares:
        tilted = np.exp(np.linspace(-1, 1, 8) * (400 - day) / 100)
        return np.asarray(tilted / tilted.sum())

    trend = flow(on)
    for age in (1, 20, 60, 150, 400):
        assert not night(trend, of(on(-age)), age).is_drift, age
    assert night(trend, of(on(-1)[::-1]), 1).is_drift


def test_a_season_of_a_year_ago_is_expected_and_another_change_at_its_time_is_not() -> None:
    seasonal = flow(lambda day: FAR if 320 <= day <= 345 else EVEN)
    expected = night(seasonal, of(FAR), age=30)
    assert (expected.is_drift, expected.is_season) == (False, True)
    assert night(seasonal, of(FAR[::-1]), age=30).is_drift
    assert night(seasonal, of(FAR), age=120).is_drift


def test_a_few_that_are_far_away_are_found_though_each_day_of_a_year_ago_had_as_few() -> None:
    """Held against them one by one, chance makes so much of each that nothing is surely further away than all."""
    found = [night(flow(number=35, seed=seed), of(ONE_KIND, 35)).is_drift for seed in range(20)]
    assert sum(found) >= 12


def test_a_season_of_a_year_ago_with_few_a_day_is_expected_too() -> None:
    seasons = [flow(lambda day: ONE_KIND if 310 <= day <= 360 else EVEN, 35, seed) for seed in range(20)]
    assert not any(night(season, of(ONE_KIND, 35), age=30).is_drift for season in seasons)


def test_a_season_that_nights_of_the_same_bundle_showed_is_no_alarm_a_second_time() -> None:
    assert night(flow(), of(FAR), age=400).is_drift
    again = night(flow(), of(FAR), age=400, a_year_ago=of(FAR))
    assert (again.is_drift, again.is_season) == (False, True)
    assert night(flow(), of(FAR[::-1]), age=400, a_year_ago=of(FAR)).is_drift


def test_too_few_to_tell_and_too_short_a_history_are_left_out() -> None:
    known = Reference(FORMAT, "b", AS_OF_MS, {"events/types": flow()})
    assert compare(known, {"events/types": of(EVEN, LEAST - 1)}, AS_OF_MS) == []
    short = Measure([0, 1, 2], [of(EVEN).tolist()] * 3, labels=[*map(str, range(8))])
    assert compare(Reference(FORMAT, "b", AS_OF_MS, {"m": short}), {"m": of(EVEN)}, AS_OF_MS) == []
    assert compare(known, {}, AS_OF_MS) == []


def test_where_training_has_no_instant_so_far_back_the_nearest_counts() -> None:
    measure = flow()
    kept = [i for i, day in enumerate(measure.days_ago) if day < 20 or day > 350]
    sparse = Measure([measure.days_ago[i] for i in kept], [measure.counts[i] for i in kept], labels=measure.labels)
    for age in (20, 100, 200, 500):
        finding = night(sparse, of(FAR), age)
        assert finding.is_drift and finding.natural < 0.05


def test_customers_at_instants_are_the_same_again_and_count_once() -> None:
    random = np.random.default_rng(3)
    rows = [drawn(random, EVEN, 300) for _ in CUSTOMER_DAYS]
    measure = Measure([*CUSTOMER_DAYS], rows, edges=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    known = Reference(FORMAT, "b", AS_OF_MS, {"feature/x": measure})
    (finding,) = compare(known, {"feature/x": of(EVEN, 300)}, AS_OF_MS + DAY_MS)
    assert finding.p_value > 0.01 and not finding.is_drift


def test_what_drifted_comes_first() -> None:
    ones = [Finding(name, 500, index, p, 0.0, False) for name, index, p in (("a", 0.05, 0.0), ("b", 0.3, 1e-9))]
    assert [(one.name, one.is_drift) for one in judged(ones)] == [("b", True), ("a", False)]


@pytest.mark.parametrize("bins", [1, 8])
def test_a_bin_that_nobody_ever_was_in_says_nothing(bins: int) -> None:
    measure = flow()
    padded = Measure(
        measure.days_ago, [row + [0] * bins for row in measure.counts], labels=[str(i) for i in range(8 + bins)]
    )
    now = of(FAR)
    finding = night(padded, np.append(now, [0] * bins))
    assert finding.p_value == pytest.approx(night(measure, now).p_value, rel=0.5)
