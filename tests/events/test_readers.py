"""Files are read by their names' endings."""

import gzip
import io

import pytest

from shared.events.readers import read_batches
from shared.events.streams import UnreadableFile

LINES = b'{"event_type": "search", "timestamp": 1}\n\n{'
TABLE = b"event_type,timestamp\nsearch,1\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ndjson", LINES),
        ("A.JSONL.GZ", gzip.compress(LINES, mtime=0)),
        ("a.csv", TABLE),
        ("a.csv.gz", gzip.compress(TABLE, mtime=0)),
    ],
)
def test_a_file_is_read_by_its_name(name: str, content: bytes) -> None:
    [batch] = read_batches(io.BytesIO(content), name)
    assert [event.event_type for event in batch.events] == ["search"]


def test_empty_lines_are_counted_and_left_out() -> None:
    [batch] = read_batches(io.BytesIO(LINES), "a.ndjson")
    assert [line.line for line in batch.rejections] == [3]


def test_another_ending_is_refused() -> None:
    with pytest.raises(UnreadableFile, match=r"the name must end in \.ndjson"):
        next(read_batches(io.BytesIO(b""), "a.xlsx"))
