"""What AWS checks of a request and ministack 1.5.33 does not, and a record of who used which right.

Run by ministack's own Python, never imported by the project:
- a batch of PartiQL statements asks for `dynamodb:PartiQLInsert` and the like, each on its own table;
- a batch of messages to hide asks for the right to hide one;
- `dynamodb:LeadingKeys` are the partition keys that a request names;
- an e-mail asks for the right to the identity that it is sent from, to its template and to its configuration set;
- who may not list a bucket at all is told that an object is forbidden where it is only missing.

Every check is written to the file that ACCESS_RECORD names, one JSON object each, so that tests can say which rights
are used and which only stand in the template.
"""

import json
import os
import re
import threading
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from ministack.core import iam_actions, iam_evaluator, lambda_runtime
from ministack.core.responses import get_region
from ministack.services import s3, ses_v2

LEADING_KEYS = "dynamodb:LeadingKeys"
PARTITION_KEYS = ("pk", "member_of", "due_shard")
"""Of the profile table and its indexes."""
SAME_RIGHT = {"sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility"}
"""Calls that AWS asks another one's right for."""
_STATEMENT = re.compile(r"\s*(INSERT|UPDATE|DELETE|SELECT)\b.*?\"([^\"]+)\"", re.IGNORECASE | re.DOTALL)
_WHERE_KEY = re.compile(r'"pk"\s*=\s*\?')
_EQUALS = re.compile(r"(\w+)\s*=\s*(:\w+)")

_record_lock = threading.Lock()
_enforce = iam_evaluator.enforce
_parse = iam_evaluator.parse_policy_document
_transaction_checks = iam_actions.dynamodb_transaction_checks
_ses_arn = iam_actions._ses_v2_resource_arn
_dynamodb_context = iam_actions.dynamodb_service_context


class _Item(str):
    """The ARN of the table that one part of a transaction or batch is on, and the keys that this part alone names."""

    leading_keys: list[str]


class _Mail(str):
    """The ARN of the identity that e-mails are sent from, and of what else they need the right to."""

    others: list[str]


def install() -> None:
    """Puts the checks in the place of ministack's own, which look each other up when a request comes."""
    iam_actions.dynamodb_transaction_checks = _checks
    iam_actions.dynamodb_service_context = _context
    iam_actions._ses_v2_resource_arn = _mail_arn
    iam_evaluator.enforce = _enforced
    # It parses all policies of a caller anew for each request, some 6 % of what it takes for one.
    iam_evaluator.parse_policy_document = _parsed


def _parsed(document: str | dict[str, Any]) -> Any:
    return _parsed_text(document if isinstance(document, str) else json.dumps(document))


@lru_cache(maxsize=512)
def _parsed_text(document: str) -> Any:
    return _parse(document)


def _mail_arn(method: str, path: str, body: bytes, region: str, account: str) -> str:
    if not path.endswith("/outbound-bulk-emails"):
        return str(_ses_arn(method, path, body, region, account))
    asked = json.loads(body)
    sender = asked["FromEmailAddress"]
    begin = f"arn:aws:ses:{region}:{account}:"
    # An address that is an identity itself stands before its domain.
    identity = sender if sender in ses_v2._identities else sender.partition("@")[2]
    made = _Mail(f"{begin}identity/{identity}")
    names = {
        "template": asked.get("DefaultContent", {}).get("Template", {}).get("TemplateName"),
        "configuration-set": asked.get("ConfigurationSetName"),
    }
    made.others = [f"{begin}{kind}/{name}" for kind, name in names.items() if name]
    return made


def _checks(action: str, body: bytes, region: str, account: str) -> list[tuple[str, str]]:
    asked = json.loads(body or b"{}")
    if action == "dynamodb:BatchExecuteStatement":
        return [_statement(statement, region, account) for statement in asked.get("Statements", ())]
    checks = _transaction_checks(action, body, region, account)
    parts = [part for item in asked.get("TransactItems", ()) for part in item.values()]
    return [(name, _item(arn, _named(part))) for (name, arn), part in zip(checks, parts, strict=False)]


def _statement(statement: Any, region: str, account: str) -> tuple[str, str]:
    parts = _STATEMENT.match(statement["Statement"])
    verb, table = (parts[1].capitalize(), parts[2]) if parts else ("Select", "*")
    values = statement.get("Parameters", [])
    if verb == "Insert":
        names = re.findall(r"'(\w+)'\s*:\s*\?", statement["Statement"])
        key = dict(zip(names, values, strict=False)).get("pk", {})
    else:
        before = _WHERE_KEY.split(statement["Statement"], maxsplit=1)[0]
        key = values[before.count("?")] if before.count("?") < len(values) else {}
    arn = f"arn:aws:dynamodb:{region}:{account}:table/{table}"
    return f"dynamodb:PartiQL{verb}", _item(arn, [*key.values()])


def _item(arn: str, keys: list[str]) -> _Item:
    item = _Item(arn)
    item.leading_keys = keys
    return item


def _context(body: bytes) -> dict[str, Any]:
    return {**_dynamodb_context(body), LEADING_KEYS: [*_all_keys(json.loads(body or b"{}"))]}


def _all_keys(asked: dict[str, Any]) -> Iterator[str]:
    yield from _named(asked)
    for requests in asked.get("RequestItems", {}).values():
        for request in requests.get("Keys", ()) if isinstance(requests, dict) else ():
            yield from _values(request)
        for request in requests if isinstance(requests, list) else ():
            yield from _named(request.get("PutRequest", request.get("DeleteRequest", {})))


def _named(part: dict[str, Any]) -> list[str]:
    """The partition keys that a single request names; of a query, the value that its condition asks for."""
    values = part.get("ExpressionAttributeValues", {})
    equal = dict(_EQUALS.findall(part.get("KeyConditionExpression", "")))
    asked = {name: values.get(place, {}) for name, place in equal.items()}
    return [*_values(part.get("Key", {})), *_values(part.get("Item", {})), *_values(asked)]


def _values(key: dict[str, Any]) -> list[str]:
    """A key names one partition; an item of a table may hold the keys of its indexes as well."""
    names = [name for name in PARTITION_KEYS if name in key][:1]
    return [str(text) for name in names for text in key[name].values()]


def _enforced(
    access_key: str, action: str, service: str, region: str, resource_arn: str = "*", service_context: Any = None
) -> Any:
    action = SAME_RIGHT.get(action, action)
    context = service_context
    if isinstance(resource_arn, _Item):
        context = {**(service_context or {}), LEADING_KEYS: resource_arn.leading_keys}
    for arn in (resource_arn, *(resource_arn.others if isinstance(resource_arn, _Mail) else ())):
        denied = _enforce(access_key, action, service, region, resource_arn=arn, service_context=context)
        keep(access_key, action, arn, denied)
        if denied:
            break
    if not denied and action == "s3:GetObject":
        return _missing_and_not_to_be_told(access_key, region, resource_arn)
    return denied


def _missing_and_not_to_be_told(access_key: str, region: str, resource_arn: str) -> Any:
    bucket, _, key = resource_arn.rpartition(":")[2].partition("/")
    stored = s3._buckets.get(bucket)
    if not stored or key in stored["objects"]:
        return None
    return _enforce(access_key, "s3:ListBucket", "s3", region, resource_arn=f"arn:aws:s3:::{bucket}")


def credentials(role_arn: str, session: str) -> dict[str, str]:
    """Those of a role, as variables of an environment: as functions are given them, for whoever is none."""
    account, role = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    name = {
        "FunctionName": session[:64],
        "FunctionArn": f"arn:aws:lambda:{get_region()}:{account}:function:{role[:64]}",
    }
    return dict(lambda_runtime.execution_credentials({"Role": role_arn, **name}))


def keep(access_key: str, action: str, resource_arn: str, denied: Any) -> None:
    """Writes a check down."""
    path = os.environ.get("ACCESS_RECORD")
    caller = iam_evaluator.resolve_caller_identity(access_key) or {}
    line = {"who": caller.get("userArn"), "action": action, "on": resource_arn, "allowed": not denied}
    if path:
        with _record_lock, Path(path).open("a") as record:
            record.write(json.dumps(line) + "\n")
