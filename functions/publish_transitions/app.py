"""Keeps every move of a customer in the ledger, counts it in the sizes of segments and audiences, and publishes it."""

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.aws.requests import UNCHECKED
from shared.clock import now_ms
from shared.decisions.audience_moves import AudienceMove
from shared.decisions.transitions import Cause, Transition
from shared.features import BrokenState, UnknownStateVersion
from shared.ledger.announcements import Announcer, Move
from shared.ledger.audience_rows import AudienceLedger, counting
from shared.ledger.rows import Ledger
from shared.ledger.stream import Moves, ended, moves_of
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
dynamodb = boto3.client("dynamodb", config=UNCHECKED)
table_name = os.environ["TABLE_NAME"]
ledger = Ledger(dynamodb, table_name)
audience_ledger = AudienceLedger(dynamodb, table_name)
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
    moves = [(number, moved) for number, some in by_number for moved in some]
    transitions = [some.transition for _, some in by_number if some.transition]
    between_audiences = [moved for _, some in by_number for moved in some.audiences]
    ends = [end for record in event["Records"] if (end := ended(record))]
    announced = _announced(moves, ends)
    kept_ms = now_ms()
    recorded = ledger.record(_to_record(transitions, announced), kept_ms)
    recorded += audience_ledger.record(_to_record(between_audiences, announced), kept_ms)
    _close(transitions, between_audiences, ends)
    refused = announcer.publish(moved for _, moved in moves)
    metrics.add_metric("TransitionsRecorded", MetricUnit.Count, recorded)
    metrics.add_metric("TransitionsPublished", MetricUnit.Count, len(moves) - len(refused))
    metrics.add_metric("TransitionsRefused", MetricUnit.Count, len(refused))
    for key, version in ends:
        # What releases before kept beside the profile goes with the second pass of the erasure, which may reach there.
        ledger.forget(key, version, former=False)
    failed = [number for number, moved in moves if moved.id in refused]
    if failed:
        logger.error("The bus refused events", extra={"refused": len(refused)})
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed[:1]]}


def _announced(moves: Sequence[tuple[str, Move]], ends: Sequence[tuple[str, int]]) -> dict[str, int]:
    """The version up to which the ledger was told of the erasure of each customer."""
    keys = {moved.key for _, moved in moves} | {key for key, _ in ends}
    return {key: mark.announced for key, mark in marks.load(keys).items()}


def _to_record[M: (Transition, AudienceMove)](moves: Sequence[M], announced: Mapping[str, int]) -> list[M]:
    """The moves to keep: not an erasure, nor what came before one that the ledger was told of already."""
    return [m for m in moves if m.cause is not Cause.ERASURE and m.version > announced.get(m.key, 0)]


def _close(
    transitions: Sequence[Transition], between_audiences: Sequence[AudienceMove], ends: Sequence[tuple[str, int]]
) -> None:
    """Counts those who were erased out of what they were in."""
    left = {(moved.key, moved.version): moved.left for moved in transitions}
    for key, version in ends:
        gone = Counter({m.audience: -1 for m in between_audiences if (m.key, m.version) == (key, version)})
        ledger.close(left.get((key, version)), marks.announcing(key, version), counting(table_name, gone))


def _read(record: dict[str, Any], unreadable: dict[str, Unwritten]) -> Moves:
    def reasons(profile: StoredProfile) -> list[dict[str, Any]]:
        try:
            return _reasons(profile)
        except (BrokenState, UnknownStateVersion):
            unreadable[profile.key] = BROKEN
            return []  # the move itself is known

    try:
        return moves_of(record, reasons)
    except ItemsUnreadable as error:
        unreadable.update(dict.fromkeys(error.unreadable, BROKEN))
        return Moves()


def _reasons(profile: StoredProfile) -> list[dict[str, Any]]:
    assert profile.decision is not None
    return explainer.top(profile, manifests.get(profile.decision.model_version, time.monotonic()))
