"""What Spark gathers and asks on many machines comes to what one machine comes to, to the byte."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from shared.models.bundle import Bundle
from tests.support.bundles import make_bundle
from tests.support.event_files import Event, ndjson, purchase
from tests.support.gathered import AS_OF_MS, customers, differences, event_files, everyone, keys_of, states, written
from tests.support.shop import shop_events
from tests.training.conftest import Shop, differing, train_model
from training import score, table
from training.base.errors import InputError
from training.data.events import Source
from training.data.writing import write_tables
from training.engines import options
from training.engines.engine import Memory
from training.engines.spark import by_spark

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


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
