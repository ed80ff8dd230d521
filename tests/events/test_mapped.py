"""Files in a shop's own columns, of any format, delimiter and encoding, are the same events."""

import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import Rejection, Rules, UnreadableFile, read_file
from shared.events.mapping import read_mapping
from shared.events.translator import Translator
from shared.features import Profiles, encode, fold, merge

MAPPING = """
[columns]
timestamp = "when"
customer_id = "who"
event_type = "what"
category = "kind"
price = "paid"
"""
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=9)
ROWS = [
    {"when": "2020-03-01 10:00:00", "who": "1", "what": "purchase", "kind": "Käse", "paid": "3.50"},
    {"when": "2020-03-02 10:00:00", "who": "2", "what": "purchase", "kind": "Brot; rund", "paid": "2.00"},
    {"when": "yesterday", "who": "2", "what": "purchase", "kind": "Brot", "paid": "2.00"},
    {"when": "2020-03-02 10:00:00", "who": "", "what": "purchase", "kind": "Brot", "paid": "2.00"},
]


def read(source: bytes, name: str, options: str = "") -> tuple[Profiles, list[Rejection]]:
    translator = Translator(read_mapping((options + MAPPING).encode()))
    chunks = [*read_file(io.BytesIO(source), name, Rules(), translator)]
    return merge(*(fold(chunk.events) for chunk in chunks)), [r for chunk in chunks for r in chunk.rejections]


def table(rows: list[dict[str, str]], delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    return pd.DataFrame(rows).to_csv(sep=delimiter, index=False).encode(encoding)


def ndjson(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def parquet(rows: list[dict[str, str]]) -> bytes:
    out = io.BytesIO()
    pd.DataFrame(rows).to_parquet(out, index=False)
    return out.getvalue()


@pytest.mark.parametrize(
    ("source", "name", "options"),
    [
        (table(ROWS), "a.csv", ""),
        (gzip.compress(table(ROWS)), "a.csv.gz", ""),
        (b"\xef\xbb\xbf" + table(ROWS).replace(b"\n", b"\r\n"), "a.csv", ""),
        (table(ROWS, ";", "cp1252"), "a.csv", 'delimiter = ";"\nencoding = "cp1252"\n'),
        (table(ROWS, "\t", "utf-16"), "a.txt", 'delimiter = "\\t"\nencoding = "utf-16"\n'),
        (ndjson(ROWS), "a.ndjson", ""),
        (parquet(ROWS), "a.parquet", ""),
    ],
    ids=["csv", "gzip", "Excel's", "semicolons", "tabs in UTF-16", "ndjson", "parquet"],
)
def test_the_same_rows_are_the_same_events_in_every_format(source: bytes, name: str, options: str) -> None:
    profiles, rejections = read(source, name, options)
    assert (sorted(profiles.keys), profiles.rows.net.tolist()) == (["customer#1", "customer#2"], [35_000, 20_000])
    assert [rejection.reason for rejection in rejections] == [
        "when must be a time in ISO 8601, or in seconds or milliseconds since 1970",
        "who is missing",
    ]


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(ROWS[0], TEXTS)), max_size=8))
def test_whatever_stands_in_them_csv_and_ndjson_agree(odd: list[dict[str, str]]) -> None:
    rows = [*ROWS, *odd]
    by_table, by_line = read(table(rows), "a.csv"), read(ndjson(rows), "a.ndjson")
    assert [r.reason for r in by_table[1]] == [r.reason for r in by_line[1]]
    assert sorted(by_table[0].keys) == sorted(by_line[0].keys)
    assert encode(by_table[0]) == encode(by_line[0])


def test_refused_lines_say_whom_they_name_so_that_an_erasure_finds_them() -> None:
    _, rejections = read(table(ROWS), "a.csv")
    assert [rejection.people for rejection in rejections] == [("customer#2",), ()]


def test_rows_that_are_equal_count_once_and_others_each() -> None:
    more = [{**ROWS[0], "note": note} for note in ("a", "a", "b")]
    profiles, _ = read(table(more), "a.csv")
    assert len(profiles.rows) == 2


def test_rows_read_again_by_a_mapping_that_was_mended_are_the_same_events() -> None:
    before, _ = read(table(ROWS), "a.csv", 'cents = ["price"]\n')
    after, _ = read(table(ROWS), "a.csv")
    assert len(merge(before, after).rows) == len(after.rows) == 2


def test_a_file_longer_than_any_line_may_be_is_read_to_its_end() -> None:
    many = [{**ROWS[0], "who": str(n), "note": "x" * 200} for n in range(8_000)]
    profiles, rejections = read(ndjson(many), "a.ndjson")
    assert (len(profiles), rejections) == (8_000, [])


@pytest.mark.parametrize(("name", "write"), [("a.csv", table), ("a.ndjson", ndjson)])
def test_a_line_that_is_too_long_is_refused_alone(name: str, write: Callable[[list[dict[str, str]]], bytes]) -> None:
    long = {**ROWS[0], "who": "x" * 2**21}
    profiles, rejections = read(write([ROWS[0], long, ROWS[1]]), name)
    assert sorted(profiles.keys) == ["customer#1", "customer#2"]
    assert [rejection.reason[:11] for rejection in rejections] == ["longer than"]


@pytest.mark.parametrize("name", ["a.csv", "a.ndjson"])
def test_a_line_that_is_not_utf8_is_refused_alone(name: str) -> None:
    content = (table(ROWS[:2]) if name == "a.csv" else ndjson(ROWS[:2])).replace(b"Brot", b"Br\xf6t")
    profiles, rejections = read(content, name)
    assert (profiles.keys, [rejection.reason for rejection in rejections]) == (["customer#1"], ["not valid UTF-8"])


def test_a_column_that_stands_twice_is_no_column() -> None:
    with pytest.raises(UnreadableFile, match="it has several columns who"):
        read(b"when,who,who,what,kind,paid\n", "a.csv")


def test_what_is_packed_by_zstd_says_so() -> None:
    with pytest.raises(UnreadableFile, match="packed by zstd"):
        read(b"", "a.csv.zst")


def test_all_columns_that_are_not_there_are_named_at_once() -> None:
    with pytest.raises(UnreadableFile, match="it has no column who and no column what"):
        read(b"when,kind,paid\n", "a.csv")


def test_what_they_are_probably_called_is_said() -> None:
    with pytest.raises(UnreadableFile, match=r"no column who, which the mapping names; did you mean whom\?"):
        read(b"when,whom,what,kind,paid\n", "a.csv")


def test_a_file_without_a_header_has_its_columns_by_number() -> None:
    mapping = """
        header = false
        delimiter = "whitespace"
        columns = {customer_id = "column_1", timestamp = "column_2", quantity = "column_3", price = "column_4"}
        constants = {event_type = "purchase"}
    """
    source = b" 00004 19970101  1   29.33\n 00004 19970118  2   29.73\n"
    [chunk] = read_file(io.BytesIO(source), "a.txt", Rules(), Translator(read_mapping(mapping.encode())))
    assert (chunk.events.keys, chunk.events.rows.net.tolist()) == (["customer#00004"], [293_300, 594_600])


def test_a_file_without_a_header_has_the_names_that_the_mapping_gives() -> None:
    options = 'header = ["when", "who", "what", "kind", "paid"]\ndelimiter = "\\t"\nquotes = false\n'
    rows = b'2020-03-01\tme\tpurchase\t"Best" cheese\t3.50\n2020-03-01\tme\tpurchase\t3.50\n'
    profiles, rejections = read(rows, "a.tsv", options)
    assert (profiles.keys, profiles.rows.net.tolist()) == (["customer#me"], [35_000])
    assert [r.reason for r in rejections] == ["4 values where the header names 5 columns"]


@pytest.mark.parametrize("damage", [b"\xff\xfe\xff", b'"open\n', b"\x00" * 50, b"a," * 3_000])
@pytest.mark.parametrize("name", ["a.csv", "a.ndjson", "a.parquet", "a.csv.gz"])
def test_what_is_damaged_is_refused_and_ends_nothing(damage: bytes, name: str) -> None:
    try:
        read(table(ROWS) + damage, name)
    except UnreadableFile as error:
        assert "open" not in str(error)


def test_encoding_a_profile_read_by_a_mapping_is_stable() -> None:
    assert encode(read(table(ROWS), "a.csv")[0]) == encode(read(table(ROWS[::-1]), "a.csv")[0])
