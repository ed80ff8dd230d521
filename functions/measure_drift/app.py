"""Compares the customers and events of a date with those that the live model was trained on."""

import json
import os
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.api.refused_lines import refused
from shared.aws.message_text import message_text
from shared.clock import now_ms
from shared.drift.watching import DETAIL_TYPE, Watching
from shared.durations import DAY_MS
from shared.ledger.announcements import SOURCE
from shared.telemetry.errors import AnonymousError
from shared.telemetry.logs import logger, metrics, watched

bucket = os.environ["DATA_BUCKET"]
s3 = boto3.client("s3")
events = boto3.client("events")


class NotAnnounced(AnonymousError):
    """The bus refused the event."""


@watched()
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Takes a `date` whose exports are whole, and gives what state the live model is in, and how many measures drifted.

    Doing it again comes to the same. Raises NotAnnounced, and what buckets raise.
    """
    reasons = refused(s3, bucket, since_ms=now_ms() - DAY_MS)["reasons"]
    lines = {one["reason"]: one["lines"] for one in reasons}
    report = Watching(s3, bucket, os.environ["CURRENCY"], _announce).watch(event["date"], lines)
    drifted = len(report["drifted"])
    metrics.add_metric("MeasuresDrifted", MetricUnit.Count, drifted)
    for one in report.get("predictions", ()):
        name = one["target"].title()
        for known, figures in (("Expected", one["expected"]), ("Real", one["came_true"] or {})):
            if figures.get("auc") is not None:
                metrics.add_metric(f"{known}{name}Auc", MetricUnit.NoUnit, figures["auc"])
                metrics.add_metric(f"{known}{name}Brier", MetricUnit.NoUnit, figures["brier"])
    summary = {"date": report["date"], "state": report["state"], "drifted": drifted}
    logger.info("Drift measured", extra={**summary, "measures": len(report["measures"])})
    return summary


def _announce(detail: dict[str, Any]) -> None:
    entry: Any = {
        "EventBusName": os.environ["EVENT_BUS"],
        "Source": SOURCE,
        "DetailType": DETAIL_TYPE,
        "Detail": message_text(json.dumps(detail)),
    }
    if events.put_events(Entries=[entry])["FailedEntryCount"]:
        raise NotAnnounced("the bus refused the event")
