"""Notices of batches that were given up bring those batches, or go back to where they were."""

import base64
import json
from typing import Any

import pytest

from shared.intake.given_up import PREFIX, RecordsMissing, reader, received
from tests.conftest import BUCKET
from tests.simulation.objects import Objects
from tests.support.memory_client import Client

KINESIS = {
    "Records": [
        {
            "kinesis": {
                "sequenceNumber": "49",
                "data": base64.b64encode(b'{"n":1}').decode(),
                "approximateArrivalTimestamp": 1_509_494_400.0,
            }
        }
    ]
}


def message(body: Any, message_id: str = "m") -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    return {"messageId": message_id, "body": text, "attributes": {"SentTimestamp": "1509494400000"}}


def nothing(_key: str) -> bytes:
    raise AssertionError


def test_a_message_that_is_no_notice_is_itself() -> None:
    batch, missing = received({"Records": [message('{"n":1}')]}, nothing)
    assert ([one.lines for one in batch], missing) == ([[b'{"n":1}']], {})


def test_a_notice_of_lambda_brings_the_records_that_it_holds() -> None:
    notice = {"KinesisBatchInfo": {"shardId": "1"}, "payload": json.dumps(KINESIS)}
    [one] = received({"Records": [message(notice)]}, nothing)[0]
    assert (one.id, one.source, one.lines) == ("49", "kinesis", [b'{"n":1}'])


def test_a_notice_of_s3_brings_the_records_of_its_object() -> None:
    objects = {f"{PREFIX}batch": json.dumps({"payload": KINESIS}).encode()}
    notice = {"source": "aws.s3", "detail": {"object": {"key": f"{PREFIX}batch"}}}
    [one] = received({"Records": [message(notice)]}, objects.__getitem__)[0]
    assert one.id == "49"


@pytest.mark.parametrize("payload", [{}, {"payload": "no JSON"}, {"payload": "[]"}])
def test_a_notice_without_records_is_told_and_stops_no_other(payload: dict[str, Any]) -> None:
    records = [message({"KafkaBatchInfo": {}, **payload}, "notice"), message('{"n":1}')]
    batch, missing = received({"Records": records}, nothing)
    assert (len(batch), [*missing]) == (1, ["notice"])


def test_an_event_of_a_shop_that_looks_like_a_notice_is_an_event() -> None:
    [one] = received({"Records": [message({"page": "/KinesisBatchInfo"})]}, nothing)[0]
    assert one.source == "bus"


def test_a_batch_that_is_not_in_the_bucket_is_missing() -> None:
    s3: Any = Client(Objects(lambda: 0))
    with pytest.raises(RecordsMissing, match="not in the bucket any more"):
        reader(s3, BUCKET)(f"{PREFIX}gone")
