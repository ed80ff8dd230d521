"""Event files: every format gives the same columns, and every bad line comes back with a reason that helps."""

import csv
import gzip
import io
import json
from typing import Any

import pytest
from hypothesis import given

from shared.events import UnreadableFile
from shared.events.batches import BATCH_LINES
from shared.features import encode, merge
from tests.events.lines import BROKEN, GOOD, ndjson, read
from tests.features.histories import folded, histories
from tests.support.event_files import as_cell


def as_csv(events: list[dict[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, sorted({name for event in events for name in event}))
    writer.writeheader()
    writer.writerows([{name: as_cell(value) for name, value in event.items()} for event in events])
    return out.getvalue().encode()


@given(histories(20))
def test_csv_and_gzip_fold_to_the_same_bytes_as_ndjson(history: list[dict[str, Any]]) -> None:
    expected = encode(folded(history))
    for name, content in {
        "a.csv": as_csv(history),
        "a.CSV.gz": gzip.compress(as_csv(history)),
        "a.jsonl": b"\xef\xbb\xbf" + ndjson(*history).replace(b"\n", b"\r\n\r\n"),
        "a.ndjson.gz": gzip.compress(ndjson(*history[:1])) + gzip.compress(b"\n" + ndjson(*history[1:])),
    }.items():
        state, rejections = read(content, name)
        assert not rejections
        assert encode(state) == expected, name


def test_a_line_that_tells_of_several_events_is_counted_or_refused_whole() -> None:
    goods: dict[str, Any] = {"order_id": "o", "products": [{"sku": "a", "price": 1}, {"sku": "b", "price": 2}]}
    order = {
        "type": "track",
        "event": "Order Completed",
        "messageId": "m",
        "userId": "889",
        "timestamp": "2017-10-01T10:00:00Z",
        "properties": {
            "order_id": "o",
            "currency": "EUR",
            "products": [{"sku": "a", "price": 1}, {"sku": "b", "price": 2}],
        },
    }
    state, [rejection] = read(ndjson(order))
    assert (len(state), rejection.reason) == (0, "currency is EUR, but this stack counts USD")
    assert read(ndjson({**order, "properties": {**goods, "currency": "USD"}}))[0].event_counts == [2]


@pytest.mark.parametrize(("line", "reason"), BROKEN.items())
def test_a_broken_line_comes_back_with_its_number_reason_and_bytes(line: str, reason: str) -> None:
    state, [rejection] = read(ndjson(GOOD, b"", line.encode(), {**GOOD, "event_id": "e2"}))
    assert reason in rejection.reason
    assert (rejection.line, rejection.original) == (3, line.encode())
    assert state.event_counts.tolist() == [2]


def test_950_lines_count_and_50_broken_in_10_ways_come_back_with_10_reasons() -> None:
    broken = list(BROKEN)[:10]
    lines = [
        broken[i // 20 % 10].encode() if i % 20 == 7 else json.dumps({**GOOD, "event_id": f"e{i}"}).encode()
        for i in range(1_000)
    ]
    state, rejections = read(ndjson(*lines))
    assert state.event_counts.sum() == 950
    assert len(rejections) == 50
    assert len({rejection.reason for rejection in rejections}) == 10


def test_csv_rows_are_refused_alone() -> None:
    head = b"event_type,timestamp,customer_id,price\n"
    rows = [b"purchase,2017-01-01,1,abc", b'purchase,2017-01-01,"1\n2",5', b"purchase,2017-01-01", b"purchase,\xff,1,"]
    state, rejections = read(head + b"\n".join([*rows, b'purchase,2017,1,"x']), "a.csv")
    assert state.keys == ["customer#1\n2"]
    assert [(r.line, r.reason) for r in rejections] == [
        (2, "price must be a number from 0 to 1,000,000,000, not the text 'abc'"),
        (5, "2 values where the header names 4 columns"),
        (6, "not valid UTF-8"),
        (7, "not valid CSV: unexpected end of data"),
    ]
    assert rejections[2].original == rows[3]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.xlsx", b"", "the name must end in .ndjson"),
        ("a.parquet.gz", b"", "the name must end in .ndjson"),
        ("a.ndjson.gz", b"plain text", "not a whole gzip file"),
        ("a.ndjson.gz", gzip.compress(ndjson(*[GOOD] * 99))[:-9], "not a whole gzip file"),
        ("a.parquet", b"PAR1 but no more", "not a readable Parquet file"),
        ("a.csv", b"", "no column event_type"),
        ("a.csv", b"event_type,timestamp,price,price\n", "names price more than once"),
    ],
)
def test_an_unreadable_file_says_why(name: str, content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        read(content, name)


def test_an_empty_file_holds_no_events() -> None:
    assert len(read(b"")[0]) == 0


def test_exact_repeats_without_an_id_count_once_in_every_format() -> None:
    anonymous = {name: value for name, value in GOOD.items() if name != "event_id"}
    state, _ = read(ndjson(anonymous, dict(reversed(anonymous.items())), {**anonymous, "price": 2.51}))
    assert state.event_counts.tolist() == [2]
    both = merge(state, read(as_csv([anonymous]), "a.csv")[0])
    assert both.event_counts.tolist() == [2]


def test_a_field_beyond_the_contract_tells_events_without_an_id_apart() -> None:
    anonymous = {name: value for name, value in GOOD.items() if name != "event_id"}
    state, rejections = read(ndjson({**anonymous, "item_index": 1}, {**anonymous, "item_index": 2}))
    assert (state.event_counts.tolist(), rejections) == ([2], [])


def test_a_visitor_has_a_profile_until_the_customer_is_known() -> None:
    visitor = {"event_type": "page_view", "timestamp": 1, "anonymous_id": "v"}
    assert read(ndjson(visitor, {**visitor, "customer_id": "c"}))[0].keys == ["customer#c", "visitor#v"]


def test_a_file_longer_than_a_batch_keeps_its_line_numbers() -> None:
    lines = [json.dumps({**GOOD, "event_id": f"e{i}", "customer_id": f"{i % 99}"}).encode() for i in range(BATCH_LINES)]
    state, [rejection] = read(ndjson(*lines, b"{"))
    assert state.event_counts.sum() == BATCH_LINES
    assert rejection.line == BATCH_LINES + 1
