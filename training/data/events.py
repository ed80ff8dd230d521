"""Event files of any accepted format, as the profiles of everyone in them."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared.events import Rules
from shared.events.columns import add_product_ids
from shared.events.translator import Translator
from shared.features import Profiles, encode, fold, merge, since
from shared.features.state import MOST_EVENTS
from shared.identity.links import Link, LinkState
from shared.profiles.histories import gathered
from training.base.errors import InputError
from training.base.progress import progress
from training.data.places import event_files
from training.data.reading import Reading, read_one

ROWS_AT_ONCE = 1_000_000


@dataclass
class EventFiles(Reading):
    """What was read from event files, refused lines included."""

    profiles: Profiles = field(default_factory=Profiles.empty)
    links: Mapping[str, Link] = field(default_factory=dict)
    """Of visitors whom events know as customers, by profile key: their events are in their customers' profiles."""
    product_ids: dict[int, str] = field(default_factory=dict)
    """By code, where they were asked for; empty where two products have one code."""

    def summary(self) -> Iterator[str]:
        """Lines that say what was read and what was not."""
        full = len(self.profiles.sketches)
        yield (
            f"{self.accepted:,} events in {self.files:,} files, {len(self.profiles.rows):,} of them"
            f" {'kept' if full else 'distinct'}, of {len(self.profiles):,} customers"
        )
        if full:
            yield (
                f"{full:,} customers have more than {MOST_EVENTS:,} events, of which the latest are kept; a guest's id,"
                " an account that many share and a robot have as many, and hardly anybody else"
            )
        yield from self.of_links(self.links)
        yield from self.problems()


@dataclass(frozen=True)
class Source:
    """Event files, and how they are read."""

    paths: Sequence[str | Path]
    currency: str = ""
    """The one that is counted; empty takes any."""
    as_of_ms: int | None = None
    """Who is who, and who refused, is what events before it say (UTC milliseconds), or all where it is None."""
    translator: Translator | None = None
    own_types: tuple[str, ...] = ()
    """Of types that the functions keep as other activity, those that are told apart."""

    def rules(self, *, product_ids: bool = False) -> Rules:
        """As of now, by which too late events are told."""
        now_ms = time.time_ns() // 1_000_000
        return Rules(self.currency or None, now_ms, self.own_types, product_ids=product_ids)


def read_events(
    paths: Iterable[str | Path],
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
    source = Source([*paths], currency, as_of_ms, translator, own_types)
    rules = source.rules(product_ids=product_ids)
    files = event_files(source.paths)
    read = EventFiles()
    stack = _Gathered()
    count = 0
    with progress("reading events", sum(file.size for file in files)) as advance:
        for number, file in enumerate(files):
            for events in read_one(file, number, rules, translator, read):
                stack.push(fold(events))
                add_product_ids(read.product_ids, events.product_ids)
                count += len(events)
                advance(0, f"{count:,} events")
            advance(file.size, f"{count:,} events")
    read.links = read.resolved(as_of_ms)
    read.profiles = agreed(stack.merged(), read.links, read.counts_from(as_of_ms))
    if not len(read.profiles):
        raise nothing_in(read)
    return read


def nothing_in(reading: Reading) -> InputError:
    """That files hold not one event that counts, and what they hold instead."""
    problems = [*reading.problems()][:3]
    if reading.accepted:
        problems.append("all that were read are of people who refused or of devices that customers share")
    return InputError("no events: " + "; ".join(problems or ["the files are empty"]))


def agreed(profiles: Profiles, links: Mapping[str, Link], from_ms: Mapping[str, int]) -> Profiles:
    """As `identified`, without the events that people refused: of some, by key, those before an instant of theirs."""
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
