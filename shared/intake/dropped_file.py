"""One event file of the data bucket: its valid lines to the intake, everything else to quarantine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from botocore.exceptions import ClientError

from shared.aws.fresh_object import is_absent
from shared.events import Rejection, Rules, UnreadableFile, read_file
from shared.intake import archive
from shared.intake.gathering import Intake, Source
from shared.intake.quarantine import Quarantine
from shared.profiles.unwritten import Unwritten

if TYPE_CHECKING:
    from shared.events.translator import Translator


@dataclass(frozen=True, slots=True)
class FileReport:
    """What was found in a file."""

    accepted: int = 0
    """Valid lines, repeats included."""
    quarantined: int = 0
    """Refused lines."""
    unreadable: str | None = None
    """Why the file, or what came after the lines above, could not be read; it is then quarantined whole."""
    missing: bool = False
    """The object was gone; that is kept in quarantine too, so that no trace is lost."""
    capped: int = 0
    """Refused lines, or the whole file, whose originals are in the file alone: quarantine has enough of it."""


@dataclass(frozen=True, slots=True)
class DroppedFile:
    """An object of the data bucket, and which version of it."""

    key: str
    version_id: str | None = None
    """None for the latest, as where the bucket keeps no versions."""

    @property
    def source(self) -> Any:
        """What S3 is asked for."""
        return {"Key": self.key, **({"VersionId": self.version_id} if self.version_id else {})}


def announced(body: str) -> DroppedFile:
    """The file that a message announces, an "Object Created" event of EventBridge. Raises ValueError and KeyError.

    The version is part of it: a file that is replaced before the first was read is two files, and both count.
    """
    # Not Powertools' S3 data class: it unquotes keys, and EventBridge does not quote them.
    written = json.loads(body)["detail"]["object"]
    return DroppedFile(written["key"], written.get("version-id"))


def take_in(
    file: DroppedFile,
    quarantine: Quarantine,
    rules: Rules,
    intake: Intake,
    source_id: str = "",
    translator: Translator | None = None,
) -> FileReport:
    """Reads the object as a stream and hands its valid events to `intake`, which may write some of them already.

    A `translator` says what its columns mean, where they are not the contract's.

    The intake knows the file by `source_id`, or else by its key.

    Raises what S3 raises when it cannot be asked or breaks off; taking the same file in again is always safe.
    """
    try:
        answer = quarantine.s3.get_object(Bucket=quarantine.bucket, **file.source)
    except ClientError as error:
        if not is_absent(quarantine.s3, quarantine.bucket, file.key, error, file.version_id):
            raise
        quarantine.folder(file.key, "missing").note("the object was deleted before it could be read")
        return FileReport(missing=True)
    folder = quarantine.folder(file.key, answer["ETag"].strip('"'), file.version_id)
    accepted = quarantined = 0
    again = partial(_lines_of, file, quarantine, rules, translator)
    source = Source(source_id or file.key, again, keep=partial(folder.lines, kind="unwritten"))
    try:
        for chunk in read_file(cast(BinaryIO, answer["Body"]), file.key, rules, translator):
            if file.key.startswith(archive.PREFIX):
                quarantine.places.note(file.key, archive.people_of(chunk))
            intake.add(chunk, partial(folder.lines, kind="claims"), source)
            accepted += len(chunk.events)
            if rejections := intake.keepable(chunk.rejections):
                folder.lines(rejections)
                quarantined += len(rejections)
    except UnreadableFile as error:
        folder.whole(str(error), answer["ContentLength"])
        return FileReport(accepted, quarantined, unreadable=str(error), capped=folder.capped)
    return FileReport(accepted, quarantined, capped=folder.capped)


def _lines_of(
    file: DroppedFile,
    quarantine: Quarantine,
    rules: Rules,
    translator: Translator | None,
    unwritten: Mapping[str, Unwritten],
) -> Iterator[Rejection]:
    """The lines of some people in a file that was read before."""
    stream = cast(BinaryIO, quarantine.s3.get_object(Bucket=quarantine.bucket, **file.source)["Body"])
    with suppress(UnreadableFile):  # which was told when it was read first
        for chunk in read_file(stream, file.key, replace(rules, unwritten=unwritten), translator):
            yield from chunk.unwritten
