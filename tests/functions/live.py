"""Live events as queues and streams deliver them, and what becomes of them in the bucket."""

import base64
import gzip
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tests.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def queued(bodies: Iterable[str]) -> dict[str, Any]:
    sent = {"SentTimestamp": "1509494390000"}
    named = [(f"message-{i}", body) for i, body in enumerate(bodies)]
    return {"Records": [{"messageId": name, "body": body, "attributes": sent} for name, body in named]}


def on_the_bus(detail: Any) -> dict[str, Any]:
    return queued([json.dumps({"version": "0", "detail-type": "purchase", "source": "shop", "detail": detail})])


def in_kinesis(*data: bytes) -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventSource": "aws:kinesis",
                "kinesis": {
                    "sequenceNumber": str(i),
                    "data": base64.b64encode(body).decode(),
                    "approximateArrivalTimestamp": 1509494390.25,
                },
            }
            for i, body in enumerate(data)
        ]
    }


def in_kafka(*values: bytes | None) -> dict[str, Any]:
    records = [
        {
            "topic": "events",
            "partition": 0,
            "offset": i,
            "timestamp": 1509494390000,
            "value": value and base64.b64encode(value).decode(),
        }
        for i, value in enumerate(values)
    ]
    return {"eventSource": "aws:kafka", "records": {"events-0": records}}


def archived(s3: "S3Client") -> dict[str, bytes]:
    entries = s3.list_objects_v2(Bucket=BUCKET, Prefix="archive/").get("Contents", [])
    bodies = {entry["Key"]: s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read() for entry in entries}
    return {key: gzip.decompress(body) for key, body in bodies.items()}
