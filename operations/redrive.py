"""Moves the messages of a dead-letter queue back to the queue that they came from.

python -m operations.redrive files [--stack NAME] [--most N]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from operations.stack import UNFINISHED, DeployedStack, parser, run, say

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

PLACES = 6
"""Of destinations, in template.yaml; a stack has the queues of those that it has."""
QUEUES = {
    "files": (("IngestDeadLetterQueue", "IngestQueue"),),
    "live": (("LiveDeadLetterQueue", "LiveQueue"),),
    "erasures": (("ErasureDeadLetterQueue", "ErasureQueue"),),
    "journeys": (("JourneysDeadLetterQueue", "JourneysQueue"),),
    "deliveries": tuple((f"Destination{n}DeadLetterQueue", f"Destination{n}Queue") for n in range(1, PLACES + 1)),
}
"""What is given up, the queues where it waits, and the queues that it goes back to."""
MESSAGES_A_CALL = 10
HIDDEN_SECONDS = 60
"""Of a message under way: if this ends before it is deleted, it is moved again, which changes nothing."""


def main(arguments: Sequence[str] | None = None, prog: str = "python -m operations.redrive") -> int:
    """The command line."""
    made = parser(prog, "Give what was given up another try.")
    made.add_argument("what", choices=sorted(QUEUES), help="what was given up")
    made.add_argument("--most", type=int, default=1_000_000, metavar="N", help="messages to move at most")
    return run(_run, made, arguments)


def _run(stack: DeployedStack, given: argparse.Namespace) -> int:
    moved = 0
    for source, target in queues_of(stack, given.what):
        moved += redrive(stack.sqs, source, target, given.most - moved)
    say(f"{moved:,} messages moved back; what fails again comes to the dead-letter queue again")
    return 0 if moved < given.most else UNFINISHED


def queues_of(stack: DeployedStack, what: str) -> list[tuple[str, str]]:
    """Where what was given up waits in this stack, and where it goes back to."""
    pairs = QUEUES[what]
    there = pairs if len(pairs) == 1 else [pair for pair in pairs if pair[0] in stack.resources]
    return [(stack.resource(source), stack.resource(target)) for source, target in there]


def redrive(sqs: SQSClient, source: str, target: str, most: int) -> int:
    """Moves at most `most` messages from one queue to another; returns how many. Raises ClientError.

    Each is deleted only once it is sent, so where this breaks off one may be in both queues: whatever reads them takes
    a repeat for what it is.
    """
    moved = 0
    while moved < most:
        answer = sqs.receive_message(
            QueueUrl=source,
            MaxNumberOfMessages=min(MESSAGES_A_CALL, most - moved),
            VisibilityTimeout=HIDDEN_SECONDS,
            WaitTimeSeconds=1,
        )
        messages = answer.get("Messages", [])
        if not messages:
            break
        for message in messages:
            sqs.send_message(QueueUrl=target, MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
        moved += len(messages)
    return moved


if __name__ == "__main__":
    sys.exit(main())
