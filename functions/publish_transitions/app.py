"""Keeps every move of a customer in the ledger, counts it in the sizes of segments, and publishes it on the bus."""

import os
import time
from collections.abc import Sequence
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.decisions.transitions import Cause, Transition
from shared.features import BrokenState, UnknownStateVersion
from shared.ledger.announcements import Announcer
from shared.ledger.rows import Ledger
from shared.ledger.stream import ended, transition_of
from shared.models.manifests import Manifests
from shared.profiles.histories import BROKEN
from shared.profiles.item import ItemsUnreadable
from shared.profiles.kept_marks import KeptMarks
from shared.profiles.left_alone import report
from shared.profiles.marks import Marks, secret
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.unwritten import Unwritten
from shared.reasons.explaining import Explainer
from shared.telemetry.logs import logger, metrics, watched

bucket = os.environ["DATA_BUCKET"]
s3 = boto3.client("s3")
manifests = Manifests(s3, bucket)
explainer = Explainer(s3, bucket)
dynamodb = boto3.client("dynamodb")
table_name = os.environ["TABLE_NAME"]
ledger = Ledger(dynamodb, table_name)
epoch = int(os.environ["TABLE_EPOCH"] or 0)
marks = Marks(dynamodb, table_name, secret(os.environ["MARK_SECRET"]), KeptMarks(s3, bucket), epoch)
announcer = Announcer(boto3.client("events"), os.environ["EVENT_BUS"])


@watched()
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Takes a batch of the table's stream, in order.

    Rows come first and events after them, so that a batch that breaks off between the two comes again, finds its rows,
    and publishes the same ids. From the first event that the bus refuses on, the batch comes again too. The rows of who
    was erased go last. A record of a profile that this code cannot read is told of, and passed over.
    """
    unreadable = dict[str, Unwritten]()
    by_number = [(record["dynamodb"]["SequenceNumber"], _read(record, unreadable)) for record in event["Records"]]
    report(unreadable)
    moves = [(number, moved) for number, moved in by_number if moved]
    transitions = [moved for _, moved in moves]
    ends = [end for record in event["Records"] if (end := ended(record))]
    recorded = ledger.record(_to_record(transitions, ends))
    left = {(moved.key, moved.version): moved.left for moved in transitions}
    for key, version in ends:
        ledger.close(left.get((key, version)), marks.announcing(key, version))
    refused = announcer.publish(transitions)
    metrics.add_metric("TransitionsRecorded", MetricUnit.Count, recorded)
    metrics.add_metric("TransitionsPublished", MetricUnit.Count, len(transitions) - len(refused))
    metrics.add_metric("TransitionsRefused", MetricUnit.Count, len(refused))
    for key, version in ends:
        # What releases before kept beside the profile goes with the second pass of the erasure, which may reach there.
        ledger.forget(key, version, former=False)
    failed = [number for number, moved in moves if moved.id in refused]
    if failed:
        logger.error("The bus refused events", extra={"refused": len(refused)})
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed[:1]]}


def _to_record(transitions: Sequence[Transition], ends: Sequence[tuple[str, int]]) -> list[Transition]:
    """The transitions to keep: not an erasure, nor what came before one that the ledger was told of already."""
    keys = {moved.key for moved in transitions} | {key for key, _ in ends}
    announced = {key: mark.announced for key, mark in marks.load(keys).items()}
    return [m for m in transitions if m.cause is not Cause.ERASURE and m.version > announced.get(m.key, 0)]


def _read(record: dict[str, Any], unreadable: dict[str, Unwritten]) -> Transition | None:
    def reasons(profile: StoredProfile) -> list[dict[str, Any]]:
        try:
            return _reasons(profile)
        except (BrokenState, UnknownStateVersion):
            unreadable[profile.key] = BROKEN
            return []  # the move itself is known

    try:
        return transition_of(record, reasons)
    except ItemsUnreadable as error:
        unreadable.update(dict.fromkeys(error.unreadable, BROKEN))
        return None


def _reasons(profile: StoredProfile) -> list[dict[str, Any]]:
    assert profile.decision is not None
    return explainer.top(profile, manifests.get(profile.decision.model_version, time.monotonic()))
