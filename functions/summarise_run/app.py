"""Sums up what the parts of a run have done, at its end or at any time before."""

import os
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.bulk import backfill, partitions
from shared.bulk.run_parts import RunParts
from shared.telemetry.logs import logger, watched

bucket = os.environ["DATA_BUCKET"]
s3 = boto3.client("s3")


@watched()
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes the `kind` of a `run` (rescore or backfill) and how many `parts` it has, and writes the run's report.

    Gives the report's key, the number of parts `unfinished`, and whether the run was `superseded` by a later one.
    """
    run = event["run"]
    expected = int(event["parts"])
    if event["kind"] == "rescore":
        scanned = RunParts(s3, bucket, "rescore", run, partitions.PartitionProgress)
        report = {"run": run, **partitions.report(list(scanned.all()), expected)}
        key = scanned.write_report(report)
    else:
        batches = RunParts(s3, bucket, "backfill", run, backfill.BatchProgress)
        report = {"run": run, **backfill.report(list(batches.all()), expected)}
        key = batches.write_report(report)
    logger.info("Run summed up", extra={"report": key, "unfinished": report["unfinished"]})
    return {"report": key, "unfinished": report["unfinished"], "superseded": report.get("superseded", False)}
