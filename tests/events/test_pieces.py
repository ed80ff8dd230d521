"""Files piece by piece: cut anywhere, and read on from any of the cuts, they tell what the whole file tells."""

import gzip
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events import Chunk, Rejection, Rules, UnreadableFile, read_file
from shared.events.checkpoints import Fetch
from shared.events.mapping import MappingFile
from shared.events.pieces import Piece, Position, text_pieces
from shared.events.streams import LONGEST_LINE
from shared.events.translator import Translator
from shared.features import encode, fold, merge
from tests.events.lines import BROKEN, GOOD, NOW_MS
from tests.support.examples import at_most
from tests.support.runs import short_runs


@pytest.fixture(autouse=True, scope="module")
def checkpoints_everywhere() -> Iterator[None]:
    with short_runs():
        yield


RULES = Rules(now_ms=NOW_MS)
THEIRS = MappingFile(columns={name: name for name in ("event_type", "timestamp", "customer_id", "brand")})

type Told = tuple[Any, list[Rejection], list[Any]]


def told(chunks: Iterator[Chunk]) -> Told:
    """All that a file tells, with the numbers of lines and their bytes."""
    read = [*chunks]
    state = merge(*(fold(chunk.events) for chunk in read))
    rejections = [rejection for chunk in read for rejection in chunk.rejections]
    claims = {(claim.visitor, claim.customer, claim.time_ms) for chunk in read for claim in chunk.claims}
    return (state.keys, encode(state)), rejections, sorted(claims)


def fetch(content: bytes) -> Fetch:
    return lambda begin, end=None: io.BytesIO(content[begin:end])


def pieces(content: bytes, name: str, translator: Translator | None, least: int) -> list[Piece]:
    """The pieces of a file, each found anew from where the one before says that it begins."""
    so_far = []
    position: Position | None = Position()
    while position:
        begin = msgspec.json.decode(msgspec.json.encode(position), type=Position)
        so_far.append(next(text_pieces(fetch(content), name, translator, begin, least)))
        position = so_far[-1].end
    return so_far


def check(content: bytes, name: str, least: int, translator: Translator | None = None) -> None:
    try:
        whole = told(read_file(io.BytesIO(content), name, RULES, translator))
    except UnreadableFile as error:
        with pytest.raises(UnreadableFile, match=re.escape(str(error))):
            told(pieces(content, name, translator, least)[0].chunks(RULES))
        return
    cut = pieces(content, name, translator, least)
    assert told(chunk for piece in cut for chunk in piece.chunks(RULES)) == whole
    # Found one after the other they are the same.
    again = [*text_pieces(fetch(content), name, translator, least=least)]
    assert [(piece.size, piece.begin.line) for piece in again] == [(piece.size, piece.begin.line) for piece in cut]
    assert told(chunk for piece in again for chunk in piece.chunks(RULES)) == whole


LINES = st.sampled_from(
    [
        json.dumps(GOOD).encode(),
        json.dumps({**GOOD, "event_id": "e2", "anonymous_id": "v"}).encode(),
        json.dumps({**GOOD, "event_id": None, "category": "Hüte"}, ensure_ascii=False).encode(),
        b"",
        b"  ",
        b"\xef\xbb\xbf" + json.dumps(GOOD).encode(),
        b"\xff",
        json.dumps({**GOOD, "customer_id": "1"}).encode() + b"\r",
        *(line.encode() for line in BROKEN),
    ]
)
LEAST = st.integers(1, 600)


@given(st.lists(LINES, max_size=15), LEAST, st.booleans(), st.booleans())
def test_lines_of_json(lines: list[bytes], least: int, is_ended: bool, is_marked: bool) -> None:
    content = b"\xef\xbb\xbf" * is_marked + b"\n".join(lines) + b"\n" * is_ended
    check(content, "events.NDJSON", least)


VALUES = st.sampled_from(
    [
        "",
        "search",
        "2017-10-01",
        "889",
        '"a ""b"""',
        '"a\nb"',
        '"a,\r\nb"',
        "a\rb",
        '"',
        'a"b',
        '"a"b',
        "'",
        " ",
        "Hüte",
    ]
)
ROWS = st.builds(
    lambda values, end: ",".join(values) + end,
    st.lists(VALUES, min_size=1, max_size=5),
    st.sampled_from(["\n", "\r\n", "\n\n"]),
)
GOOD_ROWS = st.sampled_from(
    ["search,2017-10-01,889,Nike\n", 'view_item,2017-10-02,"8""9","a\nb"\r\n', '"search",1,"1",""\n']
)
HEADERS = st.sampled_from(
    [
        "event_type,timestamp,customer_id,brand\n",
        '"event_type","timestamp","customer_id","brand"\r\n',
        'event_type,timestamp,customer_id,brand,"a\nb"\n',
    ]
)


@given(HEADERS, st.lists(GOOD_ROWS | ROWS, max_size=15), LEAST, st.sampled_from(["", "\ufeff"]))
@settings(max_examples=at_most(40))
def test_records_of_csv(header: str, rows: list[str], least: int, mark: str) -> None:
    check((mark + header + "".join(rows)).encode(), "events.csv", least)


@given(
    st.lists(GOOD_ROWS | ROWS, min_size=1, max_size=15),
    LEAST,
    st.sampled_from(["utf-8", "utf-16", "latin-1", "cp1252"]),
    st.sampled_from([",", ";", "¦", "whitespace"]),
    st.sampled_from([True, False, ["event_type", "timestamp", "customer_id", "brand"]]),
    st.booleans(),
)
@settings(max_examples=at_most(40))
def test_records_of_a_mapping(
    rows: list[str], least: int, encoding: Any, delimiter: str, header: bool | list[str], quotes: bool
) -> None:
    mapping = msgspec.structs.replace(THEIRS, encoding=encoding, delimiter=delimiter, header=header, quotes=quotes)
    if not header:
        columns = {name: f"column_{at}" for at, name in enumerate(THEIRS.columns, 1)}
        mapping = msgspec.structs.replace(mapping, columns=columns)
    written = {"whitespace": " "}.get(delimiter, delimiter)
    text = "event_type,timestamp,customer_id,brand\n" * (header is True) + "".join(rows)
    content = text.replace(",", written).encode(encoding)
    check(content, "events.csv", least, Translator(mapping))


MEMBERS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), min_size=1, max_size=4)


@given(MEMBERS, st.integers(1, 30_000), st.integers(0, 3))
@settings(max_examples=at_most(40))
def test_gzip_of_many_members_and_levels(members: list[tuple[int, int]], least: int, padding: int) -> None:
    numbers = iter(range(10_000))
    content = b""
    for size, level in members:
        lines = [
            json.dumps({**GOOD, "event_id": f"e{next(numbers)}", "brand": "x" * 997}).encode() for _ in range(size)
        ]
        content += gzip.compress(b"\n".join([*lines, b"broken\n"]), level) + b"\0" * padding
    check(content, "events.ndjson.gz", least)


@pytest.mark.parametrize("delimiter", [None, ","])
def test_a_line_that_is_longer_than_any_piece_is_not_held_whole(delimiter: str | None) -> None:
    name = "events.csv" if delimiter else "events.ndjson"
    good = b"search,1,889,\n" if delimiter else json.dumps(GOOD).encode() + b"\n"
    header = b"event_type,timestamp,customer_id,brand\n" if delimiter else b""
    content = header + good + b'"x' * (3 * LONGEST_LINE) + b"\n" + good + b"y" * (2 * LONGEST_LINE)
    for least in (1, 1_000, 2 * LONGEST_LINE):
        check(content, name, least)
    assert max(len(piece.open()[0].read()) for piece in pieces(content, name, None, 1)) < 2.1 * LONGEST_LINE


def test_what_was_read_before_a_torn_end_stands() -> None:
    lines = [json.dumps({**GOOD, "event_id": f"e{number}"}).encode() + b"\n" for number in range(3_000)]
    torn = gzip.compress(b"".join(lines))[:-9]
    cut = text_pieces(fetch(torn), "events.ndjson.gz", None, least=10_000)
    read = 0
    with pytest.raises(UnreadableFile, match="not a whole gzip file"):
        for piece in cut:
            read += sum(len(chunk.events) for chunk in piece.chunks(RULES))
    assert 2_900 < read < 3_000
