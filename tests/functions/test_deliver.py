import importlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from shared.audiences.audience import Publication, encode_publication
from shared.destinations import vendors
from shared.destinations.contract import Answer, Request
from shared.destinations.deliveries import Deliveries
from shared.destinations.messages import ENTERED, ERASED, JOB, MOVED, body
from shared.destinations.vendors import salesforce
from shared.destinations.vendors.webhook import VENDOR
from shared.erasure.receipts import Step
from shared.profiles.item import encode_profile
from tests.conftest import BUCKET, TABLE
from tests.destinations.worlds import HUBSPOT, WIN_BACK
from tests.functions.conftest import Unhurried
from tests.functions.test_browse_segments import Browser
from tests.support.markers import CUSTOMER, EMAIL, NAME, listening
from tests.support.stored_profiles import profile
from tests.support.vendors.hubspot import HubSpot
from tests.support.vendors.salesforce import Salesforce
from tests.support.vendors.webhook import SECRET, Receiver

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

TOLD = {"customer_id": "889", "transition_id": "t1", "at": "2017-11-01T00:00:00Z"}


class Queues:
    """The queues of two destinations, and of those that the function sends to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._sqs = boto3.client("sqs")
        self.urls = {name: self._sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("crm", "live", "erasures")}
        monkeypatch.setenv("LIVE_QUEUE_URL", self.urls["live"])
        monkeypatch.setenv("ERASURE_QUEUE_URL", self.urls["erasures"])

    def send(self, *bodies: str) -> dict[str, Any]:
        """The batch that Lambda makes of messages in the queue of the destination."""
        self.put(*bodies)
        return self.receive()

    def receive(self) -> dict[str, Any]:
        """The batch that Lambda makes of what waits."""
        records = []
        while messages := self._sqs.receive_message(
            QueueUrl=self.urls["crm"], MaxNumberOfMessages=10, AttributeNames=["All"]
        ).get("Messages"):
            records += [
                {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": message["Attributes"],
                    "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:crm",
                }
                for message in messages
            ]
        return {"Records": records}

    def put(self, *bodies: str) -> None:
        """Leaves messages to be taken."""
        for text in bodies:
            self._sqs.send_message(QueueUrl=self.urls["crm"], MessageBody=text)

    def show(self, records: list[dict[str, Any]]) -> None:
        """Has messages come again at once."""
        for record in records:
            self._sqs.change_message_visibility(
                QueueUrl=self.urls["crm"], ReceiptHandle=record["receiptHandle"], VisibilityTimeout=0
            )

    def counts(self) -> tuple[int, int]:
        """How many may be taken, and how many are hidden."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self.urls["crm"], AttributeNames=names)["Attributes"]
        return int(attributes[names[0]]), int(attributes[names[1]])

    def bodies(self, name: str) -> list[Any]:
        messages = self._sqs.receive_message(QueueUrl=self.urls[name], MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in messages]


@pytest.fixture
def queues(aws: None, monkeypatch: pytest.MonkeyPatch) -> Queues:
    return Queues(monkeypatch)


@pytest.fixture
def deliver(
    s3: "S3Client", dynamodb: "DynamoDBClient", queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    """The function in a new container, with HubSpot behind it and customer 889 in the table."""
    app = importlib.reload(importlib.import_module("functions.deliver.app"))
    monkeypatch.setattr(app.parameters, "get_secret", lambda name, max_age: '{"token": "pat-test"}')
    s3.put_object(Bucket=BUCKET, Key="destinations/crm.toml", Body=HUBSPOT)
    published = encode_publication(Publication(WIN_BACK, "2017-11-01", "somebody", "to win them back"))
    s3.put_object(Bucket=BUCKET, Key="audiences/current.json", Body=published)
    dynamodb.put_item(TableName=TABLE, Item=encode_profile(profile("customer#889")))
    yield app


@pytest.fixture
def api(dynamodb: "DynamoDBClient") -> Browser:
    boto3.client("secretsmanager").create_secret(Name="cursors", SecretString="a secret")
    return Browser(importlib.reload(importlib.import_module("functions.browse_segments.app")))


def call(app: ModuleType, event: dict[str, Any], takes: Callable[[Request], Answer]) -> list[str]:
    setattr(app, "send", takes)  # noqa: B010
    return [failure["itemIdentifier"] for failure in app.handler(event, Unhurried())["batchItemFailures"]]


def test_a_move_is_sent_and_the_api_says_what_became_of_it(deliver: ModuleType, queues: Queues, api: Browser) -> None:
    hubspot = HubSpot()
    assert call(deliver, queues.send(body("crm", MOVED, TOLD)), hubspot) == []
    assert hubspot.contacts["889"]["tessera_segment"] == "3"
    status, answer = api.get("/customers/{customer_id}/deliveries", "889")
    assert status == 200
    assert [(row["destination"], row["state"]) for row in answer["deliveries"]] == [("crm", "accepted")]
    assert api.get("/customers/{customer_id}/deliveries", "stranger")[0] == 404


def test_deliveries_are_listed_page_by_page(deliver: ModuleType, queues: Queues, api: Browser) -> None:
    moves = [{**TOLD, "transition_id": f"t{i}", "at": f"2017-11-0{i + 1}T00:00:00Z"} for i in range(5)]
    call(deliver, queues.send(*(body("crm", MOVED, move) for move in moves)), HubSpot())
    listed: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        status, page = api.get("/customers/{customer_id}/deliveries", "889", limit="2", cursor=cursor)
        assert status == 200
        listed += [row["transition_id"] for row in page["deliveries"]]
        cursor = page["cursor"]
    assert listed == ["t4", "t3", "t2", "t1", "t0"]
    assert api.get("/customers/{customer_id}/deliveries", "889", cursor="x")[0] == 400


def test_what_fails_comes_again_alone_and_later(deliver: ModuleType, queues: Queues) -> None:
    event = queues.send(body("crm", MOVED, TOLD), body("crm", MOVED, {**TOLD, "customer_id": "stranger"}))
    moved = [record["messageId"] for record in event["Records"] if '"889"' in record["body"]]
    assert call(deliver, event, lambda request: Answer(500)) == moved
    assert queues.send()["Records"] == []  # hidden for half a minute


def test_without_a_file_or_a_secret_everything_waits_and_an_alarm_is_told(
    deliver: ModuleType, queues: Queues, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    event = queues.send(body("mail", MOVED, TOLD))
    assert len(call(deliver, event, HubSpot())) == 1
    assert "DestinationsRefused" in capsys.readouterr().out
    error = deliver.parameters.exceptions.GetParameterError("no")
    monkeypatch.setattr(deliver.parameters, "get_secret", lambda name, max_age: (_ for _ in ()).throw(error))
    assert len(call(deliver, queues.send(body("crm", MOVED, TOLD)), HubSpot())) == 1


def test_while_audiences_cannot_be_read_nobody_is_passed_over(
    deliver: ModuleType, queues: Queues, s3: "S3Client"
) -> None:
    s3.put_object(Bucket=BUCKET, Key="audiences/current.json", Body=b"{")
    hubspot = HubSpot()
    entered = {**TOLD, "audience": "new", "audience_version": 3, "arm": "treatment"}
    assert len(call(deliver, queues.send(body("crm", ENTERED, entered)), hubspot)) == 1
    assert not hubspot.contacts


def test_an_exposure_goes_to_the_intake_of_live_events(deliver: ModuleType, queues: Queues) -> None:
    entered = {**TOLD, "audience": "win_back", "arm": "control"}
    assert call(deliver, queues.send(body("crm", "Customer Entered Audience", entered)), HubSpot()) == []
    ((message,),) = [queues.bodies("live")]
    assert [(event["campaign"], event["arm"]) for event in message["events"]] == [("win_back", "control")]


def test_what_no_rule_sends_fails_alone(deliver: ModuleType, queues: Queues) -> None:
    hubspot = HubSpot()
    event = queues.send("no JSON", body("crm", MOVED, TOLD))
    foreign = [record["messageId"] for record in event["Records"] if record["body"] == "no JSON"]
    assert call(deliver, event, hubspot) == foreign
    assert "889" in hubspot.contacts


def test_an_erasure_is_passed_on_and_its_receipt_told(deliver: ModuleType, queues: Queues) -> None:
    step = Step("receipt", "customer#889", 1, 2, name="erase", again=True)
    detail = {"customer_id": "889", "id": "a@x.example", "destinations": ["crm"], "step": step.message}
    hubspot = HubSpot()
    assert call(deliver, queues.send(body("crm", ERASED, detail)), hubspot) == []
    assert hubspot.erased == ["a@x.example"]
    (answer,) = queues.bodies("erasures")
    assert (answer["name"], answer["receipt_id"], answer["destination"], answer["result"]) == (
        "told",
        "receipt",
        "crm",
        "deleted",
    )


def test_a_job_of_another_vendor_is_passed_over(deliver: ModuleType, queues: Queues) -> None:
    assert call(deliver, queues.send(body("crm", JOB, {"job": "1", "rows": []})), HubSpot()) == []


def test_nothing_that_is_told_names_anybody(
    deliver: ModuleType, queues: Queues, s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    dynamodb.put_item(TableName=TABLE, Item=encode_profile(profile(f"customer#{CUSTOMER}")))
    detail = {**TOLD, "customer_id": CUSTOMER, "audience": NAME, "transition_id": EMAIL}
    bodies = [body("crm", kind, detail) for kind in (MOVED, "Customer Entered Audience", EMAIL)]
    bodies += [f"{NAME} {EMAIL}", body("crm", ERASED, {"customer_id": CUSTOMER, "id": EMAIL, "step": CUSTOMER})]
    reason = json.dumps({"message": f"{CUSTOMER} <{EMAIL}>"}).encode()
    with listening() as heard:
        for answer in (Answer(400, body=reason), Answer(500, body=reason), Answer(200, body=reason)):
            for text in bodies:
                heard.call(call, deliver, queues.send(text), lambda request, answer=answer: answer)
    assert '"CloudWatchMetrics"' in heard.getvalue()
    assert heard.markers() == set()


def test_a_webhook_gets_each_customer_once(
    deliver: ModuleType, queues: Queues, s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = b'vendor = "webhook"\nbase_url = "https://x.example/hook"\nidentify = {id = "customer_id"}\n'
    s3.put_object(Bucket=BUCKET, Key="destinations/hook.toml", Body=webhook)
    monkeypatch.setattr(deliver.parameters, "get_secret", lambda name, max_age: json.dumps({VENDOR.secret[0]: SECRET}))
    receiver = Receiver()
    for _ in range(2):
        assert call(deliver, queues.send(body("hook", MOVED, TOLD)), receiver) == []
    assert [*receiver.customers] == ["889"]
    assert receiver.calls == 1


def test_rows_go_when_their_time_is_over(deliver: ModuleType) -> None:
    assert isinstance(deliver.deliveries, Deliveries)
    assert deliver.deliveries._keep_days == 400


MANY = [f"c{number:03d}" for number in range(90)]
SALESFORCE = b"""
vendor = "salesforce"
base_url = "https://o.example"
identify = {Tessera_Id__c = "customer_id"}
fields = {Segment__c = "segment.id"}
"""


@pytest.fixture
def load(
    deliver: ModuleType, s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """The function with Salesforce behind it, which takes eighty by a job, and customers whom nobody was told of."""
    few = replace(salesforce.VENDOR, load=replace(salesforce.LOAD, fewest=80))
    monkeypatch.setattr(vendors, "VENDORS", {**vendors.VENDORS, "salesforce": few})
    secret = json.dumps({"client_id": "app", "client_secret": "hush"})
    monkeypatch.setattr(deliver.parameters, "get_secret", lambda name, max_age: secret)
    s3.put_object(Bucket=BUCKET, Key="destinations/crm.toml", Body=SALESFORCE)
    for customer in MANY:
        dynamodb.put_item(TableName=TABLE, Item=encode_profile(profile(f"customer#{customer}")))
    return deliver


def told(*customers: str) -> list[str]:
    return [body("crm", MOVED, {**TOLD, "customer_id": customer}) for customer in customers]


def test_where_many_wait_more_are_taken_than_a_batch_brings_and_go_by_one_job(
    load: ModuleType, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "delays", lambda messages, wait_ms: {message.handle: 0 for message in messages})
    event = queues.send(*told(*MANY[:60]))
    queues.put(*told(*MANY[60:]))
    org = Salesforce()
    failed = call(load, event, org)
    assert sorted(failed) == sorted(record["messageId"] for record in event["Records"])
    (job,) = org.jobs.values()
    assert {row["Tessera_Id__c"] for row in job.rows} == {*MANY}
    assert queues.counts() == (90, 0)
    # When they come again the job has ended: what was gathered is deleted here, and what Lambda brought by Lambda.
    records = queues.receive()["Records"]
    queues.show(records[60:])
    assert call(load, {"Records": records[:60]}, org) == []
    assert queues.counts() == (0, 60)
    assert {customer: row["Segment__c"] for customer, row in org.records.items()} == dict.fromkeys(MANY, "3")


def test_where_few_wait_nothing_is_gathered(load: ModuleType, queues: Queues) -> None:
    event = queues.send(*told(*MANY[:60]))
    queues.put(*told(*MANY[60:70]))
    org = Salesforce()
    assert call(load, event, org) == []
    assert not org.jobs
    assert queues.counts() == (10, 60)


def test_what_is_gathered_comes_again_where_the_vendor_is_down(load: ModuleType, queues: Queues) -> None:
    event = queues.send(*told(*MANY[:60]))
    queues.put(*told(*MANY[60:]), "no JSON")
    assert len(call(load, event, lambda request: Answer(503))) == 60
    assert queues.counts() == (0, 91)
