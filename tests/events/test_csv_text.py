"""Records of CSV, with the lines that each takes."""

import io

import pytest

from shared.events.csv_text import csv_batches
from shared.events.streams import LONGEST_LINE, UnreadableFile

HEADER = b"event_type,timestamp,brand\n"


def test_a_record_may_take_several_lines_and_the_next_has_its_own_number() -> None:
    [batch] = csv_batches(io.BytesIO(HEADER + b'search,1,"a\nb"\nsearch,2,\n'))
    assert batch.lines == [2, 4]
    assert [event.brand for event in batch.events] == ["a\nb", None]
    assert batch.originals[0] == b'search,1,"a\nb"'


def test_a_broken_record_is_refused_alone() -> None:
    [batch] = csv_batches(io.BytesIO(HEADER + b'search,1\nsearch,1,"a"b\nsearch,1,\xff\nsearch,1,\n'))
    assert [(line.line, line.reason) for line in batch.rejections] == [
        (2, "2 values where the header names 3 columns"),
        (3, "not valid CSV: ',' expected after '\"'"),
        (4, "not valid UTF-8"),
    ]
    assert batch.lines == [5]


def test_a_record_that_is_too_long_is_refused_with_its_beginning() -> None:
    [batch] = csv_batches(io.BytesIO(HEADER + b"search,1," + b"x" * LONGEST_LINE + b"\nsearch,1,\n"))
    assert [line.reason[:11] for line in batch.rejections] == ["longer than"]
    assert batch.lines == [3]


def test_a_file_without_a_header_is_unreadable() -> None:
    with pytest.raises(UnreadableFile, match="no column event_type"):
        next(csv_batches(io.BytesIO(b"")))
