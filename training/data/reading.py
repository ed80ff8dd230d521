"""What event files say beside their events: how many lines count and why others do not, who is who, who refused."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from shared.events import Chunk, Rules, UnreadableFile, read_file
from shared.events.translator import Translator
from shared.features import EventColumns
from shared.features.columns import OTHER
from shared.identity.consents import Consent, limits
from shared.identity.links import Link, LinkState, resolve
from training.data.places import EventFile

REASONS_SHOWN = 10
LOUD_SHARE = 0.05
"""Of refused lines, or of events that mean nothing, from which it is said in so many words."""
_VALUES = re.compile(r", not .*|('.*?'|-?[\d.,]+) (?=is )", re.DOTALL)


@dataclass
class Reading:
    """What was read of some event files, refused lines included; those of more files are included as they come."""

    files: int = 0
    bytes: int = 0
    accepted: int = 0
    """Lines that became events, repeats included."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Refused lines by reason, without the values that differ from line to line."""
    others: int = 0
    """Of the accepted, those of a type that counts as other activity."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Files that could not be read to their end, with the reason."""
    unread_bytes: int = 0
    """Of such files."""
    claims: dict[tuple[str, str], tuple[int, int, int]] = field(default_factory=dict)
    """Of each visitor and customer, by profile keys, when it was first said that they are one: UTC milliseconds, and
    where that was read, the number of its file and its own there."""
    consents: set[Consent] = field(default_factory=set)
    category_names: dict[int, str] = field(default_factory=dict)
    """The name behind each code of a category or campaign; of two with one code the smaller."""

    def add(self, chunk: Chunk, number: int) -> None:
        """Take in what a chunk of the file of that number says, chunks in their order."""
        for place, claim in enumerate(chunk.claims, self.accepted):
            self._claim((claim.visitor, claim.customer), (claim.time_ms, number, place))
        self.accepted += len(chunk.events)
        self.others += int(np.count_nonzero(chunk.events.rows.kind == OTHER))
        self.rejected.update(_VALUES.sub("", rejection.reason) for rejection in chunk.rejections)
        self.consents.update(chunk.consents)
        self._name(chunk.events.category_names)

    def include(self, other: Reading) -> None:
        """Take in what other files say; the same in any order."""
        self.files += other.files
        self.bytes += other.bytes
        self.accepted += other.accepted
        self.rejected.update(other.rejected)
        self.others += other.others
        self.unreadable |= other.unreadable
        self.unread_bytes += other.unread_bytes
        for pair, place in other.claims.items():
            self._claim(pair, place)
        self.consents |= other.consents
        self._name(other.category_names)

    def _claim(self, pair: tuple[str, str], place: tuple[int, int, int]) -> None:
        self.claims[pair] = min(place, self.claims.get(pair, place))

    def _name(self, names: Mapping[int, str]) -> None:
        for code, name in names.items():
            self.category_names[code] = min(name, self.category_names.get(code, name))

    @property
    def refused_share(self) -> float:
        """Of all lines that could be read."""
        refused = self.rejected.total()
        return refused / max(1, refused + self.accepted)

    @property
    def unread_share(self) -> float:
        """Of all bytes, those of files that could not be read to their end."""
        return self.unread_bytes / max(1, self.bytes)

    def resolved(self, as_of_ms: int | None) -> dict[str, Link]:
        """Of visitors whom events before `as_of_ms` know as customers, by profile key; of all events where it is None.
        The earliest claim comes first, and of those of one time the one that was read first."""
        known = [pair for pair, place in self.claims.items() if as_of_ms is None or place[0] < as_of_ms]
        return resolve(sorted(known, key=self.claims.__getitem__))

    def counts_from(self, as_of_ms: int | None) -> dict[str, int]:
        """From when on the events of those count who had refused before `as_of_ms`, by profile key."""
        return limits(each for each in self.consents if as_of_ms is None or each.time_ms < as_of_ms)

    def summary(self) -> Iterator[str]:
        """Lines that say what was read and what was not."""
        yield f"{self.accepted:,} events in {self.files:,} files"
        yield from self.problems()

    @staticmethod
    def of_links(links: Mapping[str, Link]) -> Iterator[str]:
        """A line that says who turned out to be whom, if anybody did."""
        states = Counter(link.state for link in links.values())
        if states:
            yield (
                f"{states[LinkState.LINKED]:,} visitors turned out to be customers;"
                f" {states[LinkState.SHARED]:,} are devices that customers share, and left out"
            )

    def problems(self) -> Iterator[str]:
        """Lines that say what was not read, and what counts for little."""
        for reason, count in self.rejected.most_common(REASONS_SHOWN):
            yield f"refused {count:,} lines: {reason}"
        if others := self.rejected.most_common()[REASONS_SHOWN:]:
            yield f"refused {sum(count for _, count in others):,} lines for {len(others):,} other reasons"
        if self.refused_share > LOUD_SHARE:
            yield f"WARNING: {self.refused_share:.0%} of all lines were refused; what follows is about the rest alone"
        if self.others > LOUD_SHARE * max(1, self.accepted):
            yield (
                f"WARNING: {self.others:,} of {self.accepted:,} events are of types that count as other activity alone;"
                " [event_types] of a mapping says what they are"
            )
        for path, reason in self.unreadable.items():
            yield f"could not read {path}: {reason}"
        if self.unread_share > LOUD_SHARE:
            yield (
                f"WARNING: {len(self.unreadable):,} of {self.files:,} files, with {self.unread_share:.0%} of all bytes,"
                " could not be read; what follows is about the rest alone"
            )
        if self.unreadable:
            yield "`tessera inspect PATH` shows what the columns of other files may mean, and writes a mapping"


def read_one(
    file: EventFile, number: int, rules: Rules, translator: Translator | None, reading: Reading
) -> Iterator[EventColumns]:
    """The events of one file of that number, chunk by chunk; in the end `reading` is told all else."""
    own = Reading(files=1, bytes=file.size)
    suited = translator if translator is not None and translator.suits(file.name) else None
    try:
        with file.opened() as stream:
            for chunk in read_file(stream, file.name, rules, suited):
                own.add(chunk, number)
                yield chunk.events
    except UnreadableFile as error:
        own.unreadable[file.place] = str(error)
        own.unread_bytes = own.bytes
    reading.include(own)
