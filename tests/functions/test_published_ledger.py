"""The ledger that the stream of the table leaves: each move once, in order, and the sizes of segments with it."""

import random
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from shared.decisions.transitions import Cause, Transition
from shared.ledger.rows import Ledger
from shared.profiles.members import Members
from shared.profiles.table import ProfileTable
from tests.conftest import TABLE
from tests.functions.streams import Bus, TableStream
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import ndjson, purchase

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

type Drop = Callable[..., list[str]]
type Publish = Callable[..., list[str]]

ROWS = 50


def test_history_comes_newest_first_and_page_by_page(
    shop: Callable[[str, int], None], stream: TableStream, handle: Publish, ledger: Ledger
) -> None:
    for orders in range(1, 14):
        shop("889", orders)
    handle(stream.records())
    whole, end = ledger.history("customer#889", ROWS)
    assert end is None and [moved.entered for moved in whole] == [2, 1, 0]
    paged, before = [], None
    for _ in whole:
        page, before = ledger.history("customer#889", 1, before)
        paged += page
    assert paged == whole and before is None


def test_rows_and_sizes_survive_collisions(
    shop: Callable[[str, int], None],
    stream: TableStream,
    publisher: ModuleType,
    handle: Publish,
    members: Members,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop("889", 2)
    write = publisher.dynamodb.transact_write_items
    collisions = iter([True, True, False])
    error = publisher.dynamodb.exceptions.TransactionCanceledException

    def collide(**request: Any) -> Any:
        if next(collisions):
            answer: Any = {"CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}]}
            raise error(answer, "TransactWriteItems")
        return write(**request)

    monkeypatch.setattr(publisher.dynamodb, "transact_write_items", collide)
    monkeypatch.setattr(publisher, "ledger", Ledger(publisher.dynamodb, TABLE, sleep=lambda _seconds: None))
    handle(stream.records())
    assert members.sizes() == {1: 1}


def test_moves_of_both_releases_are_listed_in_order_and_once_after_a_roll_back(
    ledger: Ledger, dynamodb: "DynamoDBClient"
) -> None:
    ledger.record([Transition("customer#889", v, None, v, Cause.EVENTS, v, "model") for v in range(1, 8)])
    for version in (1, 2, 5, 6):
        key: Any = {"pk": {"S": "moves#customer#889"}, "sk": {"S": f"transition#{version:010d}"}}
        item = dynamodb.get_item(TableName=TABLE, Key=key)["Item"]
        dynamodb.put_item(TableName=TABLE, Item={**item, "pk": {"S": "customer#889"}})
        if version != 5:  # came to both
            dynamodb.delete_item(TableName=TABLE, Key=key)
    pages, before = list[list[int]](), None
    while not pages or before is not None:
        page, before = ledger.history("customer#889", 3, before)
        pages.append([move.version for move in page])
    assert pages == [[7, 6, 5], [4, 3, 2], [1]]


def test_whatever_is_delivered_twice_and_at_once_the_ledger_has_no_gap_and_no_duplicate(
    s3: "S3Client",
    drop: Drop,
    stream: TableStream,
    handle: Publish,
    bus: Bus,
    ledger: Ledger,
    members: Members,
    table: ProfileTable,
) -> None:
    publish(s3, make_bundle())
    chance = random.Random(7)
    customers = [f"c{n}" for n in range(8)]
    lines = [purchase(customer, n, day=1 + n) for customer in customers for n in range(chance.choice([1, 4, 12]))]
    chance.shuffle(lines)
    files = {f"events/{n}.ndjson": ndjson(lines[n::5]) for n in range(5)}
    records: list[dict[str, Any]] = []
    for name in chance.sample([*files, *files], 10):
        drop({name: files[name]})
        records += stream.records()
        # The latest come once or twice, some of them with what was handled before, as after a crash.
        for _ in range(2):
            handle(records[-chance.randint(1, 12) :])
    handle(records)

    profiles = table.load([f"customer#{customer}" for customer in customers])
    published = {detail["transition_id"] for detail in bus.details()}
    kept: list[str] = []
    for key, profile in profiles.items():
        moves, _ = ledger.history(key, ROWS)
        assert profile.decision is not None and moves[0].entered == profile.decision.segment
        assert [moved.left for moved in moves] == [*(moved.entered for moved in moves[1:]), None]
        kept += [moved.id for moved in moves]
    assert len(kept) == len(set(kept)) and set(kept) == published
    sizes = Counter(profile.decision.segment for profile in profiles.values() if profile.decision)
    assert +members.sizes() == sizes


def test_moves_that_a_release_before_kept_beside_the_profile_are_listed_and_forgotten(
    ledger: Ledger, dynamodb: "DynamoDBClient"
) -> None:
    def moved(version: int) -> Transition:
        return Transition("customer#889", version, None, version, Cause.EVENTS, version, "model")

    ledger.record([moved(version) for version in range(1, 8)])
    for version in range(1, 5):
        key: Any = {"pk": {"S": "moves#customer#889"}, "sk": {"S": f"transition#{version:010d}"}}
        item = dynamodb.get_item(TableName=TABLE, Key=key)["Item"]
        dynamodb.put_item(TableName=TABLE, Item={**item, "pk": {"S": "customer#889"}})
        dynamodb.delete_item(TableName=TABLE, Key=key)
    pages, before = [], None
    while True:
        page, before = ledger.history("customer#889", 2, before)
        pages.append([move.version for move in page])
        if before is None:
            break
    assert pages == [[7, 6], [5, 4], [3, 2], [1]]
    assert {move.key for move in ledger.history("customer#889", ROWS)[0]} == {"customer#889"}
    ledger.forget("customer#889", 7, former=False)
    assert [move.version for move in ledger.history("customer#889", ROWS)[0]] == [4, 3, 2, 1]
    ledger.forget("customer#889", 3)
    assert [move.version for move in ledger.history("customer#889", ROWS)[0]] == [4]
