"""Objects in parts: which are cut, what messages say of them, and how much of quarantine is theirs."""

import gzip
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.events import Rules, checkpoints
from shared.events.checkpoints import Checkpoint
from shared.events.pieces import START, Position
from shared.intake import object_parts
from shared.intake.dropped_file import announced, as_message
from shared.intake.object_parts import LEAST_SHARE, PIECES_A_PART, Opened, Part, WrongRange, parts_of
from shared.intake.quarantine import Quarantine
from tests.conftest import BUCKET
from tests.simulation.objects import Objects
from tests.support.event_files import csv_file, ndjson, purchase
from tests.support.memory_client import Client
from tests.support.runs import short_runs


@pytest.fixture(autouse=True, scope="module")
def checkpoints_everywhere() -> Iterator[None]:
    with short_runs():
        yield


AS_OF_MS = 1_700_000_000_000
LINES = ndjson(purchase(str(i), i) for i in range(200))


def opened(part: Part, content: bytes, part_bytes: int) -> Opened:
    s3: Any = Client(Objects(lambda: 0))
    etag = s3.put_object(Bucket=BUCKET, Key=part.key, Body=content)["ETag"]
    return Opened(Quarantine(s3, BUCKET, None), part, etag, len(content), [], None, part_bytes)  # type: ignore[arg-type]


def test_a_message_tells_of_a_part() -> None:
    content = gzip.compress(LINES)
    sent = [*parts_of(opened(Part("events/a\x01.ndjson.gz"), content, 4_096), lambda: True)]
    assert [announced(as_message(part)) for part in sent] == sent
    assert len(sent) > 5 and sent[1].begin != START and sent[0].etag


def test_parts_are_all_of_an_object_and_no_line_twice() -> None:
    whole = opened(Part("events/a.ndjson"), LINES, 4_096)
    sent = [*parts_of(whole, lambda: True)]
    assert len(sent) > 5
    assert sum(part.length or 0 for part in sent) == len(LINES)
    assert sum(opened(part, LINES, 4_096).share() for part in sent) == pytest.approx(1)
    pieces = [[piece.size for piece in opened(part, LINES, 4_096).pieces()] for part in sent]
    assert {len(sizes) for sizes in pieces[:-1]} == {PIECES_A_PART}
    assert [size for sizes in pieces for size in sizes] == [piece.size for piece in whole.pieces()]


def test_without_time_the_rest_is_one_part_that_is_cut_later() -> None:
    sent = [*parts_of(opened(Part("events/a.ndjson"), LINES, 4_096), lambda: False)]
    assert len(sent) == 2 and sent[1].length is None and opened(sent[1], LINES, 4_096).is_large


@pytest.mark.parametrize(
    ("key", "size", "is_large"),
    [("a.csv", 801, True), ("a.csv", 800, False), ("a.csv.gz", 101, True), ("a.parquet", 100, False)],
)
def test_what_is_packed_is_large_sooner(key: str, size: int, is_large: bool) -> None:
    assert opened(Part(key), b"x" * size, 800).is_large == is_large
    assert not opened(Part(key, length=5), b"x" * size, 800).is_large


def test_a_part_without_a_width_has_some_share_all_the_same() -> None:
    assert opened(Part("a.csv.gz", begin=Position(line=2), until=0), b"x" * 100, 10).share() == LEAST_SHARE


@pytest.mark.parametrize("name", ["a.csv", "a.ndjson", "a.csv.gz"])
def test_of_a_large_object_little_is_asked_for_that_nobody_reads(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_parts, "FIRST_RANGE", 1_024)
    monkeypatch.setattr(object_parts, "LONGEST_RANGE", 4_096)
    monkeypatch.setattr(checkpoints, "BLOCK", 512)
    text = LINES if name == "a.ndjson" else csv_file([purchase(str(i), i) for i in range(1_000)])
    content = gzip.compress(text) if name.endswith(".gz") else text
    begin = [*opened(Part(f"events/{name}"), content, 4_096).pieces()][2].begin
    part = opened(Part(f"events/{name}", begin=begin, length=1), content, 4_096)
    get = part.quarantine.s3.get_object
    asked = []

    def get_some(**wanted: Any) -> Any:
        first, last = map(int, wanted["Range"].removeprefix("bytes=").split("-"))
        asked.append(last + 1 - first)
        return get(**wanted)

    monkeypatch.setattr(part.quarantine.s3, "get_object", get_some)
    (piece,) = part.pieces()
    assert sum(len(chunk.events) for chunk in piece.chunks(Rules("USD", AS_OF_MS))) > 0
    assert max(asked) <= 4_096 and sum(asked) < len(content) / 2
    assert all(later <= 2 * earlier for earlier, later in pairwise(asked))


def test_a_range_that_fails_is_no_end_of_the_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_parts, "FIRST_RANGE", 1_024)
    monkeypatch.setattr(checkpoints, "BLOCK", 512)
    whole = opened(Part("events/a.ndjson"), LINES, 4_096)
    get = whole.quarantine.s3.get_object
    answers = iter([True, False])

    def get_once(**wanted: Any) -> Any:
        if not next(answers):
            raise ClientError({"Error": {"Code": "SlowDown", "Message": ""}}, "GetObject")
        return get(**wanted)

    monkeypatch.setattr(whole.quarantine.s3, "get_object", get_once)
    with pytest.raises(ClientError):
        list(whole.pieces())


def test_a_bucket_that_gives_all_for_a_range_is_no_source_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rest = opened(Part("events/a.ndjson", begin=Position(Checkpoint(100, 100), line=2)), LINES, 4_096)
    get = rest.quarantine.s3.get_object

    def get_all(**wanted: Any) -> Any:
        return get(**{name: value for name, value in wanted.items() if name != "Range"})

    monkeypatch.setattr(rest.quarantine.s3, "get_object", get_all)
    with pytest.raises(WrongRange):
        next(rest.pieces())
