"""What a stack trains with: the code of this release and the lock of its libraries, one archive in the data bucket."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from training.base.errors import InputError
from training.registry.published import Registry

SOURCE_KEY = "learning/source.zip"
CHECKOUT = Path(__file__).resolve().parents[2]
FILES = ("actions.toml", "pyproject.toml", "uv.lock")
PACKAGES = ("shared", "tessera", "training")
"""What `tessera learn` imports of the project."""
SAME_TIME = (1980, 1, 1, 0, 0, 0)


def install(registry: Registry, checkout: Path = CHECKOUT) -> int:
    """Puts the archive where the stack's builds take it from; its bytes. Raises InputError without a checkout."""
    body = archive(checkout)
    registry.s3.put_object(Bucket=registry.bucket, Key=SOURCE_KEY, Body=body, ContentType="application/zip")
    return len(body)


def archive(checkout: Path) -> bytes:
    """The same bytes for the same code. Raises InputError where files are missing."""
    missing = [name for name in (*FILES, *PACKAGES) if not (checkout / name).exists()]
    if missing:
        raise InputError(f"{checkout} is no checkout of the project: it has no {', '.join(missing)}")
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as packed:
        for path in _files(checkout):
            entry = zipfile.ZipInfo(path.relative_to(checkout).as_posix(), SAME_TIME)
            packed.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return written.getvalue()


def _files(checkout: Path) -> Iterator[Path]:
    yield from (checkout / name for name in FILES)
    for package in PACKAGES:
        paths = sorted((checkout / package).rglob("*"))
        yield from (path for path in paths if path.is_file() and "__pycache__" not in path.parts)
