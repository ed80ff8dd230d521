"""What is stored of each column: numbers from 0, of which the column comes back."""

import numpy as np
import pytest

from shared.features.columns import COLUMN_TYPES, Rows
from shared.features.stored_columns import COLUMNS, UNITS, Numbers, columns_of, to_numbers, to_rows

STARTS = np.array([0, 3, 4])
ROWS = Rows(
    **{
        name: np.array(values, COLUMN_TYPES[name])
        for name, values in {
            **{name: [0, 0, 0, 0] for name in COLUMN_TYPES},
            "time_ms": [120_000, 180_000, 300_000, 1_001],
            "session": [7, 7, 9, 7],
            "order": [0, 9, 9, 0],
            "brand": [5, 0, 4, 4],
            "net": [100, 2_500, 0, 10_000],
            "channel": [1, 2, 3, 4],
            "product": [8, 6, 8, 6],
        }.items()
    }
)


def column(numbers: Numbers, name: str) -> list[int]:
    names = [each.name for each in COLUMNS]
    return [int(number) for number in numbers.columns[names.index(name)]]


def test_every_column_but_the_fingerprint_is_stored_and_newer_ones_come_last() -> None:
    assert {each.name for each in COLUMNS} == {*COLUMN_TYPES} - {"fingerprint"}
    assert [each.since for each in COLUMNS] == sorted(each.since for each in COLUMNS)
    assert [columns_of(version) for version in (1, 2, 3)] == [10, 11, 14]


def test_amounts_are_counted_in_the_coarsest_unit_that_is_exact_for_their_profile() -> None:
    numbers, _ = to_numbers(ROWS, STARTS)
    assert [*UNITS] == ["time", "money", "engagement"]
    assert [unit.tolist() for unit in numbers.units] == [[60_000, 1], [100, 10_000], [60_000, 60_000]]
    assert column(numbers, "net") == [1, 25, 0, 1]


def test_times_are_differences_within_their_profile() -> None:
    assert column(to_numbers(ROWS, STARTS)[0], "time_ms") == [2, 1, 2, 1_001]


def test_ids_are_positions_in_a_dictionary_of_their_profile_that_sessions_and_orders_share() -> None:
    _, dictionaries = to_numbers(ROWS, STARTS)
    assert dictionaries["ids"].values.tolist() == [7, 9, 7]
    assert dictionaries["ids"].counts.tolist() == [2, 1]
    assert dictionaries["brands"].values.tolist() == [5, 4, 4]


def test_products_are_counted_from_the_newest_so_that_new_ones_take_little() -> None:
    assert column(to_numbers(ROWS, STARTS)[0], "product") == [1, 1, 3, 1]


def test_rows_come_back() -> None:
    numbers, dictionaries = to_numbers(ROWS, STARTS)
    assert all(min(each) >= 0 for each in numbers.columns)
    again = to_rows(numbers, dictionaries, ROWS.fingerprint, STARTS)
    for name, mine, theirs in zip(COLUMN_TYPES, ROWS.columns(), again.columns(), strict=True):
        assert (mine.dtype, mine.tolist()) == (theirs.dtype, theirs.tolist()), name


def test_a_position_that_no_dictionary_has_is_refused() -> None:
    numbers, dictionaries = to_numbers(ROWS, STARTS)
    numbers.columns[[each.name for each in COLUMNS].index("brand")][-1] = 9
    with pytest.raises(IndexError):
        to_rows(numbers, dictionaries, ROWS.fingerprint, STARTS)
