"""One event file of the data bucket, or a part of one: its valid lines to the intake, everything else to quarantine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, cast

import msgspec
from botocore.exceptions import ClientError

from shared.aws.fresh_object import CHANGED, is_absent
from shared.aws.message_text import message_text
from shared.events import Rejection, Rules, UnreadableFile
from shared.events.streams import ByteStream
from shared.intake import archive
from shared.intake.gathering import Intake, Source
from shared.intake.object_parts import PART_BYTES, Opened, Part, parts_of
from shared.intake.quarantine import Folder, Quarantine
from shared.profiles.unwritten import Unwritten

if TYPE_CHECKING:
    from shared.events.translator import Translator


@dataclass(frozen=True, slots=True)
class FileReport:
    """What was found in a file, or in a part of one."""

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
    rest: tuple[Part, ...] = ()
    """What is left for others to read: the parts that it was cut into, or the one that there was no time for."""


def announced(body: str) -> Part:
    """What a message tells of: an "Object Created" event of EventBridge, or a part. Raises ValueError and KeyError.

    The version is part of it: a file that is replaced before the first was read is two files, and both count.
    """
    # Not Powertools' S3 data class: it unquotes keys, and EventBridge does not quote them.
    message = json.loads(body)
    if "part" in message:
        return msgspec.convert(message["part"], Part)
    written = message["detail"]["object"]
    return Part(written["key"], written.get("version-id"))


def as_message(part: Part) -> str:
    """The message that tells of a part."""
    return message_text(msgspec.json.encode({"part": part}).decode())


@dataclass(frozen=True, slots=True)
class DroppedFiles:
    """What takes event files in."""

    quarantine: Quarantine
    rules: Rules
    part_bytes: int = PART_BYTES
    cuts: bool = False
    """Whether what is larger is cut into parts; otherwise it is read from its beginning to its end."""

    def take_in(
        self, part: Part, intake: Intake, source_id: str = "", translator: Translator | None = None
    ) -> FileReport:
        """Reads an object, or a part of it, and hands its valid events to `intake`, which may write some already.

        What is to be cut is not read. Once the intake has no time for more, the report has the rest. A `translator`
        says what columns mean, where they are not the contract's. The intake knows the file by `source_id`, or else by
        its key.

        Raises what S3 raises when it cannot be asked or breaks off; taking the same part in again is always safe.
        """
        try:
            opened = self._open(part, translator)
            folder = self._folder(opened)
            if self.cuts and opened.is_large:
                return self._cut(opened, folder, intake)
            return self._read(opened, folder, intake, source_id)
        except ClientError as error:
            self._note_missing(part, error)
            return FileReport(missing=True)

    def _open(self, part: Part, translator: Translator | None) -> Opened:
        quarantine = self.quarantine
        if part.is_whole:
            answer = quarantine.s3.get_object(Bucket=quarantine.bucket, **part.source)
            bodies = [cast(ByteStream, answer["Body"])]
            return Opened(
                quarantine, part, answer["ETag"], answer["ContentLength"], bodies, translator, self.part_bytes
            )
        head = quarantine.s3.head_object(Bucket=quarantine.bucket, **part.source, IfMatch=part.etag)
        return Opened(quarantine, part, part.etag, head["ContentLength"], [], translator, self.part_bytes)

    def _folder(self, opened: Opened) -> Folder:
        most = self.quarantine.most_bytes
        share = None if most is None else round(most * opened.share())
        part = opened.part
        return replace(self.quarantine, most_bytes=share).folder(part.key, opened.etag.strip('"'), part.version_id)

    def _note_missing(self, part: Part, error: ClientError) -> None:
        """Keeps in quarantine that an object, or the one that was begun with, is gone. Raises any other error."""
        if error.response["Error"]["Code"] in CHANGED:
            reason = "the object was replaced before all of it was read"
        elif is_absent(self.quarantine.s3, self.quarantine.bucket, part.key, error, part.version_id):
            reason = "the object was deleted before it could be read"
        else:
            raise error
        self.quarantine.folder(part.key, "missing").note(reason)

    def _cut(self, opened: Opened, folder: Folder, intake: Intake) -> FileReport:
        parts: list[Part] = []
        try:
            if opened.part.is_whole:
                # What is wrong with a header is wrong with every part.
                for _ in next(opened.pieces()).chunks(self.rules):
                    pass
            parts.extend(parts_of(opened, intake.has_time))
        except UnreadableFile as error:
            folder.whole(str(error), opened.size)
            return FileReport(unreadable=str(error), capped=folder.capped, rest=tuple(parts))
        return FileReport(rest=tuple(parts))

    def _read(self, opened: Opened, folder: Folder, intake: Intake, source_id: str) -> FileReport:
        part = opened.part
        accepted = quarantined = pieces = length = 0
        rest: tuple[Part, ...] = ()

        def lines_of(unwritten: Mapping[str, Unwritten]) -> Iterator[Rejection]:
            return self._lines_of(opened, pieces, unwritten)

        source = Source(source_id or part.key, lines_of, keep=partial(folder.lines, kind="unwritten"))
        try:
            for piece in opened.pieces():
                pieces += 1
                for chunk in piece.chunks(self.rules):
                    if part.key.startswith(archive.PREFIX):
                        self.quarantine.places.note(part.key, archive.people_of(chunk))
                    intake.add(chunk, partial(folder.lines, kind="claims"), source)
                    accepted += len(chunk.events)
                    if rejections := intake.keepable(chunk.rejections):
                        folder.lines(rejections)
                        quarantined += len(rejections)
                length += piece.size
                left = None if part.length is None else part.length - length
                if piece.end and left != 0 and not intake.has_time():
                    rest = (opened.rest(piece.end, left, part.until),)
                    break
        except UnreadableFile as error:
            folder.whole(str(error), opened.size)
            return FileReport(accepted, quarantined, unreadable=str(error), capped=folder.capped)
        return FileReport(accepted, quarantined, capped=folder.capped, rest=rest)

    def _lines_of(self, opened: Opened, pieces: int, unwritten: Mapping[str, Unwritten]) -> Iterator[Rejection]:
        """The lines of some people in the pieces that were read before."""
        with suppress(UnreadableFile):  # which was told when it was read first
            for piece in islice(opened.pieces(), pieces):
                for chunk in piece.chunks(replace(self.rules, unwritten=unwritten)):
                    yield from chunk.unwritten
