"""What marks say, kept apart from the table as S3 objects, so that the loss of the table brings nobody back.

A fact is an object without content: `marks/<keyed hash>/refused-<time>`. Facts only come to be, so writing one needs no
reading, and any order and repetition leave the same set. They name nobody. `marks/epoch-<time>` says that the table was
made anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from shared.identity.consents import Mark

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = "marks/"
EPOCHS = f"{PREFIX}epoch-"
_FACT = re.compile(r"marks/(?P<name>[0-9a-f]+)/(?P<kind>refused|given|unlinked)(?:-(?P<at_ms>\d+))?")


class KeptMarks:
    """The facts of one data bucket."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def refused(self, name: str, at_ms: int) -> None:
        """Keeps a refusal of whom the keyed hash `name` stands for. Raises ClientError."""
        self._keep(f"{name}/refused-{at_ms:015d}")

    def given(self, name: str, at_ms: int) -> None:
        """Keeps a consent. Raises ClientError."""
        self._keep(f"{name}/given-{at_ms:015d}")

    def unlinked(self, name: str) -> None:
        """Keeps that the visitor's link was undone by hand. Raises ClientError."""
        self._keep(f"{name}/unlinked")

    def keep(self, name: str, mark: Mark) -> None:
        """Keeps all that a mark says. Raises ClientError."""
        if mark.refused_ms is not None:
            self.refused(name, mark.refused_ms)
        for at_ms in sorted(mark.given_ms):
            self.given(name, at_ms)
        if mark.unlinked:
            self.unlinked(name)

    def begin(self, epoch: int) -> None:
        """Keeps that the table is made anew at `epoch`, UTC milliseconds. Raises ClientError."""
        self._s3.put_object(Bucket=self._bucket, Key=f"{EPOCHS}{epoch:015d}", Body=b"")

    def epoch(self) -> int:
        """When the table was made anew last, UTC milliseconds; 0 for the first one. Raises ClientError."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=EPOCHS)
        return max(
            (int(entry["Key"][len(EPOCHS) :]) for page in pages for entry in page.get("Contents", ())), default=0
        )

    def all(self) -> Iterator[tuple[str, Mark]]:
        """Every mark with its keyed hash, from the facts kept so far. Raises ClientError."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=PREFIX)
        keys = (entry["Key"] for page in pages for entry in page.get("Contents", ()))
        facts = (fact for key in keys if (fact := _FACT.fullmatch(key)))
        for name, some in groupby(facts, lambda fact: fact["name"]):
            mark = Mark()
            for fact in some:
                mark = _with(mark, fact["kind"], int(fact["at_ms"] or 0))
            yield name, mark

    def _keep(self, fact: str) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=f"{PREFIX}{fact}", Body=b"")


def _with(mark: Mark, kind: str, at_ms: int) -> Mark:
    if kind == "refused":
        return replace(mark, refused_ms=max(mark.refused_ms or 0, at_ms))
    return replace(mark, given_ms=mark.given_ms | {at_ms}) if kind == "given" else replace(mark, unlinked=True)
