"""What is known of customers, such as their region or tier: of every name the latest value.

Each name of a customer is a register. The value with the latest time stands, of equal times the larger one, and of more
than MOST_ATTRIBUTES names those that were said last. All of this is the same in whatever order values come.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

type Ints = NDArray[np.int64]

MOST_ATTRIBUTES = 30
"""Names kept of one customer. What was said last of them stays, which commutes with union."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """Values of many customers, sorted by customer and name, of each name one [n]."""

    owner: Ints
    """Index of the customer."""
    name: Ints
    """Index into `names`."""
    time_ms: Ints
    """When it was said, UTC milliseconds."""
    value: Ints
    """Index into `values`."""
    names: list[str]
    """Sorted, each once; some may be no customer's."""
    values: list[str]
    """As JSON; sorted, each once; some may be no customer's."""

    def __len__(self) -> int:
        return len(self.owner)

    @classmethod
    def none(cls) -> Self:
        """Nothing is known of anybody."""
        empty = np.empty(0, np.int64)
        return cls(empty, empty, empty, empty, [], [])

    @classmethod
    def said(cls, owner: Ints, time_ms: Ints, names: Sequence[str], values: Sequence[str]) -> Self:
        """What stands after all that was said, one value each [n each], in any order."""
        name_table, value_table = sorted({*names}), sorted({*values})
        name, value = _positions(names, name_table), _positions(values, value_table)
        return cls(owner, name, time_ms, value, name_table, value_table)._standing()

    @classmethod
    def of_one_name(cls, name: str, owner: Ints, time_ms: Ints, values: Sequence[str], which: Ints) -> Self:
        """The same where all is said by one name: values[which[i]] by the owner of i [n each], in any order."""
        table = sorted({*values})
        value = _positions(values, table)[which]
        return cls(owner, np.zeros(len(owner), np.int64), time_ms, value, [name], table)._standing()

    @classmethod
    def united(cls, parts: Sequence[Self], owners: Sequence[Ints]) -> Self:
        """What stands of all parts, whose customers are those at `owners[i]` in what comes of it."""
        some = [(part, places) for part, places in zip(parts, owners, strict=True) if len(part)]
        if not some:
            return cls.none()
        names = _table([part.names for part, _ in some])
        values = _table([part.values for part, _ in some])
        return cls(
            np.concatenate([places[part.owner] for part, places in some]),
            np.concatenate([_positions(part.names, names)[part.name] for part, _ in some]),
            np.concatenate([part.time_ms for part, _ in some]),
            np.concatenate([_positions(part.values, values)[part.value] for part, _ in some]),
            names,
            values,
        )._standing()

    def where(self, kept: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Self:
        """Some of them: a mask [n], positions in ascending order or a slice."""
        return replace(
            self, owner=self.owner[kept], name=self.name[kept], time_ms=self.time_ms[kept], value=self.value[kept]
        )

    def take(self, at: Ints, n_owners: int) -> Self:
        """Those of the customers at the positions `at`, ascending, who are counted anew from 0."""
        if not len(self):
            return self
        starts = np.concatenate(([0], np.cumsum(np.bincount(self.owner, minlength=n_owners))))
        counts = starts[at + 1] - starts[at]
        begins = np.cumsum(counts) - counts
        some = self.where(np.repeat(starts[at] - begins, counts) + np.arange(counts.sum()))
        return replace(some, owner=np.repeat(np.arange(len(at)), counts))

    def counts(self, n_owners: int) -> Ints:
        """How many each customer has [n_owners]."""
        return np.bincount(self.owner, minlength=n_owners)

    def entries(self) -> Iterator[tuple[int, str, int, str]]:
        """Customer, name, time and value, one after the other."""
        for owner, name, time_ms, value in zip(*(column.tolist() for column in self._columns()), strict=True):
            yield owner, self.names[name], time_ms, self.values[value]

    def differing(self, other: Self, n_owners: int) -> NDArray[np.bool_]:
        """Which customers are not known the same way in both, of each of which they have the same index [n_owners]."""
        differs: NDArray[np.bool_] = self.counts(n_owners) != other.counts(n_owners)
        if len(self) and len(other):
            theirs = other._in_tables_of(self)
            mine = self.where(~differs[self.owner])
            same = theirs.where(~differs[theirs.owner])
            columns = zip(mine._columns(), same._columns(), strict=True)
            differs[mine.owner[np.logical_or.reduce([a != b for a, b in columns])]] = True
        return differs

    def _columns(self) -> tuple[Ints, ...]:
        return self.owner, self.name, self.time_ms, self.value

    def _in_tables_of(self, other: Self) -> Self:
        """The same by the positions of `other`'s tables; what is not in them is at none."""
        names = {text: i for i, text in enumerate(other.names)}
        values = {text: i for i, text in enumerate(other.values)}
        name = np.array([names.get(text, -1) for text in self.names], np.int64)[self.name]
        value = np.array([values.get(text, -1) for text in self.values], np.int64)[self.value]
        return replace(self, name=name, value=value, names=other.names, values=other.values)

    def _standing(self) -> Self:
        """The same with one value of each name, and of no customer more than MOST_ATTRIBUTES."""
        order = np.lexsort((self.value, self.time_ms, self.name, self.owner))
        owner, name = self.owner[order], self.name[order]
        last = np.ones(len(order), bool)
        last[:-1] = (owner[1:] != owner[:-1]) | (name[1:] != name[:-1])
        once = self.where(order[last])
        if np.bincount(once.owner).max(initial=0) <= MOST_ATTRIBUTES:
            return once
        by_time = np.lexsort((once.name, once.time_ms, once.owner))
        counts = np.bincount(once.owner)
        followers = np.repeat(np.cumsum(counts), counts) - 1 - np.arange(len(once))
        return once.where(np.sort(by_time[followers < MOST_ATTRIBUTES]))


def _table(tables: Sequence[list[str]]) -> list[str]:
    if all(table == tables[0] for table in tables[1:]):
        return tables[0]
    return sorted(set().union(*tables))


def _positions(texts: Sequence[str], table: list[str]) -> Ints:
    if texts is table:
        return np.arange(len(table))
    position = {text: i for i, text in enumerate(table)}
    return np.fromiter(map(position.__getitem__, texts), np.int64, len(texts))
