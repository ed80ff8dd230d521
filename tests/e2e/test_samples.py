"""Every sample event of events/ through `sam local invoke`, in Lambda's own image, against a local AWS."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from local.samples import SAMPLES, address_for_containers, invoke
from local.stack import Stack
from shared.durations import DAY_MS
from shared.events.event import parse_timestamp
from shared.profiles.stored_profile import PROFILE
from shared.recommending.layout import Publication
from shared.recommending.publishing import publish
from tests.e2e.conftest import STACK_CLOCK, deployed_with_model, wait_until
from tests.support.event_files import csv_file, ndjson, purchase
from tests.support.recommenders import small_recommender

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack that containers reach, which knows customer 889; only a sample can fold the files that samples name."""
    with deployed_with_model(host=address_for_containers()) as stack:
        _seed(stack)
        yield stack


def _seed(stack: Stack) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key="events/known.ndjson", Body=ndjson([purchase("889")]))
    wait_until(lambda: stack.api_get("/customers/889/segment")[0] == 200)
    publish(stack.s3, stack.bucket, small_recommender().to_bytes(), b"{}", Publication(0, "", ""))
    events = stack.emulator.session.client("events", endpoint_url=stack.endpoint)
    (rule,) = [one["Name"] for one in events.list_rules(NamePrefix="tessera-FileDropped")["Rules"]]
    events.disable_rule(Name=rule)
    csv = gzip.compress(csv_file([purchase("of the second file")]))
    stack.s3.put_object(
        Bucket=stack.bucket, Key="events/2017-10-01.ndjson", Body=ndjson([purchase("of the first file")])
    )
    stack.s3.put_object(Bucket=stack.bucket, Key="events/2017-10-02.csv.gz", Body=csv)
    history = {
        "01.ndjson": ndjson([purchase("of the first history")]),
        "02.csv.gz": gzip.compress(csv_file([purchase("of the second history")])),
    }
    for name, body in history.items():
        stack.s3.put_object(Bucket=stack.bucket, Key=f"history/2017-09/{name}", Body=body)


def _make_due(stack: Stack) -> None:
    stack.dynamodb.update_item(
        TableName=stack.table,
        Key={"pk": {"S": "customer#889"}, "sk": {"S": PROFILE}},
        UpdateExpression="SET due_ms = :yesterday, decision.due_ms = :yesterday",
        ExpressionAttributeValues={":yesterday": {"N": str(parse_timestamp(STACK_CLOCK) - DAY_MS)}},
    )


def check_ingest_events(stack: Stack, answer: Any) -> None:
    assert answer == {"batchItemFailures": []}
    for customer in ("of%20the%20first%20file", "of%20the%20second%20file"):
        assert stack.api_get(f"/customers/{customer}/segment")[0] == 200


def check_lookup_customer(stack: Stack, answer: Any) -> None:
    assert answer["statusCode"] == 200
    body = json.loads(answer["body"])
    assert body["customer_id"] == "889"
    assert body["segment"]["name"].startswith("About")


def check_refresh_segments(_stack: Stack, answer: Any) -> None:
    assert answer["DueRead"] == answer["DueDecided"] >= 1  # those of other samples may be due as well


def check_rescore_customers(_stack: Stack, answer: Any) -> None:
    assert answer == {"done": True}


def check_plan_backfill(stack: Stack, answer: Any) -> None:
    assert answer == {"run": "sample", "plan": "reports/backfill/sample/batches.json", "batches": 1}
    stack.s3.head_object(Bucket=stack.bucket, Key=answer["plan"])


def check_backfill_events(stack: Stack, answer: Any) -> None:
    assert answer == {"done": True}
    for customer in ("of%20the%20first%20history", "of%20the%20second%20history"):
        assert stack.api_get(f"/customers/{customer}/segment")[0] == 200


def check_summarise_run(stack: Stack, answer: Any) -> None:
    assert answer["report"] == "reports/backfill/sample.json"
    stack.s3.head_object(Bucket=stack.bucket, Key=answer["report"])


def check_export_tables(stack: Stack, answer: Any) -> None:
    assert answer == {"done": True}
    assert stack.s3.list_objects_v2(Bucket=stack.bucket, Prefix="exports/customers/date=2018-01-01/")["KeyCount"] == 1


def check_finish_export(stack: Stack, answer: Any) -> None:
    assert answer["report"] == "reports/exports/sample.json"
    assert is_there(stack, "reports/exports/sample.json")


# Both of a date that nobody exports: another sample may write the export of the stack's own date before or after them.
def check_measure_results(_stack: Stack, answer: Any) -> None:
    assert answer == {"date": "2017-12-31", "whole": False, "results": 0, "reports": 0}


def check_measure_drift(_stack: Stack, answer: Any) -> None:
    assert answer == {"date": "2017-12-31", "state": "not_whole", "drifted": 0}


def check_live(customer: str) -> Callable[[Stack, Any], None]:
    def check(stack: Stack, answer: Any) -> None:
        assert answer == {"batchItemFailures": []}
        assert stack.api_get(f"/customers/{quote(customer)}/segment")[0] == 200

    return check


def check_accept_events(stack: Stack, answer: Any) -> None:
    assert answer["statusCode"] == 202
    answered = json.loads(answer["body"])
    assert (answered["accepted"], answered["rejected"]) == (1, 1)
    wait_until(lambda: stack.api_get("/customers/of%20the%20API/segment")[0] == 200)


def check_publish_transitions(stack: Stack, answer: Any) -> None:
    assert answer == {"batchItemFailures": []}
    key = {":pk": {"S": "moves#customer#of the stream"}}
    rows = stack.dynamodb.query(
        TableName=stack.table, KeyConditionExpression="pk = :pk", ExpressionAttributeValues=key
    )["Items"]
    assert [(row["left"]["N"], row["entered"]["N"]) for row in rows] == [("1", "2")]


def check_page(name: str, status: int = 200, *, filled: bool = True) -> Callable[[Stack, Any], None]:
    def check(_stack: Stack, answer: Any) -> None:
        assert answer["statusCode"] == status
        page = json.loads(answer["body"])
        assert page[name] if filled else name in page

    return check


def check_text(kind: str) -> Callable[[Stack, Any], None]:
    def check(_stack: Stack, answer: Any) -> None:
        assert answer["statusCode"] == 200
        assert answer["multiValueHeaders"]["Content-Type"] == [kind]
        assert len(answer["body"]) > 100

    return check


def check_deliver(_stack: Stack, answer: Any) -> None:
    # This stack has no destination: what is for one waits until its file is there.
    assert answer == {"batchItemFailures": [{"itemIdentifier": "059f36b4-87a3-44ab-83d2-661975975306"}]}


def check_deliveries(_stack: Stack, answer: Any) -> None:
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == {"customer_id": "889", "deliveries": [], "cursor": None}


def check_request_erasure(stack: Stack, answer: Any) -> None:
    assert answer["statusCode"] == 202
    wait_until(lambda: is_there(stack, json.loads(answer["body"])["receipt"]))


def check_erase_customer(stack: Stack, _answer: Any) -> None:
    wait_until(lambda: is_there(stack, "reports/erasures/0f8fad5b-d9cb-469f-a165-70867728950e.json"))


def is_there(stack: Stack, key: str) -> bool:
    return stack.s3.list_objects_v2(Bucket=stack.bucket, Prefix=key)["KeyCount"] == 1


def check_advance_journey(_stack: Stack, answer: Any) -> None:
    assert answer == {"batchItemFailures": []}  # this stack has no journeys: nobody begins one


# A sample without its check here fails.
CHECKS: dict[str, Callable[[Stack, Any], None]] = {
    "advance_journey": check_advance_journey,
    "accept_events": check_accept_events,
    "browse_segments.catalogue": check_page("segments"),
    "browse_segments.history": check_page("transitions"),
    "browse_segments.members": check_page("customers"),
    "browse_segments.deliveries": check_deliveries,
    "browse_segments.audience_moves": check_page("moves", filled=False),
    "browse_segments.customer_journeys": check_page("journeys", filled=False),
    "browse_segments.journeys": check_page("journeys", filled=False),
    "browse_segments.journey_customers": check_page("error", status=404),
    "deliver": check_deliver,
    "ingest_live_events.kafka": check_live("of Kafka"),
    "ingest_live_events.kinesis": check_live("of Kinesis"),
    "ingest_live_events.sqs": check_live("of the queue"),
    "publish_transitions": check_publish_transitions,
    "make_offer": check_page("intent"),
    "lookup_customer.timeline": check_page("days"),
    "manage_audiences.versions": check_page("versions", filled=False),
    "serve_dashboard": check_text("text/html; charset=utf-8"),
    "serve_dashboard.file": check_text("text/css; charset=utf-8"),
    "watch_stack.health": check_page("queues"),
    "watch_stack.models": check_page("live"),
    "watch_stack.quarantine": check_page("reasons", filled=False),
    "watch_stack.lines": check_page("lines", filled=False),
    "roll_back_model": check_page("error", status=404),
    "recommend_products": check_page("new_for_you"),
    "manage_audiences.list": check_page("version", status=200, filled=False),
    "manage_audiences.preview": check_page("of"),
    "manage_audiences.put": check_page("version"),
    "manage_audiences.remove": check_page("error", status=404),
    "request_erasure": check_request_erasure,
    "erase_customer": check_erase_customer,
    "ingest_events": check_ingest_events,
    "lookup_customer": check_lookup_customer,
    "refresh_segments": check_refresh_segments,
    "rescore_customers": check_rescore_customers,
    "plan_backfill": check_plan_backfill,
    "backfill_events": check_backfill_events,
    "export_tables": check_export_tables,
    "finish_export": check_finish_export,
    "measure_results": check_measure_results,
    "measure_drift": check_measure_drift,
    "summarise_run": check_summarise_run,
}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_sample_works_with_sam_local_invoke(stack: Stack, sample: Path) -> None:
    _make_due(stack)  # other samples may have decided on them meanwhile
    CHECKS[sample.stem](stack, invoke(stack, sample))


def test_sam_local_invoke_needs_nothing_that_was_packed(stack: Stack) -> None:
    (sample,) = [sample for sample in SAMPLES if sample.stem == "lookup_customer"]
    CHECKS[sample.stem](stack, invoke(stack, sample, packed=False))
