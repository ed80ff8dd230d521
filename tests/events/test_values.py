"""Columns of texts have the values that Python gives them one by one."""

import math
import re
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.events.event import parse_timestamp
from shared.events.texts import Texts
from shared.events.values import NO_TIME, numbers, rounded_ms, times_ms
from tests.events.odd_lines import NUMBERS, VALUES

_MOMENTS = st.datetimes(
    min_value=datetime(1969, 12, 30),
    timezones=st.just(UTC)
    | st.timedeltas(timedelta(hours=-14), timedelta(hours=14)).map(
        lambda ahead: timezone(timedelta(minutes=ahead // timedelta(minutes=1)))
    ),
)
_TIMES = st.one_of(
    _MOMENTS.map(lambda at: at.isoformat(timespec="milliseconds").replace("+00:00", "Z")),
    _MOMENTS.map(lambda at: at.isoformat(" ")),
    _MOMENTS.map(lambda at: at.strftime("%Y-%m-%d").zfill(10)),
    st.sampled_from(VALUES["timestamp"]),
    st.integers(0, 10**16).map(str),
    st.text("0123456789-:T.Z+ ", max_size=33),
    st.from_regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{3}|\.\d{6})?(Z|[+-]\d\d:\d\d)?", fullmatch=True),
)


@given(st.lists(_TIMES, min_size=1))
def test_a_time_is_as_python_reads_it_or_left_to_python(texts: list[str]) -> None:
    for text, time_ms in zip(texts, times_ms(Texts.of(texts)).tolist(), strict=True):
        if time_ms != NO_TIME:
            assert time_ms == parse_timestamp(text)


@given(st.lists(_MOMENTS.map(lambda at: at.isoformat()).filter(lambda text: re.search(r"[+-]\d\d:\d\d$", text))))
def test_no_usual_time_is_left_to_python(texts: list[str]) -> None:
    for text, time_ms in zip(texts, times_ms(Texts.of(texts)).tolist(), strict=True):
        is_early = parse_timestamp(text) < 0 or text < "1970"  # west of Greenwich 1970 begins in 1969
        assert time_ms == max(parse_timestamp(text), NO_TIME) or is_early


@given(st.lists(st.floats(-1, 1e16, allow_nan=False) | st.floats()))
def test_times_that_are_numbers_are_rounded_alike(values: list[float]) -> None:
    for value, time_ms in zip(values, rounded_ms(np.array(values, np.float64)).tolist(), strict=True):
        assert time_ms == NO_TIME or time_ms == parse_timestamp(value)


@given(st.lists(st.sampled_from(NUMBERS["price"]) | st.floats().map(repr) | st.text("0123456789.eE+-_ ")))
def test_a_number_is_as_json_has_it(texts: list[str]) -> None:
    for text, value in zip(texts, numbers(Texts.of(texts), 7.0).tolist(), strict=True):
        if text == "":
            assert value == 7.0
        elif not math.isnan(value):
            assert value == float(text)


def test_nothing_and_null_are_what_is_said_of_them() -> None:
    assert numbers(Texts.of(["", "null", "1.50", "-2e1", "01", "NaN"]), 3.0).tolist()[:4] == [3.0, 3.0, 1.5, -20.0]
    assert np.isnan(numbers(Texts.of(["01", "NaN", "1.", ".5", "+1"]), 3.0)).all()
