"""The local AWS cleans up after itself, and does what it would not without our fixes."""

import io
import json
import urllib.error
import urllib.request
import zipfile
from typing import Any

import pytest

from local.emulator import EVERYTHING, KEPT_LOG, Emulator, emulator
from tests.e2e.conftest import wait_until

pytestmark = pytest.mark.e2e


def zipped(name: str, source: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, source)
    return content.getvalue()


COUNTS = zipped(
    "counts.py",
    "def handler(event, context):\n    print(f\"handed {len(event['Records'])}.\")\n",
)


def assert_gone(aws: Emulator) -> None:
    assert not aws.folder.exists()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{aws.endpoint}/_ministack/health", timeout=5)


def test_nothing_is_left_running() -> None:
    with emulator() as aws:
        assert aws.log.exists()
    assert_gone(aws)


def test_a_failure_leaves_the_log_alone() -> None:
    with pytest.raises(ZeroDivisionError), emulator() as aws:
        _ = 1 / 0
    assert_gone(aws)
    assert aws.endpoint.rpartition(":")[2] in KEPT_LOG.read_text()


def test_two_run_side_by_side() -> None:
    with emulator() as first, emulator() as second:
        first.session.client("s3", endpoint_url=first.endpoint).create_bucket(Bucket="only-in-the-first")
        buckets = second.session.client("s3", endpoint_url=second.endpoint).list_buckets()["Buckets"]
        assert buckets == []


def test_a_queue_hands_over_as_many_messages_as_a_batch_takes() -> None:
    with emulator() as aws:
        functions = aws.session.client("lambda", endpoint_url=aws.endpoint)
        queues = aws.session.client("sqs", endpoint_url=aws.endpoint)
        iam = aws.session.client("iam", endpoint_url=aws.endpoint)
        anybody = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [anybody]})
        role = iam.create_role(RoleName="counts", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        iam.put_role_policy(RoleName="counts", PolicyName="everything", PolicyDocument=json.dumps(EVERYTHING))
        url = queues.create_queue(QueueName="many")["QueueUrl"]
        for ten in range(3):
            entries: Any = [{"Id": f"{number}", "MessageBody": f"{ten}"} for number in range(10)]
            queues.send_message_batch(QueueUrl=url, Entries=entries)
        arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        functions.create_function(
            FunctionName="counts", Role=role, Runtime="python3.13", Handler="counts.handler", Code={"ZipFile": COUNTS}
        )
        functions.create_event_source_mapping(
            EventSourceArn=arn, FunctionName="counts", BatchSize=25, MaximumBatchingWindowInSeconds=1
        )
        wait_until(lambda: all(f"handed {number}." in aws.log.read_text() for number in (25, 5)))
