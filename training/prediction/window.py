"""The time that is trained on, and everyone who is known in it, wherever their events are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.decisions.decision import iso
from shared.durations import DAY_MS
from shared.events.translator import Translator
from shared.features import Profiles
from shared.identity.consents import NEVER
from training.base import command
from training.base.config import Config
from training.base.errors import InputError
from training.base.target_entry import own_types
from training.data.events import Source, nothing_in
from training.data.own_types import without_own_types
from training.data.reading import Reading
from training.engines.engine import Engine, Memory, Open, Question, Whom
from training.engines.tables import ROW_BYTES, rows_of
from training.prediction.questions import Approached, KnownAt, Named, Span, whole_histories
from training.prediction.targets import PointsInTime


@dataclass(frozen=True)
class Window:
    """The time that is trained on, UTC milliseconds."""

    first_ms: int
    """The first event."""
    end_ms: int
    """Until when it is known what happened: outcomes may reach up to here."""
    as_of_ms: int

    @property
    def span_ms(self) -> tuple[int, int]:
        """The time that is known."""
        return self.first_ms, self.end_ms


def known(profiles: Profiles, as_of_ms: int | None, config: Config) -> tuple[PointsInTime, Window]:
    """Everyone with an event before `as_of_ms`, the end of the data where it is None. Raises InputError where that is
    too few to train on."""
    spans = Span(NEVER if as_of_ms is None else as_of_ms)(profiles)
    window = _window(spans, as_of_ms, config)
    people = profiles.take(np.flatnonzero(spans[:, 3]))
    return PointsInTime(people, config.zone, config.cutoff_every_days), window


def known_by(engine: Engine, as_of_ms: int | None, config: Config) -> tuple[PointsInTime, Window]:
    """The same of an engine's events, which stay where they are."""
    parts = engine.ask(_everyone, [Span(NEVER if as_of_ms is None else as_of_ms)])
    answers = [part.answers[0] for part in parts if part.keys]
    if not answers:
        raise nothing_in(engine.reading)
    spans = np.concatenate(answers)
    window = _window(spans, as_of_ms, config)
    return Elsewhere(engine, int(spans[:, 3].sum()), window.as_of_ms, config), window


def known_of(engine: Engine, as_of_ms: int | None, config: Config) -> tuple[PointsInTime, Window]:
    """The same of whichever engine, in memory where it has them there."""
    if isinstance(engine, Memory):
        return known(engine.profiles, as_of_ms, config)
    return known_by(engine, as_of_ms, config)


def _everyone(profiles: Profiles) -> NDArray[np.bool_]:
    return np.ones(len(profiles), bool)


def _window(spans: NDArray[np.int64], as_of_ms: int | None, config: Config) -> Window:
    """Of the answers to `Span` of everyone."""
    first, last, last_before, is_known = spans.T
    first_ms = int(first.min())
    as_of_ms = int(last.max()) + 1 if as_of_ms is None else as_of_ms
    if as_of_ms <= first_ms:
        raise InputError(f"as-of {iso(as_of_ms)} is not after the first event, {iso(first_ms)}")
    if (customers := int(is_known.sum())) < config.minimum_customers:
        raise InputError(
            f"only {customers} customers have events before {iso(as_of_ms)}; {config.minimum_customers} are needed"
        )
    last_ms = int(last_before[is_known > 0].max())
    # A day and more without anyone is the end of the data, not a shop that lost all its customers.
    end_ms = as_of_ms if as_of_ms - last_ms <= DAY_MS else last_ms + 1
    return Window(first_ms, end_ms, as_of_ms)


def refuse_unread(reading: Reading, config: Config) -> None:
    """Raises InputError where less was read than the config asks for."""
    if reading.refused_share > config.most_refused:
        raise InputError(
            f"{reading.refused_share:.0%} of all lines were refused, more than most_refused allows"
            f" ({config.most_refused:.0%}): correct the mapping or the files"
        )
    if reading.unread_share > config.most_refused:
        raise InputError(
            f"{len(reading.unreadable):,} of {reading.files:,} files could not be read, {reading.unread_share:.0%} of"
            f" all bytes and more than most_refused allows ({config.most_refused:.0%}): correct the mapping or the"
            " files"
        )


def source(paths: Sequence[str | Path], as_of_ms: int | None, config: Config, translator: Translator | None) -> Source:
    """Event files as the config reads them."""
    return Source(paths, config.currency, as_of_ms, translator, own_types(config.targets))


@contextmanager
def known_in(files: Source, config: Config, engine: Open = Memory.open) -> Iterator[tuple[PointsInTime, Window]]:
    """Everyone with an event before the source's `as_of_ms`, the end of the data where it is None, and the time that is
    known. Raises InputError for events that cannot be trained on."""
    with engine(files) as gathered:
        command.say(*gathered.reading.summary())
        refuse_unread(gathered.reading, config)
        yield known_of(gathered, files.as_of_ms, config)


class Elsewhere(PointsInTime):
    """The same rows of profiles that an engine has: only what they answer is held here.

    What is foreseen is answered in one turn over all events, anything else in a turn of its own.
    """

    def __init__(self, engine: Engine, customers: int, known_ms: int, config: Config) -> None:
        super().__init__(Profiles.empty(), config.zone, config.cutoff_every_days)
        self._engine = engine
        self._customers = customers
        self._known_ms = known_ms
        self._answers: dict[Any, NDArray[Any]] = {}
        self._turn = threading.Lock()

    def ask[T: np.generic](self, question: Callable[[Profiles], NDArray[T]]) -> NDArray[T]:
        """What the profiles answer [n_profiles, …]."""
        self.foresee([question])
        return self._answers[question]

    def foresee(self, questions: Iterable[Question]) -> None:
        """Asks what was not asked before."""
        with self._turn:
            new = [question for question in dict.fromkeys(questions) if question not in self._answers]
            if new:
                self._answers |= self._asked(new)

    def forget(self) -> None:
        """Lets go of all answers, which have to be asked for anew."""
        super().forget()
        self._answers.clear()

    def _asked(self, questions: list[Question]) -> dict[Any, NDArray[Any]]:
        answers: dict[Any, NDArray[Any]] = {}
        keys: list[str] = []
        for part in self._engine.ask(KnownAt(self._known_ms), questions):
            own = slice(len(keys), len(keys) + len(part.keys))
            keys += part.keys
            for question, answer in zip(questions, part.answers, strict=True):
                if question not in answers:  # as large as it will be, so that nothing is held twice
                    answers[question] = np.empty((self._customers, *answer.shape[1:]), answer.dtype)
                answers[question][own] = answer
        self.keys = keys
        return answers

    @cached_property
    def approached(self) -> tuple[NDArray[np.int64], Profiles]:
        """Whom a campaign was to approach: the index of each, and their profiles, which are held here."""
        whom = Approached(self._known_ms)
        return np.flatnonzero(self.ask(whom)), self._histories(whom)

    def some(self, index: NDArray[np.int64]) -> Profiles:
        """The profiles with these indices, ascending, as the functions keep them; they are held here."""
        self.ask(KnownAt(self._known_ms))
        return without_own_types(self._histories(Named(frozenset(self.keys[i] for i in index.tolist()))))

    def _histories(self, whom: Whom) -> Profiles:
        parts = [*self._engine.ask(whom, [whole_histories])]
        keys = [key for part in parts for key in part.keys]
        histories = [history for part in parts for history in part.answers[0].tolist()]
        starts = np.cumsum([0, *(len(history) // ROW_BYTES for history in histories)])
        return Profiles(keys, starts, rows_of(b"".join(histories)), {})
