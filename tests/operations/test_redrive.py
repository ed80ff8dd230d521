import re
from types import SimpleNamespace
from typing import Any

import boto3

from operations.redrive import PLACES, QUEUES, queues_of, redrive
from tests.support.template import template


def queue(name: str) -> str:
    return str(boto3.client("sqs").create_queue(QueueName=name)["QueueUrl"])


def bodies(url: str) -> list[str]:
    sqs, received = boto3.client("sqs"), list[str]()
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        received += [message["Body"] for message in messages]
    return sorted(received)


def test_all_that_was_given_up_goes_back_and_nothing_stays(aws: None) -> None:
    dead, alive, sqs = queue("dead"), queue("alive"), boto3.client("sqs")
    for number in range(23):
        sqs.send_message(QueueUrl=dead, MessageBody=f"{number:02d}")
    assert redrive(sqs, dead, alive, most=100) == 23
    assert bodies(alive) == [f"{number:02d}" for number in range(23)]
    assert bodies(dead) == []


def test_no_more_is_moved_than_asked_for(aws: None) -> None:
    dead, alive, sqs = queue("dead"), queue("alive"), boto3.client("sqs")
    for number in range(15):
        sqs.send_message(QueueUrl=dead, MessageBody=str(number))
    assert redrive(sqs, dead, alive, most=12) == 12
    assert len(bodies(alive)) == 12
    assert len(bodies(dead)) == 3


def test_queues_are_the_templates() -> None:
    resources: dict[str, Any] = template()["Resources"]
    assert len([name for name in resources if re.fullmatch(r"Destination\dQueue", name)]) == PLACES
    for dead, alive in (pair for pairs in QUEUES.values() for pair in pairs):
        policy = resources[alive]["Properties"]["RedrivePolicy"]
        assert policy["deadLetterTargetArn"] == {"GetAtt": f"{dead}.Arn"}


def test_a_stack_has_the_queues_of_as_many_destinations_as_it_was_given() -> None:
    known = {name: f"https://{name}" for name in ("Destination2Queue", "Destination2DeadLetterQueue")}
    stack: Any = SimpleNamespace(resources=known, resource=known.__getitem__)
    assert queues_of(stack, "deliveries") == [("https://Destination2DeadLetterQueue", "https://Destination2Queue")]
