"""Encoded profiles: small, exact, and readable by the code that comes after."""

import json
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.features import EVENT_TYPES, BrokenState, UnknownStateVersion, decode, encode, rows_in
from shared.features.codec import VERSION
from shared.features.columns import CHANNELS, COLUMN_TYPES
from tests.features.histories import folded, histories

GOLDEN = Path(__file__).parent / "golden"


@given(histories())
def test_decoding_gives_back_every_column(history: list[dict[str, object]]) -> None:
    state = folded(history)
    read = decode(state.keys, encode(state))
    for name, mine, theirs in zip(COLUMN_TYPES, state.rows.columns(), read.rows.columns(), strict=True):
        assert mine.dtype == theirs.dtype, name
        np.testing.assert_array_equal(mine, theirs, name)
    used = {*state.rows.category.tolist(), *state.rows.campaign.tolist()} - {0}
    assert {code: read.category_names[code] for code in used} == {code: state.category_names[code] for code in used}
    assert [*read.attributes.entries()] == [*state.attributes.entries()]


def test_an_unknown_version_is_refused_by_number() -> None:
    [blob] = encode(folded([{"event_type": "page_view", "customer_id": "a", "timestamp": "2017-01-01"}]))
    with pytest.raises(UnknownStateVersion, match="version 9"):
        decode(["customer#a"], [b"\x09" + blob[1:]])


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("state-*.json")), ids=lambda p: p.stem)
def test_states_of_every_version_so_far_are_read(path: Path) -> None:
    golden = json.loads(path.read_text())
    read, expected = decode(["customer#889"], [bytes.fromhex(golden["state"])]), folded(golden["events"])
    for name, mine, theirs in zip(COLUMN_TYPES, expected.rows.columns(), read.rows.columns(), strict=True):
        np.testing.assert_array_equal(mine, theirs, name)
    assert read.category_names == expected.category_names
    assert [*read.attributes.entries()] == [*expected.attributes.entries()]


def test_states_of_all_versions_are_read_together() -> None:
    blobs = [json.loads(path.read_text())["state"] for path in sorted(GOLDEN.glob("state-*.json"))]
    keys = [f"customer#{i}" for i in range(len(blobs))]
    read = decode(keys, [*map(bytes.fromhex, blobs)])
    assert [CHANNELS[code] for code in read.rows.channel[read.owner == 0]] == ["unknown"] * 6
    assert [CHANNELS[code] for code in read.rows.channel[read.owner == 1]] == [
        "search", "unknown", "advertising", "unknown", "unknown", "store",
    ]  # fmt: skip
    assert [EVENT_TYPES[code] for code in read.rows.kind[read.owner == 2]][-1] == "campaign_exposure"
    assert encode(read)[2].hex() == blobs[2]
    assert rows_in(bytes.fromhex(blobs[0])) == rows_in(bytes.fromhex(blobs[1])) == 6
    assert rows_in(bytes.fromhex(blobs[2])) == 8


@pytest.mark.parametrize("n", [999, 1_000, 1_001])
def test_a_long_history_comes_back(n: int) -> None:
    events = [
        {"event_id": f"{i}", "event_type": EVENT_TYPES[i % 9], "timestamp": 1e9 + 977 * i, "customer_id": "a"}
        | {"session_id": f"{i // 5}", "category": f"c{i % 7}", "channel": ["email", "direct"][i % 2], "price": i}
        for i in range(n)
    ]
    state = folded([*events, {**events[0], "customer_id": "b"}])
    for mine, theirs in zip(state.rows.columns(), decode(state.keys, encode(state)).rows.columns(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_state_that_expands_further_than_its_rows_allow_is_refused_before_it_does() -> None:
    events = [
        {"event_id": f"{i}", "event_type": "purchase", "timestamp": 1e9 + 977 * i, "customer_id": "a", "price": i % 2}
        for i in range(1_000)
    ]
    state = folded(events)
    (blob,) = encode(state)
    deflated = next(begin for begin in range(len(blob)) if _inflates(blob[begin:]))
    bomb = blob[:deflated] + zlib.compress(bytes(50 << 20), wbits=-15)
    tracemalloc.start()
    with pytest.raises(BrokenState, match="expands too far"):
        decode(state.keys, [bomb])
    assert tracemalloc.get_traced_memory()[1] < 5 << 20
    tracemalloc.stop()


def _inflates(content: bytes) -> bool:
    try:
        return len(zlib.decompress(content, wbits=-15)) > 1_000
    except zlib.error:
        return False


def test_the_version_written_now_has_its_golden_file() -> None:
    assert (GOLDEN / f"state-{VERSION}.json").exists()


@given(histories(), st.data())
def test_a_broken_state_is_refused_or_spoils_its_own_profile_alone(
    history: list[dict[str, object]], data: st.DataObject
) -> None:
    state = folded(history)
    blobs = encode(state)
    at = data.draw(st.integers(0, len(blobs) - 1))
    spoiled = bytearray(blobs[at])
    for _ in range(data.draw(st.integers(1, 3))):
        spoiled[data.draw(st.integers(0, len(spoiled) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(spoiled)))
    try:
        read = decode(state.keys, [*blobs[:at], bytes(spoiled[:cut]), *blobs[at + 1 :]])
    except (BrokenState, UnknownStateVersion):
        return
    others = [i for i in range(len(blobs)) if i != at]
    assert encode(read.take(others)) == [blobs[i] for i in others]
