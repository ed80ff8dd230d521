"""How a stack is doing, for people to read: what waits, what was given up, alarms that are on, and events by time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shared.decisions.decision import iso
from shared.durations import DAY_MS

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

WAITING: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
METRICS = {
    "counted": "EventsCounted",
    "refused": "EventsQuarantined",
    "repeated": "EventsDuplicate",
    "late": "EventsLate",
    "forgotten": "EventsForgotten",
}
"""What is told of events, and the metric of each."""
PERIOD_SECONDS = 300


def queues(sqs: SQSClient, pairs: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Of each queue, by what it is for, how many messages wait in it and how many were given up.

    `pairs` are addresses: of the queue, if there is one, and of its dead-letter queue. Raises ClientError.
    """
    return [
        {
            "name": name,
            "waiting": _messages(sqs, addresses[0]) if len(addresses) > 1 else 0,
            "given_up": _messages(sqs, addresses[-1]),
        }
        for name, addresses in pairs.items()
    ]


def alarms(cloudwatch: Any, stack: str) -> list[dict[str, str]]:
    """The alarms of a stack that are on, by the names that the runbook's sections have. Raises ClientError."""
    prefix = f"{stack}-"
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix)
    return [
        {
            "name": alarm["AlarmName"].removeprefix(prefix).rpartition("-")[0] or alarm["AlarmName"],
            "description": alarm.get("AlarmDescription", ""),
        }
        for page in pages
        for alarm in page["MetricAlarms"]
        if alarm["StateValue"] == "ALARM"
    ]


def events(cloudwatch: Any, stack: str, now_ms: int) -> list[dict[str, Any]]:
    """Events of the last day by kind, a minute on the average of every five. Raises ClientError."""
    queries: Any = [
        {
            "Id": kind,
            "MetricStat": {
                "Metric": {
                    "Namespace": "Tessera",
                    "MetricName": metric,
                    "Dimensions": [{"Name": "service", "Value": stack}],
                },
                "Period": PERIOD_SECONDS,
                "Stat": "Sum",
            },
        }
        for kind, metric in METRICS.items()
    ]
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=queries,
        StartTime=(now_ms - DAY_MS) / 1_000,
        EndTime=now_ms / 1_000,
        ScanBy="TimestampAscending",
    )
    return [
        {"at": iso(round(at.timestamp()) * 1_000), "kind": result["Id"], "count": value}
        for result in answer["MetricDataResults"]
        for at, value in zip(result["Timestamps"], result["Values"], strict=True)
    ]


def _messages(sqs: SQSClient, address: str) -> int:
    attributes = sqs.get_queue_attributes(QueueUrl=address, AttributeNames=WAITING)["Attributes"]
    return sum(int(attributes[name]) for name in WAITING)
