"""What is said of a stack, and whether somebody is needed."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from operations.redrive import QUEUES
from operations.stack import DeployedStack
from operations.status import OTHER_QUEUES, alarms, given_up, live_model, runs, waiting
from shared.models.layout import POINTER_KEY
from tests.conftest import BUCKET
from tests.simulation.objects import Objects
from tests.support.memory_client import Client
from tests.support.template import template


class Stack(DeployedStack):
    """Queues that hold as many messages as they are said to, one alarm that is on, and one run."""

    def __init__(self, **messages: int) -> None:
        self.messages = messages
        self.resources = {"IngestFailedAlarm": "physical", "IngestQueue": "IngestQueue"}
        self.objects = Client(Objects(lambda: 0))

    def resource(self, logical_id: str) -> str:
        return BUCKET if logical_id == "DataBucket" else logical_id

    def client(self, service: str, config: Any = None) -> Any:
        return self

    @property
    def sqs(self) -> Any:
        return self

    @property
    def s3(self) -> Any:
        return self.objects

    def get_paginator(self, name: str) -> Any:
        alarms_on = [{"AlarmName": "physical", "AlarmDescription": "Files fail."}, {"AlarmName": "of another stack"}]
        return SimpleNamespace(paginate=lambda StateValue: [{"MetricAlarms": alarms_on}])

    def get_queue_attributes(self, QueueUrl: str, AttributeNames: list[str]) -> Any:
        return {"Attributes": dict.fromkeys(AttributeNames, "0") | {AttributeNames[0]: self.messages.get(QueueUrl, 0)}}

    def list_executions(self, stateMachineArn: str, statusFilter: str) -> Any:
        return {"executions": [{"name": "one"}] if stateMachineArn.startswith("Rescore") else []}


def test_alarms_have_the_names_of_the_runbook_and_those_of_other_stacks_are_not_told() -> None:
    assert [*alarms(Stack())] == ["IngestFailedAlarm: Files fail."]


def test_only_queues_where_something_was_given_up_are_told() -> None:
    assert [*given_up(Stack(LiveDeadLetterQueue=1_200))] == ["LiveDeadLetterQueue: 1,200 messages"]


def test_what_waits_is_told_of_every_queue() -> None:
    assert [*waiting(Stack(IngestQueue=7))] == [
        "files waiting: 7",
        "live waiting: 0",
        "erasures waiting: 0",
        "journeys waiting: 0",
    ]


def test_runs_under_way_are_named() -> None:
    assert [*runs(Stack())] == ["running: RescoreCustomersStateMachine one"]


def test_the_live_model_is_the_one_that_the_pointer_names() -> None:
    stack = Stack()
    assert live_model(stack) is None
    stack.objects.put_object(Bucket=BUCKET, Key=POINTER_KEY, Body=json.dumps({"bundle_id": "one"}).encode())
    assert live_model(stack) == "one"


@pytest.mark.parametrize(
    "name", [*OTHER_QUEUES, *(queue for pairs in QUEUES.values() for pair in pairs for queue in pair)]
)
def test_queues_are_the_templates(name: str) -> None:
    assert template()["Resources"][name]["Type"] == "AWS::SQS::Queue"
