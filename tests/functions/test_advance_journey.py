"""The function behind journeys, over moto: from its queue and from the state machine."""

import importlib
import json
from types import ModuleType
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from shared.destinations.steps import DAY_MINUTES
from shared.durations import MINUTE_MS
from shared.journeys.journey import Journey, Journeys, Send, Wait
from shared.telemetry.errors import AnonymousError
from tests.conftest import BUCKET, BUS
from tests.functions.conftest import Context
from tests.journeys.people import Trip, stored
from tests.support.event_files import purchase
from tests.support.markers import CUSTOMER, EMAIL, NAME, listening

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

WAITS = Journey("waits", "Waits", "cart", (Wait(3 * DAY_MINUTES * MINUTE_MS), Send("crm", "late")), 1)
SENDS = Journey("sends", "Sends", "cart", (Send("crm", "now"),), 1)
DETAIL = {"customer_id": "889", "transition_id": "t1", "audience": "cart", "arm": "treatment"}


def told(kind: str = "Customer Entered Audience", **changes: Any) -> dict[str, Any]:
    detail = {**DETAIL, "at": "2017-11-01T00:00:00Z", **changes}
    return {"Records": [{"messageId": "m1", "body": json.dumps({"detail-type": kind, "detail": detail})}]}


@pytest.fixture
def trip(s3: "S3Client", dynamodb: "DynamoDBClient") -> Trip:
    trip = Trip(s3, dynamodb)
    trip.publish(Journeys(1, (WAITS, SENDS)))
    trip.store(stored([purchase("889")]))
    return trip


@pytest.fixture
def advance_journey(trip: Trip, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The function in a new container, with a bus and a state machine."""
    monkeypatch.setenv("FROZEN_TIME", "2017-11-01T00:00:01Z")
    boto3.client("events").create_event_bus(Name=BUS)
    states: Any = boto3.client("stepfunctions")
    role = "arn:aws:iam::123456789012:role/r"
    machine = states.create_state_machine(name="tessera-journeys", definition="{}", roleArn=role)
    monkeypatch.setenv("JOURNEYS_ARN", machine["stateMachineArn"])
    return importlib.reload(importlib.import_module("functions.advance_journey.app"))


def executions(app: ModuleType) -> list[Any]:
    import os

    arn = os.environ["JOURNEYS_ARN"]
    listed = app.states.list_executions(stateMachineArn=arn)["executions"]
    return [json.loads(app.states.describe_execution(executionArn=one["executionArn"])["input"]) for one in listed]


def test_who_enters_travels_by_an_execution_for_each_journey_that_names_nobody(advance_journey: ModuleType) -> None:
    for _ in range(2):
        assert advance_journey.handler(told(), Context()) == {"batchItemFailures": []}
    given = executions(advance_journey)
    assert len(given) == 2
    assert all("889" not in json.dumps(one) for one in given)
    answers = [advance_journey.handler(one, Context()) for one in sorted(given, key=lambda one: str(one["sk"]))]
    assert answers == [{"state": "ended", "seconds": 0}, {"state": "waits", "seconds": 86_400}]


def test_a_move_that_cannot_be_heard_comes_again_alone(advance_journey: ModuleType) -> None:
    bad = {"messageId": "m2", "body": "{}"}
    answer = advance_journey.handler({"Records": [*told()["Records"], bad]}, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m2"}]}


def test_a_step_that_the_bus_refuses_is_told_again(
    advance_journey: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance_journey.handler(told(), Context())
    (given,) = [one for one in executions(advance_journey) if "sends" in one["sk"]]
    published: list[Any] = []

    def put_events(Entries: list[Any]) -> dict[str, int]:
        published.extend(Entries)
        return {"FailedEntryCount": int(len(published) == 1)}

    monkeypatch.setattr(advance_journey.events, "put_events", put_events)
    with pytest.raises(advance_journey.NotTold):
        advance_journey.handler(given, Context())
    assert advance_journey.handler(given, Context()) == {"state": "ended", "seconds": 0}
    first, second = published
    assert first == second
    assert json.loads(first["Detail"])["customer_id"] == "889"


def test_journeys_that_cannot_be_used_are_counted_and_end_nobodys(
    advance_journey: ModuleType, s3: "S3Client", capsys: pytest.CaptureFixture[str]
) -> None:
    s3.put_object(Bucket=BUCKET, Key="journeys/current.json", Body=b"{")
    with pytest.raises(AnonymousError) as raised:
        advance_journey.handler(told(), Context())
    assert type(raised.value).__name__ == "NotJourneys"
    assert "JourneysRefused" in capsys.readouterr().out


def test_nobody_is_named_in_a_log(advance_journey: ModuleType) -> None:
    marked = {"customer_id": CUSTOMER, "audience": "cart", "transition_id": EMAIL, NAME: NAME}
    events = [
        told(**marked),
        told("Customer Left Audience", **marked),
        told(NAME, **marked),
        told(at=EMAIL, **marked),
        {"Records": [{"messageId": "m", "body": NAME}]},
        {"pk": CUSTOMER, "sk": EMAIL},
        {"pk": NAME},
    ]
    with listening() as heard:
        for event in events:
            heard.call(advance_journey.handler, event, Context())
    assert '"CloudWatchMetrics"' in heard.getvalue()
    assert heard.markers() == set()
