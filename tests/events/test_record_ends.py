"""Where records end: as Python's reader has it, whatever stands in quotes or seems to."""

import csv
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from shared.events.record_ends import record_end
from shared.events.streams import LONGEST_LINE

TEXT = st.lists(st.sampled_from(['"', '""', ",", "\n", "\r\n", "\r", "a", ";", "ü", '","', '"\n"']), max_size=40)


def ends_by_reading(text: str) -> list[int]:
    """The ends of all records that are whole."""
    lines = [line + "\n" for line in text.split("\n")][:-1]
    ends: list[int] = []
    at = 0

    def taken() -> Iterator[str]:
        nonlocal at
        for line in lines:
            at += len(line.encode())
            yield line

    records = csv.reader(taken(), strict=True)
    while True:
        try:
            next(records)
        except StopIteration:
            return ends
        except csv.Error as error:
            if "end of data" in str(error):
                return ends
        ends.append(at)


@given(TEXT, st.integers(0, 60))
def test_records_end_where_pythons_reader_ends_them(parts: list[str], least: int) -> None:
    text = "".join(parts)
    wanted = next((end for end in ends_by_reading(text) if end >= max(least, 1)), None)
    assert record_end(text.encode(), least, ",") == wanted


@given(TEXT, st.integers(0, 60))
def test_without_quotes_each_line_is_a_record(parts: list[str], least: int) -> None:
    text = "".join(parts).encode()
    at = text.find(b"\n", max(least - 1, 0))
    assert record_end(text, least, None) == (at + 1 or None)


def test_a_quote_that_is_never_closed_takes_a_megabyte_at_most() -> None:
    line = b"x" * 999 + b"\n"
    assert record_end(b'a"' + line * 3_000, 1, ",") == 1_002
    end = record_end(b'"' + line * 3_000, 1, ",")
    assert end is not None and LONGEST_LINE < end < LONGEST_LINE + 2_000
