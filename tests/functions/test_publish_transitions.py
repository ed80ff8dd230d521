"""Every move of a customer leaves through the stream of the table: it is kept, counted and published."""

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from shared.ledger.announcements import Announcer
from shared.ledger.rows import Ledger
from shared.profiles.histories import histories
from shared.profiles.members import Members
from shared.telemetry.errors import AnonymousError
from tests.conftest import BUS, TABLE
from tests.functions.streams import Bus, TableStream
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import ndjson, purchase

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

type Drop = Callable[..., list[str]]
type Publish = Callable[..., list[str]]

ROWS = 50


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
    events = boto3.client("events")
    put, refused = events.put_events, {"customer#3", "customer#12"}

    def put_most(Entries: list[Any]) -> Any:
        answer = put(Entries=Entries)
        for entry, outcome in zip(Entries, answer["Entries"], strict=True):
            if any(f'"{key.removeprefix("customer#")}"' in entry["Detail"] for key in refused):
                outcome["ErrorCode"] = "ThrottlingException"
        return answer

    monkeypatch.setattr(events, "put_events", put_most)
    monkeypatch.setattr(publisher, "announcer", Announcer(events, BUS, lambda _seconds: None))
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


@pytest.mark.parametrize(
    ("spoiled", "published"),
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
    published: list[str],
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
    assert sorted(detail["customer_id"] for detail in bus.details()) == published
    assert measured()["ProfilesUnreadable"] == 1
