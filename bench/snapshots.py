"""What training pays to have the histories of all customers: of a stack's snapshot, and of the raw events by pandas."""

from __future__ import annotations

import io
from typing import Any

import msgspec

from bench.aws_stub import BUCKET, AwsStub
from bench.shop import AS_OF_MS, shop_events, shop_file
from bench.work import Inputs, Work
from shared.exports import rows
from shared.exports.parquet import parquet
from shared.exports.plan import Manifest, Plan, Written
from shared.exports.tables import MANIFEST, SNAPSHOTS, STATES, folder
from shared.features import Profiles, fold
from training.data.stored import latest_snapshot, read_snapshot

_DAY = "2017-12-31"
_CUSTOMERS_AN_OBJECT = 25_000


def stored_snapshot(profiles: Profiles) -> AwsStub:
    """A bucket with everybody in it, as an export leaves them."""
    aws = AwsStub()
    objects = []
    for first in range(0, len(profiles), _CUSTOMERS_AN_OBJECT):
        part = profiles.part(first, min(first + _CUSTOMERS_AN_OBJECT, len(profiles)))
        body, count = parquet(STATES, [rows.states(part)])
        key = f"{folder(STATES.name, _DAY)}run-bench-{first}.parquet"
        aws.put_object(key, body)
        objects.append(Written(key, count, len(body)))
    plan = Plan("bench", _DAY, AS_OF_MS, AS_OF_MS)
    for table, written in ((STATES, objects), (SNAPSHOTS, [])):
        manifest = Manifest(table.name, plan, written)
        aws.put_object(folder(table.name, _DAY) + MANIFEST, msgspec.json.encode(manifest))
    return aws


def read_stored(aws: AwsStub) -> Profiles:
    """As `tessera train --bucket` does it."""
    with aws.in_place():
        return read_snapshot(latest_snapshot(BUCKET))


def snapshot(inputs: Inputs) -> Work:
    """Fetch the latest snapshot's objects and decode them into everybody's history, ready for training."""
    events = shop_events(inputs.customers)
    profiles = fold(events)
    aws = stored_snapshot(profiles)
    return Work(lambda: read_stored(aws), len(profiles.rows))


def snapshot_scan(inputs: Inputs) -> Work:
    """Only read the snapshot's columns, as bytes that nobody decodes."""
    import pyarrow.parquet as pq

    profiles = fold(shop_events(inputs.customers))
    aws = stored_snapshot(profiles)
    bucket = aws.client("s3")
    keys = [key for key in aws.object_keys if key.endswith(".parquet")]
    return Work(lambda: [pq.read_table(io.BytesIO(body_of(bucket, key))) for key in keys], len(profiles.rows))


def body_of(bucket: Any, key: str) -> bytes:
    """An object's bytes."""
    body: bytes = bucket.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return body


def snapshot_pandas(inputs: Inputs) -> Work:
    """Read the events that it came from, and put each customer's in the order of time."""
    import pyarrow.parquet  # noqa: F401  what read_parquet would import first, which is not its work

    events = shop_events(inputs.customers)
    file = shop_file(events)
    return Work(lambda: sorted_events(file), len(events))


def sorted_events(file: bytes) -> Any:
    """A file's events by customer and time."""
    import pandas as pd

    return pd.read_parquet(io.BytesIO(file)).sort_values(["customer_id", "timestamp"], kind="stable")
