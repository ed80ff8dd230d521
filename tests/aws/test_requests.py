"""Requests whose values are not looked at one by one are those that would be sent anyway."""

from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

from bench.table_stub import TableStub
from shared.aws.requests import UNCHECKED
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import ProfileTable
from tests.conftest import TABLE


def sent_by(config: Config | None) -> list[Any]:
    """What the table's client sends where a profile is read, written and written again."""
    client: Any = boto3.client("dynamodb", config=config)
    table = TableStub()
    bodies = []

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        bodies.append((request.headers["X-Amz-Target"], request.body))
        target: Any = request.headers["X-Amz-Target"]
        operation = target.decode().partition(".")[2]
        content: Any = table.answer(operation, request.body)  # type: ignore[arg-type]
        raw: Any = type("Raw", (), {"stream": lambda *_, **__: iter([content]), "read": lambda *_: content})()
        headers: Any = {"Content-Type": "application/x-amz-json-1.0"}
        return AWSResponse(str(request.url), 200, headers, raw)

    client.meta.events.register("before-send", answer)
    profiles = ProfileTable(client, "profiles")
    for version in (1, 2):
        profiles.load(["customer#a", "customer#b"])
        profiles.save([StoredProfile("customer#a", version, b"state" * version, version, None)])
    return bodies


def test_they_are_the_same_to_the_byte() -> None:
    checked = sent_by(None)
    assert len(checked) >= 4 and sent_by(UNCHECKED) == checked


def test_what_is_none_of_its_types_dynamodb_refuses(dynamodb: object) -> None:
    wrong: Any = {"TableName": TABLE, "Key": {"pk": {"S": 5}}}
    with pytest.raises(ParamValidationError):
        boto3.client("dynamodb").get_item(**wrong)
    with pytest.raises(ClientError):
        boto3.client("dynamodb", config=UNCHECKED).get_item(**wrong)
