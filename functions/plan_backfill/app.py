"""Lists the files of a history and puts them into batches for the state machine to hand out."""

import os
from typing import Any

import boto3
import msgspec
from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from shared.backfill import BYTES_A_BATCH, FILES_A_BATCH, PREFIX, Batch, NothingToDo, batches, list_files
from shared.fresh_object import ABSENT

logger, tracer = Logger(), Tracer()
bucket = os.environ["DATA_BUCKET"]
s3 = boto3.client("s3")


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes the `execution`'s name and its `input`, and gives the `run`, the `plan`'s key and the number of `batches`.

    The input may name a `prefix` below `history/`, or an earlier `run`, which then goes on with the plan it had.
    Raises NothingToDo where there are no files, and ClientError.
    """
    given = event["input"]
    run, prefix = str(given.get("run") or event["execution"]), str(given.get("prefix") or PREFIX)
    plan = f"reports/backfill/{run}/batches.json"
    known = _read(plan)
    if known is None:
        known = _plan(prefix)
        s3.put_object(Bucket=bucket, Key=plan, Body=msgspec.json.encode(known), ContentType="application/json")
    logger.info("Back-fill planned", extra={"run": run, "prefix": prefix, "batches": len(known)})
    return {"run": run, "plan": plan, "batches": len(known)}


def _plan(prefix: str) -> list[Batch]:
    if not prefix.startswith(PREFIX):
        raise NothingToDo(f"a history stands below {PREFIX}, which {prefix!r} does not")
    found = list(batches(list_files(s3, bucket, prefix), FILES_A_BATCH, BYTES_A_BATCH))
    if not found:
        raise NothingToDo(f"there is no file below {prefix} in {bucket}")
    return found


def _read(plan: str) -> list[Batch] | None:
    try:
        body = s3.get_object(Bucket=bucket, Key=plan)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return None
        raise
    return msgspec.json.decode(body, type=list[Batch])
