"""What parts of a run keep, and how it is summed up."""

from typing import Any

import msgspec
import pytest

from shared.bulk.run_parts import RunParts, span
from tests.conftest import BUCKET
from tests.simulation.objects import Objects
from tests.support.memory_client import Client


class Part(msgspec.Struct):
    done: int


@pytest.fixture
def s3() -> Any:
    return Client(Objects(lambda: 0))


def parts(s3: Any, run: str = "one") -> RunParts[Part]:
    return RunParts(s3, BUCKET, "backfill", run, Part)


def test_a_part_is_read_as_it_was_written_last(s3: Any) -> None:
    parts(s3).write(3, Part(1))
    parts(s3).write(3, Part(2))
    assert parts(s3).read(3) == Part(2)


def test_a_part_that_has_not_begun_is_none_and_runs_are_apart(s3: Any) -> None:
    parts(s3).write(0, Part(1))
    assert (parts(s3).read(1), parts(s3, "another").read(0)) == (None, None)


def test_all_parts_come_in_order_without_the_report(s3: Any) -> None:
    for number in (10, 2, 1):
        parts(s3).write(number, Part(number))
    parts(s3).write_report({})
    assert [part.done for part in parts(s3).all()] == [1, 2, 10]


def test_a_report_is_for_people_to_read(s3: Any) -> None:
    key = parts(s3).write_report({"read": 5})
    assert key == "reports/backfill/one.json"
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b'{\n  "read": 5\n}'


def test_a_run_lasts_from_the_first_begin_to_the_last_change() -> None:
    assert span([(2_000, 3_000), (1_000, 2_500)]) == {
        "started": "1970-01-01T00:00:01Z",
        "updated": "1970-01-01T00:00:03Z",
        "seconds": 2.0,
    }
    assert span([])["seconds"] == 0.0
