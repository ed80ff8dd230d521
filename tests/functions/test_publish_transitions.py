import random
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from shared.decisions.transitions import Cause, Transition
from shared.ledger.rows import Ledger
from shared.profiles.histories import histories
from shared.profiles.members import Members
from shared.profiles.table import ProfileTable
from shared.telemetry.errors import AnonymousError
from tests.conftest import TABLE
from tests.functions.conftest import Context
from tests.functions.streams import Bus, TableStream
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import ndjson, purchase

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

type Drop = Callable[..., list[str]]
type Publish = Callable[..., list[str]]

ROWS = 50


@pytest.fixture
def handle(publisher: ModuleType) -> Publish:
    def give(records: list[dict[str, Any]]) -> list[str]:
        answer = publisher.handler({"Records": records}, Context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    return give


@pytest.fixture
def ledger(dynamodb: "DynamoDBClient") -> Ledger:
    return Ledger(dynamodb, TABLE, sleep=lambda _seconds: None)


@pytest.fixture
def members(dynamodb: "DynamoDBClient") -> Members:
    return Members(dynamodb, TABLE)


@pytest.fixture
def shop(s3: "S3Client", drop: Drop) -> Callable[[str, int], None]:
    """Lets a customer place orders until they have so many; 0 to 1 make segment 0 or 1, 10 segment 2."""
    publish(s3, make_bundle(centroids=(0.0, 2.0, 10.0)))

    def place(customer: str, orders: int) -> None:
        lines = [purchase(customer, number, day=1 + number) for number in range(orders)]
        assert drop({f"events/{customer}-{orders}.ndjson": ndjson(lines)}) == []

    return place


def test_a_move_is_kept_published_and_counted(
    shop: Callable[[str, int], None], stream: TableStream, handle: Publish, bus: Bus, ledger: Ledger, members: Members
) -> None:
    shop("889", 2)
    shop("889", 12)
    assert handle(stream.records()) == []
    first, second = sorted(bus.details(), key=lambda detail: detail["to"])
    assert (first["from"], first["to"], second["from"], second["to"]) == (None, 1, 1, 2)
    assert second["customer_id"] == "889" and second["cause"] == "events" and second["at"] == "2017-11-01T00:00:00Z"
    assert second["predictions"]["churn_probability"] < 0.01 and second["action"] and second["model_version"]
    kept, _ = ledger.history("customer#889", ROWS)
    assert [moved.id for moved in kept] == [second["transition_id"], first["transition_id"]]
    assert (members.sizes()[1], members.sizes()[2]) == (0, 1)
    assert members.page(2, 10) == (["customer#889"], None)
    assert members.page(1, 10) == ([], None)


def test_who_stays_in_a_segment_wakes_nobody(shop: Callable[[str, int], None], stream: TableStream) -> None:
    shop("889", 11)
    stream.records()
    shop("889", 12)
    assert stream.records() == []


def test_visitors_are_not_told_of(drop: Drop, s3: "S3Client", stream: TableStream) -> None:
    publish(s3, make_bundle())
    drop({"events/visit.ndjson": ndjson([purchase("x", customer_id=None, anonymous_id="v")])})
    assert stream.records() == []


def test_a_customer_moved_by_a_link_says_so(
    drop: Drop, s3: "S3Client", stream: TableStream, handle: Publish, bus: Bus
) -> None:
    publish(s3, make_bundle())
    visits = [purchase("v", n, day=1 + n, customer_id=None, anonymous_id="v") for n in range(12)]
    drop({"events/a.ndjson": ndjson([purchase("889")]), "events/b.ndjson": ndjson(visits)})
    drop({"events/c.ndjson": ndjson([purchase("889", anonymous_id="v")])})
    handle(stream.records())
    assert {(detail["to"], detail["cause"]) for detail in bus.details()} == {(0, "events"), (2, "identity")}


def test_the_same_records_again_change_nothing_and_repeat_the_ids(
    shop: Callable[[str, int], None], stream: TableStream, handle: Publish, bus: Bus, ledger: Ledger, members: Members
) -> None:
    for customer in map(str, range(40)):
        shop(customer, 2)
    records = stream.records()
    handle(records[:25])
    before = {detail["transition_id"] for detail in bus.details()}
    handle(records)
    assert before < {detail["transition_id"] for detail in bus.details()}
    assert members.sizes() == {1: 40}
    assert all(len(ledger.history(f"customer#{n}", ROWS)[0]) == 1 for n in range(40))


def test_a_crash_after_the_rows_loses_no_event(
    shop: Callable[[str, int], None],
    stream: TableStream,
    publisher: ModuleType,
    handle: Publish,
    bus: Bus,
    members: Members,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop("889", 2)
    records = stream.records()
    with monkeypatch.context() as broken:
        broken.setattr(publisher.announcer, "publish", lambda _: 1 / 0)
        with pytest.raises(AnonymousError):
            handle(records)
    assert bus.details() == []
    handle(records)
    assert [detail["customer_id"] for detail in bus.details()] == ["889"]
    assert members.sizes() == {1: 1}


def test_from_the_first_refused_event_on_the_batch_comes_again(
    shop: Callable[[str, int], None],
    stream: TableStream,
    publisher: ModuleType,
    handle: Publish,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for customer in map(str, range(15)):
        shop(customer, 2)
    records = stream.records()
    put, refused = publisher.announcer._client.put_events, {"customer#3", "customer#12"}

    def put_most(Entries: list[Any]) -> Any:
        answer = put(Entries=Entries)
        for entry, outcome in zip(Entries, answer["Entries"], strict=True):
            if any(f'"{key.removeprefix("customer#")}"' in entry["Detail"] for key in refused):
                outcome["ErrorCode"] = "ThrottlingException"
        return answer

    monkeypatch.setattr(publisher.announcer, "_sleep", lambda _seconds: None)
    monkeypatch.setattr(publisher.announcer._client, "put_events", put_most)
    first = next(r for r in records if r["dynamodb"]["Keys"]["pk"]["S"] in refused)
    assert handle(records) == [first["dynamodb"]["SequenceNumber"]]


def test_an_erased_customer_leaves_the_segment(
    shop: Callable[[str, int], None],
    stream: TableStream,
    handle: Publish,
    bus: Bus,
    members: Members,
    dynamodb: "DynamoDBClient",
) -> None:
    shop("889", 2)
    dynamodb.delete_item(TableName=TABLE, Key={"pk": {"S": "customer#889"}, "sk": {"S": "profile"}})
    handle(stream.records())
    assert [(d["from"], d["to"], d["cause"]) for d in bus.details()] == [(None, 1, "events"), (1, None, "erasure")]
    assert members.sizes()[1] == 0


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
    write, collisions = publisher.ledger._client.transact_write_items, iter([True, True, False])
    error = publisher.ledger._client.exceptions.TransactionCanceledException

    def collide(**request: Any) -> Any:
        if next(collisions):
            answer: Any = {"CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}]}
            raise error(answer, "TransactWriteItems")
        return write(**request)

    monkeypatch.setattr(publisher.ledger, "_sleep", lambda _seconds: None)
    monkeypatch.setattr(publisher.ledger._client, "transact_write_items", collide)
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


@pytest.mark.parametrize(
    ("spoiled", "told"),
    [
        pytest.param({"state": {"B": "CQA="}}, ["889", "890", "broken"], id="a state of a newer release"),
        pytest.param({"events": {"S": "many"}}, ["889", "890"], id="an item of another shape"),
    ],
)
def test_a_record_that_cannot_be_read_stops_no_other(
    shop: Callable[[str, int], None],
    stream: TableStream,
    handle: Publish,
    bus: Bus,
    publisher: ModuleType,
    measured: Callable[[], dict[str, int]],
    monkeypatch: pytest.MonkeyPatch,
    spoiled: dict[str, Any],
    told: list[str],
) -> None:
    # As where a bundle has reasons to give, which are in the history.
    monkeypatch.setattr(publisher.explainer, "top", lambda profile, _: histories([profile]).keys[1:])
    for customer in ("889", "broken", "890"):
        shop(customer, 2)
    records = stream.records()
    for record in records:
        if record["dynamodb"]["Keys"]["pk"]["S"] == "customer#broken":
            record["dynamodb"]["NewImage"] |= spoiled
    assert handle(records) == []
    assert sorted(detail["customer_id"] for detail in bus.details()) == told
    assert measured()["ProfilesUnreadable"] == 1
