"""Where the events of many customers are and what is worked out of them: in memory, on a disk, or by Spark.

An engine gathers the events of each customer, whoever's file they are in, and asks questions of their histories. A
question is a function of profiles, [n_profiles, …] of numbers out, of which each row is of its own profile alone: so it
comes to the same however profiles are parted. What is made of the answers is the same code for all engines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.features import Profiles
from training.data.events import EventFiles, Source, read_events
from training.data.reading import Reading
from training.engines.tables import Array, Kind

type Question = Callable[[Profiles], Array]
"""Of profiles, an answer for each of them [n_profiles, …]; engines may send it elsewhere, pickled."""
type Whom = Callable[[Profiles], NDArray[np.bool_]]
"""Of profiles, which of them are asked [n_profiles]."""


@dataclass(frozen=True)
class Part:
    """What some profiles answered."""

    keys: list[str]
    """Sorted [n_profiles]."""
    answers: list[Array]
    """In the order of the questions [n_profiles, …]."""


class Engine(Protocol):
    """Gathered events."""

    reading: Reading
    """What the event files said beside them."""

    def ask(self, whom: Whom, questions: Sequence[Question]) -> Iterator[Part]:
        """What the profiles that `whom` picks answer, part by part, in the order of their keys over all parts."""
        ...


type Open = Callable[[Source], AbstractContextManager[Engine]]
"""Reads the events of a source. Raises InputError where there are none."""


def asked(profiles: Profiles, whom: Whom, questions: Sequence[Question]) -> Part:
    """What those of these profiles answer whom `whom` picks."""
    picked = whom(profiles)
    some = profiles if picked.all() else profiles.take(np.flatnonzero(picked))
    return Part(some.keys, [question(some) for question in questions])


def kinds(questions: Sequence[Question]) -> list[Kind]:
    """What the answers are, by what nobody at all would answer."""
    answers = [question(Profiles.empty()) for question in questions]
    return [Kind(answer.dtype, answer.shape[1:]) for answer in answers]


class Memory:
    """All events in memory."""

    def __init__(self, reading: EventFiles) -> None:
        self.reading: Reading = reading
        self.profiles = reading.profiles

    def __enter__(self) -> Memory:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    @classmethod
    def open(cls, source: Source) -> Memory:
        """Reads all events."""
        return cls(read_events(source.paths, source.currency, source.as_of_ms, source.translator, source.own_types))

    def ask(self, whom: Whom, questions: Sequence[Question]) -> Iterator[Part]:
        """As `Engine`; one part."""
        yield asked(self.profiles, whom, questions)
