"""What stories of the trial of rights look at: objects, items and events of a stack."""

from typing import Any

from local.stack import Stack

SECONDS = 180


def is_done(stack: Stack, receipt: str) -> bool:
    keys = below(stack, receipt)
    return bool(keys) and b'"done"' in stack.s3.get_object(Bucket=stack.bucket, Key=receipt)["Body"].read()


def put(stack: Stack, key: str, body: bytes) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key=key, Body=body)


def below(stack: Stack, prefix: str) -> list[str]:
    objects = stack.s3.list_objects_v2(Bucket=stack.bucket, Prefix=prefix).get("Contents", [])
    return [each["Key"] for each in objects]


def items_of(stack: Stack, customer: str) -> list[Any]:
    pages = stack.dynamodb.get_paginator("query").paginate(
        TableName=stack.table,
        KeyConditionExpression="pk = :key",
        ExpressionAttributeValues={":key": {"S": f"customer#{customer}"}},
    )
    return [item for page in pages for item in page["Items"]]


def events_stored(stack: Stack, customer: str) -> int:
    key: Any = {"pk": {"S": f"customer#{customer}"}, "sk": {"S": "profile"}}
    item = stack.dynamodb.get_item(TableName=stack.table, Key=key).get("Item", {"events": {"N": "0"}})
    return int(item["events"]["N"])
