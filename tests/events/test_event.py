"""The rules of single fields, the words in which a broken one is told, and times in every writing."""

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.events.event import DESCRIPTIONS, FIELDS, LEAST_MS, Event, explain, first_broken, parse_timestamp

WHOLE = {"event_type": "search", "timestamp": 1.0}


def refusal(**values: object) -> str:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert({**WHOLE, **values}, Event)
    return explain(refused.value, {**WHOLE, **values})


def test_every_field_is_described() -> None:
    assert {*DESCRIPTIONS} == {*FIELDS}
    assert DESCRIPTIONS["price"] == "a number from 0 to 1,000,000,000"
    assert DESCRIPTIONS["quantity"] == "a number above 0 and at most 1,000,000"
    assert DESCRIPTIONS["customer_id"] == "text of 1 to 128 characters"


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("price", -1.0, "price must be a number from 0 to 1,000,000,000, not -1.0"),
        ("price", "9.99", "price must be a number from 0 to 1,000,000,000, not the text '9.99'"),
        ("timestamp", None, "timestamp is missing"),
        ("brand", "x" * 2_000, "brand must be text of at most 1,024 characters, not xxx"),
    ],
)
def test_a_broken_field_is_told_with_its_rule_and_value(field: str, value: object, reason: str) -> None:
    assert refusal(**{field: value}).startswith(reason)


def test_a_long_value_is_told_by_its_beginning() -> None:
    assert refusal(brand="x" * 2_000).endswith("… (2,000 characters)")


def test_of_several_broken_fields_the_first_of_the_contract_is_told() -> None:
    error = first_broken({**WHOLE, "price": -1, "brand": 5})
    assert explain(error or Exception(), {"brand": 5}).startswith("brand must be")
    assert first_broken(WHOLE) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2017-10-01", "2017-10-01T00:00:00"),
        ("2017-10-01T10:00:00", "2017-10-01T10:00:00"),
        ("2017-10-01 12:00:00.1239+02:00", "2017-10-01T10:00:00.123"),
        ("20171001T100000Z", "2017-10-01T10:00:00"),
        ("1506852000", "2017-10-01T10:00:00"),
        (1506852000, "2017-10-01T10:00:00"),
        (1506852000.5, "2017-10-01T10:00:00.5"),
        (1506852000123, "2017-10-01T10:00:00.123"),
    ],
)
def test_timestamps_are_read_as_utc(value: str | float, expected: str) -> None:
    assert parse_timestamp(value) == np.datetime64(expected, "ms").astype(int)


@given(st.integers(LEAST_MS, 4_102_444_800_000))
@example(1734021420417)
def test_an_epoch_as_text_is_the_number_it_is(time_ms: int) -> None:
    assert parse_timestamp(str(time_ms)) == parse_timestamp(time_ms) == time_ms
    assert parse_timestamp(str(time_ms // 1_000)) == time_ms // 1_000 * 1_000
