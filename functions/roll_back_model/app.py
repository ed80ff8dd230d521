"""Makes an earlier bundle the live one again: POST /models/rollback."""

import os
from http import HTTPStatus
from typing import Any

import boto3
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.api.answers import Refused, json_body, resolver
from shared.clock import now_ms
from shared.decisions.decision import iso
from shared.models.switching import Overtaken, live, switch, whole_bundles
from shared.shapes import Misfit
from shared.telemetry.logs import logger, metrics, watched

app = resolver(logger, "operate", "The roll-back failed on our side; please try again.")
s3 = boto3.client("s3")
bucket = os.environ["DATA_BUCKET"]


@watched(correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answers one request of the API; whatever goes wrong, the answer is the contract's JSON."""
    metrics.add_metric("RollbacksRequested", MetricUnit.Count, 1)
    return app.resolve(event, context)


@app.post("/models/rollback")
def roll_back() -> dict[str, Any]:
    """Switches to the bundle `to`, if `from` is still the live one; from then on everyone is decided on anew."""
    body = json_body(app)
    target, expected = body.get("to"), body.get("from")
    try:
        before = live(s3, bucket)
    except Misfit:
        message = "models/current.json is damaged: publish a bundle, or roll back by `tessera rollback`."
        raise Refused(HTTPStatus.CONFLICT, "pointer_damaged", message) from None
    if target not in whole_bundles(s3, bucket):
        raise Refused(HTTPStatus.NOT_FOUND, "bundle_not_found", "The bucket holds no whole bundle of that id.")
    if expected != before.bundle_id:
        raise _overtaken()
    if target == before.bundle_id:
        return {"bundle_id": target, "previous": before.content.get("previous")}
    try:
        record = switch(s3, bucket, before, str(target), iso(now_ms() // 1_000 * 1_000), rolled_back_from=expected)
    except Overtaken:
        raise _overtaken() from None
    logger.info("Rolled back to an earlier bundle", extra={"model_version": record["bundle_id"]})
    return {"bundle_id": record["bundle_id"], "previous": record["previous"]}


def _overtaken() -> Refused:
    message = "Another bundle went live meanwhile: look at the models again."
    return Refused(HTTPStatus.CONFLICT, "overtaken", message)
