"""A busy shop: files and live events from many producers at once, all of it delivered twice, in no order."""

import json
import math
import subprocess
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import batched, pairwise
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow.parquet import read_table, write_table

from local.observe import read_profiles, read_quarantine
from local.stack import Stack, local_stack
from shared.decisions.transitions import Transition, answer
from shared.identity.keys import customer_id, customer_key, is_visitor
from shared.ledger.rows import Ledger
from shared.models.manifests import TARGETS
from shared.profiles.stored_profile import PROFILE
from tests.e2e.conftest import members, wait_until
from tests.e2e.journeys import Journeys
from tests.e2e.producers import deliver_twice
from tests.support.document import check_answer
from tests.support.event_files import Event
from training import score, simulator, train

pytestmark = [pytest.mark.e2e, pytest.mark.delivery]

CUSTOMERS = 300
CLOCK = "2025-02-01T00:00:00Z"
CONFIG = """
clustering = "k-means"
trees = 25
bootstraps = 2
most_segments = 6
forest_trees = 10
parity_rows = 20000
"""
PATIENCE_SECONDS = 240

LABELS = """
[segments.0]
name = "People like us"
[actions.steady]
key = "newsletter"
"""
FROM_SCALE: dict[str, Callable[[float], float]] = {
    "log-odds": lambda total: 1 / (1 + math.exp(-total)),
    "logarithm of the amount": math.exp,
}

type Kept = dict[str, list[Transition]]


@dataclass(frozen=True)
class Shop:
    """What its customers did, and the model of it."""

    events: list[Event]
    file: Path
    model: Path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    events = [event for table, _ in simulator.simulate(CUSTOMERS) for event in map(_as_seen, table.to_pylist())]
    made = Shop(events, folder / "events.parquet", folder / "model")
    write_table(pyarrow.Table.from_pylist(events), made.file)
    (folder / "config.toml").write_text(CONFIG)
    arguments = ["--events", str(made.file), "--out", str(made.model), "--config", str(folder / "config.toml")]
    assert train.main(arguments) == 0
    return made


def _as_seen(event: Event) -> Event:
    """Of every third customer, who they are is known only when they buy: until then they are the visitor they were."""
    number = int(event["customer_id"].removeprefix("c"))
    if number % 3:
        return {**event, "anonymous_id": None}
    known = event["event_type"] in {"purchase", "email_open"}
    return {**event, "anonymous_id": f"v{number}", "customer_id": event["customer_id"] if known else None}


@pytest.fixture(scope="module")
def stack(shop: Shop) -> Iterator[Stack]:
    with local_stack(clock=CLOCK) as deployed:
        labels = shop.model / "labels.toml"
        labels.write_text(LABELS)
        for command in (["training.publish", "--model", str(shop.model)], ["training.label", "--file", str(labels)]):
            arguments = [sys.executable, "-m", *command, "--bucket", deployed.bucket]
            subprocess.run(arguments, env=deployed.emulator.environment, check=True)
        yield deployed


@pytest.fixture(scope="module")
def delivered(stack: Stack, shop: Shop) -> Journeys:
    """What the bus told while everything was delivered twice, by eight producers at once."""
    journeys = Journeys(stack)
    deliver_twice(stack, shop.events)
    wait_until(lambda: waiting(stack) == 0, PATIENCE_SECONDS)
    # Rows are kept before moves are told.
    expected = len(moves(stack))
    wait_until(lambda: len(told_so_far(journeys)) >= expected, PATIENCE_SECONDS)
    return journeys


@pytest.fixture(scope="module")
def kept(stack: Stack, delivered: Journeys) -> Kept:
    """The ledger of every customer, oldest first."""
    return {customer: ledger(stack, customer) for customer in segments(stack)}


def told_so_far(journeys: Journeys) -> list[Event]:
    journeys.of("")
    return journeys.details


# ---- What stands in the stack ----------------------------------------------------------------------------------------


def waiting(stack: Stack) -> int:
    """Messages that are queued or being worked on."""
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    queues = (stack.queue_url, stack.live_queue_url)
    counts = [stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] for url in queues]
    return sum(int(count) for attributes in counts for count in attributes.values())


def moves(stack: Stack) -> list[Any]:
    """Every move that the table's stream tells of, as a record that Lambda would hand over."""
    client = stack.emulator.session.client("dynamodbstreams", endpoint_url=stack.endpoint)
    (stream,) = client.list_streams(TableName=stack.table)["Streams"]
    (shard,) = client.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]
    iterator = client.get_shard_iterator(
        StreamArn=stream["StreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records: list[Any] = []
    while (page := client.get_records(ShardIterator=iterator))["Records"]:
        records += [record for record in page["Records"] if _moves(record["dynamodb"])]
        iterator = page["NextShardIterator"]
    return records


def _moves(change: Any) -> bool:
    """Whether a customer's profile has another segment in it than before."""
    if not change["Keys"]["pk"]["S"].startswith(customer_key("")) or change["Keys"]["sk"]["S"] != PROFILE:
        return False
    before, after = (change.get(image, {}).get("decision") for image in ("OldImage", "NewImage"))
    return bool((before and before["M"]["segment"]) != (after and after["M"]["segment"]))


def ledger(stack: Stack, customer: str) -> list[Transition]:
    """All rows of a customer, oldest first."""
    rows, following = Ledger(stack.dynamodb, stack.table).history(customer_key(customer), 10_000)
    assert following is None
    return rows[::-1]


def segments(stack: Stack) -> dict[str, int]:
    """The segment of every customer, as it is stored."""
    decided = {key: profile.decision for key, profile in read_profiles(stack).items() if not is_visitor(key)}
    return {customer_id(key): decision.segment for key, decision in decided.items() if decision}


def sizes(stack: Stack) -> Counter[int]:
    """The size of every segment, as the API tells it."""
    status, body = stack.api_get("/segments")
    assert status == 200
    return Counter({segment["id"]: segment["size"] for segment in body["segments"]})


# ---- What has to hold ------------------------------------------------------------------------------------------------


def test_every_customer_ends_as_offline(stack: Stack, delivered: Journeys, shop: Shop, tmp_path: Path) -> None:
    arguments = ["--events", str(shop.file), "--model", str(shop.model), "--as-of", CLOCK]
    assert score.main([*arguments, "--out", str(tmp_path / "scores.parquet")]) == 0
    offline = {customer_key(row["customer_id"]): row for row in read_table(tmp_path / "scores.parquet").to_pylist()}
    stored = {key: profile.decision for key, profile in read_profiles(stack).items() if not is_visitor(key)}
    assert stored.keys() == offline.keys() == {customer_key(e["customer_id"]) for e in shop.events if e["customer_id"]}
    for key, row in offline.items():
        decision = stored[key]
        assert decision is not None
        assert (decision.segment, decision.micro_segment) == (row["segment_id"], row["micro_segment_id"])
        action = "newsletter" if row["intent"] == "steady" else row["action"]
        assert (decision.intent, decision.action) == (row["intent"], action)
        assert {name: decision.predictions.get(name) for name in TARGETS} == pytest.approx(
            {name: row[name] for name in TARGETS}, rel=1e-6, abs=1e-6
        )


def test_every_event_counts_once_and_none_is_given_up(stack: Stack, delivered: Journeys, shop: Shop) -> None:
    assert sum(profile.events for profile in read_profiles(stack).values()) == len(shop.events)
    assert read_quarantine(stack).lines == read_quarantine(stack).unreadable == 0
    listed = stack.s3.list_objects_v2(Bucket=stack.bucket, Prefix="quarantine/")
    assert listed["KeyCount"] == 0
    for queue in stack.sqs.list_queues()["QueueUrls"]:
        if "DeadLetter" in queue:
            names: Any = ["ApproximateNumberOfMessages"]
            assert stack.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"] == {names[0]: "0"}


def test_the_ledger_is_a_chain_without_gap_or_duplicate(stack: Stack, kept: Kept) -> None:
    expected = Counter(
        (record["dynamodb"]["Keys"]["pk"]["S"], int(record["dynamodb"]["NewImage"]["version"]["N"]))
        for record in moves(stack)
    )
    assert {*expected.values()} == {1}
    assert Counter((moved.key, moved.version) for rows in kept.values() for moved in rows) == expected
    for customer, segment in segments(stack).items():
        rows = kept[customer]
        assert [rows[0].left, *(moved.entered for moved in rows)] == [
            None,
            *(moved.left for moved in rows[1:]),
            segment,
        ]
        assert all(before.version < after.version for before, after in pairwise(rows))
    assert len(expected) > 2 * CUSTOMERS


def test_every_move_is_told_on_the_bus_and_an_id_means_one_move(delivered: Journeys, kept: Kept) -> None:
    by_id = {moved.id: moved for rows in kept.values() for moved in rows}
    assert {detail["transition_id"] for detail in delivered.details} == by_id.keys()
    for detail in delivered.details:
        moved = by_id[detail["transition_id"]]
        assert detail == {"customer_id": customer_id(moved.key), **answer(moved)}
        assert 0 < len(detail["reasons"]) <= 3


def test_answers_carry_reasons_that_add_up_and_the_names_that_the_shop_gave(stack: Stack, delivered: Journeys) -> None:
    some = [*segments(stack)][::30]
    for customer in some:
        status, body = stack.api_get(f"/customers/{customer}/segment?explain=true")
        check_answer("GET", "/customers/{customer_id}/segment", status, body)
        explanation = body["explanation"]
        about = body["explanation"]["about"]
        assert about.keys() == {"segment", *TARGETS}
        for part, total in about.items():
            shares = [reason["contribution"] for reason in explanation[part]]
            assert shares and sum(shares) == pytest.approx(total["sum"], abs=1e-6)
        for name in TARGETS:
            explained = FROM_SCALE[about[name]["scale"]](about[name]["baseline"] + about[name]["sum"])
            assert body["predictions"][name] == pytest.approx(explained, rel=1e-4)
        assert (body["segment"]["name"] == "People like us") == (body["segment"]["id"] == 0)
        assert (body["action"] == "newsletter") == (body["intent"] == "steady")
    assert "People like us" in {segment["name"] for segment in stack.api_get("/segments")[1]["segments"]}


def test_segments_hold_who_is_in_them(stack: Stack, delivered: Journeys) -> None:
    true = segments(stack)
    assert sizes(stack) == Counter(true.values())
    for segment in sizes(stack):
        assert sorted(members(stack, segment)) == sorted(customer for customer in true if true[customer] == segment)


def test_the_whole_stream_again_changes_nothing_and_repeats_the_same_ids(
    stack: Stack, delivered: Journeys, kept: Kept
) -> None:
    before = sizes(stack)
    announced = len(delivered.details)
    again = moves(stack)
    functions = stack.emulator.session.client("lambda", endpoint_url=stack.endpoint)
    names = [function["FunctionName"] for function in functions.list_functions()["Functions"]]
    (name,) = (name for name in names if "PublishTransitions" in name)
    for records in batched(again, 100, strict=False):
        event = json.dumps({"Records": records}, default=_as_lambda_gives_it)
        assert json.load(functions.invoke(FunctionName=name, Payload=event)["Payload"]) == {"batchItemFailures": []}
    assert {customer: ledger(stack, customer) for customer in kept} == kept
    assert sizes(stack) == before
    wait_until(lambda: len(told_so_far(delivered)) >= announced + len(again))
    test_every_move_is_told_on_the_bus_and_an_id_means_one_move(delivered, kept)


def _as_lambda_gives_it(value: bytes | datetime) -> str | float:
    return value.timestamp() if isinstance(value, datetime) else b64encode(value).decode()
