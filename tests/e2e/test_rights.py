"""Every field of an event by every source, and every route, with the rights that each function has and no others."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from local.stack import Stack
from shared.events import FIELDS
from shared.events.columns import product_code
from shared.features import decode
from shared.features.columns import CAMPAIGN_EXPOSURE, CONTROL
from tests.e2e.acting_stories import (
    DESTINATION,
    GOLD,
    a_journey_is_travelled,
    an_audience_is_defined,
    customers_are_sent_to_a_destination,
    fails_once,
    journeys_are_published,
    what_is_recommended_brings_customers_in,
)
from tests.e2e.attempts import attempts
from tests.e2e.conftest import deployed_with_model, wait_until
from tests.e2e.looks import SECONDS, put
from tests.e2e.rights import Caller, allowed, client, functions_roles, used
from tests.e2e.sources import EVERY_FIELD, MAPPING, PART_BYTES, SOURCES, events_of
from tests.e2e.stories import (
    a_long_history_is_sealed,
    a_model_drifts,
    a_recommender_is_published,
    another_model_goes_live,
    everything_kept_of_somebody_is_erased,
    files_that_nobody_can_read,
    known_customers_act_again_and_then_refuse,
    recommended,
    results_are_measured,
    tables_are_exported,
    time_goes_by,
)
from tests.support.bundles import make_bundle, publish
from tests.support.document import document
from tests.support.event_files import purchase
from tests.support.template import template
from tests.support.vendors.server import served

pytestmark = pytest.mark.e2e

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
    ("AdvanceJourneyRole", "dynamodb:BatchWriteItem"): "somebody on a journey was erased meanwhile",
    ("BackfillEventsRole", "s3:AbortMultipartUpload"): "a large file that nobody can read breaks off while it is kept",
    ("EraseCustomerRole", "dynamodb:PutItem"): "who was sent something by a journey comes back while they are erased",
    ("IngestEventsRole", "s3:AbortMultipartUpload"): "the same",
    ("IngestEventsRole", "s3:ListBucketVersions"): "a version was deleted before it could be read",
    ("PublishTransitionsRole", "sqs:SendMessage"): "Lambda gives a batch of the stream up",
    ("RefreshSegmentsRole", "sqs:SendMessage"): "more than 500 customers of a shard are due at once",
}
"""Rights that nothing here uses, and when something does: other tests play each of these in memory."""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    given = {"PartBytes": str(PART_BYTES), "Destinations": "crm"}
    with served(fails_once) as address, deployed_with_model(**given) as deployed:
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


def text(stack: Stack, path: str) -> tuple[int, Any]:
    """What whoever comes is answered, unsigned."""
    with urlopen(stack.api_url + path) as answer:
        return answer.status, answer.read()


def rolled_back(stack: Stack) -> tuple[int, Any]:
    """Another bundle goes live, and the one before it again."""
    before = stack.api_get("/models")[1]["live"]["bundle_id"]
    publish(stack.s3, make_bundle("20171001-dddddddd"))
    for name in ("reasons.npz", "report.html"):
        stack.s3.put_object(Bucket=stack.bucket, Key=f"models/{before}/{name}", Body=b"")
    return stack.api("POST", "/models/rollback", {"to": before, "from": "20171001-dddddddd"})


def test_every_route_answers(stack: Stack) -> None:
    journeys_are_published(stack)
    wait_until(lambda: stack.api_get("/customers/API/history")[1].get("transitions"), SECONDS)
    segment = stack.api_get("/customers/API/segment")[1]["segment"]["id"]
    results_are_measured(stack)
    answers = {
        ("GET", "/customers/{customer_id}/segment"): stack.api_get("/customers/API/segment?explain=true&what_if=true"),
        ("GET", "/customers/{customer_id}/history"): stack.api_get("/customers/API/history"),
        ("GET", "/customers/{customer_id}/timeline"): stack.api_get("/customers/API/timeline"),
        ("GET", "/customers/{customer_id}/deliveries"): stack.api_get("/customers/API/deliveries"),
        ("GET", "/customers/{customer_id}/audiences"): stack.api_get("/customers/API/audiences"),
        ("GET", "/customers/{customer_id}/journeys"): stack.api_get("/customers/API/journeys"),
        ("GET", "/journeys"): stack.api_get("/journeys"),
        ("GET", "/journeys/{key}"): stack.api_get("/journeys/hello"),
        ("GET", "/journeys/{key}/customers"): stack.api_get("/journeys/hello/customers"),
        ("GET", "/segments"): stack.api_get("/segments"),
        ("GET", "/segments/{segment_id}/customers"): stack.api_get(f"/segments/{segment}/customers"),
        ("POST", "/events"): stack.api("POST", "/events", {"events": [purchase("another")]}),
        ("DELETE", "/customers/{customer_id}"): stack.api("DELETE", "/customers/bus"),
        ("GET", "/customers/{customer_id}/offer"): stack.api_get("/customers/API/offer"),
        ("GET", "/customers/{customer_id}/recommendations"): recommended(stack),
        ("PUT", "/audiences/{key}"): stack.api("PUT", "/audiences/gold", GOLD),
        ("GET", "/audiences"): stack.api_get("/audiences"),
        ("POST", "/audiences/preview"): stack.api("POST", "/audiences/preview", GOLD),
        ("GET", "/audiences/{key}/customers"): stack.api_get("/audiences/gold/customers"),
        ("GET", "/audiences/versions"): stack.api_get("/audiences/versions"),
        ("DELETE", "/audiences/{key}"): stack.api("DELETE", "/audiences/gold"),
        ("GET", "/results"): stack.api_get("/results"),
        ("GET", "/audiences/{key}/results"): stack.api_get("/audiences/spring/results"),
        ("GET", "/reports/{name}"): stack.api_get("/reports/revenue"),
        ("GET", "/health"): stack.api_get("/health"),
        ("GET", "/models"): stack.api_get("/models"),
        ("GET", "/quarantine"): stack.api_get("/quarantine"),
        ("GET", "/quarantine/lines"): stack.api_get("/quarantine/lines"),
        ("POST", "/models/rollback"): rolled_back(stack),
        ("GET", "/dashboard"): text(stack, "/dashboard"),
        ("GET", "/dashboard/{asset}"): text(stack, "/dashboard/app.js"),
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
        a_recommender_is_published,
        customers_are_sent_to_a_destination,
        an_audience_is_defined,
        what_is_recommended_brings_customers_in,
        a_journey_is_travelled,
        time_goes_by,
        another_model_goes_live,
        tables_are_exported,
        a_model_drifts,
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
