"""What is published can be looked up: what is live, how good it is, and what it was excused for."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import BUCKET
from tests.support.bundles import make_bundle
from tests.support.bundles import publish as put_bundle
from training import bundles, publish, rollback

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OLDER = "20230101-00000000"


def listed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    assert bundles.main(["--bucket", BUCKET]) == 0
    return capsys.readouterr().out.splitlines()


def test_every_bundle_is_listed_with_its_figures_and_reasons(
    model: Path, s3: "S3Client", capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("report.html", "reasons.npz"):
        s3.put_object(Bucket=BUCKET, Key=f"models/{OLDER}/{name}", Body=b"")
    put_bundle(s3, make_bundle(OLDER))
    assert publish.main(["--model", str(model), "--bucket", BUCKET, "--force-reason", "spring sale"]) == 0
    lines = listed(capsys)
    (older,) = (line for line in lines if OLDER in line)
    assert "previous" in older and " - " in older
    assert sum("│ live " in line for line in lines) == 1
    assert any("forced spring sale" in line for line in lines)
    assert rollback.main(["--bucket", BUCKET]) == 0
    lines = listed(capsys)
    assert any(OLDER in line and "│ live " in line for line in lines)
    assert any("rolled back from" in line for line in lines) and any("forced spring sale" in line for line in lines)


def test_an_empty_bucket_has_nothing_to_list(s3: "S3Client", capsys: pytest.CaptureFixture[str]) -> None:
    assert bundles.main(["--bucket", BUCKET]) == 2
    assert "nothing was published" in capsys.readouterr().err
