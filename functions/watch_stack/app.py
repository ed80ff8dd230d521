"""Says how the stack is doing: what waits, what was refused, which model decides.

GET /health, /models, /quarantine, /quarantine/lines
"""

import json
import os
from typing import Any

import boto3
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.api import health
from shared.api.answers import only, resolver
from shared.api.published_models import published
from shared.api.published_recommender import published_recommender
from shared.api.refused_lines import latest_lines, refused
from shared.clock import now_ms
from shared.models.manifests import Manifests
from shared.telemetry.logs import logger, metrics, watched

app = resolver(logger, None, "The answer failed on our side; please try again.")
s3, sqs, cloudwatch = boto3.client("s3"), boto3.client("sqs"), boto3.client("cloudwatch")
bucket = os.environ["DATA_BUCKET"]
manifests = Manifests(s3, bucket)
QUEUES: dict[str, list[str]] = json.loads(os.environ["QUEUES"])
"""Addresses of queues and their dead-letter queues, by what they are for."""


@watched(correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answers one request of the API; whatever goes wrong, the answer is the contract's JSON."""
    metrics.add_metric("StackLookedAt", MetricUnit.Count, 1)
    return app.resolve(event, context)


@app.get("/health", middlewares=only("read"))
def how_it_is_doing() -> dict[str, Any]:
    """Queues, alarms that are on, and the events of the last day."""
    stack = os.environ["POWERTOOLS_SERVICE_NAME"]
    events = health.events(cloudwatch, stack, now_ms())
    counted = [one["at"] for one in events if one["kind"] == "counted" and one["count"]]
    return {
        "queues": health.queues(sqs, QUEUES),
        "alarms": health.alarms(cloudwatch, stack),
        "events": events,
        "latest_event_at": max(counted, default=None),
    }


@app.get("/models", middlewares=only("read"))
def models() -> dict[str, Any]:
    """The live model with how good it is, and those before it."""
    return {**published(s3, bucket, manifests), "recommender": published_recommender(s3, bucket)}


@app.get("/quarantine", middlewares=only("read"))
def quarantine() -> dict[str, Any]:
    """Why lines were refused, without the lines."""
    return refused(s3, bucket)


@app.get("/quarantine/lines", middlewares=only("operate"))
def quarantined_lines() -> dict[str, Any]:
    """The latest lines that were refused, as they came: they may name anybody."""
    return {"lines": latest_lines(s3, bucket)}
