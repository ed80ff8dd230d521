"""The local AWS runs builds: their commands, on their source, with the rights of their role, and ends as they end."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.emulator import Emulator, emulator
from tests.e2e.conftest import wait_until

pytestmark = pytest.mark.e2e

ROLE = "builds"
TRUST = {"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}
MAY = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "*"}
WRITE = "import boto3; boto3.client('s3').put_object(Bucket='places', Key='{}', Body=b'')"


@pytest.fixture(scope="module")
def aws() -> Iterator[Emulator]:
    with emulator() as started:
        client(started, "s3").create_bucket(Bucket="places")
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w") as archive:
            archive.writestr("hello.txt", "hello from the source\n")
        client(started, "s3").put_object(Bucket="places", Key="source.zip", Body=written.getvalue())
        iam = client(started, "iam")
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=policy(TRUST))
        written_below = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::places/allowed/*"}
        iam.put_role_policy(RoleName=ROLE, PolicyName="p", PolicyDocument=policy(MAY, written_below))
        yield started


def policy(*statements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def client(aws: Emulator, service: str) -> Any:
    return aws.session.client(service, endpoint_url=aws.endpoint)  # type: ignore[call-overload]


def start(aws: Emulator, name: str, phases: dict[str, Any], source: str = "places/source.zip") -> str:
    codebuild = client(aws, "codebuild")
    codebuild.create_project(
        name=name,
        source={"type": "S3", "location": source, "buildspec": json.dumps({"version": 0.2, "phases": phases})},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": "SAID", "value": "a variable"}],
        },
        serviceRole=f"arn:aws:iam::000000000000:role/{ROLE}",
    )
    return str(codebuild.start_build(projectName=name)["build"]["id"])


def build(aws: Emulator, build_id: str) -> Any:
    return client(aws, "codebuild").batch_get_builds(ids=[build_id])["builds"][0]


def ended(aws: Emulator, build_id: str) -> dict[str, str]:
    """How it and its phases ended."""
    wait_until(lambda: build(aws, build_id)["buildStatus"] != "IN_PROGRESS")
    result = build(aws, build_id)
    phases = {phase["phaseType"]: phase.get("phaseStatus", "") for phase in result["phases"]}
    return {**phases, "": result["buildStatus"]}


def log(aws: Emulator, build_id: str) -> list[str]:
    place = build(aws, build_id)["logs"]
    said = client(aws, "logs").get_log_events(logGroupName=place["groupName"], logStreamName=place["streamName"])
    return [event["message"] for event in said["events"]]


def test_commands_are_run_on_the_source_with_variables_and_rights(aws: Emulator) -> None:
    commands = ["cat hello.txt", "export KEPT=1", 'echo "$SAID $KEPT"', f'python -c "{WRITE.format("allowed/a")}"']
    phases = {"install": {"runtime-versions": {"python": 3.13}}, "build": {"commands": commands}}
    build_id = start(aws, "good", phases)
    assert ended(aws, build_id)[""] == "SUCCEEDED"
    assert {"hello from the source", "a variable 1"} <= {*log(aws, build_id)}
    assert client(aws, "s3").head_object(Bucket="places", Key="allowed/a")


def test_what_the_role_may_not_do_fails_the_build_and_what_comes_after_is_not_done(aws: Emulator) -> None:
    commands = [f'python -c "{WRITE.format("forbidden/a")}"', "echo went on"]
    build_id = start(aws, "forbidden", {"build": {"commands": commands}, "post_build": {"commands": ["echo last"]}})
    how = ended(aws, build_id)
    assert (how["BUILD"], how["POST_BUILD"], how[""]) == ("FAILED", "SUCCEEDED", "FAILED")
    said = log(aws, build_id)
    assert "went on" not in said and "last" in said
    assert any("AccessDenied" in line for line in said)


def test_without_what_is_installed_first_nothing_is_built(aws: Emulator) -> None:
    phases = {"install": {"commands": ["false"]}, "build": {"commands": ["echo built"]}}
    build_id = start(aws, "bare", phases)
    assert "BUILD" not in ended(aws, build_id)
    assert build(aws, build_id)["buildStatus"] == "FAILED"


@pytest.mark.parametrize("source", ["places/nothing.zip", "nowhere/source.zip"])
def test_without_its_source_it_fails(aws: Emulator, source: str) -> None:
    build_id = start(aws, source.replace("/", "-").replace(".", "-"), {"build": {"commands": ["true"]}}, source)
    how = ended(aws, build_id)
    assert (how["DOWNLOAD_SOURCE"], how[""]) == ("FAILED", "FAILED")


def test_another_python_than_asked_for_is_none(aws: Emulator) -> None:
    build_id = start(aws, "older", {"install": {"runtime-versions": {"python": 3.12}}})
    assert ended(aws, build_id)["INSTALL"] == "FAILED"


def test_a_build_is_stopped_with_all_that_it_started(aws: Emulator) -> None:
    commands = ["sleep 300 &", "echo begun", "sleep 300", "echo over"]
    build_id = start(aws, "long", {"build": {"commands": commands}})
    wait_until(lambda: "begun" in log(aws, build_id))
    with pytest.raises(ClientError, match="AccountLimitExceeded"):
        client(aws, "codebuild").start_build(projectName="long")
    client(aws, "codebuild").stop_build(id=build_id)
    assert ended(aws, build_id)[""] == "STOPPED"
    # The log ends with the last process that could write to it.
    wait_until(lambda: build(aws, build_id)["currentPhase"] == "COMPLETED")
    assert "over" not in log(aws, build_id)
