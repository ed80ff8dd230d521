"""The end of a run: nothing is whole before everything is, and nothing of before is left beside it."""

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from shared.audiences.audience import NONE
from shared.exports.finishing import Finishing
from shared.exports.objects import ExportObjects
from shared.exports.parquet import parquet
from shared.exports.partitions import PartitionProgress, run_mark
from shared.exports.plan import Plan, Plans, Written
from shared.exports.tables import CUSTOMERS, folder
from shared.features.time_zone import UTC_TIME
from tests.conftest import BUCKET
from tests.exports.columns import filled
from tests.support.exported import exported, object_keys

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DAY, NOW_MS = "2017-11-01", 1_509_500_000_000
LIVE = {"bundle_id": "m", "segments": [{"id": 1, "name": "One", "description": "the first"}, {"id": 2, "name": "Two"}]}


class NoMembers:
    """As much of the members as the catalogue asks for."""

    def sizes(self) -> Counter[int]:
        return Counter({1: 5})

    def audience_sizes(self) -> Counter[str]:
        return Counter()


@pytest.fixture
def finishing(s3: "S3Client") -> Finishing:
    members: Any = NoMembers()
    return Finishing(ExportObjects(s3, BUCKET), Plans(s3, BUCKET, UTC_TIME, 0), members, LIVE, NONE)


def part(finishing: Finishing, plan: Plan, number: int, names: list[str], **changes: Any) -> PartitionProgress:
    body, rows = parquet(CUSTOMERS, [filled(CUSTOMERS, names)])
    key = f"{folder('customers', DAY)}{run_mark(plan.run)}-{number:04d}-000000.parquet"
    finishing.objects.put(key, body)
    given: dict[str, Any] = {
        "objects": {"customers": [Written(key, rows, len(body))]},
        "read": len(names),
        "done": True,
    }
    return PartitionProgress(number, 2, 1, 2, **given | changes)


def plan(run: str = "r") -> Plan:
    return Plan(run, DAY, 1_509_500_000_000, recorded_until_ms=1)


def test_a_date_is_whole_when_all_parts_are_done(s3: "S3Client", finishing: Finishing) -> None:
    parts = [part(finishing, plan(), 0, ["a", "b"]), part(finishing, plan(), 1, ["c"])]
    report = finishing.finish(plan(), parts, 2, NOW_MS)
    assert (report["reconciles"], report["unfinished"], report["customers_exported"]) == (True, 0, 3)
    counted = {row["table_name"]: row["row_count"] for row in exported(s3, "snapshots", DAY)}
    assert (counted["customers"], counted["segments"], counted["moves"]) == (3, 2, 0)
    assert [(row["segment_id"], row["customers"]) for row in exported(s3, "segments", DAY)] == [(1, 5), (2, 0)]
    again = finishing.finish(plan(), parts, 2, NOW_MS)
    assert again == report
    assert finishing.plans.whole(DAY) == plan()


@pytest.mark.parametrize(
    ("parts", "changes", "wrong"),
    [(2, {"done": False}, "unfinished"), (3, {}, "unfinished"), (2, {"read": 9}, "reconciles")],
)
def test_what_is_not_done_or_does_not_reconcile_is_not_whole(
    s3: "S3Client", finishing: Finishing, parts: int, changes: dict[str, Any], wrong: str
) -> None:
    done = [part(finishing, plan(), 0, ["a"]), part(finishing, plan(), 1, ["b"], **changes)]
    report = finishing.finish(plan(), done, parts, NOW_MS)
    assert report[wrong] in (1, False)
    assert exported(s3, "snapshots") == []


def test_what_a_run_that_was_killed_left_goes_when_the_next_is_whole(s3: "S3Client", finishing: Finishing) -> None:
    part(finishing, plan("killed"), 0, ["a"])
    finishing.finish(plan(), [part(finishing, plan(), 0, ["a"])], 1, NOW_MS)
    assert [row["customer_id"] for row in exported(s3, "customers", DAY)] == ["a"]
    assert not [key for key in object_keys(s3) if run_mark("killed") in key]


def test_who_was_replaced_says_so_and_leaves_nothing(s3: "S3Client", finishing: Finishing) -> None:
    slow = [part(finishing, plan("slow"), 0, ["a"])]
    finishing.finish(plan("quick"), [part(finishing, plan("quick"), 0, ["a"])], 1, NOW_MS)
    part(finishing, plan("slow"), 1, ["a"])
    assert finishing.finish(plan("slow"), slow, 1, NOW_MS)["superseded"] is True
    assert not [key for key in object_keys(s3) if run_mark("slow") in key]
    assert len(exported(s3, "customers", DAY)) == 1
