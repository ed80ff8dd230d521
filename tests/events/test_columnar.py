"""Lines read by the column are counted and refused as they are one by one."""

import gzip
import io
import json
from collections.abc import Iterable
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events import Chunk, Rules, UnreadableFile, read_file
from shared.events.chunks import to_chunk
from shared.events.readers import read_batches
from shared.features import encode, fold, merge
from tests.events.lines import GOOD, NOW_MS, ndjson, read
from tests.events.odd_lines import csv_files, ndjson_files
from tests.support.examples import at_most

ALL_RULES = [Rules(currency=currency, now_ms=now_ms) for currency in ("USD", None) for now_ms in (NOW_MS, None)]


def outcome(chunks: Iterable[Chunk]) -> list[Any]:
    """All that is told of a file, however it was cut into chunks."""
    read: list[Chunk] = []
    unreadable = ""
    try:
        read.extend(chunks)
    except UnreadableFile as error:
        unreadable = str(error)
    claims: dict[tuple[str, str], tuple[int, int, bytes]] = {}
    for claim in (claim for chunk in read for claim in chunk.claims):
        first = claim.time_ms, claim.line, claim.original
        claims[claim.visitor, claim.customer] = min(first, claims.get((claim.visitor, claim.customer), first))
    state = merge(*(fold(chunk.events) for chunk in read)) if read else None
    return [
        (encode(state), state.keys) if state else None,
        sum(len(chunk.events) for chunk in read),
        [rejection for chunk in read for rejection in chunk.rejections],
        [consent for chunk in read for consent in chunk.consents],
        claims,
        unreadable,
    ]


def one_by_one(content: bytes, name: str, rules: Rules) -> list[Any]:
    """The same by way of Python alone."""
    return outcome(to_chunk(batch, rules) for batch in read_batches(io.BytesIO(content), name))


@settings(max_examples=at_most(300))
@given(
    st.one_of(ndjson_files().map(lambda c: (c, "a.ndjson")), csv_files().map(lambda c: (c, "a.csv"))),
    st.sampled_from(ALL_RULES),
    st.sampled_from((64, 500, 2**20)),
)
def test_lines_are_counted_and_refused_as_one_by_one(file: tuple[bytes, str], rules: Rules, block: int) -> None:
    with patch("shared.events.json_lines.FEWEST_ALIKE", 1), patch("shared.events.blocks.BLOCK", block):
        assert outcome(read_file(io.BytesIO(file[0]), file[1], rules)) == one_by_one(*file, rules)


def many(count: int = 100) -> list[dict[str, Any]]:
    return [{**GOOD, "event_id": f"e{at}", "customer_id": f"c{at % 9}", "category": "a/ü"} for at in range(count)]


def csv_of(events: list[dict[str, Any]], quote: str = "") -> bytes:
    rows = [list(events[0]), *(event.values() for event in events)]
    return "\n".join(",".join(f"{quote}{value}{quote}" for value in row) for row in rows).encode()


WELL_FORMED = {
    "as they come": (ndjson(*many()), "a.ndjson"),
    "without blanks": (ndjson(*(json.dumps(e, separators=(",", ":")).encode() for e in many())), "a.ndjson"),
    "nulls and slashes": (
        ndjson(*(json.dumps(e | {"brand": None}).replace("/", "\\/").encode() for e in many())),
        "a.jsonl",
    ),
    "fields of their own": (
        ndjson(*(e | {"a": {"b": at, "c": ["x", None]}, "d": True} for at, e in enumerate(many()))),
        "a.ndjson",
    ),
    "two layouts": (ndjson(*(e | ({"brand": "x"} if at % 2 else {}) for at, e in enumerate(many()))), "a.ndjson"),
    "CSV": (csv_of(many()), "a.csv"),
    "CSV in quotes": (csv_of(many(), '"'), "a.csv"),
    "CSV of Windows": (csv_of(many()).replace(b"\n", b"\r\n"), "a.csv"),
    "packed": (gzip.compress(csv_of(many())), "a.csv.gz"),
}


@pytest.mark.parametrize("kind", WELL_FORMED)
def test_no_line_that_is_well_formed_is_read_by_itself(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content, name = WELL_FORMED[kind]
    expected = one_by_one(content, name, Rules())
    monkeypatch.setattr("shared.events.batches.Batch.keep", lambda *_: pytest.fail("a line was read by itself"))
    assert outcome(read_file(io.BytesIO(content), name, Rules())) == expected
    assert expected[1] == 100


@pytest.mark.parametrize("name", ["a.ndjson", "a.csv"])
def test_lines_that_are_asked_for_come_one_by_one(name: str) -> None:
    class All:
        reason = "asked for"

        def keeps(self, fingerprint: int, time_ms: int) -> bool:
            return False

    content = ndjson(*many()) if name == "a.ndjson" else csv_of(many())
    chunks = [*read_file(io.BytesIO(content), name, Rules(unwritten={"customer#c1": All()}))]
    assert [line.reason for chunk in chunks for line in chunk.unwritten] == ["asked for"] * 11


def test_a_value_over_many_blocks_is_one_record() -> None:
    header, *rows = csv_of(many()).split(b"\n")
    long = rows[0].replace(b"a/", b'"a\n' * 1 + b"2017,\n" * 30 + b'"', 1)
    content = b"\n".join([header, *rows[1:50], long, *rows[50:]])
    with patch("shared.events.blocks.BLOCK", 100):
        state, rejections = read(content, "a.csv")
    assert (int(state.event_counts.sum()), [r.line for r in rejections]) == (99, [51])
