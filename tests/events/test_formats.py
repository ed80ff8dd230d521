"""The same content gives the same result in every format that can express it."""

import csv
import io
import json
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events import Chunk, Rejection, Rules, UnreadableFile, read_file
from shared.events.streams import LONGEST_LINE
from shared.features import encode, fold, merge
from tests.events.lines import GOOD, NOW_MS, ndjson, read
from tests.support.event_files import parquet
from tests.support.examples import at_most

type Event = dict[str, Any]

COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "event_id": st.none() | st.sampled_from(("e1", "e2", "x" * 129)),
    "event_type": st.sampled_from(("purchase", "page_view", "refund", "survey", "x" * 129)) | st.none(),
    "timestamp": st.sampled_from(
        ("2017-10-01", "2017-10-01T10:00:00.123456Z", "1600-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "soon")
    ),
    "customer_id": st.none() | st.sampled_from(("889", "889.0", "a b", "ü\u2028", "=1+1", "x" * 129)),
    "anonymous_id": st.none() | st.sampled_from(("v", "889")),
    "category": st.none() | st.sampled_from(("Hats", "Hüte, Mützen", 'a "b"', "x" * 1_025, "a\nb")),
    "price": st.none() | st.sampled_from((0.0, 9.99, 1e9, -1.0, 1.005)),
    "quantity": st.none() | st.sampled_from((0.0, 1.0, 2.5)),
    "currency": st.none() | st.sampled_from(("USD", "EUR", "usd")),
    "device": st.none() | st.sampled_from(("MOBILE", "fridge")),
    "channel": st.none() | st.sampled_from(("email", "Paid Social")),
    "consent": st.none() | st.booleans(),
    "a column, of theirs": st.none() | st.sampled_from(("x", 'y"', "größe")),
    "a number": st.none() | st.integers(0, 9),
    "a float": st.none() | st.sampled_from((0.5, 2.0, 1e20)),
}
records = st.lists(st.fixed_dictionaries(COLUMNS), min_size=1, max_size=9)


def as_csv(events: list[Event]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(events[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({n: str(v).lower() if isinstance(v, bool) else v for n, v in e.items()} for e in events)
    return out.getvalue().encode()


def as_ndjson(events: list[Event]) -> bytes:
    return ndjson(*({name: value for name, value in event.items() if value is not None} for event in events))


def as_moments(events: list[Event]) -> bytes:
    """Parquet with a column of times."""
    table = pa.Table.from_pylist(events)
    moments = pa.array([np.datetime64(event["timestamp"].rstrip("Z"), "us") for event in events], pa.timestamp("us"))
    out = io.BytesIO()
    pq.write_table(table.set_column(table.column_names.index("timestamp"), "timestamp", moments), out)
    return out.getvalue()


def outcome(content: bytes, name: str) -> tuple[list[Any], list[str], list[Any]]:
    chunks: list[Chunk] = list(read_file(io.BytesIO(content), name, Rules(now_ms=NOW_MS)))
    state = merge(*(fold(chunk.events) for chunk in chunks))
    consents = {consent for chunk in chunks for consent in chunk.consents}
    claims = {(claim.visitor, claim.customer, claim.time_ms) for chunk in chunks for claim in chunk.claims}
    rejections = sorted((rejection for chunk in chunks for rejection in chunk.rejections), key=lambda r: r.line)
    return [encode(state), state.keys, consents, claims], [_rule(r) for r in rejections], rejections


def _rule(rejection: Rejection) -> str:
    """The reason without the value, which formats show in their own ways."""
    return re.sub(r", not .*|timestamp .*? is", "", rejection.reason)


@pytest.mark.usefixtures("in_this_process")
@settings(max_examples=at_most(60))
@given(records)
def test_records_are_counted_and_refused_alike_in_every_format(events: list[Event]) -> None:
    lines = outcome(as_ndjson(events), "a.ndjson")
    for content, name in ((as_csv(events), "a.csv"), (parquet(events), "a.parquet")):
        rows = outcome(content, name)
        assert rows[:2] == lines[:2], name
        assert len(rows[2]) == len(lines[2])
    assert [r.line for r in outcome(parquet(events), "a.parquet")[2]] == [r.line for r in lines[2]]
    moments = [{**event, "timestamp": event["timestamp"].replace("soon", "1600-01-01")} for event in events]
    assert outcome(as_moments(moments), "a.parquet")[:2] == outcome(as_ndjson(moments), "a.ndjson")[:2]


@pytest.mark.parametrize("field", ["customer_id", "anonymous_id", "event_id", "session_id", "order_id", "product_id"])
def test_an_id_in_a_column_of_floats_is_the_whole_number_it_is(field: str) -> None:
    people = {"customer_id": "7"} if field != "customer_id" else {}
    plain = {"event_type": "purchase", "timestamp": 1_506_852_000, "event_id": "e", "price": 1.0, **people}
    numbers = [889.0, 0.0, 2.0**53 - 1, 889.5, float("nan"), float("inf"), 2.0**53, -1e30]
    for kind, whole in (("float64", 3), ("float32", 2)):
        columns = {name: [value] * len(numbers) for name, value in plain.items()} | {field: np.array(numbers, kind)}
        out = io.BytesIO()
        pq.write_table(pa.table(columns), out)
        state, rejections = read(out.getvalue(), "a.parquet")
        expected = [{**plain, field: str(int(number))} for number in numbers[:whole]]
        assert encode(state) == encode(read(ndjson(*expected))[0])
        assert [rejection.line for rejection in rejections] == list(range(whole + 1, len(numbers) + 1))
        assert all(rejection.reason.startswith(f"{field} must be") for rejection in rejections)


def test_an_id_in_a_column_of_decimals_or_bytes_is_that_text() -> None:
    plain = {"event_type": ["search"] * 3, "timestamp": [1_506_852_000] * 3, "event_id": ["a", "b", "c"]}
    for ids, kind, keys, broken in (
        (["889", "890.5", "7.00"], pa.decimal128(12, 2), ["customer#7", "customer#889"], "must be text of"),
        ([b"889", b"\xff", "ü".encode()], pa.binary(), ["customer#889", "customer#ü"], "not valid UTF-8"),
    ):
        column = pa.array([pa.scalar(i).cast(kind).as_py() for i in ids] if kind != pa.binary() else ids, kind)
        out = io.BytesIO()
        pq.write_table(pa.table({**plain, "customer_id": column}), out)
        state, [rejection] = read(out.getvalue(), "a.parquet")
        assert state.keys == keys
        assert (rejection.line, broken in rejection.reason) == (2, True)


@pytest.mark.parametrize("size", [LONGEST_LINE + 1, 3 * LONGEST_LINE])
def test_a_line_that_is_too_long_is_refused_alone_with_its_beginning(size: int) -> None:
    events = [{**GOOD, "event_id": f"e{at}", "brand": "x" * length} for at, length in enumerate((1, 1, size, 1))]
    for content, name in ((as_ndjson(events), "a.ndjson"), (as_csv(events), "a.csv"), (parquet(events), "a.parquet")):
        state, [rejection] = read(content, name)
        assert state.event_counts.tolist() == [3]
        assert rejection.reason == "longer than 1,048,576 bytes, of which the beginning is kept"
        assert len(rejection.original) <= 10_000
        assert b"e2" in rejection.original


HEADERS = {
    b"event_type,timestamp,customer_id,gr\xf6\xdfe\n": "not valid UTF-8",
    b"event_type,timestamp,\xf6,\xf6\n": "not valid UTF-8",
    b"event_type,timestamp\rsearch,1\r": "lines end in",
    b'event_type,timestamp,"customer_id\nsearch,1,2\n' * 9: "quotes are closed",
    b'event_type,timestamp,"' + b"x" * 200_000: "quotes are closed",
    b'event_type,timestamp,"' + b"x,\n" * 600_000: "longer than 1,048,576 bytes",
    b"event_type,timestamp," + b",".join(b"column%d" % i for i in range(20_000)) + b"\n": "more than 1,000",
    b"jane@example.com,2017-10-01,1\n": "no column event_type and no column timestamp, but 3 columns, of .* none$",
    b"event_type;timestamp;customer_id\n": "; semicolons separate values where commas must",
    b"event_type,timestamp,price,jane@x,price,jane@x\n": "names price, 1 other column more than once",
}


@pytest.mark.parametrize("content", HEADERS)
def test_an_odd_csv_header_makes_the_file_unreadable_and_is_not_repeated(content: bytes) -> None:
    with pytest.raises(UnreadableFile, match=HEADERS[content]) as raised:
        read(content, "a.csv")
    assert "jane" not in str(raised.value)


def test_parquet_names_that_are_not_utf8_make_the_file_unreadable() -> None:
    content = parquet([{**GOOD, "größe": 1}]).replace("größe".encode(), b"gr\xf6\xf6\xf6\xf6e")
    with pytest.raises(UnreadableFile, match="not a readable Parquet file"):
        read(content, "a.parquet")


def test_names_that_differ_in_their_case_are_columns_of_their_own() -> None:
    state, _ = read(parquet([{"Price": 1.0, **GOOD, "PRICE": "x"}]), "a.parquet")
    assert encode(state) == encode(read(ndjson(GOOD))[0])


def test_a_binary_line_is_refused_and_the_next_one_counts() -> None:
    bad = json.dumps(GOOD).encode()[:-1] + b', "a": "\xff"}'
    state, [rejection] = read(ndjson(GOOD, bad, {**GOOD, "event_id": "e3"}))
    assert (rejection.reason, rejection.line, state.event_counts.tolist()) == ("not valid UTF-8", 2, [2])
