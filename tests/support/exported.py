"""What exports hold, read back by pyarrow, which had no part in writing them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from pyarrow.parquet import read_table

from tests.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def object_keys(s3: S3Client, prefix: str = "exports/", bucket: str = BUCKET) -> list[str]:
    """All objects of exports."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", ())]


def exported(s3: S3Client, table: str, date: str = "", bucket: str = BUCKET) -> list[dict[str, Any]]:
    """The rows of a table, of one date or of all."""
    keys = object_keys(s3, f"exports/{table}/date={date}", bucket)
    bodies = (s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys if key.endswith(".parquet"))
    return [row for body in bodies for row in read_table(io.BytesIO(body)).to_pylist()]
