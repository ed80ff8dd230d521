"""How a stack is doing, from what AWS answers."""

from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

from shared.api.health import METRICS, events, queues


def test_events_come_by_kind_in_the_order_of_time() -> None:
    at = datetime(2017, 11, 1, tzinfo=UTC)
    cloudwatch = Mock()
    results: list[Any] = [{"Id": kind, "Timestamps": [], "Values": []} for kind in METRICS]
    results[0] |= {"Timestamps": [at], "Values": [120.0]}
    cloudwatch.get_metric_data.return_value = {"MetricDataResults": results}

    assert events(cloudwatch, "tessera", 1_509_580_800_000) == [
        {"at": "2017-11-01T00:00:00Z", "kind": "counted", "count": 120.0}
    ]
    asked = cloudwatch.get_metric_data.call_args.kwargs
    assert asked["EndTime"] - asked["StartTime"] == 86_400
    metrics = [query["MetricStat"]["Metric"] for query in asked["MetricDataQueries"]]
    assert {metric["Dimensions"][0]["Value"] for metric in metrics} == {"tessera"}
    assert {metric["MetricName"] for metric in metrics} == {*METRICS.values()}


def test_what_is_worked_on_waits_as_well() -> None:
    sqs = Mock()
    sqs.get_queue_attributes.return_value = {
        "Attributes": {"ApproximateNumberOfMessages": "3", "ApproximateNumberOfMessagesNotVisible": "4"}
    }
    assert queues(sqs, {"files": ["queue", "dead"], "moves": ["dead"]}) == [
        {"name": "files", "waiting": 7, "given_up": 7},
        {"name": "moves", "waiting": 0, "given_up": 7},
    ]
