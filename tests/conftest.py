"""In-process AWS: moto, with the table of template.yaml."""

import gc
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from hypothesis import HealthCheck, settings
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend
from moto.sqs.exceptions import InvalidParameterValue
from moto.sqs.models import SQSBackend
from xdist.scheduler import LoadFileScheduling

from tests.support.cheap_moto import client as cheap_client
from tests.support.cheap_moto import remember, transact_write_items
from tests.support.partiql import PartiQL, respond
from tests.support.template import table_definition

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

settings.register_profile("default", max_examples=200, deadline=None)
settings.register_profile("check", max_examples=20, deadline=None)
settings.register_profile("nightly", max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

BUCKET = "tessera-data"
TABLE = "tessera-profiles"
BUS = "tessera"

os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_DEFAULT_REGION="eu-west-1",
    DATA_BUCKET=BUCKET,
    TABLE_NAME=TABLE,
    CURRENCY="USD",
    TIME_ZONE="UTC",
    EVENT_BUS=BUS,
    JOURNEYS_ARN="arn:aws:states:eu-west-1:123456789012:stateMachine:tessera-journeys",
    CURSOR_SECRET="cursors",
    CALLERS="roles",
    QUEUES='{"files": ["https://sqs.eu-west-1.amazonaws.com/123456789012/ingest"]}',
    CONSENT_BY_API="take",
    LIVE_QUEUE_URL="https://sqs.eu-west-1.amazonaws.com/123456789012/live",
    ERASURE_QUEUE_URL="https://sqs.eu-west-1.amazonaws.com/123456789012/erasures",
    MARK_SECRET="marks",
    DESTINATION_SECRETS="tessera/destinations/",
    DELIVERY_RETENTION_DAYS="400",
    SETTLE_SECONDS="20",
    RESULTS_WINDOW_DAYS="30",
    TABLE_EPOCH="",
    QUARANTINE_RETENTION_DAYS="400",
    QUARANTINE_MEGABYTES_A_FILE="256",
    PART_BYTES=str(64 << 20),
    INGEST_QUEUE_URL="https://sqs.eu-west-1.amazonaws.com/123456789012/ingest",
    ARCHIVE_RETENTION_DAYS="0",
    REFRESH_QUEUE_URL="https://sqs.eu-west-1.amazonaws.com/123456789012/refresh",
    POWERTOOLS_SERVICE_NAME="tessera",
    POWERTOOLS_METRICS_NAMESPACE="Tessera",
    POWERTOOLS_TRACE_DISABLED="true",
)

remember()


SHARED_STACK = {f"tests/e2e/test_{name}.py" for name in ("contract", "erasure", "live", "stack")}
"""Those that use one deployed stack, which `tests/e2e/conftest.py` makes once a process."""

EACH_BY_ITSELF = {f"tests/simulation/test_{name}.py" for name in ("bugs", "simulation")} | {
    "tests/dashboard/test_pages.py"
}
"""Those whose tests take long, have nothing in common, and go to whichever process is free."""


class OneStackOnce(LoadFileScheduling):  # type: ignore[misc]
    """A file goes to a process whole, and so do all that share a stack."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        if file in EACH_BY_ITSELF:
            return nodeid
        return "stack" if file in SHARED_STACK else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneStackOnce | None:
    return OneStackOnce(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are processors: stacks wait as much as they work."""
    return (os.process_cpu_count() or 1) + 2


def pytest_collection() -> None:
    """Of what is imported nothing goes again, so that looking for garbage meanwhile is in vain."""
    gc.disable()


def pytest_collection_finish() -> None:
    """What was imported stays to the end; looking through it for garbage took a tenth of the time of `tests/intake`."""
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_unconfigure() -> None:
    gc.unfreeze()  # or libraries in C++ tell of leaks at the end


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    send = SQSBackend.send_message

    def send_what_is_allowed(backend: SQSBackend, queue_name: str, message_body: str, *rest: Any, **more: Any) -> Any:
        # As https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html has it.
        if re.search("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", message_body):
            raise InvalidParameterValue("Invalid characters found.")
        return send(backend, queue_name, message_body, *rest, **more)

    monkeypatch.setattr(SQSBackend, "send_message", send_what_is_allowed)
    monkeypatch.setattr(DynamoDBBackend, "transact_write_items", transact_write_items)
    monkeypatch.setattr(boto3, "client", cheap_client)
    with mock_aws(config={"core": {"reset_boto3_session": False}}):
        yield


@pytest.fixture
def s3(aws: None) -> "S3Client":
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return client


@pytest.fixture
def partiql(monkeypatch: pytest.MonkeyPatch) -> PartiQL:
    fake = PartiQL()
    monkeypatch.setattr(DynamoDBBackend, "batch_execute_statement", respond(fake))
    return fake


@pytest.fixture
def dynamodb(aws: None, partiql: PartiQL) -> "DynamoDBClient":
    client = boto3.client("dynamodb")
    definition: Any = table_definition("ProfileTable", TABLE)
    client.create_table(**definition)
    boto3.client("secretsmanager").create_secret(Name="marks", SecretString="a secret of marks")
    return client
