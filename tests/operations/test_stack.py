"""A deployed stack by the names of the template."""

import argparse
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from operations.stack import BAD_INPUT, DeployedStack, OperationError, parser, run


class Session:
    """CloudFormation with one stack, and Step Functions with one run."""

    def __init__(self, **parameters: str) -> None:
        self.parameters = parameters
        self.updates = list[dict[str, Any]]()
        self.listings = 0
        self.run: dict[str, str] = {"status": "SUCCEEDED"}

    def client(self, service: str, config: Any = None) -> Any:
        return self

    def get_paginator(self, name: str) -> Any:
        self.listings += 1
        kinds = {"DataBucket": "AWS::S3::Bucket", "IngestQueue": "AWS::SQS::Queue"}
        summaries = [
            {"LogicalResourceId": name, "PhysicalResourceId": f"the-{name}", "ResourceType": kind}
            for name, kind in kinds.items()
        ]
        return SimpleNamespace(paginate=lambda StackName: [{"StackResourceSummaries": summaries}])

    def describe_stacks(self, StackName: str) -> Any:
        pairs = [{"ParameterKey": name, "ParameterValue": value} for name, value in self.parameters.items()]
        return {"Stacks": [{"Parameters": pairs}]}

    def update_stack(self, **request: Any) -> None:
        self.updates.append(request)

    def get_waiter(self, name: str) -> Any:
        return SimpleNamespace(wait=lambda **_: None)

    def start_execution(self, **_: Any) -> dict[str, str]:
        return {"executionArn": "arn:run"}

    def describe_execution(self, executionArn: str) -> dict[str, str]:
        return self.run


def test_resources_have_the_names_of_the_template() -> None:
    stack = DeployedStack("tessera", Session())
    assert stack.resource("DataBucket") == "the-DataBucket"
    assert stack.of_type("AWS::SQS::Queue") == ["the-IngestQueue"]


def test_a_resource_of_another_release_is_named() -> None:
    with pytest.raises(OperationError, match="stack tessera has no Later: was it deployed by this release"):
        DeployedStack("tessera", Session()).resource("Later")


def test_an_update_changes_one_parameter_and_looks_at_the_resources_anew() -> None:
    session = Session(TableEpoch="", Currency="EUR")
    stack = DeployedStack("tessera", session)
    stack.resource("DataBucket")
    stack.update({"TableEpoch": "7"})
    [update] = session.updates
    assert {"ParameterKey": "TableEpoch", "ParameterValue": "7"} in update["Parameters"]
    assert {"ParameterKey": "Currency", "UsePreviousValue": True} in update["Parameters"]
    stack.resource("DataBucket")
    assert session.listings == 2


def test_an_update_that_changes_nothing_is_not_sent() -> None:
    session = Session(TableEpoch="7")
    DeployedStack("tessera", session).update({"TableEpoch": "7"})
    assert session.updates == []


def test_a_parameter_that_the_stack_lacks_is_named() -> None:
    with pytest.raises(OperationError, match="has no parameter TableEpoch"):
        DeployedStack("tessera", Session()).update({"TableEpoch": "7"})


@pytest.mark.parametrize(
    ("ended", "status"),
    [({"status": "SUCCEEDED"}, "SUCCEEDED"), ({"status": "FAILED", "error": "NothingToDo"}, "NothingToDo")],
)
def test_a_run_ends_by_its_status_or_its_own_error(ended: dict[str, str], status: str) -> None:
    session = Session()
    session.run = ended
    assert DeployedStack("tessera", session).execute("DataBucket", {}, 0.0) == status


@pytest.mark.parametrize(
    "error", [OperationError("it cannot\nbe done"), ClientError({"Error": {"Message": "no"}}, "GetObject")]
)
def test_what_cannot_be_done_is_one_line_and_status_2(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    def command(_stack: DeployedStack, _given: argparse.Namespace) -> int:
        raise error

    assert run(command, parser("status", "Say how it is."), []) == BAD_INPUT
    assert capsys.readouterr().err.startswith("error: ")
