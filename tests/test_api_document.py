"""The OpenAPI document against the template: what it leads to must be there, and open to it alone."""

import importlib
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.document import document
from tests.functions.conftest import Context
from tests.template import template

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

METHODS = ("get", "post", "put", "delete")
OPERATIONS = [
    (path, method, operation)
    for path, operations in document()["paths"].items()
    for method, operation in operations.items()
]


def function_of(operation: Any) -> str:
    uri: str = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
    return uri.partition("functions/${")[2].partition(".Arn}")[0]


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_call_leads_to_a_function_that_the_api_may_invoke(path: str, method: str, operation: Any) -> None:
    resources = template()["Resources"]
    allowed = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::Lambda::Permission"]
    assert resources[function_of(operation)]["Type"] == "AWS::Serverless::Function"
    assert [one for one in allowed if one["FunctionName"] == {"Ref": function_of(operation)}]


@pytest.mark.parametrize(("path", "method", "operation"), [found for found in OPERATIONS if found[1] in METHODS])
def test_every_call_needs_a_caller(path: str, method: str, operation: Any) -> None:
    assert operation.get("security", document()["security"]) == [{"caller": []}]


def test_every_answer_of_the_gateway_itself_is_an_error_as_the_functions_give_it() -> None:
    answers = document()["x-amazon-apigateway-gateway-responses"]
    assert {"DEFAULT_4XX", "DEFAULT_5XX"} <= answers.keys()
    for answer in answers.values():
        filled = answer["responseTemplates"]["application/json"].replace("$context.error.messageString", '"why"')
        assert json.loads(filled)["error"].keys() == {"code", "message"}


def test_conditions_of_the_document_are_in_the_template() -> None:
    used = {part for part in ("HasAllowedOrigin", "HasUserPool") if part in json.dumps(document())}
    assert used <= template()["Conditions"].keys()


@pytest.mark.parametrize("name", ["lookup_customer", "browse_segments", "accept_events"])
def test_a_browser_may_ask_from_the_allowed_origin_and_no_other(
    s3: "S3Client", dynamodb: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    boto3.client("secretsmanager").create_secret(Name="cursors", SecretString="a secret")
    monkeypatch.setenv("ALLOWED_ORIGIN", "https://shop.example")
    app = importlib.reload(importlib.import_module(f"functions.{name}.app"))
    path = next(path for path, _, operation in OPERATIONS if name.split("_")[0].capitalize() in function_of(operation))
    request = {"resource": path, "path": path, "httpMethod": "OPTIONS", "requestContext": {"requestId": "r"}}
    for origin, expected in (("https://shop.example", "https://shop.example"), ("https://other.example", None)):
        answer = app.handler({**request, "headers": {"Origin": origin}}, Context())
        headers = {key.lower(): value for key, value in answer.get("multiValueHeaders", {}).items()}
        assert answer["statusCode"] == 204
        assert headers.get("access-control-allow-origin", [None])[0] == expected
    monkeypatch.delenv("ALLOWED_ORIGIN")
    importlib.reload(app)
