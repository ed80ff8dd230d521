"""The command that trains, judges, publishes and puts recommendations back."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shared.recommending.layout import FILE, REPORT
from shared.recommending.publishing import current
from shared.recommending.recommender import Recommender
from tests.conftest import BUCKET
from tests.support.event_files import csv_file, ndjson
from tests.support.recommenders import small_shop
from training import recommend

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.ndjson"
    path.write_bytes(ndjson(small_shop()))
    return path


def test_it_trains_judges_publishes_and_puts_back(
    s3: "S3Client", events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = [tmp_path / "one", tmp_path / "two"]
    train = ["--events", str(events), "--as-of", "2017-10-01"]
    assert recommend.main([*train, "--out", str(out[0])]) == 0
    shown = capsys.readouterr().out
    assert "| Tessera | 1.000" in shown
    assert "4 products may be recommended, 4 are known" in shown
    catalogue = tmp_path / "products.csv"
    catalogue.write_bytes(csv_file([{"product_id": "a1", "name": "Bread"}]))
    publish = ["--catalogue", str(catalogue), "--publish", "--bucket", BUCKET]
    assert recommend.main([*train, "--out", str(out[1]), *publish]) == 0
    assert "1 products may be recommended" in capsys.readouterr().out
    second = Recommender.from_bytes((out[1] / FILE).read_bytes())
    assert second.names[second.ids.index("a1")] == "Bread"
    assert recommend.main(["--out", str(out[0]), "--publish", "--bucket", BUCKET]) == 0
    live = current(s3, BUCKET)
    assert live is not None
    assert live.version == 2
    assert recommend.main(["--rollback", "--bucket", BUCKET]) == 0
    assert f"{second.recommender_id} is live in {BUCKET} again, as version 3" in capsys.readouterr().out


def test_what_was_judged_worse_than_others_is_refused_unless_somebody_says_why(
    s3: "S3Client", events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert recommend.main(["--events", str(events), "--out", str(out)]) == 0
    report = json.loads((out / REPORT).read_text())
    report["evaluation"]["all"]["ahead_of_the_best"]["precision"] = [-0.2, -0.3, -0.1]
    (out / REPORT).write_text(json.dumps(report))
    publish = ["--out", str(out), "--publish", "--bucket", BUCKET]
    assert recommend.main(publish) == 1
    assert "judged worse" in capsys.readouterr().err
    assert current(s3, BUCKET) is None
    assert recommend.main([*publish, "--force-reason", "a trial"]) == 0


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        ([], 2, "--events says what to train from"),
        (["--events", "{events}"], 2, "--out names the folder"),
        (["--publish", "--out", "{out}"], 2, "--bucket says where"),
        (["--rollback", "--bucket", BUCKET], 2, "there is no version before"),
        (["--publish", "--bucket", BUCKET, "--out", "{out}"], 2, "No such file"),
        (["--events", "{out}", "--out", "{out}"], 2, "there is no file or folder"),
        (["--events", "{events}", "--out", "{out}", "--catalogue", "{events}"], 2, ""),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    s3: "S3Client",
    events: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    why: str,
) -> None:
    given = [text.format(events=events, out=tmp_path / "out") for text in arguments]
    if not why:
        given[-1] = str(tmp_path / "products.csv")
        (tmp_path / "products.csv").write_text("product_id,price\na1,-1\n")
        why = "price must be"
    assert recommend.main(given) == status
    (line,) = [one for one in capsys.readouterr().err.splitlines() if one.startswith("error")]
    assert why in line


def test_a_damaged_recommender_is_not_published(
    s3: "S3Client", events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert recommend.main(["--events", str(events), "--out", str(out)]) == 0
    (out / FILE).write_bytes((out / FILE).read_bytes()[:-1])
    assert recommend.main(["--out", str(out), "--publish", "--bucket", BUCKET]) == 1
    assert "holds no whole recommender" in capsys.readouterr().err
