"""A customer erased through the API of a deployed stack, where every function has its own rights alone."""

import codecs
import gzip
import json
from typing import Any

import pytest

from local.stack import Stack
from tests.e2e.conftest import members, wait_until
from tests.e2e.journeys import Journeys
from tests.support.event_files import ndjson, parquet, purchase

pytestmark = pytest.mark.e2e

ERASE_SECONDS = 120
WHO = "to-be-forgotten"
EXPORTS = {
    "excel.csv": codecs.BOM_UTF8 + f"segment;customer_id\r\n2;{WHO}\r\n2;to-be-kept\r\n".encode(),
    "rows.ndjson": ndjson([{"customer_id": WHO}, {"customer_id": "to-be-kept"}]),
    "rows.parquet": parquet([{"customer_id": WHO}, {"customer_id": "to-be-kept"}]),
    "broken.csv.gz": gzip.compress(b"customer_id\n" * 1_000)[:30],
    "notes.txt": f"Call {WHO}.".encode(),
}


def events(customer: str) -> list[dict[str, Any]]:
    device = f"phone-of-{customer}"
    return [
        *(purchase(customer, number, day=number + 1) for number in range(12)),
        {**purchase(customer, 20), "anonymous_id": device},
        {**purchase(device, 21), "customer_id": None, "anonymous_id": device},
        {**purchase(customer, 22), "price": -1},
    ]


def bytes_of(stack: Stack, prefix: str) -> bytes:
    """All objects below the prefix, those that others left there included."""
    pages = stack.s3.get_paginator("list_objects_v2").paginate(Bucket=stack.bucket, Prefix=prefix)
    keys = [listed["Key"] for page in pages for listed in page.get("Contents", ())]
    return b"\n".join(stack.s3.get_object(Bucket=stack.bucket, Key=key)["Body"].read() for key in keys)


def items_about(stack: Stack, text: str) -> list[str]:
    pages = stack.dynamodb.get_paginator("scan").paginate(TableName=stack.table)
    items = (json.dumps(item, default=repr) for page in pages for item in page["Items"])
    return [item for item in items if text in item]


def test_an_erased_customer_is_gone_and_stays_so_when_the_file_comes_again(stack: Stack) -> None:
    journeys = Journeys(stack)
    body = ndjson([*events(WHO), *events("to-be-kept")])
    broken = f'{{"customer_id": "{WHO}", \n'.encode()
    for name, content in EXPORTS.items():
        stack.s3.put_object(Bucket=stack.bucket, Key=f"exports/erasure/{name}", Body=content)
    stack.s3.put_object(Bucket=stack.bucket, Key="events/erasure-1.ndjson", Body=body + broken)
    wait_until(lambda: stack.api_get(f"/customers/{WHO}/segment")[0] == 200, ERASE_SECONDS)
    wait_until(lambda: stack.api_get(f"/customers/{WHO}/history")[1].get("transitions"))
    wait_until(lambda: WHO in members(stack, 2))
    assert WHO.encode() in bytes_of(stack, "quarantine/events/erasure-1.ndjson/")

    status, answer = stack.api("DELETE", f"/customers/{WHO}")
    assert status == 202
    wait_until(lambda: stack.api_get(f"/customers/{WHO}/segment")[0] == 404)
    wait_until(lambda: stack.api_get(f"/customers/{WHO}/history")[0] == 404)
    wait_until(lambda: b'"done"' in bytes_of(stack, answer["receipt"]), ERASE_SECONDS)
    receipt = json.loads(bytes_of(stack, answer["receipt"]))
    assert (receipt["customers"], receipt["visitors"], receipt["lines"]) == (1, 1, 2 + 3)
    assert {*receipt["not_searched"]} >= {"exports/erasure/notes.txt", "exports/erasure/broken.csv.gz"}
    stack.s3.delete_object(Bucket=stack.bucket, Key="exports/erasure/notes.txt")
    left = bytes_of(stack, "exports/erasure/")
    assert WHO.encode() not in left and left.count(b"to-be-kept") >= 3
    assert WHO not in json.dumps(receipt)

    stack.s3.put_object(Bucket=stack.bucket, Key="events/erasure-1.ndjson", Body=body)
    late = {**purchase(WHO, 99, day=20), "anonymous_id": "another-phone"}
    assert stack.api("POST", "/events", {"events": [late, purchase("to-be-kept", 99, day=20)]})[0] == 202
    wait_until(lambda: events_of(stack, "to-be-kept") == 14)
    assert items_about(stack, WHO) == []
    assert WHO.encode() not in bytes_of(stack, "quarantine/")
    assert {WHO, "to-be-kept"} & {*members(stack, 2)} == {"to-be-kept"}
    wait_until(lambda: any(moved["cause"] == "erasure" for moved in journeys.of(WHO)))
    wait_until(lambda: stack.api_get("/segments")[1]["segments"][2]["size"] == len(members(stack, 2)))


def events_of(stack: Stack, customer: str) -> int:
    key: Any = {"pk": {"S": f"customer#{customer}"}, "sk": {"S": "profile"}}
    return int(stack.dynamodb.get_item(TableName=stack.table, Key=key)["Item"]["events"]["N"])
