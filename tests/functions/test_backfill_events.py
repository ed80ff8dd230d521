"""The functions that plan a backfill and take it in: what they take, what they keep, and how they go on."""

from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from shared.bulk import backfill
from shared.bulk.backfill import FilesFailed, NothingToDo, batches
from shared.features.codec import VERSION
from shared.profiles.item import encode_profile
from shared.profiles.table import ProfileTable, TableOverloaded
from tests.conftest import BUCKET, TABLE
from tests.functions.conftest import Context, Hurried, Unhurried, function, history_batch, put, take_in, written
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import csv_file, ndjson, purchase
from tests.support.partiql import PartiQL

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

OLD = make_bundle("20171001-old")


@pytest.fixture
def plan_backfill(s3: "S3Client", monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return function("plan_backfill", monkeypatch)


def test_a_history_is_planned_once(s3: "S3Client", plan_backfill: ModuleType) -> None:
    put(s3, {"2016/": b"", "2016/1.ndjson": b"x", "2016/2.ndjson": b"x", "2015/1.ndjson": b"x"})
    request = {"execution": "e", "input": {"prefix": "history/2016/"}}
    planned = plan_backfill.handler(request, Context())
    assert planned == {"run": "e", "plan": "reports/backfill/e/batches.json", "batches": 1}
    keys = ["history/2016/1.ndjson", "history/2016/2.ndjson"]
    assert written(s3, planned["plan"]) == [{"number": 0, "keys": keys}]

    put(s3, {"2016/3.ndjson": b"x"})
    assert plan_backfill.handler({"execution": "later", "input": {"run": "e"}}, Context()) == planned
    assert written(s3, planned["plan"]) == [{"number": 0, "keys": keys}]
    everything = plan_backfill.handler({"execution": "all", "input": {}}, Context())
    assert len(written(s3, everything["plan"])[0]["keys"]) == 4


def test_all_that_profiles_are_made_of_is_planned_together(s3: "S3Client", plan_backfill: ModuleType) -> None:
    keys = ["history/2016.ndjson", "events/day.ndjson", "archive/2017/01/01/00/a.ndjson.gz"]
    for key in [*keys, "quarantine/events/day.ndjson/x/lines.ndjson"]:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    given = {"prefixes": ["history/", "events/", "archive/"], "decide": False}
    planned = plan_backfill.handler({"execution": "e", "input": given}, Context())
    assert written(s3, planned["plan"]) == [{"number": 0, "keys": keys, "decides": False}]


def test_a_batch_can_store_histories_and_decide_on_nobody(
    s3: "S3Client", table: ProfileTable, backfill_events: ModuleType
) -> None:
    publish(s3, OLD)
    put(s3, {"1.ndjson": ndjson([purchase("a")])})
    given = history_batch("1.ndjson")
    assert backfill_events.handler({**given, "batch": {**given["batch"], "decides": False}}, Unhurried())["done"]
    profile = table.get("customer#a")
    assert profile is not None and profile.events == 1 and profile.decision is None


@pytest.mark.parametrize("prefix", ["history/2014/", "models/", "quarantine/history/"])
def test_a_prefix_without_history_is_refused(s3: "S3Client", plan_backfill: ModuleType, prefix: str) -> None:
    s3.put_object(Bucket=BUCKET, Key="models/current.json", Body=b"x")
    with pytest.raises(NothingToDo, match="the prefix of this run"):
        plan_backfill.handler({"execution": "e", "input": {"prefix": prefix}}, Context())


@given(st.lists(st.integers(0, 100), max_size=30), st.integers(1, 8), st.integers(1, 150))
def test_batches_hold_every_file_once_within_their_bounds(sizes: list[int], most_files: int, most_bytes: int) -> None:
    files = {f"{i:03d}": size for i, size in enumerate(sizes)}
    made = list(batches(iter(files.items()), most_files, most_bytes))
    assert [key for one in made for key in one.keys] == [*files]
    assert [one.number for one in made] == [*range(len(made))]
    for one in made:
        assert 0 < len(one.keys) <= most_files
        assert len(one.keys) == 1 or sum(files[key] for key in one.keys) <= most_bytes


def test_a_batch_of_every_kind_of_file_is_taken_in_and_told_of(
    s3: "S3Client", table: ProfileTable, backfill_events: ModuleType, summarise_run: ModuleType
) -> None:
    publish(s3, OLD)
    lines = [*ndjson([purchase("a"), purchase("a"), purchase("b")]).splitlines(), b"not json"]
    put(s3, {"1.ndjson": b"\n".join(lines), "2.csv": csv_file([purchase("a", number=1)]), "3.ndjson.gz": b"torn"})
    names = ("1.ndjson", "2.csv", "3.ndjson.gz", "gone.ndjson")
    assert backfill_events.handler(history_batch(*names), Unhurried()) == {"done": True}
    profile = table.get("customer#a")
    assert profile is not None and profile.events == 2 and profile.decision is not None
    summarise_run.handler({"kind": "backfill", "run": "r", "parts": 1}, Context())
    summed = written(s3, "reports/backfill/r.json")
    assert {name: summed[name] for name in summed if name not in {"run", "started", "updated", "seconds"}} == {
        "batches": 1,
        "unfinished": 0,
        "files": 4,
        "events_accepted": 4,
        "events_counted": 3,
        "events_duplicate": 1,
        "events_quarantined": 1,
        "events_forgotten": 0,
        "profiles_changed": 2,
        "files_unreadable": ["history/3.ndjson.gz"],
        "files_missing": ["history/gone.ndjson"],
        "files_failed": {},
        "files_waiting": 0,
    }
    kept = s3.list_objects_v2(Bucket=BUCKET, Prefix="quarantine/history/1.ndjson/")["Contents"]
    assert len(kept) == 1


def test_a_history_again_changes_nothing(
    s3: "S3Client", table: ProfileTable, backfill_events: ModuleType, partiql: PartiQL
) -> None:
    publish(s3, OLD)
    take_in(backfill_events, s3)
    before, statements = table.load([f"customer#{i}" for i in range(5)]), partiql.statements
    backfill_events.handler({**history_batch("all.ndjson"), "run": "again"}, Unhurried())
    assert table.load([f"customer#{i}" for i in range(5)]) == before
    assert partiql.statements == statements
    assert written(s3, "reports/backfill/again/part-000000.json")["counted"] == 0


def test_invocations_without_time_take_a_file_each(s3: "S3Client", backfill_events: ModuleType) -> None:
    names = [f"{i}.ndjson" for i in range(3)]
    put(s3, {name: ndjson([purchase("a", number=i)]) for i, name in enumerate(names)})
    answers = [backfill_events.handler(history_batch(*names), Hurried()) for _ in range(3)]
    assert answers == [{"done": False}, {"done": False}, {"done": True}]
    assert written(s3, "reports/backfill/r/part-000000.json")["counted"] == 3


def test_a_file_that_fails_is_told_of_and_taken_in_by_the_next_attempt(
    s3: "S3Client",
    table: ProfileTable,
    backfill_events: ModuleType,
    summarise_run: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("first.ndjson", "refused.ndjson", "last.ndjson")
    put(s3, {name: ndjson([purchase(name)]) for name in names})
    fetch = backfill_events.s3.get_object

    def refuse_one(**request: Any) -> Any:
        if request["Key"] == "history/refused.ndjson":
            raise ClientError({"Error": {"Code": "SlowDown", "Message": "Reduce your request rate"}}, "GetObject")
        return fetch(**request)

    with monkeypatch.context() as patched:
        patched.setattr(backfill_events.s3, "get_object", refuse_one)
        with pytest.raises(FilesFailed, match="1 of 3 files"):
            backfill_events.handler(history_batch(*names), Unhurried())
    assert [table.get(f"customer#{name}") is not None for name in names] == [True, False, True]
    assert summarise_run.handler({"kind": "backfill", "run": "r", "parts": 1}, Context())["unfinished"] == 1
    assert [*written(s3, "reports/backfill/r.json")["files_failed"]] == ["history/refused.ndjson"]

    assert backfill_events.handler(history_batch(*names), Unhurried()) == {"done": True}
    assert table.get("customer#refused.ndjson") is not None
    assert summarise_run.handler({"kind": "backfill", "run": "r", "parts": 1}, Context())["unfinished"] == 0
    assert written(s3, "reports/backfill/r.json")["files"] == 3


def test_files_whose_events_could_not_be_written_wait(
    s3: "S3Client", backfill_events: ModuleType, summarise_run: ModuleType, partiql: PartiQL
) -> None:
    names = ("a.ndjson", "b.ndjson")
    put(s3, {name: ndjson([purchase(name)]) for name in names})
    backfill_events.handler(history_batch(*names), Hurried())
    partiql.refusals.extend(["ThrottlingError"] * 10)
    with pytest.raises(TableOverloaded):
        backfill_events.handler(history_batch(*names), Unhurried())
    summarise_run.handler({"kind": "backfill", "run": "r", "parts": 1}, Context())
    assert written(s3, "reports/backfill/r.json")["files_waiting"] == 1
    assert backfill_events.handler(history_batch(*names), Unhurried()) == {"done": True}
    assert written(s3, "reports/backfill/r/part-000000.json")["counted"] == 2


def test_files_are_written_now_and_then_so_that_a_crash_costs_a_minute(
    s3: "S3Client", backfill_events: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "CHECKPOINT_SECONDS", 0.0)
    names = [f"{i}.ndjson" for i in range(4)]
    put(s3, {name: ndjson([purchase("a", number=i)]) for i, name in enumerate(names)})
    kept = list[int]()
    write = backfill_events.RunParts.write

    def tell(parts: Any, number: int, progress: Any) -> None:
        kept.append(len(progress.todo))
        write(parts, number, progress)

    monkeypatch.setattr(backfill_events.RunParts, "write", tell)
    assert backfill_events.handler(history_batch(*names), Unhurried()) == {"done": True}
    assert kept == [3, 2, 1, 0]


def test_a_full_profile_does_not_keep_its_batch_from_its_end(
    s3: "S3Client", backfill_events: ModuleType, table: ProfileTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.profiles.update.MAX_STATE_BYTES", 1_000)
    heavy = [purchase("full", number, category=f"c{number}") for number in range(200)]
    put(s3, {"a.ndjson": ndjson([purchase("889")]), "b.ndjson": ndjson([*heavy, purchase("890")])})
    assert backfill_events.handler(history_batch("a.ndjson", "b.ndjson"), Unhurried()) == {"done": True}
    assert {*table.load(["customer#889", "customer#890", "customer#full"])} == {"customer#889", "customer#890"}
    progress = written(s3, "reports/backfill/r/part-000000.json")
    assert (progress["files"], progress["counted"], progress["quarantined"]) == (2, 2, 200)


def test_a_file_with_events_of_a_profile_of_a_newer_release_fails_alone(
    s3: "S3Client", dynamodb: "DynamoDBClient", backfill_events: ModuleType, table: ProfileTable
) -> None:
    put(s3, {"a.ndjson": ndjson([purchase("newer")]), "b.ndjson": ndjson([purchase("889")])})
    backfill_events.handler(history_batch("a.ndjson"), Unhurried())
    newer = table.load(["customer#newer"])["customer#newer"]
    state = bytes([VERSION + 1]) + newer.state[1:]
    dynamodb.put_item(TableName=TABLE, Item=encode_profile(replace(newer, state=state)))
    put(s3, {"c.ndjson": ndjson([purchase("newer", 1)])})
    both = {"run": "s", "batch": {"number": 0, "keys": ["history/b.ndjson", "history/c.ndjson"]}}
    with pytest.raises(FilesFailed, match="1 of 2 files"):
        backfill_events.handler(both, Unhurried())
    assert table.get("customer#889") is not None
    dynamodb.put_item(TableName=TABLE, Item=encode_profile(newer))
    assert backfill_events.handler(both, Unhurried()) == {"done": True}
