"""Measures what campaigns changed and what became of segments, of the exports of one date."""

import os
import time
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.insight.measuring import Measuring
from shared.models.manifests import Manifests
from shared.telemetry.logs import logger, metrics, watched

bucket = os.environ["DATA_BUCKET"]
s3 = boto3.client("s3")
manifests = Manifests(s3, bucket, check_every=0)
measuring = Measuring(s3, bucket, int(os.environ["RESULTS_WINDOW_DAYS"]), os.environ["CURRENCY"])


@watched()
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes a `date` whose exports are whole, and gives how many results and reports were written of it.

    Doing it again comes to the same.
    """
    measured = measuring.measure(event["date"], manifests.live(time.monotonic()))
    metrics.add_metric("ResultsMeasured", MetricUnit.Count, measured["results"])
    logger.info("Results measured", extra=measured)
    return measured
