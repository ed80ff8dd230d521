"""What a run exports is fixed once, by the day of the shop and by the last day that is whole."""

from typing import TYPE_CHECKING

import pytest

from shared.clock import Moment
from shared.durations import HOUR_MS
from shared.exports.plan import Manifest, Plan, Plans, Written, day_of
from shared.features.time_zone import UTC_TIME, TimeZone
from tests.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NOON = Moment(as_of_ms=1_509_537_600_000, scored_at_ms=1_509_537_600_000)  # 1 November 2017
NEXT = Moment(NOON.as_of_ms + 24 * HOUR_MS, NOON.scored_at_ms + 24 * HOUR_MS)


@pytest.fixture
def plans(s3: "S3Client") -> Plans:
    return Plans(s3, BUCKET, UTC_TIME, settle_ms=960_000)


def planned(plans: Plans, run: str, moment: Moment) -> Plan:
    plan = plans.of(run, moment)
    assert plan
    return plan


def make_whole(plans: Plans, plan: Plan) -> None:
    plans.write(Manifest("snapshots", plan, [Written("exports/snapshots/x.parquet", 1, 1)]))
    plans.release(plan.date)


def test_a_plan_stays_what_it_was_whenever_it_is_asked_for(plans: Plans) -> None:
    plan = planned(plans, "r", NOON)
    assert plan == Plan("r", "2017-11-01", NOON.as_of_ms, NOON.scored_at_ms - 960_000, None)
    assert planned(plans, "r", NEXT) == plan


def test_increments_go_on_where_the_last_whole_day_ended(plans: Plans) -> None:
    first = planned(plans, "first", NOON)
    too_soon = planned(plans, "too soon", NEXT)
    assert too_soon.recorded_from_ms is None
    plans.release(too_soon.date)
    make_whole(plans, first)
    second = planned(plans, "second", NEXT)
    assert second.recorded_from_ms == first.recorded_until_ms
    assert second.is_new(first.recorded_until_ms + 1)
    assert second.is_new(second.recorded_until_ms)
    assert not second.is_new(first.recorded_until_ms)
    assert not second.is_new(second.recorded_until_ms + 1)


def test_a_day_that_is_run_again_goes_on_from_the_day_before_and_is_not_whole(plans: Plans, s3: "S3Client") -> None:
    make_whole(plans, planned(plans, "first", NOON))
    make_whole(plans, planned(plans, "second", NEXT))
    later = Moment(NEXT.as_of_ms + HOUR_MS, NEXT.scored_at_ms + HOUR_MS)
    assert plans.whole("2017-11-02")
    again = planned(plans, "again", later)
    assert again.recorded_from_ms == planned(plans, "first", NOON).recorded_until_ms
    assert plans.whole("2017-11-02") is None
    assert plans.whole("2017-11-01")


def test_a_day_belongs_to_one_run_until_it_lets_go_or_does_nothing_for_hours(plans: Plans) -> None:
    planned(plans, "first", NOON)
    assert plans.of("second", NOON) is None
    assert plans.hold("first", "2017-11-01", NOON.scored_at_ms + 5 * HOUR_MS)  # and says so anew
    assert plans.of("second", Moment(NOON.as_of_ms, NOON.scored_at_ms + 10 * HOUR_MS)) is None
    assert plans.of("second", Moment(NOON.as_of_ms, NOON.scored_at_ms + 12 * HOUR_MS))
    assert not plans.hold("first", "2017-11-01", NOON.scored_at_ms + 12 * HOUR_MS)
    plans.release("2017-11-01")
    assert plans.hold("third", "2017-11-01", NOON.scored_at_ms + 12 * HOUR_MS)


def test_the_day_is_that_of_the_shop() -> None:
    before_midnight = NOON.as_of_ms + 11 * HOUR_MS + HOUR_MS // 2
    assert day_of(before_midnight, UTC_TIME) == "2017-11-01"
    assert day_of(before_midnight, TimeZone.of("Europe/Berlin")) == "2017-11-02"
    assert day_of(NOON.as_of_ms - 12 * HOUR_MS, TimeZone.of("America/New_York")) == "2017-10-31"
