"""Who is in which audience: rules evaluated over what a bundle decides, and the days on which they may turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from shared.audiences.all_rules import is_time
from shared.audiences.audience import NONE, UNKNOWN, Audiences
from shared.audiences.evaluating import Customers, Histories
from shared.audiences.rules import (
    Attribute,
    Comparison,
    Condition,
    Count,
    Field,
    Literal,
    Operand,
    Recommended,
    conditions,
    operands,
)
from shared.decisions.carrying import OVERDUE
from shared.decisions.decision import Decision, Membership, audiences_of
from shared.decisions.grounds import Ground, Grounds
from shared.decisions.intent import ACTIONS, intents
from shared.durations import DAY_MS
from shared.features import FEATURE_NAMES, Profiles

if TYPE_CHECKING:
    from shared.features.time_zone import TimeZone
    from shared.models.bundle import Bundle, Decisions

type Ints = NDArray[np.int64]
type Mask = NDArray[np.bool_]

MOST_GROUNDS = 3
INTERVAL = FEATURE_NAMES.index("order_interval_mean")
"""How overdue an order is grows by one in as many days as this says."""
_INTENT_BITS = 16
"""Of the number that stands for an intent beside that of a segment."""
_DECIDED_BITS = 40
"""Of the number that stands for a segment and an intent, beside that of a set of audiences."""
_AROUND = (0, 1, 2)
"""Days from the whole days until a number is reached, one of which is the first midnight at which it is."""


@dataclass
class Look:
    """What a bundle, the intents and the rules say of some customers at an instant each."""

    decided: Decisions
    intent: list[str]
    """[n]."""
    customers: Customers
    """As rules see them."""
    audiences: Audiences
    holds: Mask
    """Whose rules are true of which customers [n, n_audiences]."""

    @classmethod
    def at(
        cls, bundle: Bundle, features: NDArray[np.float32], histories: Histories, who: Ints, at_ms: Ints | int
    ) -> Self:
        """At customers with these features [n, n_features], who are at the positions `who` of the histories [n].

        Raises BundleMismatch where the bundle does not run.
        """
        return cls.of(bundle, bundle.decide(features), features, histories, who, at_ms)

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        decided: Decisions,
        features: NDArray[np.float32],
        histories: Histories,
        who: Ints,
        at_ms: Ints | int,
    ) -> Self:
        """The same at customers of whom the bundle has `decided` [n]."""
        intent = intents(decided, features, bundle.manifest)
        customers = Customers(features, _columns(decided, intent), histories, who, at_ms)
        rules = bundle.audiences.rules
        holds = np.stack(rules.holds(rules.judge(customers)), axis=1) if rules else np.zeros((len(who), 0), bool)
        return cls(decided, intent, customers, bundle.audiences, holds)

    def code(self, sets: SetNumbers) -> Ints:
        """One number for all that may change of each customer: segment, intent and audiences [n]."""
        decided = (np.asarray(self.decided.segment) << _INTENT_BITS) + sets.intents(self.intent)
        code: Ints = (sets.of(self.holds) << _DECIDED_BITS) + decided
        return code

    def memberships(self, i: int, key: str, before: Decision | None, as_of_ms: int) -> dict[str, Membership]:
        """Those of the i-th customer: who stays in an audience keeps since when, and in which arm they are."""
        old = before.audiences if before else {}
        if self.audiences is UNKNOWN:
            return dict(old)
        audiences = [self.audiences.all[j] for j in self._inside[i]]
        return {one.key: old.get(one.key) or Membership(as_of_ms, self.audiences.arm(one, key)) for one in audiences}

    def audiences_version(self, before: Decision | None) -> int:
        """Of the audiences that a customer is decided to be in."""
        if self.audiences is UNKNOWN:
            return before.audiences_version if before else NONE.version
        return self.audiences.version

    def grounds(self, i: int, before: Decision | None) -> dict[str, Grounds]:
        """What speaks for each move of the i-th customer. Of an audience that is gone nothing does."""
        if self.audiences is UNKNOWN:
            return {}
        keys = self._keys
        moved = {keys[j] for j in self._inside[i]} ^ audiences_of(before)
        return {key: self._grounds(i, self._positions[key]) for key in sorted(moved) if key in self._positions}

    @cached_property
    def _inside(self) -> list[list[int]]:
        """The positions of the audiences that each customer is in [n]."""
        who, inside = np.nonzero(self.holds)
        ends = np.searchsorted(who, np.arange(len(self.holds) + 1)).tolist()
        positions = inside.tolist()
        return [positions[start:end] for start, end in pairwise(ends)]

    @cached_property
    def _keys(self) -> list[str]:
        return [audience.key for audience in self.audiences.all]

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {key: j for j, key in enumerate(self._keys)}

    def _grounds(self, i: int, j: int) -> Grounds:
        """Of who comes in, conditions that are true; of who leaves, conditions that are not."""
        holds = bool(self.holds[i, j])
        speaking = []
        for condition, text, operand in self.audiences.rules.told[j]:
            if bool(self.customers.truth(condition).true[i]) is holds:
                speaking.append(Ground(text, self._value(i, operand)))
                if len(speaking) == MOST_GROUNDS:
                    break
        return Grounds(speaking, self.audiences.all[j].action)

    def _value(self, i: int, asked: Operand | Recommended | None) -> float | str | None:
        """What is known of the i-th customer; of what is recommended, its place."""
        if isinstance(asked, Recommended):
            return float(self.customers.histories.place(asked, self.customers.who[i : i + 1])[0]) or None
        value = None if asked is None else self.customers.value(asked)[i]
        if value is None or isinstance(value, str):
            return value
        number = float(value)
        return None if np.isnan(number) else float(f"{number:.6g}")


def _columns(decided: Decisions, intent: Sequence[str]) -> dict[str, NDArray[Any]]:
    """What rules may ask of decisions, by the names of fields [n each]."""
    columns: dict[str, NDArray[Any]] = {
        "segment": decided.segment,
        "margin": decided.margin,
        "intent": np.array(intent, object),
        **decided.predictions,
    }
    if decided.micro_segment is not None:
        columns["micro_segment"] = decided.micro_segment
    return columns


class SetNumbers:
    """A number for each set of audiences that customers are in, and for each intent."""

    def __init__(self, audiences: Audiences) -> None:
        self._keys = [audience.key for audience in audiences.all]
        self._numbers = _Numbers()
        self._intents = {name: i for i, name in enumerate(ACTIONS)}

    def intents(self, names: Sequence[str]) -> Ints:
        """The number of each intent [n]."""
        known = self._intents
        return np.array([known.setdefault(name, len(known)) for name in names], np.int64)

    def intent(self, number: int) -> str:
        """The intent of a number."""
        return list(self._intents)[number]

    def of(self, holds: Mask) -> Ints:
        """The number of each row of [n, n_audiences]: equal rows have equal numbers [n]."""
        if not self._keys:
            return np.zeros(len(holds), np.int64)
        packed = np.packbits(holds, axis=1)
        rows = packed.view(f"S{packed.shape[1]}").ravel().tolist()
        return np.fromiter(map(self._numbers.__getitem__, rows), np.int64, len(rows))

    def audiences(self, number: int) -> tuple[str, ...]:
        """The keys of the set of a number."""
        if not self._keys:
            return ()
        row = self._numbers.rows[number].ljust((len(self._keys) + 7) // 8, b"\0")
        inside = np.unpackbits(np.frombuffer(row, np.uint8))[: len(self._keys)].tolist()
        return tuple(key for key, holds in zip(self._keys, inside, strict=True) if holds)


class _Numbers(dict[bytes, int]):
    """A number for each row of bits, as it is met; NumPy leaves out the zeros that a row ends with."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[bytes] = []

    def __missing__(self, row: bytes) -> int:
        number = self[row] = len(self.rows)
        self.rows.append(row)
        return number


def decoded(code: int, sets: SetNumbers) -> tuple[int, str, tuple[str, ...]]:
    """Segment, intent and audiences behind a number of `Look.code`."""
    audiences, decided = divmod(code, 1 << _DECIDED_BITS)
    segment, intent = divmod(decided, 1 << _INTENT_BITS)
    return segment, sets.intent(intent), sets.audiences(audiences)


# ---- Days on which rules may turn ------------------------------------------------------------------------------------


def turning(audiences: Audiences, profiles: Profiles, now: Customers, zone: TimeZone, horizon_days: int) -> Mask:
    """Whether a rule may turn at each of the next midnights, by what it counts, by what was said, or by a time since
    something that reaches a number; 0 is now [n, horizon + 1].

    What it asks of predictions, segment and intent may turn on other days, as these do.
    """
    days = np.zeros((len(now), horizon_days + 1), bool)
    today = zone.day(np.array(now.at_ms))

    def mark(owner: Ints, first: Ints) -> None:
        within = (first > 0) & (first <= horizon_days)
        days[owner[within], first[within]] = True

    def mark_instants(owner: Ints, at_ms: Ints) -> None:
        # The first midnight at which it is over, and one more where the instant is itself a midnight.
        day = zone.day(at_ms) - today
        mark(owner, day)
        mark(owner, day + 1)

    everyone = np.arange(len(now))
    for operand in {operand for audience in audiences.all for operand in operands(audience.rule)}:
        match operand:
            case Count(days=window):
                happened = now.histories.happened(operand)
                mark_instants(happened.owner, happened.time_ms + window * DAY_MS)
                mark_instants(happened.owner, happened.time_ms)
            case Attribute(name):
                _values, said_ms = now.histories.said(name)
                mark_instants(everyone, said_ms)
    coming = np.unique(profiles.owner[profiles.rows.time_ms >= now.at_ms])
    for condition in {condition for audience in audiences.all for condition in conditions(audience.rule)}:
        for field, other in _growing(condition):
            if not isinstance(other, Literal) or isinstance(other.value, str):
                days[:] = True  # both may change
                continue
            days[coming] = True  # after what comes it begins anew
            reached = _days_until(field.name, other.value, now)
            some = np.flatnonzero(np.abs(reached) <= horizon_days + 1)
            for more in _AROUND:
                mark(some, np.floor(reached[some]).astype(np.int64) + more)
    return days


def _growing(condition: Condition) -> Iterator[tuple[Field, Operand]]:
    if isinstance(condition, Comparison):
        for one, other in ((condition.left, condition.right), (condition.right, condition.left)):
            if isinstance(one, Field) and is_time(one):
                yield one, other


def _days_until(name: str, number: float, now: Customers) -> NDArray[np.float64]:
    """Days until a time since something, or how overdue an order is, reaches a number; NaN where it never does [n]."""
    gap: NDArray[np.float64] = number - now.features[:, FEATURE_NAMES.index(name)].astype(float)
    return gap * now.features[:, INTERVAL] if name == OVERDUE else gap
