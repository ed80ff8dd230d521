"""A stack of more customers than a size has Spark learn from them, by a job with a role of its own."""

import json
import shutil
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from local.emulator import ROOT
from local.stack import Stack, local_stack
from tests.e2e.conftest import wait_until
from tests.e2e.rights import Caller, allowed, builds_roles, client, resources, used
from tests.e2e.test_learning import (
    CLOCK,
    SECONDS,
    UNASKED,
    builds,
    credentials,
    current,
    ended,
    hear,
    heard,
    installed,
    log,
    report,
    start,
    trained,
)
from tests.e2e.test_time import decided
from tests.support.event_files import ndjson
from tests.support.shop import shop_events
from training.registry import packed
from training.registry.published import Registry

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.drill,
    pytest.mark.skipif(not (ROOT / ".venv-spark/.ready").exists(), reason="Spark is not installed: `make spark`"),
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java 17 or later"),
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Trained on a shop that is as large as the size from which on Spark learns."""
    model = trained(tmp_path_factory.mktemp("live"))
    everybody = {event["customer_id"] for event in shop_events()}
    with local_stack(clock=CLOCK, RefreshMinutes="60", SparkFromCustomers=str(len(everybody))) as deployed:
        with credentials(deployed), pytest.MonkeyPatch.context() as little:
            installed(deployed, model)
            # What stands for it on the local AWS is there already.
            little.setattr(packed, "write", lambda path, checkout: path.write_bytes(b"an environment"))
            packed.pack(Registry(boto3.client("s3"), deployed.bucket))
        deployed.s3.put_object(Bucket=deployed.bucket, Key="events/shop.ndjson", Body=ndjson(shop_events()))
        wait_until(lambda: len(decided(deployed)) == len(everybody), SECONDS)
        hear(deployed)
        yield deployed


def jobs(stack: Stack) -> list[Any]:
    """All of them."""
    application = resources(stack)["SparkApplication"]
    runs: list[Any] = client(stack, "emr-serverless").list_job_runs(applicationId=application)["jobRuns"]
    return runs


def test_a_build_that_is_killed_while_a_job_learns_follows_it_when_it_is_started_again(stack: Stack) -> None:
    execution = start(stack)
    wait_until(lambda: [job["state"] for job in jobs(stack)] == ["RUNNING"], SECONDS)
    client(stack, "codebuild").stop_build(id=builds(stack)[0]["id"])
    assert ended(stack, execution) == "SUCCEEDED"
    print(log(stack))  # noqa: T201
    assert [build["buildStatus"] for build in builds(stack)] == ["SUCCEEDED", "STOPPED"]
    assert [(job["name"], job["state"]) for job in jobs(stack)] == [(f"learn-{CLOCK[:10]}", "SUCCESS")]
    told = report(stack, CLOCK[:10])
    print(json.dumps(told, indent=1))  # noqa: T201
    assert (told["customers"], told["told"]) == (len(decided(stack)), stack.bus)
    assert (told["bundle_id"] == current(stack)["bundle_id"]) == told["publish"]
    assert [one["detail-type"] for one in heard(stack)] == ["Model Learned" if told["publish"] else "Model Kept"]


def test_what_a_job_learned_from_is_not_learned_from_again(stack: Stack) -> None:
    assert ended(stack, start(stack)) == "SUCCEEDED"
    assert "was learned from before" in log(stack)
    assert len(jobs(stack)) == 1
    assert heard(stack) == []


def roles(stack: Stack) -> dict[str, str]:
    return builds_roles(stack) | {"SparkRole": resources(stack, "AWS::IAM::Role")["SparkRole"]}


def test_what_neither_the_build_nor_its_job_uses_they_may_not_do(stack: Stack) -> None:
    assert allowed(stack, roles(stack)) - used(stack, roles(stack)) == UNASKED
    checks = [json.loads(line) for line in stack.emulator.access.read_text().splitlines()]
    at_work = ("AWSCodeBuild", "EMRServerless")
    denied = [check for check in checks if not check["allowed"] and any(who in str(check["who"]) for who in at_work)]
    assert denied == []


@pytest.fixture(scope="module")
def caller(stack: Stack) -> Caller:
    """Somebody with the rights of a job, once it has had them."""
    return Caller(stack, roles(stack)["SparkRole"])


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("put_object", {"Key": "learning/packed/x/learn.py", "Body": b""}),
        ("get_object", {"Key": "learning/source.zip"}),
        ("get_object", {"Key": "events/shop.ndjson"}),
        ("put_object", {"Key": "exports/states/date=2024-10-27/_manifest.json", "Body": b""}),
        ("delete_object", {"Key": "models/current.json"}),
    ],
)
def test_what_a_job_is_not_for_it_may_not_do(stack: Stack, caller: Caller, method: str, given: dict[str, Any]) -> None:
    assert caller.is_refused("s3", lambda s3: getattr(s3, method)(Bucket=stack.bucket, **given))


def test_a_job_may_not_speak_on_the_bus(stack: Stack, caller: Caller) -> None:
    entry = {"Source": "tessera", "DetailType": "forged", "Detail": "{}", "EventBusName": stack.bus}
    assert caller.is_refused("events", lambda events: events.put_events(Entries=[entry]))
