"""Every field of an event by every source, and every route, with the rights that each function has and no others."""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest

from local.stack import Stack
from shared.destinations.contract import Answer, Request
from shared.events import FIELDS
from shared.events.columns import product_code
from shared.features import decode
from shared.features.columns import CAMPAIGN_EXPOSURE, CONTROL
from tests.e2e.attempts import attempts
from tests.e2e.conftest import deployed_with_model, wait_until
from tests.e2e.rights import Caller, allowed, client, functions_roles, resources, used
from tests.support.bundles import make_bundle, publish
from tests.support.document import document
from tests.support.event_files import Event, csv_file, ndjson, ndjson_gz, parquet, purchase
from tests.support.template import template
from tests.support.vendors.hubspot import HubSpot
from tests.support.vendors.server import served

pytestmark = pytest.mark.e2e

SECONDS = 180
PART_BYTES = 16_384
ROLES = sorted(
    name for name in template()["Resources"] if f"{name.removesuffix('Role')}Function" in template()["Resources"]
)
UNCHECKED = (
    *("logs:", "xray:", "kinesis:", "dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
    *("dynamodb:ListStreams", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
)
"""What Lambda does in a function's name, which the local AWS does without asking: logs, traces, reading of sources."""
RARE = {
    ("DeliverRole", "dynamodb:PutItem"): "a vendor says later what became of what it took",
    ("BackfillEventsRole", "s3:AbortMultipartUpload"): "a large file that nobody can read breaks off while it is kept",
    ("IngestEventsRole", "s3:AbortMultipartUpload"): "the same",
    ("IngestEventsRole", "s3:ListBucketVersions"): "a version was deleted before it could be read",
    ("PublishTransitionsRole", "sqs:SendMessage"): "Lambda gives a batch of the stream up",
    ("RefreshSegmentsRole", "sqs:SendMessage"): "more than 500 customers of a shard are due at once",
}
"""Rights that nothing here uses, and when something does: other tests play each of these in memory."""


EVERY_FIELD: dict[str, Any] = {
    "event_id": "{}-1",
    "event_type": "purchase",
    "timestamp": "2017-10-02T12:00:00Z",
    "customer_id": "{}",
    "anonymous_id": "device of {}",
    "session_id": "visit of {}",
    "order_id": "order of {}",
    "product_id": "p-1",
    "category": "Bakery",
    "brand": "House",
    "quantity": 2,
    "price": 9.5,
    "discount": 0.5,
    "currency": "USD",
    "device": "mobile",
    "region": "DE",
    "channel": "email",
    "engagement_seconds": 12.5,
    "consent": True,
    "attributes": {"tier": "gold", "born": 1987, "e-mail": True},
    "campaign": "autumn",
    "arm": "control",
}


def events_of(customer: str) -> list[Event]:
    """All there is to tell of a customer, a refused line of theirs, one who refuses to be profiled, and an exposure."""
    full = {name: value.format(customer) if isinstance(value, str) else value for name, value in EVERY_FIELD.items()}
    refused = {**full, "event_id": f"{customer}-2", "price": -1}
    stranger = {**full, "event_id": f"{customer}-3", "customer_id": f"refuser of {customer}", "consent": False}
    stranger["anonymous_id"] = f"device of refuser of {customer}"
    exposed = {**full, "event_id": f"{customer}-4", "event_type": "campaign_exposure"}
    return [full, refused, stranger, exposed]


def drop(write: Callable[[list[Event]], bytes], kind: str, stack: Stack, events: list[Event]) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key=f"events/rights.{kind}", Body=write(events))


MAPPING = f"""
files = "*.mapped.csv"
negative = "refuse"
[columns]
{"".join(f'{name} = "their {name}"\n' for name in EVERY_FIELD)}"""


def in_their_columns(events: list[Event]) -> list[Event]:
    return [{f"their {name}": value for name, value in event.items()} for event in events]


def drop_mapped(stack: Stack, events: list[Event]) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key="events/rights.mapped.csv", Body=csv_file(in_their_columns(events)))


def drop_large(write: Callable[[list[Event]], bytes], kind: str, stack: Stack, events: list[Event]) -> None:
    """More than one message should stand for."""
    others = [purchase(f"in parts {kind}", number) for number in range(200)]
    body = write([{**dict.fromkeys(EVERY_FIELD), **event} for event in [*others, *events, *others]])
    assert len(body) > PART_BYTES // (8 if kind.endswith(".gz") else 1)
    stack.s3.put_object(Bucket=stack.bucket, Key=f"events/rights.large.{kind}", Body=body)


def back_fill(stack: Stack, events: list[Event]) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key="history/rights.ndjson", Body=ndjson(events))
    client(stack, "stepfunctions").start_execution(stateMachineArn=stack.backfill_arn, name="rights", input="{}")


def call(stack: Stack, events: list[Event]) -> None:
    status, answer = stack.api("POST", "/events", {"events": events})
    assert (status, answer["accepted"], answer["rejected"]) == (202, 3, 1)


def call_mapped(stack: Stack, events: list[Event]) -> None:
    status, answer = stack.api("POST", "/events", {"mapping": "rights", "events": in_their_columns(events)})
    assert (status, answer["accepted"], answer["rejected"]) == (202, 3, 1)


def put_on_bus(stack: Stack, details: Sequence[Any]) -> None:
    entries = [
        {"Source": "shop", "DetailType": "any", "Detail": json.dumps(detail), "EventBusName": stack.bus}
        for detail in details
    ]
    assert client(stack, "events").put_events(Entries=entries)["FailedEntryCount"] == 0


def put_mapped_on_bus(stack: Stack, events: list[Event]) -> None:
    put_on_bus(stack, [{"mapping": "rights", "events": in_their_columns(events)}])


def put_in_kinesis(stack: Stack, events: list[Event]) -> None:
    kinesis = client(stack, "kinesis")
    (name,) = kinesis.list_streams()["StreamNames"]
    for event in events:
        kinesis.put_record(StreamName=name, PartitionKey="any", Data=json.dumps(event).encode())


def invoke_as_kafka_does(stack: Stack, events: list[Event]) -> None:
    """There is no broker here; the function, its role and what a broker would hand it are the deployed ones."""
    values = [base64.b64encode(json.dumps(event).encode()).decode() for event in events]
    records = [
        {"topic": "events", "partition": 0, "offset": offset, "timestamp": 0, "key": "", "value": value, "headers": []}
        for offset, value in enumerate(values)
    ]
    body = json.dumps({"eventSource": "aws:kafka", "records": {"events-0": records}})
    answer = client(stack, "lambda").invoke(FunctionName=function(stack, "IngestLiveEvents"), Payload=body.encode())
    assert "FunctionError" not in answer


SOURCES: dict[str, Callable[[Stack, list[Event]], None]] = {
    "ndjson": partial(drop, ndjson, "ndjson"),
    "ndjson.gz": partial(drop, ndjson_gz, "ndjson.gz"),
    "csv": partial(drop, csv_file, "csv"),
    "parquet": partial(drop, parquet, "parquet"),
    "mapped": drop_mapped,
    "large-csv": partial(drop_large, csv_file, "csv"),
    "large-ndjson.gz": partial(drop_large, ndjson_gz, "ndjson.gz"),
    "back-fill": back_fill,
    "API": call,
    "mapped API": call_mapped,
    "bus": put_on_bus,
    "mapped bus": put_mapped_on_bus,
    "Kinesis": put_in_kinesis,
    "Kafka": invoke_as_kafka_does,
}


def function(stack: Stack, name: str) -> str:
    return resources(stack)[f"{name}Function"]


def known_customers_act_again_and_then_refuse(stack: Stack) -> None:
    """Each of the functions that fold changes somebody who is stored, and comes upon somebody who is and refuses."""
    sources = ("ndjson", "back-fill", "API")
    before = {source: events_stored(stack, source) for source in sources}
    for consent in (None, False):
        for source in sources:
            event, *_ = events_of(source)
            again = {
                **event,
                "event_id": f"{source}-{consent}",
                "consent": consent,
                "timestamp": "2017-10-03T12:00:00Z",
            }
            match source:
                case "ndjson":
                    put(stack, f"events/again-{consent}.ndjson", ndjson([again]))
                case "back-fill":
                    put(stack, f"history/again-{consent}.ndjson", ndjson([again]))
                    start = client(stack, "stepfunctions").start_execution
                    start(stateMachineArn=stack.backfill_arn, name=f"again-{consent}", input="{}")
                case _:
                    assert stack.api("POST", "/events", {"events": [again]})[1]["accepted"] == 1
        if consent is None:
            for source in ("ndjson", "back-fill", "API"):
                wait_until(lambda source=source: events_stored(stack, source) > before[source], SECONDS)  # type: ignore[misc]
        else:
            for source in ("ndjson", "back-fill", "API"):
                wait_until(
                    lambda source=source: stack.api_get(f"/customers/{source}/segment")[0] == 404,  # type: ignore[misc]
                    SECONDS,
                )


def files_that_nobody_can_read(stack: Stack) -> None:
    for key in ("events/torn.ndjson.gz", "history/torn.ndjson.gz"):
        put(stack, key, b"\x1f\x8b torn")
    client(stack, "stepfunctions").start_execution(stateMachineArn=stack.backfill_arn, name="torn", input="{}")
    for key in ("events/torn.ndjson.gz", "history/torn.ndjson.gz"):
        wait_until(lambda key=key: bool(below(stack, f"quarantine/{key}/")), SECONDS)  # type: ignore[misc]


def a_long_history_is_sealed(stack: Stack) -> None:
    """By three deliveries, the second of which finds that the profile's item has become long."""
    orders = [purchase("long", number, 1 + number % 28, session_id=f"visit {number}") for number in range(90)]
    for number, some in enumerate((orders[:80], orders[80:85], orders[85:])):
        put(stack, f"events/long-{number}.ndjson", ndjson(some))
        wait_until(lambda most=some[-1]: events_stored(stack, "long") > int(most["event_id"][5:]), SECONDS)  # type: ignore[misc]
    assert [item["sk"]["S"] for item in items_of(stack, "long")] == ["profile", "sealed#0"]
    status, answer = stack.api_get("/customers/long/segment?explain=true&what_if=true")
    assert status == 200
    assert "problem" not in answer["what_would_change"]


def time_goes_by(stack: Stack) -> None:
    """Somebody is made to be due, and the tick comes."""
    stack.dynamodb.update_item(
        TableName=stack.table,
        Key={"pk": {"S": "customer#csv"}, "sk": {"S": "profile"}},
        UpdateExpression="SET due_ms = :now, decision.due_ms = :now",
        ExpressionAttributeValues={":now": {"N": "1"}},
    )
    answer = client(stack, "lambda").invoke(FunctionName=function(stack, "RefreshSegments"), Payload=b"{}")
    assert json.loads(answer["Payload"].read())["DueDecided"] == 1


HUBSPOT = HubSpot(properties=frozenset({"email", "segment", "tier", "audiences"}))
FAILED: list[Request] = []


def fails_once(request: Request) -> Answer:
    if not FAILED:
        FAILED.append(request)
        return Answer(500)
    return HUBSPOT(request)


DESTINATION = """
vendor = "hubspot"
base_url = "{address}"
identify = {{email = "customer_id"}}
[fields]
segment = "segment.name"
tier = "attributes.tier"
audiences = "audiences"
"""


def customers_are_sent_to_a_destination(stack: Stack) -> None:
    """Though it fails at first, so that some have to wait."""
    assert FAILED
    wait_until(lambda: HUBSPOT.contacts.get("csv", {}).get("tier") == "gold", SECONDS)
    wait_until(
        lambda: (None, "accepted") in {(row["audience"], row["state"]) for row in deliveries(stack, "csv")}, SECONDS
    )


def deliveries(stack: Stack, customer: str) -> list[Any]:
    rows: list[Any] = stack.api_get(f"/customers/{customer}/deliveries")[1].get("deliveries", [])
    return rows


GOLD = {
    "where": "tier = 'gold' and orders('Bakery', 3650) > 0",
    "holdout": 0.5,
    "destinations": ["crm"],
    "offer": {"greatest_discount": 0.1},
}


def an_audience_is_defined(stack: Stack) -> None:
    """Who is in it is decided, listed, counted and looked up; of somebody with sealed events a preview knows all."""
    before = events_stored(stack, "csv")
    assert stack.api("PUT", "/audiences/gold", {**GOLD, "why": "a test"})[0] == 200
    wait_until(lambda: "csv" in members(stack, "gold"), SECONDS)
    wait_until(lambda: audience(stack, "gold")["size"] == len(members(stack, "gold")), SECONDS)
    wait_until(lambda: bool(stack.api_get("/audiences/gold/customers?limit=1")[1]["cursor"]), SECONDS)
    # An audience of that key was published and removed a moment ago, whose members may still be on their way out.
    wait_until(
        lambda: [one["key"] for one in stack.api_get("/customers/csv/segment")[1]["audiences"]] == ["gold"], SECONDS
    )
    wait_until(lambda: "gold" in {row["audience"] for row in deliveries(stack, "csv")}, SECONDS)
    wait_until(lambda: events_stored(stack, "csv") > before, SECONDS)  # the exposure
    before = events_stored(stack, "csv")
    wait_until(lambda: stack.api_get("/customers/csv/offer")[1]["audience"] == "gold", SECONDS)
    wait_until(lambda: events_stored(stack, "csv") > before, SECONDS)
    status, told = stack.api("POST", "/audiences/preview", {"where": "orders(3650) = 90"})
    assert (status, [one["customer_id"] for one in told["examples"]]) == (200, ["long"])


def members(stack: Stack, key: str) -> list[str]:
    _, page = stack.api_get(f"/audiences/{key}/customers?limit=100")
    return [one["customer_id"] for one in page.get("customers", ())]


def audience(stack: Stack, key: str) -> Any:
    return next(one for one in stack.api_get("/audiences")[1]["audiences"] if one["key"] == key)


def another_model_goes_live(stack: Stack) -> None:
    live = make_bundle("20171001-cccccccc", centroids=(0.0, 1.0, 5.0))
    publish(stack.s3, live)
    version = str(live[1]["bundle_id"])
    wait_until(lambda: stack.api_get("/customers/csv/segment")[1]["model_version"] == version, SECONDS)


def everything_kept_of_somebody_is_erased(stack: Stack) -> None:
    """Lines in exports of every kind, one beside somebody else's in quarantine, and a device that another customer uses
    as well are among it."""
    put(stack, "events/refused.ndjson", ndjson([{**purchase(name, 8), "price": -1} for name in ("csv", "another")]))
    wait_until(lambda: bool(below(stack, "quarantine/events/refused.ndjson/")), SECONDS)
    shared = {**purchase("another user", 7), "anonymous_id": "device of csv"}
    put(stack, "events/shared.ndjson", ndjson([shared]))
    for kind, write in (("csv", csv_file), ("ndjson", ndjson), ("parquet", parquet)):
        put(stack, f"exports/customers.{kind}", write([{"customer_id": "csv"}, {"customer_id": "another"}]))
    wait_until(lambda: stack.api_get("/customers/another%20user/segment")[0] == 200, SECONDS)
    for erased in ("another user", "csv", "long"):
        status, answer = stack.api("DELETE", f"/customers/{quote(erased)}")
        assert status == 202
        wait_until(lambda answer=answer: is_done(stack, answer["receipt"]), SECONDS)  # type: ignore[misc]
        assert items_of(stack, erased) == []
    wait_until(lambda: "csv" not in members(stack, "gold"), SECONDS)
    wait_until(lambda: {"csv", "long"} <= {*HUBSPOT.erased}, SECONDS)
    assert HUBSPOT.contacts.keys().isdisjoint({"csv", "long"})
    assert deliveries(stack, "csv") == []


def is_done(stack: Stack, receipt: str) -> bool:
    keys = below(stack, receipt)
    return bool(keys) and b'"done"' in stack.s3.get_object(Bucket=stack.bucket, Key=receipt)["Body"].read()


def put(stack: Stack, key: str, body: bytes) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key=key, Body=body)


def below(stack: Stack, prefix: str) -> list[str]:
    objects = stack.s3.list_objects_v2(Bucket=stack.bucket, Prefix=prefix).get("Contents", [])
    return [each["Key"] for each in objects]


def items_of(stack: Stack, customer: str) -> list[Any]:
    pages = stack.dynamodb.get_paginator("query").paginate(
        TableName=stack.table,
        KeyConditionExpression="pk = :key",
        ExpressionAttributeValues={":key": {"S": f"customer#{customer}"}},
    )
    return [item for page in pages for item in page["Items"]]


def events_stored(stack: Stack, customer: str) -> int:
    key: Any = {"pk": {"S": f"customer#{customer}"}, "sk": {"S": "profile"}}
    item = stack.dynamodb.get_item(TableName=stack.table, Key=key).get("Item", {"events": {"N": "0"}})
    return int(item["events"]["N"])


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with served(fails_once) as address, deployed_with_model(PartBytes=str(PART_BYTES), Destinations="crm") as deployed:
        put(deployed, "destinations/crm.toml", DESTINATION.format(address=address).encode())
        secret = {"Name": "tessera/destinations/crm", "SecretString": '{"token": "pat-test"}'}
        client(deployed, "secretsmanager").create_secret(**secret)
        deployed.s3.put_object(Bucket=deployed.bucket, Key="mappings/rights.toml", Body=MAPPING.encode())
        for source, deliver in SOURCES.items():
            deliver(deployed, events_of(source))
        yield deployed


def test_every_field_is_tried() -> None:
    assert EVERY_FIELD.keys() == {*FIELDS}


@pytest.mark.parametrize("source", SOURCES)
def test_every_field_by_every_source_is_counted_and_who_refuses_is_not(stack: Stack, source: str) -> None:
    wait_until(lambda: stack.api_get(f"/customers/{quote(source)}/segment")[0] == 200, SECONDS)
    stored = stack.dynamodb.get_item(
        TableName=stack.table, Key={"pk": {"S": f"customer#{source}"}, "sk": {"S": "profile"}}
    )
    assert stored["Item"]["events"] == {"N": "2"}
    known = decode([source], [stored["Item"]["state"]["B"]])
    exposed = known.rows.take(known.rows.kind == CAMPAIGN_EXPOSURE)
    assert [known.category_names[code] for code in exposed.campaign.tolist()] == ["autumn"]
    assert (exposed.arm.tolist(), {*known.rows.product.tolist()}) == ([CONTROL], {product_code("p-1")})
    assert {name: value for _, name, _, value in known.attributes.entries()} == {
        "tier": '"gold"', "born": "1987", "e-mail": "true", "region": '"DE"',
    }  # fmt: skip
    assert [*stored["Item"]["visitors"]["M"]] == [f"device of {source}"]
    assert stack.api_get(f"/customers/{quote(f'refuser of {source}')}/segment")[0] == 404


def test_every_route_answers(stack: Stack) -> None:
    wait_until(lambda: stack.api_get("/customers/API/history")[1].get("transitions"), SECONDS)
    segment = stack.api_get("/customers/API/segment")[1]["segment"]["id"]
    answers = {
        ("GET", "/customers/{customer_id}/segment"): stack.api_get("/customers/API/segment?explain=true&what_if=true"),
        ("GET", "/customers/{customer_id}/history"): stack.api_get("/customers/API/history"),
        ("GET", "/customers/{customer_id}/deliveries"): stack.api_get("/customers/API/deliveries"),
        ("GET", "/segments"): stack.api_get("/segments"),
        ("GET", "/segments/{segment_id}/customers"): stack.api_get(f"/segments/{segment}/customers"),
        ("POST", "/events"): stack.api("POST", "/events", {"events": [purchase("another")]}),
        ("DELETE", "/customers/{customer_id}"): stack.api("DELETE", "/customers/bus"),
        ("GET", "/customers/{customer_id}/offer"): stack.api_get("/customers/API/offer"),
        ("PUT", "/audiences/{key}"): stack.api("PUT", "/audiences/gold", GOLD),
        ("GET", "/audiences"): stack.api_get("/audiences"),
        ("POST", "/audiences/preview"): stack.api("POST", "/audiences/preview", GOLD),
        ("GET", "/audiences/{key}/customers"): stack.api_get("/audiences/gold/customers"),
        ("DELETE", "/audiences/{key}"): stack.api("DELETE", "/audiences/gold"),
    }
    assert stack.api_get("/customers/nobody/history")[0] == 404
    assert stack.api_get(f"/segments/{segment}/customers?limit=1")[1]["cursor"]
    described = {
        (method.upper(), path)
        for path, methods in document()["paths"].items()
        for method in methods
        if method in {"get", "put", "post", "delete"}
    }
    assert answers.keys() == described
    assert {route: status for route, (status, _) in answers.items() if status not in (200, 202)} == {}


@pytest.mark.parametrize(
    "happens",
    [
        files_that_nobody_can_read,
        a_long_history_is_sealed,
        customers_are_sent_to_a_destination,
        an_audience_is_defined,
        time_goes_by,
        another_model_goes_live,
        known_customers_act_again_and_then_refuse,
        everything_kept_of_somebody_is_erased,
    ],
    ids=lambda happens: happens.__name__,
)
def test_whatever_else_a_stack_is_for_it_may_do(stack: Stack, happens: Callable[[Stack], None]) -> None:
    happens(stack)


def test_nothing_was_given_up_and_nothing_that_was_asked_for_was_refused(stack: Stack) -> None:
    queues = stack.sqs.list_queues()["QueueUrls"]
    dead = [queue for queue in queues if "DeadLetter" in queue]
    assert len(dead) >= 4
    for queue in dead:
        counts = stack.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
        assert (queue, counts["Attributes"]["ApproximateNumberOfMessages"]) == (queue, "0")
    checks = [json.loads(line) for line in stack.emulator.access.read_text().splitlines()]
    assert [check for check in checks if not check["allowed"]] == []


def test_what_no_function_uses_is_not_allowed(stack: Stack) -> None:
    may, did = allowed(stack), used(stack)
    unused = {(role, action) for role, action in may - did if not action.startswith(UNCHECKED)}
    assert sorted(unused) == sorted(RARE)


@pytest.mark.parametrize("role", ROLES)
def test_what_a_function_is_not_for_it_may_not_do(stack: Stack, role: str) -> None:
    tried = attempts(stack)
    forbidden = [attempt for attempt in tried if role not in attempt.by]
    caller = Caller(stack, functions_roles(stack)[role])
    went_through = [attempt.what for attempt in forbidden if not caller.is_refused(attempt.service, attempt.call)]
    assert went_through == []
    assert len(forbidden) > 20


def test_every_role_of_a_function_is_tried(stack: Stack) -> None:
    assert sorted(functions_roles(stack)) == sorted(ROLES)
