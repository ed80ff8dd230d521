"""What is timed beside its peers does what it claims, and so do they."""

import json
from typing import Any

import pytest

from bench.aws_stub import TABLE, AwsStub
from bench.delivering import Delivered, Posted
from bench.live_events import Live, Naive
from bench.serving import LookUps, Requests
from bench.shop import shop_events, shop_file
from bench.snapshots import read_stored, sorted_events, stored_snapshot
from bench.work import Inputs
from shared.features import FEATURE_SET_HASH, fold
from shared.models.layout import MANIFEST_FILE, ONNX_FILE
from shared.profiles.item import encode_profile
from shared.profiles.stored_profile import StoredProfile
from shared.profiles.table import ProfileTable
from shared.reasons.contributions import FILE
from tests.support.bundles import make_bundle

NONE_FAILED: dict[str, Any] = {"batchItemFailures": []}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """A shop of sixty, with a bundle that was not trained on the purchases, as a benchmark's is."""
    purchases = tmp_path_factory.mktemp("bench") / "purchases.parquet"
    folder = purchases.with_name(f"model-{FEATURE_SET_HASH}")
    folder.mkdir()
    graph, manifest = make_bundle(feature="visits_30d", centroids=(0.0, 1.0, 3.0))
    (folder / ONNX_FILE).write_bytes(graph)
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))
    (folder / FILE).touch()
    return Inputs(purchases, customers=60)


def stored(aws: AwsStub, keys: list[str]) -> dict[str, StoredProfile]:
    return ProfileTable(aws.client("dynamodb"), TABLE).load(keys)


@pytest.mark.parametrize("events_a_message", [1, 100])
def test_live_events_are_counted_once_and_decided_on_each_time_it_runs(inputs: Inputs, events_a_message: int) -> None:
    live = Live(inputs, events_a_message)
    assert all(answer == NONE_FAILED for answer in live.run())
    expected = {profile.key: profile.events for profile in live.day.updated}
    profiles = stored(live.aws, [*expected])
    assert {key: profile.events for key, profile in profiles.items()} == expected
    assert sum(expected.values()) == len(live.day.earlier) + len(live.day.lines)
    assert all(profile.decision for profile in profiles.values())


def test_without_a_design_all_events_are_kept_as_well(inputs: Inputs) -> None:
    naive = Naive(inputs)
    naive.run()
    client = naive.aws.client("dynamodb")
    keys = {f"customer#{line['customer_id']}" for line in naive.day.lines}
    request: Any = {TABLE: {"Keys": [{"pk": {"S": key}, "sk": {"S": "profile"}} for key in sorted(keys)]}}
    items = client.batch_get_item(RequestItems=request)["Responses"][TABLE]
    kept = [json.loads(event["S"]) for item in items for event in item["events"]["L"]]
    every = [*naive.day.earlier, *naive.day.lines]
    assert sorted(event["event_id"] for event in kept) == sorted(event["event_id"] for event in every)
    assert sum(int(item["count"]["N"]) for item in items) == len(kept)


def test_requests_leave_the_same_in_the_table_together_and_one_by_one(inputs: Inputs) -> None:
    requests = Requests(inputs)
    expected = {profile.key: encode_profile(profile) for profile in requests.day.updated}
    for run in (requests.together, requests.one_by_one):
        run()
        profiles = stored(requests.aws, [*expected])
        assert {key: encode_profile(profile) for key, profile in profiles.items()} == expected


def test_everybody_is_looked_up_and_has_a_segment(inputs: Inputs) -> None:
    ups = LookUps(inputs)
    answers = ups.run()
    assert {answer["statusCode"] for answer in answers} == {200}
    bodies = [json.loads(answer["body"]) for answer in answers]
    assert [f"customer#{body['customer_id']}" for body in bodies] == ups.keys
    assert all(body["segment"]["name"] for body in bodies)
    assert ups.facts["median_ms"] > 0


def test_the_webhook_is_told_of_each_change_once(inputs: Inputs) -> None:
    delivered = Delivered(inputs)
    assert all(answer == NONE_FAILED for answer in delivered.run())
    told = [body["data"] for body in delivered.receiver.bodies]
    assert sorted(one["id"] for one in told) == delivered.customers
    assert all(one["fields"]["segment"] for one in told)
    heads = [request.partition(b"\r\n\r\n")[0] for request in delivered.receiver.requests]
    assert all(b"webhook-signature: v1," in head for head in heads)


def test_without_a_design_it_is_told_of_each_change_once_as_well(inputs: Inputs) -> None:
    posted = Posted(inputs)
    posted.run()
    assert [body["customer_id"] for body in posted.receiver.bodies] == posted.customers


def test_a_snapshot_has_all_events_that_pandas_has() -> None:
    events = shop_events(50)
    assert len(read_stored(stored_snapshot(fold(events))).rows) == len(events)
    table = sorted_events(shop_file(events))
    assert len(table) == len(events)
    assert table.groupby("customer_id").timestamp.apply(lambda times: times.is_monotonic_increasing).all()
