"""A stack that learns by itself, with the rights of each role: what is better goes live, and nothing else does."""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.clock import set_clock
from local.stack import Stack, local_stack
from tests.e2e.conftest import wait_until
from tests.e2e.rights import Caller, allowed, builds_roles, client, resources, used
from tests.e2e.test_time import decided
from tests.support.event_files import ndjson
from tests.support.shop import other_events, shop_events
from tests.training.conftest import CONFIG
from training import learn, publish, train
from training.learn import report_key
from training.registry.published import Registry
from training.registry.source import SOURCE_KEY

pytestmark = [pytest.mark.e2e, pytest.mark.drill]

CLOCK = "2024-10-27T12:00:00Z"
NEXT_DAY = "2024-10-28T12:00:00Z"
SECONDS = 240
SABOTAGED = "training/prediction/candidates.py"
"""What is made to train on outcomes that are not its customers'."""
SABOTAGE = b"""

def _of_anybody(fit):
    return lambda task, X, y, *rest: fit(task, X, np.random.default_rng(1).permutation(y), *rest)


CANDIDATES.update({name: _of_anybody(fit) for name, fit in CANDIDATES.items()})
"""
UNASKED = {("LearnRole", action) for action in ("logs:CreateLogStream", "logs:PutLogEvents", "s3:GetObjectVersion")}
"""What CodeBuild does in a project's name, which the local one does without asking."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Trained on one shop, when another, of other habits, has just been added to it."""
    model = trained(tmp_path_factory.mktemp("live"))
    with local_stack(clock=CLOCK, RefreshMinutes="60", LearnSchedule="cron(0 4 ? * SUN *)") as deployed:
        with credentials(deployed):
            installed(deployed, model)
            registry = Registry(boto3.client("s3"), deployed.bucket)
            live = str(registry.live().bundle_id)
            ids = [segment["id"] for segment in registry.manifest(live)["segments"]]
            registry.label(live, {"segments": {str(i): {"name": named(i)} for i in ids}, "actions": {}})
        for name, events in (("shop", shop_events()), ("other", other_events())):
            body = ndjson(events)
            deployed.s3.put_object(Bucket=deployed.bucket, Key=f"events/{name}.ndjson", Body=body)
        everybody = {event["customer_id"] for event in [*shop_events(), *other_events()]}
        wait_until(lambda: len(decided(deployed)) == len(everybody), SECONDS)
        hear(deployed)
        yield deployed


def trained(folder: Path) -> Path:
    """A model of the shop before anything else happened."""
    (folder / "config.toml").write_text(CONFIG)
    (folder / "shop.ndjson").write_bytes(ndjson(shop_events()))
    first = ["--events", str(folder / "shop.ndjson"), "--out", str(folder / "model")]
    assert train.main([*first, "--config", str(folder / "config.toml")]) == 0
    return folder / "model"


def installed(stack: Stack, model: Path) -> None:
    """Makes it the stack's, and gives the stack what it learns by itself with."""
    assert publish.main(["--model", str(model), "--bucket", stack.bucket]) == 0
    assert learn.main(["--bucket", stack.bucket, "--install"]) == 0


def named(segment: int) -> str:
    """What people have called it."""
    return f"Our number {segment}"


@contextmanager
def credentials(stack: Stack) -> Iterator[None]:
    """The administrator's, for as long as a command runs in this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stack.emulator.environment.items():
            patch.setenv(name, value)
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        yield


def hear(stack: Stack) -> None:
    """Keeps what the bus says of learning."""
    url = stack.sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events = client(stack, "events")
    pattern = {"source": ["tessera"], "detail-type": ["Model Learned", "Model Kept", "Learning Failed"]}
    events.put_rule(Name="heard", EventBusName=stack.bus, EventPattern=json.dumps(pattern))
    events.put_targets(Rule="heard", EventBusName=stack.bus, Targets=[{"Id": "q", "Arn": arn}])


def heard(stack: Stack) -> list[dict[str, Any]]:
    """What it has said since it was asked last."""
    url = stack.sqs.get_queue_url(QueueName="heard")["QueueUrl"]
    messages = stack.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        stack.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in messages]


def current(stack: Stack) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        stack.s3.get_object(Bucket=stack.bucket, Key="models/current.json")["Body"].read()
    )
    return content


def report(stack: Stack, day: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(stack.s3.get_object(Bucket=stack.bucket, Key=report_key(day))["Body"].read())
    return content


def runs(stack: Stack) -> list[Any]:
    """Those of the state machine, the latest first."""
    machine = resources(stack)["LearnStateMachine"]
    executions: list[Any] = client(stack, "stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    return sorted(executions, key=lambda run: run["startDate"], reverse=True)


def start(stack: Stack, run: str | None = None) -> str:
    given = json.dumps({"run": run} if run else {})
    machine = resources(stack)["LearnStateMachine"]
    started = client(stack, "stepfunctions").start_execution(stateMachineArn=machine, input=given)
    return str(started["executionArn"])


def ended(stack: Stack, execution: str) -> str:
    """How it ended, once it has."""
    states = client(stack, "stepfunctions")
    wait_until(lambda: states.describe_execution(executionArn=execution)["status"] != "RUNNING", SECONDS)
    status: str = states.describe_execution(executionArn=execution)["status"]
    if status == "FAILED" and builds(stack):
        print(log(stack))  # noqa: T201
    return status


def builds(stack: Stack) -> list[Any]:
    """All of them, the latest first."""
    codebuild = client(stack, "codebuild")
    ids = codebuild.list_builds_for_project(projectName=resources(stack)["LearnProject"])["ids"]
    return list(codebuild.batch_get_builds(ids=ids)["builds"]) if ids else []


def log(stack: Stack) -> str:
    """What the latest build has said."""
    place = builds(stack)[0]["logs"]
    events = client(stack, "logs").get_log_events(logGroupName=place["groupName"], logStreamName=place["streamName"])
    return "\n".join(event["message"] for event in events["events"])


def test_a_model_that_has_drifted_is_learned_anew_and_goes_live_once(stack: Stack) -> None:
    before = current(stack)
    exported = client(stack, "stepfunctions").start_execution(
        stateMachineArn=resources(stack)["ExportTablesStateMachine"], input="{}"
    )
    assert ended(stack, exported["executionArn"]) == "SUCCEEDED"
    wait_until(lambda: len(runs(stack)) == 1)  # drift is found in what was exported
    assert ended(stack, runs(stack)[0]["executionArn"]) == "SUCCEEDED"
    assert builds(stack)[0]["buildStatus"] == "SUCCEEDED"
    outcome = report(stack, CLOCK[:10])
    print(log(stack), json.dumps(outcome, indent=1))  # noqa: T201
    assert outcome["publish"], outcome["why"]
    assert outcome["customers"] == len(decided(stack))
    assert (outcome["bundle_id"], outcome["live_before"]) == (current(stack)["bundle_id"], before["bundle_id"])
    assert [one["detail-type"] for one in heard(stack)] == ["Model Learned"]
    assert len(current(stack)["history"]) == 2


def test_segments_that_go_on_keep_their_ids_and_the_names_that_people_gave_them(stack: Stack) -> None:
    with credentials(stack):
        registry = Registry(boto3.client("s3"), stack.bucket)
        before, now = (registry.manifest(current(stack)[name]) for name in ("previous", "bundle_id"))
    assert now["identity"]["previous"] == before["bundle_id"]
    ids = [{segment["id"] for segment in manifest["segments"]} for manifest in (before, now)]
    going_on = ids[0] & ids[1]
    assert going_on
    wait_until(lambda: {segment["id"] for segment in segments(stack)} == ids[1], SECONDS)
    names = {segment["id"]: segment["name"] for segment in segments(stack)}
    assert {i: names[i] for i in going_on} == {i: named(i) for i in going_on}


def segments(stack: Stack) -> list[Any]:
    """As the API tells of them."""
    listed: list[Any] = stack.api_get("/segments")[1]["segments"]
    return listed


def test_what_was_learned_from_is_not_learned_from_again(stack: Stack) -> None:
    assert ended(stack, start(stack)) == "SUCCEEDED"
    assert "was learned from before" in log(stack)
    assert len(current(stack)["history"]) == 2
    assert heard(stack) == []


def test_a_build_that_is_killed_fails_and_leaves_what_is_live_and_goes_on_when_it_is_started_again(
    stack: Stack,
) -> None:
    before = current(stack)
    set_clock(stack.emulator.session, stack.endpoint, NEXT_DAY)
    with_source(stack, SABOTAGED, SABOTAGE)
    count = len(builds(stack))
    execution = start(stack)
    for number in (1, 2):  # it is tried again once
        wait_until(lambda number=number: len(builds(stack)) == count + number, SECONDS)  # type: ignore[misc]
        wait_until(lambda: builds(stack)[0]["currentPhase"] == "BUILD", SECONDS)
        client(stack, "codebuild").stop_build(id=builds(stack)[0]["id"])
    assert ended(stack, execution) == "FAILED"
    assert [one["buildStatus"] for one in builds(stack)[:2]] == ["STOPPED", "STOPPED"]
    (event,) = heard(stack)
    name = execution.rpartition(":")[2]
    assert (event["detail-type"], event["detail"]) == ("Learning Failed", {"run": name, "error": "States.TaskFailed"})
    assert current(stack) == before
    # It is stopped itself, as by whoever takes the stack down, and its build with it.
    execution = start(stack, name)
    wait_until(lambda: builds(stack)[0]["buildStatus"] == "IN_PROGRESS", SECONDS)
    client(stack, "stepfunctions").stop_execution(executionArn=execution)
    wait_until(lambda: builds(stack)[0]["buildStatus"] == "STOPPED", SECONDS)
    assert ended(stack, start(stack, name)) == "SUCCEEDED"


def with_source(stack: Stack, module: str, more: bytes) -> None:
    """Puts something behind the source of a module that the stack trains with."""
    body = stack.s3.get_object(Bucket=stack.bucket, Key=SOURCE_KEY)["Body"].read()
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as source, zipfile.ZipFile(written, "w") as changed:
        for name in source.namelist():
            changed.writestr(name, source.read(name) + (more if name == module else b""))
    stack.s3.put_object(Bucket=stack.bucket, Key=SOURCE_KEY, Body=written.getvalue())


def test_a_worse_model_is_never_published(stack: Stack) -> None:
    outcome = report(stack, NEXT_DAY[:10])
    print(json.dumps(outcome, indent=1))  # noqa: T201
    assert not outcome["publish"]
    assert "worse" in outcome["why"]
    assert [one["detail-type"] for one in heard(stack)] == ["Model Kept"]
    assert len(current(stack)["history"]) == 2


def test_it_runs_by_itself_when_the_template_says(stack: Stack) -> None:
    scheduler = client(stack, "scheduler")
    machine = resources(stack)["LearnStateMachine"]
    (named,) = [one["Name"] for one in scheduler.list_schedules()["Schedules"] if one["Target"]["Arn"] == machine]
    schedule = scheduler.get_schedule(Name=named)
    assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == ("cron(0 4 ? * SUN *)", "UTC")
    kept = {name: schedule[name] for name in ("Name", "FlexibleTimeWindow", "Target", "State")}
    before = len(runs(stack))
    scheduler.update_schedule(**kept, ScheduleExpression="rate(1 minutes)")
    wait_until(lambda: len(runs(stack)) > before, SECONDS)
    scheduler.update_schedule(**kept, ScheduleExpression="cron(0 4 ? * SUN *)")
    assert ended(stack, runs(stack)[0]["executionArn"]) == "SUCCEEDED"


def test_what_a_build_does_not_use_it_may_not_do(stack: Stack) -> None:
    roles = builds_roles(stack)
    assert allowed(stack, roles) - used(stack, roles) == UNASKED
    checks = [json.loads(line) for line in stack.emulator.access.read_text().splitlines()]
    assert [check for check in checks if not check["allowed"] and "AWSCodeBuild" in str(check["who"])] == []


@pytest.fixture(scope="module")
def caller(stack: Stack) -> Caller:
    """Somebody with the rights of a build, once it has had them."""
    return Caller(stack, builds_roles(stack)["LearnRole"])


@pytest.mark.parametrize(
    ("service", "method", "given"),
    [
        ("s3", "put_object", {"Key": SOURCE_KEY, "Body": b""}),
        ("s3", "get_object", {"Key": "exports/customers/date=2024-10-27/_manifest.json"}),
        ("s3", "get_object", {"Key": "events/shop.ndjson"}),
        ("s3", "put_object", {"Key": "events/made-up.ndjson", "Body": b""}),
        ("s3", "put_object", {"Key": "exports/states/date=2024-10-27/_manifest.json", "Body": b""}),
        ("s3", "delete_object", {"Key": "models/current.json"}),
        ("s3", "list_objects_v2", {"Prefix": "quarantine/"}),
    ],
)
def test_what_a_build_is_not_for_it_may_not_do(
    stack: Stack, caller: Caller, service: str, method: str, given: dict[str, Any]
) -> None:
    assert caller.is_refused(service, lambda s3: getattr(s3, method)(Bucket=stack.bucket, **given))
