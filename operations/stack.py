"""A deployed stack, found by its name, and what the commands that look after it share."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

BAD_INPUT, UNFINISHED = 2, 1


class OperationError(Exception):
    """What was asked cannot be done; the message says why and what to do."""


class DeployedStack:
    """Resources of a stack of CloudFormation by the names that template.yaml gives them, and clients."""

    def __init__(self, name: str, session: Any = boto3) -> None:
        self.name = name
        self._session = session

    def resource(self, logical_id: str) -> str:
        """The physical id of a resource. Raises OperationError if the stack has none of that name."""
        try:
            return self.resources[logical_id]
        except KeyError:
            raise OperationError(f"stack {self.name} has no {logical_id}: was it deployed by this release?") from None

    def client(self, service: str, config: Config | None = None) -> Any:
        """A client of a service."""
        return self._session.client(service, config=config)

    @property
    def mark_secret(self) -> bytes:
        """What the keys of marks are hashed under."""
        secret = self.client("secretsmanager").get_secret_value(SecretId=self.resource("MarkSecret"))
        return str(secret["SecretString"]).encode()

    def of_type(self, kind: str) -> list[str]:
        """The physical ids of all resources of a type."""
        return [self.resources[name] for name, own_kind in self._kinds.items() if own_kind == kind]

    @property
    def parameters(self) -> dict[str, str]:
        """The stack's parameters as it was deployed last."""
        (stack,) = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in stack["Parameters"]}

    def update(self, changes: Mapping[str, str]) -> None:
        """Deploys the stack again with other parameters, everything else as it is, and waits until that is done.

        Raises OperationError and ClientError.
        """
        known = self.parameters
        if unknown := changes.keys() - known.keys():
            raise OperationError(
                f"stack {self.name} has no parameter {', '.join(sorted(unknown))}: deploy this release"
            )
        client = self.client("cloudformation")
        same = [{"ParameterKey": name, "UsePreviousValue": True} for name in known.keys() - changes.keys()]
        other = [{"ParameterKey": name, "ParameterValue": value} for name, value in changes.items()]
        if {**known, **changes} != known:
            client.update_stack(
                StackName=self.name,
                UsePreviousTemplate=True,
                Parameters=[*same, *other],
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            )
        try:
            client.get_waiter("stack_update_complete").wait(
                StackName=self.name, WaiterConfig={"Delay": 5, "MaxAttempts": 720}
            )
        except WaiterError as error:
            raise OperationError(f"stack {self.name} could not be updated; its events say why") from error
        for name in ("_summaries", "resources", "_kinds"):
            self.__dict__.pop(name, None)

    def timeout(self, logical_id: str) -> float:
        """The seconds that a function may take."""
        configuration = self.client("lambda").get_function_configuration(FunctionName=self.resource(logical_id))
        return float(configuration["Timeout"])

    def begin(self, logical_id: str, given: Mapping[str, Any]) -> str:
        """Starts a run of a state machine; its ARN, which ends with its name."""
        started = self.client("stepfunctions").start_execution(
            stateMachineArn=self.resource(logical_id), input=json.dumps(given)
        )
        return str(started["executionArn"])

    def end_of(self, execution: str, poll_seconds: float) -> Mapping[str, Any]:
        """What became of a run, once it has ended; a terminal is told meanwhile for how long it has been waited for."""
        client = self.client("stepfunctions")
        begun = time.monotonic()
        while (state := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
            if sys.stdout.isatty():
                sys.stdout.write(f"\rrunning for {time.monotonic() - begun:.0f} s ")
                sys.stdout.flush()
            time.sleep(poll_seconds)
        return state  # type: ignore[no-any-return]

    def execute(self, logical_id: str, given: Mapping[str, Any], poll_seconds: float) -> str:
        """Runs a state machine to its end; its status then, or the error's name where it has one of its own."""
        ended = self.end_of(self.begin(logical_id, given), poll_seconds)
        return str(ended.get("error") or ended["status"])

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """DynamoDB client."""
        return self._session.client("dynamodb")  # type: ignore[no-any-return]

    @cached_property
    def s3(self) -> S3Client:
        """S3 client."""
        return self._session.client("s3")  # type: ignore[no-any-return]

    @cached_property
    def sqs(self) -> SQSClient:
        """SQS client."""
        return self._session.client("sqs")  # type: ignore[no-any-return]

    @cached_property
    def _summaries(self) -> list[Any]:
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        return [summary for page in pages for summary in page["StackResourceSummaries"]]

    @cached_property
    def resources(self) -> dict[str, str]:
        """All physical ids by logical ones."""
        return {one["LogicalResourceId"]: one.get("PhysicalResourceId", "") for one in self._summaries}

    @cached_property
    def _kinds(self) -> dict[str, str]:
        return {one["LogicalResourceId"]: one["ResourceType"] for one in self._summaries}


def say(*lines: str) -> None:
    """Lines to standard output."""
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def parser(prog: str, description: str) -> argparse.ArgumentParser:
    """The command line of a command, which names the stack."""
    made = argparse.ArgumentParser(prog=prog, description=description)
    made.add_argument("--stack", default="tessera", metavar="NAME", help="the stack's name; default: %(default)s")
    return made


def run(
    command: Callable[[DeployedStack, argparse.Namespace], int],
    parsed: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
) -> int:
    """Runs a command on the stack that is named; its exit status is 2, with one line, where AWS or the input refuses.

    `arguments` are the process's own where they are None.
    """
    given = parsed.parse_args(arguments)
    try:
        return command(DeployedStack(given.stack), given)
    except (OperationError, ClientError, BotoCoreError) as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return BAD_INPUT
