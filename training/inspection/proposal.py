"""Mappings that are proposed for a file, and what becomes of its rows by each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from shared.events import Event, mappings
from shared.events.dialects import LineBroken
from shared.events.mapping import InvalidMapping, MappingFile, read_mapping
from shared.events.translator import Translator
from training.base.errors import InputError
from training.inspection.guess import Guesses
from training.inspection.known import Known, known_exports
from training.inspection.mapping_file import mapping_text
from training.inspection.sample import Row, Sample

LARGE_SHARE = 0.05
"""Of refused rows, from which it is said loudly."""


@dataclass(frozen=True)
class Proposal:
    """A mapping, and what it makes of the rows that were looked at."""

    document: str
    rows: int
    events: Sequence[Event]
    refused: Counter[str]
    """Rows by the reason."""
    untold: int
    """Rows that tell no event, by what the mapping says of them."""
    known: Known | None = None
    """The export that it is of, where that is known."""

    @property
    def refused_share(self) -> float:
        """Of the rows."""
        return self.refused.total() / max(1, self.rows)


def guessed(sample: Sample, guesses: Guesses) -> Proposal:
    """What guesses make of a file. Raises InputError."""
    document = mapping_text(sample, guesses)
    try:
        return _tried(document, sample.records)
    except InvalidMapping as error:
        raise InputError(str(error)) from error


def known(path: Path, sample: Sample, guesses: Guesses) -> Proposal | None:
    """What the mapping that comes with the product makes of it, where the file is such an export."""
    best = None
    for export in known_exports(path, sample):
        document = _fitted(export, sample, guesses)
        proposal = _tried(document, export.sample.records, export)
        if proposal.events and (best is None or proposal.refused_share < best.refused_share):
            best = proposal
    return best


def chosen(by_guesses: Proposal | None, by_known: Proposal | None) -> Proposal | None:
    """The known mapping, unless it refuses what guesses can read."""
    if by_known is None or by_guesses is None:
        return by_known or by_guesses
    return by_known if by_known.refused_share <= by_guesses.refused_share + LARGE_SHARE else by_guesses


def _tried(document: str, records: Sequence[Row], export: Known | None = None) -> Proposal:
    translator = Translator(read_mapping(document.encode()))
    events: list[Event] = []
    refused: Counter[str] = Counter()
    untold = 0
    for record in records:
        try:
            of_record = translator.events(record)
        except LineBroken as broken:
            refused[str(broken)] += 1
            continue
        events += of_record
        untold += not of_record
    return Proposal(document, len(records), events, refused, untold, export)


def _fitted(export: Known, sample: Sample, guesses: Guesses) -> str:
    """The mapping with the file's own encoding and delimiter, and with its way to write times where that is another."""
    differing = {"encoding": sample.encoding} if sample.encoding != export.mapping.encoding else {}
    if sample.format == "csv" and sample.delimiter != export.mapping.delimiter:
        differing["delimiter"] = sample.delimiter
    document = mappings.with_options(mappings.document(export.name), differing).decode()
    if _writes_times_otherwise(export.mapping, guesses):
        formats = tomli_w.dumps({"formats": list(guesses.times.formats)}).replace("\n", "").replace("    ", "")
        document = re.sub(r"(?m)^formats = .*$", lambda _: f"{formats}  # as this file has them", document)
    return document


def _writes_times_otherwise(mapping: MappingFile, guesses: Guesses) -> bool:
    formats = guesses.times.formats
    return bool(formats) and bool(mapping.times.formats) and formats[0] not in mapping.times.formats
