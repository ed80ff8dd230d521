"""Exports that are known: by the columns of the mappings that come with the product."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.events import mappings
from shared.events.dialects import dialect_of
from shared.events.mapping import MappingFile, read_mapping
from shared.events.wide_rows import root
from training.inspection.sample import Sample, read_sample

LEAST = {"csv": 0.75, "parquet": 0.75, "ndjson": 0.6}
"""Of a mapping's columns, the share that has to be there: lines of JSON leave out what is empty."""


@dataclass(frozen=True)
class Known:
    """A mapping whose columns are those of a file."""

    name: str
    mapping: MappingFile
    share: float
    """Of its columns, those that are there."""
    sample: Sample
    """The file's beginning, read as the mapping says."""


def as_it_is(sample: Sample) -> str | None:
    """What reads the file without a mapping; None where nothing does."""
    plain = sample.format != "csv" or (sample.header is True and sample.delimiter == ",")
    names = {root(name) for name in sample.names}
    if not plain or sample.encoding != "utf-8":
        return None
    if names >= {"event_type", "timestamp"} and not names.isdisjoint({"customer_id", "anonymous_id"}):
        return "Tessera's own columns"
    dialect = None if "event_type" in names else dialect_of(names)
    return f"the payloads of {dialect.title}" if dialect else None


def known_exports(path: Path, sample: Sample) -> list[Known]:
    """The mappings that a file may be read by, the likeliest first. Raises InputError."""
    exports = []
    for name in mappings.NAMES:
        mapping = read_mapping(mappings.document(name))
        share = _share(mapping, sample)
        if share >= LEAST[sample.format]:
            exports.append(Known(name, mapping, share, read_sample(path, mapping=mapping)))
    return sorted(exports, key=lambda known: -known.share)


def _share(mapping: MappingFile, sample: Sample) -> float:
    if isinstance(mapping.header, list):
        return float(sample.delimiter == mapping.delimiter and sample.width == len(mapping.header))
    there = {root(name) for name in sample.names} | set(sample.names)
    needed = set(_columns(mapping))
    return sum(not any_of.isdisjoint(there) for any_of in needed) / len(needed)


def _columns(mapping: MappingFile) -> Iterator[frozenset[str]]:
    """Of each field, the columns of which one has to be there."""
    for columns in (mapping.columns, *(part.columns for part in mapping.events)):
        for field, paths in columns.items():
            if field not in mapping.optional:
                joined = [mapping.joined.get(path, [path]) for path in ([paths] if isinstance(paths, str) else paths)]
                yield frozenset(root(column) for names in joined for column in names)
    yield from (frozenset([root(column)]) for column in mapping.where)
