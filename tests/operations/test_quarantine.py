from typing import TYPE_CHECKING

import pytest

from operations import quarantine
from operations.stack import DeployedStack
from tests.conftest import BUCKET

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_reasons_are_counted_without_the_values_that_were_refused(
    s3: "S3Client", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(DeployedStack, "resource", lambda self, name: {"DataBucket": BUCKET}[name])
    body = b"".join(
        b'{"source_key": "events/a.ndjson", "line": %d, "reason": "price must be a number, not %d"}\n' % (n, n)
        for n in range(3)
    )
    s3.put_object(Bucket=BUCKET, Key="quarantine/events/a.ndjson/1/lines-000000001.ndjson", Body=body)
    s3.put_object(Bucket=BUCKET, Key="quarantine/events/b.csv/1/reason.json", Body=b'{"reason": "no header"}')
    s3.put_object(Bucket=BUCKET, Key="quarantine/events/whole.ndjson/1/whole.ndjson", Body=b"\xff\nnot JSON")
    assert quarantine.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split(maxsplit=1) == ["3", "price must be a number"]
    assert lines[2].split(maxsplit=1) == ["1", "no header"]
    assert lines[-1] == "4 refused lines and files, for 2 reasons"
    assert quarantine.main(["--below", "events/b.csv"]) == 0
    assert capsys.readouterr().out.endswith("1 refused lines and files, for 1 reasons\n")
