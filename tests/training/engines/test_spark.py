"""What Spark gathers and asks on many machines comes to what one machine comes to, to the byte."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from shared.events.mapping import read_mapping
from shared.events.translator import Translator
from shared.features import Profiles
from shared.models.bundle import Bundle
from shared.models.layout import MANIFEST_FILE, ONNX_FILE
from tests.conftest import BUCKET
from tests.support.bundles import make_bundle, publish
from tests.support.event_files import Event, ndjson, profiles, purchase
from tests.support.gathered import (
    AS_OF_MS,
    customers,
    differences,
    event_files,
    everyone,
    keys_of,
    states,
    told,
    written,
)
from tests.support.shop import shop_events
from tests.training.conftest import Shop, differing, train_model
from tests.training.data.test_stored import put_snapshot
from training import learn, score, table, train
from training.base.errors import InputError
from training.data.events import Source
from training.data.stored import latest_snapshot
from training.data.writing import write_tables
from training.engines import options
from training.engines.engine import Memory
from training.engines.spark import by_spark
from training.engines.stored import stored_by_spark, stored_in_memory

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from pyspark.sql import SparkSession


DAY = "2024-10-26"
END_MS = 1_727_740_800_000


@contextmanager
def batches(session: "SparkSession", rows: int) -> Iterator[None]:
    """Tables move in batches of so many rows."""
    name = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = session.conf.get(name)
    session.conf.set(name, str(rows))
    try:
        yield
    finally:
        session.conf.set(name, before)


@pytest.mark.parametrize(("rows", "groups"), [(1, 1), (7, 3), (10_000, 20)])
@settings(
    max_examples=2, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(files=event_files(max_size=60))
def test_batches_and_groups_of_any_size_answer_what_memory_answers(
    tmp_path: Path, spark: "SparkSession", files: list[list[Event]], rows: int, groups: int
) -> None:
    source = Source(written(tmp_path / "events", files), as_of_ms=AS_OF_MS)
    with batches(spark, rows):
        assert differences(partial(by_spark, session=spark, groups=groups), source) == []


def test_files_in_a_shop_s_own_columns_are_read_by_their_mapping(tmp_path: Path, spark: "SparkSession") -> None:
    rows = [{"who": f"c{i % 5}", "what": "view", "when": f"2024-09-{1 + i % 28:02d}"} for i in range(40)]
    files = written(tmp_path / "events", [rows[:15], rows[15:]])
    columns = b'[columns]\ncustomer_id = "who"\nevent_type = "what"\ntimestamp = "when"'
    mapping = read_mapping(columns + b'\n[event_types]\nview = "view_item"')
    source = Source(files, as_of_ms=AS_OF_MS, translator=Translator(mapping))
    assert differences(partial(by_spark, session=spark), source) == []


def test_keys_come_in_the_order_that_python_sorts_them_in(tmp_path: Path, spark: "SparkSession") -> None:
    events = [purchase(customer, number) for number in range(2) for customer in ("z", "a", "ä", "Z", "𐍈", "\uffff")]
    source = Source(written(tmp_path / "events", [events]))
    with by_spark(source, spark, groups=4) as engine:
        keys = keys_of([*engine.ask(everyone, [states])])
    assert keys == sorted({f"customer#{event['customer_id']}" for event in events})


def test_who_is_not_picked_is_not_among_the_answers(tmp_path: Path, spark: "SparkSession") -> None:
    visit = purchase("x", customer_id=None, anonymous_id="phone")
    source = Source(written(tmp_path / "events", [[visit, purchase("a")]]), own_types=("coupon",))
    with by_spark(source, spark) as engine, Memory.open(source) as memory:
        parts, expected = ([*each.ask(customers, [states])] for each in (engine, memory))
    assert keys_of(parts) == ["customer#a"]
    assert parts[0].answers[0].tobytes() == expected[0].answers[0].tobytes()


def test_a_file_of_scores_has_the_bytes_of_one_machine(tmp_path: Path, spark: "SparkSession") -> None:
    bundle = Bundle.from_files(*make_bundle())
    source = Source(written(tmp_path / "events", [shop_events(120)]))
    for name, engine in (("spark", partial(by_spark, session=spark, groups=3)), ("memory", Memory.open)):
        with engine(source) as gathered:
            write_tables(score.scores(gathered, bundle, END_MS), tmp_path / name)
    assert (tmp_path / "spark").read_bytes() == (tmp_path / "memory").read_bytes()


def test_a_bundle_has_the_bytes_of_one_machine(
    tmp_path: Path, spark: "SparkSession", shop: Shop, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "engine", lambda arguments: partial(by_spark, session=spark, groups=3))
    with batches(spark, 7):
        assert differing(train_model(shop, tmp_path, "--engine", "spark"), model) == []


# ---- Snapshots -------------------------------------------------------------------------------------------------------


def put_in_parts(s3: "S3Client", stored: Profiles, count: int) -> None:
    """A snapshot in so many objects, in none of which customers stand in the order of their keys."""
    put_snapshot(s3, DAY, *(stored.take([*range(part, len(stored), count)][::-1]) for part in range(count)))


@pytest.mark.parametrize(("rows", "parts"), [(1, 1), (7, 3), (10_000, 20)])
def test_a_snapshot_in_objects_and_batches_of_any_size_answers_what_memory_answers(
    reached: "SparkSession", shop: Shop, s3: "S3Client", rows: int, parts: int
) -> None:
    put_in_parts(s3, shop.profiles.part(0, 60), parts)
    snapshot = latest_snapshot(BUCKET)
    with batches(reached, rows), stored_by_spark(snapshot, reached, at_once=rows) as engine:
        assert told(engine) | {"accepted": 0} == told(stored_in_memory(snapshot)) | {"summary": [], "accepted": 0}


def test_a_bundle_of_a_snapshot_has_the_bytes_of_one_machine(
    tmp_path: Path, reached: "SparkSession", shop: Shop, model: Path, s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in_parts(s3, shop.profiles, 3)
    monkeypatch.setattr(options, "stored", lambda arguments: partial(stored_by_spark, session=reached, at_once=50))
    arguments = ["--bucket", BUCKET, "--config", str(shop.config), "--out", str(tmp_path / "m"), "--engine", "spark"]
    assert train.main(arguments) == 0
    assert differing(tmp_path / "m", model) == []


def test_what_is_learned_by_spark_is_what_is_learned_in_memory(
    tmp_path: Path, reached: "SparkSession", shop: Shop, model: Path, s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(s3, ((model / ONNX_FILE).read_bytes(), json.loads((model / MANIFEST_FILE).read_text())))
    put_in_parts(s3, shop.profiles.part(3, len(shop.profiles)), 20)
    reports = []
    for engine in ("memory", "spark"):
        if engine == "spark":
            monkeypatch.setattr(options, "stored", lambda _: partial(stored_by_spark, session=reached, at_once=7))
        command = ["--bucket", BUCKET, "--again", "--least-gain", "9", "--engine", engine]
        assert learn.main(command) == 0
        reports.append(json.loads(s3.get_object(Bucket=BUCKET, Key=learn.report_key(DAY))["Body"].read()))
    assert reports[0] | {"learned_at": ""} == reports[1] | {"learned_at": ""}
    assert reports[0]["customers"] == len(shop.profiles) - 3
    assert set(reports[0]["would_change"]) == set(learn.DECIDED)


def test_a_customer_who_stands_twice_in_a_snapshot_is_told_of(reached: "SparkSession", s3: "S3Client") -> None:
    put_snapshot(s3, DAY, profiles(purchase("a", 1), purchase("b", 1)), profiles(purchase("a", 2)))
    with stored_by_spark(latest_snapshot(BUCKET), reached) as engine, pytest.raises(InputError, match="twice"):
        [*engine.ask(everyone, [states])]


@pytest.mark.parametrize(("damage", "said"), [(b"no parquet", "cannot be read by this release"), (None, "no more")])
def test_what_a_worker_cannot_read_is_said_in_a_line(
    reached: "SparkSession", s3: "S3Client", damage: bytes | None, said: str
) -> None:
    put_snapshot(s3, DAY, profiles(purchase("a", 1)))
    snapshot = latest_snapshot(BUCKET)
    place = {"Bucket": BUCKET, "Key": snapshot.objects[0].key}
    s3.delete_object(**place) if damage is None else s3.put_object(**place, Body=damage)  # type: ignore[arg-type]
    with stored_by_spark(snapshot, reached) as engine, pytest.raises(InputError, match=said) as raised:
        [*engine.ask(everyone, [states])]
    assert "\n" not in str(raised.value)


# ---- Tables, and what is refused -------------------------------------------------------------------------------------


def test_a_table_has_the_bytes_of_one_machine(
    tmp_path: Path, spark: "SparkSession", shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--events", str(shop.file), "--config", str(shop.config), "--whole"]
    assert table.main([*arguments, "--out", str(tmp_path / "memory")]) == 0
    monkeypatch.setattr(options, "engine", lambda arguments: partial(by_spark, session=spark, groups=3))
    assert table.main([*arguments, "--out", str(tmp_path / "spark"), "--engine", "spark"]) == 0
    assert (tmp_path / "spark").read_bytes() == (tmp_path / "memory").read_bytes()


def test_without_spark_it_is_said_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(InputError, match="uv sync --group spark"), by_spark(Source([])):
        pass


def test_files_without_an_event_are_refused_as_ever(tmp_path: Path, spark: "SparkSession") -> None:
    (tmp_path / "events.ndjson").write_bytes(ndjson([{"event_type": "page_view"}]))
    with pytest.raises(InputError, match="no events: refused 1 lines"), by_spark(Source([tmp_path]), spark):
        pass
