"""Numbers and times in columns of texts: the values that Python gives them one by one, or none where it is asked."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shared.durations import DAY_MS, MINUTE_MS
from shared.events.event import LEAST_MS
from shared.events.texts import Positions, Texts

NO_TIME = -1
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_LONGEST_NUMBER = 64
_NUMBERS_REMEMBERED = 50_000
_ABSENT = ("", "null")
_DATE, _SECONDS = len("2017-10-01"), len("2017-10-01T10:00:00")
_FORMS = {_SECONDS + fraction + zone: (fraction, zone) for fraction in (0, 4, 7) for zone in (0, 1, 6)}
"""Bytes of a time in ISO 8601, and of its fraction with the point, and of its zone."""
_DECIMALS = range(len("YYYYMMDD") + 1, 16)
"""Digits of a time that is a number, each of which a float tells apart."""
_MONTH_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_DAYS_BEFORE = np.concatenate(([0, 0], np.cumsum(_MONTH_DAYS[1:-1])))

type Bytes = NDArray[np.uint8]
type Truths = NDArray[np.bool_]


def numbers(texts: Texts, absent: float) -> NDArray[np.float64]:
    """The values of numbers as JSON writes them, `absent` for nothing or null, and NaN for all else [n]."""
    if not texts.sizes.any():
        return np.full(len(texts), absent)
    positions, which = texts.distinct()
    return np.array([_number(text, absent) for text in texts.take(positions).tolist()])[which]


@lru_cache(_NUMBERS_REMEMBERED)
def _number(text: str, absent: float) -> float:
    if text in _ABSENT:
        return absent
    return float(text) if len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text) else np.nan


def times_ms(texts: Texts) -> NDArray[np.int64]:
    """Milliseconds since 1970, as `parse_timestamp` reads texts of the usual forms; NO_TIME for all others [n]."""
    times = np.full(len(texts), NO_TIME, np.int64)
    sizes = np.minimum(texts.sizes, max(_FORMS) + 1)
    for size in np.flatnonzero(np.bincount(sizes)).tolist():
        if size != _DATE and size not in _FORMS and size not in _DECIMALS:
            continue
        at = np.flatnonzero(sizes == size)
        characters = texts.buffer[texts.begins[at] + np.arange(size)[:, np.newaxis]]
        if size in _DECIMALS:
            times[at] = _decimal(characters)
        if size == _DATE:
            dates = _date(characters)
            times[at[dates != NO_TIME]] = dates[dates != NO_TIME]
        if size in _FORMS:
            times[at] = _moment(characters, *_FORMS[size])
    return times


def rounded_ms(seconds_or_ms: NDArray[np.float64]) -> NDArray[np.int64]:
    """Milliseconds since 1970 of times that are numbers; NO_TIME for those that are none or too large [n]."""
    usual = (seconds_or_ms >= 0) & (seconds_or_ms < 10.0 ** max(_DECIMALS))
    value = np.where(usual, seconds_or_ms, 0.0)
    milliseconds = np.rint(np.where(value >= LEAST_MS, value, value * 1_000)).astype(np.int64)
    return np.where(usual, milliseconds, NO_TIME)


def _decimal(characters: Bytes) -> NDArray[np.int64]:
    value, is_number = _whole(characters)
    return np.where(is_number, rounded_ms(value.astype(np.float64)), NO_TIME)


def _date(characters: Bytes) -> NDArray[np.int64]:
    """Midnight of YYYY-MM-DD from 1970 on."""
    year, is_year = _whole(characters[:4])
    month, is_month = _whole(characters[5:7])
    day, is_day = _whole(characters[8:10])
    is_date = is_year & is_month & is_day & _are(characters, {4: "-", 7: "-"})
    is_date &= (year >= 1970) & (month >= 1) & (month <= 12)
    month = np.where(is_date, month, 1)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    is_date &= (day >= 1) & (day <= _MONTH_DAYS[month] + (leap & (month == 2)))
    days = 365 * (year - 1970) + _leap_years(year - 1) - _leap_years(np.int64(1969))
    days += _DAYS_BEFORE[month] + (leap & (month > 2)) + day - 1
    return np.where(is_date, days * DAY_MS, NO_TIME)


def _moment(characters: Bytes, fraction: int, zone: int) -> NDArray[np.int64]:
    date = _date(characters)
    hour, is_hour = _whole(characters[11:13])
    minute, is_minute = _whole(characters[14:16])
    second, is_second = _whole(characters[17:19])
    is_time = is_hour & is_minute & is_second & (hour < 24) & (minute < 60) & (second < 60)
    is_time &= _are(characters, {13: ":", 16: ":"}) & ((characters[10] == ord("T")) | (characters[10] == ord(" ")))
    time = (hour * 60 + minute) * MINUTE_MS + second * 1_000
    if fraction:
        digits, is_fraction = _whole(characters[_SECONDS + 1 : _SECONDS + fraction])
        is_time &= is_fraction & _are(characters, {_SECONDS: "."})
        time += digits // 10 ** (fraction - 4)
    offset, is_zone = _offset(characters[len(characters) - zone :])
    moment = date + time - offset
    return np.where((date != NO_TIME) & is_time & is_zone & (moment >= 0), moment, NO_TIME)


def _offset(characters: Bytes) -> tuple[NDArray[np.int64], Truths]:
    """Milliseconds that clocks are ahead of UTC where the zone is nothing, Z or +hh:mm, and where it is one."""
    if len(characters) < 6:
        is_zone = _are(characters, {0: "Z"} if len(characters) else {})
        return np.zeros(characters.shape[1], np.int64), is_zone
    hours, are_hours = _whole(characters[1:3])
    minutes, are_minutes = _whole(characters[4:6])
    is_behind = characters[0] == ord("-")
    is_zone = are_hours & are_minutes & (hours < 24) & (minutes < 60) & _are(characters, {3: ":"})
    offset = (hours * 60 + minutes) * MINUTE_MS
    return np.where(is_behind, -offset, offset), is_zone & (is_behind | (characters[0] == ord("+")))


def _whole(characters: Bytes) -> tuple[NDArray[np.int64], Truths]:
    """What digits are as a number, and where they are digits."""
    value = np.zeros(characters.shape[1], np.int64)
    are_digits = np.ones(characters.shape[1], np.bool_)
    for character in characters:
        digit = character - np.uint8(ord("0"))  # all others wrap around
        are_digits &= digit < 10
        value = value * 10 + digit
    return value, are_digits


def _are(characters: Bytes, marks: dict[int, str]) -> Truths:
    are = np.ones(characters.shape[1], np.bool_)
    for at, mark in marks.items():
        are &= characters[at] == ord(mark)
    return are


def _leap_years(year: Positions | np.int64) -> NDArray[np.int64]:
    """From the year 1 to this one."""
    return np.asarray(year // 4 - year // 100 + year // 400)
