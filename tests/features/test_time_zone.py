from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.features.time_zone import UTC_TIME, TimeZone, UnknownTimeZone

ODD = (
    "Europe/Berlin",
    "America/Sao_Paulo",  # skipped midnights until 2018
    "America/Havana",  # shows 00:30 twice
    "Australia/Lord_Howe",  # moves by half an hour
    "Pacific/Apia",  # left out a day in 2011
    "America/St_Johns",  # fell back across midnight until 2011
    "Africa/Casablanca",  # changes with Ramadan
    "Asia/Kathmandu",
)
INSTANTS = st.datetimes(datetime(1970, 1, 2), datetime(2049, 12, 30), timezones=st.just(UTC))
EPOCH = date(1970, 1, 1)


def ms(at: datetime) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([(at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)])


@given(INSTANTS, st.sampled_from(ODD))
def test_an_instant_has_the_date_and_the_hour_of_the_clock_there(at: datetime, name: str) -> None:
    there = at.astimezone(ZoneInfo(name))
    [local] = TimeZone.of(name).local(ms(at))
    assert local == ms(there.replace(tzinfo=UTC))
    assert TimeZone.of(name).day(ms(at)) == (there.date() - EPOCH).days


@given(st.dates(date(1970, 1, 2), date(2049, 12, 30)), st.sampled_from(ODD))
def test_a_day_begins_at_its_midnight(day: date, name: str) -> None:
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(name)).astimezone(UTC)
    assert TimeZone.of(name).midnight(np.array([(day - EPOCH).days])) == ms(midnight)


def test_where_clocks_skip_midnight_a_day_begins_at_one() -> None:
    day = (date(2018, 11, 4) - EPOCH).days
    [begin] = TimeZone.of("America/Sao_Paulo").midnight(np.array([day]))
    assert begin == ms(datetime(2018, 11, 4, 3, tzinfo=UTC))


def test_utc_shifts_nothing() -> None:
    times = np.array([0, 86_400_000 * 20_000 + 1])
    assert UTC_TIME.local(times) is times
    assert UTC_TIME.midnight(np.array([3])).tolist() == [3 * 86_400_000]
    assert TimeZone.of("UTC").local(times) is times


@pytest.mark.parametrize("name", ["Europe/Bonn", "", "Europe", "../zone", "/etc/passwd", "Europe/Berlin\0", "é"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(UnknownTimeZone, match="there is no time zone"):
        TimeZone.of(name)


def test_every_zone_of_the_database_is_one() -> None:
    some = sorted(available_timezones())[::60]
    assert [TimeZone.of(name).name for name in some] == some
