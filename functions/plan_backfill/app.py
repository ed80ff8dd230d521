"""Lists the files of a history and puts them into batches for the state machine to hand out."""

import os
from typing import Any

import boto3
import msgspec
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.bulk.backfill import HISTORY, plan, read_plan
from shared.telemetry.logs import logger, watched

bucket = os.environ["DATA_BUCKET"]
s3 = boto3.client("s3")


@watched()
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes the `execution`'s name and its `input`, and gives the `run`, the `plan`'s key and the number of `batches`.

    The input may name a `prefix` or several `prefixes` below `history/`, `events/` or `archive/`, or an earlier `run`,
    which then goes on with the plan it had. With `decide` as false, histories are stored and nobody is decided on.
    Raises NothingToDo where there are no files, and ClientError.
    """
    given = event["input"]
    run = str(given.get("run") or event["execution"])
    prefixes = [str(prefix) for prefix in given.get("prefixes") or [given.get("prefix") or HISTORY]]
    key = f"reports/backfill/{run}/batches.json"
    planned = read_plan(s3, bucket, key)
    if planned is None:
        planned = plan(s3, bucket, prefixes, decides=given.get("decide", True) is not False)
        s3.put_object(Bucket=bucket, Key=key, Body=msgspec.json.encode(planned), ContentType="application/json")
    logger.info("Back-fill planned", extra={"run": run, "batches": len(planned)})
    return {"run": run, "plan": key, "batches": len(planned)}
