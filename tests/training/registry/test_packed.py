"""What Spark's workers run is put together once a release, and holds all that they need."""

import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import BUCKET
from training.base.errors import InputError
from training.registry import packed
from training.registry.packed import LIBRARIES, pack, write
from training.registry.published import Registry
from training.registry.source import CHECKOUT, FILES, PACKAGES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    place = tmp_path / "checkout"
    for name in FILES:
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(name)
    for name in PACKAGES:
        (place / name / "__pycache__").mkdir(parents=True)
        (place / name / "__pycache__/old.pyc").touch()
        (place / name / "__main__.py").write_text(f"# {name}\n")
    return place


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this Python were a small one."""
    own = (f"{LIBRARIES}/pip/x.py", "lib/os.py", "lib/test/x.py", "bin/python", "share/x")
    libraries = ("numpy/test/x.py", "numpy/__pycache__/x.pyc")
    for name in (*(f"python/{name}" for name in own), *(f"venv/{name}" for name in libraries)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "python"))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / "venv"))


@pytest.mark.usefixtures("python")
def test_it_is_python_its_libraries_and_the_project(checkout: Path, tmp_path: Path) -> None:
    write(tmp_path / "environment.tar.gz", checkout)
    with tarfile.open(tmp_path / "environment.tar.gz") as archive:
        files = {entry.name for entry in archive if entry.isfile()}
    libraries = {"numpy/test/x.py", *FILES, *(f"{name}/__main__.py" for name in PACKAGES)}
    assert files == {"bin/python", "lib/os.py", *(f"{LIBRARIES}/{name}" for name in libraries)}


def test_the_systems_python_is_not_packed(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    with pytest.raises(InputError, match="the Python at /usr cannot be taken elsewhere"):
        write(tmp_path / "environment.tar.gz", checkout)


def test_it_is_packed_once_a_release(checkout: Path, s3: "S3Client", monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def write_little(path: Path, checkout: Path) -> None:
        written.append(checkout)
        path.write_bytes(b"an environment")

    monkeypatch.setattr(packed, "write", write_little)
    registry = Registry(s3, BUCKET)
    first = pack(registry, checkout)
    assert (pack(registry, checkout), len(written)) == (first, 1)
    keys = [place.removeprefix(f"s3://{BUCKET}/") for place in (first.environment, first.entry)]
    bodies = [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]
    assert bodies == [b"an environment", b"# tessera\n"]
    (checkout / "training/__main__.py").write_text("# another\n")
    assert pack(registry, checkout).release != first.release
    assert len(written) == 2


def test_what_broke_off_is_packed_again(checkout: Path, s3: "S3Client", monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(packed, "write", broken)
    with pytest.raises(KeyboardInterrupt):
        pack(Registry(s3, BUCKET), checkout)
    monkeypatch.setattr(packed, "write", lambda path, checkout: path.write_bytes(b"whole"))
    place = pack(Registry(s3, BUCKET), checkout).environment.removeprefix(f"s3://{BUCKET}/")
    assert s3.get_object(Bucket=BUCKET, Key=place)["Body"].read() == b"whole"


def test_no_checkout_is_told_so(tmp_path: Path, s3: "S3Client") -> None:
    with pytest.raises(InputError, match="no checkout"):
        pack(Registry(s3, BUCKET), tmp_path)


def test_the_program_begins_where_python_finds_the_project(tmp_path: Path) -> None:
    program = tmp_path / "alone" / packed.ENTRY
    program.parent.mkdir()
    program.write_bytes((CHECKOUT / "tessera/__main__.py").read_bytes())
    said = subprocess.run([sys.executable, program, "learn", "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert "--engine {memory,spark}" in said.stdout, said.stderr
