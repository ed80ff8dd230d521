"""What a table that was lost would be made anew of: files, the archive, and the marks that are kept apart."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pyarrow.parquet import read_table

from shared.bulk.backfill import PREFIXES
from shared.events import Rules, UnreadableFile, read_file
from shared.events.mapping import read_mapping
from shared.events.translator import Translator
from shared.features import Profiles, encode, fold, merge, since
from shared.profiles.kept_marks import KeptMarks
from shared.profiles.marks import keyed_hash
from tests.simulation.cloud import MARK_SECRET, Cloud
from tests.simulation.people import MAPPING
from tests.simulation.truth import Truth


def restorable(cloud: Cloud, truth: Truth) -> Iterator[str]:
    """Every difference between what the bucket holds and what a table has to be made anew of."""
    folded = [Profiles.empty()]
    theirs = Translator(read_mapping(MAPPING.encode()))
    for key, versions in cloud.objects.versions.items():
        for body in (version.body for version in versions if key.startswith(PREFIXES)):
            with suppress(UnreadableFile):
                chunks = read_file(io.BytesIO(body or b""), key, Rules(), theirs if theirs.suits(key) else None)
                folded += [fold(chunk.events) for chunk in chunks]
    marks = truth.marks
    profiles = since(merge(*folded), truth.limits)
    states = dict(zip(profiles.keys, encode(profiles), strict=True))
    for key in truth.everybody:
        if states.get(key, b"") != truth.states.get(key, b"") and truth.is_settled(key):
            if key == truth.ghost:
                continue  # went with its customer, and its events from the archive with it
            yield f"{key} would be restored with another history"
    listed: Any = _Listed(cloud.objects.keys("marks/"))
    kept = {name: mark.counts_from_ms for name, mark in KeptMarks(listed, "").all()}
    for key, mark in marks.items():
        if kept.get(keyed_hash(MARK_SECRET.encode(), key)) != mark.counts_from_ms:
            yield f"{key} would be restored with another mark than {mark}"


class _Listed:
    """As much of an S3 client as lists objects."""

    def __init__(self, keys: list[str]) -> None:
        self._page = {"Contents": [{"Key": key} for key in keys]}

    def get_paginator(self, _name: str) -> _Listed:
        return self

    def paginate(self, **_: Any) -> list[Any]:
        return [self._page]


def plain(key: str, body: bytes | None) -> bytes:
    """What an object holds, unzipped where we zipped it, and as text where it is a table."""
    if body and key.startswith("exports/") and key.endswith(".parquet"):
        return repr(read_table(io.BytesIO(body)).to_pylist()).encode()
    return gzip.decompress(body) if body and key.startswith("archive/") else body or b""
