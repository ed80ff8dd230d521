"""Rows that tell several events: kinds of events, and lists, each of whose entries is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from shared.events.dialects.dialect import Record, value_at
from shared.events.mapping import IN_LIST, MappingFile, Part, lists_of


class Kind:
    """Where each field of one kind of event stands, and which rows tell of it."""

    def __init__(self, mapping: MappingFile, part: Part) -> None:
        columns = {**mapping.columns, **part.columns}
        where = {**mapping.where, **part.where}
        self.paths = {field: (path,) if isinstance(path, str) else tuple(path) for field, path in columns.items()}
        self.where = {path: (one,) if isinstance(one, str) else tuple(one) for path, one in where.items()}
        self.constants = {**mapping.constants, **part.constants}
        self.lists = lists_of(columns, where)

    @property
    def all_paths(self) -> Iterator[str]:
        """Of its fields and of what rows must be."""
        yield from (path for paths in self.paths.values() for path in paths)
        yield from self.where

    def told(self, record: Record) -> Iterator[tuple[Record, str]]:
        """The record for each entry of the lists that paths lead into, with what tells it from the others.

        A list that is empty or none at all has one entry that says nothing.
        """
        return _each(record, self.lists, "")


def _each(record: Record, lists: Sequence[str], place: str) -> Iterator[tuple[Record, str]]:
    if not lists:
        yield record, place
        return
    name, *inner = lists
    entries = value_at(record, name)
    if not isinstance(entries, list) or not entries:
        yield from _each(record, inner, place)
        return
    for at, entry in enumerate(entries):
        yield from _each({**record, f"{name}{IN_LIST}": entry}, inner, f"{place}/{at}")


def listed(text: str, marks: str | Sequence[str]) -> list[Any]:
    """The entries of a list that a column holds as text."""
    between, inside = (*marks, "")[:2]
    entries = [entry for entry in text.split(between) if entry]
    if not inside:
        return entries
    return [{str(at): value for at, value in enumerate(entry.split(inside), 1)} for entry in entries]


def root(path: str) -> str:
    """The column that a path begins from."""
    return path.partition(".")[0].partition(IN_LIST)[0]
