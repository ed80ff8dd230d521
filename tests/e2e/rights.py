"""The rights of a deployed stack: what each role may do, what was done with it, and what must be refused."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

from local.emulator import REGION
from local.stack import STACK_NAME, Stack

REFUSALS = {"AccessDenied", "AccessDeniedException", "403", "Forbidden"}
type Uses = set[tuple[str, str]]
"""Roles by their names in the template, and actions."""


def client(stack: Stack, service: str) -> Any:
    return stack.emulator.session.client(service, endpoint_url=stack.endpoint)  # type: ignore[call-overload]


def resources(stack: Stack, kind: str | None = None) -> dict[str, str]:
    """Physical ids by logical ones."""
    pages = client(stack, "cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
    summaries = [summary for page in pages for summary in page["StackResourceSummaries"]]
    return {
        summary["LogicalResourceId"]: summary["PhysicalResourceId"]
        for summary in summaries
        if kind in (None, summary["ResourceType"])
    }


def functions_roles(stack: Stack) -> dict[str, str]:
    """Names of the functions' roles by their logical ids."""
    functions = {name.removesuffix("Function") for name in resources(stack, "AWS::Lambda::Function")}
    roles = resources(stack, "AWS::IAM::Role")
    return {name: roles[name] for name in roles if name.removesuffix("Role") in functions}


def builds_roles(stack: Stack) -> dict[str, str]:
    """The same of projects that are built."""
    projects = {name.removesuffix("Project") for name in resources(stack, "AWS::CodeBuild::Project")}
    roles = resources(stack, "AWS::IAM::Role")
    return {name: roles[name] for name in roles if name.removesuffix("Role") in projects}


def policies(stack: Stack, role: str) -> list[dict[str, Any]]:
    """The policies of a role."""
    iam = client(stack, "iam")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]


def allowed(stack: Stack, roles: Mapping[str, str] | None = None) -> Uses:
    """What the functions' roles may do, or what others may."""
    uses: Uses = set()
    for name, role in (roles or functions_roles(stack)).items():
        for statement in (each for document in policies(stack, role) for each in document["Statement"]):
            assert statement["Effect"] == "Allow"
            actions = statement["Action"]
            uses |= {(name, action) for action in ([actions] if isinstance(actions, str) else actions)}
    return uses


def used(stack: Stack, roles: Mapping[str, str] | None = None) -> Uses:
    """What they did, as the local AWS checked it."""
    names = {role: name for name, role in (roles or functions_roles(stack)).items()}
    checks = map(json.loads, stack.emulator.access.read_text().splitlines())
    who = ((str(check["who"]).split("/"), check) for check in checks if check["allowed"])
    return {(names[part], check["action"]) for parts, check in who for part in parts if part in names}


class Caller:
    """A user with exactly the policies of a role."""

    def __init__(self, stack: Stack, role: str) -> None:
        iam = client(stack, "iam")
        name = f"as-{role}"[:64]
        iam.create_user(UserName=name)
        for number, document in enumerate(policies(stack, role)):
            iam.put_user_policy(UserName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self._session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=REGION)
        self._endpoint = stack.endpoint

    def is_refused(self, service: str, attempt: Callable[[Any], object]) -> bool:
        """Whether AWS refuses an attempt for want of a right."""
        try:
            attempt(self._session.client(service, endpoint_url=self._endpoint))  # type: ignore[call-overload]
        except ClientError as error:
            return error.response["Error"]["Code"] in REFUSALS
        return False
