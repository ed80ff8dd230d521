"""Makes the date of an export whole: counts what its parts wrote, and takes away what was there before."""

import os
import time
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.audiences.audience import NONE, UNKNOWN
from shared.audiences.live_audiences import LiveAudiences
from shared.aws.requests import UNCHECKED
from shared.bulk.run_parts import RunParts, span
from shared.clock import read_clock
from shared.exports.finishing import Finishing
from shared.exports.objects import ExportObjects
from shared.exports.partitions import PartitionProgress
from shared.exports.plan import Plan, Plans
from shared.features.time_zone import TimeZone
from shared.models.manifests import Manifests
from shared.profiles.members import Members
from shared.telemetry.logs import logger, watched

bucket = os.environ["DATA_BUCKET"]
s3 = boto3.client("s3")
members = Members(boto3.client("dynamodb", config=UNCHECKED), os.environ["TABLE_NAME"])
manifests = Manifests(s3, bucket, check_every=0)
live_audiences = LiveAudiences(s3, bucket, check_every=0)
REPLACED = {"date": "", "unfinished": 0, "superseded": True, "reconciles": True}
"""Of a run whose date another one was writing."""
settle_ms = int(os.environ["SETTLE_SECONDS"]) * 1_000
plans = Plans(s3, bucket, TimeZone.of(os.environ["TIME_ZONE"]), settle_ms)


@watched()
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes a `run` and how many `parts` it has, and gives the key of its report, the number of parts `unfinished`, and
    whether the counts `reconcile` and the run was `superseded` by another of its `date`."""
    run = event["run"]
    moment = read_clock()
    parts = RunParts(s3, bucket, "exports", run, PartitionProgress)
    done = [*parts.all()]
    plan = plans.of(run, moment) if done else None
    report = _finish(plan, done, int(event["parts"]), moment.scored_at_ms) if plan else {"run": run, **REPLACED}
    key = parts.write_report({**report, **span([(part.started_ms, part.updated_ms) for part in done])})
    logger.info("Export finished", extra={"report": key, "reconciles": report["reconciles"]})
    return {"report": key, **{name: report[name] for name in REPLACED}}


def _finish(plan: Plan, done: list[PartitionProgress], expected: int, now_ms: int) -> dict[str, Any]:
    audiences = live_audiences.get(time.monotonic())
    finishing = Finishing(
        objects=ExportObjects(s3, bucket),
        plans=plans,
        members=members,
        live=manifests.live(time.monotonic()),
        audiences=NONE if audiences is UNKNOWN else audiences,
    )
    return finishing.finish(plan, done, expected, now_ms)
