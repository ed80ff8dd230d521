"""A deployed stack, found by its name, and what the commands that look after it share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

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
        self.name, self._session = name, session

    def resource(self, logical_id: str) -> str:
        """The physical id of a resource. Raises OperationError if the stack has none of that name."""
        try:
            return self._resources[logical_id]
        except KeyError:
            raise OperationError(f"stack {self.name} has no {logical_id}: was it deployed by this release?") from None

    def client(self, service: str) -> Any:
        """A client of a service."""
        return self._session.client(service)

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
    def _resources(self) -> dict[str, str]:
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        found = (summary for page in pages for summary in page["StackResourceSummaries"])
        return {summary["LogicalResourceId"]: summary.get("PhysicalResourceId", "") for summary in found}


def say(*lines: str) -> None:
    """Lines to standard output."""
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def parser(module: str, description: str) -> argparse.ArgumentParser:
    """The command line of a module, which names the stack."""
    made = argparse.ArgumentParser(prog=f"python -m operations.{module}", description=description)
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
