"""Parquet: its rows are read and judged as lines of text would be, and a damaged file is refused."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow.parquet import write_table

from shared.events import Rejection, Rules, UnreadableFile, read_file
from shared.events.columns import product_code
from shared.events.event import LEAST_MS
from shared.features import encode
from shared.features.columns import ARMS
from tests.events.lines import GOOD, ndjson, read
from tests.features.histories import histories

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
    "product_id": ["", "x" * 1_025],
    "region": ["", "x" * 251, "x" * 1_025],
    "campaign": ["", "x" * 129, "Autumn"],
    "arm": ["", "Control", "none"],
    "attributes": [{"tier": ["gold"]}, {"tier": "x" * 253}, {f"{i}": i for i in range(31)}],
}
ODD_MOMENTS = (-(2**63), -1, 0, 1, LEAST_MS - 1, LEAST_MS, 1_506_852_000_123, 2**53, 2**63 - 1)


def _parquet(frame: pd.DataFrame) -> bytes:
    if "attributes" in frame:  # no structs: of those all objects in a file have the same names and types
        texts = [json.dumps(known) if isinstance(known, dict) else None for known in frame.attributes]
        frame["attributes"] = pd.Series(texts, frame.index, object)
    out = io.BytesIO()
    frame.to_parquet(out, index=False)
    return out.getvalue()


def as_parquet(events: list[dict[str, Any]], folder: Path) -> bytes:
    frame = pd.DataFrame(events)
    frame["timestamp"] = pd.to_datetime(frame.timestamp, utc=True, format="ISO8601")
    frame.to_parquet(folder / "events.parquet", index=False)
    return (folder / "events.parquet").read_bytes()


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


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.struct({"tier": pa.string(), "vip": pa.bool_()}), [{"tier": "gold", "vip": True}, {"tier": None}, None]),
        (pa.map_(pa.string(), pa.string()), [[("tier", "gold"), ("vip", "yes")], [], None]),
        (pa.string(), ['{"tier": "gold", "vip": true}', "{}", None]),
    ],
    ids=["struct", "map", "text"],
)
def test_attributes_are_a_struct_a_map_or_json(kind: pa.DataType, values: list[Any]) -> None:
    frame = pd.DataFrame([{**GOOD, "event_id": f"e{i}", "timestamp": 1_506_852_000 + i} for i in range(len(values))])
    table = pa.Table.from_pandas(frame, preserve_index=False).append_column("attributes", pa.array(values, kind))
    write_table(table, out := io.BytesIO())
    state, rejections = read(out.getvalue(), "a.parquet")
    assert (rejections, state.event_counts.tolist()) == ([], [3])
    known = {name: value for _, name, _, value in state.attributes.entries()}
    assert known == {"tier": '"gold"', "vip": '"yes"' if pa.types.is_map(kind) else "true"}


def exposures(campaign: list[Any], arm: list[Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "event_id": [f"e{i}" for i in range(len(arm))],
            "event_type": "campaign_exposure",
            "timestamp": 1_506_852_000,
            "customer_id": "889",
            "campaign": campaign,
            "arm": arm,
        }
    )


@pytest.mark.usefixtures("in_this_process")
def test_exposures_are_read_by_the_column_and_broken_ones_say_why() -> None:
    frame = exposures(["autumn", "autumn", "", None, "x" * 129], ["treatment", "control", "control", "Control", "none"])
    state, rejections = read(_parquet(frame), "a.parquet")
    assert [ARMS[code] for code in sorted(state.rows.arm)] == ["treatment", "control"]
    assert [state.category_names[code] for code in state.rows.campaign.tolist()] == ["autumn", "autumn"]
    assert [rejection.reason for rejection in rejections] == [
        "campaign must be text of 1 to 128 characters",
        *["campaign must be text of 1 to 128 characters and arm must be treatment or control"] * 2,
    ]


@pytest.mark.usefixtures("in_this_process")
def test_other_events_may_say_anything_by_the_names_of_exposures() -> None:
    frame = exposures([1.5, 2.5], ["b", None]).assign(event_type="page_view", region=["DE", ""], product_id=["p", ""])
    state, rejections = read(_parquet(frame), "a.parquet")
    assert (rejections, state.rows.campaign.tolist(), state.rows.arm.tolist()) == ([], [0, 0], [0, 0])
    assert sorted(state.rows.product.tolist()) == [0, product_code("p")]
    assert [*state.attributes.entries()] == [(0, "region", 1_506_852_000_000, '"DE"')]


@pytest.mark.usefixtures("in_this_process")
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


@pytest.mark.usefixtures("in_this_process")
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


def test_parquet_holds_ids_as_numbers_and_amounts_as_decimals(tmp_path: Path) -> None:
    frame = pd.DataFrame({"event_type": ["purchase"], "timestamp": [1506852000], "customer_id": [889], "price": [3]})
    frame.to_parquet(tmp_path / "a.parquet")
    *_, chunk = read_file(tmp_path / "a.parquet", "a.parquet", Rules())
    assert chunk.events.keys == ["customer#889"]
    assert chunk.events.rows.net.tolist() == [30_000]


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


@pytest.mark.parametrize("texts", [False, True], ids=["times", "times as text"])
def test_a_million_rows_with_long_ids_in_one_group_are_read(texts: bool) -> None:
    n = 1 << 20
    ids = pc.binary_join_element_wise("6c54ae76-66be-40c2-b6f6-75c7", pa.array(range(n)).cast(pa.string()), "")
    named = dict.fromkeys(("event_id", "customer_id", "session_id", "product_id", "category", "brand", "url"), ids)
    instants = pa.array(1_483_228_800 + np.arange(n)).cast(pa.timestamp("s", "UTC"))
    moments = pc.strftime(instants, "%Y-%m-%dT%H:%M:%SZ") if texts else instants
    table = pa.table({**named, "timestamp": moments, "event_type": pa.repeat("view_item", n)})
    file = io.BytesIO()
    write_table(table, file, row_group_size=n, use_dictionary=False, compression="NONE")
    file.seek(0)
    some = [chunk for chunk, _ in zip(read_file(file, "a.parquet", Rules()), range(2), strict=False)]
    assert min(len(chunk.events) for chunk in some) > 0
    assert not any(chunk.rejections for chunk in some)
