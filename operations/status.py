"""Says how a stack is doing: alarms that are on, what waits in its queues, the live model, and runs that are under way.

python -m operations.status [--stack NAME]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from operations.redrive import QUEUES
from operations.stack import UNFINISHED, DeployedStack, parser, run, say
from shared.aws.fresh_object import ABSENT
from shared.models.layout import POINTER_KEY

WAITING: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
OTHER_QUEUES = ("TransitionsDeadLetterQueue", "UnstartedRunsQueue")
STATE_MACHINES = ("RescoreCustomersStateMachine", "BackfillEventsStateMachine", "LearnStateMachine")


def main(arguments: Sequence[str] | None = None, prog: str = "python -m operations.status") -> int:
    """The command line."""
    return run(_run, parser(prog, "Say how a stack is doing; status 1 if it needs somebody."), arguments)


def _run(stack: DeployedStack, given: argparse.Namespace) -> int:
    troubles = [*alarms(stack), *given_up(stack)]
    say(*(f"! {trouble}" for trouble in troubles))
    say(f"model: {live_model(stack) or 'none is published'}", *waiting(stack), *runs(stack))
    say("Something needs you: docs/runbook.md has a section for each alarm" if troubles else "Nothing needs you")
    return UNFINISHED if troubles else 0


def alarms(stack: DeployedStack) -> Iterator[str]:
    """The alarms of the stack that are on, by the names that the runbook's sections have."""
    names = {physical: name for name, physical in stack.resources.items() if name.endswith("Alarm")}
    pages = stack.client("cloudwatch").get_paginator("describe_alarms").paginate(StateValue="ALARM")
    for page in pages:
        for alarm in page["MetricAlarms"]:
            if alarm["AlarmName"] in names:
                yield f"{names[alarm['AlarmName']]}: {alarm.get('AlarmDescription', '')}"


def given_up(stack: DeployedStack) -> Iterator[str]:
    """Queues in which something waits that was given up."""
    names = [dead for pairs in QUEUES.values() for dead, _ in pairs]
    for name in (*names, *OTHER_QUEUES):
        if _is_place(name) and name not in stack.resources:
            continue
        if messages := _messages(stack, name):
            yield f"{name}: {messages:,} messages"


def waiting(stack: DeployedStack) -> Iterator[str]:
    """How much waits in the queues that are worked on."""
    for what, pairs in QUEUES.items():
        queues = [queue for _, queue in pairs if not _is_place(queue) or queue in stack.resources]
        if queues:
            yield f"{what} waiting: {sum(_messages(stack, queue) for queue in queues):,}"


def runs(stack: DeployedStack) -> Iterator[str]:
    """Runs of the state machines that are under way."""
    states = stack.client("stepfunctions")
    for name in STATE_MACHINES:
        running = states.list_executions(stateMachineArn=stack.resource(name), statusFilter="RUNNING")["executions"]
        yield from (f"running: {name} {execution['name']}" for execution in running)


def live_model(stack: DeployedStack) -> str | None:
    """The id of the bundle that the bucket names as live."""
    try:
        body = stack.s3.get_object(Bucket=stack.resource("DataBucket"), Key=POINTER_KEY)["Body"].read()
    except stack.s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return None
        raise
    return str(json.loads(body)["bundle_id"])


def _is_place(name: str) -> bool:
    """Whether it is of a destination, of which a stack has as many as it was given."""
    return name.startswith("Destination")


def _messages(stack: DeployedStack, logical_id: str) -> int:
    queue = stack.resource(logical_id)
    attributes = stack.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=WAITING)["Attributes"]
    return sum(int(attributes[name]) for name in WAITING)


if __name__ == "__main__":
    sys.exit(main())
