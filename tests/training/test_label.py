"""Names and actions are shown and changed from the command line, without training again."""

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shared.models.labels import labels_key
from tests.conftest import BUCKET
from tests.support.bundles import make_bundle, publish
from training.label import main

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MANIFEST = make_bundle()[1]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "labels.toml"


def test_what_is_shown_can_be_edited_and_published(
    s3: "S3Client", file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(s3, make_bundle())
    assert main(["--bucket", BUCKET]) == 0
    shown = capsys.readouterr().out
    file.write_text(shown.replace('"About 10"', '"Our \\"regulars\\" — café"').replace('"no_action"', '"newsletter"'))
    assert main(["--bucket", BUCKET, "--file", str(file)]) == 0
    output = capsys.readouterr().out
    assert output == f"{MANIFEST['bundle_id']} in {BUCKET}: 1 segments and 6 actions have labels of yours\n"
    body = s3.get_object(Bucket=BUCKET, Key=labels_key(MANIFEST["bundle_id"]))["Body"].read()
    assert json.loads(body)["segments"] == {"2": {"name": 'Our "regulars" — café'}}
    assert main(["--bucket", BUCKET]) == 0
    assert tomllib.loads(capsys.readouterr().out) == tomllib.loads(file.read_text())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('[segments.7]\nname = "x"', "has no segment 7; its segments are 0, 1, 2"),
        ('[segments.1]\nname = "about 10"', 'two segments would be called "about 10"'),
        ('[segments.1]\nname = " "', "Expected `str` matching regex"),
        ('[segments.1]\ntitle = "x"', "Object contains unknown field `title`"),
        ('[actions.churny]\nkey = "x"', '"churny" is no intent; the intents are dormant, likely_to_convert'),
        ('[actions.dormant]\ntitle = "x"', "Object missing required field `key` - at `$.actions"),
        ('[actions.dormant]\nkey = "Win back!"', "Expected `str` matching regex"),
        ("[segments", "is not valid TOML"),
    ],
)
def test_a_bad_file_is_refused_with_one_line(
    s3: "S3Client", file: Path, capsys: pytest.CaptureFixture[str], content: str, says: str
) -> None:
    publish(s3, make_bundle())
    file.write_text(content)
    assert main(["--bucket", BUCKET, "--file", str(file)]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
    assert not s3.list_objects_v2(Bucket=BUCKET, Prefix=labels_key(MANIFEST["bundle_id"])).get("Contents")


def test_nothing_can_be_labelled_before_anything_is_published(
    s3: "S3Client", capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--bucket", BUCKET]) == 2
    assert "nothing was published" in capsys.readouterr().err
    assert main(["--bucket", BUCKET, "--file", "nowhere.toml"]) == 2
    assert "cannot read nowhere.toml" in capsys.readouterr().err
