"""Jobs of a destination that its vendor may still be working on, in one item of the table beside its pace.

Whoever wants to have the last word on somebody, newest state or erasure, waits until the jobs of before have ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.destinations.pacing import PARTITION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SORT_KEY = "jobs"
_PREFIX = "job_"


class OpenJobs:
    """When each job was made, by the vendor's name for it, UTC milliseconds. Raises what the table raises."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def of(self, destination: str) -> dict[str, int]:
        """Those that nobody has seen the end of."""
        answer = self._client.get_item(TableName=self._table, Key=_key(destination), ConsistentRead=True)
        values = answer.get("Item", {})
        return {name.removeprefix(_PREFIX): int(v["N"]) for name, v in values.items() if name.startswith(_PREFIX)}

    def add(self, destination: str, job: str, at_ms: int) -> None:
        """Notes a job before it begins."""
        self._update(destination, "SET #job = :at", job, ExpressionAttributeValues={":at": {"N": str(at_ms)}})

    def remove(self, destination: str, job: str) -> None:
        """Forgets a job that has ended."""
        self._update(destination, "REMOVE #job", job)

    def _update(self, destination: str, expression: str, job: str, **values: Any) -> None:
        self._client.update_item(
            TableName=self._table,
            Key=_key(destination),
            UpdateExpression=expression,
            ExpressionAttributeNames={"#job": _PREFIX + job},
            **values,
        )


def _key(destination: str) -> Any:
    return {"pk": {"S": PARTITION + destination}, "sk": {"S": SORT_KEY}}
