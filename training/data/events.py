"""Event files of any accepted format, as the profiles of everyone in them."""

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from shared.events import Claim, Rules, UnreadableFile, read_file
from shared.events.columns import add_product_ids
from shared.events.translator import Translator
from shared.features import Profiles, encode, fold, merge, since
from shared.features.columns import OTHER
from shared.identity.consents import Consent, limits
from shared.identity.links import Link, LinkState, resolve
from shared.profiles.histories import gathered
from training.base.errors import InputError
from training.base.progress import progress

REASONS_SHOWN = 10
LOUD_SHARE = 0.05
"""Of refused lines, or of events that mean nothing, from which it is said in so many words."""
ROWS_AT_ONCE = 1_000_000
_VALUES = re.compile(r", not .*|('.*?'|-?[\d.,]+) (?=is )", re.DOTALL)


@dataclass
class EventFiles:
    """What was read from event files, refused lines included."""

    profiles: Profiles
    files: int = 0
    accepted: int = 0
    """Lines that became events, repeats included."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Refused lines by reason, without the values that differ from line to line."""
    others: int = 0
    """Of the accepted, those of a type that counts as other activity."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Files that could not be read to their end, with the reason."""
    unread_share: float = 0.0
    """Of all bytes, those of such files."""
    links: Mapping[str, Link] = field(default_factory=dict)
    """Of visitors whom events know as customers, by profile key: their events are in their customers' profiles."""
    product_ids: dict[int, str] = field(default_factory=dict)
    """By code, where they were asked for; empty where two products have one code."""

    @property
    def refused_share(self) -> float:
        """Of all lines that could be read."""
        refused = self.rejected.total()
        return refused / max(1, refused + self.accepted)

    def summary(self) -> Iterator[str]:
        """Lines that say what was read and what was not."""
        yield (
            f"{self.accepted:,} events in {self.files:,} files, {len(self.profiles.rows):,} of them distinct,"
            f" of {len(self.profiles):,} customers"
        )
        states = Counter(link.state for link in self.links.values())
        if states:
            yield (
                f"{states[LinkState.LINKED]:,} visitors turned out to be customers;"
                f" {states[LinkState.SHARED]:,} are devices that customers share, and left out"
            )
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


def read_events(
    paths: Iterable[Path],
    currency: str = "",
    as_of_ms: int | None = None,
    translator: Translator | None = None,
    own_types: tuple[str, ...] = (),
    *,
    product_ids: bool = False,
) -> EventFiles:
    """The events of files and of whole folders; hidden files in folders are passed over. An empty `currency` takes any.
    Products keep their names where `product_ids` asks for it.

    Of types that the functions keep as other activity, `own_types` are told apart. Who is who is what events before
    `as_of_ms` say, or all of them where that is None. Raises InputError where a path is missing or not one event was
    found.
    """
    files = event_files(paths)
    read = EventFiles(Profiles.empty(), len(files))
    stack = _Gathered()
    claims = _Claims()
    consents: set[Consent] = set()
    now_ms = time.time_ns() // 1_000_000
    rules = Rules(currency=currency or None, now_ms=now_ms, own_types=own_types, product_ids=product_ids)
    sizes = {str(file): file.stat().st_size for file in files}
    with progress("reading events", sum(sizes.values())) as advance:
        for file in files:
            try:
                suited = translator if translator is not None and translator.suits(file.name) else None
                for chunk in read_file(file, file.name, rules, suited):
                    stack.push(fold(chunk.events))
                    claims.add(chunk.claims)
                    consents.update(chunk.consents)
                    add_product_ids(read.product_ids, chunk.events.product_ids)
                    read.accepted += len(chunk.events)
                    read.others += int(np.count_nonzero(chunk.events.rows.kind == OTHER))
                    read.rejected.update(_VALUES.sub("", rejection.reason) for rejection in chunk.rejections)
                    advance(0, f"{read.accepted:,} events")
            except UnreadableFile as error:
                read.unreadable[str(file)] = str(error)
            advance(sizes[str(file)], f"{read.accepted:,} events")
    read.unread_share = sum(sizes[path] for path in read.unreadable) / max(1, sum(sizes.values()))
    read.links = resolve(claims.before(as_of_ms))
    read.profiles = agreed(stack.merged(), read.links, consents, as_of_ms)
    if not len(read.profiles):
        raise InputError("no events: " + "; ".join([*read.summary()][1:4] or ["the files are empty"]))
    return read


def event_files(paths: Iterable[Path]) -> list[Path]:
    """Files, and those of whole folders, hidden ones passed over. Raises InputError where a path is missing."""
    return [file for path in paths for file in _files_of(path)]


def agreed(
    profiles: Profiles, links: Mapping[str, Link], consents: Iterable[Consent], as_of_ms: int | None = None
) -> Profiles:
    """As `identified`, without the events that people refused, as far as they had said so before `as_of_ms`."""
    from_ms = limits(consent for consent in consents if as_of_ms is None or consent.time_ms < as_of_ms)
    if not from_ms:
        return identified(profiles, links)
    return since(identified(since(profiles, from_ms), links), from_ms)


def identified(profiles: Profiles, links: Mapping[str, Link]) -> Profiles:
    """Customers with what their visitors did, and visitors who are nobody's; devices that customers share are left out.

    The same as the functions come to, except where a visitor is claimed by two customers: see docs/identity.md.
    """
    states = [links[key].state if key in links else None for key in profiles.keys]
    linked = profiles.take([i for i, state in enumerate(states) if state is LinkState.LINKED])
    others = profiles.take([i for i, state in enumerate(states) if state is None])
    if not len(linked):
        return others
    return merge(others, gathered(zip((links[key].customer for key in linked.keys), encode(linked), strict=True)))


class _Claims:
    """What all files say of who is who, each visitor and customer once."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], tuple[int, int]] = {}

    def add(self, claims: Iterable[Claim]) -> None:
        for claim in claims:
            pair = (claim.visitor, claim.customer)
            place = (claim.time_ms, len(self._first))
            self._first[pair] = min(place, self._first.get(pair, place))

    def before(self, as_of_ms: int | None) -> list[tuple[str, str]]:
        """By time, and where that is the same in the order they were read."""
        known = [pair for pair, (time_ms, _) in self._first.items() if as_of_ms is None or time_ms < as_of_ms]
        return sorted(known, key=self._first.__getitem__)


def _files_of(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith((".", "_")))
        if not files:
            raise InputError(f"no event files in the folder {path}")
        return files
    if not path.exists():
        raise InputError(f"there is no file or folder {path}")
    return [path]


class _Gathered:
    """Gathers states and merges them whenever they have doubled, so that each event is copied a logarithmic number of
    times and repeats do not pile up."""

    def __init__(self) -> None:
        self._states: list[Profiles] = [Profiles.empty()]

    def push(self, state: Profiles) -> None:
        self._states.append(state)
        base, *added = (len(state.rows) for state in self._states)
        if sum(added) > max(ROWS_AT_ONCE, base):
            self._states = [self.merged()]

    def merged(self) -> Profiles:
        return merge(*self._states)
