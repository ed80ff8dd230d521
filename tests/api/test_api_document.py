"""The OpenAPI document against the template: what it leads to must be there, and open to it alone."""

import importlib
import json
import re
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from local.api_document import imported
from tests.functions.conftest import Context
from tests.support.document import document
from tests.support.template import template

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

METHODS = ("get", "post", "put", "delete")
OPERATIONS = [
    (path, method, operation)
    for path, operations in document()["paths"].items()
    for method, operation in operations.items()
]


def references(node: Any) -> set[str]:
    """All that a part of the document refers to."""
    match node:
        case {"$ref": str(reference)}:
            return {reference}
        case dict():
            return set().union(*map(references, node.values()))
        case list():
            return set().union(*map(references, node))
    return set()


def test_what_api_gateway_imports_refers_to_schemas_alone() -> None:
    schemas = {f"#/components/schemas/{name}" for name in document()["components"]["schemas"]}
    assert references(document()) <= schemas


def test_an_answer_said_once_stands_wherever_it_is_referred_to() -> None:
    text = """
    paths: {/a: {get: {responses: {"404": {$ref: "#/components/responses/NotFound"}}}}}
    components: {responses: {NotFound: {description: gone}}, schemas: {}}
    """
    whole = {"paths": {"/a": {"get": {"responses": {"404": {"description": "gone"}}}}}, "components": {"schemas": {}}}
    assert imported(text) == whole


def function_of(operation: Any) -> str:
    uri: str = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
    return uri.partition("functions/${")[2].partition(".Arn}")[0]


CALLS = [call for call in OPERATIONS if call[1] in METHODS]
PUBLIC = {"getDashboard": "/dashboard", "getDashboardFile": "/dashboard/{asset}"}
"""Operations for whoever comes, and their paths: files that hold no data (tests/functions/test_serve_dashboard.py)."""
OF_CALLERS = [call for call in CALLS if call[2]["operationId"] not in PUBLIC]


@pytest.mark.parametrize(("path", "method", "operation"), CALLS)
def test_every_call_leads_to_a_function_that_the_api_may_invoke(path: str, method: str, operation: Any) -> None:
    resources = template()["Resources"]
    allowed = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::Lambda::Permission"]
    assert resources[function_of(operation)]["Type"] == "AWS::Serverless::Function"
    assert [one for one in allowed if one["FunctionName"] == {"Ref": function_of(operation)}]


@pytest.mark.parametrize("path", document()["paths"])
def test_a_browser_that_asks_beforehand_wakes_no_function(path: str) -> None:
    operations = document()["paths"][path]
    asked = operations["options"]
    integration = asked["x-amazon-apigateway-integration"]
    assert (integration["type"], asked["security"]) == ("mock", [])
    (answer,) = integration["responses"].values()
    values = {name.rpartition(".")[2]: value for name, value in answer["responseParameters"].items()}
    assert values.keys() == asked["responses"][answer["statusCode"]]["headers"].keys()
    allowed = ",".join(method.upper() for method in operations if method in METHODS)
    assert values["Access-Control-Allow-Methods"] == f"'{allowed}'"
    origin, otherwise = values["Access-Control-Allow-Origin"]["Fn::If"][1:]
    assert (origin, otherwise) == ({"Fn::Sub": "'${AllowedOrigin}'"}, {"Ref": "AWS::NoValue"})


@pytest.mark.parametrize(("path", "method", "operation"), OF_CALLERS)
def test_every_call_needs_a_caller(path: str, method: str, operation: Any) -> None:
    assert operation.get("security", document()["security"]) == [{"caller": []}]


def test_the_page_alone_needs_none_and_its_function_may_read_nothing() -> None:
    public = {operation["operationId"]: path for path, _, operation in CALLS if operation.get("security") == []}
    assert public == PUBLIC
    assert {function_of(operation) for path, _, operation in CALLS if path in PUBLIC.values()} == {
        "ServeDashboardFunction"
    }
    (policy,) = template()["Resources"]["ServeDashboardRole"]["Properties"]["Policies"]
    actions = [action for one in policy["PolicyDocument"]["Statement"] for action in one["Action"]]
    assert {action.partition(":")[0] for action in actions} == {"logs", "xray"}


def test_every_answer_of_the_gateway_itself_is_an_error_as_the_functions_give_it() -> None:
    answers = document()["x-amazon-apigateway-gateway-responses"]
    assert {"DEFAULT_4XX", "DEFAULT_5XX"} <= answers.keys()
    for answer in answers.values():
        filled = answer["responseTemplates"]["application/json"].replace("$context.error.messageString", '"why"')
        assert json.loads(filled)["error"].keys() == {"code", "message"}


def test_conditions_of_the_document_are_in_the_template() -> None:
    used = {part for part in ("HasAllowedOrigin", "HasUserPool") if part in json.dumps(document())}
    assert used <= template()["Conditions"].keys()


def ask(operation: Any, path: str, method: str, **more: Any) -> Any:
    """The answer of a function in a new container to a call that brings nothing."""
    module = re.sub(r"(?<!^)(?=[A-Z])", "_", function_of(operation).removesuffix("Function")).lower()
    app = importlib.reload(importlib.import_module(f"functions.{module}.app"))
    request = {"resource": path, "path": path, "httpMethod": method.upper(), "headers": {}, "body": None, **more}
    return app.handler({"requestContext": {"requestId": "r"}, **request}, Context())


@pytest.fixture
def shop(s3: "S3Client", dynamodb: "DynamoDBClient") -> None:
    boto3.client("secretsmanager").create_secret(Name="cursors", SecretString="a secret")
    boto3.client("sqs").create_queue(QueueName="erasures")


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(("path", "method", "operation"), CALLS)
def test_a_page_may_read_answers_from_the_allowed_origin_and_no_other(
    monkeypatch: pytest.MonkeyPatch, path: str, method: str, operation: Any
) -> None:
    monkeypatch.setenv("ALLOWED_ORIGIN", "https://shop.example")
    for origin, expected in (("https://shop.example", "https://shop.example"), ("https://other.example", None)):
        answer = ask(operation, path, method, headers={"Origin": origin})
        headers = {key.lower(): value for key, value in answer.get("multiValueHeaders", {}).items()}
        assert headers.get("access-control-allow-origin", [None])[0] == expected


RIGHTS = {"get": "tessera-read", "post": "tessera-write", "delete": "tessera-erase", "put": "tessera-write"}
OTHER_RIGHTS = {
    "previewAudience": "tessera-read",
    "deleteAudience": "tessera-write",
    "getQuarantinedLines": "tessera-operator",
    "rollBackModel": "tessera-operator",
}
"""Of operations that the method does not tell."""
ROLES = {
    "viewer": {"tessera-read"},
    "marketer": {"tessera-read", *(f"{name}Audience" for name in ("put", "delete"))},
    "operator": {"tessera-read", "tessera-write", "tessera-erase", "tessera-operator"},
}
"""What people may: all that takes these groups, and these operations."""


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("path", "method", "operation"), OF_CALLERS)
def test_what_people_may_is_what_their_role_is_for(
    monkeypatch: pytest.MonkeyPatch, role: str, path: str, method: str, operation: Any
) -> None:
    monkeypatch.setenv("CALLERS", "users")
    authorizer = {"claims": {"cognito:groups": f"tessera-{role}"}}
    answer = ask(operation, path, method, requestContext={"requestId": "r", "authorizer": authorizer})
    need = OTHER_RIGHTS.get(operation["operationId"], RIGHTS[method])
    assert (answer["statusCode"] != 403) == bool({need, operation["operationId"]} & ROLES[role])


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(("path", "method", "operation"), OF_CALLERS)
def test_of_a_user_pool_only_members_of_the_group_for_it_are_answered(
    monkeypatch: pytest.MonkeyPatch, path: str, method: str, operation: Any
) -> None:
    monkeypatch.setenv("CALLERS", "users")

    def answered(authorizer: Any) -> bool:
        answer = ask(operation, path, method, requestContext={"requestId": "r", "authorizer": authorizer})
        refused = answer["statusCode"] == 403 and json.loads(answer["body"])["error"]["code"] == "access_denied"
        return not refused

    need = OTHER_RIGHTS.get(operation["operationId"], RIGHTS[method])
    others = " ".join({*RIGHTS.values()} - {need})
    for groups in ("", others, f"{need}s", need.upper(), f"x{need}", f"[{others}]"):
        assert not answered({"claims": {"sub": need, "cognito:groups": groups}})
    for claims in (None, {}, {"claims": None}, {"claims": {"sub": "7", "custom:groups": need}}):
        assert not answered(claims)
    for groups in (need, f"staff,{need}", f"[staff {need}]", f"{need} staff"):
        assert answered({"claims": {"cognito:groups": groups}})
    monkeypatch.setenv("CALLERS", "roles")
    assert answered(None)
