"""The way back to an earlier bundle is one command."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import BUCKET
from tests.training.test_publish import current, put_live
from training import publish, rollback

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_rollback_returns_to_the_bundle_before(model: Path, s3: "S3Client") -> None:
    put_live(s3)
    for _ in range(2):
        assert publish.main(["--model", str(model), "--bucket", BUCKET]) == 0
    newer = current(s3)["bundle_id"]
    assert rollback.main(["--bucket", BUCKET]) == 0
    assert current(s3)["bundle_id"] == "20230101-00000000"
    assert current(s3)["previous"] == current(s3)["rolled_back_from"] == newer
    assert rollback.main(["--bucket", BUCKET, "--to", newer]) == 0
    assert current(s3)["bundle_id"] == newer


@pytest.mark.parametrize(
    ("published", "arguments", "message"),
    [
        (None, [], "nothing was published"),
        ({"bundle_id": "a", "previous": None}, [], "there is none before it"),
        ({"bundle_id": "a", "previous": "b"}, [], "holds no whole bundle b"),
        ({"bundle_id": "a", "previous": None}, ["--to", "c"], "holds no whole bundle c"),
    ],
)
def test_rollback_to_nothing_changes_nothing(
    s3: "S3Client",
    capsys: pytest.CaptureFixture[str],
    published: dict[str, Any] | None,
    arguments: list[str],
    message: str,
) -> None:
    if published:
        s3.put_object(Bucket=BUCKET, Key="models/current.json", Body=json.dumps(published).encode())
    assert rollback.main(["--bucket", BUCKET, *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not published or current(s3) == published
