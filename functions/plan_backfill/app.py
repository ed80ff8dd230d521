"""Lists the files of a history and puts them into batches for the state machine to hand out."""

import os
from typing import Any

import boto3
import msgspec
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError
from msgspec.structs import replace

from shared.aws.fresh_object import is_absent
from shared.bulk.backfill import (
    BYTES_A_BATCH,
    FILES_A_BATCH,
    HISTORY,
    PREFIXES,
    Batch,
    NothingToDo,
    batches,
    list_files,
)
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
    plan = f"reports/backfill/{run}/batches.json"
    known = _read(plan)
    if known is None:
        known = _plan(prefixes, decides=given.get("decide", True) is not False)
        s3.put_object(Bucket=bucket, Key=plan, Body=msgspec.json.encode(known), ContentType="application/json")
    logger.info("Back-fill planned", extra={"run": run, "batches": len(known)})
    return {"run": run, "plan": plan, "batches": len(known)}


def _plan(prefixes: list[str], *, decides: bool) -> list[Batch]:
    if not all(prefix.startswith(PREFIXES) for prefix in prefixes):
        raise NothingToDo(f"events stand below {', '.join(PREFIXES)}, which the prefix of this run does not")
    files = (file for prefix in prefixes for file in list_files(s3, bucket, prefix))
    found = list(batches(files, FILES_A_BATCH, BYTES_A_BATCH))
    if not found:
        raise NothingToDo("there is no file below the prefix of this run")
    return [replace(batch, decides=decides) for batch in found]


def _read(plan: str) -> list[Batch] | None:
    try:
        body = s3.get_object(Bucket=bucket, Key=plan)["Body"].read()
    except ClientError as error:
        if is_absent(s3, bucket, plan, error):
            return None
        raise
    return msgspec.json.decode(body, type=list[Batch])
