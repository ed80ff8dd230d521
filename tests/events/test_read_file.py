"""Event files: every format gives the same columns, and every bad line comes back with a reason that helps."""

import csv
import gzip
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.events import Rejection, Rules, UnreadableFile, read_file
from shared.events.event import LEAST_MS, parse_timestamp
from shared.events.readers import BATCH_LINES
from shared.features import Profiles, encode, fold, merge
from tests.features.histories import folded, histories

NOW_MS = parse_timestamp("2017-12-31T00:00:00Z")
GOOD: dict[str, Any] = {
    "event_id": "e1",
    "event_type": "purchase",
    "timestamp": "2017-10-01T10:00:00Z",
    "customer_id": "889",
    "order_id": "o1",
    "price": 2.5,
    "quantity": 2.0,
    "currency": "USD",
}


ODD_VALUES: dict[str, list[Any]] = {
    "timestamp": ["2016-02-29T00:00:00.999999Z", "1969-12-31T00:00:00Z", "2019-01-01T00:00:00Z"],
    "event_id": ["e0", "", None, "x" * 128, "ü" * 128, "x" * 129],
    "event_type": ["", "survey", "x" * 129],
    "customer_id": ["", None, "ü" * 100, "x" * 129],
    "anonymous_id": ["v", "", None],
    "currency": ["USD", "EUR", "usd", None],
    "device": ["", "MOBILE", "Fridge"],
    "category": ["", "x" * 1_025, "Ünïcode"],
    "price": [0.0, -0.01, 1e9, 1e10, 0.005, 1.005],
    "quantity": [0.0, -1.0, 0.333, 1e7],
    "discount": [-1.0, 0.015],
    "engagement_seconds": [-1.0, 0.0005],
}


def read(content: bytes, name: str = "events.ndjson", rules: Rules | None = None) -> tuple[Profiles, list[Rejection]]:
    state, rejections = Profiles.empty(), []
    for chunk in read_file(io.BytesIO(content), name, rules or Rules(now_ms=NOW_MS)):
        state = merge(state, fold(chunk.events))
        rejections += chunk.rejections
    return state, rejections


ODD_MOMENTS = (-(2**63), -1, 0, 1, LEAST_MS - 1, LEAST_MS, 1_506_852_000_123, 2**53, 2**63 - 1)


def ndjson(*events: Any) -> bytes:
    return b"\n".join(e if isinstance(e, bytes) else json.dumps(e).encode() for e in events)


def as_csv(events: list[dict[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, sorted({name for event in events for name in event}))
    writer.writeheader()
    writer.writerows(events)
    return out.getvalue().encode()


def _parquet(frame: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.to_parquet(out, index=False)
    return out.getvalue()


def as_parquet(events: list[dict[str, Any]], folder: Path) -> bytes:
    frame = pd.DataFrame(events)
    frame["timestamp"] = pd.to_datetime(frame.timestamp, utc=True, format="ISO8601")
    frame.to_parquet(folder / "events.parquet", index=False)
    return (folder / "events.parquet").read_bytes()


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


def test_parquet_folds_to_the_same_bytes_as_ndjson(tmp_path: Path) -> None:
    events = [
        {
            **GOOD,
            "event_id": f"e{i}",
            "timestamp": f"2017-10-0{1 + i % 9}T10:00:00.5Z",
            "category": "Hats" if i % 2 else None,
        }
        for i in range(100)
    ]
    assert encode(read(as_parquet(events, tmp_path), "a.parquet")[0]) == encode(read(ndjson(*events))[0])


@given(
    st.sampled_from(("int32", "int64", "uint32", "Int64")),
    st.lists(st.sampled_from(ODD_MOMENTS) | st.integers(0, 2_000_000_000), min_size=1, max_size=20),
)
def test_parquet_reads_whole_numbers_as_the_same_times_as_ndjson(width: str, moments: list[int]) -> None:
    events = [{**GOOD, "event_id": f"e{i}", "timestamp": moment} for i, moment in enumerate(moments)]
    frame = pd.DataFrame(events)
    held = np.iinfo(width.lower())
    frame = frame[frame.timestamp.between(held.min, held.max)].astype({"timestamp": width})
    lines = [event for event in events if held.min <= event["timestamp"] <= held.max]
    by_row, by_line = read(_parquet(frame), "a.parquet"), read(ndjson(*lines))
    assert [(r.line, _rule(r)) for r in by_row[1]] == [(r.line, _rule(r)) for r in by_line[1]]
    assert encode(by_row[0]) == encode(by_line[0])


@given(histories(20), st.sampled_from(sorted(ODD_VALUES)), st.data())
def test_parquet_judges_every_row_as_a_line_of_text_would_be(
    history: list[dict[str, Any]], field: str, data: st.DataObject
) -> None:
    odd = data.draw(st.sampled_from(ODD_VALUES[field]))
    history = [{**event, field: odd} if i % 3 == 0 else event for i, event in enumerate(history)]
    frame = pd.DataFrame(history)
    frame["timestamp"] = pd.to_datetime(frame.timestamp, utc=True, format="ISO8601")
    by_row, by_line = read(_parquet(frame), "a.parquet"), read(ndjson(*history))
    assert [(r.line, _rule(r)) for r in by_row[1]] == [(r.line, _rule(r)) for r in by_line[1]]
    assert encode(by_row[0]) == encode(by_line[0])


def _rule(rejection: Rejection) -> str:
    """The reason without the value, which Parquet may show in another form."""
    return re.sub(r", not .*|('.*?'|-?[\d.]+) is", "", rejection.reason)


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


def test_parquet_holds_ids_as_numbers_and_amounts_as_decimals(tmp_path: Path) -> None:
    frame = pd.DataFrame({"event_type": ["purchase"], "timestamp": [1506852000], "customer_id": [889], "price": [3]})
    frame.to_parquet(tmp_path / "a.parquet")
    *_, chunk = read_file(tmp_path / "a.parquet", "a.parquet", Rules())
    assert chunk.events.keys == ["customer#889"]
    assert chunk.events.rows.net.tolist() == [30_000]


BROKEN = {
    "{": "not valid JSON: Input data was truncated",
    "[1]": "a line must hold one JSON object, not array",
    '{"timestamp": 1, "customer_id": "1"}': "event_type is missing",
    '{"event_type": "search", "timestamp": "tomorrow", "customer_id": "1"}': "timestamp must be a time in ISO 8601",
    '{"event_type": "page_view", "timestamp": "2018-06-01", "customer_id": "1"}': "more than a day in the future",
    '{"event_type": "page_view", "timestamp": 1}': "customer_id is missing, and so is anonymous_id",
    '{"event_type": "search", "timestamp": 1, "customer_id": ""}': "customer_id must be text of 1 to 128",
    '{"event_type": "purchase", "timestamp": 1, "customer_id": "1", "price": -1}': "price must be a number from 0",
    '{"event_type": "refund", "timestamp": 1, "customer_id": "1", "quantity": 0}': "quantity must be a number above 0",
    '{"event_type": "purchase", "timestamp": 1, "customer_id": "1", "currency": "EUR"}': "this stack counts USD",
    '{"event_type": "purchase", "timestamp": 1, "customer_id": "1", "price": "9.99"}': "not the text '9.99'",
    '{"event_type": "purchase", "timestamp": 1, "customer_id": 7}': "customer_id must be text of 1 to 128",
    '{"event_type": "refund", "timestamp": 1, "customer_id": "1", "price": 1e9, "quantity": 9}': "times price",
    '{"event_type": "page_view", "timestamp": -5, "customer_id": "1"}': "timestamp -5.0 is before 1970",
    '{"event_type": "page_view", "timestamp": null, "customer_id": "1"}': "timestamp is missing",
    '{"event_type": "page_view", "timestamp": true, "customer_id": "1"}': "timestamp must be a time",
}


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
        ("a.ndjson", b"x" * 3_000_000, "line 1 is longer than"),
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


def test_a_parquet_file_whose_data_is_damaged_is_unreadable() -> None:
    n = 10_000
    frame = pd.DataFrame([GOOD] * n).assign(event_id=[f"e{i * 7919 % n}" for i in range(n)])
    frame["timestamp"] = pd.to_datetime(frame.timestamp, utc=True)
    whole = _parquet(frame)
    middle = slice(len(whole) // 4, len(whole) // 2)
    damaged = whole[: middle.start] + b"\xff" * (middle.stop - middle.start) + whole[middle.stop :]
    with pytest.raises(UnreadableFile, match="not a readable Parquet file"):
        read(damaged, "a.parquet")


def test_parquet_rows_are_numbered_through_all_its_batches() -> None:
    n, bad = 300_000, [0, 131_071, 131_072, 200_000, 299_999]
    frame = pd.DataFrame({"event_type": "page_view", "customer_id": "889", "event_id": np.arange(n).astype(str)})
    frame["timestamp"] = pd.Timestamp("2017-10-01T10:00:00Z")
    frame["price"] = np.where(np.isin(np.arange(n), bad), np.inf, 1.0)
    chunks = [*read_file(io.BytesIO(_parquet(frame)), "a.parquet", Rules())]
    assert sum(len(chunk.events) for chunk in chunks) == n - len(bad)
    rejections = [rejection for chunk in chunks for rejection in chunk.rejections]
    assert [rejection.line for rejection in rejections] == [i + 1 for i in bad]
    assert "not the text 'inf'" in rejections[0].reason


def test_reading_parquet_can_stop_before_its_end() -> None:
    frame = pd.DataFrame([GOOD] * 200_000)
    frame["timestamp"] = pd.to_datetime(frame.timestamp, utc=True)
    for chunk in read_file(io.BytesIO(_parquet(frame)), "a.parquet", Rules()):
        assert 0 < len(chunk.events) < len(frame)
        break
