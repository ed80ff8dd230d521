"""Live events in, and moves out, on a local AWS."""

import base64
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.stack import Stack
from operations.redrive import redrive
from tests.e2e.conftest import members, wait_until
from tests.e2e.journeys import Journeys
from tests.support.event_files import ndjson, purchase

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def journeys(stack: Stack) -> Journeys:
    return Journeys(stack)


def test_a_dropped_file_ends_on_the_bus(stack: Stack, journeys: Journeys) -> None:
    orders = [purchase("mover", number, day=number + 1) for number in range(12)]
    stack.s3.put_object(Bucket=stack.bucket, Key="events/mover-1.ndjson", Body=ndjson(orders[:2]))
    wait_until(lambda: len(journeys.of("mover")) == 1)
    stack.s3.put_object(Bucket=stack.bucket, Key="events/mover-2.ndjson", Body=ndjson(orders))
    wait_until(lambda: len(journeys.of("mover")) == 2)
    assert [(moved["from"], moved["to"], moved["cause"]) for moved in journeys.of("mover")] == [
        (None, 1, "events"),
        (1, 2, "events"),
    ]


def decided(stack: Stack, customer: str) -> Any:
    wait_until(lambda: stack.api_get(f"/customers/{customer}/segment")[0] == 200)
    return stack.api_get(f"/customers/{customer}/segment")[1]


def test_events_of_the_api_are_decided_on_and_bad_ones_kept(stack: Stack, journeys: Journeys) -> None:
    def kept() -> int:
        return int(stack.s3.list_objects_v2(Bucket=stack.bucket, Prefix="quarantine/live/api/")["KeyCount"])

    orders = [purchase("caller", number, day=number + 1) for number in range(12)]
    before = kept()
    status, answer = stack.api("POST", "/events", {"events": [*orders, {"event_type": "purchase"}, 5]})
    assert (status, answer["accepted"], answer["rejected"]) == (202, 12, 2)
    assert [reason["index"] for reason in answer["reasons"]] == [12, 13]
    assert decided(stack, "caller")["segment"]["name"] == "About 10"
    assert kept() == before + 1
    wait_until(lambda: len(journeys.of("caller")) == 1)
    _, history = stack.api_get("/customers/caller/history")
    assert [moved["transition_id"] for moved in history["transitions"]] == [journeys.of("caller")[0]["transition_id"]]


def test_events_on_the_bus_are_decided_on(stack: Stack) -> None:
    entry: Any = {
        "Source": "shop",
        "DetailType": "purchase",
        "Detail": json.dumps(purchase("rider")),
        "EventBusName": stack.bus,
    }
    events = stack.emulator.session.client("events", endpoint_url=stack.endpoint)
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    assert decided(stack, "rider")["segment"]["id"] in {0, 1}


def test_events_in_kinesis_are_decided_on_and_bad_ones_kept(stack: Stack) -> None:
    kinesis = stack.emulator.session.client("kinesis", endpoint_url=stack.endpoint)
    (name,) = kinesis.list_streams()["StreamNames"]
    for data in (b"not an event", json.dumps(purchase("streamer")).encode()):
        kinesis.put_record(StreamName=name, PartitionKey="streamer", Data=data)
    assert decided(stack, "streamer")["segment"]["id"] in {0, 1}
    wait_until(
        lambda: stack.s3.list_objects_v2(Bucket=stack.bucket, Prefix="quarantine/live/kinesis/")["KeyCount"] == 1
    )


def test_segments_are_counted_and_list_their_members(stack: Stack) -> None:
    orders = [purchase(f"member-{c}", n, day=n + 1) for c in range(7) for n in range(12)]
    assert stack.api("POST", "/events", {"events": orders})[0] == 202
    wait_until(lambda: {f"member-{c}" for c in range(7)} <= {*members(stack, 2, a_page=2)})
    wait_until(lambda: stack.api_get("/segments")[1]["segments"][2]["size"] == len(members(stack, 2)))


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/customers/nobody/history", None, 404, "customer_not_found"),
        ("GET", "/segments/99/customers", None, 404, "segment_not_found"),
        ("GET", "/segments/1/customers?limit=0", None, 400, "invalid_limit"),
        ("GET", "/segments/1/customers?cursor=AAAA", None, 400, "invalid_cursor"),
        ("POST", "/events", {"event": []}, 400, "invalid_body"),
        ("GET", "/nothing/here", None, 403, "unsigned_or_no_such_route"),
    ],
)
def test_what_cannot_be_answered_says_so_in_json(
    stack: Stack, method: str, path: str, body: Any, status: int, code: str
) -> None:
    answered, answer = stack.api(method, path, body)
    assert (answered, answer["error"]["code"]) == (status, code)
    assert answer["error"]["message"]


def test_an_unsigned_call_is_refused_in_json(stack: Stack) -> None:
    status, answer = stack.api_get("/segments", signed=False)
    assert status == 403
    assert answer["error"]["code"]


def test_a_preflight_is_answered_without_a_signature(stack: Stack) -> None:
    address = urlsplit(stack.api_url)
    connection = http.client.HTTPConnection(address.netloc, timeout=60)
    connection.request(
        "OPTIONS", f"{address.path}/customers/anybody/segment", headers={"Origin": "https://shop.example"}
    )
    answer = connection.getresponse()
    assert answer.status == 204
    assert answer.getheader("Access-Control-Allow-Methods") == "GET"
    assert answer.getheader("Access-Control-Allow-Origin") is None


def test_a_batch_that_was_given_up_comes_back_from_the_dead_letter_queue(stack: Stack) -> None:
    """As Lambda writes it to the bucket; the local one gives nothing up to a bucket."""
    data = base64.b64encode(ndjson([purchase("given-up")])).decode()
    record = {"sequenceNumber": "7", "data": data, "approximateArrivalTimestamp": 1512000000.0}
    payload = json.dumps({"Records": [{"eventSource": "aws:kinesis", "kinesis": record}]})
    batch = json.dumps({"KinesisBatchInfo": {"batchSize": 1}, "payload": payload}).encode()
    stack.s3.put_object(Bucket=stack.bucket, Key="aws/lambda/7d9/shardId-0/2017/11/30/a", Body=batch)
    outputs = stack.emulator.session.client("cloudformation", endpoint_url=stack.endpoint).describe_stacks()["Stacks"]
    dead = next(o["OutputValue"] for o in outputs[0]["Outputs"] if o["OutputKey"] == "LiveDeadLetterQueueUrl")
    wait_until(lambda: redrive(stack.sqs, dead, stack.live_queue_url, most=1) == 1)
    assert decided(stack, "given-up")
