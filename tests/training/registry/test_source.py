"""What a stack trains with is whole, and the same for the same code."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from shared.models.layout import ONNX_FILE
from tests.conftest import BUCKET
from tests.training.conftest import Shop
from training.base.errors import InputError
from training.learn import main
from training.registry.published import Registry
from training.registry.source import CHECKOUT, FILES, SOURCE_KEY, archive, install

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_it_is_the_same_bytes_again() -> None:
    assert archive(CHECKOUT) == archive(CHECKOUT)


def test_nothing_else_is_needed_to_train(shop: Shop, tmp_path: Path) -> None:
    zipfile.ZipFile(io.BytesIO(archive(CHECKOUT))).extractall(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, "shared", "tessera", "training"}
    # Without the environment's own copy of the project, which would lend what is missing.
    alone = (
        "import os, sys; "
        "sys.path = [path for path in sys.path if not os.path.isdir(os.path.join(path, 'training'))]; "
        f"sys.path.insert(0, {str(tmp_path)!r}); "
        "from tessera.cli import application; application()(sys.argv[1:], prog_name='tessera')"
    )
    command = ["train", "--events", str(shop.file), "--config", str(shop.config), "--out", str(tmp_path / "model")]
    trained = subprocess.run([sys.executable, "-c", alone, *command], cwd=tmp_path, env={}, capture_output=True)
    assert trained.returncode == 0, trained.stderr
    assert (tmp_path / "model" / ONNX_FILE).exists()


def test_the_command_puts_it_into_the_bucket(s3: "S3Client", capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--bucket", BUCKET, "--install"]) == 0
    stored = s3.get_object(Bucket=BUCKET, Key=SOURCE_KEY)["Body"].read()
    assert stored == archive(CHECKOUT)
    assert f"{SOURCE_KEY}: {len(stored):,} bytes" in capsys.readouterr().out


def test_what_is_no_checkout_is_told_so(tmp_path: Path, aws: None) -> None:
    (tmp_path / "uv.lock").touch()
    with pytest.raises(InputError, match=r"has no actions\.toml, pyproject\.toml, shared, tessera, training"):
        install(Registry(boto3.client("s3"), BUCKET), tmp_path)
