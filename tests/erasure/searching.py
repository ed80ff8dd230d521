"""A bucket in memory that is searched for people, for the tests of its objects and of their versions."""

import time
from typing import TYPE_CHECKING, Any

from shared.profiles.places import Places
from tests.conftest import BUCKET, TABLE
from tests.simulation.objects import Objects
from tests.simulation.table import Table
from tests.support.memory_client import Client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PEOPLE = ["customer#889", "customer#Zoë Ünal", "visitor#phone of 889"]
HEADER = "customer_id,segment\n"


def memory_s3() -> Any:
    return Client(Objects(lambda: time.time_ns() // 1_000_000))


def memory_places() -> Places:
    dynamodb: Any = Client(Table(lambda: 0, lambda: False))
    return Places(dynamodb, TABLE, lambda: b"secret", lambda: 1_700_000_000_000)


def versions(s3: "S3Client", key: str) -> list[bytes]:
    listed = s3.list_object_versions(Bucket=BUCKET, Prefix=key).get("Versions", [])
    return [s3.get_object(Bucket=BUCKET, Key=key, VersionId=one["VersionId"])["Body"].read() for one in listed]
