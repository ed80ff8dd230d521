"""The command that exports: what it starts, what it says on the way, and how it ends."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from operations import export
from shared.bulk.run_parts import RunParts
from shared.exports.partitions import PartitionProgress
from tests.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REPORT = {
    "date": "2026-01-01",
    "superseded": False,
    "customers_read": 1_234,
    "customers_exported": 1_230,
    "customers_erased_meanwhile": 3,
    "customers_unreadable": 1,
    "tables": {"customers": {"rows": 1_230, "objects": 2, "bytes": 5_000}},
}


class States:
    """Step Functions, whose run takes a part at a time."""

    def __init__(self, s3: "S3Client", status: str) -> None:
        self._parts = RunParts(s3, BUCKET, "exports", "night", PartitionProgress)
        self._left = [(0, False), (0, True), (1, True)]
        self._status = status

    def describe_execution(self, executionArn: str) -> dict[str, str]:
        if not self._left:
            cause = {"cause": "Some partitions failed."} if self._status == "FAILED" else {}
            return {"status": self._status, **cause}
        number, done = self._left.pop(0)
        self._parts.write(number, PartitionProgress(number, 2, 1, 2, done=done, read=600))
        return {"status": "RUNNING"}


class Stack:
    """A deployed stack, as far as the command asks for it."""

    def __init__(self, s3: "S3Client", status: str) -> None:
        self.s3 = s3
        self.begun: list[tuple[str, Any]] = []
        self._states = States(s3, status)

    def client(self, _service: str) -> States:
        return self._states

    def resource(self, name: str) -> str:
        return {"DataBucket": BUCKET, "ExportDatabase": "tessera"}[name]

    def begin(self, name: str, given: Any) -> str:
        self.begun.append((name, given))
        return "arn:aws:states:::execution:tessera-export-tables:night"


@pytest.fixture(params=["SUCCEEDED"])
def stack(request: pytest.FixtureRequest, s3: "S3Client", monkeypatch: pytest.MonkeyPatch) -> Stack:
    made = Stack(s3, request.param)
    monkeypatch.setattr("operations.stack.DeployedStack", lambda _name: made)
    monkeypatch.setattr(export, "LOOK_EVERY_SECONDS", 0)
    s3.put_object(Bucket=BUCKET, Key="reports/exports/night.json", Body=json.dumps(REPORT).encode())
    return made


def test_it_starts_a_run_and_says_where_its_report_will_be(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert export.main([]) == 0
    assert stack.begun == [("ExportTablesStateMachine", {})]
    assert "reports/exports/night.json" in capsys.readouterr().out


def test_it_follows_a_run_and_says_what_was_counted(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert export.main(["--wait", "--run", "night"]) == 0
    assert stack.begun == [("ExportTablesStateMachine", {"run": "night"})]
    assert capsys.readouterr().out.splitlines()[1:] == [
        "600 customers, 0 partitions done",
        "600 customers, 1 partitions done",
        "1,200 customers, 2 partitions done",
        "succeeded",
        "2026-01-01 is whole: of 1,234 customers 1,230 are rows, 3 were erased meanwhile and 1 cannot be read",
        "  customers           1,230 rows          5,000 bytes",
    ]


@pytest.mark.parametrize("stack", ["FAILED"], indirect=True)
def test_a_run_that_fails_is_bad_news(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert export.main(["--wait"]) == 1
    assert "Some partitions failed." in capsys.readouterr().out


def test_it_writes_what_opens_power_bi_and_starts_nothing(stack: Stack, tmp_path: Any) -> None:
    assert export.main(["--pbids", str(tmp_path / "shop.pbids")]) == 0
    assert json.loads((tmp_path / "shop.pbids").read_text())["connections"]
    assert stack.begun == []
