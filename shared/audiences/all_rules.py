"""The rules of all audiences judged at once: what several of them ask is asked once, of all customers in one step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from shared.audiences.evaluating import OPERATIONS, Customers, compared_with
from shared.audiences.rules import (
    All,
    AnyOf,
    Comparison,
    Condition,
    Field,
    IsNull,
    Literal,
    Not,
    Operand,
    Recommended,
    Rule,
    conditions,
    operands_of,
    shown,
)
from shared.features import FEATURE_NAMES, FEATURES

type Mask = NDArray[np.bool_]
type Demand = tuple[Condition, bool]
"""A condition, and whether it is to be true or to be false; what is unknown is neither."""
type Told = tuple[Condition, str, Operand | Recommended | None]
"""A condition, how it is written, and the first thing that it asks of customers, if any."""
type Formula = int | tuple[bool, tuple[Formula, ...]]
"""The position of a demand; or whether all of some parts have to be met or any, and the parts."""

_TIMES = {feature.name for feature in FEATURES if feature.grows_daily} | {"order_overdue"}
_OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_MIRRORED = {"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}


@dataclass(frozen=True, slots=True)
class _Group:
    """Demands that are judged in one step: one operand's comparisons with numbers, or one of any other kind."""

    demands: Sequence[Demand]
    first: int
    """The position of the first of them among all; the others follow."""
    operand: Operand | None = None
    operator: str = ""
    numbers: NDArray[np.float64] | None = None
    """[n_demands, 1]."""

    @property
    def is_predicted(self) -> bool:
        return any(map(is_predicted, operands_of(self.demands[0][0])))

    def judge(self, customers: Customers, met: Mask) -> None:
        """Writes who meets which demand into `met` [n_demands, n]."""
        values = None if self.operand is None else customers.value(self.operand)
        if values is None or values.dtype == object:
            for i, (condition, wanted) in enumerate(self.demands):
                truth = customers.truth(condition)
                met[i] = truth.true if wanted else truth.false
            return
        met[:] = OPERATIONS[self.operator](values, self.numbers)  # false of what is unknown
        if self.operator == "<>":
            met &= ~np.isnan(values)


class AllRules:
    """Rules in the order given. As `not` is taken into the conditions, a rule is true the sooner the more of its
    demands are met, and none of them has to be known to be unknown."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._groups = [*_grouped(dict.fromkeys(demand for rule in rules for demand in _demands(rule, True)))]
        demands = [demand for group in self._groups for demand in group.demands]
        positions = {demand: i for i, demand in enumerate(demands)}
        self._formulas = [_formula(rule, True, positions) for rule in rules]
        self.predicted = np.array([any(map(is_predicted, operands_of(condition))) for condition, _ in demands], bool)
        """Which demands cannot be judged without a model [n_demands]."""
        mixed = [not all(map(is_predicted, _asked(condition))) for condition, _ in demands]
        self.mixed = self.predicted & np.array(mixed, bool)
        """Which of these ask for something else as well, which may move by itself [n_demands]."""
        self.demanded = [[*dict.fromkeys(positions[demand] for demand in _demands(rule, True))] for rule in rules]
        """The positions of each rule's demands."""
        self._rules = rules

    @cached_property
    def told(self) -> list[list[Told]]:
        """Of each rule its conditions, each once."""
        return [
            [(condition, shown(condition), _first_asked(condition)) for condition in dict.fromkeys(those)]
            for those in map(conditions, self._rules)
        ]

    @cached_property
    def compares_times(self) -> bool:
        """Whether a rule compares a time since something with another, from which it may differ by a moment."""
        asked = (operands_of(condition) for rule in self._rules for condition in conditions(rule))
        return any(
            len(both) == 2 and all(isinstance(one, Field) for one in both) and any(map(is_time, both)) for both in asked
        )

    def __len__(self) -> int:
        return len(self.predicted)

    def judge(self, customers: Customers, with_predicted: bool = True) -> Mask:
        """Who meets which demand [n_demands, n]; none that are predicted unless `with_predicted`."""
        met = np.zeros((len(self), len(customers)), bool)
        for group in self._groups:
            if with_predicted or not group.is_predicted:
                group.judge(customers, met[group.first : group.first + len(group.demands)])
        return met

    def holds(self, met: Mask) -> list[Mask]:
        """Of each rule, whether it is true of whom these demands are met [n each]."""
        return [_holds(formula, met) for formula in self._formulas]


def is_time(operand: Operand) -> bool:
    """Whether it is a time since something, or how overdue an order is, which grow if nothing happens."""
    return isinstance(operand, Field) and operand.name in _TIMES


def is_predicted(operand: Operand) -> bool:
    """Whether only a model says it, or what rests on one: a prediction, a segment, an intent."""
    return isinstance(operand, Field) and operand.name not in FEATURE_NAMES


def _asked(condition: Condition) -> list[Operand]:
    return [operand for operand in operands_of(condition) if not isinstance(operand, Literal)]


def _first_asked(condition: Condition) -> Operand | Recommended | None:
    return condition if isinstance(condition, Recommended) else next(iter(_asked(condition)), None)


def _demands(rule: Rule, wanted: bool) -> Iterator[Demand]:
    match rule:
        case Not(part):
            yield from _demands(part, not wanted)
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from _demands(part, wanted)
        case Comparison() | IsNull() | Recommended():
            yield rule, wanted


def _formula(rule: Rule, wanted: bool, positions: dict[Demand, int]) -> Formula:
    match rule:
        case Not(part):
            return _formula(part, not wanted, positions)
        case All(parts):
            return wanted, tuple(_formula(part, wanted, positions) for part in parts)
        case AnyOf(parts):
            return not wanted, tuple(_formula(part, wanted, positions) for part in parts)
        case Comparison() | IsNull() | Recommended():
            return positions[rule, wanted]


def _holds(formula: Formula, met: Mask) -> Mask:
    if isinstance(formula, int):
        held: Mask = met[formula]
        return held
    is_all, parts = formula
    return reduce(np.logical_and if is_all else np.logical_or, (_holds(part, met) for part in parts))


def _grouped(demands: dict[Demand, None]) -> Iterator[_Group]:
    alike: dict[tuple[Operand, str] | Demand, list[tuple[Demand, float]]] = defaultdict(list)
    for demand in demands:
        with_number = _with_number(*demand)
        operand, operator, number = with_number or (None, "", np.nan)
        alike[demand if operand is None else (operand, operator)].append((demand, number))
    first = 0
    for key, members in alike.items():
        same = [demand for demand, _ in members]
        if isinstance(key[1], str):
            numbers = np.array([[number] for _, number in members])
            yield _Group(same, first, key[0], key[1], numbers)
        else:
            yield _Group(same, first)
        first += len(same)


def _with_number(condition: Condition, wanted: bool) -> tuple[Operand, str, float] | None:
    """The operand, operator and number of a comparison of something with a number, as it is to be true."""
    match condition:
        case Comparison(operator, Literal(float()) as number, other) if not isinstance(other, Literal):
            operator = _MIRRORED[operator]
        case Comparison(operator, other, Literal(float()) as number) if not isinstance(other, Literal):
            pass
        case _:
            return None
    return other, operator if wanted else _OPPOSITE[operator], float(compared_with(number, other))
