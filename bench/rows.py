"""The rows of what single tasks measured: files, states, scores, look-ups, updates, memory."""

from collections.abc import Iterable, Iterator, Mapping

from bench.file_tasks import FORMATS
from bench.row import Row
from bench.units import WRITE_UNIT_BYTES
from bench.usual_way import AHEAD_EVERY_DAYS
from bench.worker import Measurement

MEGABYTE = 1_000_000
MEMORY_AIM_MB = 512
FUNCTION_MB = 1_769
"""What functions that take events in have, as template.yaml says."""
_FLAT = 1.1
_REASONS_AIM_MS = 2.0
_AUDIENCES_AIM_US = 50
_PREVIEW_AIM_SECONDS = 2.0
_AHEAD_AIM = 0.25

type Measured = Mapping[str, Measurement]


def task_rows(measured: Measured) -> Iterator[Row]:
    """Of all tasks but the streams and those of `bench.own_models`."""
    yield from _file_rows(measured)
    yield from _state_rows(measured)
    yield from _score_rows(measured)
    yield from _serving_rows(measured)
    yield from _update_rows(measured)


def _file_rows(measured: Measured) -> Iterator[Row]:
    for kind, (what, reader, most, least) in FORMATS.items():
        fold, limit, theirs = (measured[f"{task}_{kind}"] for task in ("fold", "duckdb", "pandas"))
        reading = theirs.units / theirs.facts["reading_seconds"]
        bare = ("DuckDB's GROUP BY", rate(limit))
        yield Row(
            f"ingest_file_{kind}",
            f"{what} of {fold.units / 1e6:.2f} M events to profiles",
            rate(fold),
            "events/s",
            f"{reader} alone",
            reading,
            *bare,
        ).near_limit(most)
        yield Row(
            f"features_file_{kind}",
            f"{what} to features",
            rate(measured[f"features_{kind}"]),
            "events/s",
            "pandas",
            rate(theirs),
            *bare,
        ).times_peer(least)
    shop, theirs = measured["shop_file_to_features"], measured["pandas_shop_file"]
    yield Row(
        "features_file_shop",
        f"Shop's Parquet file ({shop.units / 1e6:.2f} M events of every kind) to features",
        rate(shop),
        "events/s",
        "pandas",
        rate(theirs),
    ).times_peer(10)
    day, theirs = measured["day_file"], measured["pandas_day_file"]
    yield Row(
        "features_day",
        f"Shop's new day ({day.units:,} events of {day.facts['customers']:,.0f} customers) to their features",
        day.best,
        "s",
        "pandas, all events again",
        theirs.best,
    ).times_peer(10)


def _state_rows(measured: Measured) -> Iterator[Row]:
    once = ("every column read once", rate(measured["read_columns"]))
    yield Row(
        "features_memory",
        "Purchases in memory to features",
        rate(measured["features_of_profiles"]),
        "customers/s",
        "pandas",
        rate(measured["pandas_of_frame"]),
    ).times_peer(10)
    matrix = measured["feature_matrix"]
    yield (
        Row(
            "feature_matrix",
            f"Shop's events in memory to features, {matrix.facts['events'] / matrix.units:.0f} events a customer",
            rate(matrix),
            "customers/s",
            "pandas",
            rate(measured["pandas_of_shop"]),
            *once,
        )
        .times_peer(10)
        .at_least(200_000)
    )
    merge = measured["merge_profiles"]
    yield Row(
        "merge",
        "Two halves of histories merged",
        rate(merge),
        "events/s",
        "pandas, sorted without repeats",
        rate(measured["pandas_merge"]),
        "every column read once",
        once[1] * matrix.facts["events"] / matrix.units,
    )
    encode, decode = measured["encode_profiles"], measured["decode_profiles"]
    for name, ours, theirs in (("encode", encode, "json_encode"), ("decode", decode, "json_decode")):
        peer = ("JSON with zlib", rate(measured[theirs]))
        yield Row(name, f"Profiles {name}d", rate(ours), "customers/s", *peer, *once).at_least(100_000)
    for name, what in (("median", "median"), ("99th_percentile", "99th percentile")):
        size = encode.facts[f"bytes_{name}"]
        peer = ("JSON with zlib", measured["json_encode"].facts[f"bytes_{name}"])
        unit = ("a write unit", WRITE_UNIT_BYTES)
        yield Row(f"state_bytes_{name}", f"State of a customer, {what}", size, "bytes", *peer, *unit)


def _score_rows(measured: Measured) -> Iterator[Row]:
    for name, what, least, models in (
        ("score_one", "Customers scored one by one", 30, "onnx_alone"),
        ("score_one_explained", "The same with reasons", 30, "onnx_alone"),
        ("score_batch", "Customers scored by the thousand", 10, "onnx_batch"),
        ("score_batch_forecast", "The same, 90 days ahead", 10, "onnx_batch"),
    ):
        explained = " and SHAP" if name == "score_one_explained" else ""
        days = f", every {AHEAD_EVERY_DAYS}th day" if name == "score_batch_forecast" else ""
        row = Row(
            name,
            what,
            rate(measured[name]),
            "customers/s",
            f"pandas and pickles{explained}{days}",
            rate(measured[f"pandas_{name}"]),
            "its models alone",
            rate(measured[models]),
        ).times_peer(least)
        yield row.at_least(50_000) if least == 10 else row


def _serving_rows(measured: Measured) -> Iterator[Row]:
    alone = ("get and put an event", rate(measured["ingest_live_naive"]))
    for events in (1, 10, 100):
        yield Row(
            f"ingest_live_{events}",
            f"Live messages of {events} event{'s'[: events != 1]} through the function, decided on",
            rate(measured[f"ingest_live_{events}"]),
            "events/s",
            *alone,
            "its requests alone",
            rate(measured["store_requests"]),
        )
    yield Row(
        "store_requests",
        "Events stored, the client alone",
        rate(measured["store_requests"]),
        "events/s",
        "get and put an event",
        rate(measured["store_requests_naive"]),
        "bare batches of the items",
        rate(measured["store_requests_bare"]),
    ).times_peer(20)
    bare = measured["bare_get_item"].facts["median_ms"]
    yield Row(
        "lookup",
        "A look-up through the function, median",
        measured["lookup"].facts["median_ms"],
        "ms",
        "a bare get_item",
        bare,
        "the same",
        bare,
    ).of_peer(1.3)
    with_, without = (measured[task].facts["median_ms"] for task in ("look_up_with_reasons", "look_up"))
    explained = measured["pandas_score_one_explained"]
    yield Row(
        "lookup_explained",
        "The answer of a look-up with reasons, median",
        with_,
        "ms",
        "pandas, pickles and SHAP",
        1_000 * explained.best / explained.units,
        "without reasons",
        without,
    ).held(f"≤ {_REASONS_AIM_MS:g} ms more than without", with_ - without <= _REASONS_AIM_MS)
    yield Row(
        "deliver",
        "Changes sent to a webhook",
        rate(measured["deliver"]),
        "changes/s",
        "a request each",
        rate(measured["deliver_naive"]),
        "one for all",
        rate(measured["deliver_at_once"]),
    )
    counted, theirs = measured["count_export"], measured["pandas_export"]
    yield (
        Row(
            "preview",
            f"A rule counted over {counted.units / 1e6:g} M customers",
            counted.best,
            "s",
            "pandas",
            theirs.best,
            "DuckDB's scan of the columns",
            measured["scan_export"].best,
        ).at_most(_PREVIEW_AIM_SECONDS)
    )
    yield Row(
        "snapshot",
        "A snapshot of stored states read for training",
        rate(measured["snapshot"]),
        "events/s",
        "pandas, of the raw events, sorted",
        rate(measured["snapshot_pandas"]),
        "its columns read",
        rate(measured["snapshot_scan"]),
    )


def _update_rows(measured: Measured) -> Iterator[Row]:
    now, ahead, audiences = (measured[f"update_batch{what}"] for what in ("", "_with_next_change", "_with_audiences"))
    pandas = ("pandas and pickles, features and scores alone", rate(measured["pandas_score_batch"]))
    models = ("its models alone", rate(measured["onnx_batch"]))
    yield Row("update", "Updates from a file, decided on and encoded", rate(now), "customers/s", *pandas, *models)
    yield Row(
        "update_forecast",
        "The same, 90 days ahead",
        rate(ahead),
        "customers/s",
        "pandas and pickles, scores ahead alone",
        rate(measured["pandas_score_batch_forecast"]),
        "without",
        rate(now),
    ).near_limit(1 / _AHEAD_AIM)
    more_us = (audiences.best / audiences.units - ahead.best / ahead.units) * 1e6
    yield Row(
        "update_audiences",
        "The same with 100 audiences",
        rate(audiences),
        "customers/s",
        limit="without",
        limit_value=rate(ahead),
        note=f"{more_us:,.0f} µs a customer more",
    ).held(f"≤ {_AUDIENCES_AIM_US} µs more", more_us <= _AUDIENCES_AIM_US)


def stream_rows(streams: Mapping[int, Measurement], pandas_bytes: int | None = None) -> Iterable[Row]:
    """Of streams by their megabytes; beside what pandas takes for the purchases as such a file."""
    for megabytes, stream in streams.items():
        events = stream.facts["lines"] / (stream.best - stream.facts["making_seconds"])
        row = Row(
            f"memory_{megabytes}_mb",
            f"Peak memory, NDJSON of {megabytes:,} MB",
            stream.peak_bytes / MEGABYTE,
            "MB",
            "pandas, of the purchases as NDJSON" if pandas_bytes else "",
            pandas_bytes / MEGABYTE if pandas_bytes else None,
            note=f"{events / 1_000:.3g} k events/s",
        )
        yield row.at_most(MEMORY_AIM_MB)
    smaller, larger = list(streams)[-2:]
    yield Row(
        "memory_growth",
        f"Peak memory, {larger:,} MB beside {smaller:,} MB",
        streams[larger].peak_bytes / streams[smaller].peak_bytes,
        "times",
        limit="flat",
        limit_value=1,
    ).at_most(_FLAT)


def rate(measurement: Measurement) -> float:
    """Units a second, at best."""
    return measurement.units / measurement.best
