"""A history of many files, and models published one after another, on a local AWS."""

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow.parquet import read_table

from local.observe import read_profiles
from local.stack import Stack
from shared.decisions.transitions import Cause
from shared.models.switching import FILES
from shared.profiles.stored_profile import StoredProfile
from tests.e2e.conftest import STACK_CLOCK, deployed_with_model
from tests.e2e.conftest import wait_until as wait_a_minute
from tests.support.bundles import make_bundle, point_to, publish
from tests.support.event_files import csv_file, ndjson, ndjson_gz, parquet, purchase
from training import score

pytestmark = pytest.mark.e2e

FIRST, SECOND, THIRD = (
    make_bundle(f"201712{day:02d}-{name * 8}", centroids=centroids)
    for day, name, centroids in ((1, "b", (1.0, 4.0, 6.0)), (2, "c", (0.0, 3.0, 9.0)), (3, "d", (2.0, 5.0, 8.0)))
)
CUSTOMERS = 90
FILES_OF_HISTORY = 300
WRITERS: list[tuple[str, Callable[[Any], bytes]]] = [
    ("ndjson", ndjson),
    ("ndjson.gz", ndjson_gz),
    ("csv", csv_file),
    ("parquet", parquet),
]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with deployed_with_model() as deployed:
        yield deployed


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some hundred small files of all kinds: customer c has c % 10 + 1 orders, the last of them in many files."""
    folder = tmp_path_factory.mktemp("history")
    for number in range(FILES_OF_HISTORY):
        customers = sorted((number * 7 + step) % CUSTOMERS for step in range(0, 36, 9))
        which = {customer: min(number // 30, customer % 10) for customer in customers}
        orders = [purchase(str(customer), order, day=1 + order) for customer, order in which.items()]
        kind, write = WRITERS[number % len(WRITERS)]
        (folder / f"{number:04d}.{kind}").write_bytes(write(orders))
    return folder


@pytest.fixture(scope="module")
def taken_in(stack: Stack, history: Path) -> dict[str, Any]:
    """The report of the history's back-fill, which also held a broken line and a torn file."""
    for file in history.iterdir():
        stack.s3.put_object(Bucket=stack.bucket, Key=f"history/2017/{file.name}", Body=file.read_bytes())
    torn = gzip.compress(b"x" * 1_000)[:20]
    stack.s3.put_object(Bucket=stack.bucket, Key="history/2017/torn.ndjson.gz", Body=torn)
    stack.s3.put_object(Bucket=stack.bucket, Key="history/2017/broken.ndjson", Body=b"{broken")
    return backfill(stack, "first", {"prefix": "history/2017/"})


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits as long as several functions take to start on a machine that has much to do."""
    wait_a_minute(condition, seconds=180)


def states(stack: Stack) -> Any:
    return stack.emulator.session.client("stepfunctions", endpoint_url=stack.endpoint)


def backfill(stack: Stack, name: str, given: dict[str, str]) -> dict[str, Any]:
    """The report of a back-fill that succeeded."""
    started = states(stack).start_execution(stateMachineArn=stack.backfill_arn, name=name, input=json.dumps(given))
    wait_until(lambda: status(stack, started["executionArn"]) != "RUNNING")
    assert status(stack, started["executionArn"]) == "SUCCEEDED"
    return report(stack, f"reports/backfill/{name}.json")


def status(stack: Stack, execution: str) -> str:
    return str(states(stack).describe_execution(executionArn=execution)["status"])


def report(stack: Stack, key: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(stack.s3.get_object(Bucket=stack.bucket, Key=key)["Body"].read())
    return report


def runs(stack: Stack) -> dict[str, str]:
    """The status of every re-scoring run, by name."""
    executions = states(stack).list_executions(stateMachineArn=stack.rescore_arn)["executions"]
    return {run["name"]: run["status"] for run in executions}


def versions(stack: Stack) -> set[str | None]:
    decisions = [profile.decision for profile in read_profiles(stack).values()]
    return {decision.model_version if decision else None for decision in decisions}


def live(bundle: tuple[bytes, dict[str, Any]]) -> str:
    return str(bundle[1]["bundle_id"])


def assert_as_offline(stack: Stack, history: Path, bundle: tuple[bytes, dict[str, Any]], folder: Path) -> None:
    (folder / "bundle.onnx").write_bytes(bundle[0])
    (folder / "manifest.json").write_text(json.dumps({**bundle[1], "currency": "USD"}))
    arguments = ["--events", str(history), "--model", str(folder), "--as-of", STACK_CLOCK]
    assert score.main([*arguments, "--out", str(folder / "scores.parquet")]) == 0
    offline = read_table(folder / "scores.parquet").to_pylist()
    profiles = read_profiles(stack)
    assert {f"customer#{row['customer_id']}" for row in offline} == {*profiles}
    for row in offline:
        decision = profiles[f"customer#{row['customer_id']}"].decision
        assert decision is not None
        assert (decision.segment, decision.model_version, decision.intent, decision.action) == (
            row["segment_id"],
            row["model_version"],
            row["intent"],
            row["action"],
        )
        assert (
            decision.predictions["churn_probability"] == float(str(row["churn_probability"]))
            or abs(decision.predictions["churn_probability"] - row["churn_probability"]) < 1e-6
        )


def test_a_history_of_many_files_ends_as_offline(
    stack: Stack, taken_in: dict[str, Any], history: Path, tmp_path: Path
) -> None:
    assert taken_in["files"] == FILES_OF_HISTORY + 2
    assert (taken_in["batches"], taken_in["unfinished"]) == (2, 0)
    assert taken_in["events_accepted"] == 4 * FILES_OF_HISTORY
    assert 0 < taken_in["events_duplicate"] < taken_in["events_accepted"]
    assert sum(profile.events for profile in read_profiles(stack).values()) == taken_in["events_counted"]
    assert (taken_in["events_quarantined"], taken_in["files_failed"]) == (1, {})
    assert taken_in["files_unreadable"] == ["history/2017/torn.ndjson.gz"]
    assert_as_offline(stack, history, make_bundle(), tmp_path)


def test_files_of_a_history_are_not_announced_one_by_one(stack: Stack, taken_in: dict[str, Any]) -> None:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    waiting = stack.sqs.get_queue_attributes(QueueUrl=stack.queue_url, AttributeNames=names)["Attributes"]  # type: ignore[arg-type]
    assert {*waiting.values()} == {"0"}
    assert taken_in["events_counted"] > 0


def test_the_same_history_again_changes_nothing(stack: Stack, taken_in: dict[str, Any]) -> None:
    before = read_profiles(stack)
    again = backfill(stack, "again", {})
    assert read_profiles(stack) == before
    assert (again["files"], again["events_counted"], again["profiles_changed"]) == (taken_in["files"], 0, 0)


def test_a_prefix_without_files_fails_at_once_and_says_so(stack: Stack) -> None:
    started = states(stack).start_execution(
        stateMachineArn=stack.backfill_arn, name="nothing", input=json.dumps({"prefix": "history/1999/"})
    )
    wait_until(lambda: status(stack, started["executionArn"]) != "RUNNING")
    failed = states(stack).describe_execution(executionArn=started["executionArn"])
    assert failed["status"] == "FAILED"
    assert "there is no file below the prefix of this run" in failed["cause"]


def test_a_published_model_decides_on_everyone(
    stack: Stack, taken_in: dict[str, Any], history: Path, tmp_path: Path
) -> None:
    before = read_profiles(stack)
    known = runs(stack)
    publish(stack.s3, FIRST)
    wait_until(lambda: versions(stack) == {live(FIRST)})
    assert_as_offline(stack, history, FIRST, tmp_path)
    after = read_profiles(stack)
    movers = {key for key in after if segment(before[key]) != segment(after[key])}
    assert movers
    assert {after[key].moved for key in movers} == {Cause.MODEL}
    assert {after[key].moved for key in after.keys() - movers} <= {None}
    assert {profile.version - before[key].version for key, profile in after.items()} == {1}

    (run,) = runs(stack).keys() - known.keys()
    wait_until(lambda: runs(stack)[run] != "RUNNING")
    assert runs(stack)[run] == "SUCCEEDED"
    first, second = (report(stack, f"reports/rescore/{name}.json") for name in (run, f"{run}.2"))
    assert (first["read"], first["decided"], first["moved"]) == (len(after), len(after), len(movers))
    assert (second["read"], second["decided"], second["moved"]) == (len(after), 0, 0)
    assert read_profiles(stack) == after


def test_look_ups_say_which_model_answered(stack: Stack, taken_in: dict[str, Any]) -> None:
    customer = next(iter(read_profiles(stack))).removeprefix("customer#")
    stored = read_profiles(stack)[f"customer#{customer}"].decision
    assert stored is not None
    assert stack.api_get(f"/customers/{customer}/segment")[1]["model_version"] == stored.model_version


def test_of_models_published_in_quick_succession_the_last_one_wins(
    stack: Stack, taken_in: dict[str, Any], history: Path, tmp_path: Path
) -> None:
    publish(stack.s3, SECOND)
    publish(stack.s3, THIRD)
    wait_until(lambda: versions(stack) == {live(THIRD)})
    wait_until(lambda: "RUNNING" not in runs(stack).values())
    assert {*runs(stack).values()} == {"SUCCEEDED"}
    assert versions(stack) == {live(THIRD)}
    assert_as_offline(stack, history, THIRD, tmp_path)


def test_a_model_that_does_not_load_fails_its_run_and_changes_nobody(stack: Stack, taken_in: dict[str, Any]) -> None:
    wait_until(lambda: "RUNNING" not in runs(stack).values())
    before = read_profiles(stack)
    known = runs(stack)
    point_to(stack.s3, "20180101-nowhere", stack.bucket)
    wait_until(lambda: runs(stack).keys() > known.keys())
    (run,) = runs(stack).keys() - known.keys()
    wait_until(lambda: runs(stack)[run] != "RUNNING")
    assert runs(stack)[run] == "FAILED"
    assert report(stack, f"reports/rescore/{run}.json")["unfinished"] == 2
    assert read_profiles(stack) == before


def test_a_rollback_decides_on_everyone_too(stack: Stack, taken_in: dict[str, Any]) -> None:
    publish(stack.s3, THIRD)
    for name in FILES.keys() - {"bundle.onnx", "manifest.json"}:
        stack.s3.put_object(Bucket=stack.bucket, Key=f"models/{live(FIRST)}/{name}", Body=b"")
    back = [sys.executable, "-m", "training.rollback", "--bucket", stack.bucket, "--to", live(FIRST)]
    subprocess.run(back, env=stack.emulator.environment, check=True)
    wait_until(lambda: versions(stack) == {live(FIRST)})


def segment(profile: StoredProfile) -> int | None:
    return profile.decision.segment if profile.decision else None
