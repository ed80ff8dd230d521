"""Bugs planted in what keeps, counts and publishes moves."""

from __future__ import annotations

from itertools import count
from typing import Any

from tests.simulation.planting import Bug, Planting


def _row_forgotten(code: Planting) -> None:
    ledger = code.module("shared.ledger.rows").Ledger
    record = ledger.record
    code.set(ledger, "record", lambda self, moves, *more: record(self, moves[1:] if len(moves) > 1 else moves, *more))


def _counted_apart(code: Planting) -> None:
    ledger = code.module("shared.ledger.rows").Ledger
    record = ledger._record
    of = ledger._count

    def apart(self: Any, moves: Any, *more: Any) -> Any:
        for part in of(self, moves):
            self._client.update_item(**part["Update"])
        return record(self, moves, *more)

    code.set(ledger, "_record", apart)
    code.set(ledger, "_count", lambda self, moves: [])


def _other_id_each_time(code: Planting) -> None:
    numbers = count()
    announcements = code.module("shared.ledger.announcements")
    answer = announcements._answer
    code.set(announcements, "_answer", lambda moved: {**answer(moved), "transition_id": f"{next(numbers)}"})


def _refused_not_again(code: Planting) -> None:
    code.set(code.module("shared.ledger.announcements"), "CALLS_AT_MOST", 1)
    announcer = code.module("shared.ledger.announcements").Announcer
    publish = announcer.publish

    def once(self: Any, moves: Any) -> set[str]:
        publish(self, moves)
        return set()

    code.set(announcer, "publish", once)


def _other_reasons_each_time(code: Planting) -> None:
    numbers = count()
    announcements = code.module("shared.ledger.announcements")
    answer = announcements._answer
    code.set(announcements, "_answer", lambda moved: {**answer(moved), "reasons": [f"{next(numbers)}"]})


def _lives_alike(code: Planting) -> None:
    code.set(code.module("shared.profiles.marks"), "randbelow", lambda _end: 0)


LEDGER_BUGS = (
    Bug("the first move of a batch is left out of the ledger", _row_forgotten, 83),
    Bug("sizes are counted apart from the ledger's rows", _counted_apart, 7),
    Bug("a move is published under another id each time", _other_id_each_time, 44),
    Bug("events that the bus refused are not published again", _refused_not_again, 1),
    Bug("a move is told again with other reasons", _other_reasons_each_time, 1961),
    Bug("two who begin a customer at once begin with the same version", _lives_alike, 1209),
)
