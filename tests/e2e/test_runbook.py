"""The commands of the runbook, each tried on a deployed stack in the trouble that it is for."""

import importlib
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest

from local.emulator import ROOT
from local.stack import STACK_NAME, Stack
from operations import mappings
from operations.recount import lacking
from shared.audiences.audience import Audiences
from shared.audiences.publishing import Reason, current
from shared.audiences.publishing import publish as publish_audiences
from shared.models.switching import FILES
from shared.profiles.members import size_key
from shared.recommending.layout import Publication
from shared.recommending.publishing import current as current_recommender
from shared.recommending.publishing import publish as publish_recommender
from tests.audiences.test_audience import audience
from tests.e2e.conftest import deployed_with_model, wait_until
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import ndjson, purchase
from tests.support.recommenders import small_recommender
from tests.support.runbook import commands
from training.learn import report_key
from training.registry.source import SOURCE_KEY

pytestmark = [pytest.mark.e2e, pytest.mark.drill]

SECONDS = 120
BEFORE = make_bundle("20170901-bbbbbbbb")
RETAINED = ("DataBucket", "ProfileTable", "MarkSecret")
type Trouble = Callable[[Stack], None]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with deployed_with_model() as deployed:
        deployed.s3.put_object(Bucket=deployed.bucket, Key="events/first.ndjson", Body=ndjson([purchase("known")]))
        decided(deployed, "known")
        wait_until(lambda: lacking(deployed.dynamodb, deployed.table) == {}, SECONDS)
        yield deployed


@pytest.fixture(autouse=True)
def credentials(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.emulator.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def decided(stack: Stack, customer: str) -> None:
    wait_until(lambda: stack.api_get(f"/customers/{customer}/segment")[0] == 200, SECONDS)


def give_up(stack: Stack, queue: str, message: Any) -> None:
    resource = client(stack, "cloudformation").describe_stack_resource(StackName=STACK_NAME, LogicalResourceId=queue)
    url = resource["StackResourceDetail"]["PhysicalResourceId"]
    stack.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(message))


def client(stack: Stack, service: str) -> Any:
    return stack.emulator.session.client(service, endpoint_url=stack.endpoint)  # type: ignore[call-overload]


def a_file_was_given_up(stack: Stack) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key="events/given-up.ndjson", Body=ndjson([purchase("of a file")]))
    detail = {"bucket": {"name": stack.bucket}, "object": {"key": "events/given-up.ndjson"}}
    give_up(stack, "IngestDeadLetterQueue", {"detail-type": "Object Created", "detail": detail})


def a_live_event_was_given_up(stack: Stack) -> None:
    give_up(stack, "LiveDeadLetterQueue", [purchase("live")])


def an_erasure_was_given_up(stack: Stack) -> None:
    step = {"receipt_id": "given-up", "key": "customer#nobody", "at_ms": 1_514_764_800_000, "requested_ms": 0}
    give_up(stack, "ErasureDeadLetterQueue", step)


def a_size_is_wrong(stack: Stack) -> None:
    stack.dynamodb.update_item(
        TableName=stack.table,
        Key=size_key(0, 3),
        UpdateExpression="ADD customers :gain",
        ExpressionAttributeValues={":gain": {"N": "5"}},
    )


def a_history_waits(stack: Stack) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key="history/a.ndjson", Body=ndjson([purchase("of a history")]))


def a_line_was_refused(stack: Stack) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key="events/refused.ndjson", Body=b"{broken\n")
    wait_until(lambda: bool(below(stack, "quarantine/events/refused.ndjson/")), SECONDS)


def a_mapping_is_none(stack: Stack) -> None:
    stack.s3.put_object(Bucket=stack.bucket, Key="mappings/shop-a.toml", Body=b"files = [")


def what_is_wrong_with_it_is_said(stack: Stack) -> None:
    said = list(mappings.listed(stack.s3, stack.bucket))
    stack.s3.delete_object(Bucket=stack.bucket, Key="mappings/shop-a.toml")
    assert len(said) == 1
    assert said[0].startswith("shop-a: not used, ")


def audiences_are_none(stack: Stack) -> None:
    some = Audiences(0, (audience("all", "tenure >= 0"),))
    publish_audiences(stack.s3, stack.bucket, lambda live: replace(some, version=live.version), Reason("", "", ""))
    stack.s3.put_object(Bucket=stack.bucket, Key="audiences/current.json", Body=b"{")


def the_last_that_were_some_are_live(stack: Stack) -> None:
    assert [one.key for one in current(stack.s3, stack.bucket).audiences.all] == ["all"]


def a_recommender_is_none(stack: Stack) -> None:
    publish_recommender(stack.s3, stack.bucket, small_recommender().to_bytes(), b"{}", Publication(0, "", ""))
    stack.s3.put_object(Bucket=stack.bucket, Key="recommenders/current.json", Body=b"{")


def the_recommender_before_is_live(stack: Stack) -> None:
    live = current_recommender(stack.s3, stack.bucket)
    assert live is not None
    assert live.recommender_id == small_recommender().recommender_id


def another_model_is_live(stack: Stack) -> None:
    for bundle in (BEFORE, make_bundle()):
        publish(stack.s3, bundle)
        for name in FILES.keys() - {"bundle.onnx", "manifest.json"}:
            stack.s3.put_object(Bucket=stack.bucket, Key=f"models/{bundle[1]['bundle_id']}/{name}", Body=b"")
    pointer = {"bundle_id": make_bundle()[1]["bundle_id"], "previous": BEFORE[1]["bundle_id"]}
    stack.s3.put_object(Bucket=stack.bucket, Key="models/current.json", Body=json.dumps(pointer).encode())


def below(stack: Stack, prefix: str) -> list[str]:
    objects = stack.s3.list_objects_v2(Bucket=stack.bucket, Prefix=prefix).get("Contents", [])
    return [each["Key"] for each in objects]


def nothing(stack: Stack) -> None:
    """No trouble at all."""


def exported(stack: Stack) -> None:
    assert below(stack, "exports/snapshots/date=2018-01-01/")


def drift_was_looked_for(stack: Stack) -> None:
    assert below(stack, "reports/insight/drift.json")


def is_counted_rightly(stack: Stack) -> None:
    assert lacking(stack.dynamodb, stack.table) == {}


def what_it_trains_with_is_there(stack: Stack) -> None:
    assert below(stack, SOURCE_KEY)


def this_day_was_learned_from(stack: Stack) -> None:
    """A shop of one customer has nothing to learn: what is tried is that snapshot and build are made."""
    report = json.dumps({"snapshot": "2018-01-01", "why": "a trial"}).encode()
    stack.s3.put_object(Bucket=stack.bucket, Key=report_key("2018-01-01"), Body=report)


def a_build_has_said_so(stack: Stack) -> None:
    (place,) = client(stack, "logs").describe_log_streams(logGroupName="/aws/codebuild/tessera-learn")["logStreams"]
    said = client(stack, "logs").get_log_events(
        logGroupName="/aws/codebuild/tessera-learn", logStreamName=place["logStreamName"]
    )
    assert any("the snapshot of 2018-01-01 was learned from before" in one["message"] for one in said["events"])


def before_is_live(stack: Stack) -> None:
    pointer = stack.s3.get_object(Bucket=stack.bucket, Key="models/current.json")["Body"].read()
    assert json.loads(pointer)["bundle_id"] == BEFORE[1]["bundle_id"]


TROUBLES: dict[str, tuple[Trouble, Trouble]] = {
    "operations.status": (nothing, nothing),
    "operations.redrive files": (a_file_was_given_up, lambda stack: decided(stack, "of%20a%20file")),
    "operations.redrive live": (a_live_event_was_given_up, lambda stack: decided(stack, "live")),
    "operations.redrive erasures": (
        an_erasure_was_given_up,
        lambda stack: wait_until(lambda: bool(below(stack, "reports/erasures/given-up.json")), SECONDS),
    ),
    "operations.redrive deliveries": (nothing, nothing),
    "operations.redrive journeys": (nothing, nothing),
    "operations.journeys where": (nothing, nothing),
    "operations.journeys history": (nothing, nothing),
    "operations.deliveries": (nothing, nothing),
    "operations.recount --correct": (a_size_is_wrong, is_counted_rightly),
    "operations.recount": (nothing, is_counted_rightly),
    "operations.export --wait": (nothing, exported),
    "training.drift --bucket $bucket": (nothing, drift_was_looked_for),
    "operations.start rescore": (nothing, lambda stack: decided(stack, "known")),
    "training.learn --install --bucket $bucket": (nothing, what_it_trains_with_is_there),
    "operations.start learn": (this_day_was_learned_from, a_build_has_said_so),
    "operations.start backfill": (a_history_waits, lambda stack: decided(stack, "of%20a%20history")),
    "operations.quarantine": (a_line_was_refused, nothing),
    "operations.quarantine --below events/": (nothing, nothing),
    "operations.mappings": (a_mapping_is_none, what_is_wrong_with_it_is_said),
    "operations.audiences rollback": (audiences_are_none, the_last_that_were_some_are_live),
    "training.recommend --rollback --bucket $bucket": (a_recommender_is_none, the_recommender_before_is_live),
    "training.rollback --bucket $bucket": (another_model_is_live, before_is_live),
}
"""What is wrong before each command, and what holds after it."""


@pytest.mark.parametrize("command", TROUBLES)
def test_a_command_of_the_runbook_mends_what_it_is_for(stack: Stack, command: str) -> None:
    begin, holds = TROUBLES[command]
    begin(stack)
    module, *arguments = [stack.bucket if word == "$bucket" else word for word in command.split()]
    settle = ["--settle", "5"] if module == "operations.recount" else []
    assert importlib.import_module(module).main([*arguments, *settle]) == 0
    holds(stack)


def test_what_was_given_up_is_said(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    give_up(stack, "TransitionsDeadLetterQueue", {"given": "up"})
    assert importlib.import_module("operations.status").main([]) == 1
    assert "! TransitionsDeadLetterQueue: 1 messages" in capsys.readouterr().out


def test_torn_down_a_stack_leaves_what_holds_data(stack: Stack) -> None:
    cloudformation = client(stack, "cloudformation")
    kept = {
        name: cloudformation.describe_stack_resource(StackName=STACK_NAME, LogicalResourceId=name)[
            "StackResourceDetail"
        ]["PhysicalResourceId"]
        for name in RETAINED
    }
    (delete,) = [command for command in commands() if "delete" in command]
    region = ["--region", stack.emulator.session.region_name]
    subprocess.run([*delete, *region], cwd=ROOT, env=stack.emulator.environment, check=True, capture_output=True)
    assert STACK_NAME not in {stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]}
    assert stack.s3.head_bucket(Bucket=kept["DataBucket"])
    assert stack.dynamodb.describe_table(TableName=kept["ProfileTable"])["Table"]["ItemCount"] >= 0
    assert client(stack, "secretsmanager").describe_secret(SecretId=kept["MarkSecret"])["Name"]
