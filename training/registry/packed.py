"""What a job of Spark runs: the Python of whoever starts it with its libraries and the project, as one archive.

A release of EMR brings a Python of its own that is not ours, and its workers reach neither the registry of packages nor
the Python that an environment of `venv` points at. So the whole of it goes along. The Python has to be one that may lie
anywhere, as those are that uv installs.
"""

from __future__ import annotations

import hashlib
import sys
import sysconfig
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from training.base.errors import InputError
from training.registry.published import Registry
from training.registry.source import CHECKOUT, FILES, PACKAGES, archive

PACKED = "learning/packed/"
ENTRY = "learn.py"
"""The program that is begun: named after no package, as its folder is where Python looks first."""
UNUSED = {"__pycache__", "ensurepip", "idlelib", "test", "tkinter"}
"""Folders of Python that no program of ours needs."""
SYSTEM = {"/usr", "/usr/local"}
LIBRARIES = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
LEVEL = 3
"""Of compression: a third of the time of the usual one, for a tenth more bytes."""


@dataclass(frozen=True)
class Packed:
    """Where it stands."""

    release: str
    """Changes with the code and the lock of its libraries."""
    entry: str
    """`s3://` and so on: the program."""
    environment: str
    """The same of the archive, in which Python is `bin/python`."""


def pack(registry: Registry, checkout: Path = CHECKOUT) -> Packed:
    """Puts it into the bucket, once a release. Raises InputError without a checkout, or as `write`."""
    release = hashlib.sha256(archive(checkout)).hexdigest()[:12]
    place = f"{PACKED}{release}/"
    entry, environment = place + ENTRY, f"{place}environment.tar.gz"
    if not registry.s3.list_objects_v2(Bucket=registry.bucket, Prefix=entry).get("Contents"):
        with tempfile.TemporaryDirectory() as folder:
            packed = Path(folder) / "environment.tar.gz"
            write(packed, checkout)
            registry.s3.upload_file(str(packed), registry.bucket, environment)
        # The program last: where it stands, all does.
        body = (checkout / "tessera/__main__.py").read_bytes()
        registry.s3.put_object(Bucket=registry.bucket, Key=entry, Body=body)
    return Packed(release, *(f"s3://{registry.bucket}/{key}" for key in (entry, environment)))


def write(path: Path, checkout: Path = CHECKOUT) -> None:
    """Writes the archive. Raises InputError where this Python is the system's, or no worker's."""
    if sys.platform != "linux" or sys.base_prefix in SYSTEM:
        one = "on Linux, `UV_MANAGED_PYTHON=1 uv sync` installs one that can"
        raise InputError(f"the Python at {sys.base_prefix} cannot be taken elsewhere: {one}")
    with tarfile.open(path, "w:gz", compresslevel=LEVEL) as packed:
        base = Path(sys.base_prefix)
        for name in ("bin", "lib"):
            packed.add(base / name, name, filter=_of_python)
        packed.add(sysconfig.get_path("purelib"), LIBRARIES, filter=_used)
        for name in (*FILES, *PACKAGES):
            packed.add(checkout / name, f"{LIBRARIES}/{name}", filter=_used)


def _of_python(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Without its own libraries, in whose place those of the environment come."""
    return None if entry.name.startswith(LIBRARIES) else _used(entry)


def _used(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    # Of libraries folders with these names may be parts.
    unused = {"__pycache__"} if entry.name.startswith(LIBRARIES) else UNUSED
    return None if unused.intersection(entry.name.split("/")) else entry
