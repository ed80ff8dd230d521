"""Events that DuckDB sorts on the disk give what events in memory give, to the byte."""

from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.support.event_files import Event, ndjson, purchase
from tests.support.examples import at_most
from tests.support.gathered import AS_OF_MS, differences, event_files, everyone, keys_of, states, told, written
from training.base.errors import InputError
from training.data.events import Source
from training.engines.disk import on_disk
from training.engines.engine import Memory


@pytest.mark.parametrize("at_once", [1, 7, 10_000])
@settings(max_examples=at_most(8), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=event_files())
def test_whoever_did_what_in_whatever_files_the_answers_are_those_of_memory(
    tmp_path: Path, files: list[list[Event]], at_once: int
) -> None:
    source = Source(written(tmp_path / "events", files), as_of_ms=AS_OF_MS)
    assert differences(partial(on_disk, at_once=at_once), source) == []


def test_parts_come_in_the_order_of_keys_and_none_ends_within_a_customer(tmp_path: Path) -> None:
    events = [purchase(customer, number) for number in range(5) for customer in ("z", "a", "ä", "Z", "𐍈", "\uffff")]
    source = Source(written(tmp_path / "events", [events]))
    with on_disk(source, at_once=3) as engine:
        parts = [*engine.ask(everyone, [states])]
    keys = keys_of(parts)
    assert len(parts) > 1
    assert keys == sorted({f"customer#{event['customer_id']}" for event in events})


def test_types_of_the_shops_own_are_told_apart_here_as_well(tmp_path: Path) -> None:
    events = [purchase("a", number, event_type=kind) for number, kind in enumerate(("coupon", "page_view", "coupon"))]
    source = Source(written(tmp_path / "events", [events]), own_types=("coupon",))
    with on_disk(source) as disk, Memory.open(source) as memory:
        ours, theirs = ([*engine.ask(everyone, [states])] for engine in (disk, memory))
    assert ours[0].answers[0].tolist() == theirs[0].answers[0].tolist()


def test_what_memory_does_not_hold_is_sorted_on_the_disk(tmp_path: Path) -> None:
    events = [purchase(f"customer-{number % 7_919}", number) for number in range(40_000)]
    source = Source(written(tmp_path / "events", [events]))
    with on_disk(source, tmp_path, memory="24MB") as engine:
        small = told(engine)
    with on_disk(source) as engine:
        assert told(engine) == small
    assert [path.name for path in tmp_path.iterdir()] == ["events"]


def test_files_without_an_event_are_refused_as_ever(tmp_path: Path) -> None:
    (tmp_path / "events.ndjson").write_bytes(ndjson([{"event_type": "page_view"}]))
    with pytest.raises(InputError, match="no events: refused 1 lines"), on_disk(Source([tmp_path])):
        pass
